"""A converter with memory as synthesizable Verilog (IEEE 1364-2001): decoder, encoder, and a bench that checks both.

One sample a clock; nothing but adders, comparators, shifts by constants, and tables: no multiplication, no division.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import NamedTuple

from qsense.chip.memory.codec import Codec
from qsense.chip.memory.vectors import vectors, widths
from qsense.chip.memory.words import meaning, summary, title
from qsense.chip.origin import Origin
from qsense.chip.verilog import chosen, packed
from qsense.runs.escapes import comment

STRIDE = 32  # bits from one number of a table to the next: a power of 2, so that a place is found without multiplying


def module(codec: Codec, origin: Origin) -> str:
    """`<name>.v`: modules `<name>_decoder`, and `<name>_encoder`, which contains one. `CHANNEL` picks the channel."""
    head = [
        title(codec),
        *origin.lines(),
        *summary(codec),
        *meaning(codec),
        f"State of one channel: {sum(codec.state.values())} bits: "
        f"{', '.join(f'{register} {bits}' for register, bits in codec.state.items())}.",
        "CHANNEL picks the channel. One sample a clock, at its rising edge. start begins a recording and is the reset; "
        "a code or sample beside it is ignored.",
    ]
    text = "".join(f"// {comment(line)}".rstrip() + "\n" for line in head)
    return text + "`timescale 1ns / 1ps\n\n" + _decoder(codec) + "\n" + _encoder(codec)


def _width(codec: Codec) -> int:
    """Bits of all signed arithmetic: 16-bit values, their differences, and what the tables hold."""
    largest: int = max(abs(number) for c in codec.constants for name in codec.tables for number in getattr(c, name))
    return max(20, largest.bit_length() + 2)


def _decoder(codec: Codec) -> str:
    name, sent, first = codec.name, codec.sent_bits, codec.constants[0]
    expected = "value"
    expected += f" - ((value - CENTRE) >>> {first.leak})" * bool(first.leak)
    expected += f" + ((value - earlier) >>> {first.slope})" * bool(first.slope)
    ports = [
        ("input  wire clock", ""),
        ("input  wire start", "begins a recording; the reset"),
        ("input  wire valid", "this clock has a code"),
        ("input  wire lost", "with valid: the code did not arrive, the last value is held"),
        (f"input  wire [{sent - 1}:0] code", "a native count where refreshes is 1" if codec.refresh else ""),
        ("output reg  signed [15:0] value", "decoded"),
        ("output wire signed [15:0] prediction", "of the next value"),
        *[(f"output wire signed [{_width(codec) - 1}:0] step", "of the next code")] * codec.adaptive,
        ("output wire refreshes", "the next code is a native count"),
    ]
    registers = _registers(codec)
    sample, refreshes = "", "1'b0"
    if codec.refresh:
        sample = f"    wire signed [15:0] sample = {_scaled(codec, f'code[{codec.native_bits - 1}:0]')};\n"
        refreshes = f"age == {codec.state['age']}'d0"
    declared = "".join(f"    reg {each.bits}{each.name};  // {each.what}\n" for each in registers)
    older = [f"{each.name} <= {each.grown};" for each in registers if each.grown]
    taken = _indented(["value <= after;", *(f"{each.name} <= {each.taken};" for each in registers if each.taken)])
    if codec.refresh:
        again = ["value <= sample;", *(f"{each.name} <= {each.again};" for each in registers if each.again)]
        taken = f"if (refreshes) begin\n{_indented(again)}end else begin\n{taken}end\n"
    begun = _indented(["value <= CENTRE[15:0];", *(f"{each.name} <= {each.begun};" for each in registers)])
    arrived = _indented([*older, "if (!lost) begin"]) + indent(taken, "    " * (1 + bool(codec.refresh))) + "    end\n"
    clocked = f"if (start) begin\n{begun}end else if (valid) begin\n{arrived}end\n"
    return f"""\
