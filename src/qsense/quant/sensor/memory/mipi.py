"""MIPI CSI-2's compressed raw frames, as cameras send them: 6 to 10 bits per sample of 12, or 8 of 10.

Open it to see how frames become its codes; `mipi_codes.py` has their arithmetic, and its sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.memory import mipi_codes
from qsense.quant.sensor.memory.published import PublishedFormat
from qsense.quant.sensor.memory.settings import sample_bits
from qsense.quant.sensor.memory.whole import Codes
from qsense.signal import Signal


class MipiDPCM(PublishedFormat):
    """Sends each sample by its difference from a prediction, made of decoded samples before it in its line, finely
    where it is small; where it is large, the sample itself in coarse steps (CSI-2's DPCM/PCM). Frames are converted at
    native size, before anything resizes them.

    Nothing is learned or placed. A line of a Bayer sensor holds two colours in turn, and begins anew, so a lost line
    costs that line alone. With 10 or 8 bits a sample goes by the one before it of its own colour (predictor 1); with 7
    or 6 by four of both (predictor 2).

    Differences below 32 counts of 10 bits (10-8-10), and below 128, 8, 4 and 2 of 12 (12-10-12, 12-8-12, 12-7-12,
    12-6-12), lose nothing. No sample loses more than 4 counts (10-8-10, 12-10-12), 16, 32 and 64 of the mode.

    Counts of n bits become samples of 10 or 12: shifted up, or without their lowest bits. The receiver goes to the
    native count that is nearest to what it decodes, or to the middle of those that it may have been.

    MIPI's specification is for its members. Two public sources have 10-8-10 and 12-10-12; 12-8-12, 12-7-12 and 12-6-12
    have one, a vendor's decoder. 10-7-10 and 10-6-10 have none that we found, so they are not here.

    Args:
        signal: what the sensor delivers, native codes of frames, of 8 … 16 bits.
        bits: 8 of a sensor with up to 10 bits; 6, 7, 8 or 10 of others.
        output: what the network sees: "linear": the counts' values; "companded": their square roots, as behind
            `RowDPCM`.

    Raises:
        ValueError: an argument out of its range, or a signal without native codes.
    """

    most_bits: ClassVar[int] = 10
    modes: ClassVar[dict[int, tuple[int, ...]]] = {10: (8,), 12: (6, 7, 8, 10)}  # bits of codes by those of samples

    def __init__(self, signal: Signal, bits: int = 8, *, output: Literal["linear", "companded"] = "linear") -> None:
        super().__init__(signal, bits, output, modes=self.modes)
        self.sample_bits = sample_bits(self.native_bits, self.modes)

    @property
    def mode(self) -> mipi_codes.Mode:
        """How samples become codes."""
        return mipi_codes.MODES[self.sample_bits, self.bits]

    def sent(self, codes: Codes) -> npt.NDArray[np.uint16]:
        """The codes of frames of native counts [..., planes, h, w], in the same shape.

        Raises:
            ValueError: another number of planes or dimensions.
        """
        counts = np.clip(codes, 0, (1 << self.native_bits) - 1).astype(np.uint16)
        shift = self.native_bits - self.sample_bits
        samples = counts >> np.uint16(shift) if shift > 0 else counts << np.uint16(-shift)
        return self._of_lines(mipi_codes.encode(self._lines(samples), self.mode), codes.shape)

    def counts_of(self, codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """The native counts that codes [..., planes, h, w] stand for, in the same shape.

        Raises:
            ValueError: another number of planes or dimensions.
        """
        samples = self._of_lines(mipi_codes.decode(self._lines(codes), self.mode), codes.shape).astype(np.int32)
        shift = self.native_bits - self.sample_bits
        if shift > 0:
            counts = (samples << shift) + (1 << shift >> 1)
        else:
            counts = np.minimum((samples + (1 << -shift >> 1)) >> -shift, (1 << self.native_bits) - 1)
        nearest: npt.NDArray[np.uint16] = counts.astype(np.uint16)
        return nearest

    def received(self, codes: Codes) -> npt.NDArray[np.uint16]:
        return self.counts_of(self.sent(codes))

    def encode(self, x: Tensor) -> Tensor:
        """The codes of frames of native counts [..., planes, h, w], int32 in the same shape.

        Raises:
            ValueError: x does not hold native codes, or has another number of planes or dimensions.
        """
        if x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: {type(self).__name__} converts native codes, integers")
        return torch.from_numpy(self.sent(x.cpu().numpy()).astype(np.int32)).to(x.device)

    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees of codes [..., planes, h, w], float32 in the same shape.

        Raises:
            ValueError: numbers that are no codes of so many bits, or another number of planes or dimensions.
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
        mode = f"{self.sample_bits}-{self.bits}-{self.sample_bits}"
        return f"bits={self.bits}, native_bits={self.native_bits}, mode={mode}, output={self.output}"

    def _lines(self, frames: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """Planes [..., planes, h, w] as lines: of a Bayer sensor red and its green, and a green and blue, in turn."""
        *leading, height, width = frames.shape
        if len(leading) < 1 or leading[-1] != self.signal.channels:
            raise ValueError(
                f"shape {list(frames.shape)}: frames are [{self.signal.channels} planes, h, w], one or a batch of them"
            )
        if self.signal.bayer is None:
            return frames.reshape(-1, width)
        pairs = frames[..., _in_line(self.signal.bayer), :, :].reshape(-1, 2, height, width)
        return np.moveaxis(pairs, 1, -1).reshape(-1, 2 * width)

    def _of_lines(self, lines: npt.NDArray[np.uint16], shape: Sequence[int]) -> npt.NDArray[np.uint16]:
        """The planes of which `_lines` makes these lines."""
        if self.signal.bayer is None:
            return lines.reshape(shape)
        pairs = np.moveaxis(lines.reshape(-1, *shape[-2:], 2), -1, 1)
        return pairs.reshape(shape)[..., _in_line(self.signal.bayer), :, :]


def _in_line(bayer: str) -> list[int]:
    """Planes R, G1, G2, B in the order of a mosaic's lines, red's first; and back."""
    return [1, 0, 3, 2] if bayer.index("R") % 2 else [0, 1, 2, 3]
