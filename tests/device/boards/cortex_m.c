/* A Cortex-M: its vector table, semihosting by BKPT, and a CMSDK timer as clock.
 * Open it for another Cortex-M board; TIMER is the address of its first CMSDK APB timer. */
#include "board.h"
#include "start.h"

extern uint32_t stack_start[]; /* the linker script's */

struct vectors {
    void *stack;
    void (*reset)(void);
    void (*faults[5])(void); /* NMI, hard fault, memory, bus, usage */
};
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    stack_start, start, {fault, fault, fault, fault, fault}};

struct cmsdk_timer {
    volatile uint32_t control, value, reload, interrupt;
};
static struct cmsdk_timer *const timer = (struct cmsdk_timer *)TIMER;

uint32_t board_ticks(void) {
    if (timer->control == 0) {
        timer->reload = UINT32_MAX;
        timer->value = UINT32_MAX;
        timer->control = 1;
    }
    return ~timer->value; /* it counts down */
}

int32_t board_request(uint32_t operation, const void *block) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}
