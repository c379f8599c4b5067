"""A summary as text: Markdown, LaTeX, and CSV of its cells and of its runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from qsense.runs.escapes import csv_cell, latex, markdown, one_line
from qsense.runs.layout import FIXED
from qsense.study.answers import question, sentences
from qsense.study.budget import Budget
from qsense.study.costs import axes
from qsense.study.rows import Row
from qsense.study.run import varying
from qsense.study.screen import (
    INCOMPARABLE,
    INCOMPLETE,
    costs,
    headlines,
    legend,
    marks,
    score,
    sections,
    texts,
    title,
)  # fmt: skip
from qsense.study.summary import Summary

COMMENTS = ("Runs of", "In every row", "Bold", INCOMPLETE, INCOMPARABLE)  # what a LaTeX table says of itself


def markdown_report(every: Sequence[Summary], budget: Budget | None = None) -> str:
    """The tables, what they mean, the lists below them, and which row a budget asks for."""
    summary = every[0]
    lines = []
    for name, items in summary.comparisons.items():
        lines += [f"# {markdown(name)}", "", *(f"- {_item(item)}" for item in items), ""]
    for each in every if summary.rows else every[:1]:
        lines += [f"# {markdown(title(each))}", "", *(f"- {_item(text)}" for text in headlines(each))]
        lines += [""] * bool(headlines(each))
        if each.rows:
            lines += [*_markdown_table(each), ""]
    if summary.rows:
        lines += [_escaped(" ".join(legend(summary))), ""]
        for each in (divided for one in every for divided in one.divided):
            lines += [f"# {markdown(title(each))}", "", *_markdown_table(each), "", *map(_item, each.footnotes), ""]
        lines += ["![scores](scores.png)", ""] if summary.cells else []
        for cost in axes(cell.cost for cell in summary.cells.values()):
            lines += [f"![score against {cost.name}]({cost.picture})", ""] * bool(cost.picture)
    else:
        lines += ["No run has finished yet.", ""]
    for name, items in sections(summary).items():
        lines += [f"## {markdown(name)}", "", *(f"- {_item(item)}" for item in items), ""]
    if found := sentences(summary, budget):
        lines += [f"## {markdown(question(summary, budget))}", "", *(f"- {_item(item)}" for item in found), ""]
    return "\n".join(lines)


def _markdown_table(summary: Summary) -> list[str]:
    columns = costs(summary)
    headings = [*map(markdown, summary.datasets), *columns]
    lines = ["| quantizer | " + " | ".join(headings) + " |", "|---|" + "---:|" * len(headings)]
    for row in summary.shown_rows:
        cells = [_markdown_cell(summary, row, dataset) for dataset in summary.datasets]
        cells += [column[row] for column in columns.values()]
        lines.append(f"| {markdown(summary.label(row))} | " + " | ".join(cells) + " |")
    return lines


def _markdown_cell(summary: Summary, row: Row, dataset: str) -> str:
    first, *rest = map(_escaped, texts(summary, row, dataset))
    return "<br>".join([f"**{first}**" if (row, dataset) in summary.marked else first, *rest])


def _escaped(text: str) -> str:
    """Words of our own, without a name in them."""
    return text.replace("*", "\\*")


def _item(text: str) -> str:
    """An entry of a list, whose second line says where."""
    return "\n  ".join(markdown(line.strip()) for line in text.replace(FIXED, " ").split("\n"))


def latex_table(summary: Summary) -> str:
    """A booktabs table, the best in bold; marks as superscripts; the paper's figure below ours. A comment above it says
    what marks mean, and what all rows have in common."""
    columns = costs(summary)
    bits = {
        heading: [getattr(row, key) for row in summary.shown_rows]
        for heading, key in (("Bits", "bits"), ("Network bits", "network_bits"))
        if any(getattr(row, key) is not None for row in summary.rows)
    }
    lines = [
        f"% {title(summary)}",
        *(f"% {one_line(line)}" for line in legend(summary) if line.startswith(COMMENTS)),
        *(f"% {one_line(line.replace(FIXED, ' '))}" for line in summary.footnotes),
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "c" * (len(bits) + len(summary.datasets) + len(columns)) + "}",
        "\\toprule",
        " & ".join(["Quantizer", *bits, *map(latex, (*summary.datasets, *columns))]) + " \\\\",
        "\\midrule",
    ]
    before: Row | None = None
    for place, row in enumerate(summary.shown_rows):
        if before is not None and before.shown_bits != row.shown_bits:
            lines.append("\\midrule")
        before = row
        name = name_with(summary, row, row.quant)
        cells = [_latex_cell(summary, row, dataset) for dataset in summary.datasets]
        cells += [column[row].replace("–", "--") for column in columns.values()]
        numbers = ["--" if column[place] is None else str(column[place]) for column in bits.values()]
        lines.append(" & ".join([latex(name), *numbers, *cells]) + " \\\\")
        papers = [summary.published.get((row, dataset)) for dataset in summary.datasets]
        if any(papers):
            small = ["" if beside is None else f"\\small paper {beside.published.mean:.2f}" for beside in papers]
            lines.append(" & ".join(["", *[""] * len(bits), *small, *[""] * len(columns)]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_cell(summary: Summary, row: Row, dataset: str) -> str:
    cell = summary.shown.get((row, dataset))
    if cell is None:
        return "--"
    if (like := summary.rivals.get(row)) is not None:
        return latex(f"as {like.quant}")
    number = score(summary, cell, " \\pm ")
    number = f"\\mathbf{{{number}}}" if (row, dataset) in summary.marked else number
    power = marks(cell).replace(INCOMPARABLE, "\\dagger")
    return f"${number}" + (f"^{{{power}}}" if power else "") + "$"


def name_with(summary: Summary, row: Row, quantizer: str) -> str:
    """A row's label with another name of its quantizer, as where its bits stand in a column or on an axis."""
    return summary.label(row).replace(row.name, quantizer, 1) if row.quant else summary.label(row)


