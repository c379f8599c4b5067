"""Annotated image files: each image of a COCO file found in a folder, with its boxes.

Open it when an image file is not found, or its boxes are read in another order.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError, listed
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import Annotations, ImageEntry
from qsense.data.frames.annotations.values import Id, printable, show
from qsense.data.frames.annotations.voc import Objects
from qsense.data.frames.dataset import Frame

BoxKind = Literal["xywh", "xyxy", "xywh_shares", "xyxy_shares"]
BOX_KINDS: tuple[BoxKind, ...] = ("xywh", "xyxy", "xywh_shares", "xyxy_shares")
Find = Callable[[str], Path | None]
FEW = 3  # boxes from which on all of them being wrong in one way is no accident
MISSING = 5  # missing files that are named


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(Frame):
    """A frame that is an annotated image file; its id is its place in the annotations, its name the file's.

    Args:
        file: where it is.
        original: the annotations' own id.
    """

    file: Path
    original: Id

    @property
    def random_seed(self) -> int:
        """What chance makes of the image depends on its own id: the number itself, or a digest of any other id."""
        if isinstance(self.original, int) and self.original >= 0:
            return self.original
        text = str(self.original).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.sha256(text).digest()[:16], "little")


def picture_of(file: Path, objects: Objects, place: int, condition: int = 0) -> Picture:
    """A picture whose objects a file of its own annotates, with the areas of their boxes.

    Args:
        file: the picture's.
        objects: what was annotated; what is difficult counts neither as hit nor as miss.
        place: among all pictures.
        condition: index into the signal's.
    """
    boxes = objects.boxes
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    labels, crowd = objects.labels, objects.difficult
    return Picture(
        place, file.name, *objects.size, boxes, labels, crowd, area, condition, file=file, original=file.stem
    )


def read_pictures(
    annotations: Annotations,
    images: Path,
    classes: Sequence[str],
    check: BoxCheck | None = None,
    kind: BoxKind = "xywh",
    find: Find | None = None,
    min_score: float = 0.0,
) -> list[Picture]:
    """Every image with its objects of some classes, in the file's order; images without any stay.

    Args:
        annotations: what was read.
        images: folder of the image files.
        classes: names in index order; objects of other categories are left out.
        check: notes what is wrong with boxes; the caller asks it to `finish`. None: a lenient one, finished here.
        kind: what the four numbers of a bbox are.
        find: finds the file of a name; None: `find_file` in the folder.
        min_score: boxes of a lower score are left out; one without score stays.

    Raises:
        DataError: image files that are missing or not within their folder, or boxes of another kind.
    """
    files = find_files(annotations, images, find or partial(find_file, images))
    index = {name: label for label, name in enumerate(classes)}
    label_of = np.array([index.get(name, -1) for name in annotations.categories], dtype=np.int64)
    labels = label_of[annotations.category] if len(annotations.category) else annotations.category
    checked = check or BoxCheck()
    boxes, usable = _boxes(annotations, checked, kind, (labels >= 0) & ~(annotations.score < min_score))
    if check is None:
        checked.finish(str(annotations.file))
    area = _areas(annotations, kind, boxes)
    chosen = np.flatnonzero(usable)
    chosen = chosen[np.argsort(annotations.image[chosen], kind="stable")]
    starts = np.searchsorted(annotations.image[chosen], np.arange(len(annotations.images) + 1))
    pictures = []
    for place, (image, file) in enumerate(zip(annotations.images, files, strict=True)):
        own = chosen[starts[place] : starts[place + 1]]
        pictures.append(
            Picture(
                id=place,
                name=file.name,
                height=image.height,
                width=image.width,
                boxes=boxes[own],
                labels=labels[own],
                crowd=annotations.crowd[own],
                area=area[own],
                file=file,
                original=image.id,
            )
        )
    return pictures


def _boxes(
    annotations: Annotations, check: BoxCheck, kind: BoxKind, wanted: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Left, top, right, bottom of every object, and which are of wanted classes and can be used."""
    chosen = np.flatnonzero(wanted)
    size = _image_sizes(annotations)[chosen]
    given = annotations.bbox[chosen]
    if kind.endswith("_shares"):
        given = given * np.tile(size, 2)
    if kind == "xywh":
        _refuse_corners(annotations, given, size)
    with_size = annotations.outlined[chosen] | kind.startswith("xywh")
    with np.errstate(over="ignore", invalid="ignore"):
        given[with_size, 2:] += given[with_size, :2]
    found = np.zeros((len(wanted), 4), dtype=np.float32)
    usable = np.zeros(len(wanted), dtype=bool)
    found[chosen], usable[chosen] = check.fit(
        given,
        size,
        lambda i: annotations.describe(int(chosen[i])),
        lambda i: (annotations.file, int(annotations.image[chosen[i]])),
    )
    return found, usable


