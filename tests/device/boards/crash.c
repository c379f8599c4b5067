/* An instruction that traps: what proves that a fault ends the emulator, and is told from other ends.
 * Open it when an emulator hangs. */
#include "board.h"

int main(void) {
    __builtin_trap();
}
