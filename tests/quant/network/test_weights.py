"""Quantized weights against autograd of the plain formula in float64."""

from __future__ import annotations

import copy
import itertools
from functools import partial

import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn

from qsense.quant.network.layers import quantizers
from qsense.quant.network.levels import Levels, make_levels
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.network.weights import AbsMaxWeight, LearnedWeight, MaxWeight

FAT = partial(NetworkQuantizer, transform="fat")


def nearest(x: Tensor, levels: Levels) -> Tensor:
    """The level nearest to each x in [-1, 1], by looking at all of them."""
    grid = levels.decode(torch.arange(levels.lowest_code, levels.highest_code + 1)).to(x.dtype) / levels.top
    return grid[(x.clamp(-1, 1).unsqueeze(-1) - grid).abs().argmin(-1)]


def plain(weight: Tensor, alpha: Tensor, q: LearnedWeight, clip_grad: bool, pact: bool, rescale: bool) -> Tensor:
    """Steps 1-4 as one would write them down, for autograd."""
    rows = weight.flatten(1)
    std = rows.detach().std() if q.recipe.divide else torch.tensor(1.0, dtype=rows.dtype)
    z = (rows - rows.detach().mean()) / std
    if q.mixing is not None:
        assert q.recipe.score_scale is not None
        spectrum = torch.fft.fft(z)
        z = torch.fft.ifft(torch.sigmoid(q.mixing @ spectrum.abs() * q.recipe.score_scale) * spectrum).real
    x = z / alpha
    level = nearest(x.detach(), q.levels)
    rounding = (level - x).detach()
    inside = z + (alpha.detach() if pact else alpha) * rounding
    outside = (torch.zeros_like(z) if clip_grad else z - z.detach()) + alpha * x.detach().sign()
    result = torch.where(x.detach().abs() > 1, outside, inside)
    return (result * std if rescale else result).view_as(weight)


OPTIONS = list(
    itertools.product(["none", "fat", "fat_scaled"], ["uniform", "log"], [True, False], [True, False], ["full", "pact"])
)


@pytest.mark.parametrize(("transform", "levels", "rescale", "clip_grad", "alpha_grad"), OPTIONS)
@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (6, 1, 3, 3), (5, 8)])
def test_value_and_gradients_equal_autograd_of_the_formula(
    transform: str, levels: str, rescale: bool, clip_grad: bool, alpha_grad: str, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(sum(shape))
    weight = (torch.randn(shape, dtype=torch.float64) * 0.3 + 0.1).requires_grad_()
    q = LearnedWeight(weight, make_levels(levels, 3, signed=True), transform, 1.2, rescale, clip_grad, alpha_grad)
    if q.mixing is not None:
        nn.init.normal_(q.mixing, std=0.2)
    parameters = [weight, *q.parameters()]
    grad = torch.randn(shape, dtype=torch.float64)
    ours, expected = q(weight), plain(weight, q.alpha, q, clip_grad, alpha_grad == "pact", rescale)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad(ours, parameters, grad), torch.autograd.grad(expected, parameters, grad), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("levels", "rescale", "alpha_grad"), [("uniform", True, "full"), ("log", False, "pact")])
def test_centred_weights_equal_autograd_of_the_formula(levels: str, rescale: bool, alpha_grad: str) -> None:
    torch.manual_seed(0)
    weight = (torch.randn(4, 2, 3, 3, dtype=torch.float64) * 0.3 + 0.1).requires_grad_()
    kind = make_levels(levels, 3, signed=True)
    q = LearnedWeight(weight, kind, "none", 1.2, rescale, False, alpha_grad, divide=False)
    assert q.alpha.item() == pytest.approx(1.2 * weight.std().item(), rel=1e-6)
    grad = torch.randn_like(weight)
    ours, expected = q(weight), plain(weight, q.alpha, q, False, alpha_grad == "pact", rescale)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad(ours, [weight, q.rho], grad),
        torch.autograd.grad(expected, [weight, q.rho], grad),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
    divided = LearnedWeight(weight, kind, "none", 1.2, True, False, alpha_grad)  # at the start they are the same
    torch.testing.assert_close(divided(weight), ours, rtol=1e-6, atol=1e-9)


def test_without_transform_it_is_the_plain_quantizer_exactly() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    twin = copy.deepcopy(network)
    FAT(bits=3, transform="none").apply(network)
    NetworkQuantizer(bits=3).apply(twin)
    x = torch.rand(2, 2, 8, 8)
    assert torch.equal(network(x), twin(x))
    name, weight, _ = next(quantizers(network[2]))
    levels = torch.round(((weight - weight.mean()) / weight.std() / 3.0).clamp(-1, 1) * 3) / 3
    torch.testing.assert_close(getattr(network[2], name), 3.0 * levels * weight.std(), rtol=1e-5, atol=1e-7)


