"""Raspberry Pi's compressed raw frames, as its cameras store them: 8 bits per sample of up to 16.

Open it to see how frames become its words; `pisp_words.py` has their arithmetic, and where the format is documented.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.memory import pisp_words
from qsense.quant.sensor.memory.published import PublishedFormat
from qsense.quant.sensor.memory.settings import require
from qsense.quant.sensor.memory.whole import Codes
from qsense.signal import Signal

SCALE = 16  # bits, to which counts are shifted


class PiSP(PublishedFormat):
    """Sends each four neighbours of one colour in a row as one word of 32 bits (PISP_COMP1, in which a Raspberry Pi 5
    stores packed raw frames). Frames are converted at native size, before anything resizes them.

    A word's levels lie 1/4096 of full scale apart where it is dark and its samples alike, and up to 1/128 where they
    are not: the word itself says which. Nothing is learned or placed, and no word depends on another. Where samples are
    alike, counts of 9 bits lose nothing, of 10 bits in the darker half of full scale, of 12 bits in its darkest 8 %.

    Counts of n bits are shifted to 16; an offset is subtracted before, and added after, and what lies below it is lost.
    A row whose length is no multiple of four goes on with its last sample. The receiver goes to the native count that
    is nearest to what it decodes.

    The documents define the receiver. Of the words that a sender may choose, see `pisp_words.encode`.

    Args:
        signal: what the sensor delivers, native codes of frames, of 8 … 16 bits.
        bits: 8, on average over a word.
        offset: in native counts; null: half the black level, as Raspberry Pi's software has it (2048 of 16 bits below
            its cameras' 4096).
        output: what the network sees: "linear": the counts' values; "companded": their square roots, as behind
            `RowDPCM`.

    Raises:
        ValueError: an argument out of its range, or a signal without native codes.
    """

    least_bits: ClassVar[int] = 8
    most_bits: ClassVar[int] = 8

    def __init__(
        self,
        signal: Signal,
        bits: int = 8,
        *,
        offset: int | None = None,
        output: Literal["linear", "companded"] = "linear",
    ) -> None:
        super().__init__(signal, bits, output, least_bits=self.least_bits)
        self.offset = signal.black // 2 if offset is None else offset
        require(type(self).__name__, "offset", self.offset, 0, (1 << self.native_bits) - 1)

    def words(self, codes: Codes) -> pisp_words.Words:
        """The words of frames of native codes [..., planes, h, w]: [..., planes, h, ⌈w / 4⌉].

        Those of the two colours of a mosaic's row take turns in a camera's memory.

        Raises:
            ValueError: another number of dimensions.
        """
        if codes.ndim < 3:
            raise ValueError(f"shape {list(codes.shape)}: frames are [planes, h, w], one or a batch of them")
        counts = np.clip(codes, self.offset, (1 << self.native_bits) - 1).astype(np.uint16) - np.uint16(self.offset)
        samples = counts << np.uint16(SCALE - self.native_bits)
        if missing := -samples.shape[-1] % pisp_words.SAMPLES:
            samples = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(0, missing)], mode="edge")
        shape = (*samples.shape[:-1], samples.shape[-1] // pisp_words.SAMPLES)
        return pisp_words.encode(samples.reshape(-1, pisp_words.SAMPLES)).reshape(shape)

    def counts_of(self, words: pisp_words.Words) -> npt.NDArray[np.uint16]:
        """The native counts that words [..., w] stand for: [..., 4·w]."""
        shift = SCALE - self.native_bits
        value = pisp_words.decode(words.reshape(-1)).astype(np.int32)
        value = value.reshape(*words.shape[:-1], pisp_words.SAMPLES * words.shape[-1])
        value = np.minimum(value + (self.offset << shift), (1 << SCALE) - 1)
        nearest = (value + (1 << shift >> 1)) >> shift
        counts: npt.NDArray[np.uint16] = np.minimum(nearest, (1 << self.native_bits) - 1).astype(np.uint16)
        return counts

    def received(self, codes: Codes) -> npt.NDArray[np.uint16]:
        return self.counts_of(self.words(codes))[..., : codes.shape[-1]]

    def encode(self, x: Tensor) -> Tensor:
        """The words of frames of native counts [..., planes, h, w], int64 [..., planes, h, ⌈w / 4⌉].

        Raises:
            ValueError: x does not hold native codes, or has another number of dimensions.
        """
        if x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: {type(self).__name__} converts native codes, integers")
        return torch.from_numpy(self.words(x.cpu().numpy()).astype(np.int64)).to(x.device)

    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees of words [..., w], float32 [..., 4·w].

        Raises:
            ValueError: numbers that are no words of 32 bits.
        """
        words = codes.cpu().numpy()
        if codes.is_floating_point() or (words.size and not 0 <= words.min() <= words.max() < 1 << 32):
            raise ValueError(f"codes of dtype {codes.dtype}: {type(self).__name__} decodes words, 0 to 2^32 - 1")
        counts = self.counts_of(words.astype(np.uint32)).astype(np.int32)
        return self.forward(torch.from_numpy(counts).to(self.seen.device))

    @property
    def settings(self) -> dict[str, object]:
        """See the base class; and by which rule words are chosen."""
        return {**super().settings, "encoding": pisp_words.ENCODING}

    def extra_repr(self) -> str:
        """Settings, as `print(module)` shows them."""
        return f"bits={self.bits}, native_bits={self.native_bits}, offset={self.offset}, output={self.output}"
