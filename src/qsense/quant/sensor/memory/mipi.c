/* Lines of samples <-> the codes that MIPI cameras send of them, C99; see mipi_codes.py, which hands over the tables. */
#include <stdint.h>

#define NONE (-1) /* no prediction */

typedef struct { int32_t code, values, start, first, step; } Row;
typedef struct { int32_t sample_bits, bits, predictor, count; Row rows[]; } Mode;

/* The prediction of sample k by the four decoded before it, the nearest first. */
static inline int32_t predicted(const int32_t before[4], int64_t k, int32_t predictor)
{
    const int32_t a = before[0], b = before[1], c = before[2], d = before[3];
    if (predictor == 1) return k < 2 ? NONE : b;
    if (k < 3) return k == 0 ? NONE : k == 1 ? a : b;
    if ((a <= b && b <= c) || (a >= b && b >= c)) return a;
    if (k == 3 || (a <= c && b <= d) || (a >= c && b >= d)) return b;
    return (b + d + 1) >> 1;
}

static inline int32_t sample_of(int32_t code, int32_t prediction, const Mode *mode)
{
    const int32_t coarse = 1 << (mode->sample_bits - mode->bits), half = 1 << (mode->bits - 1);
    if (prediction == NONE) return code * coarse + coarse / 2;
    if (code >= half) {
        const int32_t lowest = (code - half) * 2 * coarse;
        return lowest + coarse - (lowest > prediction);
    }
    const Row *row = mode->rows;
    while (code < row->code || code >= row->code + 2 * row->values) row++;
    const int32_t top = (1 << mode->sample_bits) - 1, place = code - row->code;
    const int32_t negative = place >= row->values;
    const int32_t size = row->first + row->step * (place - negative * row->values);
    const int32_t sample = negative ? prediction - size : prediction + size;
    return sample < 0 ? 0 : sample > top ? top : sample;
}

static inline int32_t code_of(int32_t sample, int32_t prediction, const Mode *mode)
{
    const int32_t shift = mode->sample_bits - mode->bits;
    if (prediction == NONE) return sample >> shift;
    const int32_t negative = sample < prediction, difference = negative ? prediction - sample : sample - prediction;
    for (const Row *row = mode->rows; row < mode->rows + mode->count; row++) {
        const int32_t value = (difference - row->start) / row->step;
        if (value < row->values) return row->code + negative * row->values + value;
    }
    return (1 << (mode->bits - 1)) + (sample >> (shift + 1));
}

static inline void remember(int32_t before[4], int32_t sample)
{
    for (int k = 3; k > 0; k--) before[k] = before[k - 1];
    before[0] = sample;
}

/* Samples, and codes, are [lines, width]. */
void encode(const uint16_t *samples, int64_t lines, int64_t width, const Mode *mode, uint16_t *codes)
{
    for (int64_t line = 0; line < lines; line++) {
        int32_t before[4] = {0};
        for (int64_t k = 0; k < width; k++) {
            const int32_t prediction = predicted(before, k, mode->predictor);
            const int32_t code = code_of(*samples++, prediction, mode);
            remember(before, sample_of(code, prediction, mode));
            *codes++ = (uint16_t)code;
        }
    }
}

void decode(const uint16_t *codes, int64_t lines, int64_t width, const Mode *mode, uint16_t *samples)
{
    for (int64_t line = 0; line < lines; line++) {
        int32_t before[4] = {0};
        for (int64_t k = 0; k < width; k++) {
            remember(before, sample_of(*codes++, predicted(before, k, mode->predictor), mode));
            *samples++ = (uint16_t)before[0];
        }
    }
}
