"""What an engineer must know of a converter before building it: gaps, codes that cannot occur, accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsense.chip.converter import Converter
from qsense.runs.words import many


@dataclass(frozen=True)
class RowFindings:
    """Of one row.

    Args:
        name: the row's.
        gap: smallest distance of two neighbouring thresholds within the range, in native steps; None where there are
            not two.
        apart: the same among thresholds whose native counts differ, in whole counts: what is left of the gap behind the
            native ADC.
        accuracy: bits of linear accuracy that comparators on the analog signal need, log2(full scale / gap); None
            without a gap. On counts of the native ADC they never need more than its own bits.
        collapsed: codes whose two thresholds lie within one native step, so that no count has them.
        beyond: codes that no count has because their threshold, or the next one, is outside the range.
        outside: thresholds that no count reaches, or that each does, by the code they begin.
    """

    name: str
    gap: float | None
    apart: int | None
    accuracy: float | None
    collapsed: tuple[int, ...]
    beyond: tuple[int, ...]
    outside: tuple[int, ...]


@dataclass(frozen=True)
class Findings:
    """Of all rows.

    Args:
        rows: each row's.
    """

    rows: tuple[RowFindings, ...]

    @property
    def gap(self) -> float | None:
        """The smallest gap of all rows, in native steps."""
        return min((row.gap for row in self.rows if row.gap is not None), default=None)

    @property
    def apart(self) -> int | None:
        """The smallest distance of different counts in any row."""
        return min((row.apart for row in self.rows if row.apart is not None), default=None)

    @property
    def accuracy(self) -> float | None:
        """The highest accuracy that any row needs, in bits."""
        return max((row.accuracy for row in self.rows if row.accuracy is not None), default=None)

    def sentences(self) -> list[str]:
        """What is remarkable, one sentence each; none where every code is in use."""
        found = []
        for row in self.rows:
            where = "" if len(self.rows) == 1 else f"{row.name}: "
            if row.collapsed:
                codes = many("code", row.collapsed)
                found.append(f"{where}{codes} collapsed: both thresholds lie within one native step, no count between")
            if row.beyond:
                found.append(f"{where}{many('code', row.beyond)} out of reach: the thresholds lie outside the range")
            if row.gap == 0:
                found.append(f"{where}some thresholds coincide: no accuracy tells their codes apart")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "smallest_gap_native_steps": self.gap,
            "smallest_gap_of_different_counts": self.apart,
            "comparator_accuracy_bits": self.accuracy,
            "rows": [
                {
                    "name": row.name,
                    "smallest_gap_native_steps": row.gap,
                    "smallest_gap_of_different_counts": row.apart,
                    "comparator_accuracy_bits": row.accuracy,
                    "codes_collapsed": list(row.collapsed),
                    "codes_unreachable": list(row.beyond),
                    "thresholds_outside": list(row.outside),
                }
                for row in self.rows
            ],
        }


def findings(converter: Converter) -> Findings:
    """Look at every row.

    The accuracy is that of a flash converter's reference ladder: with comparators off by less than half of the smallest
    gap no two thresholds change places, and a linear converter resolves that gap with
    log2(full scale / smallest gap) bits.
    """
    return Findings(tuple(_row(converter, r) for r in range(len(converter.rows))))


def _row(converter: Converter, r: int) -> RowFindings:
    counts = converter.counts[r]
    within = (counts > 0) & (counts < converter.native.codes)
    positions = converter.positions[r][within]
    gap = float(np.diff(positions).min()) if len(positions) > 1 else None
    different = np.unique(counts[within])
    starts = np.concatenate([[0], counts])
    stops = np.concatenate([counts, [converter.native.codes]])
    absent = np.flatnonzero(starts >= stops)
    # between thresholds k and k + 1 both inside the range: a collapse; else the range is to blame
    inside = np.concatenate([[False], within[:-1] & within[1:], [False]])
    return RowFindings(
        name=converter.rows[r],
        gap=gap,
        apart=int(np.diff(different).min()) if len(different) > 1 else None,
        accuracy=math.log2(converter.native.span / gap) if gap else None,
        collapsed=tuple(int(code) for code in absent if inside[code]),
        beyond=tuple(int(code) for code in absent if not inside[code]),
        outside=tuple(int(k) + 1 for k in np.flatnonzero(~within)),
    )
