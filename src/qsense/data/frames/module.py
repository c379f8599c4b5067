"""Annotated raw frames as Lightning batches: read codes, resize and mirror them on the device, pad them to one size.

Open it to see what a detector is given.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.data import fits
from qsense.data.batches import EpochBatches, EvaluationEpochBatches
from qsense.data.cache import fingerprint
from qsense.data.frames import samples
from qsense.data.frames.batches.arranging import arranged
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.batches.part import FramePart, ReadSizes
from qsense.data.frames.dataset import Frame, FrameDataset
from qsense.data.frames.exposure import stops_below_white
from qsense.data.frames.geometry.nearest import target_size
from qsense.data.frames.geometry.stored_sizes import Sheets, ShortSide, ShortSides, largest_planes, shrunk
from qsense.data.frames.storing.decoded import DecodedFrames, Decoding
from qsense.data.frames.storing.space import SMALLEST, asked_for, check_native, every_frame, stored_side
from qsense.data.module import ExperimentData
from qsense.data.splitting import stratified

log = logging.getLogger(__name__)


class DetectionDataModule(ExperimentData):
    """Training, validation and test batches of `FrameBatch`.

    Frames are native integer codes all the way, int32 once they are on the device. They are resized by nearest
    neighbour, which commutes with quantizing, each training frame to a short side drawn from `train_sizes`; mirrored at
    random, if asked; and padded at the right and at the bottom with 0 to one size of multiples of 32.

    With `stored=native` each pixel comes from one resize: of a frame as large as the sensor's planes only what its size
    needs is read, and sizes depend on (seed, fold, epoch, frame) alone. `stored=sizes` gives the same batches of frames
    that are stored at every size that is asked for: nothing else is read, which takes a fraction of the time. With
    `stored=None` frames were made smaller when they were converted, so that all sizes but the largest come from a
    resize of a resize; this happens on the device, and sizes depend on torch's seed. Mirroring always does.

    The test part is the data set's own. Validation frames are a share of each condition's training frames.

    Args:
        dataset: which frames; see `ExperimentData`, also for the other arguments.
        batch_size: frames per batch.
        validation: share of the training frames to hold out.
        train_sizes: short sides to draw from for each training frame, in pixels of the planes; None leaves frames as
            they are stored.
        test_size: short side of validation and test frames; None likewise.
        longest: the long side of a resized frame is at most this.
        flip: training frames are mirrored left to right at random.
        stored: short side at which converted frames are stored; "native": as large as they are; "sizes": at each of
            `train_sizes` and `test_size`, where what places a quantizer's levels is taken from the largest; None: the
            largest size that is asked for, and 800 where none is. At one size no frame is stored larger than it is.
        cache_gb: GB (10⁹ bytes) that they may take. Native frames beyond it are stored at the largest short side that
            fits; others are refused, and so are a converter with memory's native frames. None: as much as they need.
        cache: folder for converted frames.
        num_workers: loader processes; 0 is fastest as long as memory holds the converted frames.
        fold: 0, the only one.
        seed: shuffles the training frames.

    Attributes:
        object_classes: the same as `num_classes`: what detectors are built from.
        mean: what the detector's weights expect to be subtracted from red, green, blue, on the scale of [0, 1].
        std: what they expect to be divided by.
        simulated: whether the frames were computed and not taken.
    """

    gives = "frames"
    batch_kinds = (EpochBatches, EvaluationEpochBatches)
    dataset: FrameDataset

    def __init__(
        self,
        dataset: FrameDataset,
        batch_size: int = 16,
        validation: float = 0.0,
        train_sizes: Sequence[int] | None = None,
        test_size: int | None = None,
        longest: int = 1333,
        flip: bool = False,
        cache: str = "~/.cache/qsense",
        num_workers: int = 0,
        fold: int = 0,
        seed: int = 0,
        stored: int | Literal["native", "sizes"] | None = None,
        cache_gb: float | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, num_workers, fold, seed, validation)
        sizes = list(train_sizes or ()) + [size for size in (test_size,) if size is not None]
        if train_sizes is not None and not train_sizes:
            raise ValueError("train_sizes=[] offers no size: list short sides, or null leaves frames as they are")
        for size in sizes:
            if not SMALLEST <= size <= longest:
                raise ValueError(
                    f"train_sizes={train_sizes}, test_size={test_size}, longest={longest}: a short side of {size} "
                    f"pixels is not in {SMALLEST} … longest"
                )
        self.train_sizes = train_sizes
        self.test_size = test_size
        self.longest = longest
        self.flip = flip
        self.cache = Path(cache).expanduser()
        self.asked = asked_for(train_sizes, test_size, longest)
        least = max(self.asked.sides, default=SMALLEST)
        if stored not in (None, "native", "sizes") and not (isinstance(stored, int) and stored >= least):
            raise ValueError(
                f"stored={stored!r} must be native, sizes, null, or at least {least}, the largest size asked for"
            )
        read = {"data.train_sizes": train_sizes, "data.test_size": test_size}
        if stored == "sizes" and (unset := [key for key, size in read.items() if size is None]):
            raise ValueError(
                f"stored=sizes stores each frame at data.train_sizes=[SIZE, …] and data.test_size=SIZE: "
                f"state {' and '.join(unset)}"
            )
        if cache_gb is not None and cache_gb <= 0:
            raise ValueError(f"cache_gb={cache_gb} must be above 0, or null for no limit")
        self.stored = stored
        self.cache_gb = cache_gb
        self.signal = dataset.signal
        self.object_classes = self.num_classes
        self.mean = dataset.mean
        self.std = dataset.std
        self.simulated = dataset.simulated
        self._decoded_by: Any = None  # settings and tables of the converter with memory that frames go through

    def prepare_data(self) -> None:
        """Convert the frames (once per machine).

        Raises:
            DataError: some cannot be converted, or a converter with memory needs more room than `cache_gb`.
        """
        if self.whole and self.dataset.converts:
            check_native(self.dataset, self.stored_side, self.cache_gb)
        self.dataset.prepare(self.cache, None if self.whole else self.stored_side)

    @cached_property
    def stored_side(self) -> ShortSide:
        """The short side at which frames are stored, or all of them; None: as they are.

        Raises:
            DataError: they take more than `cache_gb`.
        """
        side = stored_side(self.dataset, self.asked, self.stored, self.cache_gb)
        if self.stored == "native" and side is not None:
            log.warning(
                "%s: native frames take more than data.cache_gb=%g and are stored at a short side of %d pixels, from "
                "which each is resized once more",
                self.dataset.name,
                self.cache_gb,
                side,
            )
        return side

    def divide(self) -> tuple[dict[str, FramePart], dict[str, Any]]:
        """Open the converted frames, read the annotations and hold out the validation frames."""
        self.prepare_data()
        train, test = self.dataset.frames("train"), self.dataset.frames("test")
        self._tell_unseen(train, test)
        # Of each condition a share, so that a few frames taken at night are not missed.
        held_out = stratified(np.array([frame.condition for frame in train]), self.validation)
        drawn = fixed = None
        if self.stored is not None:
            drawn = ReadSizes(self.train_sizes, self.longest, self.seed, self.fold)
            fixed = ReadSizes(None if self.test_size is None else [self.test_size], self.longest, self.seed, self.fold)
        kept, out = ([frame for frame, out in zip(train, held_out, strict=True) if out == which] for which in (0, 1))
        parts = {
            "train": FramePart(self._stored, kept, drawn),
            "validation": FramePart(self._stored, out, fixed),
            "test": FramePart(self._stored, test, fixed, self.exposure),
        }
        statistics: dict[str, Any] = {
            "simulated": self.simulated,
            "normalise": "range",  # (codes − black) / (white − black)
            "native_bits": self.signal.native_bits,
            "black": self.signal.black,
            "white": self.signal.top,
            "mean": list(self.mean),
            "std": list(self.std),
        }
        if self.stored is not None:
            side = self.stored_side
            statistics["stored_short_side"] = list(side.sides) if isinstance(side, ShortSides) else side
        for name, part in parts.items():
            labels = np.concatenate([np.zeros(0, dtype=np.int64), *(frame.labels for frame in part.frames)])
            statistics |= {
                f"{name}_frames": len(part.frames),
                f"{name}_frames_without_boxes": sum(not len(frame.labels) for frame in part.frames),
                f"{name}_boxes_per_class": np.bincount(labels, minlength=self.num_classes).tolist(),
            }
        return parts, statistics

    def _tell_unseen(self, train: Sequence[Frame], test: Sequence[Frame]) -> None:
        """Warn of conditions that no training frame has: a curve of their own is never learned."""
        seen = {frame.condition for frame in train}
        unseen = Counter(frame.condition for frame in test if frame.condition not in seen)
        if self.signal.conditions and unseen:
            names = ", ".join(f"{self.signal.conditions[each]} ({count})" for each, count in sorted(unseen.items()))
            log.warning(
                "%s: test frames have conditions that no training frame has: %s. What is learned per condition "
                "(quant=gamma_per_condition) stays there as it began.",
                self.dataset.name,
                names,
            )

    @property
    def pin_memory(self) -> bool:
        """See the base class."""
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    def transfer_batch_to_device(self, batch: FrameBatch, device: torch.device, dataloader_idx: int) -> FrameBatch:
        """Send the codes to the device; from page-locked memory nothing waits for them. A batch's memory soon holds the
        next one, so where it may be another kind of memory, all wait."""
        return batch.to(device, non_blocking=device.type == "cuda")

    def on_after_batch_transfer(self, batch: FrameBatch, dataloader_idx: int) -> FrameBatch:
        """Resize a batch, mirror some training frames, pad: codes int32, on the batch's device."""
        if self.trainer is not None and self.trainer.training:
            return self.augmented(batch)
        return arranged(batch, self._sizes(batch, [self.test_size] * len(batch)), [False] * len(batch))

    def received(self, x: Tensor, statistics: dict[str, Any], condition: int = 0) -> FrameBatch:
        """Native codes [B, C, h, w] → resized and padded as test frames are."""
        if x.dim() != 4 or x.shape[1] != self.signal.channels or x.is_floating_point():
            raise ValueError(
                f"x is {x.dtype} of shape {list(x.shape)}: frames are integer codes [B, {self.signal.channels}, h, w]"
            )
        height, width = x.shape[-2:]
        boxes, area = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        frame = Frame(0, "", height, width, boxes, np.zeros(0, np.int64), np.zeros(0, np.bool_), area, condition)
        batch = FrameBatch(x, [(height, width)] * len(x), [frame] * len(x))
        return arranged(batch, self._sizes(batch, [self.test_size] * len(batch)), [False] * len(batch))

    def augmented(self, batch: FrameBatch) -> FrameBatch:
        """A training batch: each frame at a size of its own, mirrored or not."""
        sides: list[int | None] = [None] * len(batch)
        if self.train_sizes is not None and self.stored is None:  # else they were drawn when the frames were read
            sides = [self.train_sizes[i] for i in torch.randint(len(self.train_sizes), (len(batch),)).tolist()]
        mirrored = (torch.rand(len(batch)) < 0.5).tolist() if self.flip else [False] * len(batch)
        return arranged(batch, self._sizes(batch, sides), mirrored)

    def training_recordings(self) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
        """See the base class: rows of native codes, spread over up to 500 frames, 4 million samples at most."""
        return samples.rows(self.dataset, self.part("train").frames)

    def fit(self, converter: Any) -> None:
        """See the base class. The tables are kept for runs that differ in other things, such as their seed."""
        source = (fingerprint(self.dataset, self.cache), self.validation, samples.FITTED_ON, samples.FITTED_FRAMES)
        fits.fit(converter, self.training_recordings, "rows", self.cache, self.dataset.name, source)

    def convert(self, converter: Any) -> None:
        """See the base class: batches hold the native codes that its receiver decodes. What is converted is kept, in
        memory or, where that is much, in the cache."""
        tables = None if converter is None else (converter.settings, converter.channels())
        if self._decoded_by == tables:
            return
        self._decoded_by = tables
        read: Callable[[Frame], npt.NDArray[Any] | Sheets] = self._stored
        if converter is not None:
            decoding = Decoding(self.dataset, every_frame(self.dataset), converter, self.stored_side)
            decoded = DecodedFrames(decoding, self.cache)
            read = partial(self._sheets, decoded, packed=True)
        for name in self._parts:
            self.part(name).read = read

    def unconverted(self, batch: FrameBatch) -> FrameBatch:
        """Frames of a batch [B, C, H, W] as the sensor delivers them, without a converter with memory, arranged alike;
        the batch itself where it has been through none."""
        if self._decoded_by is None:
            return batch
        raw = FramePart(self._stored, batch.frames).at_sizes(batch.sizes)
        return arranged(raw.to(batch.x.device), batch.sizes, [False] * len(batch))

    def codes(self, frame: Frame) -> npt.NDArray[Any]:
        """A frame's codes [C, h, w] as the data set has them, of several sizes the largest."""
        return largest_planes(self._own(frame))

    def _stored(self, frame: Frame) -> npt.NDArray[Any] | Sheets:
        """What is read of a frame without a converter with memory."""
        side = self.stored_side
        if self.whole and not isinstance(side, ShortSides):
            return shrunk(self.dataset.codes(frame), side)
        return self._own(frame)

    def _own(self, frame: Frame) -> npt.NDArray[Any] | Sheets:
        """What the data set has of a frame: native planes where it converts none, or was prepared to keep them."""
        return self._sheets(self.dataset.codes, frame, packed=self.dataset.converts and not self.whole)

    def _sheets(
        self, codes: Callable[[Frame], npt.NDArray[Any]], frame: Frame, packed: bool
    ) -> npt.NDArray[Any] | Sheets:
        """A frame's codes; if it is read at several sizes, as sheets of these, which `codes` packs or not."""
        side, half = self.stored_side, 2 if self.signal.bayer else 1
        if isinstance(side, ShortSides):
            return Sheets(codes(frame), (frame.height // half, frame.width // half), side, packed)
        return codes(frame)

    def exposure(self, frame: Frame) -> float:
        """A frame's `stops_below_white` as it is stored, whatever a converter with memory makes of it."""
        return stops_below_white(largest_planes(self._stored(frame)), self.signal.black, self.signal.top)

    def example(self) -> Tensor:
        """See the base class."""
        codes: Tensor = self.on_after_batch_transfer(self.part("test")[0], 0).x
        return codes

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to `count` pixels [pixels, channels] in [0, 1] of frames spread over the training part."""
        black, white = self.signal.black, self.signal.top
        values = np.clip((self.sensor_sample(count).double().numpy() - black) / (white - black), 0, 1)
        return values.astype(np.float32)

    def sensor_sample(self, count: int = 1_000_000) -> Tensor:
        """Up to `count` pixels [pixels, channels] of frames spread over the training part, as native codes, int64."""
        return torch.from_numpy(np.concatenate([pixels for _, pixels in samples.pixels(self.part("train"), count)]))

    def sample_conditions(self, count: int = 1_000_000) -> list[int] | None:
        """See the base class: those of the frames that the pixels were taken from."""
        if not self.signal.conditions:
            return None
        taken = samples.pixels(self.part("train"), count)
        return [frame.condition for frame, pixels in taken for _ in range(len(pixels))]

    def sample_gains(self, count: int = 1_000_000) -> npt.NDArray[np.float32] | None:
        """See the base class: those of the frames that the pixels were taken from."""
        taken = samples.pixels(self.part("train"), count)
        gains = [frame.gains for frame, pixels in taken for _ in range(len(pixels))]
        return None if None in gains else np.array(gains, dtype=np.float32)

    def _sizes(self, batch: FrameBatch, sides: Sequence[int | None]) -> list[tuple[int, int]]:
        """Height and width that each frame will have."""
        return [
            size if side is None else target_size(*size, side, self.longest)
            for size, side in zip(batch.sizes, sides, strict=True)
        ]
