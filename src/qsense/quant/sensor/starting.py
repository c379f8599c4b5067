"""Where a learned curve begins if it is to begin with decision levels that were fitted to the training data.

Open it for how a curve of few numbers is brought as close to given levels as it gets.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.lloyd import least_error
from qsense.quant.sensor.sensor import Sensor

T = TypeVar("T", bound=Sensor)

RULES = {"quantile": equal_shares, "lloyd_max": least_error}  # where each `start` places levels
FIRST, LATER = 65, 17  # candidates of each number, in the first round of the search and in those that close in
ROUNDS = 30  # each of which leaves a quarter: down to float64's accuracy
MOST = 1 << 22  # levels that are computed at once


@torch.no_grad()
def nearest(adc: T, searched: Mapping[str, tuple[float, float]], levels: Callable[[T], Tensor], wanted: Tensor) -> None:
    """Set the numbers that are `searched` for, row by row, to those whose levels T leave the least Σ (T - t)².

    A parameter that is frozen keeps its value: it moves no level.

    Args:
        adc: whose numbers they are.
        searched: by name what each row has one of, and between which ends to look for it.
        levels: T of an `adc` of any number of rows, unit coordinates, float64 [rows, levels].
        wanted: t, unit coordinates, [rows, levels].
    """
    trial, targets = copy.deepcopy(adc).cpu().double(), wanted.cpu().double()
    found = {name: getattr(adc, name) for name in searched}
    free = [name for name, x in found.items() if x is not None and (x.requires_grad or not isinstance(x, nn.Parameter))]
    if not free:
        return
    ends = torch.tensor([searched[name] for name in free], dtype=torch.float64)

    def errors(target: Tensor, candidates: Tensor) -> Tensor:
        for name, values in zip(free, candidates.T, strict=True):
            getattr(trial, name).data = values.clone()
        for name, x in found.items():
            if x is not None and name not in free:  # frozen: the same in every candidate
                getattr(trial, name).data = x.detach().cpu().double()[:1].expand(len(candidates)).clone()
        trial.rows = len(candidates)
        trial.clamp_()
        square = (levels(trial) - target).square().sum(1)
        return square.nan_to_num(torch.inf)

    for row, target in enumerate(targets):
        best = least(partial(errors, target), ends[:, 0], ends[:, 1], size=len(target))
        for name, value in zip(free, best.tolist(), strict=True):
            getattr(adc, name)[row] = value
    adc.clamp_()


def least(error: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, size: int = 1) -> Tensor:
    """Where a function of few numbers is least within a box, by a grid that closes in on its best point; float64 [p].

    Every round looks at a smaller grid around the best point of the one before; where that lay at a grid's edge, at one
    of the same size.

    Args:
        error: [n, p] → [n].
        low: of the box [p].
        high: of the box [p].
        size: numbers that `error` computes for one point.

    >>> box = torch.tensor([-1.0, -1.0], dtype=torch.float64), torch.tensor([1.0, 1.0], dtype=torch.float64)
    >>> [round(x, 6) for x in least(lambda p: (p[:, 0] - 0.3) ** 2 + (p[:, 1] - p[:, 0] - 2) ** 2, *box).tolist()]
    [-0.35, 1.0]
    """
    centre, reach = (low + high) / 2, (high - low) / 2
    for count in (FIRST, *[LATER] * ROUNDS):
        steps = torch.linspace(-1, 1, count, dtype=torch.float64)
        offsets = torch.cartesian_prod(*[steps] * len(low)).view(-1, len(low))
        candidates = torch.maximum(torch.minimum(centre + reach * offsets, high), low)
        parts = torch.split(candidates, max(MOST // size, 1))
        best = candidates[torch.cat([error(part) for part in parts]).argmin()]
        at_edge = (best - centre).abs() >= reach * (1 - 1e-9)
        closer = reach * (4 / (count - 1))  # two steps of the grid
        centre, reach = best, closer if count == FIRST else torch.where(at_edge, reach, closer)
    return centre
