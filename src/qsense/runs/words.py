"""How numbers, lists and metrics are written, the same everywhere; and how lists are read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence

METRICS = {
    "f1_sample": "macro-F1, sample-wise",
    "f1_sample_absent_1": "macro-F1, sample-wise, an absent class counts 1",
    "f1_window": "macro-F1, window-wise",
    "accuracy_sample": "accuracy, sample-wise",
    "accuracy_window": "accuracy, window-wise",
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "map": "COCO mAP",
    "ap50": "AP at an overlap of 0.5",
    "ap75": "AP at an overlap of 0.75",
    "ap_small": "COCO mAP of small objects",
    "ap_medium": "COCO mAP of medium objects",
    "ap_large": "COCO mAP of large objects",
}
MOST_NAMED = 3  # of a list within a sentence
WATTS = (("W", 1e6), ("mW", 1e3), ("µW", 1.0), ("nW", 1e-3), ("pW", 1e-6))  # each in µW, which is µJ/s


def metric_name(metric: str) -> str:
    """A metric in words; its own name where nobody has put it into words."""
    return METRICS.get(metric, metric)


def percent(metric: str) -> bool:
    """Whether a metric is shown times 100, like the papers' (all but losses)."""
    return not lower_is_better(metric)


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better: of losses alone."""
    return "loss" in metric


def some(texts: Sequence[str], separator: str = ", ") -> str:
    """The first few of a list, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c … and 2 more')
    """
    more = len(texts) - MOST_NAMED
    return separator.join(texts[:MOST_NAMED]) + (f" … and {more} more" if more > 0 else "")


def clipped(text: str, longest: int = 200) -> str:
    """Text that is too long for a sentence without its middle.

    >>> clipped("short"), clipped("a" * 50 + "b" * 50, 11)
    ('short', 'aaaaa…bbbbb')
    """
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def entries(text: str) -> list[str]:
    """The entries of a list on a command line, with or without brackets.

    >>> entries("0.2,0.4"), entries("[linear, log]"), entries("")
    (['0.2', '0.4'], ['linear', 'log'], [])
    """
    return [entry.strip() for entry in text.strip("[] ").split(",") if entry.strip()]


def did_you_mean(word: str, names: Iterable[str] | Mapping[str, str], most: int = 1) -> str:
    """The names nearest to a mistyped one, to follow it in a sentence; empty where none is near.

    Args:
        word: as typed.
        names: those allowed; or {name: what to show for it}.
        most: how many at most.

    >>> did_you_mean("gama", ["gamma"]), did_you_mean("GAMMA", ["gamma"]), did_you_mean("nowhere", ["gamma"])
    (' (did you mean gamma?)', ' (did you mean gamma?)', '')
    """
    shown = names if isinstance(names, Mapping) else {name: name for name in names}
    near = [shown[name] for name in difflib.get_close_matches(word, shown, most)]
    near = near or [shown[name] for name in shown if name.lower() == word.lower()]
    return f" (did you mean {', '.join(near)}?)" if near else ""


def many(noun: str, numbers: Sequence[int]) -> str:
    """A noun with its numbers, neighbours joined.

    >>> many("fold", [3]), many("fold", [0, 1, 4, 5, 6])
    ('fold 3', 'folds 0, 1, 4–6')
    """
    stretches: list[list[int]] = []
    for number in sorted(numbers):
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    texts = [f"{s[0]}–{s[-1]}" if len(s) > 2 else ", ".join(map(str, s)) for s in stretches]
    return f"{noun}{'s' * (len(numbers) > 1)} {', '.join(texts)}"


def rounded(value: float) -> str:
    """Three digits, or all before the point.

    >>> rounded(6.10016), rounded(0.0123456), rounded(1857.6)
    ('6.10', '0.0123', '1858')
    """
    if not 0 < value < 1000:
        return f"{value:.0f}"
    return f"{value:.{2 - math.floor(math.log10(value))}f}"


def signed(value: float, digits: int) -> str:
    """A difference, with a true minus sign.

    >>> signed(-0.314, 2), signed(1, 1)
    ('−0.31', '+1.0')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def short(value: float) -> str:
    """Three digits at most; from 1000 on whole, thousands apart.

    >>> short(1736616.4), short(0.00078), short(130.2)
    ('1,736,616', '0.00078', '130')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def in_bits(bits: int) -> str:
    """A number of bits.

    >>> in_bits(1), in_bits(2)
    ('1 bit', '2 bits')
    """
    return f"{bits} bit{'s' * (bits != 1)}"


def watts(microwatts: float) -> tuple[str, float]:
    """The unit that fits a power, and how many µW it has.

    >>> watts(21.7), watts(0.035), watts(5603.1), watts(0.0)
    (('µW', 1.0), ('nW', 0.001), ('mW', 1000.0), ('µW', 1.0))
    """
    fitting = (unit for unit in WATTS if microwatts >= 0.9995 * unit[1])  # three digits: 0.9996 is 1.00
    return next(fitting, WATTS[-1] if microwatts > 0 else WATTS[2])


def power(microwatts: float) -> str:
    """A power in the unit that fits it; a model's µJ/s are µW.

    >>> power(130.2), power(0.00078), power(5603.1)
    ('130 µW', '780 pW', '5.6 mW')
    """
    name, unit = watts(microwatts)
    return f"{short(microwatts / unit)} {name}"


def duration(seconds: float) -> str:
    """A time in the unit that fits it.

    >>> duration(42), duration(600), duration(9000), duration(300000)
    ('42 s', '10 min', '2.5 h', '3.5 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
