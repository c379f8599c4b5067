"""Read your own activity data set from tables of text; its facts are arguments.

Open it to see what the configuration `data=csv_har` accepts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from qsense.data.errors import DataError
from qsense.data.series.csv_recordings import CSVRecordings
from qsense.data.series.dataset import Recording
from qsense.data.series.tables.columns import Wanted
from qsense.data.series.tables.files import LABEL, SUBJECT, natural
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.labels import NULL


class CSVActivityDataset(CSVRecordings):
    """Anyone's data set in the layout of `CSVRecordings`, or in files and columns that its arguments name.

    Columns are given by name, or by number from 1 on. What is left at None is seen from the files.

    Args:
        root: see `CSVRecordings`, as for `range`, `download` and `sha256`.
        name: the data set's name in tables.
        axes: names of the axis columns, or their number where the names are unknown; or the axes' names with their
            columns, as in {x: 5, y: 6}, whose order is that of the columns' numbers, then names (a mapping's own order
            does not count).
        labels: class names as written in the files, in index order; NULL (also as YAML's null) first if there is such a
            class. Whole numbers in the files count them from 0 on. Or what is written with the class it means, as in
            {0: NULL, 4: walking}: the classes are then in the order of what is written, NULL first.
        rate_hz: samples per second.
        subjects: how many subjects are used, in their order, one fold each, or their names; None: all that are found.
        unit: physical unit of the samples.
        range: full scale of the sensor; None where unknown.
        url: address of a zip archive of the layout, or None.
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.
        files: pattern of the files' names below `root`, as in "data/P{subject}*.txt", "{label}_{subject}.csv" or
            "all.csv"; {subject} is whose a file is, {label} the class of all its samples. None: the common layout.
        subject: column of the subject, a number or a name; None: by a common name, or the first column of the common
            layout; False: there is none.
        time: column of the timestamps; None: by a common name; False: they are not looked at.
        label: column of the label; None: by a common name.
        session: column whose changes begin a new recording; None: there is none.
        delimiter: between fields: comma, semicolon, tab, pipe, space (any blanks), or another sign.
        decimal: point or comma.
        encoding: as in utf-8, utf-16, latin-1.
        header: row of the columns' names; 0: there is none.
        time_format: unit of the timestamps (s, ms, us, ns), or a format as in "%d/%m/%Y %H:%M:%S.%f".
        resample: interpolate samples at irregular timestamps linearly at `rate_hz`.
        missing: numbers that stand for missing samples, as in [-999].
        blocks: folds hold out time and not subjects: each recording is cut into so many equal pieces, and fold f holds
            out the piece f of all. For one person's recordings; neighbouring pieces are alike, and scores higher than
            for a person whom the network has never seen. None: folds hold out subjects.

    Raises:
        ValueError: an argument out of its range; the message says what is allowed.
    """

    elsewhere = (
        "\nTo read files of other names: data.dataset.files=PATTERN below that folder, as in 'P{subject}*.txt'."
        "\nTo read fewer people: data.dataset.subjects=N."
    )

    def __init__(
        self,
        root: str,
        name: str,
        axes: int | Sequence[str | int] | Mapping[str, str | int],
        labels: Sequence[str | None] | Mapping[str, str | None],
        rate_hz: float,
        subjects: int | Sequence[str] | None,
        unit: str,
        range: Sequence[float] | None = None,
        url: str | None = None,
        download: bool = False,
        sha256: str | None = None,
        files: str | None = None,
        subject: str | int | bool | None = None,
        time: str | int | bool | None = None,
        label: str | int | None = None,
        session: str | int | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        header: int | None = None,
        time_format: str | None = None,
        resample: bool = False,
        missing: Sequence[float] | None = None,
        blocks: int | None = None,
    ) -> None:
        lists = [axes, labels] if not isinstance(axes, int) else [labels]
        if any(isinstance(given, str) or not isinstance(given, Sequence | Mapping) for given in lists):
            raise ValueError(f"axes and labels are lists, as in labels=[NULL,walking]; got {axes!r} and {labels!r}")
        if (axes < 1) if isinstance(axes, int) else not axes:
            raise ValueError(f"axes={axes!r} must be a number from 1 on or a list of column names")
        if not 0 < rate_hz < float("inf"):
            raise ValueError(f"rate_hz={rate_hz} must be positive and finite")
        if subjects is not None and (subjects if isinstance(subjects, int) else len(subjects)) < 2:
            raise ValueError(f"subjects={subjects} must be at least 2: one is held out, the others train")
        if subjects is None and download and url:
            raise ValueError("subjects=null: state how many there are, or fetch the data first (download=true)")
        if isinstance(subjects, Sequence) and files is None:
            raise ValueError(
                f"subjects={list(subjects)}: names of subjects need files=PATTERN; the common layout counts"
            )
        if files is not None and (not files or files.startswith(("/", "~")) or ".." in files.split("/")):
            raise ValueError(f"files={files!r} must be a pattern below data.dataset.root, as in P{SUBJECT}*.txt")
        if others := sorted(set(re.findall(r"\{\w*\}", files or "")) - {SUBJECT, LABEL}):
            raise ValueError(
                f"files={files!r}: {', '.join(others)} stands for nothing, only {SUBJECT} and {LABEL} do; * is any "
                "text. Times are a column"
            )
        if LABEL in (files or "") and label is not None:
            raise ValueError(f"label={label!r}: files={files!r} has {LABEL} in it; labels come from one of the two")
        if blocks is not None and (blocks < 2 or subjects is not None or files is None or SUBJECT in files):
            raise ValueError(
                f"blocks={blocks} must be at least 2, and stands for subjects: it needs subjects=null, and "
                f"files=PATTERN without {SUBJECT} in it"
            )
        for key, column in (("subject", subject), ("time", time), ("label", label), ("session", session)):
            if column is True:
                raise ValueError(f"{key}=true names no column: give its name, or its number from 1 on")
        self.name = name
        if isinstance(axes, Mapping):
            axes = dict(sorted(axes.items(), key=lambda item: natural(str(item[1]))))
        self.classes, self.codes = classes_and_codes(labels)
        self.named_axes = not isinstance(axes, int)
        self.axes = axis_names(axes) if isinstance(axes, int) else tuple(str(axis) for axis in axes)
        self.rate_hz = float(rate_hz)
        self.chosen_subjects = subjects
        self.unit = unit
        self.url = url
        self.files = files
        self.form = TableFormat(delimiter, decimal, encoding, header)
        self.columns = (subject, time, label, session)
        columns = axes.values() if isinstance(axes, Mapping) else axes
        self.axis_columns = columns if isinstance(columns, int) else tuple(columns)
        self.time_format = time_format
        self.resample = resample
        self.missing = tuple(float(number) for number in missing or ())
        self.blocks = blocks
        super().__init__(root, range, download, sha256)

    def check(self) -> None:
        """See the base class; where the files tell the subjects, two of them at least."""
        super().check()
        if not isinstance(self.chosen_subjects, int) and self._found():
            self.subject_names()

    @property
    def settings(self) -> dict[str, Any]:
        """See the base class; and which subjects are meant, and in which order, where they are named."""
        chosen = self.chosen_subjects
        named = {"subjects": [str(name) for name in chosen]} if isinstance(chosen, Sequence) else {}
        return super().settings | named | ({"blocks": self.blocks} if self.blocks else {})

    @property
    def num_subjects(self) -> int:  # type: ignore[override]
        """As many as were asked for, or as the files show."""
        if self.blocks:
            return self.blocks
        chosen = self.chosen_subjects
        if isinstance(chosen, int):
            return chosen
        return len(chosen) if chosen is not None else len(self._all_subjects())

    def subject_names(self) -> list[str]:
        """See the base class; those that were named, in their order."""
        found = self._all_subjects() if self.files is not None else []
        if isinstance(self.chosen_subjects, Sequence):
            wanted = [str(name) for name in self.chosen_subjects]
            if absent := [name for name in wanted if name not in found]:
                raise DataError(f"{self.root}: no subject is {', '.join(absent)}; there are {', '.join(found[:30])}")
            return wanted
        if self.blocks:
            return found
        names = super().subject_names()
        if len(names) < 2:
            raise DataError(
                f"{self.root}: {self.name} has one subject alone ({', '.join(names)}), but one is held out and others "
                f"train: set data.dataset.subject=COLUMN, or data.dataset.files=… with {SUBJECT} in it; of one person "
                "alone, data.dataset.blocks=5 cuts recordings into pieces"
            )
        return names

    def recordings(self) -> list[Recording]:
        """See the base class; in blocks, if that was asked for."""
        found = super().recordings()
        return [piece for recording in found for piece in _pieces(recording, self.blocks)] if self.blocks else found

    def columns_wanted(self) -> Wanted:
        subject, time, label, session = self.columns
        if LABEL in (self.files or ""):
            label = False
        return Wanted(self.axis_columns, subject, time, label, session, by_place=self.files is None, settable=True)


def _pieces(recording: Recording, count: int) -> list[Recording]:
    """A recording cut in time into equal pieces, the first of subject 0, the second of subject 1, …"""
    edges = np.linspace(0, len(recording.x), count + 1).astype(int)
    return [
        replace(
            recording,
            subject=number,
            x=recording.x[start:stop],
            y=recording.y[start:stop],
            filled=recording.filled if number == 0 else 0,
            lost=recording.lost if number == 0 else 0,
        )
        for number, (start, stop) in enumerate(pairwise(edges))
        if stop > start
    ]


def classes_and_codes(
    labels: Sequence[str | None] | Mapping[str, str | None],
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Class names in index order, and what stands for them in the files where that is something else.

    >>> classes_and_codes([None, "walk"]), classes_and_codes({4: "walk", 5: "run", 0: None, 6: "run"})
    ((('NULL', 'walk'), {}), (('NULL', 'walk', 'run'), {'0': 'NULL', '4': 'walk', '5': 'run', '6': 'run'}))
    """
    if isinstance(labels, Mapping):  # whose order counts neither here nor for a run's name
        labels = dict(sorted(labels.items(), key=lambda item: natural(str(item[0]))))
    names = list(labels.values()) if isinstance(labels, Mapping) else list(labels)
    if any(isinstance(label, bool) for label in names):
        raise ValueError(f"labels={names}: put names that YAML takes for true or false between quotes")
    classes = [NULL if label is None else str(label) for label in names]  # YAML reads NULL as None
    codes = {}
    if isinstance(labels, Mapping):
        codes = {NULL if code is None else str(code): name for code, name in zip(labels, classes, strict=True)}
        classes = sorted(dict.fromkeys(classes), key=lambda name: name != NULL)
    if len(set(classes)) < len(classes) or len(classes) < 2:
        raise ValueError(f"labels={classes} must hold at least two names, each once")
    if NULL in classes[1:]:
        raise ValueError(f"labels={classes}: {NULL} must come first")
    return tuple(classes), codes


def axis_names(count: int) -> tuple[str, ...]:
    """Names for axes whose own are unknown.

    >>> axis_names(3), axis_names(4)
    (('x', 'y', 'z'), ('axis_0', 'axis_1', 'axis_2', 'axis_3'))
    """
    return ("x", "y", "z") if count == 3 else tuple(f"axis_{index}" for index in range(count))
