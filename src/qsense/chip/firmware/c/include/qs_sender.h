/*
 * The sensor's side of a split pair: samples in, packets of codes out. It needs no network: qs_sender.c, qs_packet.c,
 * qs_converter.c and qs_tables.c are all of it.
 *
 *     static qs_sender sender;
 *     unsigned length;
 *     qs_sender_start(&sender, number_of_recording);
 *     for (;;) {
 *         read_sensor(sample);
 *         if ((length = qs_encode(&sender, sample)) != 0) transmit(sender.packet, length);
 *     }
 */
#ifndef QS_SENDER_H
#define QS_SENDER_H

#include "qs_packet.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint8_t packet[QS_PACKET_BYTES]; /* the last one, until the next sample */
    qs_converter converter;
    qs_header header; /* of the packet that is being filled */
    uint32_t bits;
} qs_sender;

/*
 * A new recording, before its first sample. Its number must differ from those of the last ones, and from those before a
 * restart of the sender: a counter that is kept, a random number, or the time.
 */
void qs_sender_start(qs_sender *sender, uint16_t recording);

/* The next sample; returns the length of a packet that is full, else 0. */
unsigned qs_encode(qs_sender *sender, const qs_sample sample[QS_CHANNELS]);

/* A packet of what there is, before it is full, at a recording's end; returns its length, or 0 if there is nothing. */
unsigned qs_sender_flush(qs_sender *sender);

#ifdef __cplusplus
}
#endif
#endif
