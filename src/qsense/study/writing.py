"""Files of a report or an audit: where they can be written, and what is said of those that could not be."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qsense.runs.escapes import one_line
from qsense.runs.words import clipped
from qsense.study.run import ReportError

log = logging.getLogger(__name__)
UNWRITTEN = 3  # exit code: the tables are on the screen, and a file of them could not be written


class NotWrittenError(ReportError):
    """Some files of a report could not be written; the others are.

    Args:
        message: which, and why.
        written: the others.
    """

    def __init__(self, message: str, written: Sequence[Path]) -> None:
        super().__init__(message)
        self.written = written


def unusable(out: Path) -> str:
    """Why no file can be written into a folder that may have to be made; empty where nothing is known against it.

    >>> unusable(Path("/dev/null")), unusable(Path("."))
    ('/dev/null is no folder', '')
    """
    there = next(folder for folder in (out, *out.absolute().parents) if os.path.lexists(folder))
    if not os.path.isdir(there):  # noqa: PTH112 – answers where a path would raise
        return f"{one_line(str(there))} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{one_line(str(there))} may not be written"


def write_each(files: Mapping[Path, Callable[[Path], object]]) -> list[Path]:
    """Write files, each by its own function of its path; one that fails costs no other.

    Raises:
        NotWrittenError: as `write_report`.
    """
    written, reasons = [], {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for file, write in files.items():
            try:
                write(file)
                written.append(file)
            except ReportError as error:
                reasons[file.name] = str(error)
            except OSError as error:
                reasons[file.name] = error.strerror or str(error)
            except Exception as error:  # whatever a library says of a picture
                reasons[file.name] = f"{type(error).__name__}: {error}"
    if any("missing from" in str(warning.message) for warning in caught):
        log.warning("pictures: some characters of names are not in Matplotlib's font, and are drawn as boxes")
    if reasons:
        texts = [f"{name} ({clipped(one_line(reason), 600)})" for name, reason in reasons.items()]
        raise NotWrittenError(f"not written: {', '.join(texts)}", written)
    return written
