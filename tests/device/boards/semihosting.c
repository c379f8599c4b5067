/* Files of the host, read and written by semihosting: requests that the emulator answers.
 * Open it when a request is missing; numbers and blocks are those of Arm's "Semihosting for AArch32 and AArch64". */
#include "board.h"

enum operation { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { STOPPED_BY_APPLICATION = 0x20026, NO_FILE = 90, NOT_WRITTEN = 91 };

int32_t file_open(const char *name, enum file_mode mode) {
    size_t length = 0;
    while (name[length] != '\0') {
        length++;
    }
    const uintptr_t block[] = {(uintptr_t)name, (uintptr_t)mode, length};
    const int32_t file = board_request(SYS_OPEN, block);
    if (file < 0) {
        board_exit(NO_FILE);
    }
    return file;
}

size_t file_read(int32_t file, void *bytes, size_t count) {
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)bytes, count};
    return count - (size_t)board_request(SYS_READ, block); /* it answers how many are missing */
}

void file_write(int32_t file, const void *bytes, size_t count) {
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)bytes, count};
    if (board_request(SYS_WRITE, block) != 0) {
        board_exit(NOT_WRITTEN);
    }
}

void file_close(int32_t file) {
    const uintptr_t block[] = {(uintptr_t)file};
    board_request(SYS_CLOSE, block);
}

__attribute__((noreturn)) void board_exit(uint32_t status) {
    const uintptr_t block[] = {STOPPED_BY_APPLICATION, status};
    for (;;) {
        board_request(SYS_EXIT_EXTENDED, block);
    }
}
