"""Labels as they are written → class indices: names, numbers, other names of classes, and the words for no class.

Open it when a label is not found, or taken for NULL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qsense.data.series.tables.format import MISSING

NULL = "NULL"


def class_indices(words: Sequence[str], classes: Sequence[str], codes: Mapping[str, str]) -> dict[str, int | None]:
    """The class of every word; None where there is none.

    A class's name is that class. Then `codes` are looked at, then words for no label, which are NULL if there is such a
    class, and last whole numbers: they count the classes from 0 on.

    >>> class_indices(["walk", "None", "1.0", "hop"], ("NULL", "walk"), {"1": "walk"})
    {'walk': 1, 'None': 0, '1.0': 1, 'hop': None}
    >>> class_indices(["None", "", "2"], ("NULL", "None", "walk"), {})
    {'None': 1, '': 0, '2': 2}
    """
    index = {name: number for number, name in enumerate(classes)}
    if codes:
        index |= {code: index[name] for code, name in codes.items()}
    elif not any(_whole(name) is not None for name in classes):
        index = {str(number): number for number in range(len(classes))} | index
    found: dict[str, int | None] = {}
    for word in words:
        text = word.strip()
        number = index.get(text)
        if number is None and (text in MISSING or text.lower() in ("null", "nan")):
            number = index.get(NULL)
        elif number is None and (whole := _whole(text)) is not None:
            number = index.get(str(whole))
        found[word] = number
    return found


def _whole(word: str) -> int | None:
    """
    >>> _whole("1"), _whole("2.0"), _whole("1e3"), _whole("1.5"), _whole("walk")
    (1, 2, 1000, None, None)
    """
    try:
        value = float(word)
    except ValueError:
        return None
    return int(value) if value.is_integer() and "_" not in word else None
