"""The ports of a module, from which both its Verilog and its datasheet are written, so that they say the same.

Open it to say more of a port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Port(NamedTuple):
    """One port.

    Args:
        kind: how Verilog declares it: "input  wire", "output reg ", "output wire".
        name: its name.
        meaning: in a few words.
        bits: of a vector; 0: one bit alone.
        signed: whether its bits are a number in two's complement.
        remark: what its declaration says beside it; None: its meaning, empty: nothing.
    """

    kind: str
    name: str
    meaning: str
    bits: int = 0
    signed: bool = False
    remark: str | None = None

    @property
    def direction(self) -> str:
        """ "input" or "output"."""
        return self.kind.split()[0]

    @property
    def declaration(self) -> str:
        """As a module declares it."""
        vector = f"[{self.bits - 1}:0] " if self.bits else ""
        return f"{self.kind} {'signed ' * self.signed}{vector}{self.name}"


class Module(NamedTuple):
    """One module.

    Args:
        name: its name.
        parameter: what tells its instances apart.
        ports: in order.
    """

    name: str
    parameter: str
    ports: tuple[Port, ...]


def declared(ports: Sequence[Port]) -> str:
    """Declarations, a line each, with their remarks in a column."""
    last = len(ports) - 1
    text = ""
    for place, port in enumerate(ports):
        line = f"    {port.declaration}{',' * (place < last)}"
        remark = port.meaning if port.remark is None else port.remark
        text += f"{line:<44} // {remark}\n" if remark else f"{line}\n"
    return text
