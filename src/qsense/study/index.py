"""An index of runs beside them, so that only what changed is read again: 10 000 runs in about a second.

The index is a cache that the report writes, and never a training run: it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from qsense.runs import folder as run_folder
from qsense.runs.reading import read_json
from qsense.runs.status import FAILED, FINISHED
from qsense.study.bounds import checked_settings
from qsense.study.run import Run, folders, read_run, restored

INDEX = ".qsense-index.json"
SCHEMA = 9  # of the index; one of another is read anew
SETTLED = (FINISHED, FAILED)  # other runs are looked at each time
MOST_BYTES = 1 << 30
WATCHED = (run_folder.CONFIG, run_folder.RESULT, run_folder.FAILURE, run_folder.RECORD, run_folder.FIRMWARE)
Stamp = list[list[int] | None]  # of each watched file: when it changed, and its size


def gather(paths: Iterable[Path]) -> list[Run]:
    """Every run in `paths` and below them, once each, in the order of their folders.

    Raises:
        ReportError: a path does not exist or is no folder.
    """
    runs: dict[str, Run] = {}
    for path in paths:
        whole = os.path.realpath(path)
        for name, run in _indexed(path).items():
            runs.setdefault(os.path.normpath(f"{whole}/{name}"), run)
    return sorted(runs.values(), key=lambda run: run.folder)


def _indexed(path: Path) -> dict[str, Run]:
    """The runs of one folder by their place in it, from its index as far as nothing has changed; the index follows."""
    known, shared = _load(path / INDEX)
    sound: dict[int, dict[str, str]] = {}  # of the shared settings, those that have been checked
    runs: dict[str, Run] = {}
    stamps: dict[str, Stamp] = {}
    same = 0
    for folder in folders(path):
        name, stamp = str(folder.relative_to(path)), _stamp(folder)
        run = _restored(folder, known.get(name), stamp, shared, sound)
        same += run is not None
        runs[name] = run or read_run(folder)
        if runs[name].status in SETTLED:
            stamps[name] = stamp
    if (len(stamps) != same or len(known) != same) and "." not in runs:  # "." is a run, and not a folder of runs
        _save(path / INDEX, {name: (stamp, runs[name]) for name, stamp in stamps.items()})
    return runs


def _stamp(folder: Path) -> Stamp:
    stamp: Stamp = []
    for name in WATCHED:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 – five for each of 10 000 runs
        except OSError:
            stamp.append(None)
        else:
            stamp.append([status.st_mtime_ns, status.st_size])
    return stamp


def _load(file: Path) -> tuple[dict[str, Any], list[Any]]:
    with suppress(OSError, ValueError):  # absent, or damaged: all is read anew
        content = read_json(file, MOST_BYTES)
        if isinstance(content, dict) and content.get("schema") == SCHEMA:
            runs, shared = content.get("runs"), content.get("settings")
            if isinstance(runs, dict) and isinstance(shared, list):
                return runs, shared
    return {}, []


def _restored(
    folder: Path, entry: Any, stamp: Stamp, shared: list[Any], sound: dict[int, dict[str, str]]
) -> Run | None:
    """A run as the index has it; None where its files have changed since, or the index is another program's."""
    if not isinstance(entry, dict) or entry.get("stamp") != stamp or not isinstance(entry.get("run"), dict):
        return None
    fields = dict(entry["run"])
    place = fields.pop("settings", None)
    try:
        if place not in sound:
            sound[place] = checked_settings(shared[place])
        return restored(folder, fields, sound[place])
    except (LookupError, TypeError, ValueError):
        return None


def _save(file: Path, entries: Mapping[str, tuple[Stamp, Run]]) -> None:
    """Runs that differ in seed and fold alone have the same settings, which are written once."""
    places: dict[str, int] = {}
    content: dict[str, Any] = {}
    for name, (stamp, run) in entries.items():
        place = places.setdefault(json.dumps(dict(run.settings), sort_keys=True), len(places))
        fields = {key: value for key, value in vars(run).items() if key != "folder"}
        content[name] = {"stamp": stamp, "run": {**fields, "settings": place}}
    text = json.dumps({"schema": SCHEMA, "settings": [json.loads(one) for one in places], "runs": content})
    with suppress(OSError):  # a folder that may only be read has no index, and is read in full each time
        run_folder.write_atomically(file, text)
