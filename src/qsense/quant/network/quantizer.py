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
from qsense.quant.network.activations import ActivationQuantizer, attach, calibrate
from qsense.quant.network.integer.chain import of_states, stages
from qsense.quant.network.integer.forward import STATE_BITS, to_integers
from qsense.quant.network.integer.needs import misfits
from qsense.quant.network.layers import (
    QuantizedLayer,
    counted,
    layers,
    quantizable,
    quantizers,
    to_parametrized,
    weight_names,
)
from qsense.quant.network.levels import make_levels
from qsense.quant.network.weights import AbsMaxWeight, LearnedWeight, MaxWeight, WeightQuantizer


class NetworkQuantizer:
    """Quantizes any network in place: `apply` it before the optimiser is made; all parameters exist from then on.

    Plain uniform or logarithmic levels, or FAT over either: weights then first pass through a learned mask over their
    filters' frequencies (Tao et al.: "FAT: frequency-aware transformation for bridging full-precision and
    low-precision deep representations", eqs. 1-5, Algorithm 1). At its published start (A = 1/C) the mask is within
    0.3 % of one, so FAT starts as the identity; `fat_scaled` divides its scores by √N. It does not stay there: in the
    ResNet-20 that the authors released, masks reach zero, and without them (`none`) it falls from 93.0 to 87.8 % at
    4 bits, from 93.5 to 91.4 % at 3 (first 1 017 test images of CIFAR-10). A network trained with a mask needs it; that
    FAT beats `none` can only be shown by training both alike.

    **Weights** of Conv1d/2d/3d (depthwise too), Linear and LSTM (every `weight_ih` and `weight_hh`) become
    parametrizations (`torch.nn.utils.parametrize`): `layer.weight` is the quantized weight, the optimiser trains
    `layer.parametrizations.weight.original`. Biases and every other layer stay float.

    **Activations** are quantized where they enter such a layer. Inputs that never fall below zero in the first batch
    (after ReLU) get unsigned levels, others signed ones: seen on data, not guessed from the layers' order. An LSTM's
    input is quantized; its states stay float inside one fused call, in float arithmetic.

    **Integer arithmetic** computes all of it as a microcontroller does (`integer/numbers.py`): whole numbers from the
    first layer's input codes to the logits, LSTM gates by a table, states of 8 or 16 bits. It covers networks that list
    their layers in `chain()` (DeepConvLSTM, TinyConv).

    **First and last layer** get 8-bit weights by absolute maximum and 8-bit inputs; which they are follows the order of
    the network's definition unless they are named (a detector has several last ones). The range of the first layer's
    input is the largest magnitude of the first batch and is not learned. FAT's authors have it so: weights alone, by
    their maximum, and inputs float (`first_last_input_bits=None, first_last_range="max"`).

    **Some layers without the transform**: the authors' MobileNetV2 transforms each block's last convolution alone
    (`transform_layers`) and only centres the others' weights (`untransformed="centred"`).

    Args:
        bits: bits of weights and activations.
        weight_bits: bits of weights; None: `bits`.
        activation_bits: bits of activations; None: `bits`.
        first_last_bits: bits of the first and last layer's weights, and of the last layer's input; None: they are
            treated like all others.
        input_bits: bits of the first layer's input; None: left as it comes, for a network behind a sensor quantizer (in
            integer arithmetic: 8).
        first_last_input_bits: bits of what enters the first and the last layer; "auto": `input_bits` and
            `first_last_bits`; None: left as it comes, so that of both layers weights alone are quantized.
        first_last_range: what their weights' levels reach to: the largest magnitude ("abs_max") or the largest weight
            ("max"); those below minus that then take codes of more bits, which are counted.
        first: names or patterns ("backbone.*.conv1") of first layers; None: the first in order of definition.
        last: names or patterns of last layers; None: the last in order of definition.
        skip: names or patterns of layers to leave in full precision.
        levels: of weights, "uniform" or "log".
        activation_levels: "uniform" or "log".
        transform: of weights, "none", "fat" or "fat_scaled".
        transform_layers: names or patterns of layers whose weights pass it; None: all but first and last.
        untransformed: weights that pass none are "standardised" like the others, or "centred": not divided by their
            standard deviation, so that their α has their own unit (it starts at `weight_alpha` standard deviations of
            the weights that are there when the network is quantized; the authors start at 3 of that unit).
        rescale: multiply quantized weights by the standard deviation they were divided by.
        clip_grad: no gradient for weights beyond α.
        alpha_grad: gradient of α, "full" or "pact".
        activation_alpha_grad: of activations' α; None: `alpha_grad`. The authors have "pact" on ImageNet.
        weight_alpha: α of weights to start from, in standard deviations.
        activation_alpha: α of activations to start from, but for the first layer's input; None: the 99.9th percentile
            of a first batch.
        weight_lr: learning rate of weights' α and of the transform; None: the network's.
        transform_lr: learning rate of the transform; "same": `weight_lr`; None: that, too, but in an LSTM divided by
            its C rows. Each score is a sum over C entries of A, and Adam moves all of them by the learning rate: at
            1e-3, a sixth of an LSTM's mask is below 0.01 after 20 steps.
        activation_lr: learning rate of activations' α; None: the network's.
        weight_decay: of both.
        arithmetic: "float", or "integer": levels uniform, all layers quantized, their weights by "abs_max".
        state_bits: of LSTM states in integer arithmetic, 16 or 8.

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
        first_last_input_bits: int | Literal["auto"] | None = "auto",
        first_last_range: Literal["abs_max", "max"] = "abs_max",
        first: list[str] | None = None,
        last: list[str] | None = None,
        skip: list[str] | None = None,
        levels: Literal["uniform", "log"] = "uniform",
        activation_levels: Literal["uniform", "log"] = "uniform",
        transform: Literal["none", "fat", "fat_scaled"] = "none",
        transform_layers: list[str] | None = None,
        untransformed: Literal["standardised", "centred"] = "standardised",
        rescale: bool = True,
        clip_grad: bool = False,
        alpha_grad: Literal["full", "pact"] = "full",
        activation_alpha_grad: Literal["full", "pact"] | None = None,
        weight_alpha: float = 3.0,
        activation_alpha: float | None = None,
        weight_lr: float | None = None,
        transform_lr: float | Literal["same"] | None = None,
        activation_lr: float | None = None,
        weight_decay: float = 1e-4,
        arithmetic: Literal["float", "integer"] = "float",
        state_bits: Literal[16, 8] = 16,
    ) -> None:
        name = type(self).__name__
        for key, value, allowed in (
            ("levels", levels, ("uniform", "log")),
            ("activation_levels", activation_levels, ("uniform", "log")),
            ("transform", transform, ("none", "fat", "fat_scaled")),
            ("first_last_range", first_last_range, ("abs_max", "max")),
            ("untransformed", untransformed, ("standardised", "centred")),
            ("alpha_grad", alpha_grad, ("full", "pact")),
            ("activation_alpha_grad", activation_alpha_grad, ("full", "pact", None)),
            ("rescale", rescale, (True, False)),
            ("clip_grad", clip_grad, (True, False)),
            ("arithmetic", arithmetic, ("float", "integer")),
            ("state_bits", state_bits, STATE_BITS),
        ):
            if value not in allowed:
                raise ValueError(f"{key}={value!r}: {name} allows {', '.join(map(str, allowed))}")
        if arithmetic == "integer":
            settings = {
                "levels": levels, "activation_levels": activation_levels, "first_last_range": first_last_range,
                "skip": skip,
            }  # fmt: skip
            for key, given, needed in misfits(settings):
                raise ValueError(f"{key}={given}: {name} with arithmetic=integer allows {needed}")
            if first_last_input_bits is None:
                raise ValueError(f"first_last_input_bits=null: {name} with arithmetic=integer allows auto, or 2 to 8")
            input_bits = 8 if input_bits is None else input_bits
        elif state_bits != 16:
            raise ValueError(f"state_bits={state_bits}: {name} has integer states with arithmetic=integer alone")
        self.weight_bits = bits if weight_bits is None else weight_bits
        self.activation_bits = bits if activation_bits is None else activation_bits
        both = input_bits if first_last_input_bits == "auto" else first_last_input_bits
        for key, kind, number_of_bits in (
            ("weight_bits" if weight_bits is not None else "bits", levels, self.weight_bits),
            ("activation_bits" if activation_bits is not None else "bits", activation_levels, self.activation_bits),
            ("first_last_bits", "uniform", 8 if first_last_bits is None else first_last_bits),
            ("input_bits", "uniform", 8 if input_bits is None else input_bits),
            ("first_last_input_bits", "uniform", 8 if both is None else both),
        ):
            try:
                make_levels(kind, number_of_bits, signed=True)
            except ValueError as error:
                raise ValueError(f"{key}={number_of_bits!r}: {name}: {error}") from error
        if isinstance(transform_lr, str) and transform_lr != "same":
            raise ValueError(f"transform_lr={transform_lr!r}: {name} allows a number of at least 0, same, or null")
        for key, number, positive in (
            ("weight_alpha", weight_alpha, True),
            ("activation_alpha", activation_alpha, True),
            ("weight_lr", weight_lr, False),
            ("transform_lr", None if isinstance(transform_lr, str) else transform_lr, False),
            ("activation_lr", activation_lr, False),
            ("weight_decay", weight_decay, False),
        ):
            if number is not None and not (math.isfinite(number) and (number > 0 if positive else number >= 0)):
                raise ValueError(f"{key}={number!r}: {name} needs a number {'above' if positive else 'of at least'} 0")
        self.first_last_bits = first_last_bits
        self.input_bits = input_bits
        self.first_last_input_bits = first_last_input_bits
        self.first_last_range = first_last_range
        self.first, self.last, self.skip = first, last, skip
        self.levels = levels
        self.activation_levels = activation_levels
        self.transform = transform
        self.transform_layers = transform_layers
        self.untransformed = untransformed
        self.rescale = rescale
        self.clip_grad = clip_grad
        self.alpha_grad = alpha_grad
        self.activation_alpha_grad = alpha_grad if activation_alpha_grad is None else activation_alpha_grad
        self.weight_alpha = weight_alpha
        self.activation_alpha = activation_alpha
        self.weight_lr = weight_lr
        self.transform_lr = transform_lr
        self.activation_lr = activation_lr
        self.weight_decay = weight_decay
        self.arithmetic = arithmetic
        self.state_bits = state_bits

    def apply(self, network: nn.Module) -> None:
        """Rewrite the network's layers in place.

        Raises:
            ValueError: it is quantized already, has nothing to quantize, a pattern fits none of its layers, or integers
                do not cover it.
        """
        uncoded = {stage.name for stage in of_states(stages(network))} if self.arithmetic == "integer" else set()
        modules = {name: module for name, module in counted(network) if quantizable(module)}
        if not modules:
            raise ValueError(f"{type(network).__name__} has no convolution, linear layer or LSTM to quantize")
        if any(hasattr(m, "input_quantizer") or parametrize.is_parametrized(m) for m in modules.values()):
            raise ValueError(f"{type(network).__name__} is quantized (or parametrized) already")
        skipped = _matching("skip", self.skip or [], modules)
        names = [name for name in modules if name not in skipped]
        first = set(names[:1]) if self.first is None else _matching("first", self.first, modules)
        last = set(names[-1:]) if self.last is None else _matching("last", self.last, modules)
        transformed = (
            set(names)
            if self.transform_layers is None
            else _matching("transform_layers", self.transform_layers, modules)
        )
        for name in names:
            transform = self.transform if name in transformed else "none"
            try:
                self._rewrite(modules[name], name in first, name in last, transform, name not in uncoded)
            except ValueError as error:
                raise ValueError(f"layer {name or type(network).__name__}: {error}") from error
            if activation := getattr(modules[name], "input_quantizer", None):
                activation.layer = f"layer {name or type(network).__name__}"
        if self.arithmetic == "integer":
            to_integers(network, self.state_bits)

    def prepare(self, device: torch.device) -> None:
        """Before training on a device: load or compile what it needs, which logs how activations are quantized."""
        if device.type == "cpu":
            clip.library()

    def _input_bits(self, first: bool, last: bool) -> int | None:
        if (first or last) and self.first_last_input_bits != "auto":
            return self.first_last_input_bits
        if first:
            return self.input_bits
        return self.first_last_bits if last and self.first_last_bits is not None else self.activation_bits

    def _rewrite(self, module: nn.Module, first: bool, last: bool, transform: str, coded: bool) -> None:
        end = self.first_last_bits is not None and (first or last)
        bits = self._input_bits(first, last) if coded else None
        sample = next(module.parameters())
        weights = {name: self._weight_quantizer(getattr(module, name), end, transform) for name in weight_names(module)}
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
                alpha_grad=self.activation_alpha_grad,
            )
            # What comes in has the range that it has. To learn one takes the gradient of the input, which nothing else
            # needs: as much work as a second forward pass of the first layer.
            activation.rho.requires_grad_(not first)
            attach(module, activation.to(sample.device, sample.dtype).train(module.training))

    def _weight_quantizer(self, weight: Tensor, end: bool, transform: str) -> WeightQuantizer:
        if end and self.first_last_bits is not None:
            return (MaxWeight if self.first_last_range == "max" else AbsMaxWeight)(self.first_last_bits)
        return LearnedWeight(
            weight,
            make_levels(self.levels, self.weight_bits, signed=True),
            transform,
            self.weight_alpha,
            self.rescale,
            self.clip_grad,
            self.alpha_grad,
            divide=transform != "none" or self.untransformed == "standardised",
        )

    def parameter_groups(self, network: nn.Module, lr: float) -> list[dict[str, Any]]:
        """The quantizer's own optimiser groups: activations' α, then weights' α and the transform.

        Args:
            network: what `apply` has rewritten.
            lr: the network's learning rate, used where none was given.

        Returns:
            Two groups or fewer, and one more for each other learning rate of the transform; every parameter that is in
            none belongs to the network.
        """
        activations = [m.rho for m in network.modules() if isinstance(m, ActivationQuantizer)]
        weight_lr = lr if self.weight_lr is None else self.weight_lr
        by_rate: dict[float, list[nn.Parameter]] = {weight_lr: []}
        for module in network.modules():
            for _, _, quantizer in quantizers(module):
                for parameter in quantizer.parameters():
                    mixing = isinstance(quantizer, LearnedWeight) and parameter is quantizer.mixing
                    rate = self._transform_lr(module, len(parameter), weight_lr) if mixing else weight_lr
                    by_rate.setdefault(rate, []).append(parameter)
        groups = [(lr if self.activation_lr is None else self.activation_lr, activations), *by_rate.items()]
        return [
            {"params": parameters, "lr": rate, "weight_decay": self.weight_decay}
            for rate, parameters in groups
            if parameters
        ]

    def _transform_lr(self, module: nn.Module, rows: int, weight_lr: float) -> float:
        if self.transform_lr == "same":
            return weight_lr
        if self.transform_lr is None:
            return weight_lr / rows if isinstance(module, nn.LSTM) else weight_lr
        return self.transform_lr

    def layers(self, network: nn.Module) -> list[QuantizedLayer]:
        """Every layer that multiplies, with its bits; unquantized ones too (32)."""
        return layers(network)

    def trajectory(self, network: nn.Module) -> dict[str, list[float]]:
        """Current clipping ranges, for logs: of activations, and of weights (in standard deviations where divided)."""
        activations = [m.alpha.item() for m in network.modules() if isinstance(m, ActivationQuantizer)]
        weights = [m.alpha.item() for m in network.modules() if isinstance(m, LearnedWeight)]
        return {"alpha_activation": activations, "alpha_weight": weights}

    def calibrate(self, network: nn.Module, *inputs: Any) -> None:
        """Fill the activations' α from one forward pass in evaluation mode, for use without training.

        Raises:
            ValueError: some layer saw no input.
        """
        named = {n: m for n, m in network.named_modules() if isinstance(m, ActivationQuantizer)}
        calibrate(network, {name.removesuffix(".input_quantizer"): m for name, m in named.items()}, *inputs)


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
