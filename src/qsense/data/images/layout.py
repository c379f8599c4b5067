"""How a folder of classes is laid out: its parts, its class folders, and what is none of these.

Open it when a layout is refused, or a folder is taken for what it is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from qsense.data.errors import DataError
from qsense.data.photos import suffixes

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # the first that is there is tested on
PART = re.compile(r"(?<![a-z])(train|training|test|testing|val|valid|validation)(?![a-z])", re.IGNORECASE)
# What systems and tools leave behind, in small letters; "._x" are macOS's companions of x.
LEFTOVERS = {
    ".ds_store", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", ".directory", ".picasa.ini",
    "picasa.ini", ".ipynb_checkpoints", "@eadir", ".git", ".gitkeep", ".gitignore", ".keep", ".nomedia", ".cache",
    ".localized", ".appledouble", ".fseventsd", ".spotlight-v100", ".trashes", "$recycle.bin", "lost+found",
    "system volume information", "__pycache__",
}  # fmt: skip
# Extensions of pictures, whether they can be read here or not: one that cannot is an error, as it would be missed.
PICTURES = {
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".jp2", ".jxl", ".jxr", ".heic",
    ".heif", ".hif", ".heics", ".avci", ".exr", ".hdr", ".fits", ".fit", ".dcm", ".dng", ".nef", ".nrw", ".cr2", ".cr3",
    ".crw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".kdc", ".3fr", ".iiq", ".x3f", ".erf",
    ".mrw",
}  # fmt: skip
MOST_NAMED = 10


def find_parts(root: Path) -> tuple[Path, Path | None, list[str]]:
    """The folders to train and to test on, whatever capitals they are written with, and what else lies beside them.

    A folder that holds nothing but another folder, as some archives unpack, stands for that one.

    Returns:
        Training folder, test folder (None: nothing is stated, and the first is the root) and names of unused folders.

    Raises:
        DataError: a training part without a test part, or folders that look like parts and like classes.
    """
    root = _unwrapped(root)
    names = visible_folders(root)
    train = _part(root, names, TRAIN)
    labelled = [name for name in names if name.lower() in TEST and loose_image(root / name) is None]
    test = _part(root, labelled, TEST) or _part(root, names, TEST)  # images to be judged by others have no classes
    if train is not None and (test is not None or train == "train"):
        if test is None:
            beside = [name for name in names if name != train]
            raise DataError(
                f"{root} holds {train}, but no part to test on beside it ({', '.join(TEST)})"
                + (f", only {some(beside)}" if beside else "")
            )
        unused = [name for name in names if name not in (train, test)]
        return _unwrapped(root / train, in_part=True), _unwrapped(root / test, in_part=True), unused
    like_parts = [name for name in names if PART.search(name) and _holds_folders_alone(root / name)]
    if test is not None and test.lower() != "valid" and test not in like_parts:  # classes may be valid and invalid
        like_parts.append(test)
    if test in like_parts or (len(like_parts) > 1 and any("train" in name.lower() for name in like_parts)):
        raise DataError(
            f"{root} holds {some(like_parts)}, beside {len(names) - len(like_parts)} other folders: are these parts "
            f"or classes? Name parts train and test; data.dataset.root=… may point at one that holds classes alone"
        )
    return root, None, []


def visible_folders(folder: Path) -> list[str]:
    """Names of a folder's sub-folders, sorted, without hidden ones and what systems leave behind."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.name.lower() not in LEFTOVERS and entry.is_dir()
        )


def hidden_folders(folder: Path) -> list[str]:
    """Names of a folder's sub-folders that begin with a dot and are nobody's leftovers, sorted."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.name.startswith(".") and not left_over(entry.name) and entry.is_dir()
        )


def class_folders(folder: Path) -> tuple[str, ...]:
    """Names of a folder's visible sub-folders, sorted.

    Raises:
        DataError: there are fewer than two, or images lie directly in the folder.
    """
    names = visible_folders(folder)
    loose = loose_image(folder)
    if loose is not None:
        raise DataError(
            f"{folder / loose} lies beside the class folders: sort the images of {folder} into one per class"
        )
    if len(names) < 2:
        found = f"{len(names)} ({names[0]})" if names else "0"
        raise DataError(f"{folder} must hold at least two class folders, found {found}")
    return tuple(names)


def loose_image(folder: Path) -> str | None:
    """Name of an image that lies directly in a folder."""
    known = suffixes() | PICTURES
    with os.scandir(folder) as entries:
        return next(
            (
                entry.name
                for entry in entries
                if extension(entry.name) in known and not entry.name.startswith(".") and not entry.is_dir()
            ),
            None,
        )


def left_over(name: str) -> bool:
    """Whether a file or folder of this name is nobody's work."""
    return name.startswith("._") or name.lower() in LEFTOVERS


def extension(name: str) -> str:
    """Extension in small letters, with its dot; none of a name that is but a dot and a word.

    >>> extension("a/b.x/C.JPG"), extension("a/.x.png"), extension("a/.png"), extension("a.b/c")
    ('.jpg', '.png', '', '')
    """
    base = name.rpartition("/")[2]
    dot = base.rfind(".")
    return base[dot:].lower() if dot > 0 else ""


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _part(root: Path, names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The folder that has the first of the wanted names, exactly or else in other capitals."""
    for name in wanted:
        alike = [here for here in names if here.lower() == name]
        if name in alike:
            return name
        if len(alike) > 1:
            raise DataError(f"{root} holds {some(alike)}: call the one that is meant {name}")
        if alike:
            return alike[0]
    return None


def _holds_folders_alone(folder: Path) -> bool:
    return bool(visible_folders(folder)) and loose_image(folder) is None


def _unwrapped(folder: Path, in_part: bool = False) -> Path:
    """The folder, or the one that is alone in it and holds folders itself.

    Args:
        folder: where to begin.
        in_part: it is a part, so that what is alone in it may be called like a part, too.
    """
    while len(names := visible_folders(folder)) == 1 and loose_image(folder) is None:
        inner = folder / names[0]
        if not _holds_folders_alone(inner) or (not in_part and names[0].lower() in (*TRAIN, *TEST)):
            break
        folder = inner
    return folder
