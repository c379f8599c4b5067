"""Short gaps in a recording are bridged, long ones refused or cut out.

Open it when missing samples are filled or refused wrongly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError


def fill_gaps(
    x: npt.NDArray[np.float64], axes: tuple[str, ...], rate_hz: float, source: str, first_row: int = 1
) -> int:
    """Fill runs of NaN of up to one second linearly, in place; a run at either end repeats its only neighbour.

    Args:
        x: samples [time, axes]; changed in place.
        axes: names of the axes, for messages.
        rate_hz: samples per second.
        source: subject and file, for messages.
        first_row: row of the file that holds the first sample, counted from 1.

    Returns:
        Number of samples with at least one axis filled.

    Raises:
        DataError: a run longer than one second, or infinite values; row and axis are named.

    >>> x = np.array([[0.0], [np.nan], [np.nan], [3.0]])
    >>> fill_gaps(x, ("x",), 50.0, "a test"), x[:, 0].tolist()
    (2, [0.0, 1.0, 2.0, 3.0])
    """
    refuse_infinite(x, axes, source, first_row)
    missing = np.isnan(x)
    samples = np.arange(len(x))
    for axis in np.flatnonzero(missing.any(axis=0)):
        gap = missing[:, axis]
        starts, ends = _runs(gap)
        too_long = np.flatnonzero((ends - starts > rate_hz) | gap.all())
        if len(too_long):
            start, end = starts[too_long[0]], ends[too_long[0]]
            raise DataError(
                f"{source}, rows {first_row + start} to {first_row + end - 1}: {axes[axis]} has no value for "
                f"{(end - start) / rate_hz:.2f} s; only gaps of up to 1 s are filled; cut longer ones out"
            )
        x[gap, axis] = np.interp(samples[gap], samples[~gap], x[~gap, axis])
    return int(missing.any(axis=1).sum())


def refuse_infinite(x: npt.NDArray[np.float64], axes: tuple[str, ...], source: str, first_row: int) -> None:
    """
    Raises:
        DataError: a value is infinite; row and axis are named.
    """
    if not np.isfinite(x).all() and len(infinite := np.argwhere(np.isinf(x))):
        row, axis = infinite[0]
        raise DataError(f"{source}, row {first_row + row}: {axes[axis]} is infinite")


def pieces(x: npt.NDArray[np.float64], rate_hz: float) -> list[slice]:
    """What lies between runs of NaN of more than a second, on any axis, and has values on all of them.

    >>> x = np.array([[0.0], [1.0], *[[np.nan]] * 11, [2.0], [np.nan], [3.0]])
    >>> pieces(x, 10.0)
    [slice(0, 2, None), slice(13, 16, None)]
    """
    cut = np.zeros(len(x), dtype=bool)
    missing = np.isnan(x)
    for axis in np.flatnonzero(missing.any(axis=0)):
        starts, ends = _runs(missing[:, axis])
        for start, end in zip(starts, ends, strict=True):
            if end - start > rate_hz:
                cut[start:end] = True
    starts, ends = _runs(~cut)
    found = [slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
    return [piece for piece in found if not missing[piece].all(axis=0).any()]


def _runs(where: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where runs of True begin, and where they have ended."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])).astype(np.int8)))
    return edges[0::2], edges[1::2]
