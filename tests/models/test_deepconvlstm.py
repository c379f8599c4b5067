"""DeepConvLSTM: its published size, its shapes, and recurrence over time instead of over the batch."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from tests.refusal import refused

from qsense.models.deepconvlstm import DeepConvLSTM


def test_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in DeepConvLSTM(channels=12, window=50, num_classes=19).parameters()) == 573_651


@pytest.mark.parametrize(("channels", "window", "classes", "layers"), [(3, 50, 13, 1), (21, 33, 8, 2)])
def test_shapes(channels: int, window: int, classes: int, layers: int) -> None:
    network = DeepConvLSTM(channels, window, classes, filters=4, hidden=8, layers=layers)
    assert network(torch.randn(5, window, channels)).shape == (5, classes)


def test_a_window_is_read_by_itself() -> None:
    network = DeepConvLSTM(3, 50, 4, filters=4, hidden=8).eval()
    batch = torch.randn(6, 50, 3)
    torch.testing.assert_close(network(batch)[2:3], network(batch[2:3]))
    swapped = network(batch.flip(0)).flip(0)
    torch.testing.assert_close(network(batch), swapped)


def test_time_matters() -> None:
    network = DeepConvLSTM(3, 50, 4, filters=4, hidden=8).eval()
    batch = torch.randn(6, 50, 3)
    assert not torch.allclose(network(batch), network(batch.flip(1)))


def test_initial_weights() -> None:
    torch.manual_seed(0)
    network = DeepConvLSTM(12, 50, 19)
    second = network.convolutions[2]
    assert isinstance(second, torch.nn.Conv2d)
    assert second.bias is not None
    assert torch.all(second.bias == 0)
    assert torch.all(network.classifier.bias == 0)
    expected = (2 / (64 * 9 + 64 * 9)) ** 0.5
    assert second.weight.std().item() == pytest.approx(expected, rel=0.02)
    recurrent = network.lstm.weight_hh_l0
    assert isinstance(recurrent, torch.Tensor)
    assert recurrent.std().item() == pytest.approx((2 / (4 * 128 + 128)) ** 0.5, rel=0.02)


def test_a_short_window_is_refused() -> None:
    with refused(ValueError, "window=32", "kernel=9", 33):
        DeepConvLSTM(3, 32, 4)


def test_the_lstms_biases_may_start_at_zero() -> None:
    """As in the public configurations of γ-Quant's group; no other weight is drawn otherwise."""
    networks = []
    starts: tuple[Literal["uniform", "zero"], ...] = ("uniform", "zero")
    for lstm_bias in starts:
        torch.manual_seed(0)
        networks.append(DeepConvLSTM(3, 50, 4, filters=4, hidden=8, layers=2, lstm_bias=lstm_bias))
    reference = torch.nn.LSTM(3 * 4, 8, num_layers=2, batch_first=True)
    assert {n: p.shape for n, p in networks[1].lstm.named_parameters()} == {
        n: p.shape for n, p in reference.named_parameters()
    }
    for (name, one), other in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        if name.startswith("lstm.bias"):
            assert one.abs().min() > 0
            assert not other.any()
        else:
            assert torch.equal(one, other)
    with refused(ValueError, "lstm_bias='ones'", "uniform", "zero"):
        DeepConvLSTM(3, 50, 4, lstm_bias="ones")  # type: ignore[arg-type]
