"""A data set's recordings as a few long arrays, prepared once and then memory-mapped.

Open it when what is cached of recordings should change.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from qsense.data.cache import SCHEMA, Arrays, cached, digest, fingerprint, readable
from qsense.data.series.dataset import ActivityDataset

log = logging.getLogger(__name__)


def prepared(dataset: ActivityDataset, cache: Path) -> Arrays:
    """All recordings one after the other, read from `cache` or prepared and stored there.

    Only samples are stored. Windows, folds and normalisation are cheap arithmetic on them, so one entry serves every
    run on the data set, and runs side by side share its memory.

    Returns:
        x: float32 [samples, axes] in the sensor's unit; y: int64 [samples]; bounds: int64 [recordings + 1], recording r
        is bounds[r] … bounds[r + 1] − 1; subject, filled, lost: int64 [recordings]; low, high: float32
        [recordings, axes], the extremes of each recording.

    Raises:
        DataMissingError: the source is not there.
        DataError: something in it cannot be used, or it is not in the cache and the cache cannot be written.
    """
    key = f"{readable(dataset.name)}-{digest(SCHEMA, fingerprint(dataset, cache))[:24]}"
    return cached(cache, key, lambda: _prepare(dataset))


def _prepare(dataset: ActivityDataset) -> Arrays:
    recordings = dataset.recordings()
    filled = np.array([recording.filled for recording in recordings])
    lost = np.array([recording.lost for recording in recordings])
    samples = sum(len(recording.x) for recording in recordings)
    if filled.any():
        log.warning(
            "%s: gaps in %d samples (%.2g %%) were filled linearly.",
            *(dataset.name, filled.sum(), 100 * filled.sum() / samples),
        )
    if lost.any():
        log.warning(
            "%s: %d gaps are too long to fill and end a recording; %d samples are missing there (%.2g %%).",
            *(dataset.name, np.count_nonzero(lost), lost.sum(), 100 * lost.sum() / (samples + lost.sum())),
        )
    return {
        "x": np.concatenate([recording.x for recording in recordings]).astype(np.float32, copy=False),
        "y": np.concatenate([recording.y for recording in recordings]).astype(np.int64, copy=False),
        "bounds": np.cumsum([0, *(len(recording.x) for recording in recordings)]),
        "subject": np.array([recording.subject for recording in recordings]),
        "filled": filled,
        "lost": lost,
        "low": np.stack([recording.x.min(axis=0) for recording in recordings]),
        "high": np.stack([recording.x.max(axis=0) for recording in recordings]),
    }
