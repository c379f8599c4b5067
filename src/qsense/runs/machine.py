"""Which machine a run is on: its processor's model, and how many cores this process may use.

Open it to record a further fact about the machine; what needs torch is in `experiment/trainer.py`.
"""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model, as Linux names it; elsewhere what Python knows.

    Args:
        cpuinfo: Linux's list of processors.
    """
    with suppress(OSError):
        names = re.findall(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.M)
        if names:
            return str(names[0]).strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
