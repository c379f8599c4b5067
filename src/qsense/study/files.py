"""A summary as files: Markdown, CSV, LaTeX and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from qsense.runs.folder import write_atomically
from qsense.runs.words import lower_is_better
from qsense.study.budget import Budget
from qsense.study.costs import Axis, axes
from qsense.study.screen import axis
from qsense.study.summary import Summary
from qsense.study.tables import cells_csv, latex_table, markdown_report, name_with, runs_csv
from qsense.study.writing import write_each


def write_report(
    summary: Summary, out: Path, others: Sequence[Summary] = (), budget: Budget | None = None
) -> list[Path]:
    """Write report.md, report.csv (one line per cell), runs.csv (one per run), report.tex and scores.png into `out`;
    and tradeoff*.png, score against each cost that runs know of.

    Scores in report.csv are in the unit that its column `unit` states (percent, like the papers' tables); those in
    runs.csv are as measured. Without a finished run only runs.csv and report.md are written.

    Args:
        summary: of the first metric, which the pictures show.
        out: a folder, made if it is not there.
        others: of further metrics over the same runs: tables more in report.md, report.tex and report.csv.
        budget: what may be lost and spent, in report.md; None for the usual one.

    Raises:
        NotWrittenError: some could not be written; one that fails costs no other.
    """
    every = (summary, *others)
    tables = (*every, *(divided for each in every for divided in each.divided))
    texts: dict[str, Callable[[], str]] = {
        "report.md": lambda: markdown_report(every, budget),
        "runs.csv": lambda: runs_csv(summary),
    }
    if summary.rows:
        texts |= {"report.csv": lambda: cells_csv(every), "report.tex": lambda: "\n".join(map(latex_table, tables))}
    files = {name: partial(_write_text, text) for name, text in texts.items()}
    if summary.cells:
        files["scores.png"] = partial(scores_png, summary)
    for cost in _axes(summary):
        files[cost.picture] = partial(_tradeoff_png, summary, cost)
    return write_each({out / name: write for name, write in files.items()})


def _write_text(text: Callable[[], str], file: Path) -> None:
    write_atomically(file, text())


def _axes(summary: Summary) -> list[Axis]:
    return [axis for axis in axes(cell.cost for cell in summary.cells.values()) if axis.picture]


def scores_png(summary: Summary, path: Path, heading: str = "") -> None:
    """Draw score over bits for every quantizer, a panel for each data set and model."""
    from qsense.plots.scores import Score, plot_scores  # here: only a picture needs Matplotlib
    from qsense.plots.style import save

    # What all quantizers have in common, as against a baseline on other images (sRGB), the baselines' names say.
    settings = [set(row.settings) for row in summary.rows if row.shown_bits is not None]
    common = set.intersection(*settings) if settings else set()

    models = {row.model for row in summary.rows}

    def points() -> Iterator[Score]:
        scale = 100 if summary.percent else 1
        for (row, dataset), cell in summary.cells.items():
            own = tuple(setting for setting in row.settings if row.shown_bits is None or setting not in common)
            name = name_with(summary, replace(row, settings=own), row.line)
            panel = dataset
            if len(models) > 1:  # a panel for each keeps the lines few
                panel, name = f"{dataset}, {row.model}", name.replace(f" · model={row.model}", "", 1)
            std = None if cell.std is None else scale * cell.std
            yield Score(panel, name, row.shown_bits, scale * cell.mean, std, cell.complete and cell.comparable)

    save(plot_scores(list(points()), axis(summary), heading), path)


def _tradeoff_png(summary: Summary, cost: Axis, path: Path) -> None:
    from qsense.plots.style import save
    from qsense.plots.tradeoff import Point, plot_tradeoff

    models = {row.model for row, _ in summary.shown}

    def points() -> Iterator[Point]:
        scale = 100 if summary.percent else 1
        for (row, dataset), cell in summary.shown.items():
            name, panel = name_with(summary, row, row.line), dataset
            if len(models) > 1:  # a panel for each keeps the lines few
                panel, name = f"{dataset}, {row.model}", name.replace(f" · model={row.model}", "", 1)
            for key, design in zip((cost.key, cost.beside), cost.lines, strict=True):
                if cell.cost.get(key, 0) > 0:
                    std = None if cell.std is None else scale * cell.std
                    label, at = design or row.shown_bits_name, cell.cost[key] / cost.unit
                    yield Point(panel, name, label, at, scale * cell.mean, std, cell.complete, cell.comparable, design)

    save(plot_tradeoff(list(points()), axis(summary), cost.label, less=lower_is_better(summary.metric)), path)
