"""What one prediction costs: multiplications, bit operations and weight memory (FAT, Table 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

FULL = 32  # bits of what is not quantized


@dataclass(frozen=True)
class LayerBits:
    """The bits a layer that multiplies works with.

    Args:
        name: its name in the network.
        kind: "Conv2d", "Linear", "LSTM", …
        weight_bits: of its weights.
        activation_bits: of its input.
        role: what kind of quantization it has, for grouping: "end", "inner", "float".
        state_bits: of a recurrent layer's own states.
    """

    name: str
    kind: str
    weight_bits: int = FULL
    activation_bits: int = FULL
    role: str = "float"
    state_bits: int = FULL


@dataclass(frozen=True)
class Count:
    """What a layer does for one example.

    Args:
        name: of the layer; empty for what is multiplied outside all layers.
        macs: multiply-accumulates.
        weights: weights they are done with; biases are not among them.
        states: whether these are a recurrent layer's multiplications with its own states: they stand for themselves.
        first: whether this is where the network's input is multiplied.
    """

    name: str
    macs: int
    weights: int
    states: bool = False
    first: bool = False


@dataclass(frozen=True)
class LayerCost:
    """One row of the cost table: a layer, or a recurrent layer's states."""

    name: str
    kind: str
    role: str
    macs: int
    weights: int
    weight_bits: int
    activation_bits: int

    @property
    def bops(self) -> int:
        """Bit operations: MACs × weight bits × activation bits."""
        return self.macs * self.weight_bits * self.activation_bits

    @property
    def size_mb(self) -> float:
        """Memory of the weights, in 10⁶ bytes."""
        return self.weights * self.weight_bits / 8e6


@dataclass(frozen=True)
class Cost:
    """The cost table of a network for one example.

    Biases, batch norm, activation functions and additions are not counted; they stay float.
    """

    layers: tuple[LayerCost, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def bops(self) -> int:
        """Bit operations, Σ MAC·b_w·b_a."""
        return sum(layer.bops for layer in self.layers)

    @property
    def size_mb(self) -> float:
        """Memory of the weights, in 10⁶ bytes."""
        return sum(layer.weights * layer.weight_bits for layer in self.layers) / 8e6

    def full_precision(self) -> Cost:
        """The same network with 32-bit weights and activations."""
        return Cost(tuple(replace(layer, weight_bits=FULL, activation_bits=FULL) for layer in self.layers))

    def totals(self) -> dict[str, Any]:
        """Totals, and those at full precision, ready for JSON."""
        full = self.full_precision()
        return {
            "macs": self.macs,
            "bops": self.bops,
            "size_mb": self.size_mb,
            "full_precision": {"bops": full.bops, "size_mb": full.size_mb},
        }


def price(counts: Iterable[Count], layers: Iterable[LayerBits], input_bits: int | None = None) -> Cost:
    """Every layer's work at its bits.

    Args:
        counts: from `count`.
        layers: bits of each layer counted.
        input_bits: bits of the network's input, whatever its first layer says of it: a sensor's, or 32 for inputs that
            are left float.

    >>> price([Count("fc", macs=1000, weights=1000, first=True)], [LayerBits("fc", "Linear", 4, 8)]).totals()
    {'macs': 1000, 'bops': 32000, 'size_mb': 0.0005, 'full_precision': {'bops': 1024000, 'size_mb': 0.004}}
    """
    known = {layer.name: layer for layer in layers}
    rows = []
    for work in counts:
        layer = known.get(work.name) or LayerBits(name="outside layers", kind="matmul")
        bits = layer.state_bits if work.states else layer.activation_bits
        if work.first and input_bits is not None:
            bits = input_bits
        name = f"{layer.name} (states)".lstrip() if work.states else layer.name
        rows.append(LayerCost(name, layer.kind, layer.role, work.macs, work.weights, layer.weight_bits, bits))
    return Cost(tuple(rows))


def count(network: nn.Module, names: Sequence[str], *example: Any) -> list[Count]:
    """Multiply-accumulates and weights of each named layer, for one example.

    Products are counted by `torch.utils.flop_counter` (two operations each) while a layer runs, so a layer that is used
    several times counts several times. That counter knows nothing of recurrent layers: every weight of theirs
    multiplies once per time step. Computing a quantized weight is not counted: that is done once, not per example.

    Args:
        network: runs once, in evaluation mode, and stays as it is.
        names: names of its layers, as in `named_modules()`; each is a convolution, a linear or a recurrent layer.
        example: what the network takes, a batch of one.

    Returns:
        In the order of `names`, a recurrent layer's states after its input; a last one without a name where there are
        products outside all of them (attention).
    """
    # The counter's own table by module names a layer that two parents share after the last of them, and the root after
    # its class; so what a layer adds to the total is read here, where a recurrent layer's steps are counted as well.
    layers = {name: network.get_submodule(name) for name in names}
    counter = FlopCounterMode(display=False)
    began: dict[str, int] = {}
    flops = dict.fromkeys(names, 0)
    steps = dict.fromkeys(names, 0)

    def watch(name: str, layer: nn.Module) -> list[Any]:
        def before(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            began[name] = counter.get_total_flops()

        def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            flops[name] += counter.get_total_flops() - began[name]
            if isinstance(layer, nn.RNNBase):
                steps[name] += _steps(layer, inputs[0])

        return [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]

    modes = {module: module.training for module in network.modules()}
    handles = [handle for name, layer in layers.items() for handle in watch(name, layer)]
    try:
        network.eval()
        with torch.no_grad(), parametrize.cached():
            weights = {name: _weights(layer) for name, layer in layers.items()}  # now, so that they are not counted
            with counter:
                network(*example)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training

    counts = []
    first = next(iter(began), None)
    for name, layer in layers.items():
        by_input, by_state = weights[name]
        macs = steps[name] * by_input if isinstance(layer, nn.RNNBase) else flops[name] // 2
        counts.append(Count(name, macs, by_input, first=name == first))
        if by_state:
            counts.append(Count(name, steps[name] * by_state, by_state, states=True))
    outside = counter.get_total_flops() - sum(flops.values())
    return [*counts, Count("", outside // 2, 0)] if outside else counts


def _steps(layer: nn.RNNBase, x: Tensor | nn.utils.rnn.PackedSequence) -> int:
    """Time steps of one example."""
    if isinstance(x, nn.utils.rnn.PackedSequence):
        return len(x.data)
    return x.shape[1] if x.dim() == 3 and layer.batch_first else x.shape[0]


def _weights(layer: nn.Module) -> tuple[int, int]:
    """How many weights multiply a layer's input, and how many its own states."""
    if not isinstance(layer, nn.RNNBase):
        weight = layer.weight
        assert isinstance(weight, Tensor)
        return weight.numel(), 0
    sizes = {name: getattr(layer, name).numel() for name in layer._flat_weights_names if name.startswith("weight")}
    by_input = sum(size for name, size in sizes.items() if name.startswith("weight_ih_l0"))
    return by_input, sum(sizes.values()) - by_input
