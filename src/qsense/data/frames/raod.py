"""RAOD (ROD): driving scenes by day and by night from a sensor of 24 bits.

Open it when the data set cannot be read, or to divide its frames in another way.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from qsense.data.cache import digest
from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.labelme import read_labelme
from qsense.data.frames.annotations.problems import read_all
from qsense.data.frames.annotations.voc import Objects
from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.data.frames.files.headless import Layout, read_headless
from qsense.data.frames.files.named_files import files_by_name
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.geometry.stored_sizes import ShortSide, as_stored
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Codes, PlaneCache, Planes, stamp
from qsense.data.photos import look, read_otherwise, read_photo
from qsense.data.splitting import read_split, refuse_overlap
from qsense.signal import Signal

PATTERN = "RGGB"
CONDITIONS = ("day", "night")
PICTURES = (".png", ".jpg", ".jpeg")
SQUARE = 1280  # pixels of both sides of the picture to which its authors squeeze a frame
VERSION = 1  # raise it whenever the same files would be converted differently


class RAOD(FrameDataset):
    """Frames of 2880 × 1856 samples, RGGB, 24 bits, with pedestrians, cyclists, cars, trucks and trams (Xu et al.,
    CVPR 2023). A frame's condition is what its name begins with: `day-` or `night-`.

    Layout, as its authors prescribe: `<root>/raws/00Train/day-00001.raw`, … and `<root>/anno/00Train/day-00001.json`, …
    The published test frames have no annotations, so the validation part (assumed in a folder `01Valid`) is tested on.
    Other divisions are folders of other names, or lists of names without extension.

    Args:
        root: folder that holds `raws` and `anno`.
        train: the training part: a folder in `raws` and `anno`, or a list `<root>/<name>.txt` of frames in any folder.
        test: the test part, likewise.
        image: "planes" of the mosaic, or "srgb": PNG or JPEG pictures of the same names, anywhere in `<root>/srgb`.
        skip: annotated classes to leave out, beside the five.
        strict: refuse boxes without area or outside of their frame, and list them; else they are left out, or cut, with
            one warning.
        min_box: smallest side of a box on a picture of 1280 × 1280 pixels, to which its authors squeeze frames: they
            leave out what is below 16 there (`large_enough`). 0 keeps all.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://github.com/huawei-noah/noah-research/tree/master/RAOD"
    name = "RAOD"
    classes = ("Pedestrian", "Cyclist", "Car", "Truck", "Tram")
    size = (1856, 2880)  # rows and columns of samples

    def __init__(
        self,
        root: str,
        train: str = "00Train",
        test: str = "01Valid",
        image: Literal["planes", "srgb"] = "planes",
        skip: Sequence[str] = ("Tricycle",),
        strict: bool = False,
        min_box: int = 0,
    ) -> None:
        if image not in ("planes", "srgb"):
            raise ValueError(f"image={image!r} must be planes or srgb")
        if not 0 <= min_box <= SQUARE:
            raise ValueError(f"min_box={min_box} must be from 0 to {SQUARE}")
        self.root = Path(root).expanduser()
        self.parts: dict[Part, str] = {"train": train, "test": test}
        self.image = image
        self.skip = tuple(skip)
        self.strict = strict
        self.min_box = min_box
        self._cache: PlaneCache | None = None

    @property
    def signal(self) -> Signal:
        """See the base class."""
        if self.image == "planes":
            return Signal(4, 0.0, 1.0, "full scale", None, PLANES, native_bits=24, bayer=PATTERN, conditions=CONDITIONS)
        colours = ("red", "green", "blue")
        return Signal(3, 0.0, 1.0, "full scale", None, colours, native_bits=8, conditions=CONDITIONS)

    def check(self) -> None:
        """See the base class."""
        folders = ["raws", "anno", *(["srgb"] if self.image == "srgb" else [])]
        parts = [name if name.endswith(".txt") else f"raws/{name}" for name in self.parts.values()]
        for name in (*folders, *parts):
            if not (self.root / name).exists():
                raise DataMissingError(
                    f"RAOD is not in {self.root.absolute()}: {self.root / name} is missing. Get it by hand as "
                    f"{self.url} says, arrange it as raws/00Train/*.raw, anno/00Train/*.json, …, and point at it with "
                    f"data.dataset.root=… or QSENSE_DATA; parts of other names: data.dataset.train=…, "
                    f"data.dataset.test=…"
                )
        self._sources()
        _ = self._frames

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        """See the base class."""
        self.check()
        sources = self._sources()
        self._cache = convert(
            cache,
            f"raod-{self.image}-{short_side or 'native'}-{digest(VERSION, self.image, self.size, short_side)[:16]}",
            {name: ", ".join([stamp(file), *map(str, self._how(file))]) for name, file in sources.items()},
            Conversion(tuple(sources.values()), self.size, self.image, short_side),
            self.name,
        )

    def fingerprint(self) -> str:
        """SHA-256 (hex) over annotations, parts, and names and sizes of raw files (too many bytes to read)."""
        sizes = {name: file.stat().st_size for name, file in self._sources().items()}
        texts = {name: zlib.crc32(file.read_bytes()) for name, file in self._annotations.items() if name in sizes}
        how = {name: words for name, file in self._sources().items() if (words := self._how(file))}
        # Only where shapes are read otherwise than they once were, so that fingerprints of the others stay.
        reread = ("shapes",) if any(found.reread for found in self._objects.values()) else ()
        smallest = [f"min_box={self.min_box}"] if self.min_box else []
        extra = (*([how] if how else []), *reread, *smallest)
        return digest(VERSION, self.classes, self.skip, self.image, self._split, sizes, texts, *extra)

    def _how(self, file: Path) -> list[object]:
        """What is not plain about the reading of a picture: more than 8 bits, transparency."""
        return [] if self.image == "planes" else read_otherwise(file, look(file), 1, None)

    def frames(self, part: Part) -> list[Frame]:
        """See the base class."""
        return self._frames[part]

    def codes(self, frame: Frame) -> Codes:
        """See the base class."""
        if self._cache is None:
            raise RuntimeError("call prepare() before asking for codes")
        return self._cache[frame.name]

    @cached_property
    def _objects(self) -> dict[str, Objects]:
        """What was annotated of every frame of both parts."""
        check = BoxCheck(self.strict)

        def read(name: str) -> Objects:
            file = self._annotations.get(name)
            if file is None:
                raise DataError(
                    f"{self.root / 'anno'} has no {name}.json: a frame without objects needs one, too, with an empty "
                    f"list 'shapes'"
                )
            return read_labelme(file.read_bytes(), str(file), self.classes, self.skip, self.size, check)

        found = read_all((name for names in self._split.values() for name in names), read)
        check.finish(str(self.root / "anno"))
        return found

    @cached_property
    def _frames(self) -> dict[Part, list[Frame]]:
        number = itertools.count()
        return {part: [self._frame(next(number), name) for name in names] for part, names in self._split.items()}

    def _frame(self, number: int, name: str) -> Frame:
        condition, objects = condition_of(self._raws[name]), self._objects[name]
        kept = large_enough(objects.boxes, self.size, self.min_box)
        boxes = objects.boxes[kept]
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        # What is marked as difficult, or as a group, counts neither as hit nor as miss.
        return Frame(number, name, *self.size, boxes, objects.labels[kept], objects.difficult[kept], area, condition)

    @cached_property
    def _raws(self) -> dict[str, Path]:
        return files_by_name(self.root / "raws", (".raw",))

    @cached_property
    def _annotations(self) -> dict[str, Path]:
        return files_by_name(self.root / "anno", (".json",))

    @cached_property
    def _split(self) -> dict[Part, list[str]]:
        """Names of the frames of both parts, each in a fixed order."""
        split = {part: self._members(name) for part, name in self.parts.items()}
        refuse_overlap(split["train"], split["test"], self.parts["test"], self.parts["train"])
        return split

    def _members(self, part: str) -> list[str]:
        if part.endswith(".txt"):
            file = self.root / part
            names = read_split(file.read_text(encoding="utf-8", errors="replace"), str(file))
            missing = [name for name in names if name not in self._raws]
            if missing:
                raise DataError(
                    f"{self.root / 'raws'} lacks {len(missing)} of the {len(names)} frames that {file} lists, first "
                    f"{missing[0]}.raw: fetch them, or take them off the list"
                )
            return names
        folder = self.root / "raws" / part
        names = [name for name, file in self._raws.items() if folder in file.parents]
        if not names:
            raise DataError(f"{folder} holds no raw file (*.raw)")
        return names

    def _sources(self) -> dict[str, Path]:
        """What each frame of both parts is converted from."""
        names = [name for names in self._split.values() for name in names]
        if self.image == "planes":
            return {name: self._raws[name] for name in names}
        pictures = files_by_name(self.root / "srgb", PICTURES)
        missing = [name for name in names if name not in pictures]
        if missing:
            raise DataError(
                f"{self.root / 'srgb'} lacks the pictures of {len(missing)} of {len(names)} frames, first {missing[0]} "
                f"({', '.join(PICTURES)})"
            )
        return {name: pictures[name] for name in names}


