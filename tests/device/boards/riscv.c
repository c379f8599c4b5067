/* A RISC-V processor of 32 bits: its first instructions, semihosting by EBREAK, and mcycle as clock.
 * Open it for another RISC-V board. */
#include "board.h"
#include "start.h"

__attribute__((section(".vectors"), naked, used)) void reset(void) {
    __asm__ volatile(
        ".option push\n"
        ".option norelax\n"
        ".option arch, +zicsr\n"
        "la gp, __global_pointer$\n"
        "la sp, stack_start\n"
        "la t0, trap\n"
        "csrw mtvec, t0\n"
        "j start\n"
        ".option pop\n");
}

__attribute__((aligned(4), used)) void trap(void) {
    fault();
}

uint32_t board_ticks(void) {
    uint32_t cycles;
    __asm__ volatile(
        ".option push\n"
        ".option arch, +zicsr\n"
        "csrr %0, mcycle\n"
        ".option pop\n"
        : "=r"(cycles));
    return cycles;
}

/* The three instructions are known by their look, uncompressed, and must lie within one page. */
__attribute__((noinline, aligned(16))) int32_t board_request(uint32_t operation, const void *block) {
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = block;
    __asm__ volatile(
        ".option push\n"
        ".option norvc\n"
        "slli x0, x0, 0x1f\n"
        "ebreak\n"
        "srai x0, x0, 7\n"
        ".option pop\n"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return (int32_t)a0;
}
