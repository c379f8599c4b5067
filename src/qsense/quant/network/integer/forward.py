"""A network computed on integer codes: evaluation as `numbers.py` defines it, training with straight-through gradients.

Open it to see how torch computes what a microcontroller will, or where a gradient comes from.

**Values.** Codes and accumulators are whole numbers in float32, or in float64 where a sum might not fit float32's 24
bits: every sum is exact, in whatever order it is taken. Units are plain numbers.

**Gradients** are those of codes and accumulators as if nothing were rounded, and 0 where something is cut off (`Cut`).
Weights and biases get theirs through their codes, weights' α through the weights, activations' α as in `activations`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from qsense.quant.network.activations import ActivationQuantizer, FrozenActivation
from qsense.quant.network.gradients import inner
from qsense.quant.network.integer.chain import Stage, of_states, positions_of, stages
from qsense.quant.network.integer.numbers import GATE, ONE, WIDEST, Scale, scale, sigmoid, tanh
from qsense.quant.network.layers import QUANTIZED, quantizers, weight_levels, weight_names
from qsense.quant.network.levels import Uniform
from qsense.quant.network.weights import without_autocast

STATE_BITS = (16, 8)
EXACT = 1 << 24  # whole numbers up to here are exact in float32
LARGEST_SCALE = Scale(ONE - 1, 1).value
SHORT = 1 << 15  # gates' arguments and cells are -SHORT … SHORT - 1


class Codes(NamedTuple):
    """What flows from one layer to the next.

    Args:
        codes: whole numbers, [B, features, T, planes] or [B, features, T] in convolutions, then [B, T, features].
        unit: what a code of 1 stands for.
        most: the largest magnitude that a code can have.
    """

    codes: Tensor
    unit: float
    most: int


class Product(NamedTuple):
    """What a layer multiplies and adds.

    Args:
        weight: codes.
        bias: codes, in units of the accumulator; float64.
        unit: what an accumulator of 1 stands for.
    """

    weight: Tensor
    bias: Tensor
    unit: float


class Cut(torch.autograd.Function):
    """Codes of x · factor, which were computed elsewhere: rounded, and cut off at low … high.

    Backward: dx = g · factor where x · factor lies within low … high, else 0. With α, of which the codes' unit is a
    fraction, and v = x · factor: dα = (⟨g, codes⟩ − ⟨g·1[inside], v⟩)/α, and with `pact` codes take v's place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        factor: float,
        codes: Tensor,
        low: float,
        high: float,
        alpha: Tensor | None = None,
        pact: bool = False,
    ) -> Tensor:
        ctx.save_for_backward(x, codes, alpha)
        ctx.factor, ctx.low, ctx.high, ctx.pact = factor, low, high, pact
        return codes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, codes, alpha = ctx.saved_tensors
        if ctx.low == -math.inf:  # a weight's codes
            return (grad * ctx.factor).to(x.dtype), None, None, None, None, None, None
        v = x * ctx.factor
        inside = grad.to(v.dtype) * ((v >= ctx.low) & (v <= ctx.high))
        grad_alpha = None
        if alpha is not None and ctx.needs_input_grad[5]:
            v = codes.to(v.dtype) if ctx.pact else v
            grad_alpha = ((inner(grad, codes.to(grad.dtype)) - inner(inside, v)) / alpha).to(alpha.dtype)
        return (inside * ctx.factor).to(x.dtype), None, None, None, None, grad_alpha, None


def half_up(v: Tensor) -> Tensor:
    """The nearest whole number, ties upwards; in place."""
    return v.add_(0.5).floor_()


def requantize(acc: Tensor, by: Scale, low: int, high: int) -> Tensor:
    """`numbers.requantize` in float64, where all of it is exact: |acc| · multiplier < 2^47.

    >>> requantize(torch.tensor([-5.0, -3.0, 3.0, 5.0, 100.0]), scale(0.5), -8, 7).tolist()
    [-2.0, -1.0, 2.0, 3.0, 7.0]
    """
    codes: Tensor = half_up(acc.to(torch.float64, copy=True).mul_(by.value)).clamp_(low, high)
    return codes


