"""A summary in words: what a cell says, and the whole on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from qsense.runs.escapes import one_line
from qsense.runs.layout import FIXED, Column, fixed, sentence, table
from qsense.runs.words import many, metric_name, rounded, signed, some
from qsense.study import published
from qsense.study.answers import question, sentences
from qsense.study.best import fewer_bits
from qsense.study.budget import Budget
from qsense.study.cell import Cell
from qsense.study.costs import RADIO, columns, explained, links
from qsense.study.rows import Place, Row
from qsense.study.run import Run
from qsense.study.summary import Summary

MOST_LISTED = 20  # lines of a list on the screen; the files have all
INCOMPLETE, INCOMPARABLE, OTHER_PROTOCOL, NOTHING, BEST = "*", "†", "‡", "–", "•"
MARKS = INCOMPLETE + INCOMPARABLE + BEST
LINKS = " links"  # in place of the radio's power where one link is not enough
OF_FILES = ("Could not be read", "No finite number")  # lists whose lines stay whole, to be copied


def title(summary: Summary) -> str:
    """What the table shows."""
    return f"{axis(summary)}{summary.part}: mean over folds, then mean ± std over seeds"


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


def headlines(summary: Summary) -> list[str]:
    """A sentence for each data set: what the best quantizers lose, from many bits to few; none over a single row."""
    sentences = []
    for dataset in summary.datasets if len(summary.rows) > 1 else ():
        whole, quantized = fewer_bits(summary.metric, summary.cells, dataset)

        def told(row: Row, dataset: str = dataset, whole: Row | None = whole) -> str:
            cell = summary.cells[row, dataset]
            name = summary.short_label(row)
            name = "unquantized" if name == "none" else name
            text = f"{fixed(name)} {fixed(score(summary, cell))}{INCOMPLETE * (not cell.complete)}"
            if whole is None or row is whole:
                return text
            scale, digits = (100, 2) if summary.percent else (1, 4)
            loss = scale * (cell.mean - summary.cells[whole, dataset].mean)
            return f"{text}{FIXED}({signed(loss, digits)})"

        parts = [told(whole)] if whole else []
        if quantized:
            parts.append(f"best{' with fewer bits' * bool(whole)}: {', '.join(map(told, quantized))}")
        sentences += [f"{fixed(dataset)}: {'; '.join(parts)}."] * bool(parts)
    return sentences


def legend(summary: Summary, best: str = "Bold") -> list[str]:
    """What the table's marks and lines mean, as far as it has them, and the columns that say the same in every row.

    Args:
        summary: of the table.
        best: how the best at a number of bits is marked.
    """
    cells = summary.cells.values()
    texts = []
    if cells:
        texts.append(f"Runs of each score, folds × seeds: {_counts(summary)}.")
    if alike := constants(summary):
        texts.append(f"In every row: {', '.join(f'{heading} {text}' for heading, text in alike.items())}.")
    if summary.marked:
        texts.append(f"{best}: the best at this number of bits, among comparable ones.")
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


def _counts(summary: Summary) -> str:
    """What is said once of the runs behind scores; `texts` says the rest."""
    cells = summary.cells
    if summary.count_of_all:
        return summary.count_of_all
    whole = dict.fromkeys(cell.whole for cell in cells.values())
    named = [f"{cell.whole} {dataset}" for (_, dataset), cell in cells.items()] if len(whole) > 1 else list(whole)
    return f"{some(list(dict.fromkeys(named)))}; fewer below the score"


def costs(summary: Summary) -> dict[str, dict[Row, str]]:
    """Columns of what rows cost, {heading: {row: text}}; only those that tell rows apart, see `constants`."""
    return {heading: texts for heading, texts in _costs(summary).items() if not _constant(texts)}


def constants(summary: Summary) -> dict[str, str]:
    """What every row costs alike, {heading: text}: said once, below the table."""
    return {heading: next(iter(texts.values())) for heading, texts in _costs(summary).items() if _constant(texts)}


def _constant(texts: Mapping[Row, str]) -> bool:
    return len(texts) > 1 and len(set(texts.values())) == 1


def _costs(summary: Summary) -> dict[str, dict[Row, str]]:
    """All columns that some run has a figure for. Data sets of other channels or classes make other networks and data
    rates: "0.29–0.41" over the report's columns."""
    texts: dict[str, dict[Row, str]] = {}
    costs_of: dict[Row, list[Mapping[str, float]]] = {row: [] for row in summary.shown_rows}
    for (row, _), cell in summary.shown.items():
        costs_of[row].append(cell.cost)
    for column in columns((cell.cost for cell in summary.shown.values()), narrow=True):
        texts[column.heading] = {}
        for row, several in costs_of.items():
            needed = [share for cost in several if (share := links(cost))] if column.key == RADIO else []
            figures = needed or [cost[column.key] / column.unit for cost in several if column.key in cost]
            texts[column.heading][row] = _range(sorted(figures)) + LINKS * bool(needed)
    return texts


