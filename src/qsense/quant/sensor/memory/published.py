"""What cameras' published formats share: they code the native samples of frames, and nothing of them is placed.

Open it to see what the network sees of what a receiver decodes; `pisp.py` and `mipi.py` have the formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from torch import Tensor

from qsense.quant.sensor.codes import are_codes
from qsense.quant.sensor.memory.companding import square_root
from qsense.quant.sensor.memory.row_dpcm import seen_of
from qsense.quant.sensor.memory.settings import check
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.signal import Signal


class PublishedFormat(WholeConverter):
    """A format of raw frames, between a sensor's native counts and those that a receiver decodes.

    Args:
        signal: what the sensor delivers, native codes of frames.
        bits: of a code.
        output: what the network sees: "linear": the counts' values; "companded": their square roots, as behind
            `RowDPCM`.
        least_bits: of a code.
        modes: bits of codes by those of samples, where the format knows some only; see `settings.check`.

    Raises:
        ValueError: an argument out of its range, or a signal without native codes.
    """

    takes: ClassVar[str] = "frames"
    digital: ClassVar[bool] = True
    most_bits: ClassVar[int]
    seen: Tensor

    def __init__(
        self,
        signal: Signal,
        bits: int,
        output: Literal["linear", "companded"],
        *,
        least_bits: int = 1,
        modes: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        name = type(self).__name__
        if output not in ("linear", "companded"):
            raise ValueError(f"output={output!r}: {name} allows linear or companded")
        super().__init__(signal)
        native = check(name, signal, bits, self.most_bits, self.takes, least_bits=least_bits, modes=modes)
        self.bits, self.native_bits, self.output = bits, native, output
        compand = square_root(native, signal.black) if output == "companded" else ()
        self.register_buffer("seen", seen_of(signal, native, signal.black, signal.top, compand), persistent=False)

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees of native counts that a receiver has decoded, float32; values stay as they are."""
        if not are_codes(x, self.signal):
            return super().forward(x, condition)
        return self.seen[x.long().clamp(0, len(self.seen) - 1)]
