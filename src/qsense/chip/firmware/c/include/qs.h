/*
 * Samples in, classes out: the sensor's converter, a window that moves on, and the network, in integers alone.
 *
 *     static qs_state state;
 *     qs_result result;
 *     qs_init(&state);
 *     for (;;) {
 *         read_sensor(sample);                                        QS_CHANNELS native counts
 *         if (qs_push(&state, sample, &result) != QS_NONE) show(qs_class_names[result.majority]);
 *     }
 *
 * No heap, no float, no library but memcpy, memmove and memset. All that changes is in qs_state, so that one program may
 * follow many sensors. Work comes in bursts: see README.md for how many operations the longest qs_push takes.
 * Of a sensor and its receiver apart, see qs_sender.h and qs_receiver.h.
 */
#ifndef QS_H
#define QS_H

#include "qs_converter.h"
#include "qs_network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    qs_converter converter;
    qs_network network;
} qs_state;

/* Before anything else. */
void qs_init(qs_state *state);

/* A new recording: the next sample is its first. */
void qs_reset(qs_state *state);

/*
 * The next sample of all channels, in the order of qs_channel_names; a number beyond the sensor's range is taken as its
 * end. Returns the class of the window that ends with it, else QS_NONE. Window k begins with sample k * QS_STRIDE.
 * `result` is filled if there is a class; it may be 0.
 */
int qs_push(qs_state *state, const qs_sample sample[QS_CHANNELS], qs_result *result);

#ifdef __cplusplus
}
#endif
#endif
