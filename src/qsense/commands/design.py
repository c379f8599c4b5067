"""Find the cheapest converter that loses little on your data.

qsense design data=sbhar max_loss=1 max_uW=20 bits=1,2,3,4 hours=1
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence

from qsense.commands._parser import Parser
from qsense.design.request import BITS, KEEP, OWN, read
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.completion import OverridesCompleter
from qsense.runs.escapes import one_line
from qsense.runs.layout import in_lines, to_stderr
from qsense.runs.next_steps import say_next
from qsense.study.writing import UNWRITTEN, NotWrittenError

RESERVE_S = 30.0  # of the hours are kept for the answer's files

DESCRIPTION = f"""Finds the converter of fewest bits for a data set that loses little against
unquantized samples. A network is trained once on unquantized samples of each
fold and tested behind every converter of conf/quant/sensor (screening); the
promising ones are trained by successive halving over folds, fewest bits first;
the winner is trained again with fresh seeds. Runs are ordinary ones: finished
ones are used, and the same command goes on after a stop. On further machines
that share the folders the same command shares the work. Any override of
`qsense train` may follow.

  max_loss=1         points that may be lost (default: 1; with max_uW alone: the
                     least loss is looked for)
  max_uW=20          most power of radio and converter, in µW by the model of
                     conf/sensing (default: no limit)
  bits=1,2,3,4       numbers of bits to try (default: {",".join(map(str, BITS))})
  hours=1            give the best answer so far after so many hours (default:
                     when the search has ended)
  quant=dpcm,log     converters to choose from (default: all that fit the data)
  keep={KEEP}             how many of each number of bits are trained, the best of
                     the screening (default: {KEEP})
  workers=2          runs side by side, one core each (default: all cores)
  out=design         folder for design.md, design.json, pareto.png, index.html,
                     export/, design.log (default: ./design)
  dry_run=true       only say what it would do, and how long that takes"""


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(prog="qsense design", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = parser.add_argument("words", nargs="*", metavar="key=value", help="of the design, or as of `qsense train`")
    words.completer = OverridesCompleter(OWN)  # type: ignore[attr-defined]
    return parser


def main(given: Sequence[str]) -> int:
    """Search, answer, write; returns 0 with a recommendation, 1 without, `UNWRITTEN` if a file could not be written."""
    began = time.time()
    arguments = parser().parse_args(given).words
    request = read(arguments)

    from qsense.design.plan import plan_design

    design = plan_design(request)

    from qsense.design.estimate import describe
    from qsense.design.files import NUMBERS, answer_on_file
    from qsense.design.recommendation import headline, left_out, recommend, trust

    if request.dry_run:
        say(describe(design, measure=True))
        say_next(
            (
                ("design", *(entry for entry in arguments if key_of(entry).removeprefix("run.") != "dry_run")),
                "find the converter",
            )
        )
        return 0
    if (record := answer_on_file(design)) is not None:
        tell(record["headline"], record["trust"], record["others"])
        before = f"Written before to {one_line(str(request.out))}"
        print(in_lines(f"\n{before}; without {NUMBERS} there, all files are written again"))
        return 0 if record["winner"] else 1
    found = recommend(design)
    if not found.finished:
        from qsense.design.crew import train_all

        say(describe(design, measure=request.hours is not None))
        deadline = None if request.hours is None else began + max(3600 * request.hours - RESERVE_S, 1.0)
        train_all(design, arguments, deadline)
        found = recommend(design)
    tell(headline(found), trust(found), left_out(found))
    return write(found)


def tell(first: Sequence[str], behind: Sequence[str], others: Sequence[str]) -> None:
    """Print the answer, what stands behind it, and what was left out."""
    say(["", *first, "", *behind, "", "The others:", *(f"- {line}" for line in others)])


def say(lines: Iterable[str]) -> None:
    """Print lines at once, the long ones broken between words to the width of the screen."""
    for line in lines:
        print(in_lines(one_line(line)), flush=True)


def write(found: object) -> int:
    """Write the answer's files, and say which; see `main` for what is returned."""
    from qsense.design.files import export_winner, runs, write_answer
    from qsense.design.recommendation import Recommendation

    assert isinstance(found, Recommendation)
    out, problem, exported = found.design.request.out, "", None
    try:
        written = write_answer(found)
    except NotWrittenError as error:
        written, problem = list(error.written), str(error)
    try:
        exported = export_winner(found)
    except (OSError, ValueError) as error:
        problem = "; ".join(filter(None, [problem, f"export: {error}"]))
    names = [file.name for file in written] + ["export/"] * (exported is not None)
    print(in_lines(f"\nWritten to {one_line(str(out))}: {', '.join(names)}"))
    if not found.finished:
        why = "a process ended before its work was done" if found.design.request.hours is None else "the time is over"
        print(f"Not finished: {why}; the same command goes on.", file=sys.stderr)
    if problem:
        to_stderr(f"warning: {problem}")
        return UNWRITTEN
    if begun := runs(found.design):
        say_next((("report", begun[0].parent), "all these runs in a table"))
    return 0 if found.winner is not None else 1
