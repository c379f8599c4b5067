"""PASCAL VOC annotations: one XML file per image.

Open it when an annotation of PASCAL RAW is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.frames.boxes import check_boxes


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one image.

    Args:
        boxes: left, top, right, bottom in pixels of the annotated image, float32 [n, 4], inside it.
        labels: classes, int64 [n].
        difficult: bool [n], marked as not to be counted.
    """

    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    difficult: npt.NDArray[np.bool_]


def read_voc(content: bytes, where: str, classes: Sequence[str], size: tuple[int, int]) -> Objects:
    """The objects of an annotation; none is an answer, too.

    VOC counts pixels from 1 and includes a box's last ones, so that a box over a whole image of 600 × 400 is
    1, 1, 600, 400: here it is 0, 0, 600, 400.

    Args:
        content: of the XML file.
        where: its name, for messages.
        classes: names in index order.
        size: height and width that the annotated image must have.

    Raises:
        DataError: no such XML, another size, an unknown class, or a box that is incomplete, reversed, without area or
            outside the image.

    >>> box = "<xmin>1</xmin><ymin>3</ymin><xmax>20</xmax><ymax>5</ymax>"
    >>> thing = f"<object><name>car</name><bndbox>{box}</bndbox></object>"
    >>> text = f"<annotation><size><width>30</width><height>10</height></size>{thing}</annotation>"
    >>> read_voc(text.encode(), "a.xml", ["car"], (10, 30)).boxes.tolist()
    [[0.0, 2.0, 20.0, 5.0]]
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DataError(f"{where} is no XML or damaged ({error}): fetch it again") from error
    height, width = (_number(root, f"size/{side}", where) for side in ("height", "width"))
    if (height, width) != size:
        raise DataError(
            f"{where} annotates an image of {width:g} × {height:g} pixels, but {size[1]} × {size[0]} are expected"
        )
    boxes, labels, difficult = [], [], []
    for number, thing in enumerate(root.findall("object"), start=1):
        name = (thing.findtext("name") or "").strip()
        if name not in classes:
            raise DataError(f"{where}: object {number} is a {name!r}; the classes are {', '.join(classes)}")
        here = f"{where}: object {number}"
        left, top, right, bottom = (_number(thing, f"bndbox/{side}", here) for side in ("xmin", "ymin", "xmax", "ymax"))
        boxes.append((left, top, right, bottom))
        labels.append(classes.index(name))
        difficult.append((thing.findtext("difficult") or "0").strip() == "1")
    edges = check_boxes(boxes, width, height, where)  # as they stand in the file, for its messages
    edges[:, :2] = np.maximum(edges[:, :2] - 1, 0)
    return Objects(edges, np.array(labels, dtype=np.int64), np.array(difficult, dtype=bool))


def _number(node: ElementTree.Element, path: str, where: str) -> float:
    text = node.findtext(path)
    try:
        return float(text if text is not None else "missing")
    except ValueError as error:
        raise DataError(f"{where} has no number in {path}: {text!r}") from error
