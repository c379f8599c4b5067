"""Completion of `key=value` words on a command line, by Hydra's own: groups, their options, keys.

Open it when a command takes other settings beside Hydra's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from qsense.experiment.command_line.overrides import key_of


class OverridesCompleter:
    """Completes a setting, in the form that argcomplete calls; earlier settings of the line count.

    Args:
        own: keys of the command itself, which Hydra does not know.
    """

    def __init__(self, own: Sequence[str] = ()) -> None:
        self.own = own

    def __call__(self, prefix: str, **_: Any) -> list[str]:
        from hydra.plugins.completion_plugin import DefaultCompletionPlugin

        from qsense.experiment.compose import ROOT, hydra

        line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
        before = line[: len(line) - len(prefix)].split()[2:]
        settings = [word for word in before if "=" in word and key_of(word) not in self.own]
        several = ["-m"] * bool({"-m", "--multirun"} & set(before))
        with hydra() as loader:
            plugin = DefaultCompletionPlugin(loader)
            found = plugin._query(ROOT, " ".join([*several, *settings, prefix]))
            while len(found) == 1 and found[0].endswith("."):  # a shell would end the word there
                found = plugin._query(ROOT, " ".join([*several, *settings, *found]))
        return [*found, *(f"{key}=" for key in self.own)]
