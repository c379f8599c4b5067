"""The settings that all curves share, as types; `base.SensorQuantizer` says what they mean.

Open it to see what `**settings` of a curve's constructor takes.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Rounding = Literal["round", "floor"]
Surrogate = Literal["ste", "noise", "soft", "ewgs", "rect"]
Output = Literal["level", "code"]


class Settings(TypedDict, total=False):
    """Of every curve."""

    rounding: Rounding
    surrogate: Surrogate
    output: Output


class ChannelSettings(Settings, total=False):
    """Of a curve that may be another one in each channel."""

    per_channel: bool


class LearnedSettings(ChannelSettings, total=False):
    """Of a learned curve that may be another one in each channel."""

    lr: float | None
