"""A converter as synthesizable Verilog (IEEE 1364-2001): comparators, a look-up table, and a bench that checks both."""

from __future__ import annotations

from collections.abc import Sequence

from qsense.chip.converter import Converter
from qsense.chip.origin import Origin
from qsense.chip.ports import Module, Port, declared
from qsense.chip.vectors import vectors, widths
from qsense.runs.escapes import comment

MOST_COMPARED = 8  # bits: a flash converter of more has more comparators than anybody builds


def compares(converter: Converter) -> bool:
    """Whether there is a module of comparators: up to 8 bits."""
    return converter.bits <= MOST_COMPARED


def module(converter: Converter, origin: Origin) -> str:
    """`<name>.v`: module `<name>`, a comparator per threshold (up to 8 bits), and module `<name>_lut`, a synchronous
    ROM that `$readmemh` fills (up to 16 native bits). `ROW` picks the channel or condition.

    Raises:
        ValueError: more bits than for comparators, of a sensor with more than for a table.
    """
    if not compares(converter) and not converter.listed:
        raise ValueError(
            f"no Verilog for {converter.bits} bits behind a sensor of {converter.native.bits}: comparators are written "
            f"for up to {MOST_COMPARED} bits, look-up tables for up to 16 native bits"
        )
    parts = [_comparators(converter)] if compares(converter) else []
    parts += [_lut(converter)] if converter.listed else []
    rows = ", ".join(f"{r} = {name}" for r, name in enumerate(converter.rows))
    native = converter.native
    head = [
        f"{converter.bits}-bit converter behind a sensor of {native.bits} bits.",
        *origin.lines(),
        f"Samples are {native.coding.name}: {native.coding.number(native.black)} to "
        f"{native.coding.number(native.white)} means {native.low:g} to {native.high:g} {converter.unit}.",
        f"ROW: {rows}.",
    ]
    return "".join(f"// {comment(line)}\n" for line in head) + "`timescale 1ns / 1ps\n\n" + "\n".join(parts)


def modules(converter: Converter) -> list[Module]:
    """The modules that are written."""
    return [comparators(converter)] * compares(converter) + [look_up_table(converter)] * converter.listed


def comparators(converter: Converter) -> Module:
    """The flash converter's."""
    native = converter.native
    sample = f"native count, {native.coding.name}"
    return Module(
        converter.name,
        "ROW",
        (
            Port("input  wire", "sample", sample, native.bits, native.twos_complement, ""),
            Port("output reg ", "code", "how many thresholds the sample reaches", converter.bits, remark=""),
        ),
    )


def look_up_table(converter: Converter) -> Module:
    """The read-only memory's."""
    flash = comparators(converter)
    sample, code = flash.ports
    clock = Port("input  wire", "clock", "the code follows at its rising edge", remark="")
    return Module(f"{flash.name}_lut", flash.parameter, (clock, sample, code._replace(meaning="of the last sample")))


def _comparators(converter: Converter) -> str:
    width = converter.native.bits + 1  # a threshold that no sample reaches needs one bit more
    rows = range(len(converter.rows))
    tables = "".join(_table(converter, r, width) for r in rows)
    count = "sample"
    if converter.native.twos_complement:  # thresholds are offset binary: one inverted bit for all of them
        count += f" ^ {converter.native.bits}'h{converter.native.coding.middle:x}"
    return f"""\
// One comparator per threshold; the code is how many of them the sample reaches.
module {converter.name} #(
    parameter ROW = 0
) (
{declared(comparators(converter).ports)});
    localparam COUNT = {converter.counts.shape[1]};  // thresholds of a row
    localparam WIDTH = {width};
{tables}    localparam [WIDTH*COUNT-1:0] THRESHOLDS ={chosen("ROW", [f"ROW_{r}" for r in rows], "WIDTH*COUNT")}
    wire [COUNT-1:0] reached;
    integer k;

    genvar g;
    generate
        for (g = 0; g < COUNT; g = g + 1) begin : comparator
            assign reached[g] = {{1'b0, {count}}} >= THRESHOLDS[g*WIDTH +: WIDTH];
        end
    endgenerate

    always @* begin
        code = 0;
        for (k = 0; k < COUNT; k = k + 1)
            code = code + reached[k];
    end
endmodule
"""


def _table(converter: Converter, row: int, width: int) -> str:
    numbers = [f"{width}'h{count:0{-(-width // 4)}x}" for count in converter.counts[row].tolist()]
    remarks = [f"code {k}, {converter.rows[row]}" for k in range(1, len(numbers) + 1)]
    return packed(f"[WIDTH*COUNT-1:0] ROW_{row}", numbers, remarks)


