"""Which settings of a network quantizer integer arithmetic covers; it imports nothing, so that checks are light.

Open it where integers learn another kind of levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# A code is a whole number of one unit, in every layer.
NEEDED = {"levels": "uniform", "activation_levels": "uniform", "first_last_range": "abs_max", "skip": None}


def misfits(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What integers do not cover: key, value, and what they need instead.

    Args:
        settings: arguments of `NetworkQuantizer`; those that are not there are fine.

    >>> list(misfits({"levels": "log", "skip": []}))
    [('levels', 'log', 'uniform')]
    """
    for key, needed in NEEDED.items():
        value = settings.get(key, needed)
        if value != needed and (value or needed):  # nothing to skip is an empty list, too
            yield key, value, needed or "null"
