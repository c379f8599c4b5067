"""A converter as register values: one named hexadecimal number per line."""

from __future__ import annotations

from qsense.chip.converter import Converter
from qsense.chip.origin import Origin, identifier


def as_text(converter: Converter, origin: Origin) -> str:
    """`<ROW>_THRESHOLD_<code> 0x…` in native counts, for programmable comparators.

    A register is one bit wider than a sample where some threshold is reached by no sample: that bit alone switches a
    comparator off.
    """
    native = converter.native
    off = bool((converter.counts == native.codes).any())
    width = native.bits + off
    lines = [
        f"{converter.name}: thresholds in native counts, {width} bits per register",
        *origin.lines(),
        f"a sample of {native.bits} bits, offset binary, has code k from <ROW>_THRESHOLD_k on",
        *([f"0x{native.codes:X}: comparator off, no sample reaches this threshold"] if off else []),
    ]
    text = "".join(f"# {line}\n" for line in lines)
    for name, counts in zip(converter.rows, converter.counts.tolist(), strict=True):
        for k, count in enumerate(counts, 1):
            text += f"{identifier(name).upper()}_THRESHOLD_{k} 0x{count:0{-(-width // 4)}X}\n"
    return text
