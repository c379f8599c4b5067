"""The raw sensor."""

from __future__ import annotations

import torch

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.identity import Identity
from qsense.signal import Signal


def test_hands_on_what_it_gets_and_has_no_codes() -> None:
    identity = Identity(Signal(channels=3, low=None, high=None, unit="g"))
    x = torch.randn(4, 5, 3, requires_grad=True)
    assert identity(x) is x
    assert identity.bits == 0
    assert list(identity.parameters()) == []
    assert identity.trajectory() == {}
    assert not isinstance(identity, SensorQuantizer)
    assert not any(hasattr(identity, name) for name in ("encode", "decode", "thresholds", "levels", "curve"))
