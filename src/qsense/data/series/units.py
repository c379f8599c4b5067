"""Physical units in any of their spellings, and what a table's head says of them.

Open it when a unit is not recognised, or a warning about one is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

# Of accelerometers and gyroscopes: what a table's head says is compared with what is stated only among these.
INERTIAL_UNITS = ("g", "mg", "m/s²", "rad/s", "°/s", "m°/s")
_SPELLINGS = {
    "m/s2": "m/s²",
    "m/s^2": "m/s²",
    "m/s**2": "m/s²",
    "m/s/s": "m/s²",
    "ms-2": "m/s²",
    "m·s⁻²": "m/s²",
    "deg/s": "°/s",
    "º/s": "°/s",  # the sign of ordinals, which looks the same
    "dps": "°/s",
    "uT": "µT",
}


def usual_spelling(unit: str) -> str:
    """
    >>> usual_spelling("m/s^2"), usual_spelling(" [deg/s]"), usual_spelling("furlong")
    ('m/s²', '°/s', 'furlong')
    """
    word = unit.strip(" []()")
    return _SPELLINGS.get(word, word)


def contradicting_units(heads: Iterable[str], stated: str) -> list[str]:
    """Units that tables' heads give to the axes, where none is the stated one; none where that cannot be told.

    >>> contradicting_units(["[m/s^2]", "m/s²"], "g"), contradicting_units(["g", "°/s"], "g")
    (['m/s²'], [])
    >>> contradicting_units(["g"], "V"), contradicting_units(["V"], "g")
    ([], [])
    """
    units = sorted({usual_spelling(head) for head in heads})
    unit = usual_spelling(stated)
    if unit in units or unit not in INERTIAL_UNITS:
        return []
    return [other for other in units if other in INERTIAL_UNITS]
