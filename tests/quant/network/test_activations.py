from __future__ import annotations

import copy
import math

import pytest
import torch
from tests.refusal import refused
from torch import Tensor

from qsense.quant.network.activations import ActivationQuantizer


def calibrated(signed: bool, alpha: float, bits: int = 4, **options: str) -> ActivationQuantizer:
    q = ActivationQuantizer(bits, alpha=alpha, **options).double()  # type: ignore[arg-type]
    q.calibrate(torch.tensor([-1.0, 1.0] if signed else [0.0, 1.0]))
    return q


def plain(x: Tensor, alpha: Tensor, grid: Tensor, signed: bool, pact: bool) -> Tensor:
    """Step 5 as one would write it down, for autograd."""
    unit = (x / alpha).detach()
    low = -1.0 if signed else 0.0
    level = grid[(unit.clamp(low, 1).unsqueeze(-1) - grid).abs().argmin(-1)]
    inside = x + (alpha.detach() if pact else alpha) * (level - unit)
    return torch.where((unit >= low) & (unit <= 1), inside, alpha * unit.clamp(low, 1).sign())


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("levels", ["uniform", "log"])
@pytest.mark.parametrize("alpha_grad", ["full", "pact"])
@pytest.mark.parametrize("shape", [(50,), (2, 3, 4, 5)])
def test_value_and_gradients_equal_autograd(signed: bool, levels: str, alpha_grad: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    q = calibrated(signed, 1.3, bits=3, levels=levels, alpha_grad=alpha_grad)
    assert q.levels is not None
    grid = q.levels.decode(torch.arange(q.levels.lowest_code, q.levels.highest_code + 1)).double() / q.levels.top
    x = torch.randn(shape, dtype=torch.float64) * 1.5
    x.view(-1)[0] = 0.0  # the gradient passes at the lower end, too
    if len(shape) == 4:
        x = x.to(memory_format=torch.channels_last)
    x.requires_grad_()
    grad = torch.randn(shape, dtype=torch.float64)
    ours, expected = q(x), plain(x, q.alpha, grid, signed, alpha_grad == "pact")
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad(ours, (x, q.rho), grad), torch.autograd.grad(expected, (x, q.rho), grad), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_gradient_at_the_bounds() -> None:
    q = ActivationQuantizer(4, alpha=2.0)
    q.calibrate(torch.ones(1))
    alpha = q.alpha.item()
    after = math.nextafter
    x = torch.tensor([0.0, -1e-45, alpha, after(alpha, 9) * (1 + 1e-6), 1.0], requires_grad=True)
    q(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 0, 1, 0, 1]


def test_the_first_training_batch_decides_sign_and_range() -> None:
    x = torch.linspace(0, 1, 10_001)
    q = ActivationQuantizer(4)
    q(x)
    assert not q.signed_state
    assert q.alpha.item() == pytest.approx(0.999, abs=2e-4)
    before = q.alpha.item()
    q(100 * x - 5)  # only the first
    assert q.alpha.item() == before
    signed = ActivationQuantizer(4, percentile=1.0)
    signed(-3 * x)
    assert signed.signed_state == 1
    assert signed.alpha.item() == pytest.approx(3.0, rel=1e-5)
    given = ActivationQuantizer(4, alpha=5.0)
    given(x)
    assert given.alpha.item() == pytest.approx(5.0)
    dead = ActivationQuantizer(4)
    dead(torch.zeros(10))
    assert dead.alpha.item() == pytest.approx(1.0)


def test_calibration_is_part_of_the_state_and_of_copies() -> None:
    q = ActivationQuantizer(3)
    q(torch.randn(100))
    x = torch.randn(50)
    fresh = ActivationQuantizer(3)
    fresh.load_state_dict(q.state_dict())
    assert torch.equal(fresh.eval()(x), q(x))
    assert torch.equal(copy.deepcopy(q).eval()(x), q(x))
    fresh.load_state_dict(ActivationQuantizer(3).state_dict())
    assert fresh.levels is None


def test_evaluation_before_any_training_is_refused() -> None:
    with refused(RuntimeError, "calibrate()"):
        ActivationQuantizer(4).eval()(torch.ones(3))
    with refused(ValueError, "finite"):
        ActivationQuantizer(4)(torch.full((4,), math.nan))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_quantized_in_float32(dtype: torch.dtype) -> None:
    q = ActivationQuantizer(8, alpha=1.0)
    q.calibrate(torch.ones(1))
    x = torch.rand(1000).to(dtype)
    assert torch.equal(q(x), q(x.float()).to(dtype))
    leaf = x.clone().requires_grad_()
    q(leaf).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == dtype


def test_alpha_stays_positive_under_any_step() -> None:
    q = ActivationQuantizer(4, alpha=0.1)
    optimizer = torch.optim.SGD(q.parameters(), lr=1e4)
    x = torch.rand(100)
    for _ in range(20):
        optimizer.zero_grad()
        q(x).sum().backward()
        optimizer.step()
        assert q.alpha > 0
        assert q(x).isfinite().all()


def test_the_quantizer_repeats_itself_on_its_own_levels() -> None:
    for bits in (2, 3, 4, 8):
        q = ActivationQuantizer(bits, alpha=1.7)
        y = q(torch.linspace(0, 2, 2001))
        assert torch.equal(q(y), y)
        assert len(y.unique()) == 2**bits
