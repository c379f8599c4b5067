/* Four samples of one colour <-> one word of PiSP's compressed raw, mode 1, C99; see pisp_words.py. */
#include <stdint.h>

static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

/* The level of a mode that lies nearest to a sample 0 ... 65535, the upper one of two. */
static inline int32_t level(int32_t sample, int32_t mode)
{
    switch (mode) {
    case 0: return sample < 5120 ? (sample + 8) >> 4 : 160 + ((sample + 16) >> 5);
    case 1: return (sample + 32) >> 6;
    case 2: return least(511, (sample + 64) >> 7);
    default: return sample < 24064 ? (sample + 128) >> 8 : 47 + ((sample + 256) >> 9);
    }
}

static inline int32_t value(int32_t level, int32_t mode)
{
    switch (mode) {
    case 0: return level < 320 ? 16 * level : 32 * (level - 160);
    case 1: return 64 * level;
    case 2: return 128 * level;
    default: return level < 94 ? 256 * level : least(65535, 512 * (level - 47));
    }
}

/* What an outer level is counted from, by its inner neighbour. */
static inline int32_t base(int32_t inner, int32_t mode)
{
    const int32_t below = most(0, inner - 64);
    return mode == 2 ? least(384, below) : below;
}

/* Write the word of four levels, if they fit into the mode's fields; returns whether. */
static inline int pack(const int32_t *q, int32_t mode, uint32_t *word)
{
    if (mode == 3) {
        const uint32_t left = (uint32_t)(2816 * (q[0] >> 4) + 16 * q[1] + (q[0] & 15));
        const uint32_t right = (uint32_t)(2816 * (q[2] >> 4) + 16 * q[3] + (q[2] & 15));
        *word = 3 | left << 2 | right << 17;
        return 1;
    }
    const int bright = mode == 2 && q[1] >= 384 && q[2] >= 384;
    const int32_t inner = bright ? q[1] : least(q[1], q[2]);
    const int32_t other = bright ? q[2] - 384 : q[2] - q[1] + 64;
    const int32_t left = q[0] - base(q[1], mode), right = q[3] - base(q[2], mode);
    if (inner > 511 || (other | left | right) & ~127) return 0; /* a negative number has bits there, too */
    *word = (uint32_t)mode | (uint32_t)inner << 2 | (uint32_t)other << 11 | (uint32_t)left << 18 | (uint32_t)right << 25;
    return 1;
}

/* Samples are [words, 4]. */
void encode(const uint16_t *samples, int64_t words, uint32_t *out)
{
    for (int64_t w = 0; w < words; w++, samples += 4) {
        int32_t least_error = INT32_MAX;
        for (int32_t mode = 0; mode < 4; mode++) {
            int32_t q[4], error = 0;
            uint32_t word;
            for (int k = 0; k < 4; k++) {
                q[k] = level(samples[k], mode);
                const int32_t off = samples[k] - value(q[k], mode);
                error += off * off; /* where the levels fit, at most 4 * 256^2 */
            }
            if (error < least_error && pack(q, mode, &word)) {
                least_error = error;
                out[w] = word;
                if (mode < 2) break; /* coarser levels are some of these, but for 65535, which is out of their reach */
            }
        }
    }
}

void decode(const uint32_t *words, int64_t count, uint16_t *samples)
{
    for (int64_t w = 0; w < count; w++, samples += 4) {
        const int32_t word = (int32_t)(words[w] >> 2), mode = (int32_t)(words[w] & 3);
        int32_t q[4];
        if (mode == 3) {
            const int32_t left = word & 32767, right = (word >> 15) & 32767;
            q[0] = 16 * (left / 2816) + (left & 15);
            q[1] = (left >> 4) % 176;
            q[2] = 16 * (right / 2816) + (right & 15);
            q[3] = (right >> 4) % 176;
        } else {
            const int32_t inner = word & 511, other = (word >> 9) & 127;
            const int bright = mode == 2 && inner >= 384;
            q[1] = bright ? inner : inner + most(0, 64 - other);
            q[2] = bright ? other + 384 : inner + most(0, other - 64);
            q[0] = base(q[1], mode) + ((word >> 16) & 127);
            q[3] = base(q[2], mode) + ((word >> 23) & 127);
        }
        for (int k = 0; k < 4; k++) samples[k] = (uint16_t)value(q[k], mode);
    }
}
