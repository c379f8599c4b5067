"""The study page: one HTML file with everything in it, to look through a study without a server or a network.

Python gathers, the page's own script averages: what is filtered there is averaged anew, by the same rule.
"""

from __future__ import annotations

import base64
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from qsense.runs.escapes import in_script
from qsense.runs.folder import write_atomically
from qsense.runs.layout import FIXED
from qsense.runs.status import FINISHED, STATES
from qsense.runs.words import duration, lower_is_better, metric_name, percent
from qsense.study import published
from qsense.study.answers import default, sentences
from qsense.study.budget import Budget, power_of, rate_of, student
from qsense.study.contest import SAME_PRICE, Contest, contests
from qsense.study.costs import LOSSLESS, Axis, axes, columns, explained
from qsense.study.curves import MEMORY, curve_of, short
from qsense.study.groups import COUNTS, DIVISIONS, counts_of, divisions_of, group_names, in_words
from qsense.study.progress import dataset_names, progress
from qsense.study.rows import Row
from qsense.study.run import Run
from qsense.study.screen import sections, texts, title
from qsense.study.significance import FEWEST
from qsense.study.summary import Summary

ASSETS = files("qsense") / "study" / "assets"
PAGE = "index.html"
ORDER = ("bops", "entropy_kbit_s", "kbit_s", "uj_s")  # of axes that know equally many rows, the last
SCRIPTS = ("numbers.js", "budget.js", "charts.js", "page.js")
LIBRARY = "echarts.min.js.gz"  # Apache ECharts 6.1.0 as published, packed; its licence lies beside it


def write_page(
    every: Sequence[Summary], out: Path, pages: Mapping[Path, str] | None = None, budget: Budget | None = None
) -> Path:
    """Write `<out>/index.html`, atomically; see `study_page`."""
    file = out / PAGE
    write_atomically(file, study_page(every, pages, budget))
    return file


def study_page(
    every: Sequence[Summary], pages: Mapping[Path, str] | None = None, budget: Budget | None = None, lead: str = ""
) -> str:
    """The page over a study's runs.

    Args:
        every: one summary per metric; the first says which rows there are, and is shown first. Metrics that only the
            page shows need none.
        pages: address of each run's own page, by the run's folder; None: there are none.
        budget: what its budget box begins with; None for the usual one.
        lead: HTML that stands above all; with no id of the page's own sections, which its script draws anew.
    """
    data = json.dumps(contents(every, pages, budget), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    page = (ASSETS / "page.html").read_text(encoding="utf-8")
    parts = {
        "/*STYLE*/": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "<!--LEAD-->": lead,
        "<!--TABLES-->": plain_tables(every, budget),
        "/*DATA*/": in_script(data),
        "/*LIBRARY*/": base64.b64encode((ASSETS / LIBRARY).read_bytes()).decode(),
        "/*SCRIPT*/": "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    return re.sub("|".join(map(re.escape, parts)), lambda mark: parts[mark[0]], page)  # no mark within what is put in


def plain_tables(every: Sequence[Summary], budget: Budget | None = None) -> str:
    """What a reader without scripts gets: the answers and the tables."""
    parts = [f"<p>{escape(sentence)}</p>" for sentence in sentences(every[0], budget)]
    for summary in every:
        if summary.rows:
            heads = "".join(f"<th scope='col'>{escape(name)}</th>" for name in ("quantizer", *summary.datasets))
            lines = "".join(
                f"<tr><th scope='row'>{escape(summary.short_label(row))}</th>"
                + "".join(
                    f"<td>{'<br>'.join(map(escape, texts(summary, row, name)))}</td>" for name in summary.datasets
                )
                + "</tr>"
                for row in summary.shown_rows
            )
            parts.append(f"<table><caption>{escape(title(summary))}</caption><tr>{heads}</tr>{lines}</table>")
    return "\n".join(parts)


def contents(
    every: Sequence[Summary], pages: Mapping[Path, str] | None = None, budget: Budget | None = None
) -> dict[str, Any]:
    """What the page knows, as plain JSON."""
    pages = pages or {}
    summary = every[0]
    rows, datasets = summary.shown_rows, summary.datasets
    counted = [run for run in summary.runs if run.folder in summary.rows_of_runs]
    measured = sorted({metric for run in counted for metric in run.metrics})
    metrics = list(dict.fromkeys([*(each.metric for each in every if each.rows), *measured]))
    classes, groups = _classes(counted), {name: _groups(counted, name) for name in datasets}
    place_of_row = {row: place for place, row in enumerate(rows)}
    place_of_dataset = {name: place for place, name in enumerate(datasets)}
    compared = {name: [line.replace(FIXED, " ") for line in lines] for name, lines in summary.comparisons.items()}
    lists = {**compared, **sections(summary)}
    costs = [cell.cost for cell in summary.shown.values()]
    shown, drawn = columns(costs), telling(summary)
    curves = placed({run.folder: curve_of(run) for run in counted}, counted)
    units = {run.dataset: curve["unit"] for run in counted if (curve := curves[run.folder]) and "unit" in curve}
    limits = budget or default(summary)
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
                "unit": units.get(name, ""),
                "classes": classes.get(name, {}),
                "groups": groups.get(name, {}),
            }
            for name in datasets
        ],
        "divisions": list(DIVISIONS),
        "seeds": sorted({run.seed for run in summary.runs if run.seed >= 0}),
        "ownSeeds": len({cell.seeds for cell in summary.cells.values()}) > 1,
        "rows": [_row(summary, row) for row in rows],
        "costs": [
            {
                "row": place_of_row[row],
                "dataset": place_of_dataset[name],
                **{key: short(cell.cost.get(key)) for key in needed if key in cell.cost},
            }
            for (row, name), cell in summary.shown.items()
            if cell.cost
        ],
        "columns": [vars(column) for column in shown],
        "axes": [vars(axis) for axis in drawn],
        "axis": usual_axis(summary, drawn),
        "constant": alike(summary, drawn),
        "contests": [_contest(summary, contest, place_of_row, place_of_dataset) for contest in contests(summary)],
        "limits": {"loss": limits.loss, "microwatts": limits.microwatts, "bitsPerSecond": limits.bits_per_second},
        "student": _student_table(counted),
        "few": FEWEST,
        "samePrice": SAME_PRICE,
        "legend": explained(costs),
        "runs": [
            {
                "row": place_of_row[summary.rows_of_runs[run.folder]],
                "dataset": place_of_dataset[run.dataset],
                "seed": run.seed,
                "fold": run.fold,
                "scores": [short(run.metrics.get(m)) for m in metrics],
                "classes": {
                    m: [short(scores.get(name)) for name in classes[run.dataset][m]]
                    for m, scores in run.per_class.items()
                },
                **({"groups": _scores_of_groups(run, groups[run.dataset])} if run.groups else {}),
                "curve": curves[run.folder],
                "seconds": None if run.seconds is None else round(run.seconds, 1),
                "folder": run.path,
                "page": pages.get(run.folder),
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
                "page": pages.get(run.folder),
            }
            for run, name in zip(summary.runs, dataset_names(summary.runs), strict=True)
            if run.status != FINISHED
        ],
        "lists": {name: lines for name, lines in lists.items() if name not in ("Not finished", "Pictures")},
    }


