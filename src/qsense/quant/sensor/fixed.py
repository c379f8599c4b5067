"""The curves that nobody learned, side by side: what a learned one is compared with.

Open it to change which curves contact sheets and visibility tables show.
"""

from __future__ import annotations

from collections.abc import Sequence

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.settings import Rounding
from qsense.signal import Signal

GAMMAS = (0.6, 0.35, 0.2)


def fixed_curves(
    signal: Signal, bits: int, gammas: Sequence[float] = GAMMAS, rounding: Rounding = "round"
) -> dict[str, SensorQuantizer]:
    """Linear, log, and one γ after the other, by name.

    Args:
        signal: a raw sensor; the log curve's ε is one of its native steps (of 12 bits where it has none).
        bits: resolution, 1 … 16.
        gammas: exponents, positive.
        rounding: "round" (half up) or "floor".

    Raises:
        ValueError: an argument that the quantizers refuse.

    >>> list(fixed_curves(Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=14), bits=4))
    ['linear', 'log', 'γ = 0.6', 'γ = 0.35', 'γ = 0.2']
    """
    powers = {f"γ = {gamma:g}": Gamma(signal, bits, gamma=gamma, rounding=rounding) for gamma in gammas}
    log = Log(signal, bits, rounding=rounding)
    return {"linear": Linear(signal, bits, rounding=rounding), "log": log, **powers}
