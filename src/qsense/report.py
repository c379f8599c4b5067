"""The papers' table over many runs: on the screen, and as Markdown, CSV, LaTeX and a picture.

python -m qsense.report runs
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qsense.runs import write_atomically
from qsense.summary import Cell, ReportError, Row, Run, Summary, summarise, varying

__all__ = ["ReportError", "main", "print_report", "summarise", "write_report"]

MOST_LISTED = 20  # lines of a list on the screen; the files have all

METRICS = {
    "f1_sample": "macro-F1, sample-wise",
    "f1_window": "macro-F1, window-wise",
    "accuracy_sample": "accuracy, sample-wise",
    "accuracy_window": "accuracy, window-wise",
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "map": "COCO mAP",
    "ap50": "AP at an overlap of 0.5",
    "ap75": "AP at an overlap of 0.75",
    "ap_small": "COCO mAP of small objects",
    "ap_medium": "COCO mAP of medium objects",
    "ap_large": "COCO mAP of large objects",
}
INCOMPLETE, INCOMPARABLE = "*", "†"


# ------------------------------------------------------------------------------------------------------------- words


def _title(summary: Summary) -> str:
    name = METRICS.get(summary.metric, summary.metric)
    return f"{name}{' (%)' if summary.percent else ''}: mean over folds, then mean ± std over seeds"


def _score(summary: Summary, cell: Cell, plus_minus: str = " ± ") -> str:
    """ "54.58 ± 0.22", or the mean alone where there is one seed."""
    scale, digits = (100, 2) if summary.percent else (1, 4)
    mean = f"{scale * cell.mean:.{digits}f}"
    return mean if cell.std is None else f"{mean}{plus_minus}{scale * cell.std:.{digits}f}"


def _marks(cell: Cell) -> str:
    return INCOMPLETE * (not cell.complete) + INCOMPARABLE * (not cell.comparable)


def _legend(summary: Summary) -> list[str]:
    cells = summary.cells.values()
    legend = ["Below each score: the runs behind it, folds × seeds."] if cells else []
    if any(cell.std is None for cell in cells):
        legend.append("Without ±: a single seed.")
    if not all(cell.complete for cell in cells):
        legend.append(f"{INCOMPLETE} Runs are missing.")
    if not all(cell.comparable for cell in cells):
        legend.append(f"{INCOMPARABLE} Averages other folds than the rest of its column: not comparable.")
    if any(cell.cost for cell in cells):
        legend.append("MB, GBOPs: the network's weights, and 10⁹ bit operations per prediction.")
    return legend


def _costs(summary: Summary) -> dict[str, dict[Row, str]]:
    """Columns of what a prediction costs, {heading: {row: text}}; none where no run counted it.

    Data sets of other channels or classes make other networks: "0.29–0.41" over the columns of the report.
    """
    if not any(cell.cost for cell in summary.cells.values()):
        return {}
    columns: dict[str, dict[Row, str]] = {}
    for heading, key, unit in (("MB", "size_mb", 1.0), ("GBOPs", "bops", 1e9)):
        columns[heading] = {}
        for row in summary.rows:
            here = (cell.cost for (other, _), cell in summary.cells.items() if other == row and cell.cost)
            texts = [_rounded(cost[key] / unit) for cost in sorted(here, key=lambda cost: cost[key])]
            columns[heading][row] = "–".join(dict.fromkeys([texts[0], texts[-1]])) if texts else "–"
    return columns


def _rounded(value: float) -> str:
    """Three digits, or all before the point.

    >>> _rounded(6.10016), _rounded(0.0123456), _rounded(1857.6)
    ('6.10', '0.0123', '1858')
    """
    if not 0 < value < 1000:
        return f"{value:.0f}"
    return f"{value:.{2 - math.floor(math.log10(value))}f}"


def _missing(summary: Summary) -> list[str]:
    return [
        f"{summary.label(row)}, {dataset}: {cell.missing}"
        for (row, dataset), cell in summary.cells.items()
        if not cell.complete
    ]


def _unfinished(run: Run) -> str:
    where = f"{run.quant} {run.bits} bit, {run.dataset}, seed {run.seed}, fold {run.fold}"
    return f"{run.status}: {where}: {run.reason}\n  {run.log}"


def pictures(found: Sequence[Run]) -> list[str]:
    """Where the runs' pictures are, one line per folder of runs: "runs/*/figures: confusion.png, transfer.png"."""
    kinds: dict[Path, set[str]] = {}
    for run in found:
        for file in (run.folder / "figures").glob("*.png"):
            kinds.setdefault(run.folder.parent, set()).add(file.name)
    return [f"{parent / '*' / 'figures'}: {', '.join(sorted(names))}" for parent, names in kinds.items()]


# ------------------------------------------------------------------------------------------------------------ screen


