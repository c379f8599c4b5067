"""Backbones: levels, norms, and pretrained weights without their classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusal import refused
from torch import nn
from torchvision import models

from qsense.models.fpn import FPN, FrozenBatchNorm2d, group_norm


@pytest.mark.parametrize(
    ("options", "strides", "last_stage"),
    [
        ({"finest": 2, "coarsest": 6}, [4, 8, 16, 32, 64], "layer4"),
        ({"finest": 3, "coarsest": 7, "extra": "convolution"}, [8, 16, 32, 64, 128], "layer4"),
        ({"finest": 2, "coarsest": 4}, [4, 8, 16], "layer3"),
        ({"finest": 3, "coarsest": 3, "extra": "convolution"}, [8], "layer2"),
    ],
)
def test_levels_and_no_stage_too_many(options: dict[str, Any], strides: list[int], last_stage: str) -> None:
    network = FPN(18, width=8, channels=16, norm="batch", **options).eval()
    features = network(torch.rand(2, 3, 96, 160))
    assert network.strides == strides
    shapes = [(2, 16, -(-96 // stride), -(-160 // stride)) for stride in strides]
    assert [tuple(feature.shape) for feature in features.values()] == shapes
    assert [name for name, _ in network.body.named_children()][-1] == last_stage


@pytest.mark.parametrize(("depth", "make"), [(18, models.resnet18), (34, models.resnet34), (50, models.resnet50)])
def test_the_body_is_torchvisions(depth: int, make: Any, tmp_path: Path) -> None:
    theirs = make(weights=None)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.uniform_(module.running_mean)
    torch.save(theirs.state_dict(), tmp_path / "resnet.pth")
    ours = FPN(depth, channels=8, norm="frozen", pretrained=str(tmp_path / "resnet.pth"))
    x = torch.rand(1, 3, 64, 64)
    theirs.eval()
    expected = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
    for stage, feature in enumerate(ours.body(x).values(), start=1):
        expected = theirs.get_submodule(f"layer{stage}")(expected)
        assert torch.equal(feature, expected)


def test_frozen_statistics_stay_and_factors_learn() -> None:
    network = FPN(18, width=8, channels=8, finest=2, coarsest=3, norm="frozen").train()
    norms = [module for module in network.modules() if isinstance(module, FrozenBatchNorm2d)]
    assert len(norms) == 1 + 4 + 5
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    sum(feature.square().mean() for feature in network(torch.randn(2, 3, 32, 32)).values()).backward()
    optimizer.step()
    for norm in norms:
        assert not norm.training
        assert norm.running_mean is not None
        assert (norm.running_mean == 0).all()
        assert norm.num_batches_tracked == 0
        assert not (norm.weight == 1).all()
        assert not (norm.bias == 0).all()


def test_group_norm_is_everywhere_and_nothing_else() -> None:
    network = FPN(18, width=16, channels=32, norm="group")
    assert sum(isinstance(module, nn.GroupNorm) for module in network.modules()) == 20 + 8
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert [group_norm(channels).num_groups for channels in (2, 4, 8, 16, 48, 128, 512)] == [1, 1, 2, 4, 4, 32, 32]


def test_pretrained_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    file = str(tmp_path / "resnet18.pth")
    FPN(18, channels=8, coarsest=3, norm="batch", pretrained=file)  # without two stages and the classifier
    with refused(ValueError, file, "ResNet", "layer1.2.bn1.bias") as caught:
        FPN(34, channels=8, norm="batch", pretrained=file)

    assert "fc." not in str(caught.value)
    with refused(ValueError, file, "conv1.weight", "(32, 3, 7, 7)", "(64, 3, 7, 7)"):
        FPN(18, width=32, channels=8, norm="batch", pretrained=file)
    with refused(FileNotFoundError, "pretrained=none.pth"):
        FPN(18, pretrained="none.pth")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"depth": 101}, ("depth=101", "18, 34, 50")),
        ({"norm": "layer"}, ("norm='layer'", "frozen, batch, group")),
        ({"width": 0}, ("width=0", 1)),
        ({"channels": 0}, ("channels=0", 1)),
        ({"finest": 1}, ("finest=1", 2, 5)),
        ({"finest": 6}, ("finest=6", 2, 5)),
        ({"coarsest": 7}, ("coarsest=7", "finest=2", 5, 6)),
        ({"coarsest": 6, "extra": "convolution"}, ("coarsest=6", "finest=2", 5, 7)),
        ({"finest": 4, "coarsest": 3}, ("coarsest=3", "finest=4", 5, 6)),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        FPN(**options)
