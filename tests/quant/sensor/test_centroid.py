"""Codes that the network sees as the mean of the training samples that take them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from tests.quant.sensor.test_contract import CODED, SENSORS, build, samples
from tests.refusal import refused

from qsense.chip.converter import convert
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.lloyd_max import LloydMax
from qsense.signal import Signal

SERIES = Signal(channels=3, low=-4.0, high=4.0, unit="g", rate_hz=50.0)
RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, black=64, white=4000, bayer="RGGB")
ALLOWED = [name for name in CODED if not name.endswith("per_condition") and "output" in SENSORS[name]]


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("signal", [SERIES, RAW], ids=["series", "raw"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_each_code_means_what_it_had_in_training(name: str, signal: Signal, per_channel: bool) -> None:
    if per_channel and "per_channel" not in SENSORS[name]:
        pytest.skip("one curve for all")
    changes = {"output": "centroid"} | ({"per_channel": per_channel} if "per_channel" in SENSORS[name] else {})
    quantizer = build(name, signal, 3, **changes)
    x = samples(signal, 3000)
    if signal.native_bits:
        x = (x.clamp(0, 1) * 4095).long()
    quantizer.fit(x)
    codes, y = quantizer.encode(x), quantizer(x).detach()
    black, white = signal.black, signal.top if signal.native_bits else 0
    meant = x.double() if not signal.native_bits else (x.clamp(black, white).double() - black) / (white - black)
    meant = meant.clamp(signal.low, signal.high)
    for c in range(signal.channels):
        for code in range(8):
            hit = codes[:, c] == code if per_channel else codes == code
            chosen, seen = (t[:, c][hit] if per_channel else t[hit] for t in (meant, y))
            if len(chosen):
                torch.testing.assert_close(seen, chosen.mean().float().expand_as(seen), rtol=1e-5, atol=1e-6)
    assert torch.equal(y, quantizer.decode(codes))
    assert torch.equal(quantizer.eval()(x), y)
    assert (quantizer.means().diff() >= 0).all()
    image = x.T[None, :, :, None]
    assert torch.equal(quantizer(image), y.T[None, :, :, None])
    assert torch.equal(quantizer.decode(quantizer.encode(image)), y.T[None, :, :, None])


def test_means_leave_less_error_than_even_levels() -> None:
    x = torch.from_numpy(np.random.default_rng(0).laplace((0.0, 1.0, -0.3), 0.4, (5000, 3))).float().clamp(-4, 4)
    errors = []
    for output in ("level", "centroid"):
        quantizer = LloydMax(SERIES, 2, output=output)
        quantizer.fit(x)
        errors.append(float((quantizer(x) - x).square().mean()))
    assert errors[1] < errors[0] / 5
    # a code that no sample takes lies in the middle of its cell
    empty = Linear(SERIES, 2, output="centroid")
    empty.fit(torch.zeros(5, 3))
    torch.testing.assert_close(empty.means(), torch.tensor([[-10 / 3, -4 / 3, 0.0, 10 / 3]]))


def test_means_are_taken_of_finite_samples_alone() -> None:
    with refused(ValueError, "Gamma", "means", "finite"):
        Gamma(SERIES, 2, output="centroid").fit(torch.tensor([[0.0, float("nan"), 1.0]]))


def test_means_stay_while_the_curve_moves() -> None:
    quantizer = Gamma(SERIES, 2, output="centroid", per_channel=True)
    x = samples(SERIES, 500).requires_grad_()
    quantizer.fit(x.detach())
    before = quantizer.means().clone()
    level = Gamma(SERIES, 2, per_channel=True)
    gradients = []
    for each in (quantizer, level):
        each(x).sum().backward()
        gradients.append([x.grad, *(p.grad for p in each.parameters())])
        x.grad = None
    for mine, theirs in zip(*gradients, strict=True):
        assert mine is not None
        assert theirs is not None
        assert torch.equal(mine, theirs)
    with torch.no_grad():
        quantizer.log_gamma.add_(0.3)
    assert torch.equal(quantizer.means(), before)
    buffer = io.BytesIO()
    torch.save(quantizer.state_dict(), buffer)
    buffer.seek(0)
    other = Gamma(SERIES, 2, output="centroid", per_channel=True)
    other.fit(x.detach() / 2)
    other(x)  # tables of the means before must not survive the loading
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(x), quantizer(x))


def test_what_has_no_means_says_so() -> None:
    for surrogate in ("noise", "soft"):
        with refused(ValueError, surrogate, "centroid", "ste", "ewgs", "rect"):
            Gamma(SERIES, 2, output="centroid", surrogate=surrogate)
    with refused(ValueError, "output='centroid'", "GammaPerCondition", "level", "code"):
        GammaPerCondition(SERIES, 2, output="centroid")
    with refused(RuntimeError, "Linear", "sensor.fit(samples)", "qsense.train"):
        Linear(SERIES, 2, output="centroid")(torch.zeros(4, 3))
    quantizer = LloydMax(SERIES, 2, output="centroid")
    quantizer.fit(samples(SERIES))
    with refused(ValueError, "[4]", 3, "channels"):
        quantizer.decode(torch.arange(4))


def test_an_export_carries_one_row_of_means() -> None:
    quantizer = LloydMax(SERIES, 2, output="centroid", per_channel=False)
    quantizer.fit(samples(SERIES))
    exported = convert(quantizer, "x", {})
    assert np.array_equal(exported.values, quantizer.means()[0].numpy())
    assert exported.record["means"] == quantizer.means().tolist()
    apart = LloydMax(SERIES, 2, output="centroid")
    apart.fit(samples(SERIES))
    with refused(ValueError, "output=centroid", "output=level", "per_channel=false"):
        convert(apart, "x", {})
