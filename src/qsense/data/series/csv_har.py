"""Read your own activity data set in the common CSV layout; its facts are arguments.

Open it to see what the configuration `data=csv_har` accepts.
"""

from __future__ import annotations

from collections.abc import Sequence

from qsense.data.series.csv_recordings import NULL, CSVRecordings


class CSVActivityDataset(CSVRecordings):
    """Anyone's data set in the layout of `CSVRecordings`.

    Args:
        root: see `CSVRecordings`, as for `range`, `download` and `sha256`.
        name: the data set's name in tables.
        axes: names of the axis columns, or their number where the names are unknown.
        labels: class names as written in the files, in index order; NULL (also as YAML's null) first if there is such a
            class.
        rate_hz: samples per second.
        subjects: subjects 0 … subjects − 1 are used, one fold each.
        unit: physical unit of the samples.
        range: full scale of the sensor; None where unknown.
        url: address of a zip archive of the layout, or None.
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.

    Raises:
        ValueError: an argument out of its range; the message says what is allowed.
    """

    def __init__(
        self,
        root: str,
        name: str,
        axes: int | Sequence[str],
        labels: Sequence[str | None],
        rate_hz: float,
        subjects: int,
        unit: str,
        range: Sequence[float] | None = None,
        url: str | None = None,
        download: bool = False,
        sha256: str | None = None,
    ) -> None:
        if isinstance(axes, str) or isinstance(labels, str):
            raise ValueError(f"axes and labels are lists, as in labels=[NULL,walking]; got {axes!r} and {labels!r}")
        if (axes < 1) if isinstance(axes, int) else not axes:
            raise ValueError(f"axes={axes!r} must be a number from 1 on or a list of column names")
        if any(isinstance(label, bool) for label in labels):
            raise ValueError(f"labels={list(labels)}: put names that YAML takes for true or false between quotes")
        classes = tuple(NULL if label is None else str(label) for label in labels)  # YAML reads NULL as None
        if len(set(classes)) < len(classes) or len(classes) < 2:
            raise ValueError(f"labels={list(classes)} must hold at least two names, each once")
        if NULL in classes[1:]:
            raise ValueError(f"labels={list(classes)}: {NULL} must come first")
        if not rate_hz > 0:
            raise ValueError(f"rate_hz={rate_hz} must be positive")
        if subjects < 2:
            raise ValueError(f"subjects={subjects} must be at least 2: one is held out, the others train")
        self.name = name
        self.named_axes = not isinstance(axes, int)
        self.axes = axis_names(axes) if isinstance(axes, int) else tuple(axes)
        self.classes = classes
        self.rate_hz = float(rate_hz)
        self.num_subjects = subjects
        self.unit = unit
        self.url = url
        super().__init__(root, range, download, sha256)


def axis_names(count: int) -> tuple[str, ...]:
    """Names for axes whose own are unknown.

    >>> axis_names(3), axis_names(4)
    (('x', 'y', 'z'), ('axis_0', 'axis_1', 'axis_2', 'axis_3'))
    """
    return ("x", "y", "z") if count == 3 else tuple(f"axis_{index}" for index in range(count))
