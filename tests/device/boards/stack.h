/* How deep the stack goes: it is painted, and afterwards the paint that is left is looked at.
 * Open it to measure another function; between both calls nothing may run but what is measured. */
#ifndef STACK_H
#define STACK_H

#include "board.h"

#define STACK_PAINT UINT32_C(0x5ca1ab1e)

/* Paint all of the stack below its end `top`, which is board_stack_pointer() of the calling function. */
static inline __attribute__((always_inline)) void stack_paint(const void *top) {
    for (volatile uint32_t *word = stack_end; word < (const uint32_t *)top; word++) {
        *word = STACK_PAINT;
    }
}

/* Bytes below `top` that have lost their paint. */
static inline __attribute__((always_inline)) uint32_t stack_used(const void *top) {
    const volatile uint32_t *word = stack_end;
    while (word < (const uint32_t *)top && *word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)top - (uintptr_t)word);
}

#endif
