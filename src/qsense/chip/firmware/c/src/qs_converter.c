/* The sensor's converter: comparisons of integers; with memory, the arithmetic of qs_recursion.h. */
#include "qs_converter.h"

/* How many of so many thresholds, which ascend, a number reaches. */
static int32_t reached(const qs_threshold *thresholds, int32_t count, int32_t number)
{
    int32_t low = 0, high = count;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (number >= (int32_t)thresholds[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The native count 0 ... 2^n - 1 of a sample. */
static int32_t count_of(qs_sample sample)
{
    const int32_t count = (int32_t)sample + QS_MIDDLE, highest = (INT32_C(1) << QS_NATIVE_BITS) - 1;
    return count < 0 ? 0 : count > highest ? highest : count;
}

/* The network's input of a code, or of a decoded value. */
static int16_t input_of(unsigned channel, int32_t number)
{
#if QS_INPUT_TABLE
    return qs_input_table[channel][number];
#else
    return (int16_t)(QS_INPUT_LOW + reached(qs_edges[channel], qs_edges_reached[channel], number));
#endif
}

void qs_converter_start(qs_converter *converter)
{
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
#if QS_MEMORY
        qs_core_start(&qs_memories[c], &converter->channel[c], qs_memories[c].centre);
#else
        converter->held[c] = QS_INPUT_START;
#endif
    }
}

void qs_converter_encode(qs_converter *converter, const qs_sample sample[QS_CHANNELS], qs_code codes[QS_CHANNELS])
{
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
        const int32_t count = count_of(sample[c]);
#if QS_MEMORY
        codes[c] = (qs_code)qs_core_encode(&qs_memories[c], &converter->channel[c], count);
#elif QS_THRESHOLDS
        const unsigned row = QS_ROWS == 1 ? 0 : c;
        codes[c] = (qs_code)reached(qs_thresholds[row], qs_reached[row], count);
#else
        codes[c] = (qs_code)count;
#endif
    }
    (void)converter;
}

void qs_converter_known(const qs_converter *converter, const qs_code codes[QS_CHANNELS], int16_t input[QS_CHANNELS])
{
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
#if QS_MEMORY
        input[c] = input_of(c, converter->channel[c].value);
#else
        input[c] = input_of(c, (int32_t)codes[c]);
#endif
    }
    (void)converter;
    (void)codes;
}

void qs_converter_decode(qs_converter *converter, const qs_code codes[QS_CHANNELS], int16_t input[QS_CHANNELS])
{
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
#if QS_MEMORY
        input[c] = input_of(c, qs_core_decode(&qs_memories[c], &converter->channel[c], (int32_t)codes[c]));
#else
        input[c] = converter->held[c] = input_of(c, (int32_t)codes[c]);
#endif
    }
}

void qs_converter_lose(qs_converter *converter, int16_t input[QS_CHANNELS])
{
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
#if QS_MEMORY
        input[c] = input_of(c, qs_core_lose(&qs_memories[c], &converter->channel[c]));
#else
        input[c] = converter->held[c];
#endif
    }
}

void qs_converter_skip(qs_converter *converter, uint32_t samples)
{
#if QS_REFRESH
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
        const uint32_t age = (uint32_t)converter->channel[c].age + samples % QS_REFRESH;
        converter->channel[c].age = (int32_t)(age % QS_REFRESH);
    }
#endif
    (void)converter;
    (void)samples;
}
