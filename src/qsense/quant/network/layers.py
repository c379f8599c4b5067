"""A network's layers that multiply and accumulate, and the bits each works with.

Open it to quantize another kind of layer, or to count the cost of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize

from qsense.quant.network.levels import Levels
from qsense.quant.network.weights import AbsMaxWeight, WeightQuantizer

QUANTIZED: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.LSTM)
COUNTED: tuple[type[nn.Module], ...] = (
    *QUANTIZED,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.RNN,
    nn.GRU,
    nn.Bilinear,
)
FULL = 32  # bits of what is not quantized


@dataclass(frozen=True)
class QuantizedLayer:
    """One layer that multiplies, for counting its cost.

    Args:
        name: its name in the network.
        kind: "Conv2d", "Linear", "LSTM", …
        weight_bits: 32 where not quantized.
        activation_bits: of the layer's input; 32 where not quantized.
        module: the layer.
        role: "end" (a first or last layer, weights by absolute maximum), "inner", or "float" (not quantized).
        state_bits: of an LSTM's own states: what its `weight_hh` matrices, and all layers of a stack but the first,
            multiply with; in float arithmetic they live inside one fused call and stay 32-bit floats within (-1, 1).
    """

    name: str
    kind: str
    weight_bits: int
    activation_bits: int
    module: nn.Module
    role: Literal["end", "inner", "float"]
    state_bits: int = FULL


class LSTM(nn.LSTM):
    """An LSTM whose weights are parametrized: asks for each once per forward pass, and holds on to none of them.

    `torch.nn.LSTM` keeps its weights in a list of its own, `_flat_weights`, that knows nothing of parametrizations.
    """

    def forward(self, input, hx=None):  # type: ignore[no-untyped-def]
        self._flat_weights = [getattr(self, name) for name in self._flat_weights_names]
        try:
            return super().forward(input, hx)
        finally:
            self._init_flat_weights()

    def _init_flat_weights(self) -> None:
        self._flat_weights = [None] * len(self._flat_weights_names)
        self._flat_weight_refs = []

    def _update_flat_weights(self) -> None:
        """Done by `forward`."""

    def flatten_parameters(self) -> None:
        """The weights are new at every training step: nothing to flatten."""


def to_parametrized(module: nn.LSTM) -> None:
    """Let a plain LSTM look its weights up, before they are parametrized."""
    module.__class__ = LSTM
    module._init_flat_weights()


def to_plain(module: nn.Module) -> None:
    """The way back, when nothing is parametrized any more."""
    plain: type[nn.Module] = nn.LSTM
    module.__class__ = plain
    nn.LSTM._init_flat_weights(module)  # type: ignore[arg-type]


def weight_names(module: nn.Module) -> list[str]:
    """Names of the tensors a layer multiplies with."""
    if isinstance(module, nn.RNNBase):
        return [name for name in module._flat_weights_names if name.startswith("weight")]
    return ["weight"]


def quantizable(module: nn.Module) -> bool:
    """Whether a layer's weights and input can be quantized.

    Not the output projection of `nn.MultiheadAttention`, whose weight is used without calling the layer.
    """
    attention = nn.modules.linear.NonDynamicallyQuantizableLinear
    return isinstance(module, QUANTIZED) and not isinstance(module, attention)


def counted(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every layer that multiplies, with its name, in the order of the network's definition."""
    for name, module in network.named_modules():
        if isinstance(module, COUNTED):
            yield name, module


def quantizers(module: nn.Module) -> Iterator[tuple[str, Tensor, WeightQuantizer]]:
    """A layer's quantized weights: name, full-precision weight, quantizer."""
    if not parametrize.is_parametrized(module):
        return
    for name, stack in module.parametrizations.items():  # type: ignore[union-attr, operator]
        for parametrization in stack:
            if isinstance(parametrization, WeightQuantizer):
                yield name, stack.original, parametrization


def frozen_levels(module: nn.Module) -> dict[str, Levels]:
    """Levels of a frozen layer's weights, by name."""
    levels: dict[str, Levels] = module.__dict__.get("frozen_levels", {})
    return levels


def weight_levels(module: nn.Module) -> dict[str, Levels]:
    """Levels of a layer's weights, by name, quantized or frozen."""
    return {name: each.code_levels(weight) for name, weight, each in quantizers(module)} | frozen_levels(module)


def layers(network: nn.Module) -> list[QuantizedLayer]:
    """Every layer that multiplies with its true bits, of a network quantized, frozen, or neither.

    >>> [(layer.name, layer.kind, layer.weight_bits) for layer in layers(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()))]
    [('0', 'Conv1d', 32)]
    """
    # In integer arithmetic (`integer/forward.py`) what no quantizer codes are an LSTM's states.
    states: int = network.__dict__.get("state_bits", FULL)
    listed = []
    for name, module in counted(network):
        weights = list(quantizers(module))
        bits = [levels.bits for levels in weight_levels(module).values()]
        activation = getattr(module, "input_quantizer", None)
        role: Literal["end", "inner", "float"] = "inner" if bits else "float"
        if any(isinstance(quantizer, AbsMaxWeight) for _, _, quantizer in weights) or module.__dict__.get("frozen_end"):
            role = "end"
        kind = next(kind.__name__ for kind in COUNTED if isinstance(module, kind))
        activation_bits = states if activation is None else activation.bits
        state_bits = states if isinstance(module, nn.LSTM) else FULL
        listed.append(QuantizedLayer(name, kind, max(bits, default=FULL), activation_bits, module, role, state_bits))
    return listed
