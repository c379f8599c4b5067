"""How an ADC converts many samples fast: in blocks that stay in the processor's cache, against tables built once.

Open it to make conversion or its gradients faster; what a converter *is* stands in `base.py`. Samples of one tensor
pass through in blocks [rows, n] (`search.py`), native codes by way of a table of all codes (`codes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from qsense.quant.sensor import estimators
from qsense.quant.sensor.codes import add_up, are_codes, evaluate, every_code, units, values, worth_a_table
from qsense.quant.sensor.search import Tables, blocks, positions, round_up, search_tree

if TYPE_CHECKING:
    from qsense.quant.sensor.base import SensorQuantizer


def convert(adc: SensorQuantizer, x: Tensor) -> Tensor:
    """What the network sees, in the shape of x."""
    samples = as_samples(adc, x)
    output = empty_output(samples)
    convert_into(adc, [(samples, output)])
    blur(adc, output)
    return output


def convert_into(adc: SensorQuantizer, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
    """`convert` for contiguous samples, each into a contiguous tensor, which `blur` finishes."""
    fill = _fill_curve if _smooth(adc) else _fill_levels
    evaluate(lambda x, out: fill(adc, x, out), pairs, adc.signal, adc.rows)


def blur(adc: SensorQuantizer, output: Tensor) -> None:
    """What a smooth surrogate makes of the curve in training, in place; others leave `output` as it is."""
    if _smooth(adc):
        _, gain = output_line(adc)
        step = gain * adc.span / adc.steps
        for block in blocks(output, adc.rows):
            estimators.blur_(block, step, adc.rounding, adc.surrogate)


def _smooth(adc: SensorQuantizer) -> bool:
    return adc.training and adc.surrogate in estimators.SMOOTH


def encode(adc: SensorQuantizer, x: Tensor) -> Tensor:
    """The codes of finite samples, int32 in the shape of x; see `SensorQuantizer.encode`."""
    finite = torch.isfinite(x) if x.is_floating_point() else None
    if finite is not None and not finite.all():
        places = (~finite).nonzero()
        first = tuple(places[0].tolist())
        raise ValueError(
            f"{len(places)} of {x.numel()} samples are not finite, the first is {x[first].item()} at {list(first)}: "
            "an ADC has no code for them; fill or reject them when loading the data"
        )
    codes = torch.empty(x.shape, dtype=torch.int32, device=x.device)
    evaluate(lambda x, out: _fill_codes(adc, x, out), [(as_samples(adc, x), codes)], adc.signal, adc.rows)
    return codes


def gradients(
    adc: SensorQuantizer, x: Tensor, grad: Tensor, wants_x: bool, wants: Sequence[bool]
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradients of x and of each parameter, None where not wanted, from the gradient of what the network sees."""
    return gradients_of_parts(adc, [(x, grad)], wants_x, wants)


