/* The network, sample by sample: each output of a convolution is computed once, whichever windows hold it. */
#ifndef QS_NETWORK_H
#define QS_NETWORK_H

#include "qs_weights.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QS_NONE (-1) /* no window has ended */

typedef struct {
    int16_t class_index; /* 0 ... QS_CLASSES - 1 */
    int16_t majority;    /* the most frequent of the last QS_MAJORITY classes; of equals the one that came last */
    int32_t margin;      /* the largest logit less the second largest, in units of QS_LOGIT_UNIT */
    uint32_t start;      /* the window's first sample, since the recording's start */
} qs_result;

typedef struct {
    int16_t lines[QS_LINES + QS_PAD];    /* of each convolution, its last inputs: [plane][position][feature] */
    int16_t frame[QS_FEATURES + QS_PAD]; /* what the convolutions give at last: [plane][feature] */
#if QS_LSTMS
    int16_t h[QS_WINDOWS][QS_HIDDEN + QS_PAD], c[QS_WINDOWS][QS_HIDDEN]; /* of each window under way */
    int16_t fresh[QS_WINDOWS][QS_WIDEST];
#else
    int32_t sum[QS_WINDOWS][QS_FEATURES];
#endif
    uint16_t left[QS_WINDOWS];     /* positions until the window is complete; 0: not under way */
    uint16_t phase;                /* of the next sample in its stride */
    uint16_t age;                  /* samples until now, up to QS_WINDOW */
    uint16_t classified;           /* windows until now, up to QS_MAJORITY */
    int16_t history[QS_MAJORITY];  /* their classes, the last one first */
    uint32_t start;                /* of the window that is complete next */
} qs_network;

/* At a recording's start. */
void qs_network_start(qs_network *network);

/* The next input codes; see qs_push. */
int qs_network_push(qs_network *network, const int16_t input[QS_CHANNELS], qs_result *result);

/* Leave out so many samples, a multiple of QS_STRIDE: where the input has been the same for a whole window or longer. */
void qs_network_skip(qs_network *network, uint32_t samples);

/* The layers, in qs_model.c. */
typedef struct {
    qs_weights weights;     /* a row for each output: [tap][input of its group] */
    const int8_t *depthwise; /* instead, where each input has outputs of its own: [output][tap] */
    const int32_t *bias;
    uint16_t inputs, outputs, dilation, reach; /* of each plane */
    uint16_t per_group, group_outputs;         /* inputs and outputs of a group */
    uint16_t positions;                        /* outputs that a window takes */
    uint16_t lag;    /* what, added to a sample's phase, is that of the output it completes */
    uint16_t before; /* samples of a recording before the one that completes its first output */
    uint16_t multiplier;
    int16_t low, high;
    uint8_t planes, shift;
} qs_convolution;

typedef struct {
    qs_weights input, state; /* a row for each unit's gate: [unit][i, f, g, o] */
    const int32_t *bias;
    uint16_t hidden, input_multiplier, state_multiplier;
    uint8_t input_shift, state_shift;
    uint8_t h_bits; /* of the state h */
} qs_lstm;

typedef struct {
    qs_weights weights;
    const int32_t *bias;
} qs_linear;

extern const qs_convolution qs_convolutions[QS_CONVOLUTIONS];
#if QS_LSTMS
extern const qs_lstm qs_lstms[QS_LSTMS];
#endif
extern const qs_linear qs_classifier;
extern const char *const qs_class_names[QS_CLASSES];
extern const char *const qs_channel_names[QS_CHANNELS];

#ifdef __cplusplus
}
#endif
#endif
