"""What a reader must know about a table's numbers: what its rows average over, and what else differs between its runs.

Open it to add a note; each is a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qsense.runs.words import clipped, some
from qsense.study.rows import Place, Row
from qsense.study.run import Run, varying


def averaged(counted: Sequence[Run], rows: Mapping[Path, Row], alike: Mapping[Path, Row]) -> list[str]:
    """Which settings rows average over.

    Args:
        counted: runs that count.
        rows: their rows, by folder, of keys of the user's own choice (`--by`).
        alike: their rows where all that differs tells rows apart.
    """
    settings: dict[Place, set[Row]] = defaultdict(set)
    for run in counted:
        if run.folder in rows:
            settings[rows[run.folder], run.dataset].add(alike[run.folder])
    texts = set()
    for several in settings.values():
        for name in ("quant", "bits", "network_bits", "task", "model"):
            values = {clipped(str(getattr(row, name))) for row in several}
            if len(values) > 1:
                texts.add(f"{name} ({some(sorted(values))})")
        keys = {key for row in several for key, _ in row.settings}
        for key in keys:
            values = {clipped(dict(row.settings).get(key, "not set")) for row in several}
            if len(values) > 1:
                texts.add(f"{key} ({some(sorted(values))})")
    return [f"Rows average over {some(sorted(texts))}."] if texts else []


def constants(counted: Sequence[Run]) -> list[str]:
    """Which constants of the sensing model differ between runs: their figures compare constants, and not sensors."""
    values: dict[str, set[str]] = defaultdict(set)
    for run in counted:
        for name, value in run.constants.items():
            values[name].add(str(value))
    differing = [f"{name} ({some(sorted(several))})" for name, several in sorted(values.items()) if len(several) > 1]
    return [f"What sensing costs was counted with different constants: {some(differing)}."] if differing else []


def inconsistencies(counted: Sequence[Run], rows: Mapping[Path, Row], datasets: Iterable[str]) -> list[str]:
    """What else differs between the rows of a column, beside the quantizer and what their names say.

    Args:
        counted: runs that count.
        rows: their rows, by folder.
        datasets: the columns.
    """
    notes = []
    for dataset in datasets:
        here = [run for run in counted if run.dataset == dataset and run.settings]
        # Runs that share settings and row tell the same.
        here = list({(id(run.settings), rows[run.folder]): run for run in here}.values())
        differing = []
        for key in sorted(varying(here)):
            if key.startswith("quant.") or all(key in dict(rows[run.folder].settings) for run in here):
                continue
            if key.startswith("model.") and len({run.model for run in here}) > 1:
                continue
            values = dict.fromkeys(clipped(run.settings.get(key, "not set")) for run in here)
            differing.append(f"{key} ({some(list(values), '; ')})")
        if len(versions := _versions([run for run in counted if run.dataset == dataset])) > 1:
            notes.append(f"Runs of {dataset} used {len(versions)} versions of its files (SHA-256 {some(versions)}).")
        if differing:
            number = f"{len(differing)} setting{'s' * (len(differing) > 1)}"
            notes.append(f"Rows of {dataset} also differ in {number}, see runs.csv: {some(differing)}.")
    return notes


def _versions(here: Sequence[Run]) -> list[str]:
    """Fingerprints of the files that runs of one data set read, the most that any one configuration of it has met."""
    keys: dict[int, tuple[tuple[str, str], ...]] = {}
    met: dict[tuple[tuple[str, str], ...], set[str]] = defaultdict(set)
    for run in here:
        if id(run.settings) not in keys:  # runs share them
            keys[id(run.settings)] = tuple(item for item in run.settings.items() if item[0].startswith("data."))
        if run.fingerprint:
            met[keys[id(run.settings)]].add(run.fingerprint[:8])
    most = max(map(len, met.values()), default=0)
    return sorted(next((several for several in met.values() if len(several) == most), ()))
