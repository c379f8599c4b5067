/* Packets: bits, header, checksum. */
#include "qs_packet.h"

unsigned qs_code_bits(uint32_t index)
{
#if QS_REFRESH
    if (index % QS_REFRESH == 0) return QS_NATIVE_BITS;
#endif
    (void)index;
    return QS_BITS;
}

void qs_put(uint8_t *packet, uint32_t *bit, qs_code code, unsigned bits)
{
    unsigned i;
    for (i = 0; i < bits; i++, (*bit)++)
        packet[*bit / 8] = (uint8_t)(packet[*bit / 8] | (((uint32_t)code >> i) & 1u) << (*bit % 8));
}

qs_code qs_get(const uint8_t *packet, uint32_t *bit, unsigned bits)
{
    uint32_t code = 0;
    unsigned i;
    for (i = 0; i < bits; i++, (*bit)++) code |= (((uint32_t)packet[*bit / 8] >> (*bit % 8)) & 1u) << i;
    return (qs_code)code;
}

static uint16_t checksum(const uint8_t *bytes, unsigned length)
{
    uint32_t sum = QS_CONVERTER_ID;
    unsigned i, b;
    for (i = 0; i < length; i++) {
        sum ^= (uint32_t)bytes[i] << 8;
        for (b = 0; b < 8; b++) sum = (sum & 0x8000u ? sum << 1 ^ 0x1021u : sum << 1) & 0xffffu;
    }
    return (uint16_t)sum;
}

static void write_number(uint8_t *bytes, uint32_t number, unsigned length)
{
    unsigned i;
    for (i = 0; i < length; i++) bytes[i] = (uint8_t)(number >> (8 * i) & 0xffu);
}

static uint32_t read_number(const uint8_t *bytes, unsigned length)
{
    uint32_t number = 0;
    unsigned i;
    for (i = 0; i < length; i++) number |= (uint32_t)bytes[i] << (8 * i);
    return number;
}

unsigned qs_seal(uint8_t *packet, const qs_header *header, uint32_t bits)
{
    const unsigned length = QS_PACKET_HEADER + (unsigned)((bits + 7) / 8);
    packet[0] = QS_PACKET_FORMAT;
    write_number(packet + 1, header->recording, 2);
    write_number(packet + 3, header->sequence, 2);
    write_number(packet + 5, header->index, 4);
    packet[9] = header->samples;
    write_number(packet + length, checksum(packet, length), QS_PACKET_CHECKSUM);
    return length + QS_PACKET_CHECKSUM;
}

int qs_open(const uint8_t *packet, unsigned length, qs_header *header)
{
    uint32_t bits;
    if (length < QS_PACKET_HEADER + QS_PACKET_CHECKSUM || packet[0] != QS_PACKET_FORMAT) return 0;
    header->recording = (uint16_t)read_number(packet + 1, 2);
    header->sequence = (uint16_t)read_number(packet + 3, 2);
    header->index = read_number(packet + 5, 4);
    header->samples = packet[9];
    if (header->samples == 0 || header->index > UINT32_MAX - 255) return 0;
    bits = (uint32_t)QS_CHANNELS * header->samples * QS_BITS;
#if QS_REFRESH
    {
        const uint32_t first = header->index, last = first + header->samples - 1;
        const uint32_t refreshes = last / QS_REFRESH + 1 - first / QS_REFRESH - (first % QS_REFRESH != 0);
        bits += QS_CHANNELS * refreshes * (QS_NATIVE_BITS - QS_BITS);
    }
#endif
    if (length - QS_PACKET_HEADER - QS_PACKET_CHECKSUM != (bits + 7) / 8) return 0;
    length -= QS_PACKET_CHECKSUM;
    if (bits % 8 != 0 && packet[length - 1] >> (bits % 8) != 0) return 0;
    return read_number(packet + length, QS_PACKET_CHECKSUM) == checksum(packet, length);
}