// Receiver: the value of each code, one clock later. It knows what the sender knows.
module {name}_decoder #(
    parameter CHANNEL = 0
) (
{_ports(ports)});
    localparam WIDTH = {_width(codec)};  // of signed arithmetic
    localparam signed [WIDTH-1:0] CENTRE ={_numbers(codec, [c.centre for c in codec.constants])}
{_tables(codec)}
    function signed [15:0] clip;
        input signed [WIDTH-1:0] wide;
        clip = wide < -32768 ? 16'sh8000 : wide > 32767 ? 16'sh7fff : $signed(wide[15:0]);
    endfunction

{declared}    wire signed [WIDTH-1:0] expected = {expected};
    assign prediction = clip(expected);
    assign refreshes = {refreshes};
{sample}{_residual(codec)}    wire signed [WIDTH-1:0] sum = prediction + residual;
    wire signed [15:0] after = clip(sum);

    always @(posedge clock) begin
{indent(clocked, " " * 8)}    end
endmodule
"""


def _ports(ports: Sequence[tuple[str, str]]) -> str:
    """Declarations, each with a remark or none."""
    last = len(ports) - 1
    lines = [(f"    {port}{',' * (k < last)}", remark) for k, (port, remark) in enumerate(ports)]
    return "".join(f"{line:<44} // {remark}\n" if remark else f"{line}\n" for line, remark in lines)


class Register(NamedTuple):
    """A part of the state beside the value.

    Args:
        name: its name.
        bits: "[…:0] ", empty for one bit.
        what: what it holds.
        begun: what it becomes at a start.
        again: at a refresh; empty: it stays.
        taken: as a code is taken over; empty: it stays.
        grown: at each sample, lost or not; empty: it stays.
    """

    name: str
    bits: str
    what: str
    begun: str
    again: str = ""
    taken: str = ""
    grown: str = ""


def _registers(codec: Codec) -> list[Register]:
    alike, sizes = codec.constants[0].alike, codec.state

    def zero(name: str) -> str:
        return f"{sizes.get(name)}'d0"

    every = {
        "earlier": Register("earlier", "signed [15:0] ", "the value before it", "CENTRE[15:0]", "sample", "value"),
        "age": Register(
            "age", _bits(sizes.get("age", 0)), "samples since the last refresh", zero("age"),
            grown=f"age == {sizes.get('age')}'d{codec.refresh - 1} ? {zero('age')} : age + {sizes.get('age')}'d1",
        ),
        "place": Register("place", _bits(sizes.get("place", 0)), "of the step", "FIRST", "FIRST", "moved_place"),
        "last": Register("last", "", "last code", zero("last"), zero("last"), "code[0]"),
        "run": Register(
            "run", _bits(sizes.get("run", 0)), f"equal codes in a row, up to {alike}; 0: none yet", zero("run"),
            zero("run"), "next_run",
        ),
    }  # fmt: skip
    return [every[name] for name in sizes if name != "value"]


def _bits(count: int) -> str:
    return f"[{count - 1}:0] " if count > 1 else ""


def _indented(statements: Sequence[str]) -> str:
    return "".join(f"    {statement}\n" for statement in statements)


def _scaled(codec: Codec, count: str) -> str:
    """A native count on the 16-bit scale: its highest bit inverted, at the top."""
    zeros = 16 - codec.native_bits
    return f"$signed({{{count}, {zeros}'d0}} ^ 16'h8000)" if zeros else f"$signed({count} ^ 16'h8000)"


def _numbers(codec: Codec, numbers: Sequence[int]) -> str:
    width = _width(codec)
    return chosen("CHANNEL", [_literal(number, width) for number in numbers], "WIDTH")


def _literal(number: int, width: int = STRIDE) -> str:
    return f"{'-' * (number < 0)}{width}'sd{abs(number)}"


def _tables(codec: Codec) -> str:
    """What the decoder looks up: levels by code, or steps by place and moves by magnitude."""
    if not codec.adaptive:
        return _table(codec, "levels", "LEVELS", "code")
    place = codec.state["place"]
    own = chosen("CHANNEL", [f"{place}'d{c.first << c.step_leak}" for c in codec.constants], str(place))
    first = f"    localparam [{place - 1}:0] FIRST ={own}\n"
    return first + _table(codec, "steps", "STEPS", "place") + _table(codec, "moves", "MOVES", "magnitude")


def _table(codec: Codec, which: str, name: str, index: str, from_: int = 0) -> str:
    """A table of all channels; one alone where it is the same for all."""
    rows = [getattr(c, which) for c in codec.constants]
    bits = f"[{STRIDE * len(rows[0]) - 1}:0]"
    alike = len(set(rows)) == 1
    text = ""
    for c, row in enumerate(rows[:1] if alike else rows):
        own = name if alike else f"{name}_{c}"
        whose = "" if alike else f", {codec.channels[c]}"
        remarks = [f"{index} {k}{whose}" for k in range(from_, from_ + len(row))]
        text += packed(f"{bits} {own}", [_literal(number) for number in row], remarks)
    if not alike:
        picked = chosen("CHANNEL", [f"{name}_{c}" for c in range(len(rows))], str(STRIDE * len(rows[0])))
        text += f"    localparam {bits} {name} ={picked}\n"
    return text


def _looked_up(name: str, index: str) -> str:
    return f"$signed({name}[{{{index}, 5'd0}} +: WIDTH])"


def _residual(codec: Codec) -> str:
    """What a code stands for, and of an adaptive step where it goes."""
    if not codec.adaptive:
        return f"    wire signed [WIDTH-1:0] residual = {_looked_up('LEVELS', f'code[{codec.bits - 1}:0]')};\n"
    parts, place, first = codec.bits - 1, codec.state["place"], codec.constants[0]
    leak = first.step_leak
    last = (len(first.steps) - 1) << leak
    whole = f"place[{place - 1}:{leak}]" if leak else "place"  # without the fraction that lets it leak
    at, move = "$signed({1'b0, place})", _looked_up("MOVES", "magnitude")
    if leak:
        at = f"{at} - (({at} - $signed({{1'b0, FIRST}})) >>> {leak})"
        move = f"({move} <<< {leak})"
    size = f"(step >>> {parts})" if parts else "step"
    for part in range(parts):
        half = f"(step >>> {part})" if part else "step"
        size += f"\n        + (code[{parts - 1 - part}] ? {half} : {{WIDTH{{1'b0}}}})"
    size = size.replace("{WIDTH{1'b0}}", "ZERO")
    if parts:
        loud = f"    wire [{parts - 1}:0] magnitude = code[{parts - 1}:0];\n"
    else:
        run = codec.state["run"]
        loud = f"""\
    wire [{run - 1}:0] next_run = run == {run}'d0 || code[0] != last ? {run}'d1 :
        run < {run}'d{first.alike} ? run + {run}'d1 : run;
    wire magnitude = next_run >= {run}'d{first.alike};  // 1 bit: whether codes are alike