def _contest(
    summary: Summary, contest: Contest, place_of_row: Mapping[Row, int], place_of_dataset: Mapping[str, int]
) -> dict[str, Any]:
    def competitor(row: Row, price: float) -> dict[str, Any]:
        cost = summary.shown[row, contest.dataset].cost
        own = {"power": power_of(cost), "rate": rate_of(cost)}
        return {"row": place_of_row[row], "price": price if math.isfinite(price) else None, **own}

    return {
        "name": contest.name,
        "dataset": place_of_dataset[contest.dataset],
        "reference": place_of_row[contest.reference],
        "unit": vars(contest.unit),
        "rows": [competitor(row, price) for row, price in contest.prices.items()],
    }


def _student_table(counted: Sequence[Run]) -> list[float | None]:
    """`student` of every number of folds or seeds that can be paired, by that number."""
    most = max((run.num_folds for run in counted), default=0)
    most = max(most, len({run.seed for run in counted}))
    return [None, None, *(student(count) for count in range(2, most + 1))]


def placed(curves: Mapping[Path, dict[str, Any] | None], counted: Sequence[Run]) -> dict[Path, dict[str, Any] | None]:
    """The same, where a run that did not record its sensor's range has that of its data set, if it is one in all."""
    known: dict[str, list[dict[str, Any]]] = {}
    for run in counted:
        if (curve := curves[run.folder]) and "range" in curve:
            place = {"range": curve["range"], "unit": curve["unit"]}
            if place not in known.setdefault(run.dataset, []):
                known[run.dataset].append(place)
    common = {dataset: places[0] for dataset, places in known.items() if len(places) == 1}
    return {
        run.folder: curve if curve is None or curve["kind"] == MEMORY else {**common.get(run.dataset, {}), **curve}
        for run in counted
        for curve in [curves[run.folder]]
    }


def telling(summary: Summary) -> list[Axis]:
    """The axes of costs that tell the rows of some data set apart."""

    def tells(axis: Axis) -> bool:
        for dataset in summary.datasets:
            here = [cell.cost.get(axis.key, 0.0) for (_, name), cell in summary.shown.items() if name == dataset]
            known = [cost for cost in here if cost > 0]
            if known and min(known) < max(known) * (1 - SAME_PRICE):
                return True
        return False

    return [axis for axis in axes(cell.cost for cell in summary.shown.values()) if tells(axis)]


def usual_axis(summary: Summary, drawn: Sequence[Axis]) -> int:
    """The axis that a page opens on: the one that most rows have a figure for; of equal ones power, then rate."""

    def rank(axis: Axis) -> tuple[int, int]:
        known = sum(axis.key in cell.cost for cell in summary.shown.values())
        return known, ORDER.index(axis.key) if axis.key in ORDER else -1

    return max(range(len(drawn)), key=lambda place: rank(drawn[place]), default=0)


def alike(summary: Summary, drawn: Sequence[Axis]) -> str:
    """Which costs tell no rows apart, in a sentence; empty for none."""
    names = [axis.name for axis in axes(cell.cost for cell in summary.shown.values()) if axis not in drawn]
    return f"The same for all rows of a data set, and not to choose: {', '.join(names)}." if names else ""


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


def _groups(counted: Sequence[Run], dataset: str) -> dict[str, dict[str, Any]]:
    """What a data set's test is divided by, {division: its groups with the frames and boxes of each}."""
    runs = [run for run in counted if run.dataset == dataset]
    found = {}
    for division in divisions_of(runs):
        names = group_names(runs, division)
        counts = {what: counts_of(runs, division, what) for what in COUNTS}
        texts = {what: [in_words(counts[what].get(name, (0, 0))) for name in names] for what in COUNTS}
        found[division] = {"names": names, "note": DIVISIONS[division], **texts}
    return found


def _scores_of_groups(run: Run, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[float | None]]]:
    """{division: {metric: a score for each group, in their order}}."""
    return {
        division: {
            metric: [short(scores.get(name)) for name in groups[division]["names"]]
            for metric, scores in run.groups[division].items()
            if metric not in COUNTS
        }
        for division in groups
        if division in run.groups
    }


def _left(seconds: float | None) -> str:
    return "" if not seconds else f"about {duration(seconds)} left"
