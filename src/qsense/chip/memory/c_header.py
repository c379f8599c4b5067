"""A converter with memory as a C99 header: the arithmetic that training used, with the tables of each channel."""

from __future__ import annotations

import re
from importlib import resources
from textwrap import dedent

from qsense.chip.c_header import clamped, commented, double, from_word, integer, lines_of, table
from qsense.chip.memory.codec import TABLES, Codec
from qsense.chip.memory.words import meaning, summary, title
from qsense.chip.origin import Origin
from qsense.runs.escapes import comment

STATE_BYTES = 24  # of qsense_state: six int32_t


def header(codec: Codec, origin: Origin) -> str:
    """`<name>.h`: `<name>_start`, `<name>_encode`, `<name>_decode` and `<name>_lose` of one channel's `<name>_state`;
    with `<NAME>_UNIT` defined, also `<name>_in_unit` in floating point, which neither side needs.

    Its arithmetic is the text of `recursion.h` with names of its own, so that one program may include many exports.
    """
    name, macro = codec.name, codec.name.upper()
    coding = codec.coding
    sample, code = integer(coding.lowest, coding.highest), integer(0, (1 << codec.sent_bits) - 1)
    count = f"(int32_t)count + {coding.middle}" if coding.signed else "(int32_t)count"
    encoded, sign, signed = f"{name}_core_encode(&{name}_channels[channel], state, {count})", "", ""
    if coding.signed and codec.refresh:  # a sample that is sent as it is, as it is written
        sign = f"    const int32_t sign = {name}_refreshes(state, channel) ? {coding.middle} : 0;\n"
        encoded, signed = f"({encoded} ^ sign)", " ^ sign"
    unit = comment(codec.unit) or "the sensor's unit"
    scales = [codec.scale(c) for c in range(len(codec.channels))]
    head = [
        *summary(codec),
        "",
        *meaning(codec),
        "",
        f"State: {name}_state, {STATE_BYTES} bytes for each channel, in sender and receiver alike.",
        f"Tables: {table_bytes(codec)} bytes.",
        f"Define {macro}_UNIT before including for {name}_in_unit, in floating point.",
    ]
    return f"""\
/* {title(codec)}
{commented(origin.lines())}
 *
{commented(head)}
 */
#ifndef {macro}_H
#define {macro}_H

{arithmetic(name)}
#define {macro}_BITS {codec.bits}
#define {macro}_NATIVE_BITS {codec.native_bits}
#define {macro}_CHANNELS {len(codec.channels)}
#define {macro}_REFRESH {codec.refresh}

typedef {sample} {name}_sample;
typedef {code} {name}_code;
typedef {name}_core_state {name}_state;

{tables(codec)}
/* Both sides, at a {codec.recording}'s start. */
static inline void {name}_start({name}_state *state, unsigned channel)
{{
    {name}_core_start(&{name}_channels[channel], state, {name}_channels[channel].centre);
}}

/* Both sides: whether the next code is a native count of {codec.native_bits} bits; else it has {codec.bits}. */
static inline int {name}_refreshes(const {name}_state *state, unsigned channel)
{{
    return {name}_core_refreshes(&{name}_channels[channel], state) != 0;
}}

/* Sender: the code of each sample once, in order; state->value is what the receiver decodes. */
static inline {name}_code {name}_encode(
    {name}_state *state, unsigned channel, {name}_sample count)
{{
{clamped("count", coding)}{sign}\
    return ({name}_code){encoded};
}}

/* Receiver: the value of each code once, in order. Bits beyond a code's own are ignored. */
static inline int16_t {name}_decode({name}_state *state, unsigned channel, {name}_code code)
{{
{sign}\
    const unsigned bits = {name}_refreshes(state, channel) ? {macro}_NATIVE_BITS : {macro}_BITS;
    const int32_t own = (int32_t)(code & ((1u << bits) - 1u)){signed};
    return (int16_t){name}_core_decode(&{name}_channels[channel], state, own);
}}

/* Receiver, instead of {name}_decode: a code that did not arrive; the last value is held. */
static inline int16_t {name}_lose({name}_state *state, unsigned channel)
{{
    return (int16_t){name}_core_lose(&{name}_channels[channel], state);
}}

/* Receiver: the native count that lies nearest to a decoded value. */
static inline {name}_sample {name}_count(unsigned channel, int16_t value)
{{
    const int32_t count = {name}_core_count(&{name}_channels[channel], value);
    return ({name}_sample)({f"count - {coding.middle}" if coding.signed else "count"});
}}

#ifdef {macro}_UNIT
/* A decoded value in {unit}. */
static inline double {name}_in_unit(unsigned channel, int16_t value)
{{
    static const double offset[{macro}_CHANNELS] = {{
{lines_of([double(offset) for offset, _ in scales], " " * 8, 4)}
    }};
    static const double step[{macro}_CHANNELS] = {{
{lines_of([double(step) for _, step in scales], " " * 8, 4)}
    }};
    static const double low[{macro}_CHANNELS] = {{
{lines_of([double(low) for low, _ in codec.limits], " " * 8, 4)}
    }};
    static const double high[{macro}_CHANNELS] = {{
{lines_of([double(high) for _, high in codec.limits], " " * 8, 4)}
    }};
    const double x = offset[channel] + step[channel] * value;
    return x < low[channel] ? low[channel] : x > high[channel] ? high[channel] : x;
}}
#endif

#endif
"""


