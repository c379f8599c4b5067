"""Costs against numbers counted by hand, and FAT's Table 3."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torchvision import models

from qsense.metrics.cost import FULL, Cost, Count, LayerBits, count, price
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.quant.network.quantizer import NetworkQuantizer

FAT = partial(NetworkQuantizer, transform="fat")

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ResNet-18": models.resnet18,
    "ResNet-34": models.resnet34,
    "MobileNetV2": models.mobilenet_v2,
}
# network, bits: 10⁹ bit operations and MB here, and as printed in FAT, Table 3. The paper's MobileNetV2 takes its input
# float (see below); its printed size at 4 bits is the one at 3.
TABLE_3 = {
    ("ResNet-18", 4): ((34.71, 6.10), (33.9, 6.1)),
    ("ResNet-18", 3): ((22.85, 4.71), (21.5, 4.7)),
    ("ResNet-34", 4): ((64.31, 11.15), (64.3, 11.1)),
    ("ResNet-34", 3): ((39.49, 8.49), (38.6, 8.6)),
    ("MobileNetV2", 4): ((5.39, 2.38), (7.4, 2.1)),
    ("MobileNetV2", 3): ((3.37, 2.10), (5.4, 2.1)),
}
FULL_PRECISION = {"ResNet-18": (1863.7, 46.8), "ResNet-34": (3759.4, 87.2), "MobileNetV2": (337.9, 14.1)}  # printed


def multiplying(network: nn.Module) -> list[str]:
    return [n for n, m in network.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear | nn.RNNBase)]


@cache
def counted(name: str) -> list[Count]:
    network = NETWORKS[name]()
    return count(network, multiplying(network), torch.zeros(1, 3, 224, 224))


def with_bits(counts: list[Count], bits: int) -> list[LayerBits]:
    """The first and the last layer at 8 bits, the others at `bits`."""
    ends = (counts[0].name, counts[-1].name)
    return [LayerBits(c.name, "", 8, 8, "end") if c.name in ends else LayerBits(c.name, "", bits, bits) for c in counts]


@pytest.mark.parametrize(
    ("name", "total", "stem", "classifier"),
    [("ResNet-18", 1814.07, 118.01, 0.51), ("ResNet-34", 3663.76, 118.01, 0.51), ("MobileNetV2", 300.77, 10.84, 1.28)],
)
def test_macs(name: str, total: float, stem: float, classifier: float) -> None:
    counts = counted(name)
    macs = [work.macs / 1e6 for work in counts]
    assert (sum(macs), macs[0], macs[-1]) == pytest.approx((total, stem, classifier), abs=0.005)
    assert [work.first for work in counts] == [True] + [False] * (len(counts) - 1)


@pytest.mark.parametrize(("name", "bits"), TABLE_3)
def test_table_3(name: str, bits: int) -> None:
    (gbops, size), (printed_gbops, printed_size) = TABLE_3[name, bits]
    cost = price(counted(name), with_bits(counted(name), bits))
    print(
        f"{name} {bits}/{bits}: {cost.bops / 1e9:.2f} GBOPs (printed {printed_gbops}), "
        f"{cost.size_mb:.2f} MB (printed {printed_size})"
    )
    assert cost.bops / 1e9 == pytest.approx(gbops, abs=0.005)
    assert cost.size_mb == pytest.approx(size, abs=0.005)
    if name != "MobileNetV2":
        assert gbops == pytest.approx(printed_gbops, rel=0.07)
        assert size == pytest.approx(printed_size, rel=0.02)


@pytest.mark.parametrize(("name", "printed"), FULL_PRECISION.items())
def test_full_precision_is_near_the_printed(name: str, printed: tuple[float, float]) -> None:
    full = Cost(price(counted(name), []).layers)
    assert full == full.full_precision()
    assert full.bops / 1e9 == pytest.approx(printed[0], rel=0.1)
    assert full.size_mb == pytest.approx(printed[1], rel=0.02)


@pytest.mark.parametrize(("bits", "printed"), [(4, 7.4), (3, 5.4)])
def test_the_papers_mobilenet_takes_a_float_input(bits: int, printed: float) -> None:
    counts = counted("MobileNetV2")
    floating = price(counts, with_bits(counts, bits), input_bits=FULL)
    assert floating.bops / 1e9 == pytest.approx(printed, abs=0.08)
    assert floating.layers[1:] == price(counts, with_bits(counts, bits)).layers[1:]
    assert floating.size_mb == price(counts, with_bits(counts, bits)).size_mb


def test_depthwise_and_transposed_convolutions() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.ConvTranspose2d(8, 2, 2, stride=2))
    first, second = count(network, ["0", "1"], torch.zeros(1, 4, 5, 5))
    assert (first.macs, first.weights) == (8 * 9 * 25, 8 * 9)
    assert (second.macs, second.weights) == (8 * 2 * 4 * 25, 8 * 2 * 4)


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
@pytest.mark.parametrize("batch_first", [True, False])
def test_recurrent_layers_multiply_at_every_step(
    kind: type[nn.RNN | nn.GRU | nn.LSTM], gates: int, batch_first: bool
) -> None:
    layer = kind(3, 5, num_layers=2, bidirectional=True, batch_first=batch_first)
    x = torch.zeros(1, 7, 3) if batch_first else torch.zeros(7, 1, 3)
    by_input, by_state = count(nn.Sequential(layer), ["0"], x)
    assert (by_input.states, by_state.states) == (False, True)
    assert by_input.weights == 2 * gates * 5 * 3
    assert by_state.weights == 2 * gates * 5 * 5 + 2 * gates * 5 * (10 + 5)
    assert [work.macs for work in (by_input, by_state)] == [7 * by_input.weights, 7 * by_state.weights]
    rows = price([by_input, by_state], [LayerBits("0", kind.__name__, 4, 2)]).layers
    assert [(row.name, row.weight_bits, row.activation_bits) for row in rows] == [("0", 4, 2), ("0 (states)", 4, FULL)]
    packed = nn.utils.rnn.pack_padded_sequence(x, [7], batch_first)
    assert count(nn.Sequential(layer), ["0"], packed) == [by_input, by_state]


class Twice(nn.Module):
    """A shared layer and a product outside all layers."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(4, 4)
        self.again = self.shared
        self.unused = nn.Linear(4, 9)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.again(self.shared(x))
        return y @ y.T


