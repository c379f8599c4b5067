"""A converter with memory as synthesizable Verilog (IEEE 1364-2001): decoder and encoder.

Open it to change the hardware, which `verilog_bench.py` checks. One sample a clock; nothing but adders, comparators,
shifts by constants, and tables: no multiplication, no division.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import NamedTuple

from qsense.chip.memory.codec import Codec
from qsense.chip.memory.modules import decoder, encoder, width
from qsense.chip.memory.words import meaning, summary, title
from qsense.chip.origin import Origin
from qsense.chip.ports import declared
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


def _decoder(codec: Codec) -> str:
    name, first = codec.name, codec.constants[0]
    expected = "value"
    expected += f" - ((value - CENTRE) >>> {first.leak})" * bool(first.leak)
    expected += f" + ((value - earlier) >>> {first.slope})" * bool(first.slope)
    registers = _registers(codec)
    sample, refreshes = "", "1'b0"
    if codec.refresh:
        sample = f"    wire signed [15:0] sample = {_scaled(codec, f'code[{codec.native_bits - 1}:0]')};\n"
        refreshes = f"age == {codec.state['age']}'d0"
    kept = "".join(f"    reg {each.bits}{each.name};  // {each.what}\n" for each in registers)
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
{declared(decoder(codec).ports)});
    localparam WIDTH = {width(codec)};  // of signed arithmetic
    localparam signed [WIDTH-1:0] CENTRE ={_numbers(codec, [c.centre for c in codec.constants])}
{_tables(codec)}
    function signed [15:0] clip;
        input signed [WIDTH-1:0] wide;
        clip = wide < -32768 ? 16'sh8000 : wide > 32767 ? 16'sh7fff : $signed(wide[15:0]);
    endfunction

{_companded(codec) * bool(codec.refresh)}{kept}    wire signed [WIDTH-1:0] expected = {expected};
    assign prediction = clip(expected);
    assign refreshes = {refreshes};
{sample}{_residual(codec)}    wire signed [WIDTH-1:0] sum = prediction + residual;
    wire signed [15:0] after = clip(sum);

    always @(posedge clock) begin
{indent(clocked, " " * 8)}    end
endmodule
"""


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
    """A native count on the 16-bit scale: at the top, in two's complement as it is, else with its highest bit
    inverted."""
    zeros = 16 - codec.native_bits
    if codec.compand:
        return f"companded({count})"
    if codec.twos_complement:
        return f"$signed({{{count}, {zeros}'d0}})" if zeros else f"$signed({count})"
    return f"$signed({{{count}, {zeros}'d0}} ^ 16'h8000)" if zeros else f"$signed({count} ^ 16'h8000)"


def _companded(codec: Codec) -> str:
    """The companding table as a function; synthesis makes a ROM of it."""
    if not codec.compand:
        return ""
    n, coding = codec.native_bits, codec.coding
    places = "".join(
        f"            {n}'d{coding.word(count)}: companded = {_literal(place, 16)};\n"
        for count, place in enumerate(codec.compand[:-1])
    )
    return f"""\
    function signed [15:0] companded;  // where a native count lies on the 16-bit scale
        input [{n - 1}:0] count;
        case (count)
{places}            default: companded = {_literal(codec.compand[-1], 16)};
        endcase
    endfunction

"""


def _numbers(codec: Codec, numbers: Sequence[int]) -> str:
    return chosen("CHANNEL", [_literal(number, width(codec)) for number in numbers], "WIDTH")


def _literal(number: int, bits: int = STRIDE) -> str:
    return f"{'-' * (number < 0)}{bits}'sd{abs(number)}"


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
    name, native, sent, bits = codec.name, codec.native_bits, codec.sent_bits, codec.bits
    step = f"    wire signed [{width(codec) - 1}:0] step;\n" if codec.adaptive else ""
    connected = ", .step(step)" if codec.adaptive else ""
    own = "own" if sent == bits else f"{{{sent - bits}'d0, own}}"
    if codec.refresh:
        sample = "sample" if sent == native else f"{{{sent - native}'d0, sample}}"
        own = f"refreshes ? {sample} : {own}"
    return f"""\
// Sender: the code of each sample, one clock later; at a refresh the sample itself.
module {name}_encoder #(
    parameter CHANNEL = 0
) (
{declared(encoder(codec).ports)});
    localparam WIDTH = {width(codec)};  // of signed arithmetic
    wire signed [15:0] prediction;
{step}    wire refreshes;
{_companded(codec)}    wire signed [15:0] scaled = {_scaled(codec, "sample")};
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
