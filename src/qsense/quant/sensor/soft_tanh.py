"""The ADC learned as a staircase of tanh steps that sharpen during training (deep task-based quantization).

Open it for a curve that changes from epoch to epoch by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from qsense.quant.sensor.settings import LearnedSettings
from qsense.quant.sensor.thresholds import Thresholds
from qsense.signal import Signal


class SoftTanh(Thresholds):
    """Free decision levels; training sees smooth steps in their place, evaluation the levels themselves.

    Shlezinger & Eldar, "Deep Task-Based Quantization" (2021, section 3.2.2) replace a scalar quantizer in training by
    Σ_k a_k·tanh(c_k·u - b_k), a step of slope c_k at each decision level b_k/c_k, raise c from one part of the training
    to the next, and put the sign for the tanh afterwards. Here every step has the same height, since the network sees
    evenly spread codes. With t the place on the scale of codes that the curve of `Thresholds` gives (the k-th level is
    t = k), and k the level nearest to t,

        staircase = k + ½·tanh(c·(t - k))/tanh(c/2):

    each step ends half way to its neighbours, where their tanh would overlap, and is stretched to reach its full height
    there (Gong et al., "Differentiable Soft Quantization", 2019), so that one tanh per sample does for the sum. c is in
    units of one step, whatever its width, and grows from epoch to epoch, geometrically, from `sharpness` to
    `final_sharpness`. Decision levels do not depend on it.

    Args:
        sharpness: c in the first epoch, 0.01 … 100; below 1 the steps are hardly seen.
        final_sharpness: c in the last epoch, not below `sharpness`, at most 100.
        settings: as in `SensorQuantizer`, but for `surrogate`, by default "soft" as in the paper: training sees the
            staircase. Under the others it sees what `estimators.py` says, and gradients are those of the staircase.

    >>> steps = SoftTanh(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=1, sharpness=8.0)
    >>> x = torch.tensor([0.1, 0.4, 0.5, 0.6, 0.9])
    >>> steps(x).detach(), steps.eval()(x).detach()
    (tensor([0.0013, 0.1678, 0.5000, 0.8322, 0.9987]), tensor([0., 0., 1., 1., 1.]))
    """

    sharpness: Tensor

    def __init__(
        self,
        signal: Signal,
        bits: int,
        sharpness: float = 2.0,
        final_sharpness: float = 20.0,
        **settings: Unpack[LearnedSettings],
    ) -> None:
        settings.setdefault("surrogate", "soft")
        super().__init__(signal, bits, **settings)
        if not 0.01 <= sharpness <= final_sharpness <= 100:
            raise ValueError(
                f"sharpness={sharpness!r}, final_sharpness={final_sharpness!r}: SoftTanh needs 0.01 ≤ sharpness ≤ "
                "final_sharpness ≤ 100"
            )
        self._half = 0.5 if self.rounding == "round" else 0.0
        self.ends = (float(sharpness), float(final_sharpness))
        self.register_buffer("sharpness", torch.tensor(self.ends[0]))

    def curve(self, u: Tensor) -> Tensor:
        """z of the staircase."""
        t, level, sharpness = self._steps(u)
        stairs = level + (sharpness * (t - level)).tanh() / (2 * (sharpness / 2).tanh())
        return (stairs - self._half) * (self.span / self.steps) + self.bottom

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """That of `Thresholds` behind the steps' slope c·(1 - tanh²(c·(t - k)))/(2·tanh(c/2))."""
        t, level, sharpness = self._steps(u)
        slope = (sharpness * (t - level)).tanh().square_().neg_().add_(1.0) * (sharpness / (2 * (sharpness / 2).tanh()))
        return super().pullback(u, grad * slope, wants_u, wants)

    @torch.no_grad()
    def progress(self, share: float) -> None:
        """Sharpen: c = first · (last/first)^share."""
        first, last = self.ends
        self.sharpness.fill_(first * (last / first) ** share)

    def trajectory(self) -> dict[str, list[float]]:
        """Like that of `Thresholds`, and the sharpness."""
        return {**super().trajectory(), "sharpness": [float(self.sharpness)]}

    def _steps(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """t, the level nearest to it, and c."""
        z = super().curve(u).clamp(self.bottom - 1.0, 2.0)  # finite, and far enough not to cut gradients off
        t = (z - self.bottom) * (self.steps / self.span) + self._half
        level = t.detach().round().clamp(1, self.steps)  # under floor t ends half a step beyond the levels
        return t, level, self.sharpness.to(u.dtype)
