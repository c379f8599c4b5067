"""DPCM along the rows of a raw frame: each sample by its decoded neighbour of the same colour on the left.

Open it to see what rows are, and what the network sees of them; `dpcm.py` places the levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeVar, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.codes import are_codes
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.companding import Companding, square_root
from qsense.quant.sensor.memory.constants import nearest_counts, scaled
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.settings import Settings
from qsense.signal import Signal

Codes = npt.NDArray[np.integer]
T = TypeVar("T", bound=np.generic)


class RowDPCM(DPCM):
    """Sends each sample of a frame as one of 2^bits levels of its difference from the decoded sample before it in its
    row, of the same colour. Frames are converted at native size, before anything resizes them.

    A row of a colour is what a recording is to `DPCM`: it begins at the centre, and depends on no other row, so a
    camera keeps one decoded value per colour and a lost row costs that row alone. Each colour has levels of its own.

    Counts are companded first (`square_root`), so that one set of levels serves all light: shot noise, and with it the
    difference between neighbours that show the same, is equally large everywhere. The receiver goes back to the native
    count that is nearest to what it decodes.

    Args:
        signal: what the sensor delivers, native codes of frames.
        bits: see `DPCM`, as for the other arguments.
        companding: "sqrt", or "none": counts as they are.
        output: what the network sees: "companded": places on the companded scale, black at the range's low end and
            white at its high end (as γ curves hand on codes of companded light); "linear": the counts' values.

    Raises:
        ValueError: an argument out of its range, or a signal without native codes.
    """

    takes: ClassVar[str] = "frames"
    seen: Tensor

    def __init__(
        self,
        signal: Signal,
        bits: int,
        *,
        companding: Companding = "sqrt",
        output: Literal["companded", "linear"] = "companded",
        **settings: Unpack[Settings],
    ) -> None:
        for key, value, allowed in (
            ("companding", companding, ("sqrt", "none")),
            ("output", output, ("companded", "linear")),
        ):
            if value not in allowed:
                raise ValueError(f"{key}={value!r}: {type(self).__name__} allows {' or '.join(allowed)}")
        super().__init__(signal, bits, **settings)
        self.companding, self.output = companding, output
        self.compand = square_root(self.native_bits, self.black) if companding == "sqrt" else ()
        shown = self.compand if output == "companded" else ()
        self.register_buffer("seen", seen_of(signal, self.native_bits, self.black, self.white, shown), persistent=False)

    # Frames ----------------------------------------------------------------------------------------------------------

    def received(self, codes: Codes) -> npt.NDArray[np.uint16]:
        """See the base class.

        Raises:
            RuntimeError: nothing was placed yet.
        """
        x, bounds = rows_of(codes)
        values = kernel.convert(self.channels(), self.counts(x), bounds)[1]
        return frames_of(nearest_counts(values, self.native_bits, self.compand), codes.shape)

    def values(self, decoded: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """What the network sees of decoded values on the 16-bit scale: of the counts that lie nearest to them."""
        seen: npt.NDArray[np.float32] = self.seen.cpu().numpy()
        return seen[nearest_counts(decoded, self.native_bits, self.compand)]

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees of native counts that a receiver has decoded, float32; values stay as they are."""
        if not are_codes(x, self.signal):
            return super().forward(x, condition)
        return self.seen[x.long().clamp(0, len(self.seen) - 1)]

    def as_recordings(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], kernel.Bounds]:
        """Rows of frames; see `rows_of`."""
        return rows_of(x)

    def from_recordings(self, samples: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
        """Frames of rows; see `frames_of`."""
        return frames_of(samples, shape)


def shares(native_bits: int, black: int, white: int, compand: Sequence[int]) -> npt.NDArray[np.float64]:
    """Of each native count, its share of the way from black to white on the companded scale, in [0, 1], [2^n].

    >>> shares(2, 0, 3, (-32768, 0, 16384, 32767)).round(2).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    place = scaled(np.arange(1 << native_bits), native_bits, compand)
    share: npt.NDArray[np.float64] = np.clip((place - place[black]) / (place[white] - place[black]), 0, 1)
    return share


def seen_of(signal: Signal, native_bits: int, black: int, white: int, compand: Sequence[int]) -> Tensor:
    """What the network sees of each native count: its share on the companded scale, of the signal's range, float32."""
    assert signal.low is not None
    assert signal.high is not None
    share = shares(native_bits, black, white, compand)
    return torch.from_numpy((signal.low + share * (signal.high - signal.low)).astype(np.float32))


def rows_of(frames: Codes) -> tuple[Codes, kernel.Bounds]:
    """Frames [..., planes, h, w] as recordings: samples [frames·h·w, planes], and where each row starts.

    >>> rows_of(np.arange(8).reshape(2, 2, 2))
    (array([[0, 4],
           [1, 5],
           [2, 6],
           [3, 7]]), array([0, 2, 4]))
    """
    if frames.ndim < 3:
        raise ValueError(f"shape {list(frames.shape)}: frames are [planes, h, w], one or a batch of them")
    planes, height, width = frames.shape[-3:]
    samples = np.moveaxis(frames.reshape(-1, planes, height * width), 1, 2).reshape(-1, planes)
    return samples, np.arange(len(samples) // max(width, 1) + 1, dtype=np.int64) * width


def frames_of(samples: npt.NDArray[T], shape: Sequence[int]) -> npt.NDArray[T]:
    """The frames [..., planes, h, w] whose `rows_of` are these samples."""
    planes, height, width = shape[-3:]
    return np.moveaxis(samples.reshape(-1, height * width, planes), 1, 2).reshape(shape)
