/* What a board offers to the programs of this folder: files of the host by semihosting, and a clock.
 * Open it to write another program, or to support another board. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

enum file_mode { READ_BYTES = 1, WRITE_BYTES = 5 };

/* A timer's count. It goes up with every instruction, by Board.ticks of emulator.py, and wraps at 32 bits. */
uint32_t board_ticks(void);

/* Where the stack of the calling function ends, which stays there until it returns. */
static inline __attribute__((always_inline)) void *board_stack_pointer(void) {
    void *pointer;
#if defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#else
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
    return pointer;
}

/* One request to the emulator (Arm's "Semihosting for AArch32 and AArch64"; RISC-V takes the same numbers). */
int32_t board_request(uint32_t operation, const void *block);

/* A file in the folder that the emulator was started in; the program ends where there is none. */
int32_t file_open(const char *name, enum file_mode mode);

/* How many bytes were read: fewer than asked for at the file's end. */
size_t file_read(int32_t file, void *bytes, size_t count);

void file_write(int32_t file, const void *bytes, size_t count);

void file_close(int32_t file);

/* End the emulator with this exit status. */
__attribute__((noreturn)) void board_exit(uint32_t status);

/* Written by each program. */
int main(void);

/* Lowest address of the stack, which grows down to it. */
extern uint32_t stack_end[];

#endif