def cells_csv(every: Sequence[Summary]) -> str:
    """A line for each cell of each table; a score that is no finite number is left empty.

    Data that is sent without loss has no line, as no run stands for it: its costs are columns of the unquantized rows,
    `lossless_…`.
    """
    import pandas as pd  # here, so that --help need not wait for it

    def lines() -> Iterator[dict[str, object]]:
        for summary in (table for each in every for table in (each, *each.divided)):
            scale = 100 if summary.percent else 1
            cells = {**summary.cells, **summary.blank}
            for (row, dataset), cell in cells.items():
                beside = summary.published.get((row, dataset))
                paper = {
                    "paper": beside and beside.published.mean,
                    "paper_std": beside and beside.published.std,
                    "difference": beside and beside.difference,
                    "difference_in_std": beside and beside.in_std,
                    "differs": beside and "; ".join(beside.differs),
                    "source": beside and beside.published.source,
                }
                yield _line(
                    {
                        "quant": row.quant,
                        "bits": row.bits,
                        "network_bits": row.network_bits,
                        "settings": ", ".join(f"{key}={value}" for key, value in row.settings),
                        "task": row.task,
                        "model": row.model,
                        **summary.csv_columns(dataset),
                        "metric": summary.metric,
                        "mean": scale * cell.mean if cell.scores else None,
                        "std": None if cell.std is None else scale * cell.std,
                        "unit": "%" if summary.percent else "",
                        "seeds": len(cell.folds),
                        "runs": len(cell.scores),
                        "expected": cell.expected,
                        "complete": cell.complete,
                        "comparable": cell.comparable,
                        "missing": cell.missing,
                        **cell.cost,
                        **(paper if summary.published else {}),
                    }
                )

    return pd.DataFrame(lines()).astype({"bits": "Int64", "network_bits": "Int64"}).to_csv(index=False)


def _line(own: Mapping[str, object], *more: Mapping[str, object]) -> dict[str, object]:
    """A line of a CSV file: columns of our own, and what others have named, in no column of ours."""
    line = {key: csv_cell(value) if isinstance(value, str) else value for key, value in own.items()}
    for values in more:
        for key, value in values.items():
            name = csv_cell(key)
            name = f"{name} (of the run)" if name in own else name
            line[name] = csv_cell(value) if isinstance(value, str) and not _is_number(value) else value
    return line


def _is_number(text: str) -> bool:
    """Whether a cell that begins with a sign is no formula."""
    return bool(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?( [-+]?[\d.]+(e[-+]?\d+)?)*", text))


def runs_csv(summary: Summary) -> str:
    """A line for each run."""
    import pandas as pd

    shown = sorted(varying(summary.runs))
    return (
        pd.DataFrame(
            _line(
                {
                    "folder": run.path,
                    "status": run.status,
                    "reason": run.reason,
                    "task": run.task,
                    "quant": run.quant,
                    "bits": run.bits,
                    "network_bits": run.network_bits,
                    "model": run.model,
                    "dataset": run.dataset,
                    "seed": run.seed,
                    "fold": run.fold,
                    "seconds": run.seconds,
                },
                {key: run.settings.get(key) for key in shown},
                dict.fromkeys(name.removeprefix("learned ") for name in run.not_finite),
                run.metrics,
                run.cost,
                {name: " ".join(map(repr, values)) for name, values in run.learned.items()},
            )
            for run in summary.runs
        )
        .astype({"bits": "Int64", "network_bits": "Int64"})
        .to_csv(index=False)
    )
