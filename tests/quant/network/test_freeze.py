from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
import torchvision
from tests.refusal import refused
from torch import Tensor, nn

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.network.freeze import freeze, load_frozen, packed_state, stored_bytes
from qsense.quant.network.layers import layers
from qsense.quant.network.quantizer import NetworkQuantizer

FAT = partial(NetworkQuantizer, transform="fat")
LogWeights = partial(NetworkQuantizer, levels="log")

NETWORKS = {
    "lstm": (lambda: DeepConvLSTM(3, 50, 5, filters=4, hidden=8, layers=2), (2, 50, 3)),
    "resnet": (lambda: torchvision.models.resnet18(num_classes=3, width_per_group=64), (4, 3, 64, 64)),
    "mobilenet": (lambda: torchvision.models.mobilenet_v2(num_classes=3, width_mult=0.25), (4, 3, 64, 64)),
    "one layer": (lambda: nn.Linear(4, 3), (2, 4)),
}


def trained(network: nn.Module, quantizer: NetworkQuantizer, x: Tensor) -> nn.Module:
    quantizer.apply(network)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
    for _ in range(2):
        network(x).square().mean().backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def outputs(network: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = network(x)
    return result


@pytest.mark.parametrize("quantizer", [FAT(bits=3, transform="fat_scaled"), LogWeights(bits=4)], ids=["fat", "log"])
@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_is_bit_identical_frozen_and_loaded(name: str, quantizer: NetworkQuantizer, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    x = torch.randn(shape)
    network = trained(make(), quantizer, x)
    original = copy.deepcopy(network)
    before = outputs(network, x)
    bits = [(layer.name, layer.weight_bits, layer.activation_bits, layer.role) for layer in layers(network)]
    torch.save(freeze(network), tmp_path / "frozen.pt")
    assert before.isfinite().all()
    assert torch.equal(outputs(network, x), before)
    assert [(layer.name, layer.weight_bits, layer.activation_bits, layer.role) for layer in layers(network)] == bits
    assert not any(p.requires_grad for p in network.parameters())
    assert {n for n, _ in network.named_parameters()} == {n for n, _ in make().named_parameters()}
    assert torch.equal(outputs(original, x), before)  # a copy made before is untouched

    fresh = make().eval()
    load_frozen(fresh, torch.load(tmp_path / "frozen.pt", weights_only=True))
    assert torch.equal(outputs(fresh, x), before)
    assert {type(m) for m in fresh.modules()} >= {type(m) for m in make().modules()}


def test_a_real_network_s_file_is_as_large_as_its_weights(tmp_path: Path) -> None:
    """ResNet-18, 1000 classes: first and last layer at 8 bits, the rest at 4: 6.10 MB, and at 3: 4.71 MB."""
    for bits, megabytes in ((4, 6.10), (3, 4.71)):
        network = torchvision.models.resnet18()
        q = FAT(bits=bits, transform="none")
        q.apply(network)
        q.calibrate(network, torch.randn(1, 3, 32, 32))
        state = freeze(network)
        assert stored_bytes(state) / 1e6 == pytest.approx(megabytes, abs=0.005)
        torch.save(state, tmp_path / "frozen.pt")
        assert (tmp_path / "frozen.pt").stat().st_size == pytest.approx(stored_bytes(state), rel=0.05)


def test_packing_leaves_the_network_as_it_is() -> None:
    x = torch.randn(2, 4)
    network = trained(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2)), FAT(bits=4), x)
    names = list(network.state_dict())
    packed_state(network)
    assert list(network.state_dict()) == names


def test_mistakes_are_named() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    with refused(ValueError, "Sequential"):
        freeze(network)
    FAT(bits=4).apply(network)
    with refused(ValueError, 0, "calibrate()"):
        freeze(network)
    diverged = trained(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), FAT(bits=4), torch.randn(2, 4))
    nn.init.constant_(diverged[1].parametrizations.weight.original, torch.nan)  # type: ignore[index]
    with refused(ValueError, "weight", 1, "finite"):
        freeze(diverged)
    state = packed_state(trained(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), FAT(bits=4), torch.randn(2, 4)))
    with refused(ValueError, "1.weight", "[3, 8]", "[2, 8]"):
        load_frozen(
            nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3, bias=False)), {**state, "rest": {"0.bias": torch.zeros(8)}}
        )
    with refused(ValueError, "format 1", "freeze()"):
        load_frozen(nn.Linear(4, 8), nn.Linear(4, 8).state_dict())
