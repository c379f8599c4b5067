/* The sensor's converter: from samples to codes, and from codes to what the network is given. */
#ifndef QS_CONVERTER_H
#define QS_CONVERTER_H

#include "qs_model.h"
#if QS_MEMORY
#include "qs_recursion.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What sender and receiver each keep. */
typedef struct {
#if QS_MEMORY
    qs_core_state channel[QS_CHANNELS];
#else
    int16_t held[QS_CHANNELS]; /* receiver: the last input that arrived */
#endif
} qs_converter;

/* Both sides, at a recording's start. */
void qs_converter_start(qs_converter *converter);

/* Sender: the codes of the next sample of all channels. */
void qs_converter_encode(qs_converter *converter, const qs_sample sample[QS_CHANNELS], qs_code codes[QS_CHANNELS]);

/* Sender, after qs_converter_encode: the network's input, as the receiver will have it. */
void qs_converter_known(const qs_converter *converter, const qs_code codes[QS_CHANNELS], int16_t input[QS_CHANNELS]);

/* Receiver: the network's input of the next codes. */
void qs_converter_decode(qs_converter *converter, const qs_code codes[QS_CHANNELS], int16_t input[QS_CHANNELS]);

/* Receiver: of a sample that did not arrive; the last one is held, at a recording's start 0 (with memory, the centre). */
void qs_converter_lose(qs_converter *converter, int16_t input[QS_CHANNELS]);

/* Receiver: time goes on by so many samples that did not arrive, and are of no interest. */
void qs_converter_skip(qs_converter *converter, uint32_t samples);

/* The tables, in qs_tables.c. */
#if QS_THRESHOLDS
extern const qs_threshold qs_thresholds[QS_ROWS][QS_THRESHOLDS];
extern const uint16_t qs_reached[QS_ROWS]; /* how many of them some sample reaches */
#endif
#if QS_MEMORY
extern const qs_core_memory *const qs_memories;
#endif
#if QS_INPUT_TABLE
extern const qs_input qs_input_table[QS_CHANNELS][QS_INPUT_TABLE];
#else
extern const qs_threshold qs_edges[QS_CHANNELS][QS_EDGES];
extern const uint16_t qs_edges_reached[QS_CHANNELS];
#endif

#ifdef __cplusplus
}
#endif
#endif
