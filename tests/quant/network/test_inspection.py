"""What pictures are made of: codes with and without the transform, and bands of frequencies."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn

from qsense.quant.network.freeze import freeze
from qsense.quant.network.inspection import band_scaled, original, views
from qsense.quant.network.quantizer import NetworkQuantizer

FAT = partial(NetworkQuantizer, transform="fat")
LogWeights = partial(NetworkQuantizer, levels="log")


def weight(network: nn.Sequential) -> Tensor:
    """Of the layer in the middle, as the network uses it."""
    found = network[2].weight
    assert isinstance(found, Tensor)
    return found.detach()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(3, 8, 5), nn.ReLU(), nn.Conv1d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 4, 5)
    )


def test_views_of_fat() -> None:
    built = network()
    FAT(bits=4, transform="fat_scaled").apply(built)
    (view,) = views(built)
    assert view.name == "2"
    assert view.rows.shape == (16, 24)
    assert view.levels.tolist() == pytest.approx([3 * k / 7 for k in range(-7, 8)])
    assert view.magnitudes is not None
    assert view.mask is not None
    trained = original(built[2], "weight").detach()
    normalised = ((trained - trained.mean()) / trained.std()).flatten(1)
    torch.testing.assert_close(view.magnitudes, torch.fft.rfft(normalised).abs())
    torch.testing.assert_close(view.mask, torch.sigmoid(view.magnitudes.mean(0) / 24**0.5).expand(16, -1))
    codes = [(rows.clamp(-3, 3) / 3 * 7).round() for rows in (view.rows, normalised)]
    assert view.shifted == (codes[0] != codes[1]).double().mean().item() > 0.1
    quantized = weight(built) / trained.std()
    assert torch.isin((quantized * 1e4).round(), (view.levels * 1e4).round()).all(), "levels are those of the network"


def test_an_open_mask_shifts_nothing() -> None:
    built = network()
    FAT(bits=4).apply(built)
    with torch.no_grad():
        built[2].parametrizations.weight[0].mixing.fill_(1e3)  # type: ignore[index, union-attr]
    (view,) = views(built)
    assert view.mask is not None
    assert view.mask.min() == 1
    assert view.shifted == 0


def test_views_without_a_transform() -> None:
    built = network()
    LogWeights(bits=3, first_last_bits=None).apply(built)
    every = views(built)
    assert [view.name for view in every] == ["0", "2", "5"]
    assert every[0].levels.tolist() == pytest.approx([-3, -1.5, -0.75, 0, 0.75, 1.5, 3])
    assert all(view.mask is None and view.magnitudes is None and view.shifted == 0 for view in every)


def test_an_lstm_has_several_weights() -> None:
    built = nn.ModuleDict({"lstm": nn.LSTM(3, 4)})
    FAT(bits=4, first_last_bits=None).apply(built)
    assert [view.name for view in views(built)] == ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]


def test_nothing_to_see_in_plain_and_frozen_networks() -> None:
    assert views(network()) == []
    built = network()
    fat = FAT(bits=4)
    fat.apply(built)
    fat.calibrate(built, torch.randn(2, 3, 10))
    freeze(built)
    assert views(built) == []


def test_a_band_is_scaled_and_comes_back() -> None:
    built = network()
    before = copy.deepcopy(built.state_dict())
    spectrum = torch.fft.rfft(weight(built).flatten(1))  # 13 frequencies
    with band_scaled(built, band=1, bands=4, factor=0.5):
        halved = torch.fft.rfft(weight(built).flatten(1))
    ratio = (halved / spectrum).real
    assert ratio.mean(0).tolist() == pytest.approx([1] * 4 + [0.5] * 3 + [1] * 6, abs=1e-3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in built.state_dict().items())


@pytest.mark.parametrize("inference", [False, True])
def test_evaluation_of_a_quantized_network_sees_the_band(inference: bool) -> None:
    built = network()
    quantizer = NetworkQuantizer(bits=4)
    quantizer.apply(built)
    x = torch.randn(4, 3, 10)
    quantizer.calibrate(built, x)
    built.eval()
    with torch.inference_mode():
        as_it_is = built(x)  # what was quantized is kept
    with torch.inference_mode(inference), torch.no_grad():
        with band_scaled(built, band=0, bands=2, factor=0.0):
            assert not torch.equal(built(x), as_it_is)
        assert torch.equal(built(x), as_it_is)


def test_every_frequency_is_in_one_band() -> None:
    built = network()
    before = weight(built).clone()
    total = torch.zeros_like(before)
    for band in range(32):
        with band_scaled(built, band, factor=0.0):
            total += before - weight(built)
    torch.testing.assert_close(total, before)
    with refused(ValueError, "band=32", "0 … 31"), band_scaled(built, 32):
        pass
