"""What a trained network's quantized weights look like, for pictures: spectra, masks, levels, shifted codes.

Open it to draw a picture of FAT's masks, or to disturb one band of frequencies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from qsense.quant.network.layers import counted, quantizable, quantizers, weight_names
from qsense.quant.network.spectrum import filter_rows
from qsense.quant.network.weights import LearnedWeight


@dataclass(frozen=True)
class WeightView:
    """One learned weight [C, N], C filters of N weights, as its quantizer sees it; all tensors on the CPU.

    Args:
        name: the layer's, and for an LSTM the weight's too.
        rows: what is rounded: the normalised, transformed weights [C, N], in standard deviations (centred: their unit).
        levels: values they may become, rising.
        magnitudes: of the normalised weights' frequencies, |F| [C, N//2 + 1]; None without a transform.
        mask: the learned mask M, like `magnitudes`; None without a transform.
        shifted: share of the weights whose code would be another one without the transform, at the same α, in [0, 1].
    """

    name: str
    rows: Tensor
    levels: Tensor
    magnitudes: Tensor | None
    mask: Tensor | None
    shifted: float


@torch.no_grad()
def views(network: nn.Module) -> list[WeightView]:
    """Every weight with a learned clipping range, in the order of definition; none in a frozen or plain network."""
    seen = []
    for name, module in counted(network):
        for weight_name, weight, quantizer in quantizers(module):
            if not isinstance(quantizer, LearnedWeight):
                continue
            with_transform = quantizer.recipe.quantize(weight, quantizer.alpha, quantizer.mixing)
            without = quantizer.recipe.quantize(weight, quantizer.alpha, None)
            levels, spectrum = quantizer.levels, with_transform.spectrum
            codes = torch.arange(levels.lowest_code, levels.highest_code + 1)
            seen.append(
                WeightView(
                    name=name if weight_name == "weight" else f"{name}.{weight_name}".removeprefix("."),
                    rows=with_transform.transformed.cpu(),
                    levels=levels.decode(codes) * levels.unit(quantizer.alpha).cpu(),
                    magnitudes=None if spectrum is None else spectrum.magnitudes.cpu(),
                    mask=None if spectrum is None else spectrum.mask.cpu(),
                    shifted=(with_transform.grid != without.grid).double().mean().item(),
                )
            )
    return seen


@contextmanager
def band_scaled(network: nn.Module, band: int, bands: int = 32, factor: float = 0.5) -> Iterator[None]:
    """Within it, one band of all filters' frequencies is multiplied by `factor` (FAT, supplementary Fig. 4).

    Each filter's half-spectrum, from its mean to the fastest change between neighbouring weights, is cut into `bands`
    equal parts; a filter with fewer frequencies than bands has none in some of them. Quantized networks are filtered
    before they are quantized. First and last layers with weights by absolute maximum are filtered too.

    Args:
        network: plain or quantized, and afterwards as before, bit for bit; not frozen.
        band: which, 0 (slowest) … bands − 1.
        bands: how many there are.
        factor: what to multiply by.

    Raises:
        ValueError: no such band.
    """
    if not 0 <= band < bands:
        raise ValueError(f"band={band} must be in 0 … {bands - 1}")
    originals: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        for _, module in counted(network):
            if not quantizable(module):
                continue
            for name in weight_names(module):
                weight = original(module, name)
                rows = weight.flatten(1)
                columns = rows.shape[1] // 2 + 1
                inside = torch.arange(columns, device=weight.device) * bands // columns == band
                if inside.any():
                    originals.append((weight, weight.clone()))
                    weight.copy_(filter_rows(rows, torch.where(inside, factor, 1.0).to(rows)).view_as(weight))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, before in originals:
                weight.copy_(before)


def original(module: nn.Module, name: str) -> Tensor:
    """A layer's weight as it is trained, before any quantizer."""
    weight = getattr(module, name)
    if parametrize.is_parametrized(module, name):
        weight = module.parametrizations[name].original  # type: ignore[index, union-attr]
    assert isinstance(weight, Tensor)
    return weight
