"""Anyone's own images: one folder per class.

Open it to train on photographs of your own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from qsense.data.cache import digest
from qsense.data.errors import DataError, DataMissingError
from qsense.data.images.dataset import IMAGENET_MEAN, IMAGENET_STD, ImageDataset
from qsense.data.images.duplicates import same_bytes
from qsense.data.images.files import FilePictures
from qsense.data.images.layout import class_folders, find_parts, hidden_folders
from qsense.data.images.listing import Listing, counted, list_images
from qsense.data.photos import DamagedPhoto, check_reading, look, read_otherwise, read_photo
from qsense.data.splitting import stratified

log = logging.getLogger(__name__)


class ImageFolder(ImageDataset):
    """Images in `<root>/train/<class>/` and `<root>/test/<class>/`, or all of them in `<root>/<class>/`.

    The parts may be called `training`, `Train`, …, and `testing`, `val`, `valid`, `validation`, …: of several, the
    first of these is tested on. Folders within those of the classes are searched, too. Where the folder states no test
    part, a stratified share of every class is set aside for it, the same for every seed of a run. Classes are numbered
    in the order of their names.

    Files are read as `read_photo` says: turned as they are seen, and scaled to 8 bits, which is what this sensor
    delivers. Damaged files are named and left out (`FilePictures`).

    Args:
        root: the folder.
        name: the data set's name in tables.
        channels: 3 for RGB, 1 for grey.
        size: height and width of what the network sees, in pixels.
        resize: length to which the shorter side is scaled before the centre is taken, in pixels; at least `size`.
        smallest_crop: least share of an image's area to train on, in (0, 1]; 1 cuts nothing at random.
        test: share of every class to test on, in (0, 1), where the folder states no test part.
        mean: what to subtract per channel, on the scale of [0, 1].
        std: what to divide by per channel.
        orientation: "exif": images are turned as their files say; "stored": they are not, but for
            TIFF, which Pillow turns.
        full_scale: value of white in grey files of more than 8 bits, such as 4095 for a 12-bit camera; None: the
            largest of their type, 65535 or, of floating point, 1.

    Raises:
        ValueError: an argument out of its range.
    """

    examined = True  # whether each file is looked into for the identity and for duplicates; a million would take long

    def __init__(
        self,
        root: str,
        name: str = "folder",
        channels: Literal[1, 3] = 3,
        size: int = 224,
        resize: int = 256,
        smallest_crop: float = 0.08,
        test: float = 0.2,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        orientation: Literal["exif", "stored"] = "exif",
        full_scale: float | None = None,
    ) -> None:
        if channels not in (1, 3):
            raise ValueError(f"channels={channels} must be 3 (RGB) or 1 (grey)")
        if not 1 <= size <= resize:
            raise ValueError(f"size={size} must be from 1 to resize={resize}: it is cut out of the resized image")
        if not 0 < smallest_crop <= 1:
            raise ValueError(f"smallest_crop={smallest_crop} must be in (0, 1]")
        if not 0 < test < 1:
            raise ValueError(f"test={test} must be in (0, 1)")
        if len(mean) != channels or len(std) != channels or min(std) <= 0:
            raise ValueError(
                f"mean={list(mean)} and std={list(std)} need {channels} numbers each, those of std above 0"
            )
        check_reading(orientation, full_scale)
        self.root = Path(root).expanduser()
        self.name = name
        self.colours = ("red", "green", "blue") if channels == 3 else ("grey",)
        self.size = size
        self.resize = resize
        self.smallest_crop = smallest_crop
        self.test_share = test
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.orientation = orientation
        self.full_scale = full_scale

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the class folders, sorted."""
        return class_folders(self._parts[0])

    @property
    def reading(self) -> tuple[str, float | None]:
        """How files are read."""
        return self.orientation, self.full_scale

    def check(self) -> None:
        """See the base class; lists the images, and tries one of each class if it has more than 8 bits."""
        if not self.root.is_dir():
            raise DataMissingError(
                f"{self.name} is not in {self.root.absolute()}: there is no such folder. Point at one that holds "
                f"a folder of images per class with data.dataset.root=…"
            )
        try:
            _ = self._listings
        except OSError as error:
            raise DataError(f"{error.filename or self.root} cannot be read: {error.strerror}") from error

    def sources(self) -> tuple[Path, ...]:
        """See the base class."""
        if not self.examined:
            return ()
        return tuple(Path(path) for listing in self._listings for path in listing.paths)

    def fingerprint(self) -> str:
        """SHA-256 (hex) over folders, names and sizes of the images (too many bytes to read), and over how those are
        read that are not plain: turned, of more than 8 bits, transparent."""
        found = []
        for folder, listing in zip(self._folders, self._listings, strict=True):
            start = len(str(folder)) + 1
            found.append(
                [(str(file.parent)[start:], file.name, file.stat().st_size) for file in map(Path, listing.paths)]
            )
        return digest(self.classes, found, *(self._read_otherwise() if self.examined else []))

    def train(self) -> FilePictures:
        """See the base class."""
        self._tell()
        return self._part(test=False)

    def test(self) -> FilePictures:
        """See the base class; warns of images that are trained on, too."""
        pictures = self._part(test=True)
        if self.examined and (both := same_bytes(self._part(test=False).paths, pictures.paths)):
            log.warning(
                "%d of %d test images of %s are among the training images, byte by byte, first %s, which is %s: the "
                "test will flatter. Remove them from one part.",
                len(both),
                len(pictures.y),
                self.name,
                *both[0],
            )
        return pictures

    @cached_property
    def _parts(self) -> tuple[Path, Path | None, list[str]]:
        """The training folder, the test folder where there is one, and names of folders that are not used."""
        return find_parts(self.root)

    @property
    def _folders(self) -> list[Path]:
        train, test, _ = self._parts
        return [train] if test is None else [train, test]

    @cached_property
    def _listings(self) -> list[Listing]:
        """What each of the folders holds."""
        listings = [list_images(folder, self.classes) for folder in self._folders]
        for listing in listings:
            self._try(listing)
        return listings

    def _try(self, listing: Listing) -> None:
        """Read the first image of each class whose full scale may not fit: it would be told when it is its turn."""
        for place in np.unique(listing.y, return_index=True)[1]:
            file = listing.paths[place]
            header = look(file)
            if header is not None and header.deep:
                with suppress(DamagedPhoto):
                    read_photo(file, full_scale=self.full_scale)

    def _part(self, test: bool) -> FilePictures:
        self.check()
        stated = self._parts[1] is not None
        listing = self._listings[-1 if test else 0]
        paths, y = listing.paths, listing.y
        if not stated:
            use = stratified(y, self.test_share) == test
            paths, y = [path for path, used in zip(paths, use, strict=True) if used], y[use]
        return FilePictures(
            paths,
            y,
            len(self.colours),
            self.size,
            self.resize,
            self.smallest_crop,
            self.orientation == "exif",
            self.full_scale,
        )

    def _read_otherwise(self) -> list[object]:
        """Images that are read otherwise than as Pillow decodes them, and how; nothing where there are none."""
        found = []
        for folder, listing in zip(self._folders, self._listings, strict=True):
            for file in listing.paths:
                header = look(file)
                turn = header.orientation if header is not None and self.orientation == "exif" else 1
                if how := read_otherwise(file, header, turn, self.full_scale):
                    found.append([os.path.relpath(file, folder), how])
        return [found] if found else []

    def _tell(self) -> None:
        """Warn of files and folders that are not used."""
        others = [file for listing in self._listings for file in listing.others]
        if others:
            log.warning("%s: files that are no images by their names are not used: %s.", self.name, counted(others))
        unused = [*self._parts[2], *(name for folder in self._folders for name in hidden_folders(folder))]
        if unused:
            log.warning("%s: these folders of %s are not used: %s.", self.name, self.root, ", ".join(unused))
