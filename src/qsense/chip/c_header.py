"""A converter as a C99 header: integer comparisons alone, one per bit, like a successive-approximation ADC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import dedent

from qsense.chip.coding import Coding
from qsense.chip.converter import Converter
from qsense.chip.origin import Origin
from qsense.runs.escapes import comment


def header(converter: Converter, origin: Origin) -> str:
    """`<name>.h`: thresholds in native counts and `<name>_encode`; with `<NAME>_TABLES` defined, also floating-point
    tables of thresholds and levels in the sensor's unit, which encoding does not need; with `<NAME>_LUT` defined, also
    the code of every native count (up to 16 native bits).

    Types are the smallest that hold their numbers.
    """
    name, macro, native = converter.name, converter.name.upper(), converter.native
    coding = native.coding
    thresholds = coding.number(converter.counts)
    sample, code = integer(coding.lowest, coding.highest), integer(0, (1 << converter.bits) - 1)
    threshold = integer(min(0, int(thresholds.min())), int(thresholds.max()))
    meaning = f"{native.low:g} to {native.high:g} {converter.unit}"
    unit = comment(converter.unit) or "the sensor's unit"
    lut, lut_hint = "", ""
    if converter.listed:
        lut, lut_hint = _lut(converter, code), f"\n * Define {macro}_LUT before including for the code of every sample."
    rows = ", ".join(f"{r} = {row}" for r, row in enumerate(converter.rows))
    head = [
        f"Samples are {coding.name}: count {coding.number(native.black)} to {coding.number(native.white)} means "
        f"{meaning}.",
        f"Rows: {rows}.",
        f"A threshold of {coding.number(native.codes)} is reached by no sample, one of {coding.lowest} by each.",
    ]
    return f"""\
/* {converter.bits}-bit converter behind a sensor of {native.bits} bits.
{commented(origin.lines())}
 *
{commented(head)}
 * Define {macro}_TABLES before including for thresholds and levels in {unit}.{lut_hint}
 */
#ifndef {macro}_H
#define {macro}_H

#include <stdint.h>

#define {macro}_BITS {converter.bits}
#define {macro}_NATIVE_BITS {native.bits}
#define {macro}_ROWS {len(converter.rows)}
#define {macro}_THRESHOLDS {converter.counts.shape[1]}

typedef {sample} {name}_sample;
typedef {code} {name}_code;

/* Code k begins at sample [row][k - 1]. */
static const {threshold} {name}_thresholds[{macro}_ROWS][{macro}_THRESHOLDS] = {{
{table(thresholds.tolist(), converter.rows, "{}")}
}};

/* The code of a sample: one comparison per bit. */
static inline {name}_code {name}_encode(unsigned row, {name}_sample sample)
{{
    const {threshold} *thresholds = {name}_thresholds[row];
    unsigned code = 0;
    unsigned step;
{clamped("sample", coding)}\
    for (step = 1u << ({macro}_BITS - 1); step != 0; step >>= 1)
        if (sample >= thresholds[code + step - 1]) code += step;
    return ({name}_code)code;
}}

#ifdef {macro}_TABLES
#include <math.h>

/* The same thresholds in {unit}. */
static const double {name}_thresholds_unit[{macro}_ROWS][{macro}_THRESHOLDS] = {{
{table(converter.thresholds.tolist(), converter.rows, double)}
}};

/* What each code means in {unit}. */
static const double {name}_levels_unit[{macro}_ROWS][{macro}_THRESHOLDS + 1] = {{
{table(converter.levels.tolist(), converter.rows, double)}
}};

/* What the network sees for each code. */
static const float {name}_levels_network[{macro}_THRESHOLDS + 1] = {{
{lines_of([double(float(value)) + "f" for value in converter.values], "    ")}
}};
#endif
{lut}
#endif
"""


def _lut(converter: Converter, code: str) -> str:
    name, macro, coding = converter.name, converter.name.upper(), converter.native.coding
    place = "the unsigned number that its bits are" if coding.signed else "its count"
    return f"""
