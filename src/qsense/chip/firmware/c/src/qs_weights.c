/* Products of packed weights and activations. FAST=-O2 of the Makefile compiles this file alone for speed. */
#include "qs_weights.h"

#include <string.h>

#if defined(__ARM_FEATURE_DSP) && !defined(QS_PLAIN) /* QS_PLAIN: without the processor's own instructions */
#include <arm_acle.h>
#define QS_DUAL 1
#else
#define QS_DUAL 0
#endif

#ifdef __GNUC__ /* inner loops get all registers if they are functions of their own */
#define QS_APART __attribute__((noinline))
#else
#define QS_APART
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

/* Four weights, the bytes of a word, as two pairs; two numbers; and their products. */
#if QS_DUAL /* two products at once; memcpy becomes one load, aligned or not */
typedef int16x2_t pair;
#define UPPER(word) __sxtb16((int8x4_t)(word))
#define LOWER(word) __sxtb16((int8x4_t)((word) >> 8))
#define ADD(sum, weights, x) __smlad(weights, x, sum)
static inline pair two(const int16_t *x)
{
    pair numbers;
    memcpy(&numbers, x, sizeof numbers);
    return numbers;
}
#else
typedef struct {
    int32_t first, second;
} pair;
static inline pair of(int32_t first, int32_t second)
{
    pair numbers;
    numbers.first = first;
    numbers.second = second;
    return numbers;
}
#define UPPER(word) of(number(word, 8), number((word) >> 16, 8))
#define LOWER(word) of(number((word) >> 8, 8), number((word) >> 24, 8))
#define ADD(sum, weights, x) ((sum) + (weights).first * (x).first + (weights).second * (x).second)
static inline pair two(const int16_t *x)
{
    return of(x[0], x[1]);
}
#endif

/* The next four weights of a word, from the one with this number on, as the upper bits of its bytes. */
#define FOUR(word, from, bits) ((word) << (from) / 4 * (bits) & MASK(bits))
#define MASK(bits) ((bits) == 8 ? UINT32_MAX : (bits) == 4 ? UINT32_C(0xf0f0f0f0) : UINT32_C(0xc0c0c0c0))

/* Four of a row's products with three inputs. */
#define THREE_INPUTS(from, bits)                              \
    do {                                                      \
        const uint32_t four = FOUR(word, from, bits);         \
        const pair first = UPPER(four), second = LOWER(four); \
        a = ADD(a, first, two(x + (from)));                   \
        a = ADD(a, second, two(x + (from) + 2));              \
        b = ADD(b, first, two(y + (from)));                   \
        b = ADD(b, second, two(y + (from) + 2));              \
        c = ADD(c, first, two(z + (from)));                   \
        c = ADD(c, second, two(z + (from) + 2));              \
    } while (0)

/* Four of two rows' products with an input. */
#define TWO_ROWS(from, bits)                                                                     \
    do {                                                                                         \
        const uint32_t upper = FOUR(word, from, bits), lower = FOUR(under, from, bits);          \
        const pair first = two(x + (from)), second = two(x + (from) + 2);                        \
        a = ADD(a, UPPER(upper), first);                                                         \
        a = ADD(a, LOWER(upper), second);                                                        \
        b = ADD(b, UPPER(lower), first);                                                         \
        b = ADD(b, LOWER(lower), second);                                                        \
    } while (0)

/* Four of a row's products with an input. */
#define ONE_ROW(from, bits)                                 \
    do {                                                    \
        const uint32_t four = FOUR(word, from, bits);       \
        a = ADD(a, UPPER(four), two(x + (from)));           \
        a = ADD(a, LOWER(four), two(x + (from) + 2));       \
    } while (0)

/* All of a word's products. */
#define WORD_8(FOUR_OF) FOUR_OF(0, 8)
#define WORD_4(FOUR_OF) \
    FOUR_OF(0, 4);      \
    FOUR_OF(4, 4)
#define WORD_2(FOUR_OF) \
    FOUR_OF(0, 2);      \
    FOUR_OF(4, 2);      \
    FOUR_OF(8, 2);      \
    FOUR_OF(12, 2)

