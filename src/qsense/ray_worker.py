"""What a process of a Ray cluster does before its run."""

from __future__ import annotations

import os

FOLDER = "QSENSE_FOLDER"


def enter_folder() -> None:
    """Go to the folder where the sweep was started, so that `runs` and `data` are the same files there as here.

    Ray's processes begin in the folder where `ray start` was typed. Named in `conf/hydra/launcher/ray.yaml`.
    """
    os.chdir(os.environ[FOLDER])