@dataclass(frozen=True)
class Conversion:
    """Makes frame i of a plane cache from raw file or picture i (see `converting.convert`).

    Args:
        files: the sources.
        size: rows and columns of a raw file.
        image: "planes" or "srgb".
        short_side: at which size they are stored, see `as_stored`.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]
    image: str
    short_side: ShortSide

    def __call__(self, index: int) -> Planes:
        file = self.files[index]
        if self.image == "planes":
            mosaic: npt.NDArray[Any] = read_headless(file, Layout(*self.size, sample=3))
            return Planes(as_stored(pack(mosaic, PATTERN), self.short_side), {"pattern": PATTERN})
        return Planes(
            as_stored(np.ascontiguousarray(np.asarray(read_photo(file, turn=1)).transpose(2, 0, 1)), self.short_side)
        )


def large_enough(boxes: npt.NDArray[np.float32], size: tuple[int, int], least: int) -> npt.NDArray[np.bool_]:
    """Which boxes stay: those whose sides are at least so long on a picture of 1280 × 1280 pixels.

    As the authors' `preprocess_anno.py` has it: both ends are rounded down there before the side is taken.

    Args:
        boxes: left, top, right, bottom in pixels of the frame, [n, 4].
        size: height and width of the frame.
        least: pixels; 0 keeps all.

    Returns:
        bool [n].

    >>> boxes = np.array([[0, 0, 36, 24], [0, 0, 35, 24], [2, 0, 38, 24]], dtype=np.float32)
    >>> large_enough(boxes, (1856, 2880), 16).tolist()
    [True, False, True]
    """
    height, width = size
    across, down = SQUARE / width, SQUARE / height
    squeezed = np.floor(boxes.astype(np.float64) * [across, down, across, down])
    kept: npt.NDArray[np.bool_] = np.logical_and.reduce(squeezed[:, 2:] - squeezed[:, :2] >= least, axis=1)
    return kept


def condition_of(file: Path) -> int:
    """Index of a frame's condition, which its name begins with.

    Raises:
        DataError: it begins with neither.
    """
    name = file.name.partition("-")[0].lower()
    if name not in CONDITIONS:
        raise DataError(f"{file}: the name must begin with {' or '.join(f'{each}-' for each in CONDITIONS)}")
    return CONDITIONS.index(name)
