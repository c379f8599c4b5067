"""White balance between converter and network: a gain for each colour, the camera's, stated or learned.

Open it to see what `task.white_balance` computes, and behind which curves a gain of light is a factor of levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from qsense.quant.sensor.learned import for_logs
from qsense.quant.sensor.sensor import Sensor

Gains = Literal["camera", "learned"] | Sequence[float]


class WhiteBalance(nn.Module):
    """y = f_c · x for what a converter delivers of colour c: red, green or blue, both greens of a mosaic alike.

    **Camera's and stated gains** g_c multiply light. What they make of levels depends on the curve: f_c = g_c where
    levels are proportional to light (no quantizer, the linear one), and f_c = g_c^γ behind u^γ, also while γ is
    learned. Behind any other curve no factor of levels means more light; there they are refused. **A learned gain**
    multiplies levels behind any curve: f_c = exp(p_c), from 1, at the network's learning rate, without decay.

    Nothing is cut off at white: a network's input has no upper end, a cut would take from red and blue what the sensor
    has told apart, and a learned gain would get no gradient there. What saturates all colours is thus not grey for the
    network; pictures cut off, as cameras do, and show it white (`plots/display.py`).

    RawDet-7's published code (github.com/Mishalfatima/RawDet-7 at 598f96e, `WB`; off in the training, validation and
    test settings of its detectors) has gains before the curve, of colours as floats: red times ReLU(G)/ReLU(R) and blue
    times ReLU(G)/ReLU(B), cut off at [0, 1], with R, G, B learned from 1 by the network's SGD; a floor on both sides of
    it leaves 0 and 1 alone. There, they are amplifiers in the sensor; here, numbers behind its converter, as a camera's
    image processor has them.

    Args:
        sensor: whose levels are multiplied.
        gains: "camera": those that each frame states; "learned"; or three of red, green and blue, positive.

    Raises:
        ValueError: gains that are none, or gains of light behind a curve where no factor stands for them.

    >>> from qsense.quant.sensor.gamma import Gamma
    >>> from qsense.signal import Signal
    >>> half = Gamma(Signal(3, 0.0, 1.0, "full scale"), bits=4, gamma=0.5)
    >>> WhiteBalance(half, [4.0, 1.0, 2.25])(torch.full((1, 3), 0.4), half).tolist()
    [[0.800000011920929, 0.4000000059604645, 0.6000000238418579]]
    """

    gains: Tensor

    def __init__(self, sensor: Sensor, gains: Gains) -> None:
        super().__init__()
        if isinstance(gains, str):
            if gains not in ("camera", "learned"):
                raise ValueError(f"white_balance={gains!r} must be null, camera, learned or three gains [r, g, b]")
        elif len(gains) != 3 or not all(0 < gain < math.inf for gain in gains):
            raise ValueError(f"white_balance={list(gains)} must be three gains of red, green and blue, each above 0")
        self.source = gains if isinstance(gains, str) else "stated"
        if self.source != "learned" and sensor.power() is None:
            raise ValueError(
                f"white_balance={gains if isinstance(gains, str) else list(gains)} multiplies light, and behind the "
                f"curve of {type(sensor).__name__} no factor of levels does: set white_balance=learned, or a "
                "quantizer whose levels are light or a power of it (quant=none, linear, gamma)"
            )
        if self.source == "learned":
            self.log_gain = nn.Parameter(torch.zeros(3))
        else:
            self.register_buffer("gains", torch.ones(3) if isinstance(gains, str) else torch.tensor(gains).float())

    def forward(
        self,
        levels: Tensor,
        sensor: Sensor,
        condition: Sequence[int] | Tensor | None = None,
        gains: Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Tensor:
        """What follows, in the shape of `levels`.

        Args:
            levels: what the converter delivers: [B, C, H, W], or samples [n, C]; C = 4 planes or 3 colours.
            sensor: the converter.
            condition: of each example, as the sensor got it.
            gains: the camera's, [B, 3], of each example; None: 1. Others have their own.
        """
        factors = self.factors(levels, sensor, condition, gains)
        return levels * factors.view(*factors.shape, *[1] * (levels.dim() - 2))

    def factors(
        self,
        levels: Tensor,
        sensor: Sensor,
        condition: Sequence[int] | Tensor | None,
        gains: Sequence[Sequence[float]] | Tensor | None,
    ) -> Tensor:
        """Of each channel of levels, [B or 1, C]."""
        if self.source == "learned":
            return of_channels(self.log_gain.exp()[None], levels.shape[1])
        light = self.gains[None]
        if self.source == "camera" and gains is not None:
            light = torch.as_tensor(gains, dtype=levels.dtype, device=levels.device)
        power = sensor.power(condition)
        assert power is not None
        channels = sensor.signal.channels
        factors = of_channels(light, channels) ** power
        if channels == 4 and levels.shape[1] == 3:  # planes have become colours
            return torch.stack([factors[:, 0], (factors[:, 1] + factors[:, 2]) / 2, factors[:, 3]], dim=1)
        return factors

    def trajectory(self) -> dict[str, list[float]]:
        """For logs: learned gains of red, green and blue; empty where they are not learned."""
        return {"gain": for_logs(self.log_gain.detach().exp())} if self.source == "learned" else {}

    def record(self) -> dict[str, Any]:
        """Gains of red, green and blue and what they multiply, ready for JSON."""
        if self.source == "learned":
            return {"multiplies": "levels", "gains": self.trajectory()["gain"]}
        return {"multiplies": "light", "gains": "camera" if self.source == "camera" else for_logs(self.gains)}


def of_channels(colours: Tensor, channels: int) -> Tensor:
    """Of red, green and blue [n, 3] → of the channels, [n, 3], or [n, 4] of red, green 1, green 2 and blue."""
    return colours[:, [0, 1, 1, 2]] if channels == 4 else colours