def test_shared_unused_and_outside() -> None:
    counts = count(Twice(), ["shared", "unused"], torch.zeros(1, 4))
    assert counts == [Count("shared", 32, 16, first=True), Count("unused", 0, 36), Count("", 4, 0)]
    cost = price(counts, [LayerBits("shared", "Linear", 2, 2), LayerBits("unused", "Linear", 2, 2)])
    assert [layer.name for layer in cost.layers] == ["shared", "unused", "outside layers"]
    assert cost.bops == 32 * 4 + 4 * FULL * FULL
    assert cost.size_mb == (16 + 36) * 2 / 8e6


def test_a_network_that_is_a_layer() -> None:
    assert count(nn.Linear(4, 2), [""], torch.zeros(1, 4)) == [Count("", 8, 8, first=True)]


@pytest.mark.parametrize(
    ("network", "shape"),
    [(DeepConvLSTM(3, 50, 13, filters=4, hidden=8), (1, 50, 3)), (ResNetCIFAR(3, 10, depth=8), (1, 3, 16, 16))],
)
def test_computing_quantized_weights_is_not_counted(network: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    plain = count(network, multiplying(network), x)
    quantized = copy.deepcopy(network).train()
    fat = FAT(bits=4)
    fat.apply(quantized)
    fat.calibrate(quantized, x)
    state = copy.deepcopy(quantized.state_dict())
    assert count(quantized, multiplying(network), x) == plain
    assert quantized.training
    assert all(module.training for module in quantized.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in quantized.state_dict().items())
    assert not any(module._forward_hooks for module in quantized.modules())
    with torch.inference_mode():
        assert count(quantized, multiplying(network), x) == plain
    assert parametrize._cache == {}
