"""AODRaw: scenes in low light, rain, fog and daylight, indoors and outdoors, with boxes of 62 categories.

Open it when the data set cannot be read, or to tell its conditions in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import Annotations, chosen_classes
from qsense.data.frames.annotations.pictures import Picture
from qsense.data.frames.geometry.placing import Crop
from qsense.data.frames.raw_coco import RawCoco

IGNORE = "ignore"  # a category of regions, no class
OTHER = "other"  # the condition of frames with none of the tags


class AODRaw(RawCoco):
    """A camera of 14 bits that writes ARW, 6000 × 4000 pixels: 5 445 frames train, 2 340 test (Li et al., CVPR 2025).

    Layout, as its authors prescribe: `<root>/images/00000000.ARW`, … and `<root>/annotations/train_annotations.json`
    and `test_annotations.json`. Some frames are turned by a quarter, as their EXIF says. What LibRaw reads is larger on
    all sides than what was annotated: the middle is taken, as its authors do.

    Classes are the categories of the file but `ignore`, whose regions count neither as hit nor as miss of any class, as
    in the authors' own score. Which tags exist is not published but in the authors' code, which names the five below.

    Args:
        root: folder that the other paths are relative to.
        tags: a frame's condition is the first of these that it is tagged with, or "other"; null: each combination of
            tags is a condition, as in the authors' tables. Light comes first, as it moves a sensor's codes most.
        classes: names of the categories to detect, in index order; None: all, in the order of their ids.
        annotations: file of the annotations to train on.
        test_annotations: file of those to test on.
        images: folder of the raw files.
        crop: see `RawFrames`.
        subtract_black: see `RawFrames`.
        strict: see `RawFrames`.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://github.com/lzyhha/AODRaw"

    def __init__(
        self,
        root: str,
        tags: Sequence[str] | None = ("low_light", "rain", "fog", "indoor", "normal_light"),
        classes: Sequence[str] | None = None,
        annotations: str = "annotations/train_annotations.json",
        test_annotations: str = "annotations/test_annotations.json",
        images: str = "images",
        crop: Crop = "centre",
        subtract_black: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(
            root,
            annotations=annotations,
            images=images,
            classes=classes,
            test_annotations=test_annotations,
            condition="tag",
            name="AODRaw",
            native_bits=14,
            crop=crop,
            subtract_black=subtract_black,
            strict=strict,
        )
        if tags is not None and (isinstance(tags, str) or not tags or len(set(tags)) < len(tags)):
            raise ValueError(f"tags={tags} must be a list of different names, or null: every combination of tags")
        self.tags = None if tags is None else tuple(tags)

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the categories to detect, in index order."""
        return tuple(name for name in chosen_classes(self._files[0], self.chosen) if name != IGNORE)

    def name_condition(self, stated: Any) -> str:
        """See the base class."""
        if self.tags is None:
            return super().name_condition(stated)
        tagged = stated if isinstance(stated, list) else [stated]
        return next((tag for tag in self.tags if tag in tagged), OTHER)

    def pictures_of(
        self, annotations: Annotations, folder: Path, classes: Sequence[str], check: BoxCheck
    ) -> list[Picture]:
        """See the base class; regions to ignore are crowds of every class."""
        ignored = (IGNORE,) if IGNORE in annotations.categories else ()
        pictures = super().pictures_of(annotations, folder, (*classes, *ignored), check)
        return [spread(picture, len(classes)) for picture in pictures]


def spread(picture: Picture, classes: int) -> Picture:
    """A picture whose regions to ignore, labelled `classes`, have become crowds of the classes 0 … classes − 1."""
    region = picture.labels == classes
    if not region.any():
        return picture
    objects, count = ~region, int(region.sum())
    return replace(
        picture,
        boxes=np.concatenate([picture.boxes[objects], np.tile(picture.boxes[region], (classes, 1))]),
        labels=np.concatenate([picture.labels[objects], np.repeat(np.arange(classes), count)]),
        crowd=np.concatenate([picture.crowd[objects], np.ones(classes * count, dtype=bool)]),
        area=np.concatenate([picture.area[objects], np.tile(picture.area[region], classes)]),
    )
