"""Test a finished run again, and say whether the result is the recorded one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qsense.commands._allow import add_allow
from qsense.runs.escapes import one_line


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        prog="qsense evaluate", description="Rebuild a finished run from its own configuration and test it again."
    )
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    parser.add_argument("--accelerator", default="cpu", help="cpu (default), gpu, …")
    add_allow(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print each metric then and now; returns 1 where they differ."""
    options = parser().parse_args(arguments)

    from qsense.experiment.load import load
    from qsense.runs.result import plain
    from qsense.study.run import quantizer_name

    run = load(options.run, options.root, options.accelerator, options.allow)
    then, now = run.result, plain(run.evaluate())
    quantizer = quantizer_name(str(then["quant"]), then.get("bits"), then.get("network_bits"))
    print(one_line(f"{then['dataset']} · {quantizer} · fold {then['fold']} · seed {then['seed']}"))
    print(f"{'metric':<20}{'recorded':>14}{'now':>14}")
    for name, value in then["metrics"].items():
        print(f"{one_line(name):<20}" + "".join(f"{_text(score):>14}" for score in (value, now["metrics"].get(name))))
    same = all(now[part] == then.get(part) for part in now)
    if same:
        print("reproduced exactly")
    else:
        print(
            "not reproduced exactly: other hardware, thread count, library version, or data than the run had",
            file=sys.stderr,
        )
    run.say_next()
    return 0 if same else 1


def _text(score: float | None) -> str:
    return "no value" if score is None else f"{score:.6f}"
