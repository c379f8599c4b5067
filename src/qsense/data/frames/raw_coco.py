"""RawCoco: a folder of raw files of one or several cameras, with boxes in COCO's format.

Open it to detect objects in raw files of your own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from qsense.data.errors import DataError, DataMissingError, listed
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import Annotations, chosen_classes, read_annotations, tested_share
from qsense.data.frames.annotations.foreign import refuse_foreign
from qsense.data.frames.annotations.pictures import BOX_KINDS, BoxKind, Picture, read_pictures
from qsense.data.frames.annotations.values import printable, show
from qsense.data.frames.dataset import Part
from qsense.data.frames.files.tiff_tags import stated_source
from qsense.data.frames.raw_frames import RawFrames
from qsense.data.frames.raw_settings import RawSettings
from qsense.data.splitting import read_split
from qsense.data.time_limit import time_limit
from qsense.runs.words import did_you_mean

CAMERA = "camera"  # the condition that files state themselves
MATCHING_S = 10.0  # for all names; a pattern takes some microseconds for each
MISSING = 5  # names in a message
USUAL = ("id", "file_name", "width", "height", "license", "flickr_url", "coco_url", "date_captured")


class RawCoco(RawFrames):
    """Raw files (NEF, ARW, CR2, DNG, …, headless numbers, 16-bit pictures) with boxes in COCO's format.

    Images without objects of the chosen classes stay, as negatives. Ids may be numbers or texts, and the same ones in
    several files. Annotations may name the JPEG beside a raw file: the raw file of the same name is taken.

    Args (the others are those of `RawFrames`):
        annotations: file of annotations ("instances").
        images: folder of the raw files.
        classes: names of the categories to detect, in index order; None: all of them, in the order of their ids.
        test: share of the images to test on, in (0, 1); "same" trains and tests on all of them, to see whether a
            network can learn them at all; or a text file with one name per line, of the images to test on.
        train: a text file of the images to train on; None: all that are not tested on.
        test_annotations: file of annotations to test on; `test` is then not used.
        test_images: folder of their raw files; None: `images`.
        condition: what tells the conditions of `gamma_per_condition` and of results: a field of the images in the
            annotations (a list gives one condition per combination), or "camera", maker and model as the raw files
            state them; None: there is one.
        condition_pattern: a regular expression for the file's path below its folder, whose first group, or else what it
            matches, names the condition: "^(day|night)". Not beside `condition`.
        min_score: boxes with a lower `score` are left out; one without score stays.
        bbox: what the four numbers of a bbox are: "xywh", COCO's own, or "xyxy", two corners; with "_shares", as shares
            of the image's width and height.
        name: the data set's name in tables.

    Raises:
        ValueError: an argument out of its range.
    """

    def __init__(
        self,
        root: str,
        annotations: str = "instances.json",
        images: str = ".",
        classes: Sequence[str] | None = None,
        test: float | str = 0.2,
        train: str | None = None,
        test_annotations: str | None = None,
        test_images: str | None = None,
        condition: str | None = None,
        condition_pattern: str | None = None,
        min_score: float = 0.0,
        bbox: BoxKind = "xywh",
        name: str = "raw COCO",
        **settings: Unpack[RawSettings],
    ) -> None:
        super().__init__(root, **settings)
        if bbox not in BOX_KINDS:
            raise ValueError(f"bbox={bbox!r} must be {' or '.join(BOX_KINDS)}")
        if not isinstance(test, str) and not 0 < test < 1:
            raise ValueError(
                f"test={test!r} must be a share in (0, 1), same: train and test on all images, or a list of names"
            )
        if classes is not None and (not classes or len(set(classes)) < len(classes)):
            raise ValueError(f"classes={list(classes)} must be different names, or null for all categories")
        if not math.isfinite(min_score):
            raise ValueError(f"min_score={min_score} must be a finite number")
        if condition is not None and condition_pattern is not None:
            raise ValueError(f"condition={condition} and condition_pattern={condition_pattern}: state one of them")
        self.annotations = self.root / annotations
        self.images = self.root / images
        self.chosen = None if classes is None else tuple(map(str, classes))
        self.test = test
        self.train = None if train is None else self.root / train
        self.test_annotations = None if test_annotations is None else self.root / test_annotations
        self.test_images = self.images if test_images is None else self.root / test_images
        self.same = test == "same" and test_annotations is None
        self.condition = condition
        self.condition_pattern = _expression(condition_pattern)
        self.min_score = min_score
        self.bbox = bbox
        self.name = name

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the categories to detect, in index order."""
        return chosen_classes(self._files[0], self.chosen)

    @cached_property
    def conditions(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the conditions, sorted; none where nothing tells them."""
        return tuple(sorted({name for names in self._condition_names for name in names}))

    @property
    def fields(self) -> tuple[str, ...]:
        """What images in the annotations state beside what every image states: maybe a condition."""
        return tuple(field for field in self._files[0].fields if field not in USUAL)

    def check(self) -> None:
        """See the base class."""
        for key, folder in (("images", self.images), ("test_images", self.test_images)):
            if self.root.is_dir() and not folder.is_dir():
                raise DataMissingError(
                    f"{self.name} is not in {folder.absolute()}: there is no such folder.{self._origin} Point at the "
                    f"raw files in {self.root} with data.dataset.{key}=… (. is root itself)"
                )
        super().check()

    def annotated(self, part: Part) -> list[Picture]:
        """See the base class."""
        return self._divided[part]

    def pictures_of(
        self, annotations: Annotations, folder: Path, classes: Sequence[str], check: BoxCheck
    ) -> list[Picture]:
        """The pictures of a file of annotations; to be overridden where a category is no class."""
        return read_pictures(annotations, folder, classes, check, self.bbox, self.raws(folder), self.min_score)

    def name_condition(self, stated: Any) -> str:
        """The condition that an image's field states, empty for none; to be overridden where not all of it counts."""
        return _condition(stated)

    @cached_property
    def _files(self) -> list[Annotations]:
        """What the annotations hold, and those of the test part where they are stated."""
        files = [self.annotations] if self.test_annotations is None else [self.annotations, self.test_annotations]
        if not self.annotations.exists():
            if not any(self.root.glob("*.json")):
                refuse_foreign(self.root)
            names = sorted(printable(file.name) for file in self.root.glob("*.json"))
            raise DataMissingError(
                f"{self.annotations} is missing: name the file of COCO annotations with data.dataset.annotations=…"
                + (f"; JSON files there: {', '.join(names[:4])}" if names else "")
            )
        field = None if self.condition == CAMERA else self.condition
        return [read_annotations(file, field) for file in files]

    @cached_property
    def _listed(self) -> list[list[Picture]]:
        """The pictures of each file of annotations, their conditions apart."""
        check = BoxCheck(self.strict)
        found = []
        for listed_there, folder in zip(self._files, (self.images, self.test_images), strict=False):
            chosen_classes(listed_there, self.classes)
            if len(listed_there.score) and (listed_there.score < self.min_score).all():
                raise DataError(
                    f"{listed_there.file}: data.dataset.min_score={self.min_score:g} leaves out all "
                    f"{len(listed_there.score)} boxes: their highest score is {listed_there.score.max():g}"
                )
            found.append(self.pictures_of(listed_there, folder, self.classes, check))
        files = " and ".join(str(listed_there.file) for listed_there in self._files)
        check.finish(files, "set data.dataset.bbox=xywh_shares, or xyxy_shares")
        return found

    @cached_property
    def _condition_names(self) -> list[list[str]]:
        """The condition of every picture of each file of annotations; nothing where nothing tells them."""
        if self.condition is None and self.condition_pattern is None:
            return []
        rows = zip(self._files, self._listed, (self.images, self.test_images), strict=False)
        try:
            with time_limit(MATCHING_S) if self.condition_pattern is not None else nullcontext():
                return [self._conditions_of(*row) for row in rows]
        except TimeoutError as error:
            assert self.condition_pattern is not None
            raise DataError(
                f"data.dataset.condition_pattern={self.condition_pattern.pattern} takes {error} on the files' names: "
                "a repeat within a repeat, as in (a+)+, may try every way to divide a name; write it without"
            ) from error

    def _conditions_of(self, annotations: Annotations, pictures: list[Picture], folder: Path) -> list[str]:
        found, without = [], []
        for image, picture in zip(annotations.images, pictures, strict=True):
            if self.condition == CAMERA:
                name = stated_source(picture.file).camera
            elif self.condition is not None:
                name = self.name_condition(image.stated)
            else:
                assert self.condition_pattern is not None
                match = self.condition_pattern.search(picture.file.relative_to(folder).as_posix())
                name = "" if match is None else (match.group(1) or "" if match.re.groups else match.group())
            found.append(name)
            if not name:
                without.append(f"{printable(picture.name)} (image {show(image.id)})")
        if without:
            what, remedy = "state no camera", "data.dataset.condition=null"
            if self.condition_pattern is not None:
                what, remedy = (
                    f"do not match {self.condition_pattern.pattern!r}",
                    "another data.dataset.condition_pattern",
                )
            elif self.condition != CAMERA:
                what = f"state no {self.condition!r}"
                what += did_you_mean(str(self.condition), [CAMERA, *annotations.fields])
                remedy = f"condition={CAMERA}, or one of the fields {', '.join(annotations.fields)}"
            raise DataError(
                f"{annotations.file}: {len(without)} of {len(pictures)} images {what}: set {remedy}"
                + listed(without, len(without), MISSING)
            )
        return found

    @cached_property
    def _divided(self) -> dict[Part, list[Picture]]:
        """The pictures of both parts, with their conditions."""
        places = {name: place for place, name in enumerate(self.conditions)}
        pictures = self._listed
        if places:
            pictures = [
                [replace(picture, condition=places[name]) for picture, name in zip(row, names, strict=True)]
                for row, names in zip(pictures, self._condition_names, strict=True)
            ]
        if self.test_annotations is not None:
            return {"train": pictures[0], "test": pictures[1]}
        if self.same:
            return {"train": pictures[0], "test": pictures[0]}
        names = [image.name for image in self._files[0].images]
        if isinstance(self.test, str):
            tested = self._chosen_by(self.root / self.test, names, "test")
        else:
            tested = tested_share(self._files[0], self.test)
        trained = set(range(len(names))) - tested
        if self.train is not None:
            trained = self._chosen_by(self.train, names, "train")
        parts: dict[Part, set[int]] = {"train": trained, "test": tested}
        return {part: [pictures[0][place] for place in sorted(own)] for part, own in parts.items()}

    def _chosen_by(self, file: Path, names: list[str], key: str) -> set[int]:
        """Places of the images that a list names, by their names with or without folder and ending."""
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise DataMissingError(
                f"{file} cannot be read ({error.strerror}): data.dataset.{key} is a text file in the root with one "
                "name per line" + (", a share in (0, 1), or same" if key == "test" else "")
            ) from error
        places: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            for form in {name, Path(name).name, Path(name).stem, str(Path(name).with_suffix(""))}:
                places.setdefault(form, []).append(place)
        wanted = read_split(text, str(file))
        unknown = [name for name in wanted if name not in places]
        several = [name for name in wanted if len(places.get(name, ())) > 1]
        for wrong, what in ((unknown, "no image"), (several, "several images")):
            if wrong:
                raise DataError(
                    f"{file}: {len(wrong)} of {len(wanted)} names are those of {what} in {self.annotations}:"
                    + listed(map(printable, wrong), len(wrong), MISSING)
                )
        return {places[name][0] for name in wanted}


def _expression(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ValueError(f"condition_pattern={pattern} is no regular expression: {error}") from error


def _condition(stated: Any) -> str:
    """The name of what a field says; several in one, empty where it says nothing.

    >>> _condition("night"), _condition(["rain", "low light"]), _condition(3), _condition([])
    ('night', 'low light + rain', '3', 'none')
    """
    if isinstance(stated, list):
        return " + ".join(sorted(str(each) for each in stated)) or "none"
    return "" if stated is None else printable(str(stated)).strip()