def input_levels(coder: nn.Module, values: Tensor | None = None) -> tuple[Any, float]:
    """A layer's input levels and their unit; the first values calibrate them, in training mode."""
    quantizer = coder.input_quantizer
    if isinstance(quantizer, FrozenActivation):
        return quantizer.levels, quantizer.unit.item()
    assert isinstance(quantizer, ActivationQuantizer)
    levels = quantizer.known_levels(values)
    return levels, levels.unit(quantizer.alpha).item()


def learned_range(coder: nn.Module) -> tuple[Tensor | None, bool]:
    """A layer's input α, and whether its gradient is of cut off values alone; frozen layers have none."""
    quantizer = coder.input_quantizer
    return (quantizer.alpha, quantizer.pact) if isinstance(quantizer, ActivationQuantizer) else (None, False)


def weight_codes(module: nn.Module, name: str) -> tuple[Tensor, float]:
    """A weight's codes, with its gradient, and their unit."""
    value: Tensor = getattr(module, name)
    for quantized, original, quantizer in quantizers(module):
        if quantized == name:
            grid, unit = quantizer.grid(original)
            step = unit.item()
            codes = grid.view(value.shape)
            break
    else:
        step = module.__dict__["frozen_units"][name]
        codes = value.detach().div(step).round_()
    return Cut.apply(value, 1 / step, codes, -math.inf, math.inf), step


def rounded(bias: Tensor, unit: float, limit: int) -> Tensor:
    """A bias in whole numbers of a unit, in float64."""
    codes = half_up(bias.detach().double() / unit).clamp_(-limit, limit)
    result: Tensor = Cut.apply(bias, 1 / unit, codes, -limit, limit)
    return result


def product(module: nn.Module, unit: float) -> Product:
    """What a convolution or linear layer multiplies and adds, for an input in a unit."""
    weight, step = weight_codes(module, "weight")
    together = step * unit
    bias = module.bias
    if bias is None:
        return Product(weight, weight.new_zeros(len(weight), dtype=torch.float64), together)
    assert isinstance(bias, Tensor)
    return Product(weight, rounded(bias, together, 1 << 30), together)


def gates(module: nn.LSTM, layer: int, unit: float, state_bits: int) -> tuple[Product, Product]:
    """What one layer of an LSTM multiplies its input with, for an input in a unit, and what its own states.

    The first has the bias, both of PyTorch's together, in units of 2^-11.
    """
    of_input, step_input = weight_codes(module, f"weight_ih_l{layer}")
    of_state, step_state = weight_codes(module, f"weight_hh_l{layer}")
    none = bias = of_input.new_zeros(len(of_input), dtype=torch.float64)
    if module.bias:
        both = getattr(module, f"bias_ih_l{layer}").double() + getattr(module, f"bias_hh_l{layer}").double()
        bias = rounded(both, math.ldexp(1, -GATE), WIDEST)
    return Product(of_input, bias, step_input * unit), Product(of_state, none, math.ldexp(step_state, 1 - state_bits))


def by_of(name: str, ratio: float) -> Scale:
    """`numbers.scale`; beyond its largest number, by which an accumulator of 1 saturates what it goes to, that one."""
    if not math.isfinite(ratio):
        raise ValueError(f"layer {name}: its weights or their ranges are not finite: the training has diverged")
    return scale(min(ratio, LARGEST_SCALE))


def largest(weight: Tensor, most: int, bias: Tensor | None = None) -> float:
    """A bound of the accumulators' magnitude."""
    sums = weight.detach().flatten(1).abs().sum(1, dtype=torch.float64) * most
    return float((sums if bias is None else sums + bias.detach().abs()).max().item())


