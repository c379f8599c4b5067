"""Where a user's own YAML files lie, so that `data=mine` is found without an option.

Open it to change that place. Any other folder is named by `--config-dir FOLDER` or `hydra.searchpath`.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "QSENSE_CONF"
FOLDER = "qsense_conf"  # in the folder in which a command is started


def own_folder() -> Path:
    """The folder that `QSENSE_CONF` names, else `qsense_conf` here; it need not be there."""
    return Path(os.environ.get(VARIABLE) or FOLDER).expanduser().absolute()
