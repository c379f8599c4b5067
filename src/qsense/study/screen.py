"""A summary in words: what a cell says, and the whole on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsense.runs.escapes import one_line
from qsense.runs.words import metric_name, rounded, some
from qsense.study import published
from qsense.study.budget import Budget, question, sentences
from qsense.study.cell import Cell
from qsense.study.costs import columns, explained
from qsense.study.rows import Row
from qsense.study.run import Run
from qsense.study.summary import Summary

MOST_LISTED = 20  # lines of a list on the screen; the files have all
INCOMPLETE, INCOMPARABLE, OTHER_PROTOCOL, NOTHING = "*", "†", "‡", "–"


def title(summary: Summary) -> str:
    """What the table shows."""
    return f"{axis(summary)}: mean over folds, then mean ± std over seeds"


def axis(summary: Summary) -> str:
    """The metric with its unit."""
    return f"{metric_name(summary.metric)}{' (%)' if summary.percent else ''}"


def score(summary: Summary, cell: Cell, plus_minus: str = " ± ") -> str:
    """ "54.58 ± 0.22", or the mean alone where there is one seed."""
    scale, digits = (100, 2) if summary.percent else (1, 4)
    mean = f"{scale * cell.mean:.{digits}f}"
    return mean if cell.std is None else f"{mean}{plus_minus}{scale * cell.std:.{digits}f}"


def marks(cell: Cell) -> str:
    """What a reader must mind about a number."""
    return INCOMPLETE * (not cell.complete) + INCOMPARABLE * (not cell.comparable)


def legend(summary: Summary) -> list[str]:
    """What the table's marks and lines mean, as far as it has them."""
    cells = summary.cells.values()
    texts = ["Below each score: the runs behind it, folds × seeds."] if cells else []
    if any(cell.std is None for cell in cells):
        texts.append("Without ±: a single seed.")
    if not all(cell.complete for cell in cells):
        texts.append(f"{INCOMPLETE} Runs are missing.")
    if summary.unscored:
        texts.append(
            f"Left out of means, and {NOTHING} where all are: runs whose score is no finite number, see below."
        )
    if not all(cell.comparable for cell in cells):
        texts.append(f"{INCOMPARABLE} Averages other folds than the rest of its column: not comparable.")
    texts += explained((cell.cost for cell in cells), narrow=True)
    if summary.published:
        texts.append("paper: the published figure, ours − it, and that ÷ √(our std² + the paper's²).")
    if any(beside.differs for beside in summary.published.values()):
        texts.append(f"{OTHER_PROTOCOL} Made on another protocol, which a difference would hide.")
    return texts


def costs(summary: Summary) -> dict[str, dict[Row, str]]:
    """Columns of what rows cost, {heading: {row: text}}; only those that some run has a figure for.

    Data sets of other channels or classes make other networks and data rates: "0.29–0.41" over the report's columns.
    """
    texts: dict[str, dict[Row, str]] = {}
    for column in columns((cell.cost for cell in summary.cells.values()), narrow=True):
        texts[column.heading] = {}
        for row in summary.shown_rows:
            here = [cell.cost for (other, _), cell in summary.shown.items() if other == row and column.key in cell.cost]
            figures = [rounded(value / column.unit) for value in sorted(cost[column.key] for cost in here)]
            texts[column.heading][row] = "–".join(dict.fromkeys([figures[0], figures[-1]])) if figures else "–"
    return texts


def sections(summary: Summary) -> dict[str, list[str]]:
    """The lists below the tables, by title; those without a line are left out."""
    missing = [
        f"{summary.label(row)}, {dataset}: {cell.missing}"
        for (row, dataset), cell in summary.cells.items()
        if not cell.complete
    ]
    missing += [f"{summary.label(row)}, {dataset}: no run" for row, dataset in summary.empty]
    other = [
        f"{summary.label(row)}, {dataset} ({beside.published.source}): {some(beside.differs, '; ')}"
        for (row, dataset), beside in summary.published.items()
        if beside.differs
    ]
    lists = {
        "Missing": missing,
        "Could not be read": [line for run in summary.runs for line in run.unreadable],
        "Not finished": [_unfinished(run) for run in summary.unfinished if run.reason or not run.unreadable],
        "No finite number": _not_finite(summary.runs),
        f"{OTHER_PROTOCOL} Not the paper's protocol": other,
        **{name: list(lines) for name, lines in summary.findings.items()},
        "Mind": list(summary.notes),
        "Pictures": pictures(summary.runs),
    }
    return {name: texts for name, texts in lists.items() if texts}