def print_report(summary: Summary, console: Console | None = None) -> None:
    """Print the table, what stands behind it, what is missing or failed, and where the runs' pictures are."""
    console = console or Console()
    if summary.cells:
        console.print(f"\n{_title(summary)}", style="bold", markup=False, highlight=False)
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("quantizer")
        for dataset in summary.datasets:
            table.add_column(escape(dataset), justify="right")
        costs = _costs(summary)
        for heading in costs:
            table.add_column(heading, justify="right")
        for row in summary.rows:
            texts = []
            for dataset in summary.datasets:
                cell = summary.cells.get((row, dataset))
                texts.append(f"{_score(summary, cell)}{_marks(cell)}\n[dim]{cell.count}[/dim]" if cell else "–")
            table.add_row(escape(summary.label(row)), *texts, *(column[row] for column in costs.values()))
        console.print(table)
        console.print(*_legend(summary), highlight=False, markup=False, style="dim")
    else:
        console.print("No run has finished yet.", style="bold")
    _print_list(console, "Missing", _missing(summary))
    _print_list(console, "Not finished", [_unfinished(run) for run in summary.unfinished])
    _print_list(console, "Mind", list(summary.notes))
    _print_list(console, "Pictures", pictures(summary.runs))


def _print_list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print(f"\n{title}", style="bold")
    for line in lines[:MOST_LISTED]:
        # Paths must stay whole, to be copied: no wrapping by the console.
        console.print(f"  {line}".replace("\n", "\n  "), markup=False, highlight=False, soft_wrap=True)
    if len(lines) > MOST_LISTED:
        console.print(f"  … and {len(lines) - MOST_LISTED} more", markup=False, highlight=False)


# ------------------------------------------------------------------------------------------------------------- files


def write_report(summary: Summary, out: Path) -> list[Path]:
    """Write report.md, report.csv (one line per cell), runs.csv (one per run), report.tex and scores.png into `out`;
    and tradeoff.png where runs know what their networks cost.

    Scores in report.csv are in the unit that its column `unit` states (percent, like the papers' tables); those in
    runs.csv are as measured. Without a finished run only runs.csv and report.md are written.
    """
    texts = {"report.md": _markdown(summary), "runs.csv": _runs_csv(summary)}
    if summary.cells:
        texts |= {"report.csv": _cells_csv(summary), "report.tex": _latex(summary)}
    for name, text in texts.items():
        write_atomically(out / name, text)
    written = [out / name for name in texts]
    if summary.cells:
        _scores_png(summary, out / "scores.png")
        written.append(out / "scores.png")
    if any(cell.cost for cell in summary.cells.values()):
        _tradeoff_png(summary, out / "tradeoff.png")
        written.append(out / "tradeoff.png")
    return written


def _markdown(summary: Summary) -> str:
    lines = [f"# {_title(summary)}", ""]
    if summary.cells:
        costs = _costs(summary)
        headings = [*map(_cell_text, summary.datasets), *costs]
        lines.append("| quantizer | " + " | ".join(headings) + " |")
        lines.append("|---|" + "---:|" * len(headings))
        for row in summary.rows:
            texts = []
            for dataset in summary.datasets:
                cell = summary.cells.get((row, dataset))
                marks = _marks(cell).replace("*", "\\*") if cell else ""
                texts.append(f"{_score(summary, cell)}{marks}<br>{cell.count}" if cell else "–")
            texts += [column[row] for column in costs.values()]
            lines.append(f"| {_cell_text(summary.label(row))} | " + " | ".join(texts) + " |")
        lines += ["", " ".join(_legend(summary)).replace("*", "\\*"), "", "![scores](scores.png)", ""]
        if costs:
            lines += ["![score against cost](tradeoff.png)", ""]
    else:
        lines += ["No run has finished yet.", ""]
    for title, items in (
        ("Missing", _missing(summary)),
        ("Not finished", [_unfinished(run) for run in summary.unfinished]),
        ("Mind", list(summary.notes)),
        ("Pictures", pictures(summary.runs)),
    ):
        if items:
            lines += [f"## {title}", "", *(f"- {item}".replace("\n", "\n  ") for item in items), ""]
    return "\n".join(lines)


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|")


