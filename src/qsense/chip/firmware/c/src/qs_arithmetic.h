/*
 * The integer arithmetic of the network's layers.
 *
 * A shift of a negative number rounds towards minus infinity, and a number that a signed type cannot hold keeps its low
 * bits, as on every compiler in use. No sum leaves 32 bits: the export has checked the largest that weights and ranges
 * of codes allow.
 */
#ifndef QS_ARITHMETIC_H
#define QS_ARITHMETIC_H

#include <stdint.h>
#include <string.h>

#include "qs_model.h"

#if defined(__ARM_FEATURE_DSP) && !defined(QS_PLAIN) /* QS_PLAIN: without the processor's own instructions */
#include <arm_acle.h>
#define QS_DUAL 1
#else
#define QS_DUAL 0
#endif

static inline int32_t qs_clip(int32_t number, int32_t low, int32_t high)
{
    return number < low ? low : number > high ? high : number;
}

/* Round half up of sum * multiplier / 2^shift, cut off at low ... high. */
static inline int32_t qs_requantize(int32_t sum, uint16_t multiplier, uint8_t shift, int32_t low, int32_t high)
{
    const int64_t rounded = ((int64_t)sum * multiplier + (INT64_C(1) << (shift - 1))) >> shift;
    return rounded < low ? low : rounded > high ? high : (int32_t)rounded;
}

/* The sum of products of so many pairs. */
static inline int32_t qs_dot(const int16_t *a, const int16_t *b, unsigned count)
{
    int32_t sum = 0;
#if QS_DUAL /* two products at once; memcpy becomes one load, aligned or not */
    for (; count >= 4; count -= 4, a += 4, b += 4) {
        int16x2_t a01, a23, b01, b23;
        memcpy(&a01, a, sizeof a01);
        memcpy(&b01, b, sizeof b01);
        memcpy(&a23, a + 2, sizeof a23);
        memcpy(&b23, b + 2, sizeof b23);
        sum = __smlad(a01, b01, sum);
        sum = __smlad(a23, b23, sum);
    }
#else
    for (; count >= 4; count -= 4, a += 4, b += 4)
        sum += (int32_t)a[0] * b[0] + (int32_t)a[1] * b[1] + (int32_t)a[2] * b[2] + (int32_t)a[3] * b[3];
#endif
    for (; count; count--) sum += (int32_t)*a++ * *b++;
    return sum;
}

/* A number of so many bits in two's complement, from the low bits of another. */
static inline int16_t qs_signed(uint32_t low_bits, unsigned bits)
{
    return (int16_t)((int32_t)(low_bits << (32 - bits)) >> (32 - bits));
}

/* So many weights of 2 ... 8 bits, which lie one after the other, from the lowest bit of each byte on. */
static inline void qs_unpack(int16_t *weights, const uint8_t *packed, unsigned count, unsigned bits)
{
    uint32_t rest = 0;
    unsigned have = 0, i;
    if (QS_WEIGHTS_OF(8) && bits == 8) {
        for (i = 0; i < count; i++) weights[i] = qs_signed(packed[i], 8);
        return;
    }
    if (QS_WEIGHTS_OF(4) && bits == 4) {
        for (; count >= 2; count -= 2, weights += 2) {
            const uint32_t both = *packed++;
            weights[0] = qs_signed(both, 4);
            weights[1] = qs_signed(both >> 4, 4);
        }
        if (count) weights[0] = qs_signed(*packed, 4);
        return;
    }
    if (QS_WEIGHTS_OTHER) {
        for (i = 0; i < count; i++) {
            if (have < bits) {
                rest |= (uint32_t)*packed++ << have;
                have += 8;
            }
            weights[i] = qs_signed(rest, bits);
            rest >>= bits;
            have -= bits;
        }
    }
}

#if QS_LSTMS
extern const uint16_t qs_sigmoid_table[513];

/* Logistic function, 0 ... 2^15, of -32768 ... 32767 in units of 2^-11: a table with straight lines between its entries. */
static inline int32_t qs_sigmoid(int32_t z)
{
    const int32_t size = z < 0 ? -z : z, magnitude = size > 32767 ? 32767 : size;
    const int32_t lower = qs_sigmoid_table[magnitude >> 6], upper = qs_sigmoid_table[(magnitude >> 6) + 1];
    const int32_t value = lower + (((upper - lower) * (magnitude & 63) + 32) >> 6);
    return z < 0 ? 32768 - value : value;
}

/* Hyperbolic tangent, -2^15 ... 2^15, of the same. */
static inline int32_t qs_tanh(int32_t z)
{
    return 2 * qs_sigmoid(qs_clip(2 * z, -32767, 32767)) - 32768;
}
#endif
#endif
