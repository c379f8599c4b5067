/* The sensor's side: encoder and packets. */
#include "qs_sender.h"

#include <string.h>

void qs_sender_start(qs_sender *sender, uint16_t recording)
{
    memset(sender, 0, sizeof *sender);
    sender->header.recording = recording;
    qs_converter_start(&sender->converter);
}

unsigned qs_encode(qs_sender *sender, const qs_sample sample[QS_CHANNELS])
{
    qs_header *header = &sender->header;
    qs_code codes[QS_CHANNELS];
    uint32_t bit = 8 * QS_PACKET_HEADER + sender->bits;
    const unsigned bits = qs_code_bits(header->index + header->samples);
    unsigned c;
    if (header->samples == 0) memset(sender->packet, 0, sizeof sender->packet);
    qs_converter_encode(&sender->converter, sample, codes);
    for (c = 0; c < QS_CHANNELS; c++) qs_put(sender->packet, &bit, codes[c], bits);
    sender->bits = bit - 8 * QS_PACKET_HEADER;
    header->samples++;
    return header->samples == QS_PACKET_SAMPLES ? qs_sender_flush(sender) : 0;
}

unsigned qs_sender_flush(qs_sender *sender)
{
    qs_header *header = &sender->header;
    unsigned length;
    if (header->samples == 0) return 0;
    length = qs_seal(sender->packet, header, sender->bits);
    header->index += header->samples;
    header->sequence++;
    header->samples = 0;
    sender->bits = 0;
    return length;
}
