"""PASCAL RAW: 4 259 photographs of streets as a camera's raw files, with boxes of cars, bicycles and persons.

Open it when the data set cannot be read, or to convert its frames in another way.
"""

from __future__ import annotations

import itertools
import logging
import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qsense.data.cache import digest
from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.problems import read_all
from qsense.data.frames.annotations.voc import Objects, read_voc
from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.data.frames.files.raw_files import BITS, CameraConversion, Image
from qsense.data.frames.geometry.stored_sizes import ShortSide
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Codes, PlaneCache, stamp
from qsense.data.splitting import read_split, refuse_overlap
from qsense.signal import Signal

log = logging.getLogger(__name__)

SPLITS: dict[Part, str] = {"train": "train.txt", "test": "val.txt"}
ANNOTATED = (400, 600)  # height and width of the images that were annotated
LARGEST = 1 << 20  # bytes of an annotation or a list in an archive
VERSION = 1  # raise it whenever the same files would be converted differently


class PascalRaw(FrameDataset):
    """Nikon D3200, 12 bits, RGGB, 6034 × 4012 samples (Omid-Zohoor, Young, Ta and Murmann 2014; 708 bicycles, 1 765
    cars, 4 077 persons). 2 129 frames train, the 2 130 of its `val.txt` are tested on, as in γ-Quant.

    Layout, as in its archive: `<root>/original/raw/2014_000001.nef`, …; `annotations/*.xml` and the lists `train.txt`
    and `val.txt` in `<root>` or in `<root>/trainval`. An annotation belongs to the frame of its file's name: six state
    another name inside. Boxes were drawn on images of 600 × 400 pixels and are scaled to the sensor's.

    Args:
        root: the folder `PASCALRAW`.
        image: "planes" of the mosaic, "demosaicked" linear colours (16 bits), or "srgb", rawpy's default processing.
        subtract_black: take the camera's black level off while converting.
        white_balance: multiply by the camera's white balance while converting; green stays, the rest is clipped.
        annotations: folder or .tar.gz with `annotations/*.xml`, `train.txt` and `val.txt`; None: in `root`.
        extension: of the raw files, in small or capital letters; any kind that LibRaw knows, such as dng.
        strict: refuse boxes without area or outside of their image, and list them; else they are left out, or cut, with
            one warning.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://purl.stanford.edu/hq050zr7488"
    name = "PASCAL RAW"
    classes = ("car", "bicycle", "person")
    native_bits = 12
    size = (4012, 6034)  # rows and columns of the sensor's visible area

    def __init__(
        self,
        root: str,
        image: Image = "planes",
        subtract_black: bool = False,
        white_balance: bool = False,
        annotations: str | None = None,
        extension: str = "nef",
        strict: bool = False,
    ) -> None:
        if image not in ("planes", *BITS):
            raise ValueError(f"image={image!r} must be planes, demosaicked or srgb")
        if image == "srgb" and (subtract_black or white_balance):
            raise ValueError("image=srgb has black level and white balance applied: leave both options false")
        self.root = Path(root).expanduser()
        self.image = image
        self.subtract_black = subtract_black
        self.white_balance = white_balance
        self.annotations = None if annotations is None else Path(annotations).expanduser()
        self.extension = extension.lower().lstrip(".")
        self.strict = strict
        self._cache: PlaneCache | None = None

    @property
    def signal(self) -> Signal:
        """See the base class."""
        if self.image == "planes":
            return Signal(4, 0.0, 1.0, "full scale", None, PLANES, native_bits=self.native_bits, bayer="RGGB")
        return Signal(3, 0.0, 1.0, "full scale", None, ("red", "green", "blue"), native_bits=BITS[self.image])

    def check(self) -> None:
        """See the base class."""
        if not (folder := self._raw_folder).is_dir():
            raise DataMissingError(
                f"PASCAL RAW is not in {self.root.absolute()}: {folder} is missing. Get it from {self.url} (over 100 "
                f"GB, by hand), unpack it, and point at it with data.dataset.root=… or QSENSE_DATA"
            )
        self._files()
        _ = self._frames

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        """See the base class."""
        self.check()
        files, opened = self._files(), self._cache is not None
        options = (self.image, self.subtract_black, self.white_balance, self.native_bits, self.size, short_side)
        self._cache = convert(
            cache,
            f"pascal_raw-{self.image}-{short_side or 'native'}-{digest(VERSION, options)[:16]}",
            {name: stamp(file) for name, file in files.items()},
            CameraConversion(
                tuple(files.values()),
                self.size,
                self.image,
                self.native_bits,
                short_side,
                self.subtract_black,
                self.white_balance,
            ),
            self.name,
        )
        if opened:
            return
        levels = Counter(
            (tuple(facts["black"]), facts["white"], facts["pattern"]) for facts in map(self._cache.facts, files)
        )
        for (black, white, pattern), count in levels.most_common(3):
            log.info("%s: %d frames %s, black %s, white %d", self.name, count, pattern, black, white)

    def fingerprint(self) -> str:
        """SHA-256 (hex) over annotations, lists, options, and names and sizes of raw files (too many bytes to read)."""
        sizes = {name: file.stat().st_size for name, file in self._files().items()}
        texts = {name: zlib.crc32(content) for name, content in self._texts.items()}
        options = (self.image, self.subtract_black, self.white_balance, self.native_bits, self.size)
        # Only where flags are read otherwise than they once were, so that fingerprints of the others stay.
        reread = ("flags as text",) if any(found.reread for found in self._objects.values()) else ()
        return digest(VERSION, self.classes, options, sorted(sizes.items()), sorted(texts.items()), *reread)

    def frames(self, part: Part) -> list[Frame]:
        """See the base class; once they are converted, each with the white balance that its file states."""
        frames = self._frames[part]
        if self._cache is None or self.white_balance or self.image == "srgb":  # where it is applied already
            return frames
        return [replace(frame, gains=self._gains(self._cache.facts(frame.name))) for frame in frames]

    def codes(self, frame: Frame) -> Codes:
        """See the base class."""
        if self._cache is None:
            raise RuntimeError("call prepare() before asking for codes")
        return self._cache[frame.name]

    @property
    def _raw_folder(self) -> Path:
        return self.root / "original" / "raw"

    def _files(self) -> dict[str, Path]:
        """The raw file of every frame of both parts, in the order of the lists."""
        found = {
            name.stem: name
            for name in map(Path, (entry.path for entry in os.scandir(self._raw_folder)))
            if name.suffix.lower() == f".{self.extension}"
        }
        names = [name for names in self._split.values() for name in names]
        missing = [name for name in names if name not in found]
        if missing:
            raise DataError(
                f"{self._raw_folder} lacks {len(missing)} of the {len(names)} frames that "
                f"{' and '.join(SPLITS.values())} list, first {missing[0]}.{self.extension}: fetch them, or take them "
                f"off the lists"
            )
        return {name: found[name] for name in names}

    @cached_property
    def _split(self) -> dict[Part, list[str]]:
        split = {
            part: read_split(self._text(file).decode("utf-8", errors="replace"), self._where(file))
            for part, file in SPLITS.items()
        }
        refuse_overlap(split["train"], split["test"], self._where(SPLITS["test"]), self._where(SPLITS["train"]))
        return split

    @cached_property
    def _objects(self) -> dict[str, Objects]:
        """What was annotated of every frame of both parts."""
        check = BoxCheck(self.strict)
        names = [f"{name}.xml" for names in self._split.values() for name in names]
        found = read_all(
            names, lambda file: read_voc(self._text(file), self._where(file), self.classes, ANNOTATED, check)
        )
        check.finish(str(self.annotations or self.root))
        return found

    @cached_property
    def _frames(self) -> dict[Part, list[Frame]]:
        number = itertools.count()
        return {part: [self._frame(next(number), name) for name in names] for part, names in self._split.items()}

    def _frame(self, number: int, name: str) -> Frame:
        objects = self._objects[f"{name}.xml"]
        down, across = (own / annotated for own, annotated in zip(self.size, ANNOTATED, strict=True))
        boxes = (objects.boxes * np.array([across, down, across, down])).astype(np.float32)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        # VOC's own rule: what is difficult counts neither as hit nor as miss.
        return Frame(number, name, *self.size, boxes, objects.labels, objects.difficult, area)

    @staticmethod
    def _gains(facts: Mapping[str, Any]) -> tuple[float, float, float] | None:
        """Of red, green and blue; None where the file states none."""
        if facts["gains"] is None:
            return None
        red, green, _, blue = facts["gains"]
        return red, green, blue

    def _where(self, file: str) -> str:
        """What messages call an annotation or a list."""
        return f"{self.annotations or self.root}: {file}"

    def _text(self, file: str) -> bytes:
        try:
            return self._texts[file]
        except KeyError as error:
            raise DataMissingError(
                f"{self.annotations or self.root} has no {file}: PASCAL RAW's annotations and lists come with it "
                f"({self.url}); point at them with data.dataset.annotations=FOLDER or ARCHIVE.tar.gz"
            ) from error

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        """Annotations and lists by file name."""
        source = self.annotations or self.root
        if source.is_file():
            return _unpacked(source)
        folders = [source / "trainval", source]
        files = [folder / file for folder in folders for file in SPLITS.values() if (folder / file).is_file()]
        for folder in folders:
            files += sorted((folder / "annotations").glob("*.xml"))
        return {file.name: file.read_bytes() for file in files}


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Annotations and lists of a tar archive by file name, read without writing anything."""
    found = {}
    try:
        with tarfile.open(archive) as source:
            for member in source:
                name = member.name.rpartition("/")[2]
                if member.isfile() and (name.endswith(".xml") or name in SPLITS.values()):
                    if member.size > LARGEST:
                        raise DataError(f"{archive}: {member.name} has {member.size} bytes and is no annotation")
                    content = source.extractfile(member)
                    assert content is not None  # it is a file
                    found[name] = content.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{archive} is damaged or incomplete ({error}): fetch it again") from error
    return found
