"""A converter as a C99 header: integer comparisons alone, one per bit, like a successive-approximation ADC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import dedent, indent

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
    sample, code = uint(native.codes - 1), uint((1 << converter.bits) - 1)
    threshold = uint(int(converter.counts.max()))
    clamp = ""
    if native.bits not in (8, 16, 32):
        clamp = indent(f"\nif (sample > {native.codes - 1}u) sample = {native.codes - 1}u;", "    ")
    meaning = f"{native.low:g} to {native.high:g} {converter.unit}"
    unit = comment(converter.unit) or "the sensor's unit"
    lut, lut_hint = "", ""
    if converter.listed:
        lut, lut_hint = _lut(converter, code), f"\n * Define {macro}_LUT before including for the code of every sample."
    rows = ", ".join(f"{r} = {row}" for r, row in enumerate(converter.rows))
    head = [
        f"Samples are offset binary: count {native.black} to {native.white} means {meaning}.",
        f"Rows: {rows}.",
        f"A threshold of {native.codes} is reached by no sample, one of 0 by each.",
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
{table(converter.counts.tolist(), converter.rows, "{}")}
}};

/* The code of a sample: one comparison per bit. */
static inline {name}_code {name}_encode(unsigned row, {name}_sample sample)
{{
    const {threshold} *thresholds = {name}_thresholds[row];
    unsigned code = 0;
    unsigned step;{clamp}
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
    name, macro = converter.name, converter.name.upper()
    return f"""
#ifdef {macro}_LUT
/* The code of every sample. */
static const {code} {name}_lut[{macro}_ROWS][{converter.native.codes}] = {{
{table(converter.lut().tolist(), converter.rows, "{}", 32)}
}};
#endif
"""


def program(converter: Converter) -> str:
    """`<name>_test.c`: checks `<name>.h` against the vector file; exits with 0 if every code is as expected.

    Given three more arguments, a file of doubles, one to write, and how many doubles belong to each row, it also
    compares each double with its row's thresholds in the sensor's unit, and writes its code as an unsigned 32-bit
    integer.
    """
    name, macro = converter.name, converter.name.upper()
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
                    if (NAME_encode(row, (NAME_sample)sample) != code) wrong++;
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
        .replace("LOOKED_UP", "        else if (NAME_lut[row][sample] != code) wrong++;\n" if converter.listed else "")
        .replace("NAME", name)
        .replace("MACRO", macro)
    )


def uint(largest: int) -> str:
    """The smallest unsigned type that holds a number.

    >>> uint(255), uint(256), uint(1 << 32)
    ('uint8_t', 'uint16_t', 'uint64_t')
    """
    return next(f"uint{bits}_t" for bits in (8, 16, 32, 64) if largest < 1 << bits)


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
