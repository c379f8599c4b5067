"""ImageNet (ILSVRC 2012) as most people keep it: one folder per class in train and in val.

Open it when the layout of your copy is refused.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from qsense.data.errors import DataError, DataMissingError
from qsense.data.images.dataset import IMAGENET_MEAN, IMAGENET_STD
from qsense.data.images.folder import ImageFolder
from qsense.data.images.layout import loose_image

CLASSES = 1000
KAGGLE = ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "CLS-LOC", "imagenet", "ILSVRC2012")


class ImageNet(ImageFolder):
    """1.28 million photographs in 1 000 classes; its 50 000 validation images are what is tested on, as everywhere.

    `<root>/train/<wnid>/*.JPEG` and `<root>/val/<wnid>/*.JPEG`. The class index is the place of the WordNet number
    among the sorted folders, as in all published weights. With fewer class folders, `name` says so.

    Images are not turned as their EXIF says, as for published weights.

    Args:
        root: folder that holds `train` and `val`.
        size: height and width of what the network sees, in pixels.
        resize: length to which the shorter side is scaled before the centre is taken, in pixels; at least `size`.
        smallest_crop: least share of an image's area to train on, in (0, 1].

    Raises:
        ValueError: an argument out of its range.
    """

    examined = False

    def __init__(self, root: str, size: int = 224, resize: int = 256, smallest_crop: float = 0.08) -> None:
        super().__init__(
            root=root,
            name="ImageNet",
            channels=3,
            size=size,
            resize=resize,
            smallest_crop=smallest_crop,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            orientation="stored",
        )

    def check(self) -> None:
        """See the base class."""
        for inner in KAGGLE:
            if (self.root / inner / "train").is_dir() and not (self.root / "train").is_dir():
                raise DataMissingError(
                    f"ImageNet is not in {self.root.absolute()}, but in {inner} in it: set "
                    f"data.dataset.root={self.root.absolute() / inner}"
                )
        for part in ("train", "val"):
            if not (self.root / part).is_dir():
                raise DataMissingError(
                    f"ImageNet is not in {self.root.absolute()}: {self.root / part} is missing. Its terms forbid "
                    f"fetching it for you: get it from https://image-net.org, unpack it as {part}/<wnid>/*.JPEG, and "
                    f"point at it with data.dataset.root=… or QSENSE_DATA"
                )
        for name in self.classes:
            if not (len(name) == 9 and name[0] == "n" and name[1:].isdigit()):
                raise DataError(
                    f"{self.root / 'train' / name} is not a class of ImageNet, whose folders are n01440764, …"
                )
        loose = loose_image(self.root / "val")
        if loose is not None:
            raise DataError(
                f"{self.root / 'val' / loose} lies beside the class folders: sort the 50 000 validation images into "
                f"one folder per class, as in train, by the labels of the development kit (well-known as valprep.sh)"
            )
        if len(self.classes) != CLASSES:
            self.name = f"ImageNet ({len(self.classes)} of {CLASSES} classes)"

    @cached_property
    def _parts(self) -> tuple[Path, Path | None, list[str]]:
        return self.root / "train", self.root / "val", []  # what some keep in `test` has no labels
