/*
 * Packets of codes, from a sensor to its receiver. All numbers have their low byte first.
 *
 *     byte  0        QS_PACKET_FORMAT
 *     bytes 1 ... 2  recording: a number that the sender gives it, other than that of the last ones
 *     bytes 3 ... 4  sequence: how many packets of the recording came before, modulo 2^16
 *     bytes 5 ... 8  index: the packet's first sample, counted from the recording's start; at most 2^32 - 256
 *     byte  9        number of samples, 1 to 255
 *     bytes 10 ...   codes, sample by sample, channel by channel, each from its low bit on, without gaps, from the low
 *                    bit of each byte on; the last byte is filled up with zeros. A code has QS_BITS bits; where a
 *                    converter refreshes (index % QS_REFRESH == 0), QS_NATIVE_BITS: the native count, offset binary
 *     last two       checksum of all before: CRC-16, polynomial 0x1021, no reflection, from QS_CONVERTER_ID on, so that
 *                    packets of a sensor with other tables are refused, too
 *
 * What a receiver does with it, and what of that is exact, is said in qs_receiver.h.
 */
#ifndef QS_PACKET_H
#define QS_PACKET_H

#include "qs_converter.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QS_PACKET_FORMAT 0x51
#define QS_PACKET_HEADER 10
#define QS_PACKET_CHECKSUM 2

/* Bytes of a full packet at most. */
#if QS_REFRESH
#define QS_PACKET_REFRESHES ((QS_PACKET_SAMPLES - 1) / QS_REFRESH + 1)
#else
#define QS_PACKET_REFRESHES 0
#endif
#define QS_PACKET_BITS \
    (QS_CHANNELS * (QS_PACKET_SAMPLES * QS_BITS + QS_PACKET_REFRESHES * (QS_NATIVE_BITS - QS_BITS)))
#define QS_PACKET_BYTES (QS_PACKET_HEADER + (QS_PACKET_BITS + 7) / 8 + QS_PACKET_CHECKSUM)

typedef struct {
    uint32_t index;
    uint16_t recording, sequence;
    uint8_t samples;
} qs_header;

/* Bits of each code of the sample with this index. */
unsigned qs_code_bits(uint32_t index);

/* Write or read a code at a bit, which moves on; bytes that are written must be 0 before. */
void qs_put(uint8_t *packet, uint32_t *bit, qs_code code, unsigned bits);
qs_code qs_get(const uint8_t *packet, uint32_t *bit, unsigned bits);

/* Write the header and, behind so many bits, the checksum; returns the packet's length. */
unsigned qs_seal(uint8_t *packet, const qs_header *header, uint32_t bits);

/* Read the header of a packet; 0 if it is none, or damaged in any way. */
int qs_open(const uint8_t *packet, unsigned length, qs_header *header);

#ifdef __cplusplus
}
#endif
#endif
