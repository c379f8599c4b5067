"""From a trained quantized network to plain weights: integer codes times one scale per weight tensor (FAT, deployment).

Open it to read or write a frozen network; `frozen.pt` holds this dictionary.

A frozen state is a dictionary of plain Python values and tensors, which `torch.load(weights_only=True)` reads:

    {"format": 1,
     "weights": {"conv1.weight": {"codes": uint8 (packed), "unit": float32, "shape": …, "bits": …, "levels": …}, …},
     "activations": {"conv1": {"unit": float32, "bits": …, "levels": …, "signed": …}, …},
     "ends": ["conv1", "fc"],
     "rest": {"bn1.weight": tensor, …},
     "state_bits": 16,
     "white_balance": {"multiplies": "light" or "levels", "gains": [red, green, blue] or "camera"},
     "standardise": {"mean": tensor, "scale": tensor}}

where `state_bits`, of LSTM states, is there if the network computes in integers, and `white_balance` and then
`standardise`, (x − mean)/scale per channel, are what a run's network is given, if
`task.white_balance` and `task.standardise` are on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from qsense.quant.network.activations import ActivationQuantizer, FrozenActivation, attach
from qsense.quant.network.integer.forward import Integer, to_integers
from qsense.quant.network.layers import LSTM, frozen_levels, layers, quantizers, to_plain
from qsense.quant.network.levels import Levels, Logarithmic, Uniform, Wide, make_levels
from qsense.quant.network.packing import pack, unpack
from qsense.quant.network.weights import assemble

FORMAT = 1
NAMES: dict[type[Levels], str] = {Uniform: "uniform", Wide: "wide", Logarithmic: "log"}  # as `make_levels` has them


def _named(levels: Levels) -> dict[str, Any]:
    return {"bits": levels.bits, "levels": NAMES[type(levels)], "signed": levels.signed}


@torch.no_grad()
def packed_state(network: nn.Module) -> dict[str, Any]:
    """The frozen state of a quantized network, which stays as it is.

    Raises:
        ValueError: nothing in the network is quantized, a layer has seen no data yet, or a weight is not finite.
    """
    weights: dict[str, Any] = {}
    activations: dict[str, Any] = {}
    for layer in layers(network):
        for name, weight, quantizer in quantizers(layer.module):
            grid, unit = quantizer.grid(weight)
            if not (grid.isfinite().all() and unit.isfinite()):
                raise ValueError(f"{name} of {layer.name} is not finite: the training has diverged")
            levels = quantizer.code_levels(weight)
            weights[f"{layer.name}.{name}".removeprefix(".")] = {
                "codes": pack(levels.encode(grid), levels.bits, levels.lowest_code),
                "unit": unit.cpu(),
                "shape": list(weight.shape),
                **_named(levels),
            }
        activation = getattr(layer.module, "input_quantizer", None)
        if isinstance(activation, ActivationQuantizer):
            if activation.levels is None:
                raise ValueError(f"the input of {layer.name} is not calibrated yet: train a batch or call calibrate()")
            unit = activation.levels.unit(activation.alpha)
            activations[layer.name] = {"unit": unit.cpu(), **_named(activation.levels)}
    if not weights:
        raise ValueError(f"{type(network).__name__} has no quantized weights to freeze")
    rest = {
        name: tensor.detach().cpu().clone()
        for name, tensor in network.state_dict().items()
        if not {"parametrizations", "input_quantizer"} & set(name.split("."))
    }
    ends = [layer.name for layer in layers(network) if layer.role == "end"]
    state = {"format": FORMAT, "weights": weights, "activations": activations, "ends": ends, "rest": rest}
    return state | ({"state_bits": network.state_bits} if isinstance(network, Integer) else {})


def freeze(network: nn.Module) -> dict[str, Any]:
    """Replace weights, in place, by plain ones and activations' α by numbers; evaluation stays the same bit for bit.

    Returns:
        The frozen state, to be saved with `torch.save` and read by `load_frozen`.

    Raises:
        ValueError: as `packed_state`.
    """
    state = packed_state(network)
    for layer in layers(network):
        for name, _, _ in list(quantizers(layer.module)):
            # Copies of a network share the class that torch made for a parametrized layer, and removal would edit it.
            shared = type(layer.module)
            layer.module.__class__ = type(shared.__name__, shared.__bases__, dict(vars(shared)))
            parametrize.remove_parametrizations(layer.module, name, leave_parametrized=False)
        if type(layer.module) is LSTM:
            to_plain(layer.module)
    load_frozen(network, state)
    return state


@torch.no_grad()
def load_frozen(network: nn.Module, state: dict[str, Any]) -> None:
    """Turn a freshly built, unquantized network, in place, into the frozen one; nothing of it needs a gradient.

    Args:
        network: built with the same arguments as the one that was frozen.
        state: what `freeze` returned, or `torch.load(file, weights_only=True)`.

    Raises:
        ValueError: not a frozen state, or one of another network: the first names that differ are given.
    """
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"this is not a frozen network of format {FORMAT}: freeze() makes one")
    tensors = {n: t for n, t in network.state_dict().items() if "input_quantizer" not in n.split(".")}
    built = {name: list(tensor.shape) for name, tensor in tensors.items()}
    stored = {name: list(tensor.shape) for name, tensor in state["rest"].items()}
    stored |= {name: entry["shape"] for name, entry in state["weights"].items()}
    wrong = [name for name in sorted({*built, *stored}) if built.get(name) != stored.get(name)]
    if wrong:
        lines = [f"{n}: {built.get(n, 'absent')} in the network, {stored.get(n, 'absent')} stored" for n in wrong[:8]]
        raise ValueError(f"{len(wrong)} tensors do not fit this network: " + "; ".join(lines))
    for name, tensor in state["rest"].items():
        tensors[name].copy_(tensor)
    for name, entry in state["weights"].items():
        module_name, _, weight_name = name.rpartition(".")
        module = network.get_submodule(module_name)
        levels = make_levels(entry["levels"], entry["bits"], entry["signed"])
        codes = unpack(entry["codes"], tensors[name].numel(), levels.bits, levels.lowest_code)
        grid = levels.decode(codes).view(tensors[name].shape)
        tensors[name].copy_(assemble(grid, entry["unit"], like=tensors[name]))
        module.__dict__["frozen_levels"] = {**frozen_levels(module), weight_name: levels}
        module.__dict__["frozen_units"] = {**module.__dict__.get("frozen_units", {}), weight_name: entry["unit"].item()}
        module.__dict__["frozen_end"] = module_name in state["ends"]
    for name, entry in state["activations"].items():
        module = network.get_submodule(name)
        levels = make_levels(entry["levels"], entry["bits"], entry["signed"])
        device = next(module.parameters()).device
        attach(module, FrozenActivation(levels, entry["unit"].to(device)).train(module.training))
    network.requires_grad_(False)
    if "state_bits" in state:
        to_integers(network, state["state_bits"])


def stored_bytes(state: dict[str, Any], weights_only: bool = True) -> int:
    """Bytes of a frozen state's packed weights, or of all its tensors: what it takes beside a file's own structure."""
    tensors: list[Tensor] = [entry["codes"] for entry in state["weights"].values()]
    if not weights_only:
        entries = [*state["weights"].values(), *state["activations"].values()]
        tensors += [entry["unit"] for entry in entries] + list(state["rest"].values())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
