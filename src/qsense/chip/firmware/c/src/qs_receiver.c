/* The receiver's side: packets, decoder and network. */
#include "qs_receiver.h"

#include <string.h>

/* A recording's start. */
static void begin(qs_receiver *receiver)
{
    qs_converter_start(&receiver->converter);
    qs_network_start(&receiver->network);
    receiver->index = receiver->end = 0;
    receiver->sequence = UINT16_MAX;
}

void qs_receiver_init(qs_receiver *receiver)
{
    memset(receiver, 0, sizeof *receiver);
    begin(receiver);
}

int qs_receive(qs_receiver *receiver, const uint8_t *packet, unsigned length)
{
    qs_header header;
    const int waits = receiver->missing != 0 || receiver->index != receiver->end;
    uint32_t index = receiver->index, gap;
    uint16_t sequence = receiver->sequence;
    int begins;
    if (waits) return QS_BUSY;
    if (!qs_open(packet, length, &header)) return QS_DAMAGED;
    begins = receiver->recordings == 0 || header.recording != receiver->recording;
    if (begins) {
        if (receiver->recordings == 2 && header.recording == receiver->recording_before) return QS_LATE;
        index = 0;
        sequence = UINT16_MAX;
    }
    if (header.index < index) return QS_LATE;
    gap = header.index - index;
    sequence = (uint16_t)(header.sequence - sequence - 1); /* packets that are missing, of 1 to 255 samples each */
    if (sequence > gap || (gap <= UINT16_MAX && gap > 255 * (uint32_t)sequence)) return QS_DAMAGED;
    if (begins) {
        receiver->recording_before = receiver->recording;
        receiver->recording = header.recording;
        if (receiver->recordings < 2) receiver->recordings++;
        begin(receiver);
    }
    receiver->sequence = header.sequence;
    receiver->packet = packet;
    receiver->bit = 8 * QS_PACKET_HEADER;
    receiver->index = header.index;
    receiver->end = header.index + header.samples;
    receiver->lost += gap;
    receiver->skipped = gap > QS_LONGEST_GAP ? (gap - QS_LONGEST_GAP) / QS_STRIDE * QS_STRIDE : 0;
    receiver->missing = gap - receiver->skipped;
    return (int)(receiver->missing + header.samples);
}

int qs_next(qs_receiver *receiver, qs_result *result)
{
    int16_t input[QS_CHANNELS];
    if (receiver->missing != 0) {
        int class_index;
        qs_converter_lose(&receiver->converter, input);
        class_index = qs_network_push(&receiver->network, input, result);
        if (--receiver->missing == 0) { /* all windows under way hold the same value throughout: strides may pass */
            qs_converter_skip(&receiver->converter, receiver->skipped);
            qs_network_skip(&receiver->network, receiver->skipped);
        }
        return class_index;
    }
    if (receiver->index != receiver->end) {
        qs_code codes[QS_CHANNELS];
        const unsigned bits = qs_code_bits(receiver->index);
        unsigned c;
        for (c = 0; c < QS_CHANNELS; c++) codes[c] = qs_get(receiver->packet, &receiver->bit, bits);
        receiver->index++;
        qs_converter_decode(&receiver->converter, codes, input);
        return qs_network_push(&receiver->network, input, result);
    }
    return QS_EMPTY;
}
