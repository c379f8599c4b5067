"""The settings that all curves share: their types, and what is refused; `base.SensorQuantizer` says what they mean.

Open it to see what `**settings` of a curve's constructor takes.
"""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

from qsense.signal import Signal

Rounding = Literal["round", "floor"]
Surrogate = Literal["ste", "noise", "soft", "ewgs", "rect"]
Output = Literal["level", "code"]
Start = Literal["quantile", "lloyd_max"]


class Settings(TypedDict, total=False):
    """Of every curve."""

    rounding: Rounding
    surrogate: Surrogate
    output: Output


class LearnedSettings(Settings, total=False):
    """Of a learned curve that may be another one in each channel."""

    per_channel: bool
    lr: float | None
    start: Start | None


def check(
    name: str,
    signal: Signal,
    bits: int,
    rounding: Rounding,
    surrogate: Surrogate,
    output: Output,
    per_channel: bool,
    lr: float | None,
    start: Start | None,
) -> None:
    """Raise ValueError for what a curve called `name` cannot be built with."""
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise ValueError(f"bits={bits!r}: {name} needs an integer from 1 to 16")
    for key, value, choices in (
        ("rounding", rounding, get_args(Rounding)),
        ("surrogate", surrogate, get_args(Surrogate)),
        ("output", output, get_args(Output)),
    ):
        if value not in choices:
            raise ValueError(f"{key}={value!r}: {name} allows {' or '.join(choices)}")
    if start not in (None, *get_args(Start)):
        raise ValueError(f"start={start!r}: {name} allows null or {' or '.join(get_args(Start))}")
    if not isinstance(per_channel, bool):
        raise ValueError(f"per_channel={per_channel!r}: {name} allows true or false")
    if lr is not None and not 0 <= lr < float("inf"):
        raise ValueError(f"lr={lr!r}: {name} needs a learning rate of at least 0, or null for the network's")
    if signal.low is None or signal.high is None:
        raise ValueError(
            f"{name} needs the sensor's range, which this signal does not state (low=None, high=None): "
            "state the data set's range, or normalise the data to one (data.normalise=dataset, train or range)"
        )
    if per_channel and signal.channels << bits > 1 << 24:  # the search counts in float32, exact up to here
        raise ValueError(f"bits={bits}: {name} with {signal.channels} curves allows channels · 2^bits ≤ 2^24")
