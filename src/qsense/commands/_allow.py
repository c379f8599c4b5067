"""The option `--allow` of every command that builds from a run's folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def add_allow(parser: argparse.ArgumentParser) -> None:
    """Let a command line name modules of its own, whose classes a run's folder may then name, too."""
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE",
        help="a module of your own whose classes the run was trained with, such as mylab.adc; may be repeated. A run's "
        "folder may name qsense's parts and these: anything else in it is refused before it is imported",
    )  # fmt: skip


def again(allowed: Sequence[str]) -> list[str]:
    """The same words for a command that comes next.

    >>> again(["mylab.adc"])
    ['--allow', 'mylab.adc']
    """
    return [word for module in allowed for word in ("--allow", module)]
