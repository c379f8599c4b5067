"""The μ-law ADC."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from tests.refusal import refused, warned

from qsense.quant.sensor.mulaw import MuLaw
from qsense.signal import Signal

BIPOLAR = Signal(channels=2, low=-1.0, high=1.0, unit="")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")


@pytest.mark.parametrize("mu", [255.0, 10.0])
def test_curve_and_levels_are_the_law(mu: float) -> None:
    quantizer = MuLaw(BIPOLAR, 4, mu=mu).double()
    u = np.linspace(-1, 1, 2001)
    law = np.sign(u) * np.log1p(mu * np.abs(u)) / np.log1p(mu)
    np.testing.assert_allclose(quantizer.curve(torch.from_numpy(u)[None]).numpy()[0], law, rtol=3e-7, atol=1e-15)
    z = (2 * np.arange(1, 16) - 16) / 15
    inverse = np.sign(z) * np.expm1(np.abs(z) * np.log1p(mu)) / mu
    np.testing.assert_allclose(quantizer.thresholds()[0].numpy(), inverse, rtol=3e-6, atol=1e-15)


def test_the_segments_of_g711_lie_on_the_law() -> None:
    """Its 8 segments of 16 steps end at (2^k - 1)·33 of 8159: straight pieces that follow μ = 255 within 1 %."""
    ends = 33 * (2.0 ** np.arange(9) - 1)
    quantizer = MuLaw(UNIPOLAR, 8)
    z = quantizer.curve(torch.from_numpy(ends / ends[-1])[None]).numpy()[0]
    np.testing.assert_allclose(z, np.arange(9) / 8, atol=1e-2)


def test_fixed_unless_asked() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed = MuLaw(BIPOLAR, 1)
    assert list(fixed.parameters()) == []
    assert fixed.trajectory() == {}
    started = MuLaw(BIPOLAR, 2, start="lloyd_max")
    started.fit(torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) / 10)
    (mu,) = started.trajectory()["mu_law"]
    assert mu == pytest.approx(started.log_epsilon.neg().exp().item(), rel=1e-5)
    assert mu != 255
    assert "log_epsilon" in fixed.state_dict()
    learned = MuLaw(BIPOLAR, 4, mu=50.0, learn=True, per_channel=True, lr=0.1)
    x = torch.linspace(-1, 1, 100)[:, None].expand(-1, 2)
    learned(x).square().sum().backward()
    assert learned.log_epsilon.grad is not None
    assert (learned.log_epsilon.grad != 0).all()
    assert learned.trajectory()["mu_law"] == pytest.approx([50, 50], rel=1e-6)
    assert learned.parameter_groups(1.0)[0]["lr"] == 0.1
    assert torch.equal(learned(x), MuLaw(BIPOLAR, 4, mu=50.0)(x))
    with warned(UserWarning, "mu", "1 bit"):
        MuLaw(BIPOLAR, 1, learn=True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mu": 0.0}, ("mu=0.0", "MuLaw", "2^-10", "2^24")),
        ({"learn": "yes"}, ("learn='yes'", "MuLaw", "true", "false")),
    ],
)
def test_bad_arguments(arguments: dict[str, object], named: tuple[str, ...]) -> None:
    with refused(ValueError, *named):
        MuLaw(BIPOLAR, 4, **arguments)  # type: ignore[arg-type]
