"""Annotations of the labelme tool: one JSON file per image.

Open it when an annotation of RAOD is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.frames.boxes import check_boxes


def read_labelme(
    content: bytes, where: str, classes: Sequence[str], skip: Collection[str], size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Boxes [n, 4] around the points of every shape (of a rectangle two corners, in any order) and classes [n].

    Args:
        content: of the JSON file.
        where: its name, for messages.
        classes: names in index order.
        skip: names of further classes, whose shapes are left out.
        size: height and width of the annotated image.

    Raises:
        DataError: no such JSON, an unknown class, or a shape without area or outside the image.

    >>> shape = {"label": "Car", "points": [[9, 8], [1, 2]]}
    >>> boxes, labels = read_labelme(json.dumps({"shapes": [shape]}).encode(), "a.json", ["Car"], [], (10, 20))
    >>> boxes.tolist(), labels.tolist()
    ([[1.0, 2.0, 9.0, 8.0]], [0])
    """
    try:
        shapes = json.loads(content)["shapes"]
        found = [(str(shape["label"]), np.array(shape["points"], dtype=np.float64)) for shape in shapes]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{where} is no labelme annotation or damaged ({error!r}): a list 'shapes' with 'label' and 'points' is "
            f"expected"
        ) from error
    boxes, labels = [], []
    for number, (label, points) in enumerate(found, start=1):
        if label in skip:
            continue
        if label not in classes:
            raise DataError(
                f"{where}: shape {number} is a {label!r}; the classes are {', '.join(classes)}. To leave it out, add "
                f"it to data.dataset.skip"
            )
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
            raise DataError(f"{where}: shape {number} has no two points of two coordinates: {points.tolist()}")
        boxes.append([*points.min(axis=0), *points.max(axis=0)])
        labels.append(classes.index(label))
    return check_boxes(boxes, size[1], size[0], where), np.array(labels, dtype=np.int64)
