"""What a run's folder may say, by type and bounds: the border behind which a study trusts its values.

Open it to let a run record another value. Whatever is refused here, by key and value, is one line of a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsense.runs.escapes import one_line
from qsense.runs.status import FINISHED, STATES

MOST_BITS, MOST_SEED, MOST_FOLDS = 64, 2**32 - 1, 10_000
MOST_DIVISIONS = 20
MOST_METRICS, MOST_CLASSES, MOST_LEARNED, MOST_KEYS = 1000, 10_000, 10_000, 2000
LONGEST, LONGEST_VALUE, LONGEST_REASON = 1000, 10_000, 300  # characters of a name, a setting, a reason
MOST_COUNTED = 1 << 53  # samples: sums of a few are still whole floats
LARGEST = 3e38  # of a figure: float32 holds no more, and its square is still a float
SMALLEST = 1e-38  # below it a figure is 0
NOTHING: dict[str, str] = {}  # shared: thousands of runs have it


class DamageError(ValueError):
    """A file says something that no run says; the message names key and value, and not the file."""


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Run`, but for its folder and settings, each of its type and within its bounds.

    Figures that are not finite are left out, and named in `not_finite`.

    Raises:
        DamageError: one that is not.
    """
    known = dict(fields)
    absent = _texts(known.pop("not_finite", {}), "not_finite")
    finished = known.pop("status") == FINISHED
    folds = _whole(known.get("num_folds", 0), "num_folds", int(finished), MOST_FOLDS)
    good: dict[str, Any] = {
        "status": FINISHED if finished else _one_of(fields["status"], "status"),
        "reason": as_text(known.get("reason", ""), "reason", LONGEST_VALUE)[:LONGEST_REASON],
        **{key: as_text(known[key], key) for key in ("task", "data", "quant", "model", "dataset")},
        **{key: as_bits(known[key], key) for key in ("bits", "network_bits")},
        "seed": _whole(known["seed"], "seed", 0 if finished else -1, MOST_SEED),
        "fold": _whole(known["fold"], "fold", 0 if finished else -1, folds - 1 if finished else MOST_FOLDS),
        "num_folds": folds,
        "monitor": as_text(known.get("monitor", ""), "monitor"),
        "metrics": _figures(known.get("metrics", {}), "metrics", absent, MOST_METRICS),
        "per_class": {
            name: _figures(scores, f"per_class.{name}", None, MOST_CLASSES)
            for name, scores in _mapping(known.get("per_class", {}), "per_class", MOST_METRICS)
        },
        "groups": {
            division: {
                name: _figures(scores, f"groups.{division}.{name}", None, MOST_CLASSES)
                for name, scores in _mapping(figures, f"groups.{division}", MOST_METRICS)
            }
            for division, figures in _mapping(known.get("groups", {}), "groups", MOST_DIVISIONS)
        },
        "learned": _learned(known.get("learned", {}), absent),
        "cost": _figures(known.get("cost", {}), "cost", absent),
        "constants": _constants(known.get("constants", {})),
        "tallies": _tallies(known.get("tallies", ())),
        "seconds": as_figure(known.get("seconds"), "seconds"),
        "written": as_figure(known.get("written", 0.0), "written") or 0.0,
        "fingerprint": as_text(known["fingerprint"], "fingerprint") if known.get("fingerprint") is not None else None,
        "not_finite": absent or NOTHING,
        "unreadable": tuple(
            as_text(line, "unreadable", LONGEST_VALUE) for line in _list(known.get("unreadable", []), "unreadable")
        ),
    }
    if finished and good["monitor"] not in {*good["metrics"], *absent}:
        raise DamageError(f"monitor={_shown(good['monitor'])}: it is none of its metrics")
    if unknown := set(known) - set(good):
        raise DamageError(f"unknown: {min(map(str, unknown))}")
    return good


def checked_settings(values: Any) -> dict[str, str]:
    """Settings as `settings` gives them.

    Raises:
        DamageError: they are of another shape, or too many.
    """
    return _texts(values, "settings", MOST_KEYS, LONGEST_VALUE)


# ----------------------------------------------------------------------------------------------------------- the values


def _shown(value: Any) -> str:
    """A value in a message."""
    text = one_line(repr(value)[:LONGEST] if not isinstance(value, dict | list) else f"a {type(value).__name__}")
    return text if len(text) <= 60 else f"{text[:59]}…"


