"""Train a learned quantizer beside a grid of fixed curves: does learning find the best?

qsense audit data=sbhar bits=2 quant=gamma gammas=0.2,0.3,0.4,0.6,1 mus=-0.1,0,0.1 baselines=linear,log
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from qsense.commands._parser import Parser
from qsense.experiment.command_line.habits import understood
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.command_line.own_keys import divide
from qsense.experiment.completion import OverridesCompleter
from qsense.experiment.errors import ConfigError
from qsense.runs.escapes import one_line
from qsense.runs.layout import in_lines, to_stderr
from qsense.runs.next_steps import say_next
from qsense.runs.words import entries
from qsense.study.audit.plan import EXAMPLES, GAMMAS, MUS, Options, collect, describe, plan_audit, train
from qsense.study.writing import UNWRITTEN, NotWrittenError, unusable

OWN = ("gammas", "mus", "baselines", "gradients", "out", "dry_run")

DESCRIPTION = f"""Trains a learned sensor quantizer (quant=…, any override; several values make
several of them) beside a grid of fixed γ curves, over every fold and seed of
`qsense.train … -m`, and says whether learning reached the grid's best within
the noise of seeds. Then compares the gradients of every estimator
(quant.sensor.surrogate) with finite differences of the loss of a trained
network. Runs are ordinary ones: finished ones are used, interrupted ones
resumed.

  gammas=0.2,0.4,…   exponents of the fixed curves
                     (default: {",".join(f"{gamma:g}" for gamma in GAMMAS)})
  mus=-0.1,0,0.1     their centres, for signed signals (default: {",".join(f"{mu:g}" for mu in MUS)})
  baselines=linear,log  quantizers to show beside them (default: none)
  gradients={EXAMPLES}     examples for the comparison of gradients; 0: none
                     (default: {EXAMPLES})
  out=audit          folder for audit.md, audit.csv, audit.json, audit.png,
                     gradients.png (default: ./audit)
  dry_run=true       only say what is finished, what would run, and how long it
                     may take"""


def options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        ConfigError: an argument that is no key=value, or a value that its key does not allow.
    """
    given, overrides = divide(arguments, OWN, "an audit")
    gammas = _numbers(given, "gammas", "exponents of fixed curves, positive numbers as in gammas=0.2,0.4,0.7", 0.0)
    mus = _numbers(given, "mus", "centres of fixed curves, numbers from -1 to 1 as in mus=-0.1,0,0.1", -1.0, 1.0)
    examples = given.get("gradients", str(EXAMPLES))
    if not examples.isdecimal():
        raise ConfigError(f"gradients={examples}: a number of examples, 0 for no comparison of gradients")
    dry_run = given.get("dry_run", "false").lower()
    if dry_run not in ("true", "false"):
        raise ConfigError(f"dry_run={given['dry_run']}: dry_run must be true or false")
    return Options(
        gammas or GAMMAS,
        mus,
        tuple(entries(given.get("baselines", ""))),
        int(examples),
        Path(given.get("out") or "audit"),
        dry_run == "true",
        tuple(understood(overrides, multirun=True)),
    )


def _numbers(
    given: Mapping[str, str], key: str, what: str, low: float, high: float = float("inf")
) -> tuple[float, ...] | None:
    if key not in given:
        return None
    try:
        numbers = tuple(float(text) for text in entries(given[key]))
    except ValueError:
        numbers = ()
    if not numbers or not all(low <= number <= high and (key == "mus" or 0 < number < high) for number in numbers):
        raise ConfigError(f"{key}={given[key]}: {what}")
    return tuple(dict.fromkeys(numbers))


def audit(arguments: Sequence[str]) -> int:
    """Train, compare, write; returns 0 once every run is finished, else 1; `UNWRITTEN` if a file could not be written.

    Raises:
        ConfigError: it cannot be done; nothing was started.
    """
    asked = options(arguments)
    if reason := unusable(asked.out):  # before anything is trained
        raise ConfigError(f"out={one_line(str(asked.out))}: no file can be written there ({reason}); give a folder")
    groups = plan_audit(asked)
    print(describe(groups))
    if asked.dry_run:
        say_next(
            (
                ("audit", *(entry for entry in arguments if key_of(entry).removeprefix("run.") != "dry_run")),
                "train and compare them",
            )
        )
        return 0
    sound = train(groups)
    found = collect(groups)

    from qsense.study.audit.audited import compare, lines, with_slopes
    from qsense.study.audit.files import write_audit

    audited = compare(found)
    if asked.gradients:
        audited = with_slopes(audited, asked.gradients, groups[0].parts)
    print("\n".join(lines(audited)))
    problem = ""
    try:
        written = write_audit(audited, asked.out)
    except NotWrittenError as error:
        written, problem = list(error.written), str(error)
    if written:
        print(in_lines(f"\nWritten to {one_line(str(asked.out))}: {', '.join(file.name for file in written)}"))
    if not sound:
        print("error: not every run is finished; the same command runs only those again", file=sys.stderr)
    if problem:
        to_stderr(f"warning: {problem}; what is above is whole. Elsewhere: out=FOLDER")
        return UNWRITTEN
    runs = next(iter(groups[0].folders.values())).parent
    say_next((("report", runs, "--html", "page"), "all these runs on a page"))
    return 0 if sound else 1


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(prog="qsense audit", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = parser.add_argument("words", nargs="*", metavar="key=value", help="of the audit, or as of `qsense train`")
    words.completer = OverridesCompleter(OWN)  # type: ignore[attr-defined]
    return parser


def main(arguments: Sequence[str]) -> int:
    """Audit one quantizer."""
    return audit(parser().parse_args(arguments).words)