def _unfinished(run: Run) -> str:
    where = f"{run.quantizer}, {run.dataset}, seed {run.seed}, fold {run.fold}"
    return f"{run.status}: {where}{': ' * bool(run.reason)}{run.reason}\n  {run.log}"


def _not_finite(runs: Sequence[Run]) -> list[str]:
    """What runs measured or learned that is no finite number, and which runs: "f1_sample = nan: runs/a"."""
    where: dict[str, list[str]] = {}
    for run in runs:
        for name, value in run.not_finite.items():
            where.setdefault(f"{name} = {value}", []).append(run.path)
    return [f"{what}: {some(paths)}" for what, paths in where.items()]


def pictures(runs: Sequence[Run]) -> list[str]:
    """Where the runs' pictures are, one line per folder of runs: "runs/*/figures: confusion.png, transfer.png"."""
    kinds: dict[Path, set[str]] = {}
    for run in runs:
        with suppress(OSError):
            for file in (run.folder / "figures").glob("*.png"):
                kinds.setdefault(run.folder.parent, set()).add(one_line(file.name))
    return [f"{one_line(str(parent / '*' / 'figures'))}: {', '.join(sorted(names))}" for parent, names in kinds.items()]


def texts(summary: Summary, row: Row, dataset: str) -> list[str]:
    """The lines of one cell: score with its marks, the runs behind it, the paper's figure."""
    cell = summary.shown.get((row, dataset))
    if cell is None:
        return [NOTHING]
    beside = summary.published.get((row, dataset))
    return [f"{score(summary, cell)}{marks(cell)}", cell.count, *([published.words(beside)] if beside else [])]


def print_report(
    summary: Summary, console: Console | None = None, others: Sequence[Summary] = (), budget: Budget | None = None
) -> None:
    """Print the tables, what stands behind them, what is missing or failed, where the runs' pictures are, and which row
    a budget asks for.

    Args:
        summary: of the first metric.
        console: where to print.
        others: of further metrics over the same runs, each a table more.
        budget: what may be lost and spent; None for the usual one.
    """
    console = console or Console()
    if summary.rows:
        for each in (summary, *others):
            console.print(Text(f"\n{title(each)}", style="bold"))
            console.print(_table(each))
        console.print(*legend(summary), highlight=False, markup=False, style="dim")
    else:
        console.print("No run has finished yet.", style="bold")
    for name, lines in sections(summary).items():
        _print_list(console, name, lines)
    if found := sentences(summary, budget):
        console.print(Text(f"\n{question(summary, budget)}", style="bold"))
        console.print(*(Padding(Text(sentence), (0, 0, 0, 2)) for sentence in found), sep="")


def _table(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("quantizer", overflow="fold")
    priced = costs(summary)
    for heading in (*summary.datasets, *priced):
        table.add_column(Text(heading), justify="right", overflow="fold")
    for row in summary.shown_rows:
        cells = []
        for dataset in summary.datasets:
            first, *rest = texts(summary, row, dataset)
            cells.append(Text.assemble(first, *((f"\n{line}", "dim") for line in rest)))
        table.add_row(Text(summary.short_label(row)), *cells, *(column[row] for column in priced.values()))
    return table


def _print_list(console: Console, name: str, lines: Sequence[str]) -> None:
    console.print(Text(f"\n{name}", style="bold"))
    for line in lines[:MOST_LISTED]:
        # Paths must stay whole, to be copied: no wrapping by the console.
        console.print(Text(f"  {line}".replace("\n", "\n  ")), soft_wrap=True)
    if len(lines) > MOST_LISTED:
        console.print(f"  … and {len(lines) - MOST_LISTED} more", markup=False, highlight=False)
