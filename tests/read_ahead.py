"""Imported by a server of commands (`tests/forking.py`): what each command would read anew is read before it forks.

Open it when commands of tests read something else at length.
"""

from __future__ import annotations

import re

from qsense.experiment import signatures
from qsense.experiment.compose import compose
from qsense.experiment.schema import config_folder

compose()  # Hydra looks for its plugins
for file in config_folder().rglob("*.yaml"):
    for target in re.findall(r"_target_: ([\w.]+)", file.read_text(encoding="utf-8")):
        signatures.arguments(target)  # from the part's source, which stays in memory
