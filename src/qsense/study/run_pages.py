"""The pages of a study's runs beside its own page; only those are written whose run has changed.

Open it to change where a run's page lies, or what it takes with it: pictures and its firmware's page. They stand beside
the pages, pictures as links to the same file where the file system has them, so that the folder may be copied without
its runs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qsense.runs import folder as run_folder
from qsense.runs import mishaps
from qsense.runs.escapes import one_line
from qsense.runs.reading import read_json, read_text
from qsense.runs.status import FINISHED
from qsense.study.run import Run
from qsense.study.run_page import ADC, run_page
from qsense.study.worst_frames import FILE as WORST

FOLDER = "run-pages"  # beside the study page
INDEX = ".written.json"
SCHEMA = 3  # of the pages; those of another are written anew
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_=+-]*(\.[A-Za-z0-9_=+-]+)*")  # names that any file system and address take
LONGEST = 120  # letters of a name
PNG = b"\x89PNG\r\n\x1a\n"
MOST_PICTURES, HEAVIEST = 40, 20 << 20  # of a run; bytes of a picture
RESULTS = "results.png"
FIRMWARE = "firmware.html"
# Before a page that somebody else may have written: no script of it runs, and it fetches nothing.
GUARD = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
form-action 'none'; base-uri 'none'">
<meta name="referrer" content="no-referrer">
"""
# Pictures in the order in which they tell.
FIRST = ("results", "transfer", "trajectory", "confusion", "predictions", "groups")
WATCHED = (
    run_folder.CONFIG,
    run_folder.RESULT,
    run_folder.RECORD,
    run_folder.FIRMWARE_PAGE,
    run_folder.FAILURE,
    mishaps.FILE,
    ADC,
    WORST,
    "wandb",
)

log = logging.getLogger(__name__)


def write_run_pages(runs: Sequence[Run], out: Path) -> int:
    """Write `<out>/run-pages/<name>.html` of every run that has changed since its page was written.

    Args:
        runs: all of the study; pages of others, which an earlier call wrote, are removed.
        out: the study page's folder.

    Returns:
        How many were written.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    before, after, written = _written(folder), {}, 0
    names = page_names(runs)
    for run in runs:
        name = names[run.folder]
        pictures = find_pictures(run.folder)
        stamp = _stamp(run, pictures)
        known = before.get(name)
        if known is None or known["stamp"] != stamp or not (folder / f"{name}.html").is_file():
            taken = _take(pictures, folder / name)
            firmware = [FIRMWARE] * _take_firmware(run.folder, folder / name)
            files = [*(file for file, _ in taken), *firmware]
            _clear(folder, name, set(known["files"] if known else ()) - set(files))
            shown = [(f"{name}/{file}", title) for file, title in taken]
            _write(folder / f"{name}.html", run_page(run, shown, "".join(f"{name}/{file}" for file in firmware)))
            known, written = {"stamp": stamp, "files": files}, written + 1
        after[name] = known
    for name in before.keys() - after.keys():
        _clear(folder, name, set(before[name]["files"]), page=True)
    if after != before:
        run_folder.write_json(folder / INDEX, {"schema": SCHEMA, "pages": after})
    return written


def addresses(runs: Iterable[Run]) -> dict[Path, str]:
    """Where each run's page lies, relative to the study page, by the run's folder."""
    return {folder: f"{FOLDER}/{name}.html" for folder, name in page_names(runs).items()}


def page_names(runs: Iterable[Run]) -> dict[Path, str]:
    """A name for each run's page, no two alike: its folder's where that is plain and nobody else's."""
    folders = [run.folder for run in runs]
    count = Counter(folder.name.casefold() for folder in folders)
    names = {}
    for folder in folders:
        name = folder.name
        if count[name.casefold()] > 1 or len(name) > LONGEST or not PLAIN.fullmatch(name):
            plain = re.sub(r"[^A-Za-z0-9_=+-]+", "-", name)[:LONGEST].strip("-") or "run"
            where = os.path.realpath(folder).encode(errors="surrogateescape")
            name = f"{plain}-{hashlib.sha256(where).hexdigest()[:10]}"
        names[folder] = name
    return names


# --------------------------------------------------------------------------------------------------------- the pictures


def find_pictures(folder: Path) -> list[tuple[str, os.stat_result]]:
    """A run's PNG files, those first that tell most: results.png and what `figures/` holds; no links, which may lead
    anywhere."""
    found: list[tuple[str, os.stat_result]] = []
    with suppress(OSError):
        found.append((f"{folder}/{RESULTS}", os.lstat(folder / RESULTS)))
    figures = folder / "figures"
    with suppress(OSError):
        if not figures.is_symlink():
            with os.scandir(figures) as entries:
                found += [
                    (entry.path, entry.stat(follow_symlinks=False)) for entry in entries if entry.name.endswith(".png")
                ]
    good = [(path, facts) for path, facts in found if stat.S_ISREG(facts.st_mode) and facts.st_size <= HEAVIEST]
    return sorted(good, key=lambda each: _order(Path(each[0]).stem))[:MOST_PICTURES]