def arithmetic(name: str) -> str:
    """The text of `recursion.h` without its guard, its names beginning with this one."""
    text = resources.files("qsense.quant.sensor.memory").joinpath("recursion.h").read_text(encoding="utf-8")
    inner = re.sub(r"#(ifndef|define) QSENSE_RECURSION_H\n|\n#endif\n\Z", "", text)
    return re.sub(r"\bqsense_", f"{name}_core_", inner)


def table_bytes(codec: Codec) -> int:
    """What the tables of all channels take, 4 bytes a number; steps and companding are shared."""
    shared = len(codec.constants[0].steps) + len(codec.compand)
    return 4 * (shared + sum(len(getattr(c, t)) for c in codec.constants for t in codec.tables if t != "steps"))


def tables(codec: Codec) -> str:
    """Every table of every channel, and the channels made of them; steps, which all channels share, stand once."""
    name, macro = codec.name, codec.name.upper()
    texts, entries, compand = "", [], "0"
    if codec.compand:
        compand = f"{name}_compand"
        texts += f"static const int32_t {compand}[{len(codec.compand)}] = {{\n"
        texts += lines_of([str(place) for place in codec.compand], "    ", 12) + "\n};\n"
    for which in codec.tables:
        rows = [getattr(c, which) for c in codec.constants]
        if which == "steps":
            texts += f"static const int32_t {name}_steps[{len(rows[0])}] = {{\n"
            texts += lines_of([str(step) for step in rows[0]], "    ", 12) + "\n};\n"
        else:
            texts += f"static const int32_t {name}_{which}[{macro}_CHANNELS][{len(rows[0])}] = {{\n"
            texts += table(rows, codec.channels, "{}") + "\n};\n"
    for c, (constants, label) in enumerate(zip(codec.constants, codec.channels, strict=True)):
        pointers = []
        for which in TABLES:
            own = "" if which == "steps" else f"[{c}]"
            pointers.append(f"{name}_{which}{own}" if which in codec.tables else "0")
        numbers = [constants.leak, constants.slope, constants.refresh]
        entries.append(
            f"    {{ /* channel {c}: {comment(label)} */\n"
            f"        {macro}_BITS, {macro}_NATIVE_BITS, {constants.centre}, {', '.join(map(str, numbers))},\n"
            f"        {compand}, {', '.join(pointers)},\n"
            f"        {constants.first}, {max(len(constants.steps) - 1, 0)}, {constants.alike}, "
            f"{constants.step_leak}\n"
            "    }"
        )
    joined = ",\n".join(entries)
    return f"{texts}static const {name}_core_memory {name}_channels[{macro}_CHANNELS] = {{\n{joined}\n}};\n"


