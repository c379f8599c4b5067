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
from qsense.runs.status import FAILED, FINISHED
from qsense.study.run import Run, folders, read_run

INDEX = ".qsense-index.json"
SCHEMA = 4  # of the index; one of another is read anew
SETTLED = (FINISHED, FAILED)  # other runs are looked at each time
WATCHED = (run_folder.CONFIG, run_folder.RESULT, run_folder.FAILURE, run_folder.RECORD)
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
    runs: dict[str, Run] = {}
    stamps: dict[str, Stamp] = {}
    same = 0
    for folder in folders(path):
        name, stamp = str(folder)[len(str(path)) + 1 :] or ".", _stamp(folder)
        entry = known.get(name)
        if entry is not None and entry["stamp"] == stamp:
            runs[name] = _restored(folder, entry["run"], shared)
            same += 1
        else:
            runs[name] = read_run(folder)
        if runs[name].status in SETTLED:
            stamps[name] = stamp
    if (len(stamps) != same or len(known) != same) and "." not in runs:  # "." is a run, and not a folder of runs
        _save(path / INDEX, {name: (stamp, runs[name]) for name, stamp in stamps.items()})
    return runs


def _stamp(folder: Path) -> Stamp:
    stamp: Stamp = []
    for name in WATCHED:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 – four for each of 10 000 runs
        except OSError:
            stamp.append(None)
        else:
            stamp.append([status.st_mtime_ns, status.st_size])
    return stamp


def _load(file: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    try:
        content = json.loads(file.read_bytes())
        if content["schema"] == SCHEMA:
            return content["runs"], content["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent, or damaged: all is read anew
    return {}, []


def _restored(folder: Path, fields: Mapping[str, Any], shared: list[dict[str, str]]) -> Run:
    return Run(folder=folder, **{**fields, "settings": shared[fields["settings"]]})


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