def test_batch_norm_notices_no_rescaling() -> None:
    """Output and gradients are the same with and without, so that nobody needs to know whether batch norm follows."""
    results = []
    for rescale in (True, False):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-30), nn.ReLU(), nn.Conv2d(4, 2, 3)
        )
        network = network.double()
        FAT(bits=4, rescale=rescale, first_last_bits=None, skip=["3"]).apply(network)
        x = torch.randn(4, 3, 9, 9, dtype=torch.float64)
        y = network(x)
        y.square().sum().backward()
        names = [n for n, _ in network.named_parameters()]
        results.append((names, [y.detach(), *(p.grad for p in network.parameters())]))
    for name, ours, theirs in zip(["output", *results[0][0]], *(r[1] for r in results), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10, msg=name)


def test_end_layers_reach_to_the_largest_weight_and_pass_gradients() -> None:
    weight = torch.randn(4, 9, requires_grad=True)
    quantized = AbsMaxWeight(8)(weight)
    unit = weight.detach().abs().max() / 127
    torch.testing.assert_close(quantized, (weight / unit).round() * unit)
    (grad,) = torch.autograd.grad(quantized.sum(), weight)
    assert torch.equal(grad, torch.ones_like(weight))


def test_levels_up_to_the_largest_weight_clip_none_below_it() -> None:
    weight = torch.tensor([[0.5, -0.25, 0.1, -0.9]], requires_grad=True)
    quantizer = MaxWeight(8)
    quantized = quantizer(weight)
    torch.testing.assert_close(quantized, (weight / 0.5 * 127).round() / 127 * 0.5)
    (grad,) = torch.autograd.grad(quantized.sum(), weight)
    assert torch.equal(grad, torch.ones_like(weight))
    assert quantizer.grid(weight)[0].min() == -229
    assert [quantizer.code_levels(w).bits for w in (weight, weight[:, :3])] == [9, 8]
    torch.testing.assert_close(quantizer(-weight.detach().abs()), AbsMaxWeight(8)(-weight.detach().abs()))
    assert torch.equal(quantizer(torch.zeros(2, 2)), torch.zeros(2, 2))
    assert quantizer.code_levels(torch.tensor([[1e-30, -1.0]])).bits <= 16


def test_constant_weights_become_zeros_and_single_ones_are_refused() -> None:
    q = LearnedWeight(torch.zeros(3, 4), make_levels("uniform", 4, True), "fat", 3.0, True, False, "full")
    assert torch.equal(q(torch.zeros(3, 4)), torch.zeros(3, 4))
    with refused(ValueError, "layer 1", "skip"):
        FAT(bits=4).apply(nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1), nn.Linear(1, 3)))


def test_quantized_in_float32_under_autocast_and_in_bfloat16() -> None:
    weight = torch.randn(8, 72)
    q = LearnedWeight(weight, make_levels("uniform", 4, True), "fat_scaled", 3.0, True, False, "full")
    plain = q(weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(q(weight), plain)
    half = q(weight.bfloat16())
    assert half.dtype == torch.bfloat16


class Counting(LearnedWeight):
    calls = 0

    def quantize(self, weight: Tensor) -> Tensor:
        Counting.calls += 1
        return super().quantize(weight)


def test_evaluation_computes_weights_once_and_notices_every_change() -> None:
    layer = nn.Conv2d(2, 4, 3)
    q = Counting(layer.weight, make_levels("uniform", 4, True), "fat", 3.0, True, False, "full")
    nn.utils.parametrize.register_parametrization(layer, "weight", q, unsafe=True)
    x = torch.randn(1, 2, 5, 5)

    def calls(mode: bool = False) -> int:
        before = Counting.calls
        with torch.no_grad():
            layer(x)
            layer(x)
        return Counting.calls - before

    layer.train()
    assert calls() == 2
    layer.eval()
    assert calls() == 1
    assert calls() == 0
    layer.load_state_dict(layer.state_dict())
    assert calls() == 1
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(0.1)  # type: ignore[union-attr, operator]
    assert calls() == 1
    with torch.no_grad():
        q.rho.add_(0.1)
    assert calls() == 1
    layer.double().float()
    assert calls() == 1
    layer.train().eval()
    assert calls() == 1
    before = Counting.calls
    layer(x).sum().backward()  # gradients in evaluation mode still reach the weight
    assert Counting.calls == before + 1
    assert layer.parametrizations.weight.original.grad is not None  # type: ignore[union-attr]
