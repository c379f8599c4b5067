"""The network quantizer: rewrites a network's layers to multiply few-bit weights with few-bit activations.

Open it to see what each option of `quant.network` does, and to which layers.
"""

from __future__ import annotations

import fnmatch
import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from qsense.quant.network import clip
from qsense.quant.network.activations import ActivationQuantizer, attach
from qsense.quant.network.layers import QuantizedLayer, counted, layers, quantizable, to_parametrized, weight_names
from qsense.quant.network.levels import make_levels
from qsense.quant.network.weights import AbsMaxWeight, LearnedWeight, WeightQuantizer


class NetworkQuantizer:
    """Quantizes any network in place: `apply` it before the optimiser is made; all parameters exist from then on.

    Plain uniform or logarithmic levels, or FAT over either: weights then first pass through a learned mask over their
    filters' frequencies (Tao et al.: "FAT: frequency-aware transformation for bridging full-precision and
    low-precision deep representations", eqs. 1-5, Algorithm 1). At its published start (A = 1/C) the mask is within
    0.3 % of one; `fat_scaled` divides its scores by √N, and `none` is the same training without it: compare with both.

    **Weights** of Conv1d/2d/3d (depthwise too), Linear and LSTM (every `weight_ih` and `weight_hh`) become
    parametrizations (`torch.nn.utils.parametrize`): `layer.weight` is the quantized weight, the optimiser trains
    `layer.parametrizations.weight.original`. Biases and every other layer stay float.

    **Activations** are quantized where they enter such a layer. Inputs that never fall below zero in the first batch
    (after ReLU) get unsigned levels, others signed ones: seen on data, not guessed from the layers' order. An LSTM's
    input is quantized; its states stay float inside one fused call.

    **First and last layer** get 8-bit weights by absolute maximum and 8-bit inputs; which they are follows the order of
    the network's definition unless they are named (a detector has several last ones). The range of the first layer's
    input is the largest magnitude of the first batch and is not learned.

    Args:
        bits: bits of weights and activations.
        weight_bits: bits of weights; None: `bits`.
        activation_bits: bits of activations; None: `bits`.
        first_last_bits: bits of the first and last layer's weights, and of the last layer's input; None: they are
            treated like all others.
        input_bits: bits of the first layer's input; None: left as it comes, for a network behind a sensor quantizer.
        first: names or patterns ("backbone.*.conv1") of first layers; None: the first in order of definition.
        last: names or patterns of last layers; None: the last in order of definition.
        skip: names or patterns of layers to leave in full precision.
        levels: of weights, "uniform" or "log".
        activation_levels: "uniform" or "log".
        transform: of weights, "none", "fat" or "fat_scaled".
        rescale: multiply quantized weights by the standard deviation they were divided by.
        clip_grad: no gradient for weights beyond α.
        alpha_grad: gradient of α, "full" or "pact".
        weight_alpha: α of weights to start from, in standard deviations.
        activation_alpha: α of activations to start from, but for the first layer's input; None: the 99.9th percentile
            of a first batch.
        weight_lr: learning rate of weights' α and of the transform; None: the network's.
        activation_lr: learning rate of activations' α; None: the network's.
        weight_decay: of both.

    Raises:
        ValueError: an argument outside what is listed.

    >>> network = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.Conv1d(8, 8, 5), nn.Flatten(), nn.Linear(8, 2))
    >>> fat = NetworkQuantizer(bits=4, transform="fat")
    >>> fat.apply(network)
    >>> [(layer.name, layer.weight_bits, layer.activation_bits, layer.role) for layer in fat.layers(network)]
    [('0', 8, 8, 'end'), ('2', 4, 4, 'inner'), ('4', 8, 8, 'end')]
    """

    def __init__(
        self,
        bits: int,
        weight_bits: int | None = None,
        activation_bits: int | None = None,
        first_last_bits: int | None = 8,
        input_bits: int | None = 8,
        first: list[str] | None = None,
        last: list[str] | None = None,
        skip: list[str] | None = None,
        levels: Literal["uniform", "log"] = "uniform",
        activation_levels: Literal["uniform", "log"] = "uniform",
        transform: Literal["none", "fat", "fat_scaled"] = "none",
        rescale: bool = True,
        clip_grad: bool = False,
        alpha_grad: Literal["full", "pact"] = "full",
        weight_alpha: float = 3.0,
        activation_alpha: float | None = None,
        weight_lr: float | None = None,
        activation_lr: float | None = None,
        weight_decay: float = 1e-4,
    ) -> None:
        name = type(self).__name__
        for key, value, allowed in (
            ("levels", levels, ("uniform", "log")),
            ("activation_levels", activation_levels, ("uniform", "log")),
            ("transform", transform, ("none", "fat", "fat_scaled")),
            ("alpha_grad", alpha_grad, ("full", "pact")),
            ("rescale", rescale, (True, False)),
            ("clip_grad", clip_grad, (True, False)),
        ):
            if value not in allowed:
                raise ValueError(f"{key}={value!r}: {name} allows {', '.join(map(str, allowed))}")
        self.weight_bits = bits if weight_bits is None else weight_bits
        self.activation_bits = bits if activation_bits is None else activation_bits
        for key, kind, number_of_bits in (
            ("weight_bits" if weight_bits is not None else "bits", levels, self.weight_bits),
            ("activation_bits" if activation_bits is not None else "bits", activation_levels, self.activation_bits),
            ("first_last_bits", "uniform", 8 if first_last_bits is None else first_last_bits),
            ("input_bits", "uniform", 8 if input_bits is None else input_bits),
        ):
            try:
                make_levels(kind, number_of_bits, signed=True)
            except ValueError as error:
                raise ValueError(f"{key}={number_of_bits!r}: {name}: {error}") from error
        for key, number, positive in (
            ("weight_alpha", weight_alpha, True),
            ("activation_alpha", activation_alpha, True),
            ("weight_lr", weight_lr, False),
            ("activation_lr", activation_lr, False),
            ("weight_decay", weight_decay, False),
        ):
            if number is not None and not (math.isfinite(number) and (number > 0 if positive else number >= 0)):
                raise ValueError(f"{key}={number!r}: {name} needs a number {'above' if positive else 'of at least'} 0")
        self.first_last_bits = first_last_bits
        self.input_bits = input_bits
        self.first, self.last, self.skip = first, last, skip
        self.levels = levels
        self.activation_levels = activation_levels
        self.transform = transform
        self.rescale = rescale
        self.clip_grad = clip_grad
        self.alpha_grad = alpha_grad
        self.weight_alpha = weight_alpha
        self.activation_alpha = activation_alpha
        self.weight_lr = weight_lr
        self.activation_lr = activation_lr
        self.weight_decay = weight_decay

    def apply(self, network: nn.Module) -> None:
        """Rewrite the network's layers in place.

        Raises:
            ValueError: it is quantized already, has nothing to quantize, or a pattern fits none of its layers.
        """
        modules = {name: module for name, module in counted(network) if quantizable(module)}
        if not modules:
            raise ValueError(f"{type(network).__name__} has no convolution, linear layer or LSTM to quantize")
        if any(hasattr(m, "input_quantizer") or parametrize.is_parametrized(m) for m in modules.values()):
            raise ValueError(f"{type(network).__name__} is quantized (or parametrized) already")
        skipped = _matching("skip", self.skip or [], modules)
        names = [name for name in modules if name not in skipped]
        first = set(names[:1]) if self.first is None else _matching("first", self.first, modules)
        last = set(names[-1:]) if self.last is None else _matching("last", self.last, modules)
        for name in names:
            try:
                self._rewrite(modules[name], name in first, name in last)
            except ValueError as error:
                raise ValueError(f"layer {name or type(network).__name__}: {error}") from error
            if activation := getattr(modules[name], "input_quantizer", None):
                activation.layer = f"layer {name or type(network).__name__}"

    def prepare(self, device: torch.device) -> None:
        """Before training on a device: load or compile what it needs, which logs how activations are quantized."""
        if device.type == "cpu":
            clip.library()

    def _rewrite(self, module: nn.Module, first: bool, last: bool) -> None:
        end = self.first_last_bits is not None and (first or last)
        bits = self.first_last_bits if end else self.activation_bits
        bits = self.input_bits if first else bits
        sample = next(module.parameters())
        weights = {name: self._weight_quantizer(getattr(module, name), end) for name in weight_names(module)}
        if isinstance(module, nn.LSTM):
            to_parametrized(module)
        for name, quantizer in weights.items():
            parametrize.register_parametrization(module, name, quantizer.train(module.training), unsafe=True)
        if bits is not None:
            activation = ActivationQuantizer(
                bits,
                # Eight bits have levels to spare: they reach to the largest value, fewer clip the rarest.
                "uniform" if end or first else self.activation_levels,
                None if first else self.activation_alpha,
                percentile=1.0 if end or first else 0.999,
                alpha_grad=self.alpha_grad,
            )
            # What comes in has the range that it has. To learn one takes the gradient of the input, which nothing else
            # needs: as much work as a second forward pass of the first layer.
            activation.rho.requires_grad_(not first)
            attach(module, activation.to(sample.device, sample.dtype).train(module.training))

    def _weight_quantizer(self, weight: Tensor, end: bool) -> WeightQuantizer:
        if end and self.first_last_bits is not None:
            return AbsMaxWeight(self.first_last_bits)
        return LearnedWeight(
            weight,
            make_levels(self.levels, self.weight_bits, signed=True),
            self.transform,
            self.weight_alpha,
            self.rescale,
            self.clip_grad,
            self.alpha_grad,
        )

    def parameter_groups(self, network: nn.Module, lr: float) -> list[dict[str, Any]]:
        """The quantizer's own optimiser groups: activations' α, then weights' α and the transform.

        Args:
            network: what `apply` has rewritten.
            lr: the network's learning rate, used where none was given.

        Returns:
            Up to two groups; every parameter that is in none belongs to the network.
        """
        activations = [m.rho for m in network.modules() if isinstance(m, ActivationQuantizer)]
        weights = [p for m in network.modules() if isinstance(m, WeightQuantizer) for p in m.parameters()]
        groups = ((activations, self.activation_lr), (weights, self.weight_lr))
        return [
            {"params": parameters, "lr": lr if rate is None else rate, "weight_decay": self.weight_decay}
            for parameters, rate in groups
            if parameters
        ]

    def layers(self, network: nn.Module) -> list[QuantizedLayer]:
        """Every layer that multiplies, with its bits; unquantized ones too (32)."""
        return layers(network)

    def trajectory(self, network: nn.Module) -> dict[str, list[float]]:
        """Current clipping ranges, for logs: of activations, and of weights (in standard deviations)."""
        activations = [m.alpha.item() for m in network.modules() if isinstance(m, ActivationQuantizer)]
        weights = [m.alpha.item() for m in network.modules() if isinstance(m, LearnedWeight)]
        return {"alpha_activation": activations, "alpha_weight": weights}

    @torch.no_grad()
    def calibrate(self, network: nn.Module, *inputs: Any) -> None:
        """Fill the activations' α from one forward pass in evaluation mode, for use without training.

        Raises:
            ValueError: some layer saw no input.
        """
        modes = {module: module.training for module in network.modules()}
        network.eval()
        activations = {n: m for n, m in network.named_modules() if isinstance(m, ActivationQuantizer)}
        for activation in activations.values():
            activation.levels = None
            activation.training = True  # fills at the next forward
        try:
            network(*inputs)
        finally:
            for module, training in modes.items():
                module.training = training
        missed = [name.removesuffix(".input_quantizer") for name, m in activations.items() if m.levels is None]
        if missed:
            raise ValueError(f"no input reached {', '.join(missed)}: call them in the network's forward, or skip them")


