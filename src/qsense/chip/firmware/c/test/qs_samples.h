/* Samples of a file, as they are read on a computer: see qs_run.c. */
#ifndef QS_SAMPLES_H
#define QS_SAMPLES_H

#include <stdio.h>

#include "qs_model.h"

#define BYTES (QS_NATIVE_BITS > 16 ? 4 : 2)

/* The next sample of all channels; 0 at the file's end. */
static inline int read_sample(FILE *file, qs_sample sample[QS_CHANNELS])
{
    unsigned char bytes[BYTES];
    unsigned c, b;
    for (c = 0; c < QS_CHANNELS; c++) {
        uint32_t word = 0;
        if (fread(bytes, 1, BYTES, file) != BYTES) return 0;
        for (b = 0; b < BYTES; b++) word |= (uint32_t)bytes[b] << (8 * b);
        sample[c] = (qs_sample)word;
    }
    return 1;
}

#endif
