"""A black level in the codes: curves act on (code − black)/(white − black), and nothing below black is less than 0."""

from __future__ import annotations

import pytest
import torch
from tests.quant.sensor.test_contract import CODED, build

from qsense.quant.sensor.base import SensorQuantizer
from qsense.signal import Signal

BLACK, WHITE, BITS = 256, 2047, 11
DARK = Signal(2, 0.0, 1.0, "full scale", native_bits=BITS, black=BLACK, white=WHITE)
SHIFTED = Signal(2, 0.0, 1.0, "full scale", native_bits=BITS, white=WHITE - BLACK)


def converter(name: str, signal: Signal) -> SensorQuantizer:
    adc = build(name, signal)
    if adc.wants_samples:  # not of values, but of the sensor's own codes
        adc.fit(torch.arange(0, WHITE + 1, 3)[:, None].repeat(1, 2) if signal.black else taken_off(3))
    return adc.eval()


def taken_off(step: int = 1) -> torch.Tensor:
    """All codes with the black level taken off, as a data set does it that converts so."""
    return (torch.arange(0, WHITE + 1, step) - BLACK).clamp_min(0)[:, None].repeat(1, 2)


@pytest.mark.parametrize("name", CODED)
def test_black_is_taken_off_before_the_curve(name: str) -> None:
    codes = torch.arange(WHITE + 1)[:, None].repeat(1, 2)
    adc, reference = converter(name, DARK), converter(name, SHIFTED)
    values = ((codes.double() - BLACK) / (WHITE - BLACK)).clamp_min(0)
    assert torch.equal(adc.encode(codes), adc.encode(values))
    assert (adc.encode(codes)[: BLACK + 1] == adc.encode(codes)[BLACK]).all()
    assert torch.equal(adc.thresholds(), reference.thresholds())
    assert torch.equal(adc.encode(codes), reference.encode(taken_off()))
    assert torch.equal(adc(codes), reference(taken_off()))
