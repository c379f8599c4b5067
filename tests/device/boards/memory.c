/* All that an exported project, or the compiler by itself, calls of a C library. */
#include "string.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns") /* else these loops become calls of themselves */

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    unsigned char *target = to;
    const unsigned char *source = from;
    while (count-- > 0) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    unsigned char *target = to;
    const unsigned char *source = from;
    if (target < source) {
        while (count-- > 0) {
            *target++ = *source++;
        }
    } else {
        while (count-- > 0) {
            target[count] = source[count];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count) {
    unsigned char *target = to;
    while (count-- > 0) {
        *target++ = (unsigned char)value;
    }
    return to;
}
