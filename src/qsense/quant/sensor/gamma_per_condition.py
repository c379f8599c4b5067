"""One γ ADC per condition, chosen sample by sample: a camera that converts differently by day and by night."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.ste import straight_through
from qsense.signal import Signal

Runs = list[tuple[int, slice]]  # condition, and neighbouring samples that share it


class GammaPerCondition(SensorQuantizer):
    """`Gamma` with γ (and μ) of its own under each of the signal's `conditions`; one for all where it states none.

    A condition that is absent from a batch gets a gradient of zero.

    Args:
        signal: what the sensor delivers.
        bits: resolution, 1 … 16.
        gamma: exponent to start from under every condition; see `Gamma`.
        mu: centre to start from; see `Gamma`.
        epsilon: keeps the slope at the centre finite; see `Gamma`.
        lr: own learning rate of γ and μ; None means the network's.
        rounding: "round" (half up) or "floor".
        surrogate: how gradients pass the rounding: "ste", "noise", "soft", "ewgs" or "rect" (`estimators.py`).
        output: "level" (in the sensor's unit) or "code".

    Raises:
        ValueError: an argument outside what is listed.

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
        lr: float | None = None,
        rounding: Literal["round", "floor"] = "round",
        surrogate: Literal["ste", "noise", "soft", "ewgs", "rect"] = "ste",
        output: Literal["level", "code"] = "level",
    ) -> None:
        super().__init__(signal, bits, rounding, surrogate, output, lr=lr)
        self.rows = max(len(signal.conditions), 1)
        self.converters = nn.ModuleList(
            Gamma(signal, bits, gamma, mu, epsilon, False, lr, rounding, surrogate, output) for _ in range(self.rows)
        )

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
                x, partial(self._value_of, runs), partial(self._gradients_of, runs), list(self.parameters())
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
        found = self.converters[condition]
        assert isinstance(found, Gamma)
        return found

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

    def _value_of(self, runs: Runs, x: Tensor) -> Tensor:
        samples = self._samples(x)
        result = torch.empty(samples.shape, dtype=self._output_dtype(samples), device=x.device)
        for c, part in runs:
            self._converter(c)._write(samples[part], result[part])
        return result

    def _gradients_of(
        self, runs: Runs, x: Tensor, grad: Tensor, wants_x: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        parameters = list(self.parameters())
        each = len(parameters) // self.rows
        of_x = torch.zeros_like(x) if wants_x else None
        totals = [torch.zeros_like(p) if want else None for p, want in zip(parameters, wants, strict=True)]
        for c, part in runs:
            mine = slice(c * each, (c + 1) * each)
            of_part, found = self._converter(c)._gradients(x[part], grad[part], wants_x, wants[mine])
            if of_x is not None and of_part is not None:
                of_x[part] = of_part
            for total, new in zip(totals[mine], found, strict=True):
                if total is not None and new is not None:
                    total += new
        return of_x, totals
