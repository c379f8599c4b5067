"""The linear ADC."""

from __future__ import annotations

import pytest
import torch

from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal


def test_floor_uses_its_top_code_only_at_the_top() -> None:
    linear = Linear(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2, rounding="floor")
    assert linear.encode(torch.tensor([0.0, 0.33, 0.34, 0.9999, 1.0, 1.5])).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("high", [1.0, 0.1, 78.4532])
def test_gradient_passes_up_to_the_ends_of_the_range_and_not_beyond(high: float) -> None:
    linear = Linear(Signal(channels=1, low=-high, high=high, unit="g"), bits=2)
    top = torch.tensor(high)
    x = torch.stack([-top, top, top.nextafter(torch.tensor(torch.inf)) * 1.00001, torch.tensor(0.0)]).requires_grad_()
    linear(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 1.0]


def test_without_gradients_nothing_is_kept() -> None:
    linear = Linear(Signal(channels=1, low=-1.0, high=1.0, unit="g"), bits=2)
    assert linear(torch.randn(5)).grad_fn is None
