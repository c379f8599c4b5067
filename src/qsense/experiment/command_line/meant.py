"""What is probably meant by a value of the wrong type, and how to write that."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import OmegaConf

from qsense.experiment.signatures import Argument
from qsense.runs.words import did_you_mean


def value_meant(key: str, value: Any, argument: Argument) -> str:
    """The value that is meant by one of the wrong type, where that can be told."""
    if value in ("None", "none", "Null", "") and argument.accepts(None):
        return f" (write {key}=null)"
    if isinstance(value, float) and value.is_integer() and argument.accepts(int(value)):
        return f" (write {key}={value:.0f})"
    if isinstance(value, str) and (near := did_you_mean(value, [str(each) for each in argument.choices])):
        return near
    if isinstance(value, str) and argument.accepts(0.5):
        return " (it is a text, and a number is wanted)"
    if isinstance(value, str) and argument.accepts([value]):
        return f" (write {key}=[{value}], or more between the brackets)"
    return ""


def runs_meant(key: str, value: Any) -> str:
    """How to write a run for each of several values: they are given as a list, or as 0..4, 0-4 or 0:4."""
    if OmegaConf.is_list(value):
        return f". A run for each: {key}={','.join(map(str, value))} -m"
    if between := re.fullmatch(r"(\d+)(?:\.\.\.?|-|:|…)(\d+)", str(value)):
        return f". A run for each: '{key}=range({between[1]},{int(between[2]) + 1})' -m"
    return ""
