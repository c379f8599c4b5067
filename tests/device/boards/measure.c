/* Push recordings through an exported project; write each class, what it cost, and how deep the stack went.
 * Open it to see what exactly is counted. It reads samples.bin (for each recording how many samples, then the samples)
 * and writes classes.bin (a `struct row` for each class) and stack.bin (bytes that qs_push took at most). */
#include "board.h"
#include "qs.h"

enum { CHUNK = 64 };
#define PAINT UINT32_C(0x5ca1ab1e)

struct row {
    uint32_t recording, sample; /* the sample that brought the class, counted from the recording's start */
    int32_t class_index, margin;
    uint32_t ticks, longest; /* of all pushes since the class before, and of the longest one of them */
};

static qs_state state;
static int16_t samples[CHUNK][QS_CHANNELS];
static int32_t classes[CHUNK];
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
        classes[i] = qs_push(&state, samples[i], &results[i]);
        ticks[i] = board_ticks() - began;
    }
    volatile uint32_t *word = stack_end;
    while (word < top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)top - (uintptr_t)word);
}

int main(void) {
    const int32_t input = file_open("samples.bin", READ_BYTES), output = file_open("classes.bin", WRITE_BYTES);
    uint32_t length, deepest = 0;
    qs_init(&state);
    for (uint32_t recording = 0; file_read(input, &length, sizeof length) == sizeof length; recording++) {
        struct row row = {.recording = recording};
        qs_reset(&state);
        for (uint32_t done = 0; done < length;) {
            const uint32_t count = length - done < CHUNK ? length - done : CHUNK;
            file_read(input, samples, count * sizeof samples[0]);
            const uint32_t depth = push(count);
            deepest = depth > deepest ? depth : deepest;
            for (uint32_t i = 0; i < count; i++, done++) {
                row.ticks += ticks[i];
                row.longest = ticks[i] > row.longest ? ticks[i] : row.longest;
                if (classes[i] != QS_NONE) {
                    row.sample = done;
                    row.class_index = classes[i];
                    row.margin = results[i].margin;
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
