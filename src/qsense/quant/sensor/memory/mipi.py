"""MIPI CSI-2's compressed raw frames, as cameras send them: 8 bits per sample of 10, or 10 of 12.

Open it to see how frames become its codes; `mipi_codes.py` has their arithmetic, and its sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.codes import are_codes
from qsense.quant.sensor.memory import mipi_codes
from qsense.quant.sensor.memory.companding import square_root
from qsense.quant.sensor.memory.row_dpcm import seen_of
from qsense.quant.sensor.memory.settings import check
from qsense.quant.sensor.memory.whole import Codes, WholeConverter
from qsense.signal import Signal


class MipiDPCM(WholeConverter):
    """Sends each sample by its difference from the decoded sample before it in its row, of the same colour, finely
    where it is small; where it is large, the sample itself in steps of 8 (CSI-2's DPCM/PCM, predictor 1). Frames are
    converted at native size, before anything resizes them.

    Nothing is learned or placed. Each row of a colour begins anew, so a lost row costs that row alone. Differences
    below 32 counts of 10 bits (128 of 12) lose nothing, and none loses more than 4; a row's first sample loses its two
    lowest bits.

    Counts of n bits become samples of `bits` + 2: shifted up, or without their lowest bits, as of a camera that sends
    fewer bits than it has. The receiver goes to the native count that is nearest to what it decodes, or to the middle
    of those that it may have been.

    Modes with fewer bits (10-7-10, 10-6-10, 12-8-12, 12-7-12, 12-6-12) are not here: no two public sources confirm
    their tables.

    Args:
        signal: what the sensor delivers, native codes of frames, of `bits` … 16 bits.
        bits: 8 (10-8-10) or 10 (12-10-12).
        output: what the network sees: "linear": the counts' values; "companded": their square roots, as behind
            `RowDPCM`.

    Raises:
        ValueError: an argument out of its range, or a signal without native codes.
    """

    takes: ClassVar[str] = "frames"
    digital: ClassVar[bool] = True
    most_bits: ClassVar[int] = 10
    only_bits: ClassVar[tuple[int, ...]] = (8, 10)
    seen: Tensor

    def __init__(self, signal: Signal, bits: int = 8, *, output: Literal["linear", "companded"] = "linear") -> None:
        name = type(self).__name__
        if output not in ("linear", "companded"):
            raise ValueError(f"output={output!r}: {name} allows linear or companded")
        super().__init__(signal)
        native = check(name, signal, bits, self.most_bits, self.takes, only_bits=self.only_bits)
        self.bits, self.native_bits = bits, native
        self.shift = native - bits - 2
        self.output = output
        compand = square_root(native, signal.black) if output == "companded" else ()
        self.register_buffer("seen", seen_of(signal, native, signal.black, signal.top, compand), persistent=False)

    def sent(self, codes: Codes) -> npt.NDArray[np.uint16]:
        """The codes of frames of native counts [..., planes, h, w], in the same shape.

        Raises:
            ValueError: another number of dimensions.
        """
        if codes.ndim < 3:
            raise ValueError(f"shape {list(codes.shape)}: frames are [planes, h, w], one or a batch of them")
        counts = np.clip(codes, 0, (1 << self.native_bits) - 1).astype(np.uint16)
        samples = counts >> np.uint16(self.shift) if self.shift > 0 else counts << np.uint16(-self.shift)
        return mipi_codes.encode(_rows(samples), self.bits).reshape(codes.shape)

    def counts_of(self, codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """The native counts that codes [..., w] stand for, each row from its start."""
        samples = mipi_codes.decode(_rows(codes), self.bits).reshape(codes.shape).astype(np.int32)
        if self.shift > 0:
            counts = (samples << self.shift) + (1 << self.shift >> 1)
        else:
            counts = np.minimum((samples + (1 << -self.shift >> 1)) >> -self.shift, (1 << self.native_bits) - 1)
        nearest: npt.NDArray[np.uint16] = counts.astype(np.uint16)
        return nearest

    def received(self, codes: Codes) -> npt.NDArray[np.uint16]:
        return self.counts_of(self.sent(codes))

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees of native counts that a receiver has decoded, float32; values stay as they are."""
        if not are_codes(x, self.signal):
            return super().forward(x, condition)
        return self.seen[x.long().clamp(0, len(self.seen) - 1)]

    def encode(self, x: Tensor) -> Tensor:
        """The codes of frames of native counts [..., planes, h, w], int32 in the same shape.

        Raises:
            ValueError: x does not hold native codes, or has another number of dimensions.
        """
        if x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: {type(self).__name__} converts native codes, integers")
        return torch.from_numpy(self.sent(x.cpu().numpy()).astype(np.int32)).to(x.device)

    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees of codes [..., w], each row from its start, float32 in the same shape.

        Raises:
            ValueError: numbers that are no codes of so many bits.
        """
        numbers, largest = codes.cpu().numpy(), (1 << self.bits) - 1
        if codes.is_floating_point() or (numbers.size and not 0 <= numbers.min() <= numbers.max() <= largest):
            raise ValueError(f"codes of dtype {codes.dtype}: {type(self).__name__} decodes integers, 0 to {largest}")
        counts = self.counts_of(numbers.astype(np.uint16)).astype(np.int32)
        return self.forward(torch.from_numpy(counts).to(self.seen.device))

    @property
    def settings(self) -> dict[str, object]:
        """See the base class; and by which rule codes are chosen."""
        return {**super().settings, "encoding": mipi_codes.ENCODING}

    def extra_repr(self) -> str:
        """Settings, as `print(module)` shows them."""
        return f"bits={self.bits}, native_bits={self.native_bits}, output={self.output}"


def _rows(frames: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    return frames.reshape(-1, frames.shape[-1])
