"""The Pareto front against its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qsense.plots.pareto import front

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


def dominated(point: tuple[int, int], by: tuple[int, int], less: bool) -> bool:
    (cost, score), (other_cost, other_score) = point, by
    no_worse = other_score <= score if less else other_score >= score
    return point != by and other_cost <= cost and no_worse


@given(points=POINTS, less=st.booleans())
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int]], less: bool) -> None:
    found = front([cost for cost, _ in points], [score for _, score in points], less)
    expected = [i for i, point in enumerate(points) if not any(dominated(point, other, less) for other in points)]
    assert sorted(found) == expected
    assert [points[i][0] for i in found] == sorted(points[i][0] for i in found)
