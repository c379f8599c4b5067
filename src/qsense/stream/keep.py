"""What arrived, kept as a table that `qsense stream` and `data=csv_har` read again.

Open it to change what a kept session holds.
"""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import TextIO

from qsense.runs.escapes import csv_cell
from qsense.stream.session import Session

PREDICTED, TRUTH, TIME = "predicted", "label", "time"


class Keeper:
    """Writes each sample with the class that held when it came, and its label where there is one.

    Args:
        path: of the file; never one that is there already.
        names: of the axes.
        classes: in index order.

    Raises:
        FileExistsError: it is there.
    """

    def __init__(self, path: Path, names: tuple[str, ...], classes: tuple[str, ...]) -> None:
        self.classes, self.path = classes, path
        try:
            self.file: TextIO = path.open("x", encoding="utf-8", newline="")
        except FileExistsError as error:
            raise FileExistsError(
                f"--record {path} is there already, and nothing is overwritten: name another"
            ) from error
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow([TIME, *map(csv_cell, names), TRUTH, PREDICTED])
        self.written = 0  # moments of the session

    def take(self, session: Session) -> None:
        """Write what has gone through since the last call."""
        new = session.pushed - self.written
        for moment in list(islice(reversed(session.moments), new))[::-1]:
            label, predicted = (
                "" if index is None else csv_cell(self.classes[index]) for index in (moment.truth, moment.decided)
            )
            self.written += 1  # before it is written: Ctrl-C may come at any time, and no sample may stand there twice
            self.writer.writerow([f"{moment.at:.6f}", *(f"{value:.9g}" for value in moment.values), label, predicted])

    def flush(self) -> None:
        """Let others see it."""
        self.file.flush()

    def close(self) -> None:
        """No more comes; a file in which no sample stands is not kept, so that its name may be given again."""
        self.file.close()
        if not self.written:
            self.path.unlink(missing_ok=True)
