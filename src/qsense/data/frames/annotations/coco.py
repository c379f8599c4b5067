"""Annotations in COCO's format: read, and refused where they contradict themselves.

Open it when a file of annotations is refused.
"""

from __future__ import annotations

import gc
import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.annotations.foreign import refuse_foreign
from qsense.data.frames.annotations.problems import Problems
from qsense.data.frames.annotations.segmentation import bounds
from qsense.data.frames.annotations.values import Id, flag, id_of, id_order, number, printable, show, whole
from qsense.runs.words import did_you_mean

HALF = re.compile("[\ud800-\udfff]")  # of a character: no file can hold it


@dataclass(frozen=True, eq=False)
class ImageEntry:
    """An image as the annotations list it.

    Args:
        id: the file's own.
        name: its file's, relative to a folder, as it is written.
        width: in pixels.
        height: likewise.
        stated: what the one field says that was asked for.
    """

    id: Id
    name: str
    width: int
    height: int
    stated: Any = None


@dataclass(frozen=True, eq=False)
class Annotations:
    """A file of annotations whose ids are unique and known. Objects know images and categories by their places here.

    Args:
        file: where they were read.
        images: in the file's order.
        categories: names, in the order of their ids.
        ids: of the objects, in the file's order; None where there is none.
        image: place of each object's image, int64 [n].
        category: place of each object's category, int64 [n].
        bbox: the four numbers of each object, float64 [n, 4]; NaN where one is no number.
        outlined: bool [n]: there is no bbox, and its numbers are x, y, width and height of the segmentation.
        crowd: bool [n].
        area: as stated, float64 [n]; 0 where none is.
        worded: whether flags were written as text, which once were read wrongly.
        score: of each object, float64 [n]; NaN where none is stated.
        fields: of the first image.
    """

    file: Path
    images: list[ImageEntry]
    categories: tuple[str, ...]
    ids: Sequence[Id | None]
    image: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    bbox: npt.NDArray[np.float64]
    outlined: npt.NDArray[np.bool_]
    crowd: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float64]
    worded: bool
    score: npt.NDArray[np.float64]
    fields: tuple[str, ...] = ()

    def describe(self, place: int) -> str:
        """What messages call an object."""
        sides = ", ".join(f"{side:g}" for side in self.bbox[place])
        image = self.images[self.image[place]]
        name = _object_name(self.ids[place], place)
        return f"{self.file.name}: {name}, image {show(image.id)} ({show(image.name)}), bbox [{sides}]"


def read_annotations(file: Path, field: str | None = None) -> Annotations:
    """Read a file of COCO annotations ("instances").

    An object without a bbox gets the one around its segmentation, x, y, width and height.

    Args:
        file: to read.
        field: of the images, to be kept as `stated`; None: none.

    Raises:
        DataMissingError: there is no such file.
        DataError: it is a folder, no JSON, has another format, an id twice, or an annotation of an unknown image or
            category; the message names file and ids, all of a kind.
    """
    with _no_collection():
        return _read(file, field)


def _read(file: Path, field: str | None) -> Annotations:
    content = _parsed(file)
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in lists):
        refuse_foreign(file)
        raise DataError(f"{file} is not in COCO's format: it must hold the lists images, annotations and categories")
    problems = Problems(file)
    images = list(_images(content["images"], problems, field))
    categories = dict(_categories(content["categories"], problems))
    problems.refuse_repeated("image id", (image.id for image in images))
    problems.refuse_repeated("file name", (image.name for image in images))
    problems.finish()
    names = tuple(categories[key] for key in sorted(categories, key=id_order))
    place_of_image = {image.id: place for place, image in enumerate(images)}
    place_of_category = {key: place for place, key in enumerate(sorted(categories, key=id_order))}
    found = _objects(content["annotations"], problems, place_of_image, place_of_category)
    problems.finish()
    fields = tuple(content["images"][0]) if images else ()
    return Annotations(file, images, names, **found, fields=fields)


