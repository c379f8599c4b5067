"""The frequency transform against the full Fourier transform and autograd, and what the paper says of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qsense.quant.network.spectrum import filter_rows, transform, transform_backward

SHAPES = [(3, 9), (4, 8), (1, 5), (5, 1), (2, 2), (8, 27)]


def plain(rows: Tensor, mixing: Tensor, scale: float, hold_mask: bool = False) -> Tensor:
    """Eqs. 3-5 over the full spectrum, for autograd."""
    spectrum = torch.fft.fft(rows)
    mask = torch.sigmoid(mixing @ spectrum.abs() * scale)
    result: Tensor = torch.fft.ifft((mask.detach() if hold_mask else mask) * spectrum).real
    return result


def example(rows: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * 100 + width)
    weight = torch.randn(rows, width, dtype=torch.float64, generator=generator)
    mixing = torch.randn(rows, rows, dtype=torch.float64, generator=generator)
    return weight, mixing, torch.randn(rows, width, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_half_spectrum_equals_full_one_and_gradients_equal_autograd(shape: tuple[int, int], scale: float) -> None:
    weight, mixing, grad = example(*shape)
    ours, spectrum = transform(weight, mixing, scale)
    weight.requires_grad_()
    mixing.requires_grad_()
    expected = plain(weight, mixing, scale)
    torch.testing.assert_close(ours, expected.detach(), rtol=0, atol=1e-13)
    d_weight, d_mixing = torch.autograd.grad(expected, (weight, mixing), grad)
    rows, mixed = transform_backward(grad, mixing.detach(), scale, spectrum)
    torch.testing.assert_close(rows, d_weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(mixed, d_mixing, rtol=0, atol=1e-12)


def test_eq_10_holds_the_mask_fixed_and_is_far_from_the_gradient() -> None:
    weight, mixing, grad = example(64, 576)
    mixing /= 64
    _, spectrum = transform(weight, mixing, 1.0)
    weight.requires_grad_()
    (fixed,) = torch.autograd.grad(plain(weight, mixing, 1.0, hold_mask=True), weight, grad)
    (true,) = torch.autograd.grad(plain(weight, mixing, 1.0), weight, grad)
    torch.testing.assert_close(filter_rows(grad, spectrum.mask), fixed, rtol=0, atol=1e-12)
    assert 0.3 < (fixed - true).norm() / true.norm() < 0.6


def test_where_a_frequency_is_absent_gradients_are_finite() -> None:
    weight = torch.stack([torch.ones(6), torch.randn(6)])  # the first filter has no frequency but 0
    _, spectrum = transform(weight, torch.ones(2, 2), 0.1)
    for gradient in transform_backward(torch.randn(2, 6), torch.ones(2, 2), 0.1, spectrum):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("width", [1, 2, 9, 16, 27])
def test_a_mask_of_ones_changes_nothing(width: int) -> None:
    rows = torch.randn(4, width, dtype=torch.float64)
    torch.testing.assert_close(filter_rows(rows, torch.ones(4, width // 2 + 1)), rows, rtol=0, atol=1e-14)


@settings(max_examples=60)
@given(rows=st.integers(1, 6), width=st.integers(1, 30), seed=st.integers(0, 999), size=st.floats(0.01, 30))
def test_the_transform_never_makes_weights_longer(rows: int, width: int, seed: int, size: float) -> None:
    torch.manual_seed(seed)
    weight = torch.randn(rows, width, dtype=torch.float64)
    transformed, _ = transform(weight, torch.randn(rows, rows, dtype=torch.float64) * size, 1.0)
    assert transformed.norm() <= weight.norm() * (1 + 1e-12)


def test_but_its_largest_weight_may_grow() -> None:
    """max|W_t| ≤ max|W| is not always true: without its higher harmonics a square wave overshoots."""
    square = torch.tensor([[1.0, 1, 1, 1, -1, -1, -1, -1]], dtype=torch.float64)
    spectrum = torch.fft.rfft(square).abs()[0]
    # Two filters: the second, a pure tone, lets the first's mask tell the third harmonic from the others.
    tone = 10 * torch.cos(torch.arange(8, dtype=torch.float64) * 3 * torch.pi / 4)[None]
    mixing = torch.tensor([[4.0, -4.0], [0.0, 0.0]], dtype=torch.float64)
    transformed, kept = transform(torch.cat([square, tone]), mixing, 1.0)
    assert kept.mask[0, 3] < 0.01 < 0.99 < kept.mask[0, 1]
    assert spectrum[3] > 2
    assert transformed[0].abs().max() > 1.2
    assert transformed[0].norm() < square.norm()


def test_at_its_published_start_the_mask_is_almost_one() -> None:
    """A = 1/C: scores are mean magnitudes, about √N · 0.9 for normalised weights; divided by √N they are not."""
    torch.manual_seed(0)
    weight = torch.randn(64, 64 * 9)
    mixing = torch.full((64, 64), 1 / 64)
    _, published = transform(weight, mixing, 1.0)
    _, scaled = transform(weight, mixing, (64 * 9) ** -0.5)
    assert published.mask.min() > 0.997
    assert 0.6 < scaled.mask.mean() < 0.8
    assert transform(weight, mixing.abs(), 1.0)[1].mask.min() >= 0.5
