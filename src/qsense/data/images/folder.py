"""Anyone's own images: one folder per class.

Open it to train on photographs of your own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from qsense.data.cache import digest
from qsense.data.errors import DataError, DataMissingError
from qsense.data.images.dataset import IMAGENET_MEAN, IMAGENET_STD, ImageDataset, Labels
from qsense.data.images.files import FilePictures, class_folders, list_images
from qsense.data.splitting import stratified


class ImageFolder(ImageDataset):
    """Images in `<root>/train/<class>/` and `<root>/test/<class>/` (or `val`), or all of them in `<root>/<class>/`.

    Where the folder states no test part, a stratified share of every class is set aside for it, the same for every seed
    of a run. Classes are numbered in the order of their names. Damaged files are named and left out (`FilePictures`).

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

    Raises:
        ValueError: an argument out of its range.
    """

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
        self.root = Path(root).expanduser()
        self.name = name
        self.colours = ("red", "green", "blue") if channels == 3 else ("grey",)
        self.size = size
        self.resize = resize
        self.smallest_crop = smallest_crop
        self.test_share = test
        self.mean = tuple(mean)
        self.std = tuple(std)

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the class folders, sorted."""
        return class_folders(self._train_folder())

    def check(self) -> None:
        """See the base class; looks at the class folders, not into the images."""
        if not self.root.is_dir():
            raise DataMissingError(
                f"{self.name} is not in {self.root.absolute()}: there is no such folder. Point at one that holds "
                f"a folder of images per class with data.dataset.root=…"
            )
        if (self.root / "train").is_dir() and self._test_folder() is None:
            raise DataError(f"{self.root} holds train, but neither test nor val beside it")
        _ = self.classes

    def fingerprint(self) -> str:
        """SHA-256 (hex) over folders, names and sizes of the images (too many bytes to read)."""
        found = []
        for folder in dict.fromkeys((self._train_folder(), self._test_folder() or self._train_folder())):
            paths, _ = list_images(folder, self.classes)
            found.append([(path.parent.name, path.name, path.stat().st_size) for path in paths])
        return digest(self.classes, found)

    def train(self) -> FilePictures:
        """See the base class."""
        return self._part(test=False)

    def test(self) -> FilePictures:
        """See the base class."""
        return self._part(test=True)

    def _train_folder(self) -> Path:
        return self.root / "train" if (self.root / "train").is_dir() else self.root

    def _test_folder(self) -> Path | None:
        return next((self.root / name for name in ("test", "val") if (self.root / name).is_dir()), None)

    def _part(self, test: bool) -> FilePictures:
        self.check()
        stated = self._test_folder() if self._train_folder() != self.root else None
        folder = stated if test and stated is not None else self._train_folder()
        paths, y = list_images(folder, self.classes)
        if stated is None:
            use = stratified(y, self.test_share) == test
            paths, y = [path for path, used in zip(paths, use, strict=True) if used], y[use]
        return self._pictures(paths, y)

    def _pictures(self, paths: Sequence[Path], y: Labels) -> FilePictures:
        return FilePictures(paths, y, len(self.colours), self.size, self.resize, self.smallest_crop)