#ifdef {macro}_LUT
/* The code of every sample, at {place}. */
static const {code} {name}_lut[{macro}_ROWS][{converter.native.codes}] = {{
{table(converter.lut_by_word().tolist(), converter.rows, "{}", 32)}
}};
#endif
"""


def program(converter: Converter) -> str:
    """`<name>_test.c`: checks `<name>.h` against the vector file; exits with 0 if every code is as expected.

    Given three more arguments, a file of doubles, one to write, and how many doubles belong to each row, it also
    compares each double with its row's thresholds in the sensor's unit, and writes its code as an unsigned 32-bit
    integer.
    """
    name, macro, coding = converter.name, converter.name.upper(), converter.native.coding
    return (
        dedent(
            """\
            /* Checks NAME.h: cc -std=c99 -o test NAME_test.c && ./test NAME_vectors.hex */
            #define MACRO_TABLES
            #define MACRO_LUT
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include "NAME.h"

            static int check_vectors(const char *path)
            {
                char line[256];
                int begins = 1, remark = 0;
                unsigned long vectors = 0, wrong = 0;
                unsigned row, code;
                unsigned long sample;
                FILE *file = fopen(path, "r");
                if (file == NULL) { perror(path); return 1; }
                while (fgets(line, sizeof line, file) != NULL) {
                    if (begins) remark = line[0] == '/';
                    begins = strchr(line, '\\n') != NULL; /* a remark may be longer than this buffer */
                    if (remark) continue;
                    if (sscanf(line, "%x_%lx_%x", &row, &sample, &code) != 3 || row >= MACRO_ROWS) {
                        printf("FAIL: not a vector: %s", line);
                        fclose(file);
                        return 1;
                    }
                    vectors++;
                    if (NAME_encode(row, SAMPLE) != code) wrong++;
            LOOKED_UP                }
                fclose(file);
                printf("%s: %lu vectors, %lu differences\\n", wrong || !vectors ? "FAIL" : "PASS", vectors, wrong);
                return wrong || !vectors;
            }

            static int encode_doubles(const char *from, const char *to, unsigned long per_row)
            {
                double x;
                unsigned long index = 0;
                FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
                if (in == NULL || out == NULL) { perror(in == NULL ? from : to); return 1; }
                while (fread(&x, sizeof x, 1, in) == 1) {
                    unsigned long row = index++ / per_row;
                    uint32_t code = 0;
                    unsigned step;
                    if (row >= MACRO_ROWS) { printf("FAIL: more doubles than rows\\n"); return 1; }
                    for (step = 1u << (MACRO_BITS - 1); step != 0; step >>= 1)
                        if (x >= NAME_thresholds_unit[row][code + step - 1]) code += step;
                    if (fwrite(&code, sizeof code, 1, out) != 1) { perror(to); return 1; }
                }
                fclose(in);
                return fclose(out) != 0;
            }

            int main(int argc, char **argv)
            {
                unsigned long per_row = argc == 5 ? strtoul(argv[4], NULL, 10) : 1;
                if ((argc != 2 && argc != 5) || per_row == 0) {
                    fprintf(stderr, "usage: %s VECTORS [DOUBLES CODES PER_ROW]\\n", argv[0]);
                    return 2;
                }
                if (check_vectors(argv[1])) return 1;
                return argc == 5 ? encode_doubles(argv[2], argv[3], per_row) : 0;
            }
            """
        )
        .replace("SAMPLE", from_word("sample", coding))
        .replace("LOOKED_UP", "        else if (NAME_lut[row][sample] != code) wrong++;\n" if converter.listed else "")
        .replace("NAME", name)
        .replace("MACRO", macro)
    )


def integer(lowest: int, highest: int) -> str:
    """The smallest type that holds these numbers, signed where one is negative.

    >>> integer(0, 255), integer(0, 256), integer(-2048, 2047), integer(-128, 128)
    ('uint8_t', 'uint16_t', 'int16_t', 'int16_t')
    """
    if lowest >= 0:
        return next(f"uint{bits}_t" for bits in (8, 16, 32, 64) if highest < 1 << bits)
    return next(f"int{bits}_t" for bits in (8, 16, 32, 64) if max(-lowest - 1, highest) < 1 << (bits - 1))


def clamped(variable: str, coding: Coding) -> str:
    """Statements that cut a sample off at the ends of its range; none where its type has no more."""
    if coding.bits in (8, 16, 32):
        return ""
    if coding.signed:
        low, high = coding.lowest, coding.highest
        return f"    if ({variable} < {low}) {variable} = {low};\n    if ({variable} > {high}) {variable} = {high};\n"
    return f"    if ({variable} > {coding.highest}u) {variable} = {coding.highest}u;\n"


def from_word(variable: str, coding: Coding) -> str:
    """An expression for the sample whose bits an unsigned variable holds; NAME stands for the export's name."""
    if not coding.signed:
        return f"(NAME_sample){variable}"
    return f"(NAME_sample)((int64_t)({variable} ^ {coding.middle}u) - {coding.middle})"


def double(value: float) -> str:
    """A literal that reads back as the same number."""
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = f"{value:.17g}"
    return text if set(text) & set(".e") else f"{text}.0"


def commented(lines: Sequence[str]) -> str:
    return "\n".join(f" * {comment(line)}".rstrip() for line in lines)


def table(rows: Sequence[Sequence[float]], names: Sequence[str], form: str | object, across: int = 8) -> str:
    """Initialisers, one block per row under its name."""
    write = form.format if isinstance(form, str) else form
    assert callable(write)
    blocks = []
    for row, name in zip(rows, names, strict=True):
        blocks.append(
            f"    {{ /* row {comment(name)} */\n{lines_of([write(value) for value in row], '        ', across)}\n    }}"
        )
    return ",\n".join(blocks)


def lines_of(numbers: Sequence[str], margin: str, across: int = 8) -> str:
    """Numbers in lines of at most `across`."""
    lines = [", ".join(numbers[i : i + across]) for i in range(0, len(numbers), across)]
    return ",\n".join(margin + line for line in lines)