"""
    zero = "    localparam signed [WIDTH-1:0] ZERO = 0;\n" if parts else ""
    return f"""\
{zero}    assign step = {_looked_up("STEPS", whole)};
    wire signed [WIDTH-1:0] size = {size};
    wire signed [WIDTH-1:0] residual = code[{parts}] ? -size : size;
{loud}    wire signed [WIDTH-1:0] moved = {at} + {move};
    wire [{place - 1}:0] moved_place = moved < 0 ? {place}'d0 : moved > {last} ? {place}'d{last} : moved[{place - 1}:0];
"""


def _encoder(codec: Codec) -> str:
    name, native, sent, bits, width = codec.name, codec.native_bits, codec.sent_bits, codec.bits, _width(codec)
    step = f"    wire signed [{width - 1}:0] step;\n" if codec.adaptive else ""
    connected = ", .step(step)" if codec.adaptive else ""
    ports = [
        ("input  wire clock", ""),
        ("input  wire start", "begins a recording; the reset"),
        ("input  wire valid", "this clock has a sample"),
        (f"input  wire [{native - 1}:0] sample", "native count"),
        (f"output reg  [{sent - 1}:0] code", ""),
        ("output reg  code_valid", "a code is there"),
        ("output reg  code_is_sample", f"it is a native count of {native} bits; else it has {bits}"),
        ("output wire signed [15:0] value", "what the receiver decodes"),
    ]
    own = "own" if sent == bits else f"{{{sent - bits}'d0, own}}"
    if codec.refresh:
        sample = "sample" if sent == native else f"{{{sent - native}'d0, sample}}"
        own = f"refreshes ? {sample} : {own}"
    return f"""\
