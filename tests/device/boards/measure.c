/* Push recordings through an exported project; write each class, what it cost, and how deep the stack went.
 * Open it to see what exactly is counted. It reads samples.bin (for each recording how many samples, then their counts)
 * and writes classes.bin (a `struct row` for each class) and stack.bin (bytes that qs_push took at most). */
#include "board.h"
#include "qs.h"

enum { CHUNK = 64 };
#define PAINT UINT32_C(0x5ca1ab1e)

struct row {
    uint32_t recording, start; /* the window's first sample, counted from the recording's */
    int32_t winner, margin, majority;
    uint32_t ticks, longest; /* of all pushes since the class before, and of the longest one of them */
};

static qs_state state;
static int32_t counts[CHUNK][QS_CHANNELS]; /* what the sensor's ADC gives, from 0 on */
static qs_sample samples[CHUNK][QS_CHANNELS];
static int winners[CHUNK];
static qs_result results[CHUNK];
static uint32_t ticks[CHUNK];

/* Push a chunk; answer how many bytes of stack that took. Nothing is called between painting the stack and looking at
 * it but the clock and qs_push. */
__attribute__((noinline)) static uint32_t push(uint32_t count) {
    volatile uint32_t *const top = board_stack_pointer();
    for (volatile uint32_t *word = stack_end; word < top; word++) {
        *word = PAINT;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t began = board_ticks();
        winners[i] = qs_push(&state, samples[i], &results[i]);
        ticks[i] = board_ticks() - began;
    }
    volatile uint32_t *word = stack_end;
    while (word < top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)top - (uintptr_t)word);
}

static void read_samples(int32_t file, uint32_t count) {
    file_read(file, counts, count * sizeof counts[0]);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t channel = 0; channel < QS_CHANNELS; channel++) {
            samples[i][channel] = (qs_sample)(counts[i][channel] - QS_MIDDLE);
        }
    }
}

int main(void) {
    const int32_t input = file_open("samples.bin", READ_BYTES), output = file_open("classes.bin", WRITE_BYTES);
    uint32_t length, deepest = 0;
    qs_init(&state);
    for (uint32_t recording = 0; file_read(input, &length, sizeof length) == sizeof length; recording++) {
        struct row row = {.recording = recording};
        qs_reset(&state);
        for (uint32_t count; length > 0; length -= count) {
            count = length < CHUNK ? length : CHUNK;
            read_samples(input, count);
            const uint32_t depth = push(count);
            deepest = depth > deepest ? depth : deepest;
            for (uint32_t i = 0; i < count; i++) {
                row.ticks += ticks[i];
                row.longest = ticks[i] > row.longest ? ticks[i] : row.longest;
                if (winners[i] != QS_NONE) {
                    row.start = results[i].start;
                    row.winner = winners[i];
                    row.margin = results[i].margin;
                    row.majority = results[i].majority;
                    file_write(output, &row, sizeof row);
                    row.ticks = row.longest = 0;
                }
            }
        }
    }
    file_close(output);
    const int32_t stack = file_open("stack.bin", WRITE_BYTES);
    file_write(stack, &deepest, sizeof deepest);
    file_close(stack);
    return 0;
}
