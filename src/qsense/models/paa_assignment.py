"""PAA's assignment of anchors to objects (Kim and Lee, ECCV 2020, section 3): all objects of a batch at once.

Open it to see which anchors PAA learns from.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ITERATIONS = 100
TOLERANCE = 1e-3  # of the mean log likelihood, as scikit-learn's
SMALLEST_VARIANCE = 1e-6  # added to a variance, as scikit-learn does
LOG_2PI = math.log(2 * math.pi)


class Mixture(NamedTuple):
    """Two normal distributions per row: logarithms of each one's weighted density at each value, [2, G, S].

    Their sum's logarithm is the mixture's density; the larger one says to which a value belongs.
    """

    log_density: Tensor

    @property
    def first(self) -> Tensor:
        """Whether a value belongs to component 0, which started at the smallest one: bool [G, S]."""
        return self.log_density[0] >= self.log_density[1]

    @property
    def total(self) -> Tensor:
        """Logarithm of the mixture's density [G, S]."""
        return self.log_density.logsumexp(dim=0)


def fit_mixture(values: Tensor, mask: Tensor) -> Mixture:
    """Fit two normal distributions to each row by expectation maximisation, in float64.

    They start at the row's smallest and largest value with variance 1 and weight ½. A row rests when its mean log
    likelihood changes by less than 1e-3, at the latest after 100 rounds; the others go on. This is what scikit-learn's
    `GaussianMixture` does with these initial values, row by row.

    Args:
        values: [G, S]; what stands where there is no value does not matter.
        mask: where there is one, bool [G, S]; at least two per row.

    >>> values = torch.tensor([[0.0, 0.2, 0.1, 5.0, 5.1, 0.0]])
    >>> fit_mixture(values, torch.tensor([[True, True, True, True, True, False]])).first
    tensor([[ True,  True,  True, False, False,  True]])
    """
    x = torch.where(mask, values.double(), 0.0)
    count = mask.sum(dim=1)
    mean = torch.stack(
        [x.masked_fill(~mask, math.inf).amin(dim=1), x.masked_fill(~mask, -math.inf).amax(dim=1)]
    )  # [2, G]
    variance = torch.ones_like(mean)
    weight = torch.full_like(mean, 0.5)
    before = x.new_full((len(x),), -math.inf)
    running = torch.ones_like(count, dtype=torch.bool)
    for _ in range(ITERATIONS):
        density = _log_density(x, mean, variance, weight)
        total = density.logsumexp(dim=0)
        share = (density - total).exp() * mask
        size = share.sum(dim=2) + 10 * torch.finfo(torch.float64).eps
        new_mean = (share * x).sum(dim=2) / size
        new_variance = (share * (x - new_mean[..., None]).square()).sum(dim=2) / size + SMALLEST_VARIANCE
        mean = torch.where(running, new_mean, mean)
        variance = torch.where(running, new_variance, variance)
        weight = torch.where(running, size / size.sum(dim=0), weight)
        likelihood = (total * mask).sum(dim=1) / count
        # Not `change >= tolerance`: a NaN has to rest, too.
        running = running & ~((likelihood - before).abs() < TOLERANCE) & likelihood.isfinite()
        before = likelihood
        if not running.any():
            break
    return Mixture(_log_density(x, mean, variance, weight))


def _log_density(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor) -> Tensor:
    """log(weight · N(x; mean, variance)): [2, G, S]."""
    constant = weight.log() - 0.5 * (LOG_2PI + variance.log())
    return constant[..., None] - 0.5 * (x - mean[..., None]).square() / variance[..., None]


def choose_positives(losses: Tensor, mask: Tensor) -> Tensor:
    """Which candidates of each object are positive.

    Those of the mixture's component 0 up to (in rising order of loss) its one of highest density; an object with fewer
    than two candidates keeps them, and so does one whose candidates all belong to component 1.

    Args:
        losses: of each object's candidates in rising order, [G, S].
        mask: where there is a candidate, bool [G, S], the first ones of each row.

    Returns:
        bool [G, S].
    """
    enough = mask.sum(dim=1) >= 2
    positive = mask.clone()
    if not enough.any():
        return positive
    losses, mask = losses[enough], mask[enough]
    mixture = fit_mixture(losses, mask)
    first = mixture.first & mask
    peak = mixture.total.masked_fill(~first, -math.inf).argmax(dim=1, keepdim=True)
    places = torch.arange(losses.shape[1], device=losses.device)
    chosen = first & (places <= peak)
    positive[enough] = torch.where(first.any(dim=1, keepdim=True), chosen, mask)
    return positive


def assign(objects: Tensor, levels: Tensor, losses: Tensor, number: int, per_level: int = 9) -> Tensor:
    """Which of the candidates are positive: for each object, those that its network's losses speak for.

    Per object and level the `per_level` candidates of lowest loss are looked at, and a mixture of two normal
    distributions over an object's losses separates them (`choose_positives`).

    Args:
        objects: object that each candidate might belong to, int64 [M], 0 … number − 1.
        levels: level of the pyramid of each candidate, int64 [M].
        losses: of each candidate for that object, [M].
        number: objects G.
        per_level: candidates per object and level.

    Returns:
        bool [M].

    >>> assign(torch.tensor([0, 0, 0, 1]), torch.zeros(4, dtype=torch.int64), torch.tensor([0.1, 3, 0.2, 9]), 2)
    tensor([ True, False, False,  True])
    """
    by_loss = losses.argsort(stable=True)
    groups = objects * (levels.max() + 1 if len(levels) else 1) + levels
    order = by_loss[groups[by_loss].argsort(stable=True)]
    order = order[_ranks(groups[order]) < per_level]
    # Again, now by object alone.
    order = order[losses[order].argsort(stable=True)]
    order = order[objects[order].argsort(stable=True)]
    rows, columns = objects[order], _ranks(objects[order])
    width = int(columns.max()) + 1 if len(columns) else 0
    table = losses.new_zeros((number, width), dtype=torch.float64)
    mask = torch.zeros((number, width), dtype=torch.bool, device=losses.device)
    table[rows, columns] = losses[order].double()
    mask[rows, columns] = True
    positive = torch.zeros_like(objects, dtype=torch.bool)
    positive[order] = choose_positives(table, mask)[rows, columns]
    return positive


def _ranks(groups: Tensor) -> Tensor:
    """Place of each entry within its run of equal ones.

    >>> _ranks(torch.tensor([3, 3, 5, 7, 7, 7]))
    tensor([0, 1, 0, 0, 1, 2])
    """
    return torch.arange(len(groups), device=groups.device) - torch.searchsorted(groups, groups)
