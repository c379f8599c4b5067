"""Native codes: what the contract of every sensor quantizer does not say already."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from tests.refusal import refused

from qsense.quant.sensor.codes import add_up, are_codes, units, values, worth_a_table
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.signal import Signal

RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, bayer="RGGB")
BITS = {n: Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=n) for n in (8, 10, 12, 14, 16)}


@pytest.mark.parametrize("native_bits", BITS)
@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_no_code_differs_from_integer_arithmetic(native_bits: int, rounding: Literal["round", "floor"]) -> None:
    """Under floor every 2^b - 1 that divides 2^n - 1 has native codes that are decision levels themselves."""
    top = BITS[native_bits].top
    codes = torch.arange(top + 1)
    for bits in (1, 2, 4, 5, 6, 8, native_bits):
        steps = (1 << bits) - 1
        exact = (2 * codes * steps + (top if rounding == "round" else 0)) // (2 * top)
        assert torch.equal(Linear(BITS[native_bits], bits, rounding=rounding).encode(codes).long(), exact)


def test_black_and_below_is_the_bottom_and_white_and_above_is_the_top() -> None:
    signal = Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=12, black=256, white=3967)
    codes = torch.tensor([-5, 0, 255, 256, 257, 3966, 3967, 3968, 4095, 5000], dtype=torch.int16)
    assert units(codes, signal).tolist() == [0, 0, 0, 0, 1 / 3711, 3710 / 3711, 1, 1, 1, 1]
    for gamma in (1e-3, 0.136, 1.0, 8.0):
        quantizer = Gamma(signal, 4, gamma=gamma, rounding="floor")
        found = quantizer.encode(codes)
        assert found[:4].tolist() == [0] * 4
        assert found[6:].tolist() == [15] * 4
        assert found[5] == 14  # the top code at the top alone
        assert quantizer(codes)[6:].tolist() == [1.0] * 4
    signed = Signal(channels=1, low=-8.0, high=8.0, unit="g", native_bits=10, black=23, white=1023)
    assert values(torch.tensor([0, 23, 523, 1023]), signed).tolist() == [-8.0, -8.0, 0.0, 8.0]


def test_zero_stays_zero_and_finite_for_tiny_exponents() -> None:
    for gamma in (1e-3, 0.05, 0.136):
        quantizer = Gamma(RAW, 4, gamma=gamma)
        x = torch.zeros(2, 4, 100, 100, dtype=torch.uint16)
        y = quantizer(x)
        assert not y.any()
        y.sum().backward()
        assert quantizer.log_gamma.grad is not None
        assert quantizer.log_gamma.grad.item() == 0.0


def test_one_curve_per_bayer_colour() -> None:
    together = Gamma(RAW, 4, per_channel=True)
    exponents = torch.tensor([0.3, 0.5, 0.7, 1.1])
    with torch.no_grad():
        together.log_gamma.copy_(exponents.log())
    x = torch.randint(0, 4096, (3, 4, 60, 50), dtype=torch.int32).to(torch.uint16)
    grad = torch.randn(x.shape)
    y = together(x)
    y.backward(grad)
    assert together.log_gamma.grad is not None
    for plane in range(4):
        alone = Gamma(BITS[12], 4)
        with torch.no_grad():
            alone.log_gamma.copy_(together.log_gamma[plane])
        part = alone(x[:, plane : plane + 1])
        part.backward(grad[:, plane : plane + 1])
        assert torch.equal(part, y[:, plane : plane + 1])
        assert torch.equal(together.thresholds()[plane], alone.thresholds()[0])
        assert alone.log_gamma.grad is not None
        torch.testing.assert_close(alone.log_gamma.grad[0], together.log_gamma.grad[plane], rtol=1e-6, atol=0)
    with refused(ValueError, "[3, 3, 60, 50]", 3, 1, 4):
        together(x[:, :3])


def test_codes_too_many_for_a_table_are_converted_one_by_one() -> None:
    signal = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=24, bayer="RGGB")
    x = torch.randint(0, 1 << 24, (2, 4, 100, 101), dtype=torch.int32)
    x.view(-1)[:3] = torch.tensor([0, 1, (1 << 24) - 1])
    grad = torch.randn(x.shape)
    assert not worth_a_table([x], signal, 1)
    v = x.double() / ((1 << 24) - 1)
    for per_channel in (False, True):
        gamma, exact = (Gamma(signal, 4, gamma=0.3, per_channel=per_channel) for _ in range(2))
        y, reference = gamma(x), exact.double()(v)
        assert torch.equal(y, reference.float())
        assert torch.equal(gamma.encode(x), exact.encode(v))
        y.backward(grad)
        reference.backward(grad.double())
        assert gamma.log_gamma.grad is not None
        assert exact.log_gamma.grad is not None
        torch.testing.assert_close(gamma.log_gamma.grad.double(), exact.log_gamma.grad, rtol=1e-4, atol=1e-3)
    assert torch.equal(Identity(signal)(x), v.float())


def test_what_counts_as_codes_and_when_a_table_pays() -> None:
    x = torch.zeros(5000, dtype=torch.int64)
    assert are_codes(x, RAW)
    assert not are_codes(x.float(), RAW)
    assert not are_codes(x, Signal(channels=4, low=0.0, high=1.0, unit=""))
    assert worth_a_table([x], RAW, 1)
    assert not worth_a_table([x], RAW, 4)
    assert not worth_a_table([x[:4096]], RAW, 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int64], ids=str)
def test_gradients_are_added_up_per_code(dtype: torch.dtype) -> None:
    signal = BITS[8]
    x = torch.tensor([0, 3, 3, 255, 3], dtype=dtype)
    grad = torch.tensor([1.0, 2.0, 3.0, 4.0, -0.5])
    if dtype != torch.uint8:  # codes beyond the sensor's are its last one
        x, grad = torch.cat([x, torch.tensor([256, 60_000]).to(dtype)]), torch.cat([grad, torch.tensor([10.0, 20.0])])
    total = add_up([(x, grad)], signal, 1)
    assert total.dtype == torch.float64
    assert {i: v for i, v in enumerate(total.tolist()) if v} == {0: 1.0, 3: 4.5, 255: 4.0 if len(x) == 5 else 34.0}


def test_sums_of_millions_of_equal_codes_are_exact() -> None:
    x = torch.full((1, 4, 500, 500), 77, dtype=torch.uint16)
    grad = torch.full(x.shape, 0.1)
    assert add_up([(x, grad)], RAW, 1)[77].item() == pytest.approx(1e6 * grad[0, 0, 0, 0].item(), rel=1e-12)


def test_saturated_areas_are_added_up_like_any_other() -> None:
    """Pieces of one code are summed at once: whole frames, parts of them, and ends that only look alike."""
    x = torch.randint(0, 4096, (6, 4, 200, 200), dtype=torch.int32)
    x[1], x[2, :, :100], x[3, 0] = 4095, 4095, 9
    x[4], x[4, :, 50:60] = 7, 8
    x, grad = x.to(torch.uint16), torch.randn(x.shape)
    expected = torch.zeros(4, 4096, dtype=torch.float64)
    for colour in range(4):
        expected[colour].index_add_(0, x[:, colour].flatten().long(), grad[:, colour].flatten().double())
    torch.testing.assert_close(add_up([(x, grad)], RAW, 4).t(), expected, rtol=0, atol=1e-9)
    parts = [(x[:2].contiguous(), grad[:2].contiguous()), (x[2:].contiguous(), grad[2:].contiguous())]
    torch.testing.assert_close(add_up(parts, RAW, 1), expected.sum(0), rtol=0, atol=1e-9)


def test_wrong_gradients_are_not_hidden() -> None:
    gamma, x = Gamma(RAW, 4), torch.randint(0, 4096, (2, 4, 50, 50), dtype=torch.int16)
    grad = torch.randn(x.shape)
    grad[0, 0, 0, 0] = torch.nan
    gamma(x).backward(grad)
    assert gamma.log_gamma.grad is not None
    assert gamma.log_gamma.grad.isnan()


def test_tables_follow_the_parameters() -> None:
    gamma, x = Gamma(RAW, 4), torch.arange(4096, dtype=torch.int32).repeat(4).view(1, 4, 64, 64)
    before = gamma(x).detach()
    with torch.no_grad():
        gamma.log_gamma.fill_(-1.0)
    assert not torch.equal(gamma(x), before)
    assert torch.equal(gamma(x), gamma.decode(gamma.encode(x)))


def test_bipolar_codes_meet_the_log_curve_symmetrically() -> None:
    signal = Signal(channels=1, low=-1.0, high=1.0, unit="g", native_bits=8)
    codes = torch.arange(256).repeat(3)
    found = Log(signal, 5, native_bits=8).encode(codes)[:256]
    assert torch.equal(found + found.flip(0), torch.full((256,), 31, dtype=torch.int32))
