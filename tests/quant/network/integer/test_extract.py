"""Numbers taken out of a network in integers; the ways there and back: after training, frozen, loaded; refusals."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.quant.network.integer.networks import NETWORKS, calibrated, plain, windows
from tests.quant.network.integer.reference import evaluate
from tests.refusal import refused
from torch import nn
from torch.nn import functional

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.network.freeze import freeze, load_frozen
from qsense.quant.network.integer.extract import after_training, extract, input_codes
from qsense.quant.network.integer.forward import in_float
from qsense.quant.network.integer.numbers import LSTM, Convolution, IntegerNetwork, Linear, Pool
from qsense.quant.network.layers import layers, quantizers
from qsense.quant.network.quantizer import NetworkQuantizer, quantize_network


def assert_alike(one: IntegerNetwork, other: IntegerNetwork) -> None:
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert type(mine) is type(theirs)
        for key, value in vars(mine).items():
            assert np.array_equal(value, getattr(theirs, key)), key
    assert {k: v for k, v in vars(one).items() if k != "layers"} == {
        k: v for k, v in vars(other).items() if k != "layers"
    }


def test_numbers_of_a_deepconvlstm() -> None:
    numbers = extract(calibrated("deepconvlstm", windows("deepconvlstm"), state_bits=8))
    kinds = [type(layer) for layer in numbers.layers]
    assert kinds == [Convolution, Convolution, Convolution, Convolution, LSTM, Linear]
    first, lstm, last = numbers.layers[0], numbers.layers[4], numbers.layers[5]
    assert isinstance(first, Convolution)
    assert isinstance(lstm, LSTM)
    assert isinstance(last, Linear)
    assert (numbers.axes, numbers.input_low, numbers.input_high) == (3, -127, 127)
    assert (first.planes, first.inputs, first.outputs, first.kernel, first.bits) == (3, 1, 4, 3, 8)
    assert (first.low, first.high) == (0, 15)
    assert (lstm.inputs, lstm.hidden, lstm.bits_ih, lstm.bits_hh, lstm.state_bits) == (12, 6, 4, 4, 8)
    assert (last.inputs, last.classes, last.bits) == (6, 5, 8)


def test_numbers_of_a_tiny_conv() -> None:
    numbers = extract(calibrated("tiny_conv", windows("tiny_conv")))
    kinds = [type(layer) for layer in numbers.layers]
    assert kinds == [Convolution] * 5 + [Pool, Linear]
    first, depthwise, last, pool = numbers.layers[0], numbers.layers[3], numbers.layers[4], numbers.layers[5]
    assert isinstance(first, Convolution)
    assert isinstance(depthwise, Convolution)
    assert isinstance(last, Convolution)
    assert isinstance(pool, Pool)
    assert (first.planes, first.inputs, first.groups) == (1, 3, 1)
    assert (depthwise.inputs, depthwise.groups, depthwise.dilation, depthwise.reach) == (8, 8, 2, 5)
    assert (last.low, last.high) == (0, 255)  # the classifier's bits, before the pool
    assert (pool.features, pool.positions) == (8, 12)
    assert pool.unit == last.unit / 12


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("transform", ["none", "fat"])
def test_freezing_changes_no_bit(name: str, transform: str, tmp_path: Path) -> None:
    x = windows(name)
    network = calibrated(name, x, transform=transform, state_bits=8)
    twin = copy.deepcopy(network)
    numbers = extract(network)
    listed = [(r.name, r.weight_bits, r.activation_bits, r.role, r.state_bits) for r in layers(network)]
    with torch.no_grad():
        before = network(x)
        torch.save(freeze(network), tmp_path / "frozen.pt")
        fresh = NETWORKS[name]().eval()
        load_frozen(fresh, torch.load(tmp_path / "frozen.pt", weights_only=True))
        for each in (network, twin, fresh, copy.deepcopy(fresh)):
            assert torch.equal(each(x), before)
            assert_alike(extract(each), numbers)
            assert [(r.name, r.weight_bits, r.activation_bits, r.role, r.state_bits) for r in layers(each)] == listed


def test_bits_of_states_are_true() -> None:
    by_name = {layer.name: layer for layer in layers(calibrated("two LSTMs", windows("two LSTMs"), state_bits=8))}
    assert by_name["lstm"].state_bits == 8
    assert by_name["classifier"].activation_bits == 8
    network = calibrated("deepconvlstm", windows("deepconvlstm"))
    assert {layer.name: layer.activation_bits for layer in layers(network)} == {
        "convolutions.0": 8, "convolutions.2": 4, "convolutions.4": 4, "convolutions.6": 4, "lstm": 4, "classifier": 16,
    }  # fmt: skip
    with in_float(network):
        assert type(network) is DeepConvLSTM
    assert type(network) is not DeepConvLSTM


@pytest.mark.parametrize("name", NETWORKS)
def test_a_plain_network_goes_into_integers_after_training(name: str) -> None:
    """8 bits and 16-bit states say nearly what floats say."""
    network, x = plain(name).eval(), windows(name, 50)
    with torch.no_grad():
        expected = network(x)
        after_training(network, x)
        assert functional.cosine_similarity(network(x).flatten(), expected.flatten(), dim=0) > 0.999
    extract(network)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("input_bits", [8, None])
def test_a_network_quantized_in_floats_keeps_its_codes(name: str, input_bits: int | None) -> None:
    network, x = plain(name).eval(), windows(name, 50)
    quantize_network(network, 8, transform="fat", input_bits=input_bits).calibrate(network, x)
    with torch.no_grad():
        expected = network(x)
        grids = [quantizer.grid(weight)[0] for m in network.modules() for _, weight, quantizer in quantizers(m)]
        after_training(network, x, state_bits=16)
        assert functional.cosine_similarity(network(x).flatten(), expected.flatten(), dim=0) > 0.99
    numbers = extract(network)
    mine = [
        weight for layer in numbers.layers for key in ("weight", "weight_ih", "weight_hh")
        if (weight := getattr(layer, key, None)) is not None
    ]  # fmt: skip
    assert all(np.array_equal(a.reshape(b.shape), b.numpy()) for a, b in zip(mine, grids, strict=True))
    codes = input_codes(network, x)
    assert codes.shape == x.shape
    assert evaluate(numbers, codes[0].numpy()).shape == (5,)


def test_what_is_not_in_integers_has_no_numbers() -> None:
    with refused(ValueError, "DeepConvLSTM", "arithmetic=integer", "after_training()"):
        extract(plain("deepconvlstm"))
    network = plain("deepconvlstm")
    NetworkQuantizer(4, arithmetic="integer").apply(network)
    with refused(ValueError, "DeepConvLSTM", "calibrate()"):
        extract(network)
    with refused(RuntimeError, "calibrate()"):
        network.eval()(windows("deepconvlstm"))
    frozen = plain("deepconvlstm")
    quantize_network(frozen, 4).calibrate(frozen, windows("deepconvlstm"))
    freeze(frozen)
    with refused(ValueError, "DeepConvLSTM", "frozen"):
        after_training(frozen, windows("deepconvlstm"))


def test_an_accumulator_beyond_32_bits_is_refused() -> None:
    torch.manual_seed(0)
    network = DeepConvLSTM(1, 20, 2, filters=2, kernel=3, hidden=600)
    nn.init.constant_(network.lstm.weight_hh_l0, 1.0)  # type: ignore[arg-type]
    with torch.no_grad():
        network.lstm.weight_hh_l0[::2] = -1.0  # type: ignore[operator]
    quantizer = NetworkQuantizer(8, weight_alpha=1.0, arithmetic="integer")
    quantizer.apply(network)
    quantizer.calibrate(network, torch.randn(4, 20, 1))
    with refused(ValueError, "lstm.0", 2**31 - 1, "state_bits"):
        extract(network)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"arithmetic": "fixed"}, ["arithmetic='fixed'", "float", "integer"]),
        ({"state_bits": 12}, ["state_bits=12", 16, 8]),
        ({"levels": "log"}, ["levels=log", "uniform"]),
        ({"activation_levels": "log"}, ["activation_levels=log", "uniform"]),
        ({"first_last_range": "max"}, ["first_last_range=max", "abs_max"]),
        ({"first_last_input_bits": None}, ["first_last_input_bits=null", "auto", 2, 8]),
        ({"skip": ["lstm"]}, ["skip=['lstm']", "null"]),
    ],
)
def test_settings_that_integers_do_not_take(options: dict[str, Any], named: list[object]) -> None:
    with refused(ValueError, *named):
        NetworkQuantizer(**{"bits": 4, "arithmetic": "integer", **options})


def test_float_arithmetic_has_no_integer_states() -> None:
    with refused(ValueError, "state_bits=8", "arithmetic=integer"):
        NetworkQuantizer(4, state_bits=8)


class Chain(nn.Module):
    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.modules_ = nn.ModuleList(modules)

    def chain(self) -> list[nn.Module]:
        return list(self.modules_)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten(), nn.Linear(8, 2)), ["Sequential", "chain()", "ONNX"]),
        (Chain(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.AvgPool1d(3), nn.Linear(4, 2)), ["Chain", "BatchNorm1d"]),
        (Chain(nn.Conv1d(3, 4, 3, padding=1), nn.AvgPool1d(3), nn.Linear(4, 2)), ["modules_.0", "padded"]),
        (Chain(nn.Conv1d(3, 4, 3, stride=2), nn.AvgPool1d(3), nn.Linear(4, 2)), ["modules_.0", "strided"]),
        (Chain(nn.Conv2d(1, 4, 3), nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)), ["modules_.0", "(k, 1)"]),
        (Chain(nn.Conv2d(1, 4, (3, 1)), nn.AvgPool1d(3), nn.Linear(4, 2)), ["Chain", "Conv2d"]),
        (Chain(nn.Conv1d(3, 4, 3), nn.LSTM(4, 3), nn.Linear(3, 2)), ["modules_.1", "batch_first=True"]),
        (Chain(nn.Conv1d(3, 4, 3), nn.Linear(4, 2)), ["Chain", "LSTM", "pool"]),
        (Chain(nn.Linear(4, 4), nn.Linear(4, 2)), ["Chain", "LSTM", "pool"]),
    ],
)
def test_networks_that_integers_do_not_cover(network: nn.Module, named: list[object]) -> None:
    before = list(network.state_dict())
    with refused(ValueError, "arithmetic=integer", *named):
        NetworkQuantizer(4, arithmetic="integer").apply(network)
    assert list(network.state_dict()) == before  # nothing was rewritten


@pytest.mark.parametrize(
    "options",
    [{"levels": "log"}, {"first_last_range": "max"}, {"skip": ["convolutions.2"]}, {"activation_levels": "log"}],
)
def test_what_floats_trained_otherwise_stays_in_floats(options: dict[str, Any]) -> None:
    network, x = plain("deepconvlstm").eval(), windows("deepconvlstm")
    with torch.no_grad():
        next(network.parameters())[0, 0, 0] = -9.0
    quantize_network(network, 4, **options).calibrate(network, x)
    with refused(ValueError, "arithmetic=integer", "DeepConvLSTM", "levels=uniform", "first_last_range=abs_max"):
        after_training(network, x)
