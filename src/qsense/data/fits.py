"""What a converter with memory learned from a fold's training data, kept on disk: some hundred integers.

Open it when runs are given tables that are not theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qsense.data.cache import cached, digest, readable

log = logging.getLogger(__name__)

Recordings = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]


def fit(
    converter: Any, recordings: Callable[[], Recordings], unit: str, cache: Path, name: str, source: object
) -> None:
    """Place a converter's tables by recordings, or take those that were placed by the same ones before.

    Args:
        converter: has `fit_recordings(x, bounds)`, and `settings`, which tell it from others.
        recordings: gives samples as the converter gets them [time, channels], and where each recording starts and the
            last one ends.
        unit: what these are, in words: "recordings" or "rows".
        cache: folder for the tables.
        name: of the data set.
        source: all that the recordings depend on.
    """

    def build() -> dict[str, npt.NDArray[Any]]:
        x, bounds = recordings()
        shape = f"{len(bounds) - 1} training {unit}, {len(x):,} samples"
        log.info("%s: placing its tables by %s; later runs take them from the cache", type(converter).__name__, shape)
        converter.fit_recordings(x, bounds)
        return {key: table.cpu().numpy() for key, table in converter.state_dict().items()}

    tables = cached(cache, f"{readable(name)}-fit-{digest(converter.settings, source)[:24]}", build)
    state = converter.state_dict()
    converter.load_state_dict({key: torch.tensor(tables[key]).view_as(state[key]) for key in state})
