/* Products of packed weights and activations. FAST=-O2 of the Makefile compiles this file alone for speed. */
#include "qs_weights.h"

#include <string.h>

#if defined(__ARM_FEATURE_DSP) && !defined(QS_PLAIN) /* QS_PLAIN: without the processor's own instructions */
#include <arm_acle.h>
#define QS_DUAL 1
#else
#define QS_DUAL 0
#endif

#ifdef __GNUC__ /* loops over constants of their own are worth the space, whatever the compiler is asked to save */
#define QS_INLINE static inline __attribute__((always_inline))
#else
#define QS_INLINE static inline
#endif

/* A number of so many bits in two's complement, from the low bits of another. */
static inline int32_t number(uint32_t low_bits, unsigned bits)
{
    return (int32_t)(low_bits << (32 - bits)) >> (32 - bits);
}

/* One weight. */
static int32_t one(const uint32_t *row, unsigned i, unsigned bits)
{
    if (QS_WEIGHTS_OTHER && (bits & (bits - 1)) != 0) {
        const unsigned at = i * bits, shift = at % 32, next = shift + bits > 32;
        return number(row[at / 32] >> shift | (next ? row[at / 32 + 1] << (32 - shift) : 0), bits);
    } else {
        const unsigned per_word = 32 / bits, place = i % per_word;
        const uint32_t word = row[i / per_word] << (place / 4 * bits);
        return number(word >> ((place & 1) * 16 + (place & 2) * 4 + 8 - bits), bits);
    }
}

/* sum + four weights, the bytes of a word, times four numbers. */
QS_INLINE int32_t four(int32_t sum, uint32_t word, const int16_t *x)
{
#if QS_DUAL /* two products at once; memcpy becomes one load, aligned or not */
    int16x2_t x01, x23;
    memcpy(&x01, x, sizeof x01);
    memcpy(&x23, x + 2, sizeof x23);
    sum = __smlad(__sxtb16((int8x4_t)word), x01, sum);
    return __smlad(__sxtb16((int8x4_t)(word >> 8)), x23, sum);
#else
    sum += number(word, 8) * x[0] + number(word >> 16, 8) * x[1];
    return sum + number(word >> 8, 8) * x[2] + number(word >> 24, 8) * x[3];
#endif
}

/* The products of a row of weights with one or three inputs, which lie `apart` numbers apart: their sums. */
QS_INLINE void fast(
    int32_t *sums, const uint32_t *row, unsigned count, unsigned bits, const int16_t *x, unsigned apart, unsigned inputs)
{
    const uint32_t mask = bits == 8 ? UINT32_MAX : bits == 4 ? UINT32_C(0xf0f0f0f0) : UINT32_C(0xc0c0c0c0);
    const unsigned per_word = 32 / bits, whole = count / per_word, scaled = 8 - bits;
    int32_t a = 0, b = 0, c = 0;
    const uint32_t *packed = row;
    const int16_t *now = x;
    unsigned i, s;
    for (i = 0; i < whole; i++) {
        uint32_t word = *packed++;
        for (s = 0; s < 8; s += bits, word <<= bits, now += 4) {
            a = four(a, word & mask, now);
            if (inputs == 3) {
                b = four(b, word & mask, now + apart);
                c = four(c, word & mask, now + 2 * apart);
            }
        }
    }
    a >>= scaled; /* exact */
    b >>= scaled;
    c >>= scaled;
    for (i = whole * per_word; i < count; i++) {
        const int32_t weight = one(row, i, bits);
        a += weight * x[i];
        if (inputs == 3) {
            b += weight * x[apart + i];
            c += weight * x[2 * apart + i];
        }
    }
    sums[0] = a;
    if (inputs == 3) {
        sums[1] = b;
        sums[2] = c;
    }
}

void qs_products(
    int32_t *sums, const qs_weights *weights, unsigned row, const int16_t *x, unsigned apart, unsigned inputs)
{
    const uint32_t *packed = weights->rows + (uint32_t)row * weights->words;
    const unsigned count = weights->count, bits = weights->bits;
    unsigned done, now, i, n;
    for (done = 0; done < inputs; done += now, sums += now, x += now * apart) {
        now = QS_PLANES >= 3 && inputs - done >= 3 ? 3 : 1;
        if (QS_WEIGHTS_OF(8) && bits == 8) {
            if (QS_PLANES >= 3 && now == 3)
                fast(sums, packed, count, 8, x, apart, 3);
            else
                fast(sums, packed, count, 8, x, apart, 1);
        } else if (QS_WEIGHTS_OF(4) && bits == 4) {
            if (QS_PLANES >= 3 && now == 3)
                fast(sums, packed, count, 4, x, apart, 3);
            else
                fast(sums, packed, count, 4, x, apart, 1);
        } else if (QS_WEIGHTS_OF(2) && bits == 2) {
            if (QS_PLANES >= 3 && now == 3)
                fast(sums, packed, count, 2, x, apart, 3);
            else
                fast(sums, packed, count, 2, x, apart, 1);
        } else if (QS_WEIGHTS_OTHER) {
            for (n = 0; n < now; n++) sums[n] = 0;
            for (i = 0; i < count; i++) {
                const int32_t weight = one(packed, i, bits);
                for (n = 0; n < now; n++) sums[n] += weight * x[n * apart + i];
            }
        }
    }
}

int32_t qs_weight(const qs_weights *weights, unsigned row, unsigned i)
{
    return one(weights->rows + (uint32_t)row * weights->words, i, weights->bits);
}
