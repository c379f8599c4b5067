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

#if QS_DEPTHWISE
/* The products of a depthwise convolution, whose weights are few: a byte each. */
static void depthwise(int32_t *sums, const qs_convolution *layer, unsigned output, const int16_t *lines)
{
    const unsigned step = (unsigned)layer->dilation * layer->inputs, taps = layer->weights.count;
    const int8_t *const row = layer->depthwise + output * taps, *const end = row + taps;
    unsigned plane;
    for (plane = 0; plane < layer->planes; plane++, lines += (unsigned)layer->reach * layer->inputs) {
        const int16_t *x = lines + output / layer->group_outputs;
        const int8_t *weight;
        int32_t sum = 0;
        for (weight = row; weight != end; weight++, x += step) sum += (int32_t)*weight * *x;
        sums[plane] = sum;
    }
}
#endif

#if QS_GATHERED
/* What a group of outputs takes of each plane: [plane][tap][input]. */
static void gather(const qs_convolution *layer, const int16_t *lines, unsigned feature, int16_t *to)
{
    unsigned plane, k, i;
    for (plane = 0; plane < layer->planes; plane++, lines += (unsigned)layer->reach * layer->inputs)
        for (k = 0; k < layer->reach; k += layer->dilation)
            for (i = 0; i < layer->per_group; i++) *to++ = lines[k * layer->inputs + feature + i];
}
#endif

/* One position of a convolution, from the lines of its inputs to `to`, whose planes lie `apart` numbers apart. */
static void convolve(const qs_convolution *layer, const int16_t *lines, int16_t *to, unsigned apart)
{
    int32_t sums[QS_BLOCK * QS_PLANES];
    unsigned first, outputs, output, plane;
#if QS_GATHERED
    int16_t gathered[QS_GATHERED + QS_PAD];
    memset(gathered, 0, sizeof gathered);
#endif
    for (first = 0; first < layer->outputs; first += outputs) {
        const int32_t *sum = sums;
        const unsigned group = first / layer->group_outputs, left = (group + 1) * layer->group_outputs - first;
        outputs = left < QS_BLOCK ? left : QS_BLOCK;
#if QS_DEPTHWISE
        if (layer->depthwise) {
            outputs = 1;
            depthwise(sums, layer, first, lines);
        } else
#endif
#if QS_GATHERED
        if (layer->dilation > 1 || layer->per_group < layer->inputs) {
            if (first % layer->group_outputs == 0) gather(layer, lines, group * layer->per_group, gathered);
            qs_products(sums, &layer->weights, first, outputs, gathered, layer->weights.count, layer->planes);
        } else
#endif
        {
            qs_products(sums, &layer->weights, first, outputs, lines, (unsigned)layer->reach * layer->inputs,
                        layer->planes);
        }
        for (output = first; output < first + outputs; output++)
            for (plane = 0; plane < layer->planes; plane++)
                to[plane * apart + output] = (int16_t)qs_requantize(
                    *sum++ + layer->bias[output], layer->multiplier, layer->shift, layer->low, layer->high);
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
    unsigned j, gate, w;
    for (j = 0; j < layer->hidden; j++) {
        const int32_t *const bias = layer->bias + 4 * j;
        int32_t arrives[4], kept[4], z[4];
        int known = 0;
        for (w = 0; w < QS_WINDOWS; w++) {
            if (!network->left[w]) continue;
            if (!shared || !known) /* the first LSTM's input is the same in all windows */
                qs_products(arrives, &layer->input, 4 * j, 4, shared ? shared : network->h[w] + input_from, 0, 1);
            known = 1;
            qs_products(kept, &layer->state, 4 * j, 4, network->h[w] + from, 0, 1);
            for (gate = 0; gate < 4; gate++) {
                z[gate] = bias[gate];
                z[gate] += qs_requantize(arrives[gate], layer->input_multiplier, layer->input_shift, -most, most);
                z[gate] += qs_requantize(kept[gate], layer->state_multiplier, layer->state_shift, -most, most);
            }
            network->fresh[w][j] = unit(z, &network->c[w][from + j], layer->h_bits);
        }
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
    const int16_t *from = lines + layer->inputs;
    int16_t *to = lines;
    unsigned left = length(layer) - layer->inputs;
    for (; left >= 4; left -= 4, to += 4, from += 4) { /* a small library's memmove takes byte by byte */
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
    }
    for (; left; left--) *to++ = *from++;
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
        qs_products(&logit, &qs_classifier.weights, (unsigned)k, 1, network->h[window] + QS_HIDDEN - QS_LAST, 0, 1);
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
