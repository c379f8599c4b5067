"""When a run ended, in words, by its own record: seconds since 1970, or an ISO time.

Open it when a record writes its times in another way.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any


def minute(moment: Any) -> str:
    """A moment to the minute, in UTC; empty for anything that is none.

    >>> minute(0.0), minute("2026-11-28T09:11:14+00:00"), minute("<b>"), minute(None)
    ('1970-01-01 00:00 UTC', '2026-11-28 09:11 UTC', '', '')
    """
    if isinstance(moment, str) and (known := re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", moment, re.ASCII)):
        return f"{known[1]} {known[2]} UTC"
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        with suppress(OverflowError, ValueError, OSError):  # no moment of any calendar
            return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
    return ""