// Sender: the code of each sample, one clock later; at a refresh the sample itself.
module {name}_encoder #(
    parameter CHANNEL = 0
) (
{_ports(ports)});
    localparam WIDTH = {width};  // of signed arithmetic
    wire signed [15:0] prediction;
{step}    wire refreshes;
    wire signed [15:0] scaled = {_scaled(codec, "sample")};
    wire signed [WIDTH-1:0] residual = scaled - prediction;
{_compared(codec) if not codec.adaptive else _approximated(codec)}    wire [{sent - 1}:0] next = {own};

    {name}_decoder #(.CHANNEL(CHANNEL)) receiver (
        .clock(clock), .start(start), .valid(valid), .lost(1'b0), .code(next),
        .value(value), .prediction(prediction){connected}, .refreshes(refreshes)
    );

    always @(posedge clock) begin
        code_valid <= valid && !start;
        code_is_sample <= refreshes;
        code <= next;
    end
endmodule
"""


def _compared(codec: Codec) -> str:
    """A comparator per threshold of the residual; the code is how many of them it reaches."""
    count = len(codec.constants[0].thresholds)
    return f"""\
{_table(codec, "thresholds", "THRESHOLDS", "code", 1)}    wire [{count - 1}:0] reached;
    reg [{codec.bits - 1}:0] own;
    integer k;

    genvar g;
    generate
        for (g = 0; g < {count}; g = g + 1) begin : comparator
            assign reached[g] = residual >= $signed(THRESHOLDS[g*{STRIDE} +: WIDTH]);
        end
    endgenerate

    always @* begin
        own = 0;
        for (k = 0; k < {count}; k = k + 1)
            own = own + reached[k];
    end

"""


def _approximated(codec: Codec) -> str:
    """Sign, then successive approximation: one comparison for each halved step."""
    parts = codec.bits - 1
    if not parts:
        return "    wire own = residual < 0;\n"
    text = "    wire sign = residual < 0;\n    wire signed [WIDTH-1:0] rest_0 = sign ? -residual : residual;\n"
    for part in range(parts):
        half = f"(step >>> {part})" if part else "step"
        text += f"    wire reached_{part} = rest_{part} >= {half};\n"
        if part < parts - 1:
            rest = f"reached_{part} ? rest_{part} - {half} : rest_{part}"
            text += f"    wire signed [WIDTH-1:0] rest_{part + 1} = {rest};\n"
    return text + f"    wire [{parts}:0] own = {{sign, {', '.join(f'reached_{part}' for part in range(parts))}}};\n"


def bench(codec: Codec) -> str:
    """`<name>_tb.v`: drives every vector of `<name>_vectors.hex`, in order, through each channel's encoder and decoder,
    and says PASS or FAIL.

    iverilog -g2001 -o tb <name>.v <name>_tb.v && vvp tb
    """
    name, native, sent, channels = codec.name, codec.native_bits, codec.sent_bits, len(codec.channels)
    of_flags, of_channel, of_count, of_code, of_value = (4 * digits for digits in widths(codec))
    whole = of_flags + of_channel + of_count + of_code + of_value
    step = f"            wire signed [{_width(codec) - 1}:0] step;\n" if codec.adaptive else ""
    connected = ", .step(step)" if codec.adaptive else ""
    return f"""\
