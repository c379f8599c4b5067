"""ADCs whose decision levels were placed by training data before training, and stay there.

Open it to write a quantizer that looks at data; `quantile.py` and `lloyd_max.py` are two.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from qsense.quant.sensor.histogram import Floats
from qsense.quant.sensor.piecewise import PiecewiseCurve, pull_back
from qsense.quant.sensor.settings import Settings
from qsense.signal import Signal


class Fitted(PiecewiseCurve):
    """Decision levels that `fit` places by the histogram of training samples; a subclass says where.

    The curve is straight between the levels: (T_k, z_k) for k = 1 … 2^bits - 1, where z_k is what code k begins at,
    and the two ends of the range. What the network sees are the codes, spread evenly over the range, as with every
    other curve here.

    The levels lie in the buffer `cuts`, in unit coordinates, float32, and travel with the state. Native codes of up to
    22 bits are told apart exactly.

    `rounding` moves no decision level.

    Args:
        per_channel: one histogram per channel instead of one of all samples; None: where the signal is a series (its
            `rate_hz` is stated), whose axes differ, and not for images, whose levels would change their colours.
        settings: as in `SensorQuantizer`.
    """

    wants_samples = True
    cuts: Tensor

    def __init__(
        self, signal: Signal, bits: int, *, per_channel: bool | None = None, **settings: Unpack[Settings]
    ) -> None:
        per_channel = signal.rate_hz is not None if per_channel is None else per_channel
        super().__init__(signal, bits, per_channel=per_channel, lr=None, start=None, **settings)
        self.register_buffer("cuts", torch.full((self.rows, self.steps), torch.nan))
        self._placed = False  # whether `cuts` are known to be there: looking at them may mean waiting for the device

    @abstractmethod
    def place(self, values: Floats, counts: Floats) -> Floats:
        """Decision levels [2^bits - 1], ascending.

        Args:
            values: different values that occur, ascending, in unit coordinates [m].
            counts: how often each does, positive [m].
        """

    @torch.no_grad()
    def fit(self, samples: Tensor) -> None:
        """See the base class.

        Raises:
            ValueError: samples of another shape, none, or some that are not finite.
        """
        self.cuts.copy_(self.levels_by(self.place, samples))

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """∂z/∂u: the slope between two decision levels."""
        inside = u.clamp(self.bottom, 1.0)
        return pull_back(inside, grad * (inside == u), *self.knots(u.dtype))[0] if wants_u else None, []

    def knots(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The decision levels and the two ends of the range."""
        if not self._placed and self.cuts.isnan().any():
            raise RuntimeError(
                f"{type(self).__name__} has no decision levels yet: show it training data first, sensor.fit(samples) "
                "(`qsense.train` does), or load a trained run's state"
            )
        self._placed = True
        ends = self.cuts.new_tensor([[self.bottom, 1.0]], dtype=dtype).expand(self.rows, -1)
        heights = self.code_starts().to(dtype).expand(self.rows, -1)
        knots, heights = (torch.cat([ends[:, :1], inner, ends[:, 1:]], 1) for inner in (self.cuts.to(dtype), heights))
        return knots, heights
