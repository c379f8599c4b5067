/*
 * The integer arithmetic of the network's layers.
 *
 * A shift of a negative number rounds towards minus infinity, and a number that a signed type cannot hold keeps its low
 * bits, as on every compiler in use. No sum leaves 32 bits: the export has checked the largest that weights and ranges
 * of codes allow.
 */
#ifndef QS_ARITHMETIC_H
#define QS_ARITHMETIC_H

#include "qs_model.h"

static inline int32_t qs_clip(int32_t number, int32_t low, int32_t high)
{
    return number < low ? low : number > high ? high : number;
}

/* Round half up of sum * multiplier / 2^shift, cut off at low ... high. */
static inline int32_t qs_requantize(int32_t sum, uint16_t multiplier, uint8_t shift, int32_t low, int32_t high)
{
    if (shift > 16) { /* 32 bits are enough: first all but the lowest 16 bits of the product */
        const int32_t upper = (sum >> 16) * (int32_t)multiplier, lower = (sum & 0xffff) * (int32_t)multiplier;
        return qs_clip((((upper + (lower >> 16)) >> (shift - 17)) + 1) >> 1, low, high);
    } else {
        const int64_t rounded = ((int64_t)sum * multiplier + (INT64_C(1) << (shift - 1))) >> shift;
        return rounded < low ? low : rounded > high ? high : (int32_t)rounded;
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