def gradients_of_parts(
    adc: SensorQuantizer, parts: Sequence[tuple[Tensor, Tensor]], wants_x: bool, wants: Sequence[bool]
) -> tuple[Tensor | None, list[Tensor | None]]:
    """`gradients` of a batch that comes in parts (x, grad), at least one: one table of codes serves them all."""
    x = parts[0][0]
    pairs = [(as_samples(adc, part), grad.contiguous()) for part, grad in parts]
    scale = adc.gradient_scale(x.numel() // (adc.rows * max(len(x), 1)))
    # Magnitudes are not linear in the gradient: taken before anything is added up.
    sizes = [(part, grad.abs()) for part, grad in pairs] if adc.surrogate == "ewgs" else []
    if worth_a_table([part for part, _ in pairs], adc.signal, adc.rows):
        samples, grad = every_code(adc.signal, adc.rows, x.device), add_up(pairs, adc.signal, adc.rows)
        size = add_up(sizes, adc.signal, adc.rows) if sizes else None
    else:
        samples, grad = (every[0] if len(every) == 1 else torch.cat(every) for every in zip(*pairs, strict=True))
        size = grad.abs() if sizes else None
    _, gain = output_line(adc)
    grad_x = torch.empty_like(samples) if wants_x else None
    parameters = list(adc.parameters())
    # Each block sums some 10^4 float32 terms; the blocks are added in float64.
    totals = [
        torch.zeros_like(p, dtype=torch.float64) if want else None for p, want in zip(parameters, wants, strict=True)
    ]
    sample_blocks, grad_blocks = blocks(samples, adc.rows), blocks(grad, adc.rows)
    size_blocks = [None] * len(sample_blocks) if size is None else blocks(size, adc.rows)
    grad_x_blocks = [None] * len(sample_blocks) if grad_x is None else blocks(grad_x, adc.rows)
    with torch.autocast(x.device.type, enabled=False):
        for block, grad_block, size_block, out in zip(
            sample_blocks, grad_blocks, size_blocks, grad_x_blocks, strict=True
        ):
            u = unit_coordinates(adc, block)
            grad_z = _through_rounding(adc, u, grad_block.contiguous(), size_block)
            grad_u, grad_parameters = adc.pullback(u.to(grad.dtype), grad_z, wants_x, wants)
            if out is not None and grad_u is not None:
                torch.mul(grad_u, gain / adc.scale, out=out) if gain != adc.scale else out.copy_(grad_u)
            elif out is not None:
                out.zero_()
            for total, grad_parameter in zip(totals, grad_parameters, strict=True):
                if total is not None and grad_parameter is not None:
                    total.add_(grad_parameter)
    return None if grad_x is None else grad_x.to(x.dtype), [
        None if total is None else total.mul_(gain * scale).to(p.dtype)
        for total, p in zip(totals, parameters, strict=True)
    ]


def as_samples(adc: SensorQuantizer, x: Tensor) -> Tensor:
    """x as it is converted, contiguous: native codes as they are, values as float32, or as float64 if they were."""
    if adc.per_channel:
        dim = 1 if x.dim() == 4 else -1
        channels = x.shape[dim] if x.dim() else 0
        if channels != adc.rows:
            raise ValueError(
                f"input of shape {list(x.shape)} has {channels} channels on dimension {dim}, the signal has {adc.rows}"
            )
    return (x if x.dtype == torch.float64 or are_codes(x, adc.signal) else x.float()).contiguous()


def empty_output(samples: Tensor) -> Tensor:
    """Room for what the network sees of them."""
    dtype = torch.float64 if samples.dtype == torch.float64 else torch.float32
    return torch.empty(samples.shape, dtype=dtype, device=samples.device)


def unit_coordinates(adc: SensorQuantizer, block: Tensor) -> Tensor:
    """Samples in unit coordinates, contiguous, where the curve is evaluated."""
    if are_codes(block, adc.signal):
        return units(block, adc.signal).contiguous()
    return adc.to_unit(block.contiguous())


def code_values(adc: SensorQuantizer, device: torch.device) -> Tensor:
    """What each code stands for in the output, float64 [2^bits]."""
    if adc.output == "code":
        return torch.arange(adc.steps + 1, dtype=torch.float64, device=device)
    levels = adc.levels().to(device)
    # Under floor a linear level *is* a decision level: rounded to float32 alike, it keeps its own code.
    return round_up(levels).double() if adc.rounding == "floor" else levels


def output_line(adc: SensorQuantizer) -> tuple[float, float]:
    """(shift, gain): the output is shift + gain · z."""
    if adc.output != "code":
        return adc.offset, adc.scale
    gain = adc.steps / adc.span
    return -adc.bottom * gain, gain


class TableCache:
    """The tables of one ADC, each with what it was built for; not part of the state."""

    def __init__(self) -> None:
        self._values: tuple[object, Tensor] | None = None
        self._search: tuple[object, Tensor, list[Tensor]] | None = None

    @torch.no_grad()
    def get(self, adc: SensorQuantizer, x: Tensor) -> Tables:
        """The tables for samples like x; what depends on the state is built again only when that has changed."""
        wide = x.dtype == torch.float64 or are_codes(x, adc.signal)  # codes are compared exactly, as float64
        like = (torch.float64 if wide else torch.float32, x.device)
        if self._values is None or self._values[0] != like:
            self._values = (like, code_values(adc, x.device).to(like[0]).repeat(adc.rows))
            self._search = None
        state = [*adc.parameters(), *adc.buffers()]
        # Comparing values needs them on the host; on other devices that would mean waiting for the device.
        current = [t.tolist() for t in state] if all(t.device.type == "cpu" for t in state) else None
        if self._search is None or current is None or self._search[0] != current:
            exact = adc.thresholds().to(x.device)
            thresholds = exact if wide else round_up(exact)
            self._search = (current, thresholds.contiguous(), search_tree(thresholds, adc.bits))
        return Tables(self._search[1], self._search[2], self._values[1])


def _comparable(adc: SensorQuantizer, block: Tensor) -> Tensor:
    """Samples in the sensor's unit, contiguous, to be compared with thresholds; codes become float64."""
    return values(block, adc.signal).contiguous() if are_codes(block, adc.signal) else block.contiguous()


def _fill_levels(adc: SensorQuantizer, samples: Tensor, output: Tensor) -> None:
    """The quantized values."""
    tables = adc.tables.get(adc, samples)
    for block, out in zip(blocks(samples, adc.rows), blocks(output, adc.rows), strict=True):
        x = _comparable(adc, block)
        value = tables.values.index_select(0, positions(x, tables).view(-1)).view(x.shape)
        # On a CPU one look at the sum tells whether a NaN may be there; elsewhere looking would mean waiting.
        if x.device.type != "cpu" or x.sum().isnan():
            value = torch.where(x.isnan(), x, value)
        out.copy_(value)


def _fill_codes(adc: SensorQuantizer, samples: Tensor, codes: Tensor) -> None:
    tables = adc.tables.get(adc, samples)
    first = torch.arange(adc.rows, device=codes.device, dtype=torch.int32)[:, None] << adc.bits  # place of each row
    for block, out in zip(blocks(samples, adc.rows), blocks(codes, adc.rows), strict=True):
        out.copy_(positions(_comparable(adc, block), tables)).sub_(first)


def _fill_curve(adc: SensorQuantizer, samples: Tensor, output: Tensor) -> None:
    """The curve without rounding."""
    shift, gain = output_line(adc)
    for block, out in zip(blocks(samples, adc.rows), blocks(output, adc.rows), strict=True):
        out.copy_(adc.curve(unit_coordinates(adc, block)).clamp(adc.bottom, 1.0).mul_(gain).add_(shift))


def _through_rounding(adc: SensorQuantizer, u: Tensor, grad: Tensor, size: Tensor | None) -> Tensor:
    """The gradient of z, from the gradient `grad` of the codes and its magnitude `size`: see `estimators.py`."""
    if adc.surrogate not in estimators.SHAPED:
        return grad
    z = adc.curve(u).clamp(adc.bottom, 1.0)
    t = (z - adc.bottom) * (adc.steps / adc.span) + (0.5 if adc.rounding == "round" else 0.0)
    return (estimators.rect(t, grad, adc.steps) if size is None else estimators.ewgs(t, grad, size)).to(grad.dtype)