def _latex(summary: Summary) -> str:
    """A booktabs table; marks as superscripts, what they mean in the comment above."""
    costs = _costs(summary)
    lines = [
        f"% {_title(summary)}",
        *(f"% {line}" for line in _legend(summary) if line[0] in INCOMPLETE + INCOMPARABLE),
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{lc" + "c" * (len(summary.datasets) + len(costs)) + "}",
        "\\toprule",
        " & ".join(["Quantizer", "Bits", *map(_tex, summary.datasets), *costs]) + " \\\\",
        "\\midrule",
    ]
    before: Row | None = None
    for row in summary.rows:
        if before is not None and before.bits != row.bits:
            lines.append("\\midrule")
        before = row
        name = summary.label(row)
        if row.bits is not None:
            name = name.replace(f" {row.bits} bit", "", 1)
        texts = []
        for dataset in summary.datasets:
            cell = summary.cells.get((row, dataset))
            marks = _marks(cell).replace(INCOMPARABLE, "\\dagger") if cell else ""
            power = f"^{{{marks}}}" if marks else ""
            texts.append("$" + _score(summary, cell, " \\pm ") + power + "$" if cell else "--")
        texts += [column[row].replace("–", "--") for column in costs.values()]
        lines.append(" & ".join([_tex(name), "--" if row.bits is None else str(row.bits), *texts]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _tex(text: str) -> str:
    """
    >>> _tex("gamma_per_axis · lr=1 %")
    'gamma\\\\_per\\\\_axis $\\\\cdot$ lr=1 \\\\%'
    """
    special = {**{c: f"\\{c}" for c in "_%&#${}"}, "\\": "\\textbackslash{}", "~": "\\textasciitilde{}"}
    special |= {"^": "\\textasciicircum{}", "·": "$\\cdot$"}
    return "".join(special.get(c, c) for c in text)


def _cells_csv(summary: Summary) -> str:
    import pandas as pd  # here, so that --help need not wait for it

    scale = 100 if summary.percent else 1
    return (
        pd.DataFrame(
            {
                "quant": row.quant,
                "bits": row.bits,
                "settings": ", ".join(f"{key}={value}" for key, value in row.settings),
                "task": row.task,
                "model": row.model,
                "dataset": dataset,
                "metric": summary.metric,
                "mean": scale * cell.mean,
                "std": None if cell.std is None else scale * cell.std,
                "unit": "%" if summary.percent else "",
                "seeds": len(cell.folds),
                "runs": len(cell.scores),
                "expected": cell.expected,
                "complete": cell.complete,
                "comparable": cell.comparable,
                "missing": cell.missing,
                **cell.cost,
            }
            for (row, dataset), cell in summary.cells.items()
        )
        .astype({"bits": "Int64"})
        .to_csv(index=False)
    )


def _runs_csv(summary: Summary) -> str:
    import pandas as pd

    shown = sorted(varying(summary.runs))
    return (
        pd.DataFrame(
            {
                "folder": str(run.folder),
                "status": run.status,
                "reason": run.reason,
                "task": run.task,
                "quant": run.quant,
                "bits": run.bits,
                "model": run.model,
                "dataset": run.dataset,
                "seed": run.seed,
                "fold": run.fold,
                **{key: run.settings.get(key) for key in shown},
                **run.metrics,
                **run.cost,
                **{name: " ".join(map(repr, values)) for name, values in run.learned.items()},
            }
            for run in summary.runs
        )
        .astype({"bits": "Int64"})
        .to_csv(index=False)
    )


def _scores_png(summary: Summary, path: Path) -> None:
    from qsense.plots.scores import Score, plot_scores  # here: only a picture needs Matplotlib
    from qsense.plots.style import save

    # What all quantizers have in common, as against a baseline on other images (sRGB), the baselines' names say.
    settings = [set(row.settings) for row in summary.rows if row.bits is not None]
    common = set.intersection(*settings) if settings else set()

    def points() -> Iterator[Score]:
        scale = 100 if summary.percent else 1
        for (row, dataset), cell in summary.cells.items():
            own = tuple(setting for setting in row.settings if row.bits is None or setting not in common)
            name = summary.label(replace(row, settings=own)).replace(f" {row.bits} bit", "", 1)
            std = None if cell.std is None else scale * cell.std
            yield Score(dataset, name, row.bits, scale * cell.mean, std, cell.complete and cell.comparable)

    label = METRICS.get(summary.metric, summary.metric)
    save(plot_scores(list(points()), f"{label} (%)" if summary.percent else label), path)


def _tradeoff_png(summary: Summary, path: Path) -> None:
    from qsense.plots.style import save
    from qsense.plots.tradeoff import Point, plot_tradeoff

    def points() -> Iterator[Point]:
        scale = 100 if summary.percent else 1
        for (row, dataset), cell in summary.cells.items():
            if cell.cost:
                name = summary.label(row).replace(f" {row.bits} bit", "", 1)
                bits = "" if row.bits is None else f"{row.bits} bit"
                std = None if cell.std is None else scale * cell.std
                complete = cell.complete and cell.comparable
                yield Point(dataset, name, bits, cell.cost["bops"] / 1e9, scale * cell.mean, std, complete)

    label = METRICS.get(summary.metric, summary.metric)
    save(plot_tradeoff(list(points()), f"{label} (%)" if summary.percent else label), path)


# ------------------------------------------------------------------------------------------------------ command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the report; 0 if a run is finished, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m qsense.report", description="The table over many runs: screen, Markdown, CSV, LaTeX, picture."
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run folders, or folders of them")
    parser.add_argument(
        "--metric", help="which metric (default: the one that the runs' task monitors, f1_sample in HAR)"
    )
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder for the files (default: ./report)")
    options = parser.parse_args(arguments)
    try:
        summary = summarise(options.runs, options.metric)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console = Console()
    print_report(summary, console)
    try:
        written = write_report(summary, options.out)
    except OSError as error:
        reason = "it is a file" if options.out.is_file() else error.strerror or error
        print(
            f"error: no report can be written to {options.out} ({reason}): give a folder, --out FOLDER", file=sys.stderr
        )
        return 1
    names = ", ".join(file.name for file in written)
    console.print(f"\nWritten to {options.out}{os.sep}: {names}", markup=False, highlight=False, soft_wrap=True)
    return 0 if summary.cells else 1


if __name__ == "__main__":
    sys.exit(main())