def _order(name: str) -> tuple[int, str]:
    return FIRST.index(name) if name in FIRST else len(FIRST), name


def _take(pictures: Sequence[tuple[str, os.stat_result]], folder: Path) -> list[tuple[str, str]]:
    """Bring pictures beside a page; the file and the name of each that is one."""
    taken: list[tuple[str, str]] = []
    for source, _ in pictures:
        name = Path(source).stem
        plain = name if PLAIN.fullmatch(name) and len(name) <= LONGEST else f"picture-{len(taken)}"
        if f"{plain}.png".casefold() in {file.casefold() for file, _ in taken}:
            plain = f"{plain}-{len(taken)}"
        try:
            descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as file:
                if file.read(len(PNG)) != PNG:
                    continue
                folder.mkdir(exist_ok=True)
                target = folder / f"{plain}.png"
                target.unlink(missing_ok=True)
                try:
                    os.link(source, target, follow_symlinks=False)
                except (OSError, NotImplementedError):  # another file system, or one without such links
                    file.seek(0)
                    target.write_bytes(file.read())
        except FileNotFoundError:  # it was removed meanwhile
            continue
        except OSError as error:
            _tell(source, error)
            continue
        taken.append((target.name, name))
    return taken


def _take_firmware(run: Path, folder: Path) -> bool:
    """Bring the page of a run's firmware beside a page, if it was exported into the run's folder; whether it was."""
    page = run / run_folder.FIRMWARE_PAGE
    try:
        file = Path(os.path.realpath(page, strict=True))  # of links in a ring an OSError, too
        if not file.is_relative_to(run.resolve()):
            return False
        text = read_text(file, HEAVIEST, errors="replace")
        folder.mkdir(exist_ok=True)
        _write(folder / FIRMWARE, GUARD + text)
    except (FileNotFoundError, NotADirectoryError):  # no firmware was exported
        return False
    except (OSError, ValueError) as error:
        _tell(page, error)
        return False
    return True


def _tell(file: Path | str, error: OSError | ValueError) -> None:
    """Say which file of a run its page goes without, and why."""
    reason = getattr(error, "strerror", None) or error
    log.warning("%s could not be copied beside the run's page: %s", one_line(str(file)), one_line(str(reason)))


# -------------------------------------------------------------------------------------------------------- what is there


def _stamp(run: Run, pictures: Sequence[tuple[str, os.stat_result]]) -> list[Any]:
    """What a page depends on: the run's state, and when its files changed."""
    stamp: list[Any] = [str(run.folder), run.status, run.reason]
    for name in (*WATCHED, *(() if run.status == FINISHED else ("train.log",))):
        try:
            facts = os.stat(f"{run.folder}/{name}")  # noqa: PTH116 – several for each of thousands of runs
        except OSError:
            stamp.append(None)
        else:
            stamp.append([facts.st_mtime_ns, facts.st_size])
    return [*stamp, [[Path(path).name, facts.st_mtime_ns, facts.st_size] for path, facts in pictures]]


def _written(folder: Path) -> dict[str, dict[str, Any]]:
    """What earlier calls wrote, {page: its stamp, what it took}; nothing of what they would not have written."""
    with suppress(OSError, ValueError):
        content = read_json(folder / INDEX, 1 << 28)
        if isinstance(content, Mapping) and content.get("schema") == SCHEMA and isinstance(content.get("pages"), dict):
            return {
                name: page
                for name, page in content["pages"].items()
                if PLAIN.fullmatch(name)
                and isinstance(page, dict)
                and isinstance(page.get("stamp"), list)
                and isinstance(page.get("files"), list)
                and all(isinstance(file, str) and PLAIN.fullmatch(file) for file in page["files"])
            }
    return {}


def _clear(folder: Path, name: str, files: Iterable[str], page: bool = False) -> None:
    """Remove files that an earlier call took for a page, and with `page` the page."""
    for file in (*(folder / name / taken for taken in files), *[folder / f"{name}.html"] * page):
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):  # there are others in it
        (folder / name).rmdir()


def _write(file: Path, text: str) -> None:
    """A reader sees the old page or the new one; none is forced to the disk, since it can be written again."""
    temporary = file.with_name(f".{file.name}{run_folder.TEMPORARY}")
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.replace(file)
