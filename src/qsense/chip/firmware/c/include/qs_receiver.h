/*
 * The receiver's side of a split pair: packets of codes in, classes out.
 *
 *     static qs_receiver receiver;
 *     qs_result result;
 *     int now;
 *     qs_receiver_init(&receiver);
 *     for (;;) {
 *         length = receive(packet);
 *         if (qs_receive(&receiver, packet, length) < 0) continue;    refused: nothing has changed
 *         while ((now = qs_next(&receiver, &result)) != QS_EMPTY)
 *             if (now != QS_NONE) show(qs_class_names[result.majority]);
 *     }
 *
 * Exact: as long as no packet is missing, classes and margins are those of qs_push on the same samples. Of packets that
 * are missing, the receiver knows how many samples they held. It holds the last value for so long, as `qsense evaluate
 * --lose` simulates it, and goes on with the next packet; classes are then those of that simulation, number for number.
 * Whoever wants to know which windows are touched compares `lost` before and after.
 *
 * Not exact: a converter with memory goes on from the value that it holds, and is off by what it missed: until the next
 * refresh if it has one, else until its leak has taken the error back. One without memory is right again at once. Where
 * the first packets of a recording are missing, input 0 is held (with memory, the centre), where the simulation holds
 * the training data's mean. In a gap of more than QS_LONGEST_GAP samples, windows of nothing but held samples are left
 * out; no other window is changed by that.
 *
 * Refused: packets that are damaged, cut off, of another converter, or no packets at all; those that come twice; and
 * those that come after a later one, whose samples have been held already. Packets of the recording before are refused,
 * too; any other recording's begins a new one.
 */
#ifndef QS_RECEIVER_H
#define QS_RECEIVER_H

#include "qs_network.h"
#include "qs_packet.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QS_EMPTY (-2) /* no sample waits */

/* What qs_receive says of a packet that it refuses. */
#define QS_DAMAGED (-1) /* or no packet, or of another converter */
#define QS_LATE (-2)    /* it came before, or later ones did */
#define QS_BUSY (-3)    /* samples of the last one wait for qs_next */

#define QS_LONGEST_GAP (QS_WINDOW + (QS_MAJORITY + 1) * QS_STRIDE)

typedef struct {
    qs_converter converter;
    qs_network network;
    const uint8_t *packet; /* whose samples wait */
    uint32_t bit;          /* of its next code */
    uint32_t index;        /* of the next sample */
    uint32_t end;          /* of the samples that wait */
    uint32_t missing;      /* samples that come before them, and are held */
    uint32_t skipped;      /* samples of a long gap that are left out behind them */
    uint32_t lost;         /* samples that did not arrive, since qs_receiver_init */
    uint16_t recording, recording_before;
    uint16_t sequence; /* of the last packet */
    uint8_t recordings; /* known: 0, 1, 2 */
} qs_receiver;

/* Before anything else. */
void qs_receiver_init(qs_receiver *receiver);

/*
 * A packet; returns how many samples wait for qs_next (1 or more), or why it is refused (below 0). It must stay where it
 * is until qs_next has said QS_EMPTY. `lost` counts what is missing before it.
 */
int qs_receive(qs_receiver *receiver, const uint8_t *packet, unsigned length);

/* The next sample that waits: the class of the window that ends with it, QS_NONE, or QS_EMPTY. `result` as for qs_push. */
int qs_next(qs_receiver *receiver, qs_result *result);

#ifdef __cplusplus
}
#endif
#endif
