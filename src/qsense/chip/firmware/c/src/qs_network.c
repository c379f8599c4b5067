/*
 * Convolutions, LSTMs or a mean over time, classifier.
 *
 * A convolution's output at a position, which is counted by its first sample, is the same in every window that holds it.
 * It is computed as its last sample arrives, and only if a window needs it: windows begin at each multiple of QS_STRIDE
 * and take so many `positions`. LSTMs and the mean begin anew with each window; windows that overlap have a state each.
 */
#include "qs_network.h"

#include "qs_arithmetic.h"

void qs_network_start(qs_network *network)
{
    memset(network, 0, sizeof *network);
}

/* The products of one row of weights with the inputs of a plane, whose oldest position lies at `oldest`. */
static int32_t products(
    const qs_convolution *layer, const int16_t *row, const int16_t *plane, unsigned oldest, unsigned feature)
{
    int32_t sum = 0;
    unsigned k, place = oldest;
    if (!QS_SPREAD || (layer->dilation == 1 && layer->per_group == layer->inputs)) { /* they lie in two pieces */
        const unsigned wrapped = oldest * layer->inputs, first = layer->reach * layer->inputs - wrapped;
        return qs_dot(row, plane + wrapped, first) + qs_dot(row + first, plane, wrapped);
    }
    for (k = 0; k < layer->kernel; k++, row += layer->per_group) {
        const int16_t *x = plane + place * layer->inputs + feature;
        sum += layer->per_group == 1 ? (int32_t)row[0] * x[0] : qs_dot(row, x, layer->per_group);
        place += layer->dilation;
        if (place >= layer->reach) place -= layer->reach;
    }
    return sum;
}

/* One position of a convolution, from the ring of its inputs to `to`, whose planes lie `apart` numbers apart. */
static void convolve(const qs_convolution *layer, const int16_t *ring, unsigned oldest, int16_t *to, unsigned apart)
{
    int16_t row[QS_ROW];
    const uint8_t *packed = layer->weights;
    unsigned output, plane, in_group = 0, feature = 0;
    for (output = 0; output < layer->outputs; output++, packed += layer->row_bytes) {
        qs_unpack(row, packed, (unsigned)layer->kernel * layer->per_group, layer->bits);
        for (plane = 0; plane < layer->planes; plane++) {
            const int16_t *inputs = ring + plane * layer->reach * layer->inputs;
            const int32_t sum = layer->bias[output] + products(layer, row, inputs, oldest, feature);
            to[plane * apart + output] =
                (int16_t)qs_requantize(sum, layer->multiplier, layer->shift, layer->low, layer->high);
        }
        if (++in_group == layer->group_outputs) {
            in_group = 0;
            feature += layer->per_group;
        }
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
    int16_t row[QS_ROW];
    int32_t z[QS_WINDOWS][4];
    const uint8_t *of_input = layer->input_weights, *of_state = layer->state_weights;
    const int32_t *bias = layer->bias;
    const int32_t most = INT32_C(1) << 24;
    unsigned j, gate, w;
    for (j = 0; j < layer->hidden; j++) {
        for (gate = 0; gate < 4; gate++, bias++, of_input += layer->input_row_bytes, of_state += layer->state_row_bytes) {
            int32_t arrives = 0;
            int known = 0;
            qs_unpack(row, of_input, layer->inputs, layer->input_bits);
            for (w = 0; w < QS_WINDOWS; w++) {
                if (!network->left[w]) continue;
                if (!shared || !known) { /* the first LSTM's input is the same in all windows */
                    const int16_t *x = shared ? shared : network->h[w] + input_from;
                    arrives = qs_requantize(
                        qs_dot(row, x, layer->inputs), layer->input_multiplier, layer->input_shift, -most, most);
                    known = 1;
                }
                z[w][gate] = arrives + *bias;
            }
            qs_unpack(row, of_state, layer->hidden, layer->state_bits);
            for (w = 0; w < QS_WINDOWS; w++) {
                if (!network->left[w]) continue;
                z[w][gate] += qs_requantize(qs_dot(row, network->h[w] + from, layer->hidden), layer->state_multiplier,
                                            layer->state_shift, -most, most);
            }
        }
        for (w = 0; w < QS_WINDOWS; w++)
            if (network->left[w]) network->fresh[w][j] = unit(z[w], &network->c[w][from + j], layer->h_bits);
    }
    for (w = 0; w < QS_WINDOWS; w++)
        if (network->left[w]) memcpy(network->h[w] + from, network->fresh[w], layer->hidden * sizeof(int16_t));
}
#endif

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
    int16_t row[QS_ROW];
    const uint8_t *packed = qs_classifier.weights;
    int32_t best = 0, second = 0;
    int16_t k, class_index = 0;
    for (k = 0; k < QS_CLASSES; k++, packed += qs_classifier.row_bytes) {
        int32_t logit = qs_classifier.bias[k];
        qs_unpack(row, packed, QS_LAST, qs_classifier.bits);
#if QS_LSTMS
        logit += qs_dot(row, network->h[window] + QS_HIDDEN - QS_LAST, QS_LAST);
#else
        {
            unsigned i;
            for (i = 0; i < QS_LAST; i++) logit += row[i] * network->sum[window][i];
        }
#endif
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
    const qs_convolution *layer = qs_convolutions;
    int16_t *ring = network->ring;
    unsigned l, plane, lag = 0;
    network->phase = (uint16_t)(phase + 1 == QS_STRIDE ? 0 : phase + 1);
    network->age = (uint16_t)(age < QS_WINDOW ? age + 1 : age);
    if (phase >= QS_WINDOW) return QS_NONE; /* between two windows */
    for (plane = 0; plane < layer->planes; plane++)
        memcpy(ring + (plane * layer->reach + network->oldest[0]) * layer->inputs, input + plane * layer->inputs,
               layer->inputs * sizeof(int16_t));
    for (l = 0; l < QS_CONVOLUTIONS; l++, layer++) {
        const unsigned next = network->oldest[l] + 1u, oldest = next == layer->reach ? 0 : next;
        int16_t *to = network->frame;
        unsigned apart = layer->outputs;
        network->oldest[l] = (uint16_t)oldest;
        lag = phase + layer->lag;
        if (lag >= QS_STRIDE) lag -= QS_STRIDE;
        if (age < layer->before || lag >= layer->positions) return QS_NONE; /* no window needs it, nor what follows */
        if (l + 1 < QS_CONVOLUTIONS) {
            const qs_convolution *after = layer + 1;
            int16_t *inputs = ring + layer->planes * layer->reach * layer->inputs;
            to = inputs + network->oldest[l + 1] * after->inputs;
            apart = (unsigned)after->reach * after->inputs;
            convolve(layer, ring, oldest, to, apart);
            ring = inputs;
        } else {
            convolve(layer, ring, oldest, to, apart);
        }
    }
    return take(network, lag == 0, result);
}

void qs_network_skip(qs_network *network, uint32_t samples)
{
    network->start += samples;
}
