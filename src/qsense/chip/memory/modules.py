"""The Verilog modules of a converter with memory from outside: their ports, and how wide their arithmetic is.

Open it to change what a design around them connects; `verilog.py` says what is inside.
"""

from __future__ import annotations

from qsense.chip.memory.codec import Codec
from qsense.chip.ports import Module, Port


def width(codec: Codec) -> int:
    """Bits of all signed arithmetic: 16-bit values, their differences, and what the tables hold."""
    largest: int = max(abs(number) for c in codec.constants for name in codec.tables for number in getattr(c, name))
    return max(20, largest.bit_length() + 2)


def modules(codec: Codec) -> list[Module]:
    """The modules that are written."""
    return [encoder(codec), decoder(codec)]


def encoder(codec: Codec) -> Module:
    """The sender's."""
    count, sent = f"it is a native count of {codec.native_bits} bits; else it has {codec.bits}", codec.sent_bits
    return Module(
        f"{codec.name}_encoder",
        "CHANNEL",
        (
            Port("input  wire", "clock", "one sample at its rising edge", remark=""),
            Port("input  wire", "start", "begins a recording; the reset"),
            Port("input  wire", "valid", "this clock has a sample"),
            Port(
                "input  wire", "sample", f"native count, {codec.coding.name}", codec.native_bits, codec.twos_complement,
                "native count",
            ),
            Port("output reg ", "code", "what is sent", sent, remark=""),
            Port("output reg ", "code_valid", "a code is there"),
            Port("output reg ", "code_is_sample", count),
            Port("output wire", "value", "what the receiver decodes", 16, signed=True),
        ),
    )  # fmt: skip


def decoder(codec: Codec) -> Module:
    """The receiver's, which the sender contains."""
    code = "a native count where refreshes is 1" if codec.refresh else ""
    step = Port("output wire", "step", "of the next code", width(codec), signed=True)
    return Module(
        f"{codec.name}_decoder",
        "CHANNEL",
        (
            Port("input  wire", "clock", "one code at its rising edge", remark=""),
            Port("input  wire", "start", "begins a recording; the reset"),
            Port("input  wire", "valid", "this clock has a code"),
            Port("input  wire", "lost", "with valid: the code did not arrive, the last value is held"),
            Port("input  wire", "code", code or "what was sent", codec.sent_bits, remark=code),
            Port("output reg ", "value", "decoded", 16, signed=True),
            Port("output wire", "prediction", "of the next value", 16, signed=True),
            *[step] * codec.adaptive,
            Port("output wire", "refreshes", "the next code is a native count"),
        ),
    )
