"""Train one run, or with -m a sweep of them: the same as `python -m qsense.train`."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence

from qsense.commands._parser import Parser
from qsense.experiment.completion import OverridesCompleter


def parser() -> argparse.ArgumentParser:
    """The arguments, for completion alone: Hydra reads them."""
    parser = Parser(prog="qsense train", add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="all groups, their options, and keys")
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of several values")
    parser.add_argument("--cfg", choices=("job", "hydra", "all"), help="show the configuration")
    parser.add_argument("--config-dir", help="another folder of YAML files")
    overrides = parser.add_argument("overrides", nargs=argparse.REMAINDER, metavar="key=value")
    overrides.completer = OverridesCompleter()  # type: ignore[attr-defined]
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the module under its own name, by which launchers and Lightning's ddp start it again; it exits by itself."""
    sys.argv[1:] = arguments
    runpy.run_module("qsense.train", run_name="__main__", alter_sys=True)
    return 0
