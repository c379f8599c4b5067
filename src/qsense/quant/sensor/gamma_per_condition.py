"""One γ ADC per condition, chosen sample by sample: a camera that converts differently by day and by night.

Open it for a quantizer that is told something about each sample of a batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Unpack

import torch
from torch import Tensor, nn

from qsense.quant.sensor import conversion
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.learned import Parametrization
from qsense.quant.sensor.settings import Settings
from qsense.quant.ste import straight_through
from qsense.signal import Signal

Runs = list[tuple[int, slice]]  # condition, and neighbouring samples that share it


class GammaPerCondition(SensorQuantizer):
    """`Gamma` with γ (and μ) of its own under each of the signal's `conditions`; one for all where it states none.

    A condition that is absent from a batch gets a gradient of zero.

    Args:
        gamma: exponent to start from under every condition; as `mu`, `epsilon` and `parametrization`, see `Gamma`.
        lr: own learning rate of γ and μ; None means the network's.
        settings: as in `SensorQuantizer`.

    >>> raw = Signal(channels=4, low=0.0, high=1.0, unit="full scale", conditions=("day", "night"))
    >>> gamma = GammaPerCondition(raw, bits=2)
    >>> gamma.trajectory()
    {'gamma': [1.0, 1.0]}
    >>> gamma(torch.full((2, 4, 1, 1), 0.4), condition=[0, 1]).shape
    torch.Size([2, 4, 1, 1])
    """

    def __init__(
        self,
        signal: Signal,
        bits: int,
        gamma: float | None = None,
        mu: float = 0.0,
        epsilon: float = 1e-3,
        parametrization: Parametrization = "exp",
        lr: float | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(signal, bits, **settings, per_channel=False, lr=lr, start=None)
        self.rows = max(len(signal.conditions), 1)
        self.converters = nn.ModuleList(
            Gamma(signal, bits, gamma, mu, epsilon, parametrization, lr=lr, **settings) for _ in range(self.rows)
        )
        self.decays = parametrization == "relu"

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees, in the shape of x: each sample of the batch through the converter of its condition.

        Args:
            x: samples, values or native codes; the first dimension is the batch.
            condition: of each sample, an index into the signal's `conditions`; None where there is only one.

        Raises:
            ValueError: no condition where there are several, a wrong number of them, or one that there is not.
        """
        runs = self._runs(x, condition)
        with torch.autocast(x.device.type, enabled=False):
            return straight_through(
                x, partial(self._convert, runs), partial(self._gradients, runs), list(self.parameters())
            )

    @torch.no_grad()
    def encode(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """Codes, as in the base class, each sample's by the converter of its condition.

        Raises:
            ValueError: as in `forward`, or x holds NaN or infinity.
        """
        codes = torch.empty(x.shape, dtype=torch.int32, device=x.device)
        for c, part in self._runs(x, condition):
            codes[part] = self._converter(c).encode(x[part])
        return codes

    def curve(self, u: Tensor) -> Tensor:
        """z of every condition, [conditions, n]; see `Gamma`."""
        return torch.cat([self._converter(c).curve(row) for c, row in enumerate(self._per_row(u))])

    def inverse(self, z: Tensor) -> Tensor:
        """u of every condition, [conditions, n]; see `Gamma`."""
        return torch.cat([self._converter(c).inverse(row) for c, row in enumerate(self._per_row(z))])

    def power(self, condition: Sequence[int] | Tensor | None = None) -> float | Tensor | None:
        """γ of the unipolar curve, [B, 1] of each sample's condition."""
        powers = [self._converter(c).power() for c in range(self.rows)]
        if not all(isinstance(power, Tensor) for power in powers):
            return None
        gamma = torch.stack([power for power in powers if isinstance(power, Tensor)])
        return gamma if condition is None else gamma[torch.as_tensor(condition, device=gamma.device)]

    def progress(self, share: float) -> None:
        """Warn of dead γ."""
        for c in range(self.rows):
            self._converter(c).progress(share)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep every μ within the range."""
        for c in range(self.rows):
            self._converter(c).clamp_()

    def trajectory(self) -> dict[str, list[float]]:
        """γ, and for bipolar signals μ, one value per condition."""
        learned = [self._converter(c).trajectory() for c in range(self.rows)]
        return {name: [value for one in learned for value in one[name]] for name in learned[0]}

    def _converter(self, condition: int) -> Gamma:
        converter = self.converters[condition]
        assert isinstance(converter, Gamma)
        return converter

    def _per_row(self, u: Tensor) -> list[Tensor]:
        return [u] if self.rows == 1 else list(torch.split(u.expand(self.rows, -1), 1))

    def _runs(self, x: Tensor, condition: Sequence[int] | None) -> Runs:
        names = ", ".join(f"{i} ({name})" for i, name in enumerate(self.signal.conditions)) or "0"
        if condition is None:
            if self.rows > 1:
                raise ValueError(
                    f"GammaPerCondition has a curve for each of {self.rows} conditions: pass condition=[…], "
                    f"for each sample of the batch one of {names}"
                )
            return [(0, slice(None))]
        if len(condition) != len(x):
            raise ValueError(f"{len(condition)} conditions for a batch of {len(x)} samples")
        for c in condition:
            if not 0 <= c < self.rows:
                raise ValueError(f"condition={c}: the signal's conditions are {names}")
        runs, start = [], 0
        for c, same in itertools.groupby(condition):
            stop = start + len(list(same))
            runs.append((c, slice(start, stop)))
            start = stop
        return runs

    def _convert(self, runs: Runs, x: Tensor) -> Tensor:
        samples = conversion.as_samples(self, x)
        output = conversion.empty_output(samples)
        for c, parts in _by_condition(runs):
            conversion.convert_into(self._converter(c), [(samples[part], output[part]) for part in parts])
        for c, part in runs:  # in the batch's order, as each may draw noise
            conversion.blur(self._converter(c), output[part])
        return output

    def _gradients(
        self, runs: Runs, x: Tensor, grad: Tensor, wants_x: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        parameters = list(self.parameters())
        count = len(parameters) // self.rows  # of each condition
        grad_x = torch.zeros_like(x) if wants_x else None
        totals = [torch.zeros_like(p) if want else None for p, want in zip(parameters, wants, strict=True)]
        for c, parts in _by_condition(runs):
            place = slice(c * count, (c + 1) * count)
            grad_parts, grad_parameters = conversion.gradients_of_parts(
                self._converter(c), [(x[part], grad[part]) for part in parts], wants_x, wants[place]
            )
            if grad_x is not None and grad_parts is not None:
                sizes = [len(x[part]) for part in parts]
                for part, grad_part in zip(parts, torch.split(grad_parts, sizes), strict=True):
                    grad_x[part] = grad_part
            for total, grad_parameter in zip(totals[place], grad_parameters, strict=True):
                if total is not None and grad_parameter is not None:
                    total += grad_parameter
        return grad_x, totals


def _by_condition(runs: Runs) -> list[tuple[int, list[slice]]]:
    """Each condition with its parts of the batch, so that one table serves all of them.

    >>> _by_condition([(1, slice(0, 2)), (0, slice(2, 3)), (1, slice(3, 4))])
    [(1, [slice(0, 2, None), slice(3, 4, None)]), (0, [slice(2, 3, None)])]
    """
    parts: dict[int, list[slice]] = {}
    for condition, part in runs:
        parts.setdefault(condition, []).append(part)
    return list(parts.items())