def _range(figures: Sequence[float]) -> str:
    return "–".join(dict.fromkeys(rounded(figure) for figure in (*figures[:1], *figures[-1:]))) or NOTHING


def sections(summary: Summary) -> dict[str, list[str]]:
    """The lists below the tables, by title; those without a line are left out."""
    other = [
        f"{summary.label(row)}, {dataset} ({beside.published.source}): {some(beside.differs, '; ')}"
        for (row, dataset), beside in summary.published.items()
        if beside.differs
    ]
    lists = {
        "Missing": [text.replace(FIXED, " ")] if (text := missing(summary)) else [],
        "Could not be read": [line for run in summary.runs for line in run.unreadable],
        "Not finished": [_unfinished(run) for run in summary.unfinished if run.reason or not run.unreadable],
        "No finite number": _not_finite(summary.runs),
        f"{OTHER_PROTOCOL} Not the paper's protocol": other,
        **{name: list(lines) for name, lines in summary.findings.items()},
        "Mind": list(summary.notes),
        "Pictures": pictures(summary.runs),
    }
    return {name: texts for name, texts in lists.items() if texts}


def missing(summary: Summary) -> str:
    """Which runs the table lacks, in a sentence: "12 of 480 runs: lloyd_max 3 bit folds 3–14"; empty where none.

    It names a few cells; `report.csv` says it of each that has a run.
    """
    there = {**summary.cells, **summary.blank}
    absent = {place: cell.expected - len(cell.scores) for place, cell in there.items() if not cell.complete}
    folds = {name: max(cell.expected for (_, other), cell in there.items() if other == name) for _, name in there}
    absent |= {place: folds[place[1]] for place in summary.empty}
    every = sum(cell.expected for cell in there.values()) + sum(folds[name] for _, name in summary.empty)

    def told(place: Place) -> str:
        row, dataset = place
        where = f", {fixed(dataset)}" if len(summary.datasets) > 1 else ""
        which = there[place].missing if place in there else "no run"
        which = which.replace(f"{many('seed', summary.seeds)}: ", "") if len(summary.seeds) == 1 else which
        return f"{fixed(summary.short_label(row))}{where} {fixed(which)}"

    texts = [told(place) for place in absent]
    return f"{sum(absent.values())} of {every} runs: {some(texts, '; ')}" if texts else ""


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
    """The lines of one cell: score with its marks, the runs behind it where some are missing, the paper's figure."""
    cell = summary.shown.get((row, dataset))
    if cell is None:
        return [NOTHING]
    if (like := summary.rivals.get(row)) is not None:
        return [f"as {like.quant}"]
    beside = summary.published.get((row, dataset))
    lines = [f"{score(summary, cell)}{marks(cell)}"]
    if not cell.complete and not summary.count_of_all:
        lines.append(cell.count)
    return lines + ([published.words(beside)] if beside else [])