def as_group(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DamageError(f"{key}: a mapping expected, not {_shown(value)}")
    return value


def _mapping(value: Any, key: str, most: int) -> list[tuple[str, Any]]:
    items = as_group(value, key)
    if len(items) > most:
        raise DamageError(f"{key}: {len(items)} entries, at most {most} are read")
    return [(as_text(name, f"a name in {key}"), each) for name, each in items.items()]


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise DamageError(f"{key}: a list expected, not {_shown(value)}")
    return list(value)


def as_text(value: Any, key: str, longest: int = LONGEST) -> str:
    """Text on one line: whoever shows it need not mind what moves a cursor or breaks a table."""
    if not isinstance(value, str):
        raise DamageError(f"{key}={_shown(value)}: a text expected")
    if len(value) > longest:
        raise DamageError(f"{key}: a text of {len(value)} characters, at most {longest} are read")
    return value if value.isprintable() else one_line(value)


def _texts(values: Any, key: str, most: int = MOST_METRICS, longest: int = LONGEST) -> dict[str, str]:
    return {name: as_text(value, f"{key}.{name}", longest) for name, value in _mapping(values, key, most)}


def _one_of(value: Any, key: str) -> str:
    if value not in STATES:
        raise DamageError(f"{key}={_shown(value)}: one of {', '.join(STATES)} expected")
    return str(value)


def _whole(value: Any, key: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise DamageError(f"{key}={_shown(value)}: a whole number from {low} to {high} expected")
    return value


def as_bits(value: Any, key: str) -> int | None:
    return None if value is None else _whole(value, key, 1, MOST_BITS)


def as_figure(value: Any, key: str) -> float | None:
    """A number; None for one that is absent or not finite."""
    if value is None:
        return None
    if type(value) not in (int, float):
        raise DamageError(f"{key}={_shown(value)}: a number expected")
    if not -LARGEST <= value <= LARGEST:
        return None
    return float(value) if abs(value) >= SMALLEST else 0.0


def _figures(values: Any, key: str, absent: dict[str, str] | None, most: int = MOST_METRICS) -> dict[str, float]:
    """Finite numbers by name; the names of others, with what they were, go into `absent`."""
    if _are_good(values, most):
        return values  # type: ignore[no-any-return]
    good = {}
    for name, value in _mapping(values, key, most):
        figure = as_figure(value, f"{key}.{name}")
        if figure is not None:
            good[name] = figure
        elif absent is not None:
            absent[name] = _absent(value)
    return good


def _are_good(values: Any, most: int) -> bool:
    """The same for all at once, as thousands of runs have them: fast, and sometimes too strict."""
    if type(values) is not dict or len(values) > most or not set(map(type, values)) <= {str}:
        return False
    if not set(map(type, values.values())) <= {float}:
        return False
    sizes = [abs(value) for value in values.values() if value]
    small = all(map(SMALLEST.__le__, sizes)) and all(map(LARGEST.__ge__, sizes))  # neither is true of NaN
    return small and "".join(values).isprintable() and max(map(len, values), default=0) <= LONGEST


def _absent(value: Any) -> str:
    return "no value" if value is None else f"{float(value):g}" if isinstance(value, float) else "beyond 3e38"


def _learned(values: Any, absent: dict[str, str]) -> dict[str, list[float]]:
    good = {}
    for name, several in _mapping(values, "quantizer", MOST_METRICS):
        numbers = _list(several, f"quantizer.{name}")
        if len(numbers) > MOST_LEARNED:
            raise DamageError(f"quantizer.{name}: {len(numbers)} values, at most {MOST_LEARNED} are read")
        figures = [as_figure(value, f"quantizer.{name}") for value in numbers]
        finite = [figure for figure in figures if figure is not None]
        if len(finite) == len(figures):
            good[name] = several if finite == several else finite
        else:
            absent[f"learned {name}"] = _absent(numbers[figures.index(None)])
    return good


def _tallies(values: Any) -> tuple[tuple[int, ...], ...]:
    """Counts of classes twice, the first at most the second."""
    good = tuple(tuple(_list(counts, "confusion_sample")) for counts in _list(values, "confusion_sample"))
    if not good:
        return ()
    if len(good) != 2 or len(good[0]) != len(good[1]) or len(good[0]) > MOST_CLASSES:
        raise DamageError("confusion_sample: two counts of each class expected")
    for hits, seen in zip(*good, strict=True):
        _whole(hits, "confusion_sample", 0, _whole(seen, "confusion_sample", 0, MOST_COUNTED))
    return good


def _constants(values: Any) -> dict[str, float | None]:
    """Numbers as they were written, whole ones without a point."""
    constants = _mapping(values, "sensing.constants", MOST_METRICS)
    return {name: None if as_figure(value, f"sensing.constants.{name}") is None else value for name, value in constants}
