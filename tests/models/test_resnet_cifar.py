"""ResNets of small images: sizes, shapes, shortcuts."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from tests.refusal import refused

from qsense.models.resnet_cifar import PadShortcut, ResNetCIFAR


@pytest.mark.parametrize(
    ("depth", "shortcut", "count"),
    [(20, "A", 269_722), (20, "B", 272_474), (56, "A", 853_018), (56, "B", 855_770)],
)
def test_parameters_are_those_of_the_papers(depth: int, shortcut: Literal["A", "B"], count: int) -> None:
    network = ResNetCIFAR(3, 10, depth, shortcut=shortcut)
    assert sum(p.numel() for p in network.parameters()) == count
    assert sum(isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) for m in network.modules()) == depth - 1


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 8)])
def test_images_of_any_size_become_logits(shortcut: Literal["A", "B"], channels: int, size: int) -> None:
    network = ResNetCIFAR(channels, 7, depth=8, width=4, shortcut=shortcut)
    logits = network(torch.rand(3, channels, size, size))
    assert logits.shape == (3, 7)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_option_a_pads_channels_on_both_sides() -> None:
    x = torch.arange(2 * 2 * 4 * 4.0).view(2, 2, 4, 4)
    y = PadShortcut(extra=2, stride=2)(x)
    assert y.shape == (2, 4, 2, 2)
    assert torch.equal(y[:, 1:3], x[:, :, ::2, ::2])
    assert not y[:, [0, 3]].any()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"depth": 18}, ("depth=18", "6n + 2")),
        ({"width": 0}, ("width=0", 1)),
        ({"shortcut": "C"}, ("shortcut='C'", "A", "B")),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        ResNetCIFAR(3, 10, **arguments)  # type: ignore[arg-type]
