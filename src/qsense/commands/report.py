"""Print and write tables over many runs, a page to look through, the papers' figures.

qsense report runs
qsense report runs --against paper --compare gamma linear --html page
qsense report runs --per condition                of detection: by condition, exposure or size
qsense report runs --serve                        while a study runs
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from rich.console import Console
from rich.text import Text

from qsense.commands._allow import add_allow
from qsense.commands._parser import Parser
from qsense.runs.announcements import not_begun
from qsense.runs.escapes import one_line
from qsense.runs.layout import fixed, sentence, to_stderr
from qsense.runs.next_steps import say_next
from qsense.runs.status import RUNNING
from qsense.study.budget import Budget
from qsense.study.files import write_report
from qsense.study.groups import DIVISIONS, telling_divisions, with_groups
from qsense.study.index import gather
from qsense.study.rows import pairs
from qsense.study.run import ReportError, Run
from qsense.study.screen import print_report
from qsense.study.summary import Summary, summarise, table, with_paper
from qsense.study.writing import UNWRITTEN, NotWrittenError, unusable, write_each


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense report",
        description="Tables over many runs: screen, Markdown, CSV, LaTeX, pictures; and a page to look through them.",
    )
    parser.add_argument(
        "runs", nargs="*", type=Path, metavar="RUNS", help="run folders, or folders of them (default: ./runs)"
    )
    parser.add_argument(
        "--metric", nargs="+", help="which metrics (default: the one that the runs' task monitors, f1_sample in HAR)"
    )
    parser.add_argument(
        "--by", nargs="+", default=(), metavar="KEY",
        help="what makes a row: quant, bits, model, task, data, or any key of the configuration, such as "
        "quant.sensor.gamma or its end (default: quantizer, bits, and whatever else differs)",
    )  # fmt: skip
    parser.add_argument(
        "--per", nargs="+", default=(), choices=DIVISIONS, metavar="PART",
        help="also tables whose columns are parts of a detector's test: frames of each condition (day, night), frames "
        f"of each exposure, or objects of each size ({', '.join(DIVISIONS)})",
    )  # fmt: skip
    parser.add_argument(
        "--against", choices=["paper"], help="the papers' figures beside ours, with the difference in std"
    )
    parser.add_argument(
        "--compare", nargs=2, metavar=("QUANT", "QUANT"),
        help="do two quantizers differ? Wilcoxon's signed-rank test and the bootstrap, paired over folds",
    )  # fmt: skip
    parser.add_argument(
        "--max-loss", type=limit, metavar="POINTS",
        help="which row to take: the cheapest that loses at most this much against unquantized data (default: 1 point)",
    )  # fmt: skip
    parser.add_argument("--max-uw", type=limit, metavar="µW", help="and whose radio and ADC take at most this power")
    parser.add_argument("--max-bits-s", type=limit, metavar="BITS", help="and that sends at most so many bits/s")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a cell or a run is incomplete")
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder for the files (default: ./report)")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write OUT/index.html instead, a page of its own")
    parser.add_argument(
        "--serve", action="store_true",
        help="write the page (default: ./page) and serve it on this machine, anew as runs finish, until Ctrl-C",
    )  # fmt: skip
    parser.add_argument("--port", type=port, help="of --serve (default: the first free one from 8765 on)")
    parser.add_argument("--figure", metavar="NAME", help="draw a paper's figure instead: gamma_quant/4; list: which")
    add_allow(parser)
    return parser


def port(text: str) -> int:
    """A port's number."""
    if not text.isdecimal() or not int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"'{text}' must be a port, 0 to {(1 << 16) - 1}")
    return int(text)


