"""The study page: one HTML file with everything in it, to look through a study without a server or a network.

Python gathers, the page's own script averages: what is filtered there is averaged anew, by the same rule.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from qsense.runs.escapes import in_script
from qsense.runs.folder import write_atomically
from qsense.runs.layout import FIXED
from qsense.runs.status import FINISHED, STATES
from qsense.runs.words import duration, lower_is_better, metric_name, percent
from qsense.study import published
from qsense.study.bounds import MOST_BITS
from qsense.study.costs import LOSSLESS, axes, columns, explained
from qsense.study.progress import dataset_names, progress
from qsense.study.rows import Row
from qsense.study.run import Run
from qsense.study.screen import sections
from qsense.study.summary import Summary

ASSETS = files("qsense") / "study" / "assets"
PAGE = "index.html"
SCRIPTS = ("numbers.js", "charts.js", "page.js")
POWER_LAW, LOGARITHM, IDENTITY = "power", "log", "identity"  # transfer curves that the page can draw


def write_page(every: Sequence[Summary], out: Path) -> Path:
    """Write `<out>/index.html`, atomically; see `study_page`."""
    file = out / PAGE
    write_atomically(file, study_page(every))
    return file


def study_page(every: Sequence[Summary]) -> str:
    """The page over a study's runs.

    Args:
        every: one summary per metric; the first says which rows there are, and is shown first. Metrics that only the
            page shows need none.
    """
    data = json.dumps(contents(every), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    page = (ASSETS / "page.html").read_text(encoding="utf-8")
    parts = {
        "/*STYLE*/": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "/*DATA*/": in_script(data),
        "/*SCRIPT*/": "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    return re.sub("|".join(map(re.escape, parts)), lambda mark: parts[mark[0]], page)  # no mark within what is put in


def contents(every: Sequence[Summary]) -> dict[str, Any]:
    """What the page knows, as plain JSON."""
    summary = every[0]
    rows, datasets = summary.shown_rows, summary.datasets
    counted = [run for run in summary.runs if run.folder in summary.rows_of_runs]
    measured = sorted({metric for run in counted for metric in run.metrics})
    metrics = list(dict.fromkeys([*(each.metric for each in every if each.rows), *measured]))
    classes = _classes(counted)
    place_of_row = {row: place for place, row in enumerate(rows)}
    place_of_dataset = {name: place for place, name in enumerate(datasets)}
    compared = {name: [line.replace(FIXED, " ") for line in lines] for name, lines in summary.comparisons.items()}
    lists = {**compared, **sections(summary)}
    costs = [cell.cost for cell in summary.shown.values()]
    shown, drawn = columns(costs), axes(costs)
    needed = dict.fromkeys([*(column.key for column in shown), *(axis.key for axis in drawn)])
    return {
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "metrics": [
            {"key": m, "name": metric_name(m), "percent": percent(m), "less": lower_is_better(m)} for m in metrics
        ],
        "datasets": [
            {
                "name": name,
                "folds": max(run.num_folds for run in counted if run.dataset == name),
                "bipolar": any("mu" in run.learned or run.task == "har" for run in counted if run.dataset == name),
                "classes": classes.get(name, {}),
            }
            for name in datasets
        ],
        "seeds": sorted({run.seed for run in summary.runs if run.seed >= 0}),
        "rows": [_row(summary, row) for row in rows],
        "costs": [
            {
                "row": place_of_row[row],
                "dataset": place_of_dataset[name],
                **{key: _short(cell.cost.get(key)) for key in needed if key in cell.cost},
            }
            for (row, name), cell in summary.shown.items()
            if cell.cost
        ],
        "columns": [vars(column) for column in shown],
        "axes": [vars(axis) for axis in drawn],
        "legend": explained(costs),
        "runs": [
            {
                "row": place_of_row[summary.rows_of_runs[run.folder]],
                "dataset": place_of_dataset[run.dataset],
                "seed": run.seed,
                "fold": run.fold,
                "scores": [_short(run.metrics.get(m)) for m in metrics],
                "classes": {
                    m: [_short(scores.get(name)) for name in classes[run.dataset][m]]
                    for m, scores in run.per_class.items()
                },
                "curve": _curve(run),
                "seconds": None if run.seconds is None else round(run.seconds, 1),
                "folder": run.path,
            }
            for run in counted
        ],
        "published": [
            {
                "metric": each.metric,
                "row": place_of_row[row],
                "dataset": place_of_dataset[name],
                "text": published.words(beside),
                "differs": "; ".join(beside.differs),
            }
            for each in every
            for (row, name), beside in each.published.items()
            if row in place_of_row and name in place_of_dataset
        ],
        "states": STATES,
        "progress": [
            {"dataset": part.dataset, "count": part.count, "total": part.total, "left": _left(part.seconds_left)}
            for part in progress(summary)
        ],
        "unfinished": [
            {
                "status": run.status,
                "dataset": name,
                "quant": run.quantizer,
                "seed": run.seed,
                "fold": run.fold,
                "reason": run.reason or "; ".join(run.unreadable),
                "log": run.log,
            }
            for run, name in zip(summary.runs, dataset_names(summary.runs), strict=True)
            if run.status != FINISHED
        ],
        "lists": {name: lines for name, lines in lists.items() if name not in ("Not finished", "Pictures")},
    }


def _row(summary: Summary, row: Row) -> dict[str, Any]:
    """A row's name, and the same without its bits, which names its line in a plot over bits; of a row without runs the
    place of the row whose scores it has, `like`."""
    label = summary.short_label(row)
    line = label.replace(row.name, row.line, 1).removeprefix(" · ")
    bits = {"bits": row.shown_bits, "bitsName": row.shown_bits_name}
    own = [other for other in summary.rows if replace(other, quant=LOSSLESS) == row and row not in summary.rows]
    like = {"like": summary.shown_rows.index(own[0])} if own else {}
    return {"label": label, "line": line or "all", "quant": row.quant, "model": row.model, **bits, **like}


def _classes(counted: Sequence[Run]) -> dict[str, dict[str, list[str]]]:
    """Names of classes, {data set: {metric: names}}, in the order of their first mention."""
    names: dict[str, dict[str, dict[str, None]]] = {}
    for run in counted:
        for metric, scores in run.per_class.items():
            names.setdefault(run.dataset, {}).setdefault(metric, {}).update(dict.fromkeys(scores))
    return {name: {m: list(classes) for m, classes in metrics.items()} for name, metrics in names.items()}


def _curve(run: Run) -> Mapping[str, Any] | None:
    """What the page needs to draw a run's transfer curve; None for a sensor that is not quantized or not known."""
    target = run.settings.get("quant.sensor._target_", "").rpartition(".")[2].lower()
    gamma, mu = run.learned.get("gamma", ()), run.learned.get("mu", ())
    if gamma and target != "gammanorm":
        epsilon = _setting(run, "quant.sensor.epsilon", 0.001)
        if epsilon is None or min(gamma) <= 0 or len(mu) not in (0, len(gamma)):
            return None
        return {
            "kind": POWER_LAW,
            "gamma": [_short(value) for value in gamma],
            "mu": [_short(value) for value in mu],
            "epsilon": epsilon,
        }
    if target == "log":
        bits = _native_bits(run)
        return None if bits is None or not 1 <= bits <= MOST_BITS else {"kind": LOGARITHM, "epsilon": 1 / (2**bits - 1)}
    return {"kind": IDENTITY} if target == "linear" else None


def _native_bits(run: Run) -> float | None:
    """What the logarithm's ε follows: its own setting, or with null the bits of raw frames, and 12 of other signals."""
    if run.settings.get("quant.sensor.native_bits") != "null":
        return _setting(run, "quant.sensor.native_bits", 12)
    return run.cost.get("native_bits") if run.task == "detection" else 12


def _setting(run: Run, key: str, default: float) -> float | None:
    """A number from 0 to 64 that a configuration sets; None where it sets something else."""
    try:
        value = float(run.settings.get(key, default))
    except ValueError:
        return None
    return value if 0 <= value <= MOST_BITS else None


def _short(value: float | None) -> float | None:
    """Six digits: the page shows four."""
    return None if value is None else float(f"{value:.6g}")


def _left(seconds: float | None) -> str:
    return "" if not seconds else f"about {duration(seconds)} left"
