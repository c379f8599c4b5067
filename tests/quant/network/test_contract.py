"""Every quantizer of `conf/quant` that fills its network slot: built, applied, trained, frozen, loaded."""

from __future__ import annotations

import copy
import importlib
import inspect
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tests.refusal import refused
from torch import Tensor, nn

from qsense.experiment.compose import compose, stated_by_options
from qsense.quant.network.freeze import freeze, load_frozen
from qsense.quant.network.quantizer import NetworkQuantizer

FILES: dict[str, Any] = {
    name: OmegaConf.to_container(compose([f"quant={name}"]).quant.network, resolve=True)
    for name, said in stated_by_options("quant").items()
    if said.quant.network
}

AS_RELEASED = {
    "rescale": False,
    "first_last_input_bits": None,
    "first_last_range": "max",
    "transform_layers": ["3"],
    "untransformed": "centred",
    "activation_alpha_grad": "pact",
}


class Chained(nn.Module):
    """The contract's network in an order that integers cover."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 3), nn.ReLU(), nn.AvgPool1d(6))
        self.last = nn.Linear(4, 2)

    def chain(self) -> list[nn.Module]:
        return [*self.layers, self.last]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.layers(x.transpose(1, 2)).flatten(1))
        return logits


def unchained() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)
    )


def build(part: dict[str, Any], bits: int = 4) -> NetworkQuantizer:
    module, _, name = part["_target_"].rpartition(".")
    arguments = {key: value for key, value in part.items() if key != "_target_"} | {"bits": bits}
    made = getattr(importlib.import_module(module), name)(**arguments)
    assert isinstance(made, NetworkQuantizer)
    return made


def test_there_are_network_quantizers() -> None:
    assert {"fat", "uniform_weights", "log_weights", "gamma_fat"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_yaml_lists_every_argument_with_its_default(name: str) -> None:
    part = FILES[name]
    signature = inspect.signature(type(build(part)).__init__).parameters
    assert list(part) == ["_target_", *list(signature)[1:]]
    defaults = {k: p.default for k, p in signature.items() if p.default is not inspect.Parameter.empty}
    changed = {key for key, value in defaults.items() if part[key] != value}
    # What makes them differ; the first layer's input is left alone behind a sensor quantizer.
    assert changed <= {"levels", "transform", "input_bits", "transform_lr", "activation_lr", "arithmetic"}


@pytest.mark.parametrize("settings", [{}, AS_RELEASED], ids=["default", "as FAT's authors have it"])
@pytest.mark.parametrize("name", FILES)
def test_a_network_quantizer_keeps_its_contract(name: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    integer = FILES[name]["arithmetic"] == "integer"
    if integer and settings:
        with refused(ValueError, "first_last_range=max", "arithmetic=integer", "abs_max"):
            build(FILES[name] | settings)
        return
    quantizer = build(FILES[name] | settings)
    network: nn.Module = Chained() if integer else unchained()
    with torch.no_grad():
        next(network.parameters())[0, 0, 0] = -2.0  # of a larger magnitude than the largest weight
    plain = copy.deepcopy(network)
    quantizer.apply(network)
    own = [p for group in quantizer.parameter_groups(network, 1e-3) for p in group["params"]]
    assert own
    assert len({id(p) for p in own}) == len(own)
    x = torch.randn(8, 10, 3) if integer else torch.randn(8, 3, 10)
    before = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        network(x).square().sum().backward()
        optimizer.step()
    moved = [not torch.equal(old, p) for old, p in zip(before, network.parameters(), strict=True)]
    names = [n for n, _ in network.named_parameters()]
    # A convolution's bias before batch norm has no gradient but rounding.
    assert [n for n, has in zip(names, moved, strict=True) if not has and n != "0.bias"] == []
    bits = [(layer.weight_bits, layer.activation_bits) for layer in quantizer.layers(network)]
    if settings:
        assert bits[0][0] > 8  # the weight above, which is not clipped
        assert (bits[0][1], bits[1], bits[2][1]) == (32, (4, 4), 32)
    else:
        assert [weight_bits for weight_bits, _ in bits] == [8, 4, 8]
    network.eval()
    with torch.no_grad():
        outputs = network(x)
        load_frozen(plain.eval(), freeze(network))
        assert torch.equal(network(x), outputs)
        assert torch.equal(plain(x), outputs)
    assert [(layer.weight_bits, layer.activation_bits) for layer in quantizer.layers(plain)] == bits