def working(bound: float, device: torch.device) -> torch.dtype:
    """In what sums up to a bound are exact; other devices than CPUs may shorten or transform float32."""
    return torch.float32 if bound < EXACT and device.type == "cpu" else torch.float64


def whole(acc: Tensor) -> Tensor:
    """Accumulators as they are; other devices than CPUs may transform convolutions, and be right but for 10^-6."""
    return acc if acc.is_cpu else acc + (acc.round() - acc).detach()


class Integer(nn.Module):
    """The forward pass of a network in integer arithmetic; `to_integers` puts it before the network's own.

    Attributes:
        state_bits: of LSTM states.
    """

    state_bits: int

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, K] of windows [B, T, C]: accumulators times their unit."""
        acc, unit = accumulate(self, x)
        logits: Tensor = (acc.double() * unit).float()
        return logits


@cache
def _in_integers(plain: type[nn.Module]) -> type[nn.Module]:
    names = {"__module__": plain.__module__, "__qualname__": plain.__qualname__, "__doc__": plain.__doc__}
    return type(plain.__name__, (Integer, plain), names)


def to_integers(network: nn.Module, state_bits: int) -> None:
    """Let a quantized or frozen network, in place, compute in integers from now on.

    Raises:
        ValueError: another number of bits, or a network that integers do not cover.
    """
    if state_bits not in STATE_BITS:
        raise ValueError(f"state_bits={state_bits!r}: LSTM states have {' or '.join(map(str, STATE_BITS))} bits")
    _refuse_floats(network)
    if not isinstance(network, Integer):
        network.__class__ = _in_integers(type(network))  # type: ignore[arg-type]
    network.__dict__["state_bits"] = state_bits


def _refuse_floats(network: nn.Module) -> None:
    """Weights and inputs that have no uniform codes of at most 8 bits."""
    listed = stages(network)
    for stage in listed:
        if not isinstance(stage.module, QUANTIZED):
            continue
        levels = weight_levels(stage.module)
        uniform = [type(levels.get(name)) is Uniform for name in weight_names(stage.module)]
        if stage not in of_states(listed):
            quantizer = getattr(stage.module, "input_quantizer", None)
            uniform.append(quantizer is not None and type(quantizer.levels or quantizer.choices[True]) is Uniform)
        if not all(uniform):
            raise ValueError(
                f"arithmetic=integer: layer {stage.name} of {type(network).__name__} must have weights and input of "
                "levels=uniform, activation_levels=uniform, first_last_range=abs_max, and not be skipped"
            )


@contextmanager
def in_float(network: nn.Module) -> Iterator[None]:
    """Within it, a network in integers calls its layers as its own class does: for counting what they multiply."""
    own = type(network)
    if issubclass(own, Integer):
        network.__class__ = own.__bases__[1]
    try:
        yield
    finally:
        network.__class__ = own


@torch.compiler.disable  # type: ignore[untyped-decorator]
def accumulate(network: nn.Module, x: Tensor) -> tuple[Tensor, float]:
    """The classifier's accumulators [B, K], whole numbers, and their unit, of windows [B, T, C]."""
    assert isinstance(network, Integer)
    listed = stages(network)
    with without_autocast(x.device.type):
        signal = enter(listed[0].module, x.float())
        for stage in listed[:-1]:
            signal = pass_through(stage, signal, network.state_bits)
        layer = product(listed[-1].module, signal.unit)
        dtype = working(largest(layer.weight, signal.most, layer.bias), x.device)
        codes = signal.codes.to(dtype)
        return functional.linear(codes, layer.weight.to(dtype), layer.bias.to(dtype)), layer.unit


def enter(first: nn.Module, x: Tensor) -> Codes:
    """The first layer's input codes, in its own layout."""
    levels, unit = input_levels(first, x)
    alpha, pact = learned_range(first)
    codes = levels.grid(x.detach(), x.new_tensor(unit))
    coded = Cut.apply(x, 1 / unit, codes, levels.lowest_code, levels.highest_code, alpha, pact)
    return Codes(coded.unsqueeze(1) if isinstance(first, nn.Conv2d) else coded.transpose(1, 2), unit, levels.top)


