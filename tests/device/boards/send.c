/* The sensor's side alone: recordings into packets, and what that costs.
 * Open it to see what a node pays that sends codes. It reads samples.bin, and writes packets.bin (the length of each
 * packet, then its bytes) and sent.bin (`struct sent`). */
#include "qs_sender.h"
#include "samples.h"
#include "stack.h"

struct sent {
    uint32_t samples, ticks, longest, stack; /* of all qs_encode; of the longest; bytes that it took at most */
};

static qs_sender state;
static uint32_t ticks[CHUNK], lengths[CHUNK];
static uint8_t packets[CHUNK][QS_PACKET_BYTES];

/* Encode a chunk; answer how many bytes of stack that took. */
__attribute__((noinline)) static uint32_t encode(uint32_t count) {
    void *const top = board_stack_pointer();
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        stack_paint(top);
        const uint32_t began = board_ticks();
        lengths[i] = qs_encode(&state, samples[i]);
        ticks[i] = board_ticks() - began;
        const uint32_t depth = stack_used(top);
        used = depth > used ? depth : used;
        for (uint32_t byte = 0; byte < lengths[i]; byte++) {
            packets[i][byte] = state.packet[byte];
        }
    }
    return used;
}

static void write_packet(int32_t file, const uint8_t *packet, uint32_t length) {
    if (length > 0) {
        file_write(file, &length, sizeof length);
        file_write(file, packet, length);
    }
}

int main(void) {
    const int32_t input = file_open("samples.bin", READ_BYTES), output = file_open("packets.bin", WRITE_BYTES);
    struct sent sent = {0};
    uint32_t left;
    for (uint16_t recording = 0; file_read(input, &left, sizeof left) == sizeof left; recording++) {
        qs_sender_start(&state, recording);
        for (uint32_t count; left > 0; left -= count) {
            count = read_samples(input, left);
            const uint32_t depth = encode(count);
            sent.stack = depth > sent.stack ? depth : sent.stack;
            sent.samples += count;
            for (uint32_t i = 0; i < count; i++) {
                sent.ticks += ticks[i];
                sent.longest = ticks[i] > sent.longest ? ticks[i] : sent.longest;
                write_packet(output, packets[i], lengths[i]);
            }
        }
        const uint32_t length = qs_sender_flush(&state);
        write_packet(output, state.packet, length);
    }
    file_close(output);
    const int32_t record = file_open("sent.bin", WRITE_BYTES);
    file_write(record, &sent, sizeof sent);
    file_close(record);
    return 0;
}
