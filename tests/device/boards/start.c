/* What happens before main: initial values are copied, the rest is zeroed.
 * Open it with sections.ld, which names the borders. */
#include "board.h"
#include "start.h"

extern uint32_t data_start[], data_end[], data_values[], bss_start[], bss_end[];

__attribute__((noreturn)) void start(void) {
    const uint32_t *value = data_values;
    for (uint32_t *word = data_start; word < data_end; word++) {
        *word = *value++;
    }
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    board_exit((uint32_t)main());
}

__attribute__((noreturn)) void fault(void) {
    board_exit(FAULT);
}