def pass_through(stage: Stage, signal: Codes, state_bits: int) -> Codes:
    """One layer before the classifier."""
    match stage.module:
        case nn.Conv1d() | nn.Conv2d():
            return convolve(stage, signal)
        case nn.LSTM():
            return recur(stage, signal, state_bits)
        case nn.AvgPool1d() as pool:
            positions = positions_of(pool)
            if signal.codes.shape[-1] != positions:
                raise ValueError(f"layer {stage.name}: {signal.codes.shape[-1]} positions instead of {positions}")
            return Codes(signal.codes.sum(-1), signal.unit / positions, signal.most * positions)
        case _:  # dropout
            return signal._replace(codes=stage.module(signal.codes))


def convolve(stage: Stage, signal: Codes) -> Codes:
    """A convolution, its ReLU, and the codes of the layer that follows."""
    module, coder = stage.module, stage.coder
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    assert coder is not None
    layer = product(module, signal.unit)
    dtype = working(largest(layer.weight, signal.most, layer.bias), layer.weight.device)
    convolution: Any = functional.conv2d if isinstance(module, nn.Conv2d) else functional.conv1d
    operands = (each.to(dtype) for each in (signal.codes, layer.weight, layer.bias))
    acc = whole(convolution(*operands, dilation=module.dilation, groups=module.groups))
    quantizer = coder.input_quantizer
    values = None
    if isinstance(quantizer, ActivationQuantizer) and quantizer.levels is None:  # a first batch
        values = acc.detach() * layer.unit
        values = values.relu_() if stage.relu else values
    levels, unit = input_levels(coder, values)
    low = 0 if stage.relu else levels.lowest_code
    by = by_of(stage.name, layer.unit / unit)
    codes = requantize(acc.detach(), by, low, levels.highest_code).float()
    alpha, pact = learned_range(coder)
    least = by.value if stage.relu else low  # a ReLU passes no gradient at 0
    return Codes(Cut.apply(acc, by.value, codes, least, levels.highest_code, alpha, pact), unit, levels.top)


def recur(stage: Stage, signal: Codes, state_bits: int) -> Codes:
    """All layers of an LSTM, from convolutions' codes to the states' codes at the last step."""
    module, x = stage.module, signal.codes
    assert isinstance(module, nn.LSTM)
    # Planes side by side: feature f of plane p is input p·F + f.
    x = x.permute(0, 2, 3, 1).flatten(2) if x.dim() == 4 else x.transpose(1, 2)
    unit, most = signal.unit, signal.most
    for layer in range(module.num_layers):
        name = f"{stage.name}.{layer}"
        of_input, of_state = gates(module, layer, unit, state_bits)
        by = by_of(name, math.ldexp(of_input.unit, GATE))
        dtype = working(largest(of_input.weight, most), x.device)
        acc = functional.linear(x.to(dtype), of_input.weight.to(dtype))
        z = Cut.apply(acc, by.value, requantize(acc.detach(), by, -WIDEST, WIDEST), -WIDEST, WIDEST) + of_input.bias
        x = Recurrence.apply(z, of_state.weight, by_of(name, math.ldexp(of_state.unit, GATE)), state_bits)
        unit, most = math.ldexp(1, 1 - state_bits), (1 << (state_bits - 1)) - 1
    return Codes(x[:, -1], unit, most)


@cache
def tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """σ and tanh of −SHORT … SHORT − 1 in units of 2^-11, as `numbers` has them: both in a row, and tanh alone."""
    z = np.arange(-SHORT, SHORT)
    both = torch.from_numpy(np.concatenate([sigmoid(z), tanh(z)]) / ONE).to(device)
    return both, both[2 * SHORT :]


