"""Learning rates over a training: a linear warm-up, milestones, a cosine, as shares of the rate that was set.

Open it to see what a recipe's `warmup`, `milestones` and `schedule` do. Tasks hand the product of two of these to
torch's LambdaLR. Its LinearLR and MultiStepLR, joined by SequentialLR, compute each rate from the one before: their
last bits differ.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence


def warm_up(step: int, steps: int, start: float = 0.0) -> float:
    """Rises linearly from `start` at step 0 to 1 at step `steps`, and stays there.

    >>> [warm_up(step, 4, start=0.5) for step in range(6)]
    [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]
    """
    return start + (1 - start) * step / steps if step < steps else 1.0


def falling(epoch: float, milestones: Sequence[int], factor: float) -> float:
    """`factor` to the power of the milestones up to now: factor^|{m ≤ epoch}|.

    >>> [falling(epoch, [2, 3], factor=0.5) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """
    return float(factor ** bisect_right(milestones, epoch))


def cosine(epoch: float, epochs: float) -> float:
    """Half a cosine from 1 at epoch 0 to 0 at `epochs`: ½(1 + cos(π·epoch/epochs)).

    >>> [cosine(epoch, 4) for epoch in (0, 2, 4)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * min(epoch / epochs, 1.0)))