def quantize_network(network: nn.Module, bits: int, **settings: Any) -> NetworkQuantizer:
    """Quantize any network in place: its layers then multiply few-bit weights with few-bit activations.

    Make the optimiser afterwards, from the quantizer's `parameter_groups` and the network's other parameters. The first
    batch in training sets the activations' ranges; without training, `calibrate(network, batch)` does.

    Args:
        network: with convolutions, linear layers or LSTMs.
        bits: of weights and activations.
        settings: other arguments of `NetworkQuantizer`, such as transform="fat".

    Returns:
        The quantizer, which knows its parameters, the bits of each layer, and how to calibrate.

    Raises:
        ValueError: a setting out of its range, or a network without a layer to quantize.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> quantizer = quantize_network(network, bits=4, transform="fat", first_last_bits=None)
    >>> quantizer.calibrate(network, torch.rand(8, 1, 4, 4))
    >>> network.eval()(torch.rand(2, 1, 4, 4)).shape, network[3].weight.unique().numel() <= 16
    (torch.Size([2, 2]), True)
    """
    quantizer = NetworkQuantizer(bits, **settings)
    quantizer.apply(network)
    return quantizer


def _matching(key: str, patterns: list[str], names: dict[str, nn.Module]) -> set[str]:
    matched: set[str] = set()
    for pattern in patterns:
        fitting = fnmatch.filter(names, pattern)
        if not fitting:
            raise ValueError(f"{key}: '{pattern}' fits no layer; the layers are {', '.join(names)}")
        matched.update(fitting)
    return matched
