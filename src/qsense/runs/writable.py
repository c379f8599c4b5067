"""Whether runs can be kept in a folder, known before anything is computed for them; nothing is left there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

BLOCK = bytes(1 << 16)  # what is written for a try: a full disk may still have room for a name, or for one byte


def unusable(folder: Path) -> str:
    """Why nothing can be written to a folder, in a few words; empty where it can, or where it can be made.

    >>> unusable(Path("/dev/null/runs"))
    '/dev/null is no folder'
    """
    existing = Path(os.path.abspath(folder))  # noqa: PTH100 – without following links
    missing = []
    while not os.path.lexists(existing):
        missing.append(existing.name)
        existing = existing.parent
    if not existing.is_dir():
        return f"{existing} is {'a link that leads nowhere' if not existing.exists() else 'no folder'}"
    try:
        longest = os.pathconf(existing, "PC_NAME_MAX")
        if too_long := [name for name in missing if len(os.fsencode(name)) > longest]:
            return f"a name of {len(too_long[0])} characters is too long, {longest} are allowed"
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(BLOCK)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{existing}: {error.strerror or error}"
    return ""
