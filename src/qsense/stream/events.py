"""What comes out of a source, one thing after the other.

Open it to see what `session.py` is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Sample:
    """One moment of all channels.

    Args:
        values: in the sensor's unit [channels]; NaN where a value is missing.
        seconds: its time stamp; None where there is none.
        truth: index of the class that is noted beside it; None where none is, or an unknown one.
        due: seconds since the source's start at which a recorded sample is played, at speed 1; None: as it comes.
    """

    values: npt.NDArray[np.float64]
    seconds: float | None = None
    truth: int | None = None
    due: float | None = None


@dataclass(frozen=True)
class Bad:
    """A line that is no sample.

    Args:
        why: in a few words, the same for lines of one kind.
        line: its beginning.
    """

    why: str
    line: str


@dataclass(frozen=True)
class Notice:
    """Something to be said.

    Args:
        text: one sentence.
        anew: whether a new recording begins: converter and window forget what was.
    """

    text: str
    anew: bool = False


@dataclass(frozen=True)
class Quiet:
    """Nothing came for a moment."""


Event = Sample | Bad | Notice | Quiet