def print_report(
    summary: Summary, console: Console | None = None, others: Sequence[Summary] = (), budget: Budget | None = None
) -> None:
    """Print the answer, the tables, what they mean, what is missing or failed, where the runs' pictures are, and which
    row a budget asks for.

    Args:
        summary: of the first metric.
        console: where to print.
        others: of further metrics over the same runs, each a table more.
        budget: what may be lost and spent; None for the usual one.
    """
    console = console or Console()
    for name, lines in summary.comparisons.items():
        console.print(Text(f"\n{sentence(name, console.width)}", "bold"), soft_wrap=True)
        for line in lines:
            console.print(Text(sentence(line, console.width, "  ", "    ")), soft_wrap=True)
    if summary.rows:
        for each in (summary, *others):
            console.print(Text(f"\n{sentence(title(each), console.width)}", "bold"), soft_wrap=True)
            for text in headlines(each):
                console.print(Text(sentence(text, console.width, hanging="  ")), soft_wrap=True)
            table = _table(each, console.width)
            console.print(Text("\n").append_text(table).append("\n"), soft_wrap=True)
        notes = legend(summary, f"{BEST}, bold")
        if "…" in table.plain:
            notes.append("…: a name without its middle; runs.csv and report.md have it whole.")
        for text in notes:
            console.print(Text(sentence(text, console.width, hanging="  "), "dim"), soft_wrap=True)
        for each in (divided for one in (summary, *others) for divided in one.divided):
            console.print(Text(f"\n{sentence(title(each), console.width)}", "bold"), soft_wrap=True)
            console.print(Text("\n").append_text(_table(each, console.width)).append("\n"), soft_wrap=True)
            for text in each.footnotes:
                console.print(Text(sentence(text, console.width, hanging="  "), "dim"), soft_wrap=True)
    else:
        console.print(Text("No run has finished yet.", "bold"))
    for name, lines in sections(summary).items():
        _print_list(console, name, [missing(summary)] if name == "Missing" else lines)
    if found := sentences(summary, budget):
        console.print(Text(f"\n{sentence(question(summary, budget), console.width)}", "bold"), soft_wrap=True)
        for text in found:
            console.print(Text(sentence(text, console.width, "  ", "    ")), soft_wrap=True)


def _table(summary: Summary, width: int) -> Text:
    rows = summary.shown_rows
    scores = [
        Column(
            dataset,
            _aligned([_marked(summary, row, dataset) for row in rows]),
            frozenset(place for place, row in enumerate(rows) if (row, dataset) in summary.marked),
        )
        for dataset in summary.datasets
    ]
    priced = [Column(heading, [[column[row]] for row in rows]) for heading, column in costs(summary).items()]
    bits = [row.shown_bits for row in rows]
    starts = frozenset(place for place in range(1, len(rows)) if bits[place] != bits[place - 1])
    if len(starts) + 1 == len(rows):  # a line above each row parts nothing
        starts = frozenset()
    return table("quantizer", [summary.short_label(row) for row in rows], [scores, priced], width, starts)


def _marked(summary: Summary, row: Row, dataset: str) -> list[str]:
    """The lines of a cell that a screen has room for, the best with its mark: a pipe shows no bold letters."""
    first, *rest = texts(summary, row, dataset)
    first += BEST * ((row, dataset) in summary.marked)
    return [first, *(part for line in rest for part in line.split(", "))]


def _aligned(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Cells with blanks for the marks that others have, so that points stand below one another."""
    ends = [len(first) - len(first.rstrip(MARKS)) for first, *_ in cells]
    most = max(ends, default=0)
    return [[first + " " * (most - end), *rest] for (first, *rest), end in zip(cells, ends, strict=True)]


def _print_list(console: Console, name: str, lines: Sequence[str]) -> None:
    """Sentences are broken at blanks; files below them stay whole, and lines of files."""
    console.print(Text(f"\n{sentence(name, console.width)}", "bold"), soft_wrap=True)
    for line in lines[:MOST_LISTED]:
        first, *files = line.split("\n")
        if name not in OF_FILES:
            first = sentence(first, console.width, "  ", "    ").lstrip()
        console.print(Text("\n  ".join([f"  {first}", *files])), soft_wrap=True)
    if len(lines) > MOST_LISTED:
        console.print(f"  … and {len(lines) - MOST_LISTED} more", markup=False, highlight=False)
