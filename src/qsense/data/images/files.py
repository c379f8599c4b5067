"""Images in files: decoded and brought to one size when they are used.

Open it to change how image files are cropped and scaled.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from qsense.data.errors import DataError
from qsense.data.images.dataset import Codes, Labels, Pictures
from qsense.data.photos import DamagedPhoto, read_photo

log = logging.getLogger(__name__)

Box = tuple[int, int, int, int]


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
        turned: images are turned as their EXIF says, and not left as they are stored.
        full_scale: value of white in grey files of more than 8 bits; None: what type or file state (`read_photo`).
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        y: Labels,
        channels: int,
        size: int,
        resize: int,
        smallest_crop: float,
        turned: bool = True,
        full_scale: float | None = None,
    ) -> None:
        self.paths = np.array([str(path) for path in paths])  # one block of memory, shared by loader processes
        self.y = y
        self.grey = channels == 1
        self.turned, self.full_scale = turned, full_scale
        self.size, self.resize, self.smallest_crop = size, resize, smallest_crop
        self._named: set[int] = set()

    def gather(self, indices: npt.NDArray[np.int64], stream: Sequence[int] | None) -> tuple[Codes, Labels]:
        """See the base class.

        Raises:
            DataError: not one image of the batch can be read, or the values of one do not fit their full scale.
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
            return self._view(index, stream)
        except DamagedPhoto as error:
            if index not in self._named:
                self._named.add(index)
                log.warning("%s. It is left out.", error)
            return None

    def _view(self, index: int, stream: Sequence[int] | None) -> Codes:
        image = read_photo(self.paths[index], self.grey, None if self.turned else 1, self.full_scale)
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
