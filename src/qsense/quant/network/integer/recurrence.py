"""An LSTM in integers: gates by a table, cells and states on their grids, and the way back through time.

Open it to see how torch computes an LSTM as a microcontroller will, step by step.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from qsense.quant.network.integer.chain import Stage
from qsense.quant.network.integer.codes import (
    Codes,
    Cut,
    Product,
    by_of,
    half_up,
    largest,
    requantize,
    rounded,
    weight_codes,
    working,
)
from qsense.quant.network.integer.numbers import GATE, ONE, WIDEST, Scale, sigmoid, tanh

SHORT = 1 << 15  # gates' arguments and cells are -SHORT … SHORT - 1


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