def program(codec: Codec) -> str:
    """`<name>_test.c`: checks `<name>.h` against the vector file; exits with 0 if every code and value is as expected.

    Given two more arguments, it also converts a file of samples, three 16-bit numbers each (flags, channel, count), and
    writes three for each: its code, the sender's value, the receiver's.
    """
    name, macro = codec.name, codec.name.upper()
    return (
        dedent(
            """\
            /* Checks NAME.h: cc -std=c99 -o test NAME_test.c && ./test NAME_vectors.hex */
            #define MACRO_UNIT
            #include <stdio.h>
            #include <string.h>
            #include "NAME.h"

            static NAME_state sender[MACRO_CHANNELS], receiver[MACRO_CHANNELS];

            /* One sample through both sides: its code, the sender's value, the receiver's. */
            static void convert(unsigned flags, unsigned channel, unsigned count, uint16_t result[3])
            {
                NAME_code code;
                int16_t value;
                if (flags & 1u) {
                    NAME_start(&sender[channel], channel);
                    NAME_start(&receiver[channel], channel);
                }
                code = NAME_encode(&sender[channel], channel, SAMPLE);
                value = flags & 2u ? NAME_lose(&receiver[channel], channel)
                                   : NAME_decode(&receiver[channel], channel, code);
                result[0] = code;
                result[1] = (uint16_t)sender[channel].value;
                result[2] = (uint16_t)value;
            }

            static int check_vectors(const char *path)
            {
                char line[256];
                int begins = 1, remark = 0;
                unsigned long vectors = 0, wrong = 0;
                unsigned flags, channel, count, code, value;
                uint16_t result[3];
                FILE *file = fopen(path, "r");
                if (file == NULL) { perror(path); return 1; }
                while (fgets(line, sizeof line, file) != NULL) {
                    if (begins) remark = line[0] == '/';
                    begins = strchr(line, '\\n') != NULL; /* a remark may be longer than this buffer */
                    if (remark) continue;
                    if (sscanf(line, "%x_%x_%x_%x_%x", &flags, &channel, &count, &code, &value) != 5
                            || channel >= MACRO_CHANNELS) {
                        printf("FAIL: not a vector: %s", line);
                        fclose(file);
                        return 1;
                    }
                    convert(flags, channel, count, result);
                    vectors++;
                    if (result[0] != code || result[2] != value) wrong++;
                }
                fclose(file);
                printf("%s: %lu samples, %lu differences\\n", wrong || !vectors ? "FAIL" : "PASS", vectors, wrong);
                return wrong || !vectors;
            }

            static int convert_file(const char *from, const char *to)
            {
                uint16_t sample[3], result[3];
                FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
                if (in == NULL || out == NULL) { perror(in == NULL ? from : to); return 1; }
                while (fread(sample, sizeof sample, 1, in) == 1) {
                    if (sample[1] >= MACRO_CHANNELS) { printf("FAIL: no such channel\\n"); return 1; }
                    convert(sample[0], sample[1], sample[2], result);
                    if (fwrite(result, sizeof result, 1, out) != 1) { perror(to); return 1; }
                }
                fclose(in);
                return fclose(out) != 0;
            }

            int main(int argc, char **argv)
            {
                if (argc != 2 && argc != 4) {
                    fprintf(stderr, "usage: %s VECTORS [SAMPLES RESULTS]\\n", argv[0]);
                    return 2;
                }
                if (check_vectors(argv[1])) return 1;
                return argc == 4 ? convert_file(argv[2], argv[3]) : 0;
            }
            """
        )
        .replace("SAMPLE", from_word("count", codec.coding))
        .replace("NAME", name)
        .replace("MACRO", macro)
    )
