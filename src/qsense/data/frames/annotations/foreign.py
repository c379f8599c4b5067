"""Annotations of other formats than COCO's: refused by the format's name, with what to do.

Open it when another format is refused without its name.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from qsense.data.errors import DataError

HEAD = 64 << 10  # bytes by which a file is known
TRIED = 3  # files of a folder that are looked into, of each kind
LABELME = "labelme's format, one JSON file per image"
VOC = "PASCAL VOC's format, one XML file per image"
YOLO = "YOLO's format, one text file per image"
CONVERTERS = {LABELME: "labelme's labelme2coco.py", VOC: "fiftyone convert", YOLO: "fiftyone convert"}


def refuse_foreign(place: Path) -> None:
    """Refuse a file, or a folder of files, of a format that is known and is not COCO's.

    Raises:
        DataError: naming the format, and how to come to one file of COCO's.
    """
    files = _members(place) if place.is_dir() else [place]
    name = next(filter(None, map(_format, files)), None)
    if name is not None:
        raise DataError(
            f"{place} holds {name}, but one file in COCO's format is needed for all images: export the annotations as "
            f"COCO from the tool that made them, or convert them, such as with {CONVERTERS[name]}, and name that file "
            "with data.dataset.annotations=…"
        )


def _members(folder: Path) -> list[Path]:
    """A few files in a folder, and in those in it, that may be annotations."""
    patterns = (f"{depth}*.{end}" for end in ("xml", "json", "txt") for depth in ("", "*/"))
    return [file for pattern in patterns for file in islice(folder.glob(pattern), TRIED)]


def _format(file: Path) -> str | None:
    try:
        with file.open("rb") as content:
            head = content.read(HEAD)
    except OSError:
        return None
    if b"<annotation" in head:
        return VOC
    if head.lstrip().startswith(b"{") and b'"shapes"' in head:
        return LABELME
    return YOLO if _begins_with_shares(head) else None


def _begins_with_shares(head: bytes) -> bool:
    """Whether a text begins with a class and the shares of a box or an outline, as YOLO writes them."""
    try:
        label, *shares = head.splitlines()[0].split()
        return len(shares) >= 4 and int(label) >= 0 and all(0 <= float(share) <= 1 for share in shares)
    except (IndexError, ValueError):
        return False
