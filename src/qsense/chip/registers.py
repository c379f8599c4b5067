"""A converter as register values: one named hexadecimal number per line."""

from __future__ import annotations

from collections.abc import Sequence

from qsense.chip.converter import Converter
from qsense.chip.names import identifier
from qsense.chip.origin import Origin
from qsense.runs.escapes import comment


def as_text(converter: Converter, origin: Origin) -> str:
    """`<ROW>_THRESHOLD_<code> 0x…` in native counts, for programmable comparators; `R<row>_<ROW>_…` where rows would
    share a name ("β" and "γ", "acc-x" and "acc x").

    A register is one bit wider than a sample where some threshold is reached by no sample: that bit alone switches a
    comparator off.
    """
    native = converter.native
    off = bool((converter.counts == native.codes).any())
    width = native.bits + off
    lines = [
        f"{converter.name}: thresholds in native counts, {width} bits per register",
        *origin.lines(),
        f"a sample of {native.bits} bits, {native.coding.name}, has code k from <ROW>_THRESHOLD_k on",
        *(
            [f"0x{native.coding.number(native.codes):X}: comparator off, no sample reaches this threshold"]
            if off
            else []
        ),
    ]
    text = "".join(f"# {comment(line)}\n" for line in lines)
    for name, counts in zip(prefixes(converter.rows), native.coding.number(converter.counts).tolist(), strict=True):
        for k, count in enumerate(counts, 1):
            text += f"{name}_THRESHOLD_{k} 0x{count & ((1 << width) - 1):0{-(-width // 4)}X}\n"
    return text


def prefixes(rows: Sequence[str]) -> list[str]:
    """A register prefix for each row, no two alike.

    >>> prefixes(["x", "y"]), prefixes(["acc x", "acc-x"])
    (['X', 'Y'], ['R0_ACC_X', 'R1_ACC_X'])
    """
    names = [identifier(row).upper() for row in rows]
    return names if len(set(names)) == len(names) else [f"R{r}_{name}" for r, name in enumerate(names)]
