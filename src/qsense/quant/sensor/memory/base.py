"""Converters with memory: a sensor sends how each sample differs from what its receiver expects (Cutler, 1952).

Open it to see what all of them do; `recursion.h` holds their arithmetic, `dpcm.py` and `adpcm.py` place their tables.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.constants import Constants, scaled
from qsense.quant.sensor.memory.settings import check
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.signal import Signal

FIT = 2  # raise it whenever the same recordings would give other tables: tables that were kept are then placed anew
Floats = npt.NDArray[np.floating]


class Stream(NamedTuple):
    """What a sensor sends, and what its receiver makes of it.

    Args:
        codes: uint16 [time, channels]; native counts where a refresh is due.
        values: what the network sees, float32 [time, channels], in the signal's unit.
    """

    codes: npt.NDArray[np.uint16]
    values: npt.NDArray[np.float32]


class MemoryConverter(WholeConverter):
    """Converts whole recordings, in order, in integers; windows are cut from what its receiver decodes.

    A sample is first a native count, as the sensor's own ADC delivers it. Sender and receiver predict it from the
    values that the receiver has decoded before, p = v − (v − centre)·2^-leak + (v − v′)·2^-slope; what is sent is the
    code of the difference, and both go on from v = p + (what the code stands for). The arithmetic is that of integers,
    so that the two never drift apart (`recursion.h`).

    A recording begins at v = v′ = centre, or with a refresh. A refresh sends a sample as its native count, n bits
    instead of N, and starts anew from there: what was lost before it is mended.

    `fit_recordings` places the centre (the training samples' mean, per channel) and what the subclass has.

    **What the network sees** has been decoded before it was cut into windows, so `forward` leaves it as it is.

    Args:
        signal: what the sensor delivers, such as it `takes`; its range must be known.
        bits: N, of a code; 1 … `most_bits`.
        native_bits: n, of the sensor's own samples, N … 16; null: the signal's, 12 where it states none.
        leak: prediction falls back to the centre by 2^-leak of its distance at each sample, 1 … 15; 0: never, and an
            error of transmission stays until the next refresh.
        slope: prediction goes on by 2^-slope of the last change (second order), 1 … 15; 0: first order.
        refresh: each of so many samples is sent as a native count, the first to begin with; 0: none.

    Raises:
        ValueError: an argument out of its range, a signal without a range, or one that it does not take.

    Attributes:
        takes: see the base class; frames are converted row by row.
        compand: see `Constants`, the same for all channels.
    """

    compand: tuple[int, ...] = ()
    most_bits: ClassVar[int]
    per_channel = True
    centre: Tensor
    placed: Tensor

    def __init__(
        self,
        signal: Signal,
        bits: int,
        *,
        native_bits: int | None = None,
        leak: int = 6,
        slope: int = 0,
        refresh: int = 0,
    ) -> None:
        super().__init__(signal)
        limits = (self.most_bits, self.takes)
        native = check(type(self).__name__, signal, bits, *limits, native_bits, leak, slope, refresh)
        self.bits, self.native_bits = bits, native
        self.leak, self.slope, self.refresh = leak, slope, refresh
        self.rows = signal.channels
        stated = signal.native_bits is not None
        self.black, self.white = (signal.black, signal.top) if stated else (0, (1 << native) - 1)
        self.register_buffer("centre", torch.zeros(self.rows, dtype=torch.int32))
        self.register_buffer("placed", torch.tensor(False))

    # What a subclass has ---------------------------------------------------------------------------------------------

    @abstractmethod
    def constants(self) -> tuple[Constants, ...]:
        """The integers of each channel, from the buffers that travel with the state."""

    @abstractmethod
    def place(self, counts: kernel.Counts, bounds: kernel.Bounds) -> None:
        """Place the tables by native counts [time, channels] of the training recordings; the centre is placed."""

    # The converter ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def fit_recordings(self, x: npt.NDArray[np.generic], bounds: kernel.Bounds) -> None:
        """Place centre and tables by the training recordings.

        Args:
            x: samples [time, channels], values or native codes, finite.
            bounds: where each recording starts, and where the last one ends, [recordings + 1].

        Raises:
            ValueError: no sample, another number of channels, bounds that are not those of the samples, or values that
                are not finite.
        """
        if x.ndim != 2 or x.shape[1] != self.rows or not len(x):
            raise ValueError(
                f"samples of shape {list(x.shape)}: {type(self).__name__} is fitted on [time, channels] with "
                f"time ≥ 1 and channels = {self.rows}"
            )
        counts, bounds = self.counts(x), kernel.checked(bounds, x.shape, self.rows)
        if self.compand:
            centre = np.round(self.scaled(counts).mean(0))
        else:
            middle = 1 << (self.native_bits - 1)
            centre = np.round((counts.mean(0, dtype=np.float64) - middle) * (1 << (16 - self.native_bits)))
        self.centre.copy_(torch.from_numpy(centre.astype(np.int32)))
        self.place(counts, bounds)
        self.placed.fill_(True)

    def convert(self, x: npt.NDArray[np.generic], bounds: kernel.Bounds) -> Stream:
        """Codes of whole recordings, and what their receiver decodes.

        Args:
            x: samples [time, channels], values or native codes, finite.
            bounds: as in `fit_recordings`.

        Raises:
            RuntimeError: nothing was placed yet.
            ValueError: values that are not finite.
        """
        codes, values = kernel.convert(self.channels(), self.counts(x), bounds)
        return Stream(codes, self.values(values))

    def receive(
        self, codes: npt.NDArray[np.integer], bounds: kernel.Bounds, lost: kernel.Lost | None = None
    ) -> npt.NDArray[np.float32]:
        """What a receiver decodes of a stream of which some samples, `lost` [time], do not arrive: the last values are
        held, and decoding goes on with what comes next.

        Args:
            codes: integers [time, channels], as `convert` gives them.
            bounds: as in `fit_recordings`.
            lost: flags [time].

        Raises:
            ValueError: codes not within 0 … 2^bits − 1 (2^native_bits − 1 at a refresh), or another shape.
        """
        channels, bounds = self.channels(), kernel.checked(bounds, codes.shape, self.rows)
        if codes.size and (codes.min() < 0 or (codes > self._largest(bounds)[:, None]).any()):
            raise ValueError(
                f"codes from {codes.min()} to {codes.max()}: {self.bits} bits allow 0 to {(1 << self.bits) - 1}"
                + f", at a refresh to {(1 << self.native_bits) - 1}" * bool(self.refresh)
            )
        return self.values(kernel.decode(channels, codes.astype(np.uint16), bounds, lost))

    def _largest(self, bounds: kernel.Bounds) -> npt.NDArray[np.int64]:
        """The largest code of each moment [time]."""
        largest = np.full(bounds[-1], (1 << self.bits) - 1)
        if self.refresh:
            age = np.arange(bounds[-1]) - np.repeat(bounds[:-1], np.diff(bounds))
            largest[age % self.refresh == 0] = (1 << self.native_bits) - 1
        return largest

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Codes of what it `takes`, int32 in the same shape: of recordings [time, channels] or [recordings, time,
        channels], each from its start; of frames of native counts [..., planes, h, w], each row from its start.

        Raises:
            ValueError: another number of dimensions, or values that are not finite; the message says how many and where
                the first one is.
        """
        samples, bounds = self.as_recordings(x.cpu().numpy())
        codes = kernel.convert(self.channels(), self.counts(samples), bounds)[0]
        return torch.from_numpy(self.from_recordings(codes.astype(np.int32), x.shape)).to(x.device)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees of codes in the shape of `encode`'s, float32.

        Raises:
            ValueError: codes that are not integers, or as in `receive`.
        """
        if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
            raise ValueError(f"codes of dtype {codes.dtype}: decode needs integers")
        values = self.receive(*self.as_recordings(codes.cpu().numpy()))
        return torch.from_numpy(self.from_recordings(values, codes.shape)).to(codes.device)

    def as_recordings(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], kernel.Bounds]:
        """What `encode` is given as samples [time, channels], and where each recording (or row) of it starts."""
        if x.ndim not in (2, 3):
            raise ValueError(f"shape {list(x.shape)}: recordings are [time, channels] or [recordings, time, channels]")
        count, time = (1, len(x)) if x.ndim == 2 else x.shape[:2]
        return x.reshape(-1, x.shape[-1]), np.arange(count + 1, dtype=np.int64) * time

    def from_recordings(self, samples: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
        """What of that shape has these samples as its `as_recordings`."""
        return samples.reshape(shape)

    # Samples and counts ----------------------------------------------------------------------------------------------

    def counts(self, x: npt.NDArray[np.generic]) -> kernel.Counts:
        """Native counts 0 … 2^n − 1 of samples: values are rounded to the nearest, and cut off at the range's ends.
        Integers are counts; where the signal states no native bits, only unsigned ones are.

        Raises:
            ValueError: values that are not finite, or signed integers that may be either.
        """
        if not np.issubdtype(x.dtype, np.floating):
            if self.signal.native_bits is None and not np.issubdtype(x.dtype, np.unsignedinteger):
                raise ValueError(
                    f"samples of dtype {x.dtype}: the signal states no native_bits, so give values in "
                    f"{self.signal.unit} as floats, or native counts 0 to {(1 << self.native_bits) - 1} as uint16"
                )
            native: kernel.Counts = np.clip(x, 0, (1 << self.native_bits) - 1).astype(np.uint16)
            return native
        bad = ~np.isfinite(x)
        if bad.any():
            first = [int(place) for place in np.argwhere(bad)[0]]
            raise ValueError(f"{int(bad.sum())} of {bad.size} samples are not finite, the first at {first}: fill them")
        assert self.signal.low is not None
        assert self.signal.high is not None
        share = (x.astype(np.float64) - self.signal.low) / (self.signal.high - self.signal.low)
        count = np.floor(self.black + np.clip(share, 0, 1) * (self.white - self.black) + 0.5)
        counts: kernel.Counts = count.astype(np.uint16)
        return counts

    def scaled(self, counts: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Native counts on the 16-bit scale."""
        return scaled(counts, self.native_bits, self.compand)

    def values(self, decoded: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Decoded values on the 16-bit scale in the signal's unit, within its range; finer than native counts."""
        assert self.signal.low is not None
        assert self.signal.high is not None
        count = decoded.astype(np.float64) / (1 << (16 - self.native_bits)) + (1 << (self.native_bits - 1))
        share = np.clip((count - self.black) / (self.white - self.black), 0, 1)
        return (self.signal.low + share * (self.signal.high - self.signal.low)).astype(np.float32)

    def channels(self) -> tuple[Constants, ...]:
        """The constants, once they are placed."""
        if not self.placed:
            raise RuntimeError(
                f"{type(self).__name__} has no tables yet: show it training recordings first, "
                "sensor.fit_recordings(x, bounds) (`qsense.train` does), or load a trained run's state"
            )
        return self.constants()

    @property
    def settings(self) -> dict[str, object]:
        """What `fit_recordings` goes by beside the recordings; see the base class."""
        return {**super().settings, "fit": FIT}

    @property
    def rate(self) -> float:
        """Bits per sample, refreshes included."""
        return self.bits + (self.native_bits - self.bits) / self.refresh if self.refresh else float(self.bits)

    def extra_repr(self) -> str:
        """Settings, as `print(module)` shows them."""
        signal = self.signal
        return (
            f"bits={self.bits}, native_bits={self.native_bits}, range=[{signal.low:g}, {signal.high:g}] {signal.unit}, "
            f"leak={self.leak}, slope={self.slope}, refresh={self.refresh}"
        )