def _image_sizes(annotations: Annotations) -> npt.NDArray[np.float64]:
    """Width and height of every object's image, [n, 2]."""
    sizes = np.array([(image.width, image.height) for image in annotations.images], dtype=np.float64).reshape(-1, 2)
    return sizes[annotations.image]


def _areas(annotations: Annotations, kind: BoxKind, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Pixels² of every object: as stated, or of its box."""
    stated = annotations.area
    if kind.endswith("_shares"):  # who writes boxes as shares writes areas so, too
        stated = np.where(stated <= 1, stated * _image_sizes(annotations).prod(1), stated)
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.where(stated > 0, stated, sides[:, 0] * sides[:, 1]).astype(np.float32)


def _refuse_corners(annotations: Annotations, bbox: npt.NDArray[np.float64], size: npt.NDArray[np.float64]) -> None:
    """Refuse boxes that all make sense as two corners, and most of which stick out as a corner and a size."""
    with np.errstate(over="ignore", invalid="ignore"):
        as_corners = (bbox[:, 2:] > bbox[:, :2]).all(1) & (bbox[:, 2:] <= size + 1).all(1)
        sticks_out = (bbox[:, :2] + bbox[:, 2:] > size + 2).any(1)
    count = int(sticks_out.sum())
    if as_corners.all() and count >= FEW and 2 * count > len(bbox):
        raise DataError(
            f"{annotations.file}: {count} of {len(bbox)} boxes stick out of their images when read as x, y, width, "
            "height, and all lie within them as left, top, right, bottom. Set data.dataset.bbox=xyxy if so. First: "
            f"{annotations.describe(int(np.flatnonzero(sticks_out)[0]))}"
        )


def find_files(annotations: Annotations, folder: Path, find: Find) -> list[Path]:
    """The file of every image.

    Raises:
        DataError: some are missing, lead out of the folder, or are one file for two images; all are counted.
    """
    files = [find(image.name) for image in annotations.images]
    missing = [image for image, file in zip(annotations.images, files, strict=True) if file is None]
    if missing:
        lines = (f"{printable(str(folder / image.name))} (image {show(image.id)})" for image in missing)
        raise DataError(
            f"{len(missing)} of the {len(files)} images that {annotations.file} lists "
            f"{'is' if len(missing) == 1 else 'are'} missing: is {folder} the folder of its images "
            f"(data.dataset.images)?{listed(lines, len(missing), MISSING)}"
        )
    found: dict[Path, ImageEntry] = {}
    for image, file in zip(annotations.images, files, strict=True):
        assert file is not None
        if (other := found.setdefault(file, image)) is not image:
            raise DataError(
                f"{annotations.file}: images {show(other.id)} and {show(image.id)} are one file, "
                f"{printable(str(file))}: list it once"
            )
    return list(found)


def find_file(folder: Path, name: str) -> Path | None:
    """Where an image is that annotations call by a name, a path of their own machine, or an address.

    Names stand for files within the folder. Folders in front of a name are dropped where they are this folder's own,
    or where they begin at the root of another machine.

    Returns:
        None where there is no such file.

    Raises:
        DataError: the name leads out of the folder.
    """
    plain = "/" not in name and "\\" not in name and ":" not in name
    if plain and os.path.isfile(folder / name):  # noqa: PTH113  pathlib raises where a name is too long
        return folder / name
    for candidate in possible_paths(folder, name):
        for form in dict.fromkeys((candidate, *(unicodedata.normalize(norm, candidate) for norm in ("NFC", "NFD")))):
            if os.path.isfile(folder / form):  # noqa: PTH113
                return folder / form
    return None


def possible_paths(folder: Path, name: str) -> Iterator[str]:
    """Paths within the folder that a name may stand for, the longest first."""
    path, elsewhere = name, False
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", name):
        try:
            path, elsewhere = unquote(urlsplit(name).path), True
        except ValueError:  # no address after all
            return
    elif re.match(r"[a-zA-Z]:[\\/]", name):
        path, elsewhere = name[2:].replace("\\", "/"), True
    for form in dict.fromkeys((path, path.replace("\\", "/"))):
        inside = posixpath.normpath(form)
        if inside == ".." or inside.startswith("../"):
            raise DataError(f"the file name {show(name)} leads out of {folder}: images must lie within their folder")
        parts = PurePosixPath(inside).parts
        absolute = elsewhere or inside.startswith("/")
        parts = parts[1:] if inside.startswith("/") else parts
        own = folder.absolute().parts
        for dropped in range(len(parts)):
            if absolute or parts[:dropped] == own[len(own) - dropped :]:
                yield "/".join(parts[dropped:])