/* All products with weights of so many bits. Sums of weights of few bits are too large by a power of 2, exactly. */
#define PRODUCTS(bits)                                                                                               \
    QS_APART static void three_inputs_##bits(                                                                        \
        int32_t *sums, const uint32_t *row, unsigned words, const int16_t *x, unsigned apart)                        \
    {                                                                                                                \
        const uint32_t *const end = row + words;                                                                     \
        const int16_t *y = x + apart, *z = y + apart;                                                                \
        int32_t a = 0, b = 0, c = 0;                                                                                 \
        do {                                                                                                         \
            const uint32_t word = *row++;                                                                            \
            WORD_##bits(THREE_INPUTS);                                                                               \
            x += 32 / bits;                                                                                          \
            y += 32 / bits;                                                                                          \
            z += 32 / bits;                                                                                          \
        } while (row != end);                                                                                        \
        sums[0] = a >> (8 - bits);                                                                                   \
        sums[1] = b >> (8 - bits);                                                                                   \
        sums[2] = c >> (8 - bits);                                                                                   \
    }                                                                                                                \
    QS_APART static void two_rows_##bits(                                                                            \
        int32_t *sums, unsigned apart, const uint32_t *row, unsigned words, const int16_t *x)                        \
    {                                                                                                                \
        const uint32_t *const end = row + words, *other = end;                                                       \
        int32_t a = 0, b = 0;                                                                                        \
        do {                                                                                                         \
            const uint32_t word = *row++, under = *other++;                                                          \
            WORD_##bits(TWO_ROWS);                                                                                   \
            x += 32 / bits;                                                                                          \
        } while (row != end);                                                                                        \
        sums[0] = a >> (8 - bits);                                                                                   \
        sums[apart] = b >> (8 - bits);                                                                               \
    }                                                                                                                \
    QS_APART static void one_row_##bits(int32_t *sum, const uint32_t *row, unsigned words, const int16_t *x)         \
    {                                                                                                                \
        const uint32_t *const end = row + words;                                                                     \
        int32_t a = 0;                                                                                               \
        do {                                                                                                         \
            const uint32_t word = *row++;                                                                            \
            WORD_##bits(ONE_ROW);                                                                                    \
            x += 32 / bits;                                                                                          \
        } while (row != end);                                                                                        \
        *sum = a >> (8 - bits);                                                                                      \
    }                                                                                                                \
    static void products_##bits(int32_t *sums, const uint32_t *row, unsigned words, unsigned rows, const int16_t *x, \
                                unsigned apart, unsigned inputs)                                                     \
    {                                                                                                                \
        unsigned n = 0, r;                                                                                           \
        for (; QS_PLANES >= 3 && n + 3 <= inputs; n += 3)                                                            \
            for (r = 0; r < rows; r++)                                                                               \
                three_inputs_##bits(sums + r * inputs + n, row + r * words, words, x + n * apart, apart);            \
        for (; n < inputs; n++) {                                                                                    \
            for (r = 0; r + 2 <= rows; r += 2)                                                                       \
                two_rows_##bits(sums + r * inputs + n, inputs, row + r * words, words, x + n * apart);               \
            if (r < rows) one_row_##bits(sums + r * inputs + n, row + r * words, words, x + n * apart);              \
        }                                                                                                            \
    }

#if QS_WEIGHTS_OF(8)
PRODUCTS(8)
#endif
#if QS_WEIGHTS_OF(4)
PRODUCTS(4)
#endif
#if QS_WEIGHTS_OF(2)
PRODUCTS(2)
#endif

void qs_products(int32_t *sums, const qs_weights *weights, unsigned row, unsigned rows, const int16_t *x,
                 unsigned apart, unsigned inputs)
{
    const unsigned words = weights->words, bits = weights->bits;
    const uint32_t *packed = weights->rows + (uint32_t)row * words;
#if QS_WEIGHTS_OTHER
    unsigned r, n, i;
#endif
    switch (bits) {
#if QS_WEIGHTS_OF(8)
    case 8:
        products_8(sums, packed, words, rows, x, apart, inputs);
        break;
#endif
#if QS_WEIGHTS_OF(4)
    case 4:
        products_4(sums, packed, words, rows, x, apart, inputs);
        break;
#endif
#if QS_WEIGHTS_OF(2)
    case 2:
        products_2(sums, packed, words, rows, x, apart, inputs);
        break;
#endif
    default:
#if QS_WEIGHTS_OTHER
        for (r = 0; r < rows; r++, packed += words, sums += inputs) {
            for (n = 0; n < inputs; n++) sums[n] = 0;
            for (i = 0; i < weights->count; i++) {
                const int32_t weight = one(packed, i, bits);
                for (n = 0; n < inputs; n++) sums[n] += weight * x[n * apart + i];
            }
        }
#endif
        break;
    }
}

int32_t qs_weight(const qs_weights *weights, unsigned row, unsigned i)
{
    return one(weights->rows + (uint32_t)row * weights->words, i, weights->bits);
}
