"""Which examples belong to which part of a data set: by a published list, or a share of every class.

Open it to change how a test or validation part is chosen, or how a list of frames is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError


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


def stratified(y: npt.NDArray[np.int64], share: float, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Choose a share of every class: true for the chosen, bool [images].

    The choice depends on the labels, the share and the seed alone. Each class gives round(share · n_c) images, at least
    one where it can spare one, and keeps at least one.

    Args:
        y: classes, int64 [images].
        share: which part to choose, in [0, 1); 0 chooses nothing.
        seed: another seed, another choice.

    Raises:
        ValueError: share is not in [0, 1).

    >>> y = np.repeat([0, 1], 10)
    >>> np.bincount(y[stratified(y, 0.2)]).tolist()
    [2, 2]
    """
    if not 0 <= share < 1:
        raise ValueError(f"a share of {share} to split off is not in [0, 1)")
    chosen = np.zeros(len(y), dtype=bool)
    if share > 0:
        for label in np.unique(y):
            members = np.flatnonzero(y == label)
            count = min(max(round(share * len(members)), 1), len(members) - 1)
            chosen[np.random.default_rng([seed, label]).permutation(members)[:count]] = True
    return chosen
