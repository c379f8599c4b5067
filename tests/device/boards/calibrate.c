/* How many ticks loops of known length take: what proves that ticks count instructions.
 * Open it when a board's counts look wrong. */
#include "board.h"

/* 2·rounds instructions, and as many more for each call. */
__attribute__((noinline)) static void loop(uint32_t rounds) {
#if defined(__riscv)
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(rounds));
#else
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(rounds) : : "cc");
#endif
}

int main(void) {
    static const uint32_t rounds[] = {1, 2, 10, 100, 1000, 12345, 1000000};
    enum { LOOPS = sizeof rounds / sizeof rounds[0] };
    uint32_t ticks[LOOPS][2];
    board_ticks(); /* starts the timer */
    for (int i = 0; i < LOOPS; i++) {
        const uint32_t began = board_ticks();
        loop(rounds[i]);
        ticks[i][0] = rounds[i];
        ticks[i][1] = board_ticks() - began;
    }
    const int32_t file = file_open("ticks.bin", WRITE_BYTES);
    file_write(file, ticks, sizeof ticks);
    file_close(file);
    return 0;
}
