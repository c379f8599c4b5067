/*
 * Convolutions, LSTMs or a mean over time, classifier.
 *
 * A convolution's output at a position, which is counted by its first sample, is the same in every window that holds it.
 * It is computed as its last sample arrives, and only if a window needs it: windows begin at each multiple of QS_STRIDE
 * and take so many `positions`. LSTMs and the mean begin anew with each window; windows that overlap have a state each.
 */
#include "qs_network.h"

#include <string.h>

#include "qs_arithmetic.h"

void qs_network_start(qs_network *network)
{
    memset(network, 0, sizeof *network);
}

#if QS_GATHERED
/* What a group of outputs takes of a plane: [tap][input]. */
static void gather(const qs_convolution *layer, const int16_t *plane, unsigned feature, int16_t *to)
{
    unsigned k, i;
    for (k = 0; k < layer->reach; k += layer->dilation)
        for (i = 0; i < layer->per_group; i++) *to++ = plane[k * layer->inputs + feature + i];
}
#endif

/* One position of a convolution, from the lines of its inputs to `to`, whose planes lie `apart` numbers apart. */
static void convolve(const qs_convolution *layer, const int16_t *lines, int16_t *to, unsigned apart)
{
    const unsigned line = (unsigned)layer->reach * layer->inputs;
    const int16_t *x = lines;
    unsigned x_apart = line, output, plane;
    int32_t sums[QS_PLANES];
#if QS_GATHERED
    int16_t gathered[QS_GATHERED];
    unsigned in_group = 0, feature = 0;
    const int gathers = layer->dilation > 1 || layer->per_group < layer->inputs;
    if (gathers) {
        x = gathered;
        x_apart = layer->weights.count;
    }
#endif
    for (output = 0; output < layer->outputs; output++) {
#if QS_GATHERED
        if (gathers && in_group == 0) {
            for (plane = 0; plane < layer->planes; plane++)
                gather(layer, lines + plane * line, feature, gathered + plane * x_apart);
            feature += layer->per_group;
            in_group = layer->group_outputs;
        }
        in_group--;
#endif
        qs_products(sums, &layer->weights, output, x, x_apart, layer->planes);
        for (plane = 0; plane < layer->planes; plane++)
            to[plane * apart + output] = (int16_t)qs_requantize(
                sums[plane] + layer->bias[output], layer->multiplier, layer->shift, layer->low, layer->high);
    }
}

#if QS_LSTMS
/* The next cell and state of a unit, of the arguments of its gates i, f, g, o. */
static int16_t unit(const int32_t z[4], int16_t *c, unsigned h_bits)
{
    const int32_t i = qs_sigmoid(qs_clip(z[0], -32768, 32767)), f = qs_sigmoid(qs_clip(z[1], -32768, 32767));
    const int32_t g = qs_tanh(qs_clip(z[2], -32768, 32767)), o = qs_sigmoid(qs_clip(z[3], -32768, 32767));
    const int32_t kept = (f * *c + (INT32_C(1) << 14)) >> 15, added = (i * g + (INT32_C(1) << 18)) >> 19;
    const int32_t largest = (INT32_C(1) << (h_bits - 1)) - 1;
    *c = (int16_t)qs_clip(kept + added, -32768, 32767);
    return (int16_t)qs_clip((o * qs_tanh(*c) + (INT32_C(1) << (30 - h_bits))) >> (31 - h_bits), -largest, largest);
}

/* One position of an LSTM in all windows under way; `from` is where its units begin in h and c. */
static void recur(qs_network *network, const qs_lstm *layer, unsigned from, const int16_t *shared, unsigned input_from)
{
    const int32_t most = INT32_C(1) << 24;
    int32_t z[QS_WINDOWS][4];
    unsigned j, gate, w;
    for (j = 0; j < layer->hidden; j++) {
        for (gate = 0; gate < 4; gate++) {
            const unsigned row = 4 * j + gate;
            int32_t sum = 0, arrives = 0;
            int known = 0;
            for (w = 0; w < QS_WINDOWS; w++) {
                if (!network->left[w]) continue;
                if (!shared || !known) { /* the first LSTM's input is the same in all windows */
                    qs_products(&sum, &layer->input, row, shared ? shared : network->h[w] + input_from, 0, 1);
                    arrives = qs_requantize(sum, layer->input_multiplier, layer->input_shift, -most, most);
                    known = 1;
                }
                qs_products(&sum, &layer->state, row, network->h[w] + from, 0, 1);
                z[w][gate] = arrives + layer->bias[row]
                             + qs_requantize(sum, layer->state_multiplier, layer->state_shift, -most, most);
            }
        }
        for (w = 0; w < QS_WINDOWS; w++)
            if (network->left[w]) network->fresh[w][j] = unit(z[w], &network->c[w][from + j], layer->h_bits);
    }
    for (w = 0; w < QS_WINDOWS; w++)
        if (network->left[w]) memcpy(network->h[w] + from, network->fresh[w], layer->hidden * sizeof(int16_t));
}
#endif

/* How many numbers a convolution's lines hold. */
static unsigned length(const qs_convolution *layer)
{
    return (unsigned)layer->planes * layer->reach * layer->inputs;
}

