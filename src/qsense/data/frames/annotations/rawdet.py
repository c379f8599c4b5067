"""RawDet-7's annotations: one JSON file per image, its boxes two corners with a score.

Open it when an annotation of RawDet-7 is refused, or a box of it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import NO_AREA, BoxCheck
from qsense.data.frames.annotations.values import number, show, whole
from qsense.data.frames.annotations.voc import Objects


def read_rawdet(
    content: bytes, where: str, classes: Sequence[str], score: float = 0.8, check: BoxCheck | None = None
) -> tuple[str, Objects]:
    """The objects of an annotation, as the authors' `to_coco.py` takes them: those of a known class, with an area and a
    score that is high enough. A score that is not stated counts as 1, and of a list its first counts.

    Args:
        content: of the JSON file.
        where: its name, for messages.
        classes: names in index order; an object of another class is left out.
        score: smallest score of a box.
        check: notes what is wrong with boxes; the caller asks it to `finish`. None: a lenient one, finished here.

    Returns:
        The image's path as it is written, and its objects.

    Raises:
        DataError: no such JSON, or a file without the path or the size of its image; further what `check` refuses.

    >>> entry = {"class_name": "car", "bbox": [1, 2, 9, 8], "score": 0.9}
    >>> document = {"image_path": "a.jpg", "img_width": 20, "img_height": 10, "annotations": [entry]}
    >>> image, objects = read_rawdet(json.dumps(document).encode(), "a.json", ["car"])
    >>> image, objects.boxes.tolist(), objects.size
    ('a.jpg', [[1.0, 2.0, 9.0, 8.0]], (10, 20))
    """
    image, size, entries = _parsed(content, where)
    checked = check or BoxCheck()
    boxes, labels, places = [], [], []
    for place, entry in enumerate(entries, start=1):
        if _score(entry.get("score")) < score:
            continue
        here, box = f"{where}: box {place} of {len(entries)}", _corners(entry, f"{where}: box {place}")
        wrong = None
        if (name := entry.get("class_name")) not in classes:
            wrong = f"is a {show(name)}; the classes are {', '.join(classes)}", "of other classes"
        elif box[2] <= box[0] or box[3] <= box[1]:  # its authors skip reversed ones, too
            wrong = NO_AREA, "without area"
        if wrong is not None:
            checked.total += 1
            checked.leave_out(here, wrong[0], where, wrong[1])
            continue
        boxes.append(box)
        labels.append(classes.index(str(name)))
        places.append(place)

    def describe(i: int) -> str:
        return f"{where}: box {places[i]} of {len(entries)} ({', '.join(f'{side:g}' for side in boxes[i])})"

    found, keep = checked.fit(boxes, (size[1], size[0]), describe, lambda i: where)
    if check is None:
        checked.finish(where)
    kept = np.array(labels, dtype=np.int64)[keep]
    return image, Objects(found[keep], kept, np.zeros(len(kept), dtype=bool), size)


def _parsed(content: bytes, where: str) -> tuple[str, tuple[int, int], list[Mapping[str, Any]]]:
    """The image's path, its height and width, and its objects."""
    try:
        document = json.loads(content)
        image, entries = document["image_path"], document["annotations"]
        height, width = whole(document["img_height"]), whole(document["img_width"])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TypeError("'annotations' is no list of objects")
        if not isinstance(image, str) or not image.strip():
            raise TypeError(f"image_path is {show(image)}")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{where} is no annotation of RawDet-7 or damaged ({error!r}): image_path, img_width, img_height and a "
            f"list 'annotations' with class_name, bbox and score are expected"
        ) from error
    if height is None or width is None:
        sides = f"img_width {show(document['img_width'])}, img_height {show(document['img_height'])}"
        raise DataError(f"{where} states {sides}: two whole numbers of pixels are needed")
    return image, (height, width), entries


def _score(value: Any) -> float:
    """As its authors read it: what is no number counts as 1."""
    if isinstance(value, list):
        value = value[0] if value else None
    found = number(value) if isinstance(value, int | float) else 1.0
    return 1.0 if np.isnan(found) else found


def _corners(entry: Mapping[str, Any], here: str) -> list[float]:
    """Left, top, right, bottom; NaN where one is no number."""
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(f"{here} has the bbox {show(box)}: four numbers left, top, right, bottom are needed")
    return [number(side) for side in box]
