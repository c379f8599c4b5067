"""What all sets of annotated raw files share: how files are read, placed under their boxes, and converted once.

Open it to add a set of raw files with boxes: a subclass says which pictures were annotated, and nothing else.
"""

from __future__ import annotations

import logging
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qsense.data.cache import default_folder, digest, readable
from qsense.data.errors import DataError, DataMissingError, listed
from qsense.data.frames.annotations.pictures import Picture
from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.data.frames.files.header_memo import headers_of
from qsense.data.frames.files.mosaic_files import Area, Header, RawFormat, read_counts
from qsense.data.frames.files.raw_folder import RawFolder
from qsense.data.frames.geometry.placing import Crop, Place, check_crop
from qsense.data.frames.geometry.stored_sizes import ShortSide
from qsense.data.frames.raw_conversion import RawConversion, RawSource
from qsense.data.frames.raw_placing import MISFITS, placed
from qsense.data.frames.raw_settings import stated_format
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Codes, PlaneCache, stamp
from qsense.data.photos import check_reading
from qsense.signal import Signal

log = logging.getLogger(__name__)

VERSION = 1  # raise it whenever the same files would be converted differently


class RawFrames(FrameDataset):
    """Raw files of one or several cameras with boxes that were drawn on pictures made of them.

    A subclass says which pictures were annotated (`annotated`), and `classes` and `conditions`. It may state another
    `RawFormat` for some of its files (`format_of`).

    Codes of a frame are its counts, brought to the width of the frames with the most bits: those of fewer bits are
    shifted to the left, which loses nothing. So a sensor of 12 bits beside one of 14 gives the codes 0, 4, … 16380, and
    its largest count lies 3 codes below full scale, 0.02 %. A white level changes no code: it says how many bits a
    count has, and where a picture of the frame is white.

    Args:
        root: folder that the other paths are relative to.
        native_bits: of a count; None: as many as each file's white level has, by one decoded file of each kind
            (camera, size, bits stored); a file that differs is refused while converting.
        levels: "camera", what the files say, or a mapping with `black` (one number, or four, of red, green 1, green 2
            and blue) and `white`, in counts.
        pattern: colours of the top left cell as stored, row by row, such as RGGB; None: what the files say.
        headless: of raw files without header: a mapping of `height` and `width` in samples and, if they are not two
            bytes each, `sample`, `packing`, `byte_order` and `stride` (see `Layout`).
        area: "visible" or "all" of a camera's sensor: with the rows and columns around its picture.
        crop: which part of the upright raw frame was annotated, where the sizes differ: "none", "centre", [left, top]
            in samples, or [left, top, width, height]. A picture that is clearly smaller (by a quarter or more) and of
            the same shape was resized, and its boxes are scaled.
        orientation: "exif": boxes were drawn on pictures that are turned as the files say, unless their sizes say
            otherwise; "stored": on pictures as they are stored.
        subtract_black: take each frame's black level off while converting, in counts; less becomes 0.
        extension: of the raw files, where annotations name other files (JPEGs, say); None: found by itself.
        strict: refuse boxes without area or outside of their image, and list them; else they are left out, or cut, with
            one warning.

    Attributes:
        conditions: names of the circumstances that pictures state; none where they state none.
        same: whether the training part is the test part, too.
        url: where the data are to be had.

    Raises:
        ValueError: an argument out of its range.
    """

    conditions: tuple[str, ...] = ()
    same: bool = False
    url: str = ""

    def __init__(
        self,
        root: str,
        native_bits: int | None = None,
        levels: Literal["camera"] | Mapping[str, Any] = "camera",
        pattern: str | None = None,
        headless: Mapping[str, Any] | None = None,
        area: Area = "visible",
        crop: Crop = "none",
        orientation: Literal["exif", "stored"] = "exif",
        subtract_black: bool = False,
        extension: str | None = None,
        strict: bool = False,
    ) -> None:
        check_reading(orientation, None)
        self.root = Path(root).expanduser()
        self.format = stated_format(native_bits, levels, pattern, headless, area)
        self.crop = check_crop(crop)
        self.orientation = orientation
        self.subtract_black = subtract_black
        self.extension = extension
        self.strict = strict
        self._cache: PlaneCache | None = None

    @abstractmethod
    def annotated(self, part: Part) -> Sequence[Picture]:
        """The annotated pictures of a part, in a fixed order; called once for each part.

        A picture's file is its raw file (`raws` finds it by name), its height and width are those of what was
        annotated, and its boxes are in pixels of that. Its id is of no account here. If `same`, the test part is not
        asked for.

        Raises:
            DataMissingError: annotations or raw files that are not there.
            DataError: annotations that cannot be used.
        """

    def format_of(self, picture: Picture) -> RawFormat:
        """What is stated about a picture's raw file: `format`; to be overridden where sensors differ."""
        return self.format

    def crop_of(self, picture: Picture) -> Crop:
        """Which part of a picture's raw file was annotated: `crop`; to be overridden where sensors differ."""
        return self.crop

    def raws(self, folder: Path) -> RawFolder:
        """Finds the raw files of a folder by the names that annotations give them."""
        return RawFolder(folder, self.extension, self.format.layout)

    @property
    def signal(self) -> Signal:
        """See the base class."""
        return Signal(4, 0.0, 1.0, "full scale", None, PLANES, self.bits, bayer="RGGB", conditions=self.conditions)

    @property
    def bits(self) -> int:
        """Of a code: as many as the frames with the most bits have."""
        return self.format.stated_bits or max(self._bits)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but annotations and files that frames depend on, ready for JSON."""
        return {
            "version": VERSION,
            "format": asdict(self.format),
            "crop": self.crop,
            "orientation": self.orientation,
            "subtract_black": self.subtract_black,
        }

    def check(self) -> None:
        """See the base class; reads annotations and the headers of all raw files, no counts."""
        if not self.root.is_dir():
            raise DataMissingError(
                f"{self.name} is not in {self.root.absolute()}: there is no such folder.{self._origin} Point at it "
                "with data.dataset.root=…"
            )
        _ = self._placed

    @property
    def _origin(self) -> str:
        """For messages: where the data are to be had."""
        return f" Get it from {self.url}." if self.url else ""

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        """See the base class."""
        self.check()
        sources, opened = self.raw_sources, self._cache is not None
        key = f"{readable(self.name)}-{digest(VERSION, str(self.root.resolve()), self.bits, self.subtract_black)[:16]}"
        stamps = {
            name: f"{stamp(source.file)}, {digest(asdict(source))[:16]}"
            for name, source in zip(self._keys, sources, strict=True)
        }
        make = RawConversion(tuple(sources), self.bits, short_side, self.subtract_black)
        self._cache = convert(cache, f"{key}-{short_side or 'native'}", stamps, make, self.name)
        if not opened:
            self._tell()

    def fingerprint(self) -> str:
        """SHA-256 (hex) over settings, pictures, and names and sizes of raw files, as these have too many bytes."""
        pictures = [
            (key, picture.file.stat().st_size, picture.width, picture.height, picture.condition, _checksum(picture))
            for key, picture in zip(self._keys, self.pictures, strict=True)
        ]
        parts = {part: len(found) for part, found in self._parts.items()}
        return digest(self.settings, self.classes, self.conditions, parts, pictures)

    def frames(self, part: Part) -> list[Frame]:
        """See the base class; a frame's id is its place among all pictures. Gains are known once it is converted."""
        return [self._frame(index) for index in self._parts[part]]

    def codes(self, frame: Frame) -> Codes:
        """See the base class; converted anew, at full size, where `prepare` was not called."""
        if self._cache is not None:
            return self._cache[self._keys[frame.id]]
        return RawConversion((self.raw_sources[frame.id],), self.bits, None, self.subtract_black)(0).codes

    @cached_property
    def raw_sources(self) -> list[RawSource]:
        """Every frame's raw file and how it is read, by the frame's id."""
        rows = zip(self.pictures, self._placed, self._bits, strict=True)
        return [RawSource(picture.file, self.format_of(picture), *placed, bits) for picture, placed, bits in rows]

    @cached_property
    def _read(self) -> dict[Part, list[Picture]]:
        """The annotated pictures of each part."""
        parts: tuple[Part, ...] = ("train",) if self.same else ("train", "test")
        return {part: list(self.annotated(part)) for part in parts}

    @cached_property
    def pictures(self) -> list[Picture]:
        """All pictures; those of the test part come last."""
        part_of_file: dict[Path, Part] = {}
        for part, pictures in self._read.items():
            if not pictures:
                raise DataError(f"{self.name}: the {part} part has no annotated picture")
            for picture in pictures:
                other = part_of_file.setdefault(picture.file, part)
                if other != part:
                    both = sum(one.file in part_of_file and part_of_file[one.file] != part for one in pictures)
                    raise DataError(
                        f"{self.name}: {both} raw files are in the training and in the test part, first "
                        f"{picture.file}: nothing may be in both"
                    )
        return [picture for pictures in self._read.values() for picture in pictures]

    @cached_property
    def _parts(self) -> dict[Part, range]:
        """Places of each part's pictures."""
        everything = len(self.pictures)
        first = len(self._read["train"])
        return {"train": range(first), "test": range(everything) if self.same else range(first, everything)}

    @cached_property
    def _keys(self) -> list[str]:
        """The pictures' names in the cache."""
        files = (picture.file for picture in self.pictures)
        return [str(file.relative_to(self.root)) if file.is_relative_to(self.root) else str(file) for file in files]

    @cached_property
    def _headers(self) -> list[Header]:
        """What every raw file says before it is decoded."""
        files = [(picture.file, self.format_of(picture)) for picture in self.pictures]
        found, wrong = headers_of(files, Path(default_folder()).expanduser())
        if wrong:
            raise DataError(
                f"{self.name}: {len(wrong)} of {len(self.pictures)} raw files cannot be read:"
                + listed(wrong, len(wrong), MISFITS)
            )
        return found

    @cached_property
    def _placed(self) -> list[tuple[int, Place]]:
        """Every picture's turn, and its place in the turned raw frame."""
        crops = [self.crop_of(picture) for picture in self.pictures]
        return placed(self.name, self.pictures, self._headers, crops, self.orientation)

    @cached_property
    def _bits(self) -> list[int]:
        """Bits of every frame's counts."""
        known: dict[object, int] = {}
        found = []
        for place, picture in enumerate(self.pictures):
            stated = self.format_of(picture)
            bits = stated.stated_bits
            if bits is None:
                header = self._headers[place]
                kind = stated, header.kind, header.size, header.source
                if kind not in known:
                    known[kind] = read_counts(picture.file, stated).white.bit_length()
                bits = known[kind]
            found.append(bits)
        return found

    def _frame(self, index: int) -> Frame:
        picture, (_, place) = self.pictures[index], self._placed[index]
        height, width = place.height - place.height % 2, place.width - place.width % 2
        scale = np.array([place.across, place.down, place.across, place.down])
        boxes = np.minimum(picture.boxes * scale, [width, height, width, height]).astype(np.float32)
        kept = (boxes[:, 2:] > boxes[:, :2]).all(1)  # one in a last row that completes no cell is gone
        facts = {} if self._cache is None else self._cache.facts(self._keys[index])
        gains = facts.get("gains")
        return Frame(
            index,
            picture.name,
            height,
            width,
            boxes[kept],
            picture.labels[kept],
            picture.crowd[kept],
            (picture.area * place.across * place.down).astype(np.float32)[kept],
            picture.condition,
            None if gains is None else (gains[0], gains[1], gains[3]),
        )

    def _tell(self) -> None:
        """Say once what frames there are, and whose boxes are scaled."""
        assert self._cache is not None
        facts = [self._cache.facts(key) for key in self._keys]
        kinds: dict[tuple[object, ...], int] = {}
        for frame in facts:
            black = frame["black"] if len(set(frame["black"])) > 1 else frame["black"][0]
            kind = (frame["bits"], frame["pattern"], str(black), frame["white"])
            kinds[kind] = kinds.get(kind, 0) + 1
        for (bits, pattern, black, white), count in sorted(kinds.items(), key=lambda item: -item[1])[:MISFITS]:
            log.info("%s: %d frames of %s bits, %s, black %s, white %s", self.name, count, bits, pattern, black, white)
        resized = [index for index, (_, place) in enumerate(self._placed) if place.resized]
        if resized:
            picture, (_, place) = self.pictures[resized[0]], self._placed[resized[0]]
            log.info(
                "%s: boxes of %d frames are scaled, first from %d × %d pixels to %d × %d samples",
                self.name, len(resized), picture.width, picture.height, place.width, place.height,
            )  # fmt: skip


def _checksum(picture: Picture) -> int:
    arrays = (picture.boxes, picture.labels, picture.crowd, picture.area)
    return zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
