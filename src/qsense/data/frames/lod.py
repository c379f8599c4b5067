"""LOD: pairs of a long and a short exposure of the same scenes, with boxes of eight classes.

Open it when the data set cannot be read, or to take one exposure alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from qsense.data.errors import DataError, DataMissingError, listed
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.pictures import Picture, picture_of
from qsense.data.frames.annotations.problems import read_all
from qsense.data.frames.annotations.values import show
from qsense.data.frames.annotations.voc import read_voc
from qsense.data.frames.dataset import Part
from qsense.data.frames.files.mosaic_files import CAMERAS
from qsense.data.frames.files.named_files import files_by_name
from qsense.data.frames.geometry.placing import Crop
from qsense.data.frames.raw_frames import RawFrames
from qsense.data.splitting import read_split

LIGHTS = ("long", "short")
MISSING = 5  # files that are named


class LOD(RawFrames):
    """Canon EOS 5D Mark IV, 14 bits: 2 230 pairs of exposures, 1 784 to train and 446 to test (Hong et al., BMVC 2021).

    Files are numbers: an odd one is the long exposure, the even one after it the short one, which is dark. A list names
    pairs by either number. Raw files may lie in any folders of `images` (`1.CR2`, `2.CR2`, …); annotations are one VOC
    file per frame (`1.xml`), which states the size of the picture that was annotated.

    **Not verified**: the sizes that annotations state. LibRaw reads 6744 × 4502 samples. Pictures of 6720 × 4480, the
    camera's JPEG, are taken for the middle (`crop: centre`), smaller ones for resized.

    Args:
        root: folder that the other paths are relative to.
        light: "long", "short", or "both", each of which is then a condition.
        images: folder of the raw files.
        long_annotations: folder of the annotations of long exposures; used if `light` asks for them.
        short_annotations: likewise of short ones.
        train: list of the pairs to train on.
        test: list of the pairs to test on.
        crop: see `RawFrames`.
        subtract_black: see `RawFrames`; the black level is 2047 of 16383 counts, so that the dark frames use few codes.
        strict: see `RawFrames`.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://github.com/ying-fu/LODDataset"
    classes = ("bicycle", "car", "motorbike", "chair", "diningtable", "bottle", "tvmonitor", "bus")

    def __init__(
        self,
        root: str,
        light: Literal["long", "short", "both"] = "both",
        images: str = "all_raw",
        long_annotations: str = "RAW-normal-Annotations",
        short_annotations: str = "RAW-dark-Annotations",
        train: str = "trainval/train.txt",
        test: str = "trainval/val.txt",
        crop: Crop = "centre",
        subtract_black: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(root, native_bits=14, crop=crop, subtract_black=subtract_black, strict=strict)
        if light not in (*LIGHTS, "both"):
            raise ValueError(f"light={light!r} must be {', '.join(LIGHTS)} or both")
        self.lights = LIGHTS if light == "both" else (light,)
        self.conditions = LIGHTS if light == "both" else ()
        self.name = "LOD" if light == "both" else f"LOD {light}"
        folders = {"images": images, "long_annotations": long_annotations, "short_annotations": short_annotations}
        self.folders = {key: self.root / folder for key, folder in folders.items()}
        self.lists: dict[Part, Path] = {"train": self.root / train, "test": self.root / test}

    def annotated(self, part: Part) -> list[Picture]:
        """See the base class."""
        frames = list(self._frames_of(part))
        annotations = [self._file(f"{light}_annotations", number, "xml") for light, number in frames]
        raws = [self._file("images", number, "CR2") for _, number in frames]
        missing = [str(file) for file in (*annotations, *raws) if not file.is_file()]
        if missing:
            raise DataError(
                f"{self.lists[part]}: {len(missing)} files of its {len(frames)} frames are missing; each needs an "
                "annotation and a raw file:" + listed(missing, len(missing), MISSING)
            )
        check = BoxCheck(self.strict)
        found = read_all(
            map(str, annotations), lambda file: read_voc(Path(file).read_bytes(), file, self.classes, None, check)
        )
        check.finish(" and ".join(str(self.folders[f"{light}_annotations"]) for light in self.lights))
        return [
            picture_of(raw, objects, place, self.lights.index(light))
            for place, (raw, objects, (light, _)) in enumerate(zip(raws, found.values(), frames, strict=True))
        ]

    def _frames_of(self, part: Part) -> Iterator[tuple[str, int]]:
        """Every frame of a part: its exposure and its number, pair by pair."""
        file = self.lists[part]
        try:
            names = read_split(file.read_text(encoding="utf-8", errors="replace"), str(file))
        except OSError as error:
            raise DataMissingError(
                f"{file} cannot be read ({error.strerror}): it lists the pairs of the {part} part, one number a line; "
                f"point at it with data.dataset.{part}=…"
            ) from error
        numbers = [number_of(name) for name in names]
        if not all(numbers):
            wrong = names[numbers.index(None)]
            raise DataError(f"{file}: {show(wrong)} is no frame: these are numbers, 1 or more")
        for first in dict.fromkeys(first_of_pair(number) for number in numbers if number):
            for light in self.lights:
                yield light, first + LIGHTS.index(light)

    def _file(self, key: str, number: int, extension: str) -> Path:
        """A frame's file in one of the folders; where it would be, if it is not there."""
        return self._numbered[key].get(number, self.folders[key] / f"{number}.{extension}")

    @cached_property
    def _numbered(self) -> dict[str, dict[int, Path]]:
        """Raw files and annotations of each folder by their numbers."""
        found = {}
        for key in ("images", *(f"{light}_annotations" for light in self.lights)):
            folder = self.folders[key]
            if not folder.is_dir():
                raise DataMissingError(
                    f"{folder} is missing: get it from {self.url}, and point at it with data.dataset.{key}=…"
                )
            files = files_by_name(folder, CAMERAS if key == "images" else (".xml",))
            found[key] = {number: file for name, file in files.items() if (number := number_of(name)) is not None}
        return found


def first_of_pair(number: int) -> int:
    """The long exposure of a frame's pair.

    >>> [first_of_pair(number) for number in (1, 2, 11, 12)]
    [1, 1, 11, 11]
    """
    return number - 1 + number % 2


def number_of(name: str) -> int | None:
    """What a name means, whatever its folder, its ending and its leading zeros; None for no number of 1 or more.

    >>> number_of("12"), number_of("x/0012.png"), number_of("0"), number_of("a12")
    (12, 12, None, None)
    """
    stem = Path(name).stem
    return int(stem) or None if stem.isascii() and stem.isdigit() else None
