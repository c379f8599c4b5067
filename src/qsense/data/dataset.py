"""What every data set states and can be asked, whatever its kind.

Open it to add a kind of data; for a further data set of a known kind see `series/`, `images/` and `frames/dataset.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class SensorDataset(ABC):
    """Labelled measurements of a sensor: their facts, and whether they are there.

    It stays free of torch, so that a wrong path, fold or range is answered in about a second, before anything heavy is
    imported.

    Attributes:
        name: the data set's name in tables; simulated data say so in it.
        classes: class names in index order.
    """

    name: str
    classes: tuple[str, ...]

    @abstractmethod
    def check(self) -> None:
        """Make sure the source is there, quickly and without reading all of it.

        Raises:
            DataMissingError: it is not there, and downloading was not asked for.
            DataError: it is there, but not in the layout that is expected.
        """

    def sources(self) -> tuple[Path, ...]:
        """Files that `fingerprint()` reads, so that their checksums can be remembered; none for a simulation."""
        return ()

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hex) over everything that the samples depend on: source bytes, or a simulation's settings.

        Raises:
            DataError: as in `check`.
        """
