"""What is wrong with a file, gathered before any of it is complained of: all mistakes are counted in one message.

Open it when a message about a file of annotations is too long or too short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

from qsense.data.errors import DataError, listed
from qsense.data.frames.annotations.values import show

FEW = 5  # examples of one mistake in a message

T = TypeVar("T")


def read_all(names: Iterable[str], read: Callable[[str], T]) -> dict[str, T]:
    """What is read of every name, one file each.

    Raises:
        DataError: files that cannot be used, all in one message.
    """
    found, wrong = {}, []
    for name in names:
        try:
            found[name] = read(name)
        except DataError as error:
            wrong.append(str(error))
    if len(wrong) > 1:
        raise DataError(
            f"{len(wrong)} of {len(found) + len(wrong)} annotations cannot be used:{listed(wrong, len(wrong))}"
        )
    if wrong:
        raise DataError(wrong[0])
    return found


class Problems:
    """Mistakes of a file: how many there are of each kind, and some examples.

    Args:
        file: what is read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._examples: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, example: str) -> None:
        """Note one mistake; `kind` counts alike ones."""
        self._counts[kind] += 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < FEW:
            examples.append(example)

    def refuse_repeated(self, what: str, values: Iterable[Hashable]) -> None:
        """Note what occurs more than once."""
        for value, count in Counter(values).items():
            if count > 1:
                self.add(f"{what} that occurs twice", f"the {what} {show(value)} occurs {count} times")

    def finish(self) -> None:
        """Raise DataError if there is anything wrong."""
        if not self._counts:
            return
        lines = []
        for kind, examples in self._examples.items():
            lines += examples
            if self._counts[kind] > len(examples):
                lines.append(f"… and {self._counts[kind] - len(examples)} more of this kind")
        if len(lines) == 1:
            raise DataError(f"{self.file}: {lines[0]}")
        raise DataError(f"{self.file}: {self._counts.total()} entries cannot be used:{listed(lines, len(lines))}")
