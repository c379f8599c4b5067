"""Annotations of the labelme tool, and of X-AnyLabeling, which writes the same: one JSON file per image.

Open it when an annotation of RAOD is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.values import flag, number, show
from qsense.data.frames.annotations.voc import Objects

# What shapes are called; those of no area cannot be detected.
AREAS = ("rectangle", "polygon", "circle", "rotation", "quadrilateral", "mask")
LINES = ("line", "linestrip", "point", "points")
# Flags of a shape that count neither as hit nor as miss.
UNCOUNTED = ("difficult", "crowd", "iscrowd", "group", "isgroup")


def read_labelme(
    content: bytes,
    where: str,
    classes: Sequence[str],
    skip: Collection[str],
    size: tuple[int, int],
    check: BoxCheck | None = None,
) -> Objects:
    """The objects of an annotation, boxes around their shapes: of a rectangle two or four corners, in any order, of a
    circle the centre and a point of its rim, of all others their points. Lines and points are left out.

    A shape that X-AnyLabeling marks as difficult, or that has a flag of that name, `crowd` or `group`, is not counted.

    Args:
        content: of the JSON file.
        where: its name, for messages.
        classes: names in index order.
        skip: names of further classes, whose shapes are left out.
        size: height and width of the annotated image, which the file must state where it states any.
        check: notes what is wrong with boxes; the caller asks it to `finish`. None: a strict one, finished here.

    Raises:
        DataError: no such JSON, another size, an unknown class or kind of shape, or a flag that is neither yes nor no;
            further what `check` refuses.

    >>> shape = {"label": "Car", "points": [[9, 8], [1, 2]]}
    >>> objects = read_labelme(json.dumps({"shapes": [shape]}).encode(), "a.json", ["Car"], [], (10, 20))
    >>> objects.boxes.tolist(), objects.labels.tolist()
    ([[1.0, 2.0, 9.0, 8.0]], [0])
    """
    shapes = _shapes(content, where, size)
    checked = check or BoxCheck(strict=True)
    boxes, labels, difficult, places = [], [], [], []
    reread = False
    for place, shape in enumerate(shapes, start=1):
        here = f"{where}: shape {place}"
        label = _label(shape["label"], classes, skip, here)
        if label is None:
            continue
        kind = str(shape.get("shape_type") or "polygon")
        if kind in LINES:
            checked.total += 1
            checked.leave_out(here, f"is a {kind}, which has no area", where, "lines or points")
            reread = True
            continue
        uncounted = _uncounted(shape, here)
        reread |= kind in ("circle", "mask") or uncounted
        boxes.append(_bounds(shape["points"], kind, here))
        labels.append(label)
        difficult.append(uncounted)
        places.append(place)

    def describe(i: int) -> str:
        return f"{where}: box {places[i]} of {len(shapes)} ({', '.join(f'{side:g}' for side in boxes[i])})"

    found, keep = checked.fit(boxes, (size[1], size[0]), describe, lambda i: where)
    if check is None:
        checked.finish(where)
    kept = np.array(labels, dtype=np.int64)[keep], np.array(difficult, dtype=bool)[keep]
    return Objects(found[keep], *kept, size, reread=reread)


def _shapes(content: bytes, where: str, size: tuple[int, int]) -> list[dict[str, Any]]:
    try:
        document = json.loads(content)
        shapes = document["shapes"]
        if not isinstance(shapes, list):
            raise TypeError(f"'shapes' is a {type(shapes).__name__}")
        for shape in shapes:
            _ = shape["label"], shape["points"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{where} is no labelme annotation or damaged ({error!r}): a list 'shapes' with 'label' and 'points' is "
            f"expected"
        ) from error
    stated = (document.get("imageHeight"), document.get("imageWidth"))
    for side, name, expected in zip(stated, ("imageHeight", "imageWidth"), size, strict=True):
        if side is not None and number(side) != expected:
            raise DataError(
                f"{where} annotates an image of {show(stated[1])} × {show(stated[0])} pixels ({name}), but "
                f"{size[1]} × {size[0]} are expected"
            )
    return shapes


def _label(value: Any, classes: Sequence[str], skip: Collection[str], here: str) -> int | None:
    """The class; None for one to leave out. Blanks around a name are a slip of the keyboard."""
    text = value if isinstance(value, str) else str(value)
    for name in (text, text.strip()):
        if name in skip:
            return None
        if name in classes:
            return classes.index(name)
    raise DataError(
        f"{here} is a {show(value)}; the classes are {', '.join(classes)}. To leave it out, add it to data.dataset.skip"
    )


def _bounds(points: Any, kind: str, here: str) -> list[float]:
    """Left, top, right, bottom of a shape; NaN where a coordinate is no number."""
    if kind not in AREAS:
        raise DataError(f"{here} is of the kind {show(kind)}; known are {', '.join((*AREAS, *LINES))}")
    pairs = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    if not pairs or len(points) < 2 or (kind == "circle" and len(points) != 2):
        needed = "two points, centre and rim," if kind == "circle" else "two points or more"
        raise DataError(f"{here}, a {kind}, needs {needed} of two coordinates: {show(points)}")
    at = np.array([[number(value) for value in point] for point in points], dtype=np.float64)
    if kind == "circle":
        radius = math.hypot(*(at[1] - at[0]).tolist())
        return [*(at[0] - radius).tolist(), *(at[0] + radius).tolist()]
    last = 1 if kind == "mask" else 0  # a mask's corners are pixels, the last one included
    return [*at.min(axis=0).tolist(), *(at.max(axis=0) + last).tolist()]


def _uncounted(shape: Mapping[str, Any], here: str) -> bool:
    """Whether a shape is marked as not to be counted."""
    flags = shape.get("flags") or {}
    if not isinstance(flags, Mapping):
        raise DataError(f"{here} has flags {show(flags)}: names with true or false are needed")
    uncounted = False
    for name, value in [("difficult", shape.get("difficult")), *flags.items()]:
        if name.lower() not in UNCOUNTED:
            continue
        meant = flag(value)
        if meant is None:
            raise DataError(f"{here} has the flag {name} {show(value)}: true or false is needed")
        uncounted |= meant
    return uncounted
