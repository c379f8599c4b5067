"""Annotations in COCO's format: read, and refused where they contradict themselves.

Open it when a file of annotations is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.boxes import check_boxes
from qsense.data.frames.dataset import Frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(Frame):
    """A frame that is an annotated image file; its id is COCO's, its name the file's.

    Args:
        file: where it is.
    """

    file: Path


@dataclass(frozen=True, eq=False)
class Annotations:
    """A file of annotations whose ids are unique and known.

    Args:
        file: where they were read.
        images: by id, in the file's order.
        categories: name by id, in the order of ids.
        objects: annotations, in the file's order.
    """

    file: Path
    images: dict[int, dict[str, Any]]
    categories: dict[int, str]
    objects: list[dict[str, Any]]


def read_annotations(file: Path) -> Annotations:
    """Read a file of COCO annotations ("instances").

    Raises:
        DataMissingError: there is no such file.
        DataError: it is no JSON, has another layout, an id twice, or an annotation of an unknown image or category; the
            message names file and id.
    """
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise DataMissingError(
            f"{file} cannot be read ({error.strerror}): name the file of COCO annotations with "
            "data.dataset.annotations=…"
        ) from error
    except ValueError as error:
        raise DataError(f"{file} is damaged, or no JSON: {error}") from error
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in lists):
        raise DataError(f"{file} is not in COCO's format: it must hold the lists images, annotations and categories")
    images = _by_id(file, "image", content["images"], {"file_name": str, "width": int, "height": int})
    categories = _by_id(file, "category", content["categories"], {"name": str})
    objects = _by_id(file, "annotation", content["annotations"], {"image_id": int, "category_id": int, "bbox": list})
    for image in images.values():
        if min(image["width"], image["height"]) < 1:
            raise DataError(f"{file}: image {image['id']} has a size of {image['width']} × {image['height']}")
    _once(file, "the file name", (image["file_name"] for image in images.values()))
    _once(file, "the category", (category["name"] for category in categories.values()))
    for number, entry in objects.items():
        for kind, known in (("image", images), ("category", categories)):
            if entry[f"{kind}_id"] not in known:
                raise DataError(f"{file}: annotation {number} names {kind} {entry[f'{kind}_id']}, which is not listed")
        if len(entry["bbox"]) != 4 or not all(isinstance(side, int | float) for side in entry["bbox"]):
            raise DataError(f"{file}: annotation {number} has the bbox {entry['bbox']}: x, y, width, height are needed")
    names = {number: str(categories[number]["name"]) for number in sorted(categories)}
    return Annotations(file, images, names, list(objects.values()))


def chosen_classes(annotations: Annotations, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in index order: those asked for, or all categories in the order of their ids.

    Raises:
        DataError: one that is not in the file; it and those that are there are named.
    """
    names = tuple(annotations.categories.values())
    if classes is None:
        return names
    for name in classes:
        if name not in names:
            raise DataError(f"{annotations.file} knows no category '{name}'; it has {', '.join(names)}")
    return tuple(classes)


def read_pictures(annotations: Annotations, images: Path, classes: Sequence[str]) -> list[Picture]:
    """Every image with its objects of some classes, in the file's order; images without any stay.

    Boxes that stick out of their image by up to 2 pixels are cut off; a warning says how many.

    Args:
        annotations: what was read.
        images: folder of the image files.
        classes: names in index order; objects of other categories are left out.

    Raises:
        DataError: an image file that is missing, or a box that encloses nothing or lies outside; file and id are named.
    """
    index = {name: label for label, name in enumerate(classes)}
    label_of = {number: index[name] for number, name in annotations.categories.items() if name in index}
    objects = [entry for entry in annotations.objects if entry["category_id"] in label_of]
    of_image = np.array([entry["image_id"] for entry in objects], dtype=np.int64)
    labels = np.array([label_of[entry["category_id"]] for entry in objects], dtype=np.int64)
    crowd = np.array([bool(entry.get("iscrowd", 0)) for entry in objects], dtype=bool)
    boxes = _boxes(annotations, objects)
    sides = boxes[:, 2:] - boxes[:, :2]
    given = [float(entry.get("area") or 0) for entry in objects]
    area = np.where(np.array(given) > 0, given, sides[:, 0] * sides[:, 1]).astype(np.float32)
    order = np.argsort(of_image, kind="stable")
    members = dict.fromkeys(annotations.images, order[:0])
    for group in np.split(order, np.flatnonzero(np.diff(of_image[order])) + 1):
        if len(group):
            members[int(of_image[group[0]])] = group
    pictures = []
    for number, image in annotations.images.items():
        chosen = members[number]
        file = images / image["file_name"]
        if not file.is_file():
            raise DataError(
                f"{file} is missing, and {annotations.file} lists it as image {number}: is {images} the folder of its "
                "images (data.dataset.images)?"
            )
        facts = (boxes[chosen], labels[chosen], crowd[chosen], area[chosen])
        pictures.append(Picture(number, file.name, image["height"], image["width"], *facts, file=file))
    return pictures


def _boxes(annotations: Annotations, objects: Sequence[dict[str, Any]]) -> npt.NDArray[np.float32]:
    """Left, top, right, bottom of every object, inside its image, float32 [n, 4]."""
    given = np.array([entry["bbox"] for entry in objects], dtype=np.float64).reshape(-1, 4)
    given[:, 2:] += given[:, :2]
    images = [annotations.images[entry["image_id"]] for entry in objects]
    size = np.array([[image["width"], image["height"]] for image in images], dtype=np.float64).reshape(-1, 2)
    good = (given[:, :2] >= 0).all(1) & (given[:, 2:] <= size).all(1) & (given[:, 2:] > given[:, :2]).all(1)
    boxes = given.astype(np.float32)
    others = np.flatnonzero(~good).tolist()
    for i in others:
        where = f"{annotations.file}: annotation {objects[i]['id']}, image {images[i]['file_name']}"
        boxes[i] = check_boxes(given[i], images[i]["width"], images[i]["height"], where)[0]
    if len(others):
        log.warning("%s: %d boxes stick out of their images and are cut off.", annotations.file, len(others))
    return boxes


def _by_id(file: Path, what: str, entries: Sequence[Any], needed: dict[str, type[Any]]) -> dict[int, dict[str, Any]]:
    """Entries by id, each with the fields that it needs."""
    found: dict[int, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        fields = {"id": int, **needed}
        wrong = [key for key, kind in fields.items() if not isinstance(entry, dict) or type(entry.get(key)) is not kind]
        if wrong:
            missing = ", ".join(f"{key} ({fields[key].__name__})" for key in wrong)
            raise DataError(f"{file}: {what} number {place + 1} in the file has no {missing}")
        if entry["id"] in found:
            raise DataError(f"{file}: the {what} id {entry['id']} occurs twice")
        found[entry["id"]] = entry
    return found


def _once(file: Path, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{file}: {what} '{name}' occurs twice")
        seen.add(name)
