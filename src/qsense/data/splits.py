"""Lists of the frames that belong to a part of a data set: one name per line."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qsense.data.recordings import DataError


def read_split(text: str, where: str) -> list[str]:
    """The names of a list, in its order; empty lines are skipped.

    Args:
        text: of the list.
        where: its name, for messages.

    Raises:
        DataError: a name is listed twice, or there is none.

    >>> read_split("a\\n\\nb\\n", "train.txt")
    ['a', 'b']
    """
    names: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if name in names:
            raise DataError(f"{where}, line {number}: {name} is listed already in line {names[name]}")
        if name:
            names[name] = number
    if not names:
        raise DataError(f"{where} lists no frame")
    return list(names)


def refuse_overlap(train: Collection[str], test: Sequence[str], where: str, other: str) -> None:
    """Make sure that nothing is tested that was trained on.

    Args:
        train: names of the training part.
        test: names of the test part.
        where: what to call the test part in messages.
        other: what to call the training part.

    Raises:
        DataError: names in both.
    """
    known = set(train)
    both = [name for name in test if name in known]
    if both:
        raise DataError(f"{where} and {other} share {len(both)} frames, first {both[0]}: take them off one of them")
