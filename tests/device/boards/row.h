/* What classes.bin says of each class; emulator.py reads it. */
#ifndef ROW_H
#define ROW_H

#include <stdint.h>

struct row {
    uint32_t recording, start; /* the window's first sample, counted from the recording's */
    int32_t winner, margin, majority;
    uint32_t ticks, longest; /* of all pushes since the class before, and of the longest one of them */
};

#endif
