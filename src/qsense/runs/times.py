"""When something happened, as `run.json` says it: ISO 8601 with the offset from UTC, in older ones seconds since 1970.

Open it when a time in a run's folder is written or read.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any


def now() -> str:
    """This moment in local time, to a millisecond, as in "2026-03-01T09:30:00.250+01:00"."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def moment(value: Any) -> float | None:
    """A time in either form as seconds since 1970; None for what is no time.

    >>> moment("1970-01-01T01:00:02.500+01:00"), moment(2.5), moment("noon"), moment(float("nan"))
    (2.5, 2.5, None, None)
    """
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
