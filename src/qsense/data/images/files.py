"""Images in files, one folder per class: listed at once, decoded and brought to one size when they are used.

Open it to change how image files are cropped and scaled.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from qsense.data.errors import DataError
from qsense.data.images.dataset import Codes, Labels, Pictures

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
Box = tuple[int, int, int, int]


def class_folders(folder: Path) -> tuple[str, ...]:
    """Names of a folder's visible sub-folders, sorted.

    Raises:
        DataError: there are fewer than two, or images lie directly in the folder.
    """
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    loose = next((entry.name for entry in entries if entry.name.lower().endswith(SUFFIXES)), None)
    names = tuple(sorted(entry.name for entry in entries if entry.is_dir()))
    if loose is not None:
        raise DataError(
            f"{folder / loose} lies beside the class folders: sort the images of {folder} into one per class"
        )
    if len(names) < 2:
        raise DataError(f"{folder} must hold at least two class folders, found {len(names)}")
    return names


def list_images(folder: Path, classes: Sequence[str]) -> tuple[list[Path], Labels]:
    """Image files of all class folders, in the order of classes and names, and their classes.

    Raises:
        DataError: a class folder is missing, unknown, or holds no image; it is named.
    """
    unknown = sorted(set(class_folders(folder)) - set(classes))
    if unknown:
        raise DataError(f"{folder / unknown[0]} is a class without training images")
    paths: list[Path] = []
    counts = []
    for name in classes:
        if not (folder / name).is_dir():
            raise DataError(f"{folder / name} is missing: every class needs its folder in {folder}")
        found = sorted(entry.path for entry in os.scandir(folder / name) if entry.name.lower().endswith(SUFFIXES))
        if not found:
            raise DataError(f"{folder / name} holds no image ({', '.join(SUFFIXES)})")
        paths += map(Path, found)
        counts.append(len(found))
    return paths, np.repeat(np.arange(len(classes)), counts)


class FilePictures(Pictures):
    """Images of any size, decoded when they are gathered.

    Training cuts a random part out of each image (area `smallest_crop` … 1 of it, sides 3:4 … 4:3) and scales it to
    size × size; evaluation scales the shorter side to `resize` and takes the centre (Szegedy et al. 2015; torchvision's
    RandomResizedCrop).

    Looking into every file first would take longer than many a training run, so a missing or damaged file is found when
    it is its turn: it is named in a warning, once per process, and left out of its batch.

    Args:
        paths: image files.
        y: their classes, int64 [images].
        channels: 3 for RGB, 1 for grey.
        size: height and width of what is delivered, in pixels.
        resize: length of the shorter side before the centre is taken, in pixels.
        smallest_crop: least share of an image's area to cut out, in (0, 1]; 1 trains on the evaluated view, too.
    """

    def __init__(
        self, paths: Sequence[Path], y: Labels, channels: int, size: int, resize: int, smallest_crop: float
    ) -> None:
        self.paths = np.array([str(path) for path in paths])  # one block of memory, shared by loader processes
        self.y = y
        self.mode = "RGB" if channels == 3 else "L"
        self.size, self.resize, self.smallest_crop = size, resize, smallest_crop
        self._named: set[int] = set()

    def gather(self, indices: npt.NDArray[np.int64], stream: Sequence[int] | None) -> tuple[Codes, Labels]:
        """See the base class.

        Raises:
            DataError: not one image of the batch can be read.
        """
        read = [self._read(int(index), stream) for index in indices]
        good = np.array([image is not None for image in read])
        if not good.any():
            raise DataError(
                f"none of the {len(indices)} images of a batch can be read, among them {self.paths[indices[0]]}"
            )
        return np.stack([image for image in read if image is not None]), self.y[indices[good]]

    def _read(self, index: int, stream: Sequence[int] | None) -> Codes | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about metadata
                return self._view(index, stream)
        except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            if index not in self._named:
                self._named.add(index)
                log.warning("%s cannot be read (%s) and is left out.", self.paths[index], error)
            return None

    def _view(self, index: int, stream: Sequence[int] | None) -> Codes:
        with Image.open(self.paths[index]) as file:
            image = file.convert(self.mode)
        if stream is None or self.smallest_crop == 1:
            scale = self.resize / min(image.size)
            width, height = (max(round(side * scale), self.size) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            left, top = (width - self.size) // 2, (height - self.size) // 2
            image = image.crop((left, top, left + self.size, top + self.size))
        else:
            box = random_box(image.width, image.height, self.smallest_crop, np.random.default_rng([*stream, index]))
            image = image.crop(box).resize((self.size, self.size), Image.Resampling.BILINEAR)
        codes = np.asarray(image)
        return codes[None] if codes.ndim == 2 else codes.transpose(2, 0, 1)


def random_box(width: int, height: int, smallest: float, rng: np.random.Generator) -> Box:
    """Where to cut: (left, top, right, bottom) of a part with a random area, side ratio and place.

    Area uniform in [smallest, 1], log side ratio uniform in ±log(4/3); after ten parts that do not fit, the largest
    centred one with a permitted ratio (as torchvision's RandomResizedCrop).

    >>> left, top, right, bottom = random_box(100, 80, 0.08, np.random.default_rng(0))
    >>> 0 <= left < right <= 100 and 0 <= top < bottom <= 80
    True
    """
    bound = math.log(4 / 3)
    for _ in range(10):
        area = width * height * rng.uniform(smallest, 1)
        ratio = math.exp(rng.uniform(-bound, bound))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