def look_up(table: Tensor, places: Tensor) -> Tensor:
    """Numbers of a table at whole numbers; several times faster than `table[places]`."""
    return table.index_select(0, places.to(torch.int32).view(-1)).view(places.shape)


class Recurrence(torch.autograd.Function):
    """An LSTM's steps: gates' arguments from the input z [B, T, 4H] in units of 2^-11 → states' codes [B, T, H].

    With i, f, g, o and c real numbers on their grids:

        z_t + requantize(W_hh·h)  →  c = ⌊f·c + ½⌋ + ⌊i·g + ½⌋,  h = ⌊o·tanh(c) + ½⌋, in their units

    Backward goes through time with the derivatives of the true σ and tanh at their tables' values, as if nothing were
    rounded; where z, c or h are cut off nothing passes.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, by: Scale, state_bits: int) -> Tensor:
        batch, steps, width = z.shape
        hidden = width // 4
        both, tangent = tables(z.device)
        top, most = 1 << (state_bits - 1), (1 << (state_bits - 1)) - 1
        dtype = working(largest(weight, most), z.device)
        w = weight.to(dtype).t()
        place = z.new_full((width,), SHORT)
        place[2 * hidden : 3 * hidden] += 2 * SHORT  # g's table is that of tanh
        c = z.new_zeros(batch, hidden)
        h = z.new_zeros(batch, hidden, dtype=dtype)
        gates, cells, bent, states = [], [], [], []
        for step in range(steps):
            from_state = requantize(h @ w, by, -WIDEST, WIDEST)
            argument = from_state.add_(z[:, step]).clamp_(-SHORT, SHORT - 1).add_(place)
            gate = look_up(both, argument)
            i, f, g, o = gate.chunk(4, dim=1)
            c = half_up(f * c).add_(half_up((i * g).mul_(1 << GATE))).clamp_(-SHORT, SHORT - 1)
            t = look_up(tangent, c + SHORT)
            h = half_up((o * t).mul_(top)).clamp_(-most, most).to(dtype)
            gates.append(gate)
            cells.append(c)
            bent.append(t)
            states.append(h)
        codes = torch.stack(states, 1).float()
        if any(ctx.needs_input_grad[:2]):
            ctx.save_for_backward(weight, codes, *(torch.stack(each, 1).float() for each in (gates, cells, bent)))
            ctx.by, ctx.top = by.value, top
        return codes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, codes, gates, cells, t = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, dim=2)
        before = functional.pad(cells, (0, 0, 1, 0))[:, :-1]
        within = ((cells > -SHORT) & (cells < SHORT - 1)).float()
        # What a cell (in its own units) and a state's code get of the gates' arguments, which have the cell's unit.
        unit = 2.0**-GATE
        by_cell = torch.cat([g * i * (1 - i), before * unit * f * (1 - f), i * (1 - g * g)], dim=2)
        by_cell *= within.repeat(1, 1, 3)
        by_code = t * o * (1 - o) * ctx.top * unit
        cell_to_code = o * (1 - t * t) * ctx.top * unit
        f = f * within
        w = weight * ctx.by
        dz = torch.empty_like(gates)
        hidden = t.shape[2]
        dh, dc = torch.zeros_like(t[:, 0]), torch.zeros_like(t[:, 0])
        for step in reversed(range(t.shape[1])):
            dh = dh + grad[:, step]
            dc = torch.addcmul(dc, dh, cell_to_code[:, step])
            now = dz[:, step]
            torch.mul(by_cell[:, step], dc.repeat(1, 3), out=now[:, : 3 * hidden])
            torch.mul(by_code[:, step], dh, out=now[:, 3 * hidden :])
            dh, dc = now @ w, dc * f[:, step]
        shifted = functional.pad(codes, (0, 0, 1, 0))[:, :-1]
        grad_weight = torch.einsum("btz,bth->zh", dz, shifted) * ctx.by
        return dz.double(), grad_weight, None, None
