"""What curves with a few learned numbers share.

Open it when you write one: a learned exponent, a curve that one bit cannot show, and learned numbers in logs.
"""

from __future__ import annotations

import math
import warnings
from typing import Literal, Unpack, get_args

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

Parametrization = Literal["exp", "relu"]


class LearnedExponent(SensorQuantizer):
    """A curve with an exponent γ, learned as exp(`log_gamma`) or as ReLU(`raw_gamma`).

    The first stays positive and has no weight decay. The second is as in γ-Quant's code, with the network's weight
    decay; a `raw_gamma` that a step takes to 0 or below is dead: the curve is a single step, no gradient reaches it
    again, and an epoch later there is a warning.

    Args:
        gamma: exponent to start from, positive.
        parametrization: what γ is learned as, "exp" or "relu".
        settings: as in `SensorQuantizer`.
    """

    def __init__(
        self,
        signal: Signal,
        bits: int,
        gamma: float,
        parametrization: Parametrization,
        **settings: Unpack[LearnedSettings],
    ) -> None:
        super().__init__(signal, bits, **settings)
        name = type(self).__name__
        if parametrization not in get_args(Parametrization):
            raise ValueError(f"parametrization={parametrization!r}: {name} allows exp or relu")
        if parametrization == "relu" and settings.get("start") is not None:
            raise ValueError(
                f"start={settings['start']!r}: {name} with parametrization=relu allows null, and has gamma"
            )
        self.parametrization = parametrization
        self.decays = parametrization == "relu"
        if parametrization == "exp":
            self.log_gamma = nn.Parameter(torch.full((self.rows,), math.log(gamma)))
        else:
            self.raw_gamma = nn.Parameter(torch.full((self.rows,), float(gamma)))
        self.warned = False  # that a γ is dead
        freeze_at_one_bit(self, self.log_gamma if parametrization == "exp" else self.raw_gamma, "gamma")

    def exponents(self, dtype: torch.dtype) -> Tensor:
        """γ, one per curve."""
        return self.log_gamma.to(dtype).exp() if self.parametrization == "exp" else self.raw_gamma.to(dtype).relu()

    def slopes(self, gamma: Tensor) -> Tensor:
        """∂γ over what it is learned as, one per curve: γ for exp, and for ReLU 1, or 0 where it is dead."""
        return gamma if self.parametrization == "exp" else self.raw_gamma.gt(0).to(gamma.dtype)

    def roots(self, dtype: torch.dtype) -> Tensor:
        """1/γ, one per curve."""
        exp = self.parametrization == "exp"
        return self.log_gamma.to(dtype).neg().exp() if exp else self.exponents(dtype).reciprocal()

    def progress(self, share: float) -> None:
        """Warn, once, of a γ that is dead; not after each step, since whoever looks waits for the device."""
        if self.parametrization == "relu" and not self.warned and (self.raw_gamma <= 0).any():
            self.warned = True
            dead = ", ".join(f"{value:.3g}" for value in self.raw_gamma.tolist() if value <= 0)
            warnings.warn(
                f"γ is dead: a step took its raw value to {dead}, and below 0 ReLU passes no gradient. Lower "
                "quant.sensor.lr, or set quant.sensor.parametrization=exp",
                stacklevel=2,
            )

    def trajectory(self) -> dict[str, list[float]]:
        """γ, one value per curve."""
        return {"gamma": for_logs(self.exponents(torch.float64).detach().float())}


def freeze_at_one_bit(adc: SensorQuantizer, parameter: nn.Parameter, name: str) -> None:
    """Freeze a parameter that moves no decision level, with a warning that calls it `name`.

    It shapes the curve between points that stay where they are: both ends of the range, and the centre of a bipolar
    one. The one level of 1 bit lies on such a point, except for unipolar signals with rounding "round".
    """
    if adc.bits == 1 and (adc.signal.bipolar or adc.rounding == "floor"):
        parameter.requires_grad_(False)
        warnings.warn(f"at 1 bit {name} changes no code: it is frozen at its initial value", stacklevel=4)


def for_logs(values: Tensor) -> list[float]:
    """Numbers to float32's accuracy, without the digits of their float64 form.

    >>> import torch
    >>> for_logs(torch.tensor([0.4]))
    [0.4]
    """
    return [float(f"{value:.7g}") for value in values.tolist()]