def limit(text: str) -> float:
    """A limit of a budget, from 0 on.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text}: a number from 0 on expected")
    return value


def budget_of(options: argparse.Namespace) -> Budget | None:
    """The budget that was asked for; with a limit on power or rate alone the best row within it, whatever it loses."""
    limits = options.max_loss, options.max_uw, options.max_bits_s
    return None if limits == (None, None, None) else Budget(*limits)


def main(arguments: Sequence[str]) -> int:
    """Print and write the report; 0 if a run is finished (with --strict: if all are), else 1; `UNWRITTEN` if a file of
    it could not be written."""
    options = parser().parse_args(arguments)
    if options.serve and options.figure:
        raise ReportError("--serve shows the page, and --figure draws one figure: give one of both")
    if options.port is not None and not options.serve:
        raise ReportError(f"--port {options.port}: it is --serve's: give that, too")
    if options.serve and options.html is None:
        options.html = Path("page")
    paths = options.runs or [Path("runs")]
    console = Console()
    if options.figure == "list":
        return list_figures(paths, console)
    as_page = options.html is not None and not options.figure
    out: Path = options.html if as_page else options.out
    option = "--html" if as_page else "--out"
    shown = one_line(str(out))
    if reason := unusable(out):  # before thousands of runs are read
        raise ReportError(f"no report can be written to {shown} ({reason}): give a folder, {option} FOLDER")
    if options.figure:
        return draw_figure(options.figure, paths, out, console, options.allow)
    every = asked_for(options, paths)
    summary, *others = every
    budget = budget_of(options)
    print_report(summary, console, others, budget)
    problem = ""
    try:
        written = page(every, out, budget) if as_page else write_report(summary, out, others, budget)
    except NotWrittenError as error:
        written, problem = list(error.written), str(error)
    if written:
        names = ", ".join(file.name for file in written)
        text = f"Written to {fixed(shown)}{os.sep}: {names}"
        console.print(Text(f"\n{sentence(text, console.width, hanging='  ')}"), soft_wrap=True)
    if problem:
        message = f"warning: {shown}: {problem}; the tables above are whole. Elsewhere: {option} FOLDER"
        to_stderr(message)
        return UNWRITTEN
    if options.serve:
        return serve(options, paths, out, every)
    if options.strict and not all(each.complete for each in every):
        print("error: --strict: not complete, see Missing and Not finished above", file=sys.stderr)
        return 1
    if summary.rows:
        say_what_next(options, paths, summary)
    return 0 if summary.rows else 1


def asked_for(options: argparse.Namespace, paths: Sequence[Path]) -> list[Summary]:
    """The tables that a command line asks for."""
    every = tables(paths, options.metric or [None], options.by, options.against is not None, options.compare)
    return with_groups(every, options.per) if options.per else every


def serve(options: argparse.Namespace, paths: Sequence[Path], out: Path, every: Sequence[Summary]) -> int:
    """Show the page on this machine, written anew whenever a run of it has changed, until Ctrl-C."""
    from qsense.study.serving import keep_serving, open_server

    def state(runs: Sequence[Run]) -> object:
        return runs, [not_begun(folder) for folder in sorted({run.folder.parent for run in runs})]

    shown = state(every[0].runs)

    def update() -> bool:
        nonlocal shown
        if (now := state(gather(paths))) == shown:
            return False
        page(asked_for(options, paths), out, budget_of(options))
        shown = now
        return True

    server = open_server(out, options.port)
    print(f"\nServing {server.address} while this command runs; Ctrl-C ends it", flush=True)
    keep_serving(server, update)
    return 0


def say_what_next(options: argparse.Namespace, paths: Sequence[Path], summary: Summary) -> None:
    """What the same runs can still tell."""
    same = ["report", *paths, *(["--metric", *options.metric] if options.metric else [])]
    steps: list[tuple[Sequence[object], str]] = []
    if any(run.status == RUNNING for run in summary.runs):
        steps.append(([*same, "--serve"], "the page, written anew as runs finish"))
    if not options.html:
        steps.append(([*same, "--html", "page"], "one page to look through"))
    if not options.compare and (comparable := first_comparable(summary)):
        steps.append(([*same, "--compare", *comparable], "do they differ? paired over folds"))
    if not options.per and (divisions := telling_divisions(summary.runs)):
        steps.append(([*same, "--per", *divisions], "by parts of the test: where is it lost?"))
    steps.append((("report", *paths, "--figure", "list"), "the papers' figures that runs can draw"))
    say_next(*steps)


def first_comparable(summary: Summary) -> tuple[str, str] | None:
    """Two quantizers that were tried alike on some data set, with a fold in common; None without any."""
    for one, other in combinations(dict.fromkeys(row.quant for row in summary.rows), 2):
        for first, second in pairs(summary.rows, one, other):
            if first.shown_bits != second.shown_bits:
                continue
            for dataset in summary.datasets:
                cells = [summary.cells.get((row, dataset)) for row in (first, second)]
                if all(cells) and set.intersection(*({*cell.scores} for cell in cells if cell)):
                    return one, other
    return None


def tables(
    paths: Sequence[Path],
    metrics: Sequence[str | None],
    by: Sequence[str] = (),
    paper: bool = False,
    pair: Sequence[str] | None = None,
) -> list[Summary]:
    """One summary per metric over the same runs, with what else was asked for.

    Raises:
        ReportError: as `summarise`, or as `compare` where two quantizers cannot be compared.
    """
    first = summarise(paths, metrics[0], by)
    every = [first, *(table(first.runs, metric, by) for metric in metrics[1:])]
    if paper:
        every = [with_paper(each) for each in every]
    if pair:
        from qsense.study.significance import answer, compare

        one, other = pair
        comparisons = {
            f"{one} against {other}, {each.metric}": answer(compare(each, one, other), each.metric) for each in every
        }
        every[0] = replace(every[0], comparisons=comparisons)
    return every


def page(every: Sequence[Summary], out: Path, budget: Budget | None = None) -> list[Path]:
    """Write the study page, and beside it a page for each run.

    Raises:
        NotWrittenError: one of both cannot be.
    """
    from qsense.study.page import PAGE, write_page
    from qsense.study.run_pages import FOLDER, addresses, write_run_pages

    runs = every[0].runs
    return write_each(
        {
            out / PAGE: lambda _: write_page(every, out, addresses(runs), budget),
            out / FOLDER: lambda _: write_run_pages(runs, out),
        }
    )


def list_figures(paths: Sequence[Path], console: Console) -> int:
    """List the papers' figures that can be drawn from runs."""
    from qsense.study.figures import FIGURES

    for each in FIGURES.values():
        console.print(Text(f"{each.name:16}  {each.shows}"), soft_wrap=True)
    say_next((("report", *paths, "--figure", next(iter(FIGURES))), "draw the first of them"))
    return 0


def draw_figure(name: str, paths: Sequence[Path], out: Path, console: Console, allow: Sequence[str] = ()) -> int:
    """Draw a figure of the papers from finished runs."""
    from qsense.study.figures import draw

    problem = ""
    try:
        written = draw(name, gather(paths), out, allow)
    except NotWrittenError as error:
        if not error.written:
            raise
        written, problem = list(error.written), str(error)
    for file in written:
        console.print(Text(f"Written: {one_line(str(file))}"), soft_wrap=True)
    if problem:
        to_stderr(f"warning: {problem}")
        return UNWRITTEN
    say_next((("report", *paths, "--html", "page"), "one page to look through"))
    return 0