def packed(name: str, numbers: Sequence[str], remarks: Sequence[str]) -> str:
    """A table as one vector, its first number in the lowest bits: a constant for each row, since no tool need allow a
    vector more than 65 536 bits.

    Args:
        name: its bits and name.
        numbers: sized literals.
        remarks: on each; some tools take a comment that begins with a word of theirs for an order, so let it not begin
            with other people's.
    """
    lines = [
        f"        {number}{',' if k else ''} // {comment(remark)}\n"
        for k, (number, remark) in enumerate(zip(numbers, remarks, strict=True))
    ]
    return f"    localparam {name} = {{\n{''.join(reversed(lines))}    }};\n"


def chosen(parameter: str, values: Sequence[str], width: str) -> str:
    """The value for this value of a parameter; x for one that there is not."""
    own = "".join(f"\n        {parameter} == {r} ? {value} :" for r, value in enumerate(values))
    return f"{own}\n        {{({width}){{1'bx}}}};  // no such {parameter.lower()}"


def _lut(converter: Converter) -> str:
    name, codes = converter.name, converter.native.codes
    address = "$unsigned(sample)" if converter.native.twos_complement else "sample"
    return f"""\
// The same as a read-only memory, one clock later.
module {name}_lut #(
    parameter ROW = 0,
    parameter FILE = "{name}_lut.hex"
) (
{declared(look_up_table(converter).ports)});
    reg [{converter.bits - 1}:0] rom [0:{len(converter.rows) * codes - 1}];

    initial $readmemh(FILE, rom);

    always @(posedge clock)
        code <= rom[ROW*{codes} + {address}];
endmodule
"""


def lut_file(converter: Converter, origin: Origin) -> str:
    """`<name>_lut.hex`: the code of every native count, row after row, for `$readmemh`."""
    digits = -(-converter.bits // 4)
    what = "the two's complement words" if converter.native.twos_complement else "native count"
    lines = [f"{converter.name}: code of {what} 0 to {converter.native.codes - 1}, row after row"]
    text = "".join(f"// {comment(line)}\n" for line in [*lines, *origin.lines()])
    for name, codes in zip(converter.rows, converter.lut_by_word().tolist(), strict=True):
        text += f"// row {comment(name)}\n"
        for start in range(0, len(codes), 16):
            text += " ".join(f"{code:0{digits}x}" for code in codes[start : start + 16]) + "\n"
    return text


def bench(converter: Converter) -> str:
    """`<name>_tb.v`: drives every vector of `<name>_vectors.hex` through every module and says PASS or FAIL.

    iverilog -g2001 -o tb <name>.v <name>_tb.v && vvp tb
    """
    name, bits, native, rows = converter.name, converter.bits, converter.native.bits, len(converter.rows)
    of_row, of_count, of_code = (4 * digits for digits in widths(converter))
    duts, checks = "", ""
    sample = f".sample(samples[r*{native} +: {native}])"
    if compares(converter):
        duts += f"            {name} #(.ROW(r)) comparators ({sample}, .code(compared[r*{bits} +: {bits}]));\n"
        checks += _check("comparators", f"compared[row*{bits} +: {bits}]")
    if converter.listed:
        ports = f".clock(clock), {sample}, .code(looked[r*{bits} +: {bits}])"
        duts += f"            {name}_lut #(.ROW(r)) lut ({ports});\n"
        checks += _check("lut", f"looked[row*{bits} +: {bits}]")
    return f"""\
// Self-checking: iverilog -g2001 -o tb {name}.v {name}_tb.v && vvp tb
`timescale 1ns / 1ps

module {name}_tb;
    localparam COUNT = {len(vectors(converter).row)};
    reg [{of_row + of_count + of_code - 1}:0] vectors [0:COUNT-1];
    reg clock;
    reg [{native - 1}:0] sample;
    reg [{rows * native - 1}:0] samples;
    reg [{bits - 1}:0] expected;
    wire [{rows * bits - 1}:0] compared, looked;
    integer index, row, wrong;

    genvar r;
    generate
        for (r = 0; r < {rows}; r = r + 1) begin : each
{duts}        end
    endgenerate

    initial begin
        $readmemh("{name}_vectors.hex", vectors);
        clock = 0;
        wrong = 0;
        for (index = 0; index < COUNT; index = index + 1) begin
            row = vectors[index][{of_count + of_code} +: {of_row}];
            sample = vectors[index][{of_code} +: {native}];
            samples[row*{native} +: {native}] = sample;
            expected = vectors[index][0 +: {bits}];
            #1 clock = 1;
            #1 clock = 0;
            if (^vectors[index] === 1'bx) begin
                wrong = wrong + 1;
                if (wrong == 1)
                    $display("{name}_vectors.hex is missing or short");
            end
{checks}        end
        if (wrong == 0)
            $display("PASS: %0d vectors, 0 differences", COUNT);
        else
            $display("FAIL: %0d vectors, %0d differences", COUNT, wrong);
        $finish;
    end
endmodule
"""


def _check(what: str, code: str) -> str:
    return f"""\
            if ({code} !== expected) begin
                wrong = wrong + 1;
                if (wrong <= 10)
                    $display("{what}: row %0d, sample %0d: code %0d instead of %0d", row, sample, {code}, expected);
            end
"""
