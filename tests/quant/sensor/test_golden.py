"""Agreement with reference vectors made with 50-digit arithmetic, independent of this code.

The file holds five families of curves, named before the first underscore of an entry, and all entries are compared:
`linear`, `log`, `log1dn` (Log at its own epsilon; `log` at the convention's), `gamma`, and `gammanorm` (GammaNorm).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal

import pytest
import torch

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_norm import GammaNorm
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.ste import round_half_up
from qsense.signal import Signal

GOLDEN = json.loads(Path(__file__).with_name("golden_quantizers.json").read_text())
CONVENTION = GOLDEN["convention"]
SECTIONS = ("quantizers", "thresholds", "gradients")


def family(entry: str) -> str:
    return entry.partition("_")[0]


def test_the_file_is_the_one_that_this_was_written_for() -> None:
    families = {section: {family(entry) for entry in GOLDEN[section]} for section in SECTIONS}
    assert families == {
        "quantizers": {"linear", "log", "log1dn", "gamma", "gammanorm"},
        "thresholds": {"log", "gamma", "gammanorm"},
        "gradients": {"gamma", "gammanorm"},
    }
    assert [len(GOLDEN[section]) for section in SECTIONS] == [14, 12, 2]


def build(name: str, bits: int) -> SensorQuantizer:
    """The quantizer of a golden entry such as `gamma_bipolar_round`, its parameters in float64."""
    curve, polarity, how = name.split("_")
    rounding: Literal["round", "floor"] = "floor" if how == "floor" else "round"
    signal = Signal(channels=1, low=-1.0 if polarity == "bipolar" else 0.0, high=1.0, unit="")
    if curve == "linear":
        return Linear(signal, bits, rounding=rounding)
    if curve.startswith("log"):
        log = Log(signal, bits, native_bits=12, rounding=rounding)
        log.epsilon = CONVENTION["eps_log"] if curve == "log" else log.epsilon
        return log
    cls = GammaNorm if curve == "gammanorm" else Gamma
    gamma = cls(signal, bits, gamma=0.4, epsilon=CONVENTION["eps_gamma"], rounding=rounding).double()
    with torch.no_grad():
        gamma.log_gamma.fill_(math.log(CONVENTION["gamma"]))
        if gamma.mu is not None:
            gamma.mu.fill_(CONVENTION["mu"])
    return gamma


def column(entries: list[dict[str, str]], key: str) -> torch.Tensor:
    return torch.tensor([float(entry[key]) for entry in entries], dtype=torch.float64)[:, None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", GOLDEN["quantizers"])
def test_curve_codes_and_levels(name: str, dtype: torch.dtype) -> None:
    entries = GOLDEN["quantizers"][name]
    kind, bits = name.split("/N")
    quantizer = build(kind, int(bits))
    x = column(entries, "x")
    steps = 2 ** int(bits) - 1
    z = quantizer.curve(x.T).T
    v = steps * (z + 1) / 2 if quantizer.signal.bipolar else steps * z
    torch.testing.assert_close(v, column(entries, "v"), rtol=1e-13, atol=1e-14)
    assert quantizer.encode(x.to(dtype)).flatten().tolist() == [entry["code"] for entry in entries]
    tolerance = 1e-15 if dtype == torch.float64 and quantizer.rounding == "round" else 2.0**-24
    level = quantizer(x.to(dtype))
    assert level.dtype == dtype
    torch.testing.assert_close(level.detach().double(), column(entries, "level"), rtol=2 * tolerance, atol=0)
    codes = torch.tensor([entry["code"] for entry in entries])
    torch.testing.assert_close(quantizer.levels()[codes], column(entries, "level")[:, 0], rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", GOLDEN["thresholds"])
@pytest.mark.filterwarnings("ignore:at 1 bit")
def test_thresholds(name: str) -> None:
    kind, bits = name.split("/N")
    expected = torch.tensor([[float(t) for t in GOLDEN["thresholds"][name]]], dtype=torch.float64)
    thresholds = build(kind, int(bits)).thresholds()
    assert thresholds.dtype == torch.float64
    torch.testing.assert_close(thresholds, expected, rtol=3e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", GOLDEN["gradients"])
def test_gradients(name: str, dtype: torch.dtype) -> None:
    entries = GOLDEN["gradients"][name]
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    for entry in entries:
        quantizer = build(name, 2)
        assert isinstance(quantizer, Gamma | GammaNorm)
        assert quantizer.mu is not None
        x = torch.tensor([float(entry["x"])], dtype=dtype, requires_grad=True)
        quantizer(x).backward()
        assert x.grad is not None
        assert quantizer.log_gamma.grad is not None
        assert quantizer.mu.grad is not None
        assert x.grad.item() == pytest.approx(float(entry["d_dx"]), rel=20 * tolerance)
        # The parameter is p = ln γ, so ∂p = γ·∂γ.
        d_gamma = quantizer.log_gamma.grad.item() / CONVENTION["gamma"]
        assert d_gamma == pytest.approx(float(entry["d_dgamma"]), rel=20 * tolerance)
        assert quantizer.mu.grad.item() == pytest.approx(float(entry["d_dmu"]), rel=20 * tolerance)


@pytest.mark.parametrize(("bits", "code"), [(int(k), v) for k, v in GOLDEN["ties"]["half_up"].items()])
@pytest.mark.filterwarnings("ignore:at 1 bit")
def test_ties_fall_on_the_upper_side(bits: int, code: int) -> None:
    signal = Signal(channels=1, low=-1.0, high=1.0, unit="")
    assert round_half_up(torch.tensor((2**bits - 1) / 2)).item() == code
    linear = Linear(signal, bits)
    assert linear.encode(torch.tensor([-1e-30, -0.0, 0.0])).tolist() == [code - 1, code, code]
    # At x = μ the sign is +1; the jump of height 2·ε^γ is over in nothing when ε is.
    gamma = Gamma(signal, bits, mu=0.25, epsilon=1e-30)
    below = torch.tensor(0.25).nextafter(torch.tensor(0.0))
    assert gamma.encode(torch.tensor([0.25])).item() == code
    assert gamma.encode(below[None]).item() == code - 1
