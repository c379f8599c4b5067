"""Which image files the folders of classes hold, and every file that is no image by its name.

Open it when images are not found.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qsense.data.errors import DataError
from qsense.data.images.dataset import Labels
from qsense.data.images.layout import PICTURES, class_folders, extension, left_over, some
from qsense.data.photos import suffixes


@dataclass
class Listing:
    """Images of all classes, in the order of classes and names.

    Args:
        paths: the files.
        y: their classes, int64 [images].
        others: further files, which are no images by their names.
    """

    paths: list[str]
    y: Labels
    others: list[str] = field(default_factory=list)


def list_images(folder: Path, classes: Sequence[str]) -> Listing:
    """Image files of all class folders and of the folders in them.

    Raises:
        DataError: class folders that are missing or unknown, that hold no image, or pictures of a kind that is not
            read here; they are named.
    """
    here = class_folders(folder)
    missing, unknown = sorted({*classes} - {*here}), sorted({*here} - {*classes})
    if unknown:
        raise DataError(
            f"{folder / unknown[0]} is a class without training images: of the classes in {folder}, the training part "
            f"lacks {some(unknown)}" + (f", and has others: {some(missing)}" if missing else "")
        )
    if missing:
        raise DataError(
            f"{folder / missing[0]} is missing: every class needs its folder in {folder}, which lacks {some(missing)}"
        )
    found = Listing([], np.zeros(0, dtype=np.int64))
    counts, unread = [], []
    readable = suffixes()
    for name in classes:
        files = sorted(_walk(str(folder / name), set()))
        images = [file for file in files if extension(file) in readable]
        others = [file for file in files if extension(file) not in readable]
        unread += [file for file in others if extension(file) in PICTURES]
        found.others += others
        if not images and not unread:
            raise DataError(
                f"{folder / name} holds no image (.jpg, .png, .tif, …)"
                + (f", only {counted(others)}" if others else "")
            )
        found.paths += images
        counts.append(len(images))
    if unread:
        heif = any(extension(file) in (".heic", ".heif", ".hif") for file in unread)
        raise DataError(
            f"{folder} holds pictures that are not read here: {counted(unread)}. Convert them to PNG or JPEG, or move "
            "them elsewhere" + ("; or HEIC: pip install 'qsense[heic]'" if heif else "")
        )
    found.y = np.repeat(np.arange(len(classes)), counts)
    return found


def counted(files: Sequence[str]) -> str:
    """How many files of which kind, each with its first.

    >>> counted(["cat/a.txt", "cat/b.txt", "cat/c"])
    '2 .txt (first cat/a.txt), 1 without extension (first cat/c)'
    """
    counts = Counter(map(extension, files))
    first = {extension(file): file for file in reversed(files)}
    kinds = [f"{count} {kind or 'without extension'} (first {first[kind]})" for kind, count in counts.most_common()]
    return some(kinds)


def _walk(folder: str, above: set[str]) -> Iterator[str]:
    """Every file below a folder but leftovers; of hidden folders their names; links back up are not followed."""
    above = above | {os.path.realpath(folder)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if left_over(entry.name):
                continue
            if not entry.is_dir() or entry.name.startswith("."):
                yield entry.path
            elif os.path.realpath(entry.path) not in above:
                yield from _walk(entry.path, above)
