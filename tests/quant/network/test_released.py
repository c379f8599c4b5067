"""The networks that FAT's authors released, beside their arithmetic written once more in plain torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from tests.refusal import refused
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, relu

from qsense.data.images.cifar10 import read_batch
from qsense.data.images.dataset import CIFAR10_MEAN, CIFAR10_STD
from qsense.experiment.build import build
from qsense.quant.network.freeze import freeze
from qsense.quant.network.inspection import views
from qsense.quant.network.layers import layers
from qsense.quant.network.released import in_our_names

Compose = Callable[..., DictConfig]
ROOT = Path(os.environ.get("QSENSE_DATA", "nowhere"))
TEST = ROOT / "cifar10" / "cifar-10-batches-py" / "test_batch"
needs_data = pytest.mark.skipif(
    not (TEST.is_file() and (ROOT / "weights" / "fat").is_dir()),
    reason="needs QSENSE_DATA with cifar10/cifar-10-batches-py and weights/fat",
)
IMAGES = 1017  # the first of the test part's 10 000, which lie there


class Authors:
    """The forward pass of their `resnet_20`, in evaluation; `masked=False` sets every mask to one."""

    def __init__(self, state: Mapping[str, Tensor], bits: int, masked: bool) -> None:
        self.state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
        self.bits, self.masked = bits, masked

    def weight(self, layer: str) -> Tensor:
        weight = self.state[f"{layer}.weight"]
        if self.bits == 32:
            return weight
        rows = ((weight - weight.mean()) / weight.std()).flatten(1)
        spectrum = torch.fft.fft(rows)
        if self.masked:
            spectrum = spectrum * (self.state[f"{layer}.weight_quant.transform.weight"] @ spectrum.abs()).sigmoid()
        alpha, top = self.state[f"{layer}.weight_quant.wgt_alpha"], 2 ** (self.bits - 1) - 1
        steps = ((torch.fft.ifft(spectrum).real / alpha).clamp(-1, 1) * top).round()
        quantized: Tensor = (steps / top * alpha).view_as(weight)
        return quantized

    def end(self, layer: str) -> Tensor:
        """Eight bits up to the largest weight; not even those of the full-precision network are float."""
        weight = self.state[f"{layer}.weight"]
        return (weight / weight.max() * 127).round() / 127 * weight.max()

    def convolved(self, layer: str, norm: str, x: Tensor, stride: int, padding: int) -> Tensor:
        if self.bits < 32:
            alpha, top = self.state[f"{layer}.act_alpha"], 2**self.bits - 1
            x = ((x / alpha).clamp(max=1) * top).round() / top * alpha
        return self.normed(norm, conv2d(x, self.weight(layer), stride=stride, padding=padding))

    def normed(self, layer: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            self.state[f"{layer}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(x, mean, var, weight, bias)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        x = relu(self.normed("bn1", conv2d(x, self.end("conv1"), padding=1)))
        for stage in (1, 2, 3):
            for index in range(3):
                block = f"layer{stage}.{index}"
                stride = 2 if stage > 1 and index == 0 else 1
                y = relu(self.convolved(f"{block}.conv1", f"{block}.bn1", x, stride, 1))
                y = self.convolved(f"{block}.conv2", f"{block}.bn2", y, 1, 1)
                if stride == 2:
                    x = self.convolved(f"{block}.downsample.0", f"{block}.downsample.1", x, 2, 0)
                x = relu(x + y)
        return linear(x.mean(dim=(2, 3)), self.end("linear"), self.state["linear.bias"])


def released(bits: int) -> dict[str, Tensor]:
    file = ROOT / "weights" / "fat" / f"resnet20_optionB_{bits}bit.pth"
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
    return state


@cache
def photographs() -> tuple[Tensor, Tensor]:
    codes, labels = read_batch(TEST, 10)
    if len(labels) < IMAGES:
        pytest.skip(f"needs the first {IMAGES} test images")
    return torch.from_numpy(codes[:IMAGES]), torch.from_numpy(labels[:IMAGES])


def theirs(bits: int, masked: bool = True) -> Tensor:
    x = photographs()[0] / 255
    x = (x - torch.tensor(CIFAR10_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR10_STD).view(3, 1, 1)
    authors = Authors(released(bits), bits, masked)
    return torch.cat([authors(part).argmax(dim=1) for part in x.split(256)])


@needs_data
@pytest.mark.parametrize(
    ("bits", "masked", "right"),
    [
        (4, True, 946),  # 93.02 %
        pytest.param(4, False, 893, marks=pytest.mark.slow),  # 87.81 %
        pytest.param(3, True, 951, marks=pytest.mark.slow),  # 93.51 %
        pytest.param(3, False, 930, marks=pytest.mark.slow),  # 91.45 %
    ],
)
def test_predictions_are_the_authors(composed: Compose, bits: int, masked: bool, right: int) -> None:
    images, labels = photographs()
    unmasked = [] if masked else ["quant.network.transform=none"]
    _, task = build(composed("experiment=released_fat_cifar10_resnet20", f"bits={bits}", *unmasked))
    task.eval()
    with torch.no_grad():
        ours = torch.cat([task(part).argmax(dim=1) for part in (images / 255).split(256)])
    assert torch.equal(ours, theirs(bits, masked))
    assert int((ours == labels).sum()) == right
    ends = {layer.name: (layer.weight_bits, layer.activation_bits) for layer in layers(task.network)}
    # One weight of the 3-bit network's stem is the code -134.
    assert (ends["conv1"], ends["linear"]) == ((8 if bits == 4 else 9, 32), (8, 32))
    x = task.input_of(images[:32] / 255)
    with torch.no_grad():
        before = task.network(x)
        freeze(task.network)
        assert torch.equal(task.network(x), before)
    assert {layer.name: (layer.weight_bits, layer.activation_bits) for layer in layers(task.network)} == ends


@needs_data
@pytest.mark.slow
def test_full_precision_differs_in_its_ends_alone(composed: Compose) -> None:
    images, labels = photographs()
    _, task = build(composed("experiment=released_cifar10_resnet20"))
    task.eval()
    with torch.no_grad():
        ours = torch.cat([task(part).argmax(dim=1) for part in (images / 255).split(256)])
    authors = theirs(32)
    assert int((ours == labels).sum()) == 936  # 92.04 %
    assert int((authors == labels).sum()) == 937  # whose first and last layer have 8-bit weights
    assert int((ours != authors).sum()) <= 5


@needs_data
def test_the_released_masks_are_not_one(composed: Compose) -> None:
    _, task = build(composed("experiment=released_fat_cifar10_resnet20", "bits=4"))
    seen = views(task.network)
    lowest = [float(view.mask.min()) for view in seen if view.mask is not None]
    assert len(lowest) == 20
    assert sum(value < 1e-3 for value in lowest) >= 2
    shifted = sorted(view.shifted for view in seen)
    assert 0.3 < shifted[-1] < 0.4
    assert 0.03 < sum(shifted[9:11]) / 2 < 0.05  # the median


def test_names_are_translated_and_the_rest_is_left() -> None:
    state = {
        "module.layer2.0.downsample.0.weight": torch.ones(4, 2, 1, 1),
        "module.layer2.0.downsample.0.weight_quant.wgt_alpha": torch.tensor(2.0),
        "module.layer2.0.downsample.0.act_alpha": torch.tensor(0.5),
        "module.conv1.transform.weight": torch.ones(4, 4),
        "module.bn1.weight": torch.ones(4),
    }
    ours = in_our_names(state)
    assert sorted(ours) == [
        "bn1.weight",
        "layer2.0.shortcut.0.input_quantizer.rho",
        "layer2.0.shortcut.0.input_quantizer.signed_state",
        "layer2.0.shortcut.0.parametrizations.weight.0.rho",
        "layer2.0.shortcut.0.weight",
    ]
    for name, alpha in (("parametrizations.weight.0.rho", 2.0), ("input_quantizer.rho", 0.5)):
        rho = ours[f"layer2.0.shortcut.0.{name}"]
        assert torch.nn.functional.softplus(rho).item() == pytest.approx(alpha)
    assert "layer2.0.downsample.0.weight" in in_our_names(state, ["layer2.0.downsample.0.weight"])  # torchvision's


def test_a_clipping_range_below_zero_is_refused() -> None:
    with refused(ValueError, "fc.act_alpha", "-1.0", 0):
        in_our_names({"fc.act_alpha": torch.tensor(-1.0)})