// Self-checking: iverilog -g2001 -o tb {name}.v {name}_tb.v && vvp tb
`timescale 1ns / 1ps

module {name}_tb;
    parameter COUNT = {len(vectors(codec).count)};
    reg [{whole - 1}:0] vectors [0:COUNT-1];
    reg [{whole - 1}:0] vector;
    reg clock, lost;
    reg [{channels - 1}:0] start, valid;
    reg [{channels * native - 1}:0] sample;  // of each channel its own, so that the others stay at rest
    reg [{channels * sent - 1}:0] codes;
    reg [{sent - 1}:0] code;
    reg [15:0] value;
    wire [{channels * sent - 1}:0] sent;
    wire [{channels * 16 - 1}:0] decoded;
    wire [{channels - 1}:0] ready;
    integer index, channel, wrong;

    genvar c;
    generate
        for (c = 0; c < {channels}; c = c + 1) begin : each
            wire signed [15:0] known, prediction;
            wire is_sample, refreshes;
{step}            {name}_encoder #(.CHANNEL(c)) encoder (
                .clock(clock), .start(start[c]), .valid(valid[c]), .sample(sample[c*{native} +: {native}]),
                .code(sent[c*{sent} +: {sent}]), .code_valid(ready[c]), .code_is_sample(is_sample), .value(known)
            );
            {name}_decoder #(.CHANNEL(c)) decoder (
                .clock(clock), .start(start[c]), .valid(valid[c]), .lost(lost), .code(codes[c*{sent} +: {sent}]),
                .value(decoded[c*16 +: 16]), .prediction(prediction){connected}, .refreshes(refreshes)
            );
        end
    endgenerate

    initial begin
        $readmemh("{name}_vectors.hex", vectors);
        clock = 0;
        start = 0;
        valid = 0;
        wrong = 0;
        for (index = 0; index < COUNT; index = index + 1) begin
            vector = vectors[index];
            channel = vector[{of_count + of_code + of_value} +: {of_channel}];
            code = vector[{of_value} +: {sent}];
            sample[channel*{native} +: {native}] = vector[{of_code + of_value} +: {native}];
            codes[channel*{sent} +: {sent}] = code;
            value = vector[0 +: 16];
            lost = vector[{whole - of_flags + 1}];
            if (vector[{whole - of_flags}]) begin
                start[channel] = 1;
                #1 clock = 1;
                #1 clock = 0;
                start[channel] = 0;
            end
            valid[channel] = 1;
            #1 clock = 1;
            #1 clock = 0;
            valid[channel] = 0;
            if (^vector === 1'bx) begin
                wrong = wrong + 1;
                if (wrong == 1)
                    $display("{name}_vectors.hex is missing or short");
            end
            if (ready[channel] !== 1'b1 || sent[channel*{sent} +: {sent}] !== code) begin
                wrong = wrong + 1;
                if (wrong <= 10)
                    $display("encoder: channel %0d, vector %0d: code %0d instead of %0d", channel, index,
                        sent[channel*{sent} +: {sent}], code);
            end
            if (decoded[channel*16 +: 16] !== value) begin
                wrong = wrong + 1;
                if (wrong <= 10)
                    $display("decoder: channel %0d, vector %0d: value %0d instead of %0d", channel, index,
                        $signed(decoded[channel*16 +: 16]), $signed(value));
            end
        end
        if (wrong == 0)
            $display("PASS: %0d samples, 0 differences", COUNT);
        else
            $display("FAIL: %0d samples, %0d differences", COUNT, wrong);
        $finish;
    end
endmodule
"""
