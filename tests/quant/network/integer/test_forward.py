"""A network in integer arithmetic: what torch evaluates is what its numbers say, and training sees it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.quant.network.integer.networks import NETWORKS, calibrated, windows
from tests.quant.network.integer.reference import evaluate
from torch import Tensor, nn

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.network.integer.extract import extract, input_codes
from qsense.quant.network.integer.forward import accumulate
from qsense.quant.network.quantizer import NetworkQuantizer


def assert_as_numbers_say(network: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        acc, unit = accumulate(network, x)
        logits = network(x)
    numbers = extract(network)
    expected = np.stack([evaluate(numbers, window) for window in input_codes(network, x).numpy()])
    assert np.array_equal(acc.numpy(), expected)
    assert unit == numbers.layers[-1].unit
    assert torch.equal(logits, torch.from_numpy(expected * unit).float())


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15, deadline=None)
@given(
    bits=st.integers(2, 8),
    state_bits=st.sampled_from([8, 16]),
    transform=st.sampled_from(["none", "fat"]),
    ends=st.sampled_from([8, 3, None]),
    loud=st.sampled_from([0.1, 1.0, 10.0]),
    gain=st.sampled_from([0.0, 1.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_evaluation_is_what_the_numbers_say(
    name: str, bits: int, state_bits: int, transform: str, ends: int | None, loud: float, gain: float, seed: int
) -> None:
    options: dict[str, Any] = {"bits": bits, "state_bits": state_bits, "transform": transform}
    network = calibrated(name, windows(name, seed=seed), seed, loud, first_last_bits=ends, **options)
    assert_as_numbers_say(network, gain * windows(name, seed=seed + 1))


def test_wide_accumulators_are_exact() -> None:
    """Sums beyond 2^24 are taken in float64: 64 states of 16 bits by weights of 8."""
    torch.manual_seed(0)
    network = DeepConvLSTM(3, 50, 5, filters=8, hidden=64)
    nn.init.constant_(network.lstm.weight_hh_l0, 1.0)  # type: ignore[arg-type]
    nn.init.constant_(network.lstm.bias_ih_l0, 3.0)  # type: ignore[arg-type]
    with torch.no_grad():
        network.lstm.weight_hh_l0[::2] = -1.0  # type: ignore[operator]
    quantizer = NetworkQuantizer(8, arithmetic="integer")
    quantizer.apply(network)
    x = torch.randn(3, 50, 3)
    quantizer.calibrate(network, x)
    assert_as_numbers_say(network.eval(), x)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_copy_computes_alike(name: str) -> None:
    x = windows(name)
    network = calibrated(name, x)
    twin = copy.deepcopy(network)
    fresh = calibrated(name, 2 * x, seed=1)
    fresh.load_state_dict(network.state_dict())
    with torch.no_grad():
        before = network(x)
        assert torch.equal(twin(x), before)
        assert torch.equal(fresh(x), before)
        next(network.parameters()).mul_(2)
        assert torch.equal(twin(x), before)
