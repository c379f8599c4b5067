"""CocoRaw: any photographs with COCO annotations, as simulated raw frames or as they are.

Open it to detect objects in photographs of your own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from qsense.data.cache import digest, file_digest
from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import Annotations, chosen_classes, read_annotations, tested_share
from qsense.data.frames.annotations.foreign import refuse_foreign
from qsense.data.frames.annotations.pictures import BOX_KINDS, BoxKind, Picture, read_pictures
from qsense.data.frames.annotations.values import printable
from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.data.frames.geometry.stored_sizes import ShortSide
from qsense.data.frames.geometry.turning import Turning, find_turns
from qsense.data.frames.simulation.photo_sensor import PATTERN, PhotoConversion, Sensor, read_annotated
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Codes, PlaneCache, stamp
from qsense.data.photos import check_reading, read_otherwise
from qsense.signal import Signal

VERSION = 1  # of the conversion: raise it with every change of what comes out


class CocoRaw(FrameDataset):
    """Photographs annotated in COCO's format, turned into **simulated** raw frames by an inverse ISP (`inverse_isp`).

    With `image="srgb"` they stay as they are, 8 bits of three colours: the usual camera as the baseline.

    The camera and the noise of an image depend on (seed, COCO's image id) alone. Raw frames have half the size of their
    photographs, like the planes of any Bayer sensor. Images without objects of the chosen classes stay, as negatives.

    Photographs are turned as they were when they were annotated (`find_turns`), and read with 8 bits (`read_photo`).

    Args (the others mean what those of `RawCoco` do):
        images: folder of the image files.
        image: "raw" or "srgb".
        native_bits: of the simulated sensor, 8 … 16.
        iso: how noisy it is: 100 is clean, 12 800 very noisy.
        exposure: what the light is multiplied by: 0.1 takes the photograph a bit more than three stops darker.
        camera: "random", one for each image, or "mean", one for all.
        test: as there, but no list of names.
        seed: of cameras and noise; independent of the training's seed.
        orientation: as there; Pillow turns TIFF in either case.
        full_scale: value of white in grey files of more than 8 bits, such as 4095 for a 12-bit camera; None: the
            largest of their type, 65535 or, of floating point, 1.

    Raises:
        ValueError: an argument out of its range.
    """

    def __init__(
        self,
        root: str,
        annotations: str = "instances.json",
        images: str = "images",
        classes: Sequence[str] | None = None,
        image: Literal["raw", "srgb"] = "raw",
        native_bits: int = 12,
        iso: float = 400.0,
        exposure: float = 1.0,
        camera: Literal["random", "mean"] = "random",
        test: float | Literal["same"] = 0.2,
        test_annotations: str | None = None,
        test_images: str | None = None,
        name: str = "COCO",
        seed: int = 0,
        bbox: BoxKind = "xywh",
        strict: bool = False,
        orientation: Literal["exif", "stored"] = "exif",
        full_scale: float | None = None,
    ) -> None:
        check_reading(orientation, full_scale)
        choices = (("image", image, ("raw", "srgb")), ("camera", camera, ("random", "mean")), ("bbox", bbox, BOX_KINDS))
        for key, value, allowed in choices:
            if value not in allowed:
                raise ValueError(f"{key}={value!r} must be {' or '.join(allowed)}")
        if not 8 <= native_bits <= 16:
            raise ValueError(f"native_bits={native_bits} must be from 8 to 16")
        if not 25 <= iso <= 102400:
            raise ValueError(f"iso={iso} must be from 25 to 102400")
        if not 0 < exposure <= 16:
            raise ValueError(f"exposure={exposure} must be above 0 and at most 16: a factor on the light")
        if test != "same" and not (isinstance(test, float) and 0 < test < 1):
            raise ValueError(f"test={test!r} must be a share in (0, 1), or same: train and test on all images")
        if classes is not None and (not classes or len(set(classes)) < len(classes)):
            raise ValueError(f"classes={list(classes)} must be different names, or null for all categories")
        if seed < 0:
            raise ValueError(f"seed={seed} must be 0 or more")
        self.root = Path(root).expanduser()
        self.annotations = self.root / annotations
        self.images = self.root / images
        self.chosen = None if classes is None else tuple(map(str, classes))
        self.sensor = Sensor(image, native_bits, float(iso), float(exposure), camera, seed)
        self.orientation = orientation
        self.full_scale = full_scale
        self.test = test
        self.test_annotations = None if test_annotations is None else self.root / test_annotations
        self.test_images = self.images if test_images is None else self.root / test_images
        self.simulated = image == "raw"
        self.bbox = bbox
        self.strict = strict
        self.name = f"{name} (simulated raw)" if self.simulated else f"{name} (sRGB)"
        self._cache: PlaneCache | None = None

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the categories to detect, in index order."""
        return chosen_classes(self._read[0], self.chosen)

    @property
    def signal(self) -> Signal:
        """See the base class."""
        if self.sensor.image == "srgb":
            return Signal(3, 0.0, 1.0, "full scale", names=("red", "green", "blue"), native_bits=8)
        bits = self.sensor.native_bits
        return Signal(4, 0.0, 1.0, "full scale", names=PLANES, native_bits=bits, bayer=PATTERN)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the files that frames and their split depend on, ready for JSON."""
        return {
            "dataset": "coco_raw",
            "version": VERSION,
            **asdict(self.sensor),
            "classes": self.chosen,
            "test": "stated" if self.test_annotations is not None else self.test,
            # Only where boxes are not read as they always were, so that fingerprints of the others stay.
            **({} if self.bbox == "xywh" else {"bbox": self.bbox}),
            **({"flags": "text"} if any(found.worded for found in self._read) else {}),
        }

    @property
    def reading(self) -> tuple[str, float | None]:
        """How image files are read; it is no part of `settings`, as it matters to few files, which count by it."""
        return self.orientation, self.full_scale

    def check(self) -> None:
        """See the base class; reads the annotations and looks for every image file, not into them."""
        for key, folder in (("images", self.images), ("test_images", self.test_images)):
            if not folder.is_dir():
                raise DataMissingError(
                    f"{self.name} is not in {folder.absolute()}: there is no such folder. Point at the whole with "
                    f"data.dataset.root=…, at the image files in it with data.dataset.{key}=… (. is root itself)"
                    + self._json_files()
                )
        if not self.annotations.exists():
            if not self._json_files():
                refuse_foreign(self.root)
            raise DataMissingError(
                f"{self.annotations} is missing: name the file of COCO annotations with data.dataset.annotations=…"
                + self._json_files()
            )
        _ = self._pictures

    def _json_files(self) -> str:
        """For messages: what may be the annotations."""
        found = list(islice((path for depth in ("*.json", "*/*.json") for path in self.root.glob(depth)), 1000))
        names = sorted(printable(path.relative_to(self.root).as_posix()) for path in found)
        return f"; JSON files there: {', '.join(names[:4])}{' …' * (len(names) > 4)}" if names else ""

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        """See the base class."""
        pictures = self._pictures
        make = PhotoConversion(
            tuple(picture.file for picture in pictures),
            tuple(picture.random_seed for picture in pictures),
            tuple((picture.width, picture.height) for picture in pictures),
            self.sensor,
            self._turning.turns,
            self.full_scale,
            short_side,
        )
        of_boxes = ("classes", "test", "bbox", "flags")
        settings = {key: value for key, value in self.settings.items() if key not in of_boxes}
        reading = [] if self.reading == ("exif", None) else self.reading
        key = f"coco_raw-{digest(settings, str(self.root.resolve()), short_side, *reading)[:16]}"
        self._turning.tell(self.name)
        stamps = {}
        for picture, header, turn in zip(pictures, self._turning.headers, self._turning.turns, strict=True):
            how = [] if header is None else header.otherwise(turn, self.full_scale)
            made_from = [str(picture.original), stamp(picture.file), *map(str, how)]
            stamps[self._key(picture)] = ", ".join(made_from)
        self._cache = convert(cache, key, stamps, make, self.name)

    def sources(self) -> tuple[Path, ...]:
        """See the base class."""
        return (*self._annotation_files, *(picture.file for picture in self._pictures))

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the settings, the annotations, every image file, and how those are read that are not plain:
        turned, of more than 8 bits, transparent."""
        facts = zip(self._pictures, self._turning.headers, self._turning.turns, strict=True)
        how = {
            self._key(picture): words
            for picture, header, turn in facts
            if (words := read_otherwise(picture.file, header, turn, self.full_scale))
        }
        files = [(file.name, file_digest(file)) for file in self.sources()]
        return digest(self.settings, files, *([how] if how else []))

    def frames(self, part: Part) -> list[Frame]:
        """See the base class; a frame's id is its place among all pictures."""
        return [self._frame(index) for index in self._parts[part]]

    def codes(self, frame: Frame) -> Codes:
        """See the base class; converted anew where `prepare` was not called."""
        picture = self._pictures[frame.id]
        if self._cache is not None:
            return self._cache[self._key(picture)]
        size, turn = (picture.width, picture.height), self._turning.turns[frame.id]
        return self.sensor.codes(read_annotated(picture.file, size, turn, self.full_scale), picture.random_seed)

    @property
    def _annotation_files(self) -> list[Path]:
        """The annotations, and those of the test part where they are stated."""
        return [self.annotations] if self.test_annotations is None else [self.annotations, self.test_annotations]

    @cached_property
    def _read(self) -> list[Annotations]:
        """What each file of annotations holds."""
        return [read_annotations(file) for file in self._annotation_files]

    @cached_property
    def _pictures(self) -> list[Picture]:
        """All pictures; those of a stated test part come last."""
        pictures = []
        check = BoxCheck(self.strict)
        for found, folder in zip(self._read, (self.images, self.test_images), strict=False):
            chosen_classes(found, self.classes)
            pictures += read_pictures(found, folder, self.classes, check, self.bbox)
        files = " and ".join(str(found.file) for found in self._read)
        check.finish(files, "set data.dataset.bbox=xywh_shares, or xyxy_shares")
        first = {picture.file for picture in pictures[: len(self._read[0].images)]}
        for picture in pictures[len(first) :]:
            if picture.file in first:
                raise DataError(
                    f"{picture.file} is listed in {self.annotations} and in {self.test_annotations}: nothing may be in "
                    "both parts"
                )
        return pictures

    @cached_property
    def _turning(self) -> Turning:
        """How every picture is turned."""
        pictures = self._pictures
        sizes = [(picture.width, picture.height) for picture in pictures]
        return find_turns([picture.file for picture in pictures], sizes, self.orientation)

    @cached_property
    def _parts(self) -> dict[Part, list[int]]:
        """Places of each part's pictures."""
        if self.test == "same" and self.test_annotations is None:
            everything = list(range(len(self._pictures)))
            return {"train": everything, "test": everything}
        first = len(self._read[0].images)
        if self.test_annotations is not None:
            return {"train": list(range(first)), "test": list(range(first, len(self._pictures)))}
        assert isinstance(self.test, float)
        tested = tested_share(self._read[0], self.test)
        return {"train": [i for i in range(first) if i not in tested], "test": [i for i in range(first) if i in tested]}

    def _frame(self, index: int) -> Frame:
        picture = self._pictures[index]
        if not self.simulated:
            return replace(picture, id=index)
        # An odd last row or column is completed to a cell of the mosaic.
        height, width = (side + side % 2 for side in (picture.height, picture.width))
        gains = self.sensor.gains(picture.random_seed)
        return replace(picture, id=index, height=height, width=width, gains=gains)

    def _key(self, picture: Picture) -> str:
        """A picture's name in the cache."""
        return str(picture.file.relative_to(self.root)) if picture.file.is_relative_to(self.root) else str(picture.file)