def chosen_classes(annotations: Annotations, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in index order: those asked for, or all categories in the order of their ids.

    Raises:
        DataError: one that is not in the file; it and those that are there are named.
    """
    names = annotations.categories
    if classes is None:
        return names
    if unknown := [name for name in classes if name not in names]:
        asked = ", ".join(f"'{name}'" for name in unknown)
        near = did_you_mean(unknown[0], [printable(name) for name in names])
        raise DataError(
            f"{annotations.file} knows no category {asked}{near}; it has {', '.join(map(printable, names))}"
        )
    return tuple(classes)


def tested_share(annotations: Annotations, share: float) -> set[int]:
    """Places of the images to test on, drawn by COCO's ids, so that they do not depend on the order in the file.

    Args:
        annotations: of all images.
        share: of them, in (0, 1); at least one image is tested on, and one is not.

    Raises:
        DataError: there are fewer than two images.
    """
    images = annotations.images
    if len(images) < 2:
        raise DataError(f"{annotations.file} lists {len(images)} images: at least 2 are needed to test on some of them")
    count = min(max(round(share * len(images)), 1), len(images) - 1)
    by_id = sorted(range(len(images)), key=lambda place: id_order(images[place].id))
    return {by_id[i] for i in np.random.default_rng(0).permutation(len(images))[:count].tolist()}


def _parsed(file: Path) -> Any:
    if file.is_dir():
        refuse_foreign(file)
        raise DataError(f"{file} is a folder: name the file of COCO annotations with data.dataset.annotations=…")
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataMissingError(
            f"{file} cannot be read ({error.strerror}): name the file of COCO annotations with "
            "data.dataset.annotations=…"
        ) from error
    try:
        text = raw.decode(json.detect_encoding(raw), "surrogatepass")
        del raw  # half a gigabyte for COCO's own training part
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse_foreign(file)
        raise DataError(f"{file} is damaged, or no JSON: {error}") from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of objects that stay need no search for those that can go, which takes as long as parsing them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _images(entries: list[Any], problems: Problems, field: str | None) -> Iterator[ImageEntry]:
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            problems.add(
                "image", f"image number {place} in the file is no object with id, file_name, … but {show(entry)}"
            )
            continue
        key, name = id_of(entry.get("id")), entry.get("file_name")
        width, height = whole(entry.get("width")), whole(entry.get("height"))
        wrong = [] if key is not None else ["id"]
        wrong += [] if isinstance(name, str) and name.strip() else ["file_name"]
        wrong += [side for side, length in (("width", width), ("height", height)) if length is None]
        if wrong:
            stated = ", ".join(f"{field} {show(entry[field])}" if field in entry else f"no {field}" for field in wrong)
            problems.add("image", f"image number {place} in the file, id {show(entry.get('id'))}, states {stated}")
            continue
        assert key is not None
        assert isinstance(name, str)
        assert width is not None
        assert height is not None
        yield ImageEntry(key, name, width, height, None if field is None else entry.get(field))


def _categories(entries: list[Any], problems: Problems) -> Iterator[tuple[Id, str]]:
    """Ids and names; all of the names are different texts."""
    found: list[tuple[Id, str]] = []
    for place, entry in enumerate(entries, start=1):
        key = id_of(entry.get("id")) if isinstance(entry, dict) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, int | float) and not isinstance(name, bool):
            name = str(name)  # digits, say
        if key is None or not isinstance(name, str) or not name.strip() or HALF.search(name):
            problems.add("category", f"category number {place} in the file needs an id and a name: {show(entry)}")
        else:
            found.append((key, name))
    problems.refuse_repeated("category id", (key for key, _ in found))
    problems.refuse_repeated("category", (name for _, name in found))
    yield from found


def _objects(
    entries: list[Any], problems: Problems, images: Mapping[Id, int], categories: Mapping[Id, int]
) -> dict[str, Any]:
    """The columns of `Annotations`."""
    ids: list[Id | None] = []
    image_places, category_places, boxes, outlined, crowd, area, score = [], [], [], [], [], [], []
    worded = False
    for place, entry in enumerate(entries):
        if type(entry) is not dict:
            problems.add("annotation", f"annotation number {place + 1} in the file is no object but {show(entry)}")
            continue
        key = id_of(entry.get("id"))
        image = _place(images, entry.get("image_id"))
        category = _place(categories, entry.get("category_id"))
        stated = entry.get("iscrowd")
        is_crowd = flag(stated)
        box = entry.get("bbox") or bounds(entry.get("segmentation"))
        if image is None or category is None or is_crowd is None or not _four(box):
            _complain(problems, _object_name(key, place), entry, (image, category, is_crowd, box))
            continue
        worded |= isinstance(stated, str)
        ids.append(key)
        image_places.append(image)
        category_places.append(category)
        boxes.append(box)
        outlined.append(not entry.get("bbox"))
        crowd.append(is_crowd)
        area.append(entry.get("area"))
        score.append(entry.get("score"))
    problems.refuse_repeated("annotation id", (key for key in ids if key is not None))
    areas = np.array([number(value) for value in area], dtype=np.float64)
    return {
        "ids": _compact(ids),
        "image": np.array(image_places, dtype=np.int64),
        "category": np.array(category_places, dtype=np.int64),
        "bbox": _sides(boxes),
        "outlined": np.array(outlined, dtype=bool),
        "crowd": np.array(crowd, dtype=bool),
        "area": np.where(np.isfinite(areas) & (areas > 0), areas, 0.0),
        "worded": worded,
        "score": np.array([number(value) for value in score], dtype=np.float64),
    }


def _complain(problems: Problems, name: str, entry: dict[str, Any], found: tuple[Any, Any, Any, Any]) -> None:
    image, category, is_crowd, box = found
    for kind, known in (("image", image), ("category", category)):
        if known is None:
            stated = f"{kind} {show(entry[f'{kind}_id'])}" if f"{kind}_id" in entry else f"no {kind}_id"
            problems.add(kind, f"{name} names {stated}, which is not listed")
    if is_crowd is None:
        problems.add("iscrowd", f"{name} has iscrowd {show(entry['iscrowd'])}: 0 or 1 is needed")
    if not _four(box):
        stated = (
            f"the bbox {show(entry['bbox'])}" if "bbox" in entry else "no bbox, and no segmentation to take it from"
        )
        problems.add("bbox", f"{name} has {stated}: four numbers x, y, width, height are needed")


def _object_name(key: Id | None, place: int) -> str:
    return f"annotation {show(key)}" if key is not None else f"annotation number {place + 1} in the file"


def _place(places: Mapping[Id, int], value: Any) -> int | None:
    key = id_of(value)
    return None if key is None else places.get(key)


def _compact(ids: list[Id | None]) -> Sequence[Id | None]:
    """Ids without the objects that were parsed: a few of these would keep the memory of all."""
    numbers = [key for key in ids if isinstance(key, int)]
    if len(numbers) < len(ids):
        return ids
    try:
        return array("q", numbers)
    except OverflowError:  # beyond 64 bits
        return ids


def _four(box: Any) -> bool:
    return isinstance(box, list | tuple) and len(box) == 4


def _sides(boxes: list[Any]) -> npt.NDArray[np.float64]:
    kinds = {type(side) for box in boxes for side in box}
    if not kinds <= {int, float}:  # text, null, …: NaN where it is no number
        boxes = [[number(side) for side in box] for box in boxes]
    try:
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)
    except OverflowError:  # a whole number beyond all floats
        return np.array([[number(side) for side in box] for box in boxes], dtype=np.float64).reshape(-1, 4)
