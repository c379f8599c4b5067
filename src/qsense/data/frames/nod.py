"""NOD: streets at night by two cameras, with boxes of persons, bicycles and cars.

Open it when the data set cannot be read, or to divide its frames in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from qsense.data.errors import DataMissingError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import chosen_classes, read_annotations
from qsense.data.frames.annotations.pictures import Picture, read_pictures
from qsense.data.frames.dataset import Part
from qsense.data.frames.files.raw_folder import RawFolder
from qsense.data.frames.geometry.placing import Crop
from qsense.data.frames.raw_frames import RawFrames

SPLITS = ("train", "val", "test")
# The annotations of each camera's raw files; those of their JPEGs have other names.
ANNOTATIONS = {
    "nikon": {split: f"Nikon/raw_new_Nikon750_{split}.json" for split in SPLITS},
    "sony": {
        "train": "Sony/raw_new_Sony_RX100m7_train.json",
        "val": "Sony/raw_new_Sony_RX100m7_val.json",
        "test": "Sony/raw_str_labeled_new_Sony_RX100m7_test.json",
    },
}


class NOD(RawFrames):
    """Nikon D750 (4 006 frames) and Sony RX100 VII (3 213), 14 bits, RGGB, evening and night (Morawski et al., CVPR
    Workshops 2022).

    | camera | pixels annotated | train | val | test | boxes |
    |---|---|---|---|---|---|
    | Nikon | 3936 × 2624 | 3 206 | 400 | 400 | 22 474, 2 720, 2 851 |
    | Sony | 5472 × 3648 | 2 571 | 321 | 321 | 14 982, 1 896, 1 827 |

    One box of Nikon's test part has no height and is left out (the file has 2 852). Raw files may lie in any folders of
    `images`: they are found by their names, `DSC_0557.NEF` and `DSC01088.ARW`.

    What LibRaw reads may be larger than what was annotated (3968 × 2640 for the Nikon, by public code). That it is the
    middle is likely and **not verified**, as is whether lens distortion was corrected in it: look at the frames with
    their boxes first (`qsense data check data=nod`).

    Args:
        root: folder that the other paths are relative to.
        camera: "nikon", "sony", or "both", mixed; each is then a condition, so that `gamma_per_condition` learns one γ
            for each.
        annotations: the folder `annotations` of its repository.
        images: folder of the raw files.
        train: published parts to train on, of train, val and test.
        test: published parts to test on.
        crop: see `RawFrames`.
        subtract_black: see `RawFrames`.
        strict: see `RawFrames`.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://github.com/igor-morawski/RAW-NOD"
    classes = ("person", "bicycle", "car")

    def __init__(
        self,
        root: str,
        camera: Literal["nikon", "sony", "both"] = "both",
        annotations: str = "annotations",
        images: str = ".",
        train: Sequence[str] = ("train",),
        test: Sequence[str] = ("test",),
        crop: Crop = "centre",
        subtract_black: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(root, native_bits=14, crop=crop, subtract_black=subtract_black, strict=strict)
        self.format = replace(self.format, clip=True)  # at 16383, as RawDet-7's authors do with the Sony's counts
        if camera not in (*ANNOTATIONS, "both"):
            raise ValueError(f"camera={camera!r} must be {', '.join(ANNOTATIONS)} or both")
        for key, splits in (("train", train), ("test", test)):
            if isinstance(splits, str) or not splits or not set(splits) <= set(SPLITS):
                raise ValueError(f"{key}={splits!r} must be a list of some of {', '.join(SPLITS)}")
        if both := sorted(set(train) & set(test)):
            raise ValueError(f"train={list(train)} and test={list(test)} share {both[0]}: nothing may be in both")
        self.cameras = tuple(ANNOTATIONS) if camera == "both" else (camera,)
        self.conditions = self.cameras if camera == "both" else ()
        self.name = "NOD" if camera == "both" else f"NOD {camera.capitalize()}"
        self.annotations = self.root / annotations
        self.images = self.root / images
        self.parts: dict[Part, Sequence[str]] = {"train": train, "test": test}

    def annotated(self, part: Part) -> list[Picture]:
        """See the base class."""
        check = BoxCheck(self.strict)
        pictures = [
            replace(picture, condition=place)
            for place, camera in enumerate(self.cameras)
            for split in self.parts[part]
            for picture in self._pictures_of(camera, split, check)
        ]
        check.finish(str(self.annotations))
        return pictures

    def _pictures_of(self, camera: str, split: str, check: BoxCheck) -> list[Picture]:
        file = self.annotations / ANNOTATIONS[camera][split]
        if not file.is_file():
            raise DataMissingError(
                f"{file} is missing: it is in {self.url}; point at its folder annotations with "
                "data.dataset.annotations=…"
            )
        found = read_annotations(file)
        chosen_classes(found, self.classes)  # one file lists COCO's 80 categories, these three first
        find = RawFolder(self.images, {"nikon": "nef", "sony": "arw"}[camera])
        return read_pictures(found, self.images, self.classes, check, find=find)
