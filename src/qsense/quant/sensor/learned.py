"""What curves with a few learned numbers share.

Open it when you write one: a curve that one bit cannot show, and learned numbers in logs.
"""

from __future__ import annotations

import warnings

from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer


def freeze_at_one_bit(adc: SensorQuantizer, parameter: nn.Parameter, name: str) -> None:
    """Freeze a parameter that moves no decision level, with a warning that calls it `name`.

    It shapes the curve between points that stay where they are: both ends of the range, and the centre of a bipolar
    one. The one level of 1 bit lies on such a point, except for unipolar signals with rounding "round".
    """
    if adc.bits == 1 and (adc.signal.bipolar or adc.rounding == "floor"):
        parameter.requires_grad_(False)
        warnings.warn(f"at 1 bit {name} changes no code: it is frozen at its initial value", stacklevel=3)


def for_logs(values: Tensor) -> list[float]:
    """Numbers to float32's accuracy, without the digits of their float64 form.

    >>> import torch
    >>> for_logs(torch.tensor([0.4]))
    [0.4]
    """
    return [float(f"{value:.7g}") for value in values.tolist()]