/* Make room for a position in a convolution's lines; returns where its first plane lies. */
static int16_t *append(const qs_convolution *layer, int16_t *lines)
{
    memmove(lines, lines + layer->inputs, (length(layer) - layer->inputs) * sizeof *lines);
    return lines + (layer->reach - 1) * layer->inputs;
}

/* Take a frame over into all windows under way. */
static void accumulate(qs_network *network)
{
#if QS_LSTMS
    unsigned l, from = 0, before = 0;
    for (l = 0; l < QS_LSTMS; l++) {
        recur(network, &qs_lstms[l], from, l ? 0 : network->frame, before);
        before = from;
        from += qs_lstms[l].hidden;
    }
#else
    unsigned w, i;
    for (w = 0; w < QS_WINDOWS; w++)
        if (network->left[w])
            for (i = 0; i < QS_FEATURES; i++) network->sum[w][i] += network->frame[i];
#endif
}

/* The most frequent of the last classes; of equals the one that came last. */
static int16_t majority(const qs_network *network)
{
    unsigned i, j, most = 0;
    int16_t class_index = QS_NONE;
    for (i = 0; i < network->classified; i++) {
        unsigned count = 0;
        for (j = i; j < network->classified; j++) count += network->history[j] == network->history[i];
        if (count > most) {
            most = count;
            class_index = network->history[i];
        }
    }
    return class_index;
}

/* The class of a window that is complete. */
static int classify(qs_network *network, unsigned window, qs_result *result)
{
    int32_t best = 0, second = 0;
    int16_t k, class_index = 0;
    for (k = 0; k < QS_CLASSES; k++) {
        int32_t logit = 0;
#if QS_LSTMS
        qs_products(&logit, &qs_classifier.weights, (unsigned)k, network->h[window] + QS_HIDDEN - QS_LAST, 0, 1);
#else
        unsigned i;
        for (i = 0; i < QS_LAST; i++)
            logit += qs_weight(&qs_classifier.weights, (unsigned)k, i) * network->sum[window][i];
#endif
        logit += qs_classifier.bias[k];
        if (k == 0) {
            best = logit;
        } else if (logit > best) {
            second = best;
            best = logit;
            class_index = k;
        } else if (k == 1 || logit > second) {
            second = logit;
        }
    }
    memmove(network->history + 1, network->history, (QS_MAJORITY - 1) * sizeof network->history[0]);
    network->history[0] = class_index;
    if (network->classified < QS_MAJORITY) network->classified++;
    if (result) {
        result->class_index = class_index;
        result->majority = majority(network);
        result->margin = best - second;
        result->start = network->start;
    }
    network->start += QS_STRIDE;
    return class_index;
}

/* A frame of the last convolution, the first one of a window where `begins`. */
static int take(qs_network *network, int begins, qs_result *result)
{
    unsigned w;
    int class_index = QS_NONE;
    if (begins) {
        for (w = 0; network->left[w]; w++) continue; /* one is always free: QS_WINDOWS is how many overlap at most */
        network->left[w] = QS_POSITIONS;
#if QS_LSTMS
        memset(network->h[w], 0, sizeof network->h[w]);
        memset(network->c[w], 0, sizeof network->c[w]);
#else
        memset(network->sum[w], 0, sizeof network->sum[w]);
#endif
    }
    accumulate(network);
    for (w = 0; w < QS_WINDOWS; w++)
        if (network->left[w] && --network->left[w] == 0) class_index = classify(network, w, result);
    return class_index;
}

int qs_network_push(qs_network *network, const int16_t input[QS_CHANNELS], qs_result *result)
{
    const unsigned phase = network->phase, age = network->age;
    const qs_convolution *layer;
    int16_t *lines = network->lines, *to = append(qs_convolutions, lines);
    unsigned plane, lag;
    network->phase = (uint16_t)(phase + 1 == QS_STRIDE ? 0 : phase + 1);
    network->age = (uint16_t)(age < QS_WINDOW ? age + 1 : age);
    if (phase >= QS_WINDOW) return QS_NONE; /* between two windows */
    for (plane = 0; plane < qs_convolutions->planes; plane++)
        memcpy(to + plane * qs_convolutions->reach * qs_convolutions->inputs, input + plane * qs_convolutions->inputs,
               qs_convolutions->inputs * sizeof(int16_t));
    for (layer = qs_convolutions;; layer++) {
        lag = phase + layer->lag;
        if (lag >= QS_STRIDE) lag -= QS_STRIDE;
        if (age < layer->before || lag >= layer->positions) return QS_NONE; /* no window needs it, nor what follows */
        if (layer == qs_convolutions + QS_CONVOLUTIONS - 1) break;
        to = append(layer + 1, lines + length(layer));
        convolve(layer, lines, to, (unsigned)layer[1].reach * layer[1].inputs);
        lines += length(layer);
    }
    convolve(layer, lines, network->frame, layer->outputs);
    return take(network, lag == 0, result);
}

void qs_network_skip(qs_network *network, uint32_t samples)
{
    network->start += samples;
}
