"""Which files a user means by files, folders and patterns, and what else lies there.

Open it when files are left out that should be looked at, or the other way round.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.data.errors import DataError
from qsense.data.series.tables.files import hidden, natural
from qsense.runs.escapes import one_line
from qsense.runs.words import did_you_mean

TABLES = (".csv", ".tsv", ".txt", ".dat", ".log", ".tab", ".asc")
ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".tar", ".tgz")
WORKBOOKS = (".xlsx", ".xls", ".ods")
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".gif")
RAW_FRAMES = (".nef", ".dng", ".raw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".pgm")
# Beside recordings of phyphox and Sensor Logger: facts about the phone, and marks of their own.
BESIDE = ("metadata", "annotation", "device", "time", "readme", "license", "studymetadata")
MOST = 20_000  # files


@dataclass(frozen=True)
class Gathered:
    """Files that may be tables.

    Args:
        root: the folder below which all of them lie.
        files: in natural order.
        left_out: what else there is, one line each.
    """

    root: Path
    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()


def gather(words: Sequence[str]) -> Gathered:
    """The tables among files, folders and patterns.

    Args:
        words: names of files or folders, or patterns with * and **.

    Raises:
        FileNotFoundError: a name that nothing has.
        DataError: no table is among them; what is there is named, with what to do.
    """
    named: list[Path] = []
    for word in words:
        path = Path(word).expanduser()
        matching = [path] if path.exists() else [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 – absolute ones, too
        if not matching:
            siblings = [one_line(each.name) for each in path.parent.glob("*")]
            hint = did_you_mean(path.name, siblings)
            raise FileNotFoundError(f"there is no file or folder {word}{hint}, and no name matches it")
        named += matching
    found: dict[Path, bool] = {}  # whether it was named by itself
    for path in named:
        if path.is_dir():
            for file in _below(path):
                found.setdefault(file, False)
        else:
            found[path.resolve()] = True
    files = sorted(found, key=lambda file: natural(str(file)))
    tables = [file for file in files if _may_be_table(file, found[file])]
    if not tables:
        raise DataError(_no_table(words, files))
    others = [file for file in files if file not in set(tables)]
    folders = [path.resolve() if path.is_dir() else path.resolve().parent for path in named]
    return Gathered(Path(os.path.commonpath(folders)), tuple(tables), tuple(_left_out(others)))


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for above, folders, names in os.walk(folder.resolve()):
        folders[:] = sorted(name for name in folders if not hidden(Path(name)))
        found += [Path(above, name) for name in sorted(names) if not hidden(Path(name))]
        if len(found) > MOST:
            raise DataError(f"{folder} holds more than {MOST} files: name a folder or a pattern with fewer")
    return found


def _may_be_table(file: Path, named: bool) -> bool:
    if named:
        return file.suffix.lower() not in (*ARCHIVES, *WORKBOOKS, *PHOTOS, *RAW_FRAMES)
    return file.suffix.lower() in TABLES and file.stem.lower() not in BESIDE


def _left_out(files: Sequence[Path]) -> list[str]:
    lines = []
    for endings, what in (
        (ARCHIVES, "an archive: unpack it first (apps of phones put each recording into one)"),
        (WORKBOOKS, "a workbook: save each sheet as CSV"),
    ):
        if names := [file.name for file in files if file.suffix.lower() in endings]:
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"{names[0]}{others}: {what}")
    return lines


def _no_table(words: Sequence[str], files: Sequence[Path]) -> str:
    where = ", ".join(words[:3]) + " …" * (len(words) > 3)
    frames = [file for file in files if file.suffix.lower() in RAW_FRAMES]
    photos = [file for file in files if file.suffix.lower() in PHOTOS]
    root = os.path.commonpath([str(file.parent) for file in files]) if files else ""
    if len(frames) > len(photos):
        return (
            f"{where}: {len(frames)} raw frames and no tables. To look at one: qsense scenes {frames[0].name}. To "
            "train: put annotations in COCO's format beside them, and task=detection data=raw_coco "
            f"data.dataset.root={root}"
        )
    if photos:
        return (
            f"{where}: {len(photos)} images and no tables. Images in one folder per class need no import: task="
            f"classification data=folder data.dataset.root={root}; with boxes in COCO's format: task=detection "
            "data=coco_raw data.dataset.root=FOLDER"
        )
    if others := _left_out(files):
        return f"{where}: no table; {'; '.join(others)}"
    return f"{where}: no table ({', '.join(TABLES)}) and no raw frame (.dng, .nef, …) among {len(files)} files"
