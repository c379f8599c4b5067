"""A summary as files: Markdown, CSV, LaTeX and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from qsense.runs.folder import write_atomically
from qsense.runs.words import lower_is_better
from qsense.study.costs import Axis, axes
from qsense.study.rows import Row
from qsense.study.run import varying
from qsense.study.screen import INCOMPARABLE, INCOMPLETE, axis, costs, legend, marks, score, sections, texts, title
from qsense.study.summary import Summary


def write_report(summary: Summary, out: Path, others: Sequence[Summary] = ()) -> list[Path]:
    """Write report.md, report.csv (one line per cell), runs.csv (one per run), report.tex and scores.png into `out`;
    and tradeoff*.png, score against each cost that runs know of.

    Scores in report.csv are in the unit that its column `unit` states (percent, like the papers' tables); those in
    runs.csv are as measured. Without a finished run only runs.csv and report.md are written.

    Args:
        summary: of the first metric, which the pictures show.
        out: a folder, made if it is not there.
        others: of further metrics over the same runs: tables more in report.md, report.tex and report.csv.
    """
    every = (summary, *others)
    contents = {"report.md": _markdown(every), "runs.csv": _runs_csv(summary)}
    if summary.cells:
        contents |= {"report.csv": _cells_csv(every), "report.tex": "\n".join(map(_latex, every))}
    for name, text in contents.items():
        write_atomically(out / name, text)
    written = [out / name for name in contents]
    if summary.cells:
        scores_png(summary, out / "scores.png")
        written.append(out / "scores.png")
    for cost in _axes(summary):
        _tradeoff_png(summary, cost, out / cost.picture)
        written.append(out / cost.picture)
    return written


def _axes(summary: Summary) -> list[Axis]:
    return axes(cell.cost for cell in summary.cells.values())


def _markdown(every: Sequence[Summary]) -> str:
    summary = every[0]
    lines = []
    for each in every if summary.cells else every[:1]:
        lines += [f"# {title(each)}", ""]
        if each.cells:
            lines += [*_markdown_table(each), ""]
    if summary.cells:
        lines += [_escaped(" ".join(legend(summary))), "", "![scores](scores.png)", ""]
        for cost in _axes(summary):
            lines += [f"![score against {cost.name}]({cost.picture})", ""]
    else:
        lines += ["No run has finished yet.", ""]
    for name, items in sections(summary).items():
        lines += [f"## {name}", "", *(f"- {item}".replace("\n", "\n  ") for item in items), ""]
    return "\n".join(lines)


def _markdown_table(summary: Summary) -> list[str]:
    columns = costs(summary)
    headings = [*map(_cell_text, summary.datasets), *columns]
    lines = ["| quantizer | " + " | ".join(headings) + " |", "|---|" + "---:|" * len(headings)]
    for row in summary.rows:
        cells = ["<br>".join(map(_escaped, texts(summary, row, dataset))) for dataset in summary.datasets]
        cells += [column[row] for column in columns.values()]
        lines.append(f"| {_cell_text(summary.label(row))} | " + " | ".join(cells) + " |")
    return lines


def _escaped(text: str) -> str:
    return text.replace("*", "\\*")


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|")


def _latex(summary: Summary) -> str:
    """A booktabs table; marks as superscripts, what they mean in the comment above; the paper's figure below ours."""
    columns = costs(summary)
    bits = {
        heading: [getattr(row, key) for row in summary.rows]
        for heading, key in (("Bits", "bits"), ("Network bits", "network_bits"))
        if any(getattr(row, key) is not None for row in summary.rows)
    }
    lines = [
        f"% {title(summary)}",
        *(f"% {line}" for line in legend(summary) if line[0] in INCOMPLETE + INCOMPARABLE),
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "c" * (len(bits) + len(summary.datasets) + len(columns)) + "}",
        "\\toprule",
        " & ".join(["Quantizer", *bits, *map(_tex, (*summary.datasets, *columns))]) + " \\\\",
        "\\midrule",
    ]
    before: Row | None = None
    for place, row in enumerate(summary.rows):
        if before is not None and before.shown_bits != row.shown_bits:
            lines.append("\\midrule")
        before = row
        name = _name_with(summary, row, row.quant)
        cells = [_latex_cell(summary, row, dataset) for dataset in summary.datasets]
        cells += [column[row].replace("–", "--") for column in columns.values()]
        numbers = ["--" if column[place] is None else str(column[place]) for column in bits.values()]
        lines.append(" & ".join([_tex(name), *numbers, *cells]) + " \\\\")
        papers = [summary.published.get((row, dataset)) for dataset in summary.datasets]
        if any(papers):
            small = ["" if beside is None else f"\\small paper {beside.published.mean:.2f}" for beside in papers]
            lines.append(" & ".join(["", *[""] * len(bits), *small, *[""] * len(columns)]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_cell(summary: Summary, row: Row, dataset: str) -> str:
    cell = summary.cells.get((row, dataset))
    if cell is None:
        return "--"
    power = marks(cell).replace(INCOMPARABLE, "\\dagger")
    return "$" + score(summary, cell, " \\pm ") + (f"^{{{power}}}" if power else "") + "$"


def _name_with(summary: Summary, row: Row, quantizer: str) -> str:
    """A row's label with another name of its quantizer, as where its bits stand in a column or on an axis."""
    return summary.label(row).replace(row.name, quantizer, 1) if row.quant else summary.label(row)


def _tex(text: str) -> str:
    """
    >>> _tex("gamma_per_axis · lr=1 %")
    'gamma\\\\_per\\\\_axis $\\\\cdot$ lr=1 \\\\%'
    """
    special = {**{c: f"\\{c}" for c in "_%&#${}"}, "\\": "\\textbackslash{}", "~": "\\textasciitilde{}"}
    special |= {"^": "\\textasciicircum{}", "·": "$\\cdot$", "µ": "$\\mu$"}
    return "".join(special.get(c, c) for c in text)


def _cells_csv(every: Sequence[Summary]) -> str:
    import pandas as pd  # here, so that --help need not wait for it

    def lines() -> Iterator[dict[str, object]]:
        for summary in every:
            scale = 100 if summary.percent else 1
            for (row, dataset), cell in summary.cells.items():
                beside = summary.published.get((row, dataset))
                paper = {
                    "paper": beside and beside.published.mean,
                    "paper_std": beside and beside.published.std,
                    "difference": beside and beside.difference,
                    "difference_in_std": beside and beside.in_std,
                    "differs": beside and "; ".join(beside.differs),
                    "source": beside and beside.published.source,
                }
                yield {
                    "quant": row.quant,
                    "bits": row.bits,
                    "network_bits": row.network_bits,
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
                    **(paper if summary.published else {}),
                }

    return pd.DataFrame(lines()).astype({"bits": "Int64", "network_bits": "Int64"}).to_csv(index=False)


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
                "network_bits": run.network_bits,
                "model": run.model,
                "dataset": run.dataset,
                "seed": run.seed,
                "fold": run.fold,
                "seconds": run.seconds,
                **{key: run.settings.get(key) for key in shown},
                **run.metrics,
                **run.cost,
                **{name: " ".join(map(repr, values)) for name, values in run.learned.items()},
            }
            for run in summary.runs
        )
        .astype({"bits": "Int64", "network_bits": "Int64"})
        .to_csv(index=False)
    )


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
            name = _name_with(summary, replace(row, settings=own), row.line)
            panel = dataset
            if len(models) > 1:  # a panel for each keeps the lines few
                panel, name = f"{dataset}, {row.model}", name.replace(f" · model={row.model}", "", 1)
            std = None if cell.std is None else scale * cell.std
            yield Score(panel, name, row.shown_bits, scale * cell.mean, std, cell.complete and cell.comparable)

    save(plot_scores(list(points()), axis(summary), heading), path)


def _tradeoff_png(summary: Summary, cost: Axis, path: Path) -> None:
    from qsense.plots.style import save
    from qsense.plots.tradeoff import Point, plot_tradeoff

    def points() -> Iterator[Point]:
        scale = 100 if summary.percent else 1
        for (row, dataset), cell in summary.cells.items():
            if cell.cost.get(cost.key, 0) > 0:
                std = None if cell.std is None else scale * cell.std
                at = cell.cost[cost.key] / cost.unit
                name = _name_with(summary, row, row.line)
                yield Point(
                    dataset, name, row.shown_bits_name, at, scale * cell.mean, std, cell.complete, cell.comparable
                )

    save(plot_tradeoff(list(points()), axis(summary), cost.label, less=lower_is_better(summary.metric)), path)
