/* Recordings from samples.bin: of each how many samples it has, then their counts, 32 bits each.
 * Open it to see how a program gets what it measures. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "board.h"
#include "qs_model.h"

enum { CHUNK = 64 };

static qs_sample samples[CHUNK][QS_CHANNELS];

/* The next samples, CHUNK of them at most, of `left` that the recording still has. */
static inline uint32_t read_samples(int32_t file, uint32_t left) {
    static int32_t counts[CHUNK][QS_CHANNELS]; /* what the sensor's ADC gives, from 0 on */
    const uint32_t count = left < CHUNK ? left : CHUNK;
    file_read(file, counts, count * sizeof counts[0]);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t channel = 0; channel < QS_CHANNELS; channel++) {
            samples[i][channel] = (qs_sample)(counts[i][channel] - QS_MIDDLE);
        }
    }
    return count;
}

#endif
