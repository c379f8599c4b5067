/* Packed weights, and their products with activations: nearly all of the network's time and space. */
#ifndef QS_WEIGHTS_H
#define QS_WEIGHTS_H

#include "qs_model.h"

/*
 * Weights are packed in words of 32 bits, a row of them for each output.
 *
 * Those of 2, 4 and 8 bits lie so that few instructions make four of them: shifted left by 0, b, 2b, ... bits, a word has
 * the next four in the upper b bits of its bytes, in the order of bytes 0, 2, 1, 3; the pairs of bytes 0 and 2, and 1 and
 * 3, are what ARM's SXTB16 takes apart. Weights that fill up a row's last word are 0; the numbers that they are
 * multiplied with are those that follow in memory, QS_PAD of them at most. Weights of other bits lie one after the
 * other, from the lowest bit on.
 */
typedef struct {
    const uint32_t *rows;
    uint16_t count; /* of a row */
    uint16_t words; /* of a row */
    uint8_t bits;   /* 2 ... 8 */
} qs_weights;

/* One weight of a row. */
int32_t qs_weight(const qs_weights *weights, unsigned row, unsigned i);

/*
 * The sums of products of each of so many rows, from `row` on, with each of so many inputs, which lie `apart` numbers
 * apart: sums[row][input].
 */
void qs_products(int32_t *sums, const qs_weights *weights, unsigned row, unsigned rows, const int16_t *x,
                 unsigned apart, unsigned inputs);

#endif
