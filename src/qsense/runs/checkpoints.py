"""A run's checkpoints: which there are, and whether one is whole, before torch is imported.

Open it when a checkpoint is taken for damaged. How they are written and read lies in `checkpoint_io.py`.
"""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path

CHECKPOINT = Path("checkpoints") / "last.ckpt"
PREVIOUS = CHECKPOINT.with_name("previous.ckpt")  # the one before it, as long as the run is not finished
CHUNK = 1 << 20  # bytes read at once


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, or not be written; the message names the file."""


def checkpoints(run: Path) -> list[Path]:
    """A run's checkpoints that are there in whatever state, the latest first."""
    return [path for name in (CHECKPOINT, PREVIOUS) if os.path.lexists(path := run / name)]


def checkpoint(run: Path) -> Path | None:
    """The latest of them; None where the run has none yet."""
    return next(iter(checkpoints(run)), None)


def drop_previous(run: Path) -> None:
    """Leave a finished run with one checkpoint: its result belongs to that."""
    if (run / CHECKPOINT).is_file():
        (run / PREVIOUS).unlink(missing_ok=True)


def verify(file: Path) -> None:
    """Compare every byte with the checksums that the file itself holds, which torch does not do when it loads.

    Raises:
        CheckpointError: it is damaged, or no checkpoint of torch's.
    """
    try:
        facts = file.stat()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error})") from error
    if problem := _flaw_of(str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino):
        raise CheckpointError(f"{file} cannot be used: {problem}")


@lru_cache(maxsize=1024)
def _flaw_of(file: str, mtime_ns: int, size: int, inode: int) -> str:
    """What is wrong with a file, in a few words; looked into once, as long as it stays the same."""
    if Path(file).is_dir():
        return "it is a folder"
    if not size:
        return "it is empty"
    try:
        with zipfile.ZipFile(file) as archive:
            if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                return "it is another program's archive, and no checkpoint"
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:  # torch compresses nothing
                    return "it is another program's archive, and no checkpoint"
                with archive.open(entry) as content:
                    while content.read(CHUNK):
                        pass
    except Exception as error:  # damaged bytes raise whatever they lead to: bad offsets, names, versions, text
        return f"it is damaged, or no checkpoint ({(str(error).splitlines() or [type(error).__name__])[0]:.100})"
    return ""
