"""The study page: one HTML file with everything in it, to look through a study without a server or a network.

Python gathers, the page's own script averages: what is filtered there is averaged anew, by the same rule.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from qsense.runs.folder import write_atomically
from qsense.runs.status import FINISHED, STATES
from qsense.runs.words import duration, lower_is_better, metric_name, percent
from qsense.study import published
from qsense.study.costs import axes, columns, explained
from qsense.study.progress import dataset_names, progress
from qsense.study.rows import Row
from qsense.study.run import Run
from qsense.study.screen import sections
from qsense.study.summary import Summary

ASSETS = files("qsense") / "study" / "assets"
SCRIPTS = ("numbers.js", "charts.js", "page.js")
POWER_LAW, LOGARITHM, IDENTITY = "power", "log", "identity"  # transfer curves that the page can draw


def write_page(every: Sequence[Summary], out: Path) -> Path:
    """Write `<out>/index.html`, atomically; see `study_page`."""
    file = out / "index.html"
    write_atomically(file, study_page(every))
    return file


def study_page(every: Sequence[Summary]) -> str:
    """The page over a study's runs.

    Args:
        every: one summary per metric; the first says which rows there are, and is shown first. Metrics that only the
            page shows need none.
    """
    data = json.dumps(contents(every), ensure_ascii=False, separators=(",", ":"))
    page = (ASSETS / "page.html").read_text(encoding="utf-8")
    parts = {
        "/*STYLE*/": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "/*DATA*/": data.replace("<", "\\u003c"),  # nothing in a name can end the script
        "/*SCRIPT*/": "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    for mark, text in parts.items():
        page = page.replace(mark, text, 1)
    return page


def contents(every: Sequence[Summary]) -> dict[str, Any]:
    """What the page knows, as plain JSON."""
    summary = every[0]
    rows, datasets = summary.rows, summary.datasets
    counted = [run for run in summary.runs if run.folder in summary.rows_of_runs]
    measured = sorted({metric for run in counted for metric in run.metrics})
    metrics = list(dict.fromkeys([*(each.metric for each in every if each.cells), *measured]))
    classes = _classes(counted)
    place_of_row = {row: place for place, row in enumerate(rows)}
    place_of_dataset = {name: place for place, name in enumerate(datasets)}
    lists = sections(summary)
    costs = [cell.cost for cell in summary.cells.values()]
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
                "folds": max(cell.num_folds for (_, other), cell in summary.cells.items() if other == name),
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
                **{key: _short(cell.cost[key]) for key in needed if key in cell.cost},
            }
            for (row, name), cell in summary.cells.items()
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
                "scores": [None if m not in run.metrics else _short(run.metrics[m]) for m in metrics],
                "classes": {
                    m: [_short(scores[name]) if name in scores else None for name in classes[run.dataset][m]]
                    for m, scores in run.per_class.items()
                },
                "curve": _curve(run),
                "seconds": None if run.seconds is None else round(run.seconds, 1),
                "folder": str(run.folder),
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
            if row in place_of_row
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
                "reason": run.reason,
                "log": str(run.log),
            }
            for run, name in zip(summary.runs, dataset_names(summary.runs), strict=True)
            if run.status != FINISHED
        ],
        "lists": {name: lines for name, lines in lists.items() if name not in ("Not finished", "Pictures")},
    }


def _row(summary: Summary, row: Row) -> dict[str, Any]:
    """A row's name, and the same without its bits, which names its line in a plot over bits."""
    label = summary.short_label(row)
    line = label.replace(row.name, row.line, 1).removeprefix(" · ")
    bits = {"bits": row.shown_bits, "bitsName": row.shown_bits_name}
    return {"label": label, "line": line or "all", "quant": row.quant, "model": row.model, **bits}


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
    if run.learned.get("gamma") and target != "gammanorm":
        epsilon = float(run.settings.get("quant.sensor.epsilon", "0.001"))
        return {
            "kind": POWER_LAW,
            "gamma": [_short(value) for value in run.learned["gamma"]],
            "mu": [_short(value) for value in run.learned.get("mu", ())],
            "epsilon": epsilon,
        }
    if target == "log":
        return {"kind": LOGARITHM, "epsilon": 1 / (2 ** int(run.settings.get("quant.sensor.native_bits", "12")) - 1)}
    return {"kind": IDENTITY} if target == "linear" else None


def _short(value: float) -> float:
    """Six digits: the page shows four."""
    return float(f"{value:.6g}")


def _left(seconds: float | None) -> str:
    return "" if not seconds else f"about {duration(seconds)} left"
