"""PASCAL VOC annotations: one XML file per image.

Open it when an annotation of PASCAL RAW is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.values import flag, number, show, whole

DECLARATION = re.compile(rb"""^<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["'][^>]*\?>""")
SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one image.

    Args:
        boxes: left, top, right, bottom in pixels of the annotated image, float32 [n, 4], inside it.
        labels: classes, int64 [n].
        difficult: bool [n], marked as not to be counted.
        size: height and width of the annotated image.
        reread: whether something was once read in another way: a flag in words, a circle, a line, …
    """

    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    difficult: npt.NDArray[np.bool_]
    size: tuple[int, int]
    reread: bool = False


def read_voc(
    content: bytes, where: str, classes: Sequence[str], size: tuple[int, int] | None, check: BoxCheck | None = None
) -> Objects:
    """The objects of an annotation; none is an answer, too.

    VOC counts pixels from 1 and includes a box's last ones, so that a box over a whole image of 600 × 400 is
    1, 1, 600, 400: here it is 0, 0, 600, 400; and one whose sides are equal is a pixel wide.

    Args:
        content: of the XML file.
        where: its name, for messages.
        classes: names in index order.
        size: height and width that the annotated image must have, where the file states them; None: it must state them.
        check: notes what is wrong with boxes; the caller asks it to `finish`. None: a strict one, finished here.

    Raises:
        DataError: no such XML, one with a document type, another size or none, an unknown class, a flag that is neither
            yes nor no, or a box that is incomplete; further what `check` refuses.

    >>> box = "<xmin>1</xmin><ymin>3</ymin><xmax>20</xmax><ymax>5</ymax>"
    >>> thing = f"<object><name>car</name><bndbox>{box}</bndbox></object>"
    >>> text = f"<annotation><size><width>30</width><height>10</height></size>{thing}</annotation>"
    >>> read_voc(text.encode(), "a.xml", ["car"], (10, 30)).boxes.tolist()
    [[0.0, 2.0, 20.0, 5.0]]
    """
    root = _parsed(content, where)
    height, width = size or _stated_size(root, where)
    if size is not None and root.findall("size/*"):  # some tools leave it out, or empty
        stated = tuple(_number(root, f"size/{side}", where) for side in ("height", "width"))
        if stated != size:
            raise DataError(
                f"{where} annotates an image of {stated[1]:g} × {stated[0]:g} pixels, but {width} × {height} are "
                f"expected"
            )
    boxes, labels, difficult = [], [], []
    reread = False
    things = root.findall("object")
    for place, thing in enumerate(things, start=1):
        here = f"{where}: object {place}"
        name = (thing.findtext("name") or "").strip()
        if name not in classes:
            raise DataError(f"{here} is a {show(name)}; the classes are {', '.join(classes)}")
        boxes.append([_number(thing, f"bndbox/{side}", here) for side in SIDES])
        labels.append(classes.index(name))
        stated_flag = (thing.findtext("difficult") or "").strip()
        is_difficult = flag(stated_flag)
        if is_difficult is None:
            raise DataError(f"{here} has difficult {show(stated_flag)}: 0 or 1 is needed")
        reread |= is_difficult != (stated_flag == "1")
        difficult.append(is_difficult)
    given = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    edges = given.copy()
    # Who counts from 0 puts the first pixel there: no more is taken off than there is.
    ordered = (given[:, :2] >= 0) & (given[:, :2] <= given[:, 2:])
    edges[:, :2] = np.where(ordered, np.maximum(given[:, :2] - 1, 0), given[:, :2])

    def describe(i: int) -> str:
        return f"{where}: box {i + 1} of {len(things)} ({', '.join(f'{side:g}' for side in given[i])})"

    checked = check or BoxCheck(strict=True)
    found, keep = checked.fit(edges, (width, height), describe, lambda i: where)
    if check is None:
        checked.finish(where)
    kept = np.array(labels, dtype=np.int64)[keep], np.array(difficult, dtype=bool)[keep]
    return Objects(found[keep], *kept, (height, width), reread=reread)


class _PlainTree(ElementTree.TreeBuilder):
    """Builds elements of documents that define nothing of their own: an entity of entities can fill any memory."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise DataError(f"has a document type (<!DOCTYPE {name}>), which annotations need not: remove that line")


def _parsed(content: bytes, where: str) -> ElementTree.Element:
    try:
        try:
            return _tree(content.lstrip())
        except ValueError as error:  # an encoding that the parser does not know, such as GBK
            declared = DECLARATION.match(content.lstrip())
            if isinstance(error, DataError) or declared is None:
                raise
            text = content.lstrip()[declared.end() :].decode(declared[1].decode())
            return _tree(text)
    except DataError as error:
        raise DataError(f"{where} {error}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{where} is no XML or damaged ({error}): fetch it again") from error


def _tree(content: bytes | str) -> ElementTree.Element:
    root: ElementTree.Element = ElementTree.fromstring(content, ElementTree.XMLParser(target=_PlainTree()))
    return root


def _stated_size(root: ElementTree.Element, where: str) -> tuple[int, int]:
    height, width = (whole(root.findtext(f"size/{side}")) for side in ("height", "width"))
    if height is None or width is None:
        raise DataError(f"{where} does not state the size of its image: size/width and size/height are needed")
    return height, width


def _number(node: ElementTree.Element, path: str, where: str) -> float:
    text = node.findtext(path)
    found = number(text)
    if np.isnan(found) and (text or "").strip().lower() != "nan":
        raise DataError(f"{where} has no number in {path}: {show(text)}")
    return found
