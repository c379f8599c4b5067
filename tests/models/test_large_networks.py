"""VGG-Small and torchvision's networks: sizes and shapes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.refusal import refused
from torch import nn

from qsense.models.torchvision_nets import mobilenet_v2, resnet18, resnet34
from qsense.models.vgg_small import VGGSmall


@pytest.mark.parametrize(("make", "count"), [(resnet18, 11_689_512), (resnet34, 21_797_672), (mobilenet_v2, 3_504_872)])
def test_torchvisions_parameters(make: Callable[..., nn.Module], count: int) -> None:
    assert sum(p.numel() for p in make(channels=3, num_classes=1000).parameters()) == count


@pytest.mark.parametrize("make", [resnet18, mobilenet_v2, VGGSmall])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_colours_and_classes(make: Callable[..., nn.Module], channels: int) -> None:
    network = make(channels=channels, num_classes=5).eval()
    assert network(torch.rand(2, channels, 32, 32)).shape == (2, 5)


def test_vgg_small() -> None:
    assert sum(p.numel() for p in VGGSmall(3, 10).parameters()) == 4_660_106
    network = VGGSmall(1, 10, width=4)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(network.pool(x[..., :4, :4]), x[..., :4, :4])  # at 32 × 32 pixels the pool changes nothing
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    with refused(ValueError, "width=0", 1):
        VGGSmall(3, 10, width=0)
