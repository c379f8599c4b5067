/* Rows of one colour <-> the codes that MIPI cameras send of them, modes 10-8-10 and 12-10-12, C99; see mipi_codes.py. */
#include <stdint.h>

#define NONE (-1) /* before a row's first sample */

/* What a code of `bits` bits stands for behind a decoded sample. */
static inline int32_t sample_of(int32_t code, int32_t before, int32_t bits)
{
    if (before == NONE) return (code << 2) + 2;
    const int32_t fine = 1 << (bits - 3), half = fine >> 1, top = (4 << bits) - 1;
    const int32_t kind = code >> (bits - 3), value = code & (half - 1);
    if (kind > 3) {
        const int32_t absolute = (code & (4 * fine - 1)) << 3;
        return absolute + (absolute > before ? 3 : 4);
    }
    const int32_t size = kind < 2 ? code & (fine - 1) : kind == 2 ? fine + 2 * value : 2 * fine + 1 + 4 * value;
    const int32_t negative = kind < 2 ? kind : code & half;
    const int32_t sample = negative ? before - size : before + size;
    return sample < 0 ? 0 : sample > top ? top : sample;
}

static inline int32_t code_of(int32_t sample, int32_t before, int32_t bits)
{
    if (before == NONE) return sample < 4 ? 1 : sample >> 2; /* no code is 0 */
    const int32_t fine = 1 << (bits - 3), negative = sample <= before;
    const int32_t difference = negative ? before - sample : sample - before;
    if (difference < fine) return negative * fine + difference;
    if (difference < 2 * fine) return 2 * fine + negative * (fine >> 1) + ((difference - fine) >> 1);
    if (difference < 4 * fine) return 3 * fine + negative * (fine >> 1) + ((difference - 2 * fine) >> 2);
    return 4 * fine + (sample >> 3);
}

/* Samples of bits + 2 bits, and codes, are [rows, width]. */
void encode(const uint16_t *samples, int64_t rows, int64_t width, int32_t bits, uint16_t *codes)
{
    for (int64_t row = 0; row < rows; row++) {
        int32_t before = NONE;
        for (int64_t k = 0; k < width; k++) {
            const int32_t code = code_of(*samples++, before, bits);
            before = sample_of(code, before, bits);
            *codes++ = (uint16_t)code;
        }
    }
}

void decode(const uint16_t *codes, int64_t rows, int64_t width, int32_t bits, uint16_t *samples)
{
    for (int64_t row = 0; row < rows; row++) {
        int32_t before = NONE;
        for (int64_t k = 0; k < width; k++) *samples++ = (uint16_t)(before = sample_of(*codes++, before, bits));
    }
}
