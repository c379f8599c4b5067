"""Which points no other point beats in score and cost at once."""

from __future__ import annotations

from collections.abc import Sequence


def front(costs: Sequence[float], scores: Sequence[float], less: bool = False) -> list[int]:
    """The Pareto front: indices of points that no other dominates, from the cheapest to the dearest.

    A point dominates another that costs no less and scores no more, if it differs from it at all; of points that share
    both, each stays.

    Args:
        costs: less is better.
        scores: more is better, or less is.
        less: which of the two.

    >>> front([1, 2, 2, 3, 4], [0.5, 0.7, 0.6, 0.7, 0.9])
    [0, 1, 4]
    >>> front([1, 2], [0.5, 0.7], less=True)
    [0]
    """
    sign = -1 if less else 1
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -sign * scores[i]))
    found: list[int] = []
    for i in order:
        better = not found or sign * scores[i] > sign * scores[found[-1]]
        if better or (costs[i], scores[i]) == (costs[found[-1]], scores[found[-1]]):
            found.append(i)
    return found
