/* Push recordings through an exported project; write each class, what it cost, and how deep the stack went.
 * Open it to see what exactly is counted. It reads samples.bin, and writes classes.bin (a `struct row` for each class)
 * and stack.bin (bytes that qs_push took at most). */
#include "qs.h"
#include "row.h"
#include "samples.h"
#include "stack.h"

static qs_state state;
static int winners[CHUNK];
static qs_result results[CHUNK];
static uint32_t ticks[CHUNK];

/* Push a chunk; answer how many bytes of stack that took. */
__attribute__((noinline)) static uint32_t push(uint32_t count) {
    void *const top = board_stack_pointer();
    stack_paint(top);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t began = board_ticks();
        winners[i] = qs_push(&state, samples[i], &results[i]);
        ticks[i] = board_ticks() - began;
    }
    return stack_used(top);
}

int main(void) {
    const int32_t input = file_open("samples.bin", READ_BYTES), output = file_open("classes.bin", WRITE_BYTES);
    uint32_t left, deepest = 0;
    qs_init(&state);
    for (uint32_t recording = 0; file_read(input, &left, sizeof left) == sizeof left; recording++) {
        struct row row = {.recording = recording};
        qs_reset(&state);
        for (uint32_t count; left > 0; left -= count) {
            count = read_samples(input, left);
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
