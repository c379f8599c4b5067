/*
 * Converters with memory: the integer arithmetic that a sensor and its receiver both repeat, C99.
 *
 * Nothing but 32-bit integers, tables and shifts: no float, no division, no heap, no library but <stdint.h>. A shift of a
 * negative number rounds towards minus infinity, as on every compiler in use.
 *
 * All values lie on IMA ADPCM's scale, -32768 ... 32767: a native count q of n bits is (q - 2^(n-1)) * 2^(16-n), or what
 * a companding table says.
 */
#ifndef QSENSE_RECURSION_H
#define QSENSE_RECURSION_H
#include <stdint.h>

/* One channel's converter: constants. */
typedef struct {
    int32_t bits;        /* N, of a code: 1 ... 5 with a step, else 1 ... 8 */
    int32_t native_bits; /* n, of a sample: N ... 16 */
    int32_t centre;      /* where prediction starts, and what it falls back to */
    int32_t leak;        /* it falls back by 2^-leak of its distance at each sample; 0: never */
    int32_t slope;       /* it goes on by 2^-slope of the last change; 0: not at all */
    int32_t refresh;     /* each of so many samples is sent as a native count, the first to begin with; 0: none */
    const int32_t *compand; /* where each native count lies on the scale, ascending; 0: evenly */
    /* fixed levels */
    const int32_t *thresholds; /* residual at which codes 1 ... 2^N - 1 begin; 0: this converter has a step instead */
    const int32_t *levels;     /* residual that each code stands for */
    /* a step that follows the signal */
    const int32_t *steps; /* all steps, rising */
    const int32_t *moves; /* by how many places the step moves: for each magnitude, where N = 1 for unlike, alike codes */
    int32_t first;        /* place of the step to begin with */
    int32_t last;         /* last place */
    int32_t alike;        /* N = 1: how many equal codes in a row are alike */
    int32_t step_leak;    /* the step falls back to its first place by 2^-step_leak of the places; 0: never */
} qsense_memory;

/* One channel's state: the same in sender and receiver after each code. */
typedef struct {
    int32_t value;  /* last decoded value */
    int32_t before; /* the one before it */
    int32_t place;  /* of the step, in units of 2^-step_leak places */
    int32_t code;   /* last code, -1: none */
    int32_t run;    /* how many equal codes there were in a row, up to `alike` */
    int32_t age;    /* samples since the last refresh */
} qsense_state;

static inline int32_t qsense_within(int32_t value)
{
    return value < -32768 ? -32768 : value > 32767 ? 32767 : value;
}

/* The state at a recording's start. */
static inline void qsense_start(const qsense_memory *memory, qsense_state *state, int32_t value)
{
    state->value = state->before = value;
    state->place = memory->first * (INT32_C(1) << memory->step_leak);
    state->code = -1;
    state->run = 0;
    state->age = 0;
}

static inline int32_t qsense_scaled(const qsense_memory *memory, int32_t count)
{
    if (memory->compand) return memory->compand[count];
    return (count - (INT32_C(1) << (memory->native_bits - 1))) * (INT32_C(1) << (16 - memory->native_bits));
}

/* Receiver: the native count that lies nearest to a decoded value, the upper one of two. */
static inline int32_t qsense_count(const qsense_memory *memory, int32_t value)
{
    int32_t count = 0;
    for (int32_t bit = INT32_C(1) << (memory->native_bits - 1); bit; bit >>= 1) {
        const int32_t upper = count + bit;
        if (value >= (qsense_scaled(memory, upper - 1) + qsense_scaled(memory, upper) + 1) >> 1) count = upper;
    }
    return count;
}

static inline int32_t qsense_step(const qsense_memory *memory, const qsense_state *state)
{
    return memory->steps[state->place >> memory->step_leak];
}

static inline int32_t qsense_prediction(const qsense_memory *memory, const qsense_state *state)
{
    int32_t value = state->value;
    if (memory->leak) value -= (state->value - memory->centre) >> memory->leak;
    if (memory->slope) value += (state->value - state->before) >> memory->slope;
    return qsense_within(value);
}

/* Whether the next code is a native count. */
static inline int32_t qsense_refreshes(const qsense_memory *memory, const qsense_state *state)
{
    return memory->refresh && state->age == 0;
}

/* Take over a code, as both sides do; returns the decoded value. */
static inline int32_t qsense_take(const qsense_memory *memory, qsense_state *state, int32_t prediction, int32_t code)
{
    int32_t residual;
    if (memory->thresholds) {
        residual = memory->levels[code];
    } else {
        const int32_t parts = memory->bits - 1, step = qsense_step(memory, state);
        const int32_t unit = INT32_C(1) << memory->step_leak;
        const int32_t magnitude = code & ((1 << parts) - 1);
        int32_t loud = magnitude;
        residual = step >> parts;
        for (int32_t part = 0; part < parts; part++)
            if (magnitude & (1 << (parts - 1 - part))) residual += step >> part;
        if (code >> parts) residual = -residual;
        if (!parts) {
            state->run = code != state->code ? 1 : state->run < memory->alike ? state->run + 1 : state->run;
            state->code = code;
            loud = state->run >= memory->alike;
        }
        if (memory->step_leak) state->place -= (state->place - memory->first * unit) >> memory->step_leak;
        state->place += memory->moves[loud] * unit;
        if (state->place < 0) state->place = 0;
        if (state->place > memory->last * unit) state->place = memory->last * unit;
    }
    state->before = state->value;
    state->value = qsense_within(prediction + residual);
    return state->value;
}

static inline void qsense_grow_older(const qsense_memory *memory, qsense_state *state)
{
    if (memory->refresh && ++state->age == memory->refresh) state->age = 0;
}

/* Sender: the code of a native count 0 ... 2^n - 1; at a refresh the count itself. */
static inline int32_t qsense_encode(const qsense_memory *memory, qsense_state *state, int32_t count)
{
    const int32_t sample = qsense_scaled(memory, count);
    int32_t code = 0;
    if (qsense_refreshes(memory, state)) {
        qsense_start(memory, state, sample);
        code = count;
    } else {
        const int32_t prediction = qsense_prediction(memory, state);
        int32_t residual = sample - prediction;
        if (memory->thresholds) {
            const int32_t steps = (1 << memory->bits) - 1;
            for (int32_t k = 0; k < steps; k++) code += residual >= memory->thresholds[k];
        } else { /* IMA's successive approximation: sign, then one bit for each halved step */
            int32_t step = qsense_step(memory, state);
            const int32_t sign = residual < 0;
            if (sign) residual = -residual;
            for (int32_t part = 1; part < memory->bits; part++, step >>= 1) {
                const int32_t reached = residual >= step;
                code = 2 * code + reached;
                if (reached) residual -= step;
            }
            code |= sign << (memory->bits - 1);
        }
        qsense_take(memory, state, prediction, code);
    }
    qsense_grow_older(memory, state);
    return code;
}

/* Receiver: the value that a code stands for, on the scale above. */
static inline int32_t qsense_decode(const qsense_memory *memory, qsense_state *state, int32_t code)
{
    if (qsense_refreshes(memory, state))
        qsense_start(memory, state, qsense_scaled(memory, code));
    else
        qsense_take(memory, state, qsense_prediction(memory, state), code);
    qsense_grow_older(memory, state);
    return state->value;
}

/* Receiver of a lost code: the last value is held, and time goes on. */
static inline int32_t qsense_lose(const qsense_memory *memory, qsense_state *state)
{
    qsense_grow_older(memory, state);
    return state->value;
}

#endif
