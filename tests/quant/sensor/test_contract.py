"""What every sensor quantizer of `conf/quant/sensor` holds, whatever its curve; a new YAML is tested as it is."""

from __future__ import annotations

import copy
import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tests.refusal import refused

from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.conversion import output_line
from qsense.quant.sensor.estimators import SHAPED, SMOOTH, SURROGATES
from qsense.quant.sensor.search import BLOCK
from qsense.signal import Signal

SENSORS: dict[str, Any] = {
    name: OmegaConf.to_container(said.quant.sensor) for name, said in stated_by_options("quant/sensor").items()
}
# Converters with memory have a contract of their own (`memory/test_contract.py`).
SENSORS = {name: sensor for name, sensor in SENSORS.items() if ".memory." not in sensor["_target_"]}
# Quantizers proper; a sensor without `bits` has no codes.
CODED = [name for name, sensor in SENSORS.items() if "bits" in sensor]
SIGNALS = {
    "bipolar": Signal(channels=3, low=-1.0, high=1.0, unit="g"),
    "unipolar": Signal(channels=4, low=0.0, high=1.0, unit="counts"),
    "one channel": Signal(channels=1, low=-1.0, high=1.0, unit="g"),
    "own range": Signal(channels=2, low=-7.3, high=8.1, unit="g"),
    "counts": Signal(channels=2, low=0.0, high=4095.0, unit="counts"),
}

CODES = {  # sensors that deliver integer codes
    "12 bits": Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, bayer="RGGB"),
    "black and white level": Signal(2, 0.0, 1.0, unit="full scale", native_bits=10, black=64, white=1000),
    "one channel": Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=8),
    "bipolar": Signal(channels=3, low=-7.3, high=8.1, unit="g", native_bits=9),
    "own unit": Signal(channels=2, low=0.0, high=3.3, unit="V", native_bits=7),
}
INTEGERS = (torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64)


def build(name: str, signal: Signal, bits: int = 4, **changes: Any) -> SensorQuantizer:
    root = {"${bits}": bits, "${rounding}": "round"}
    sensor = {key: root.get(value, value) for key, value in SENSORS[name].items()}
    if "surrogate" in sensor:  # a curve's default may be one that hides the codes from training
        sensor["surrogate"] = "ste"
    sensor |= changes
    module, _, cls = str(sensor.pop("_target_")).rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantizer: SensorQuantizer = getattr(importlib.import_module(module), cls)(signal=signal, **sensor)
    quantizer.fit(samples(signal))
    return vary(quantizer)


def vary(quantizer: SensorQuantizer) -> SensorQuantizer:
    """Move every parameter a little, so that curves per channel differ."""
    with torch.no_grad():
        for p in quantizer.parameters():
            p.add_(torch.linspace(-0.05, 0.07, p.numel()).view_as(p))
    quantizer.clamp_()
    return quantizer


def samples(signal: Signal, n: int = 2000, seed: int = 0) -> torch.Tensor:
    """Series [n, C]: over the range and beyond it, dense at its centre, with both ends."""
    generator = torch.Generator().manual_seed(seed)
    low, high = signal.low or -1.0 if signal.low is None else signal.low, 1.0 if signal.high is None else signal.high
    x = torch.rand(n, signal.channels, generator=generator, dtype=torch.float64) * 1.1 - 0.05
    x[: n // 4] = x[: n // 4] ** 7
    x = x * (high - low) + low
    x[-4], x[-3], x[-2], x[-1] = low, high, 0.0, (low + high) / 2
    return x.float()


def native(signal: Signal, dtype: torch.dtype, size: int = 0) -> torch.Tensor:
    """Codes as an image, as they come from the sensor and beyond on both sides, more of them than a table has."""
    generator = torch.Generator().manual_seed(1)
    limits = torch.iinfo(dtype)
    low, high = max(limits.min, -9), min(limits.max, signal.codes + 99)
    shape = (3, signal.channels, 20, size or signal.codes // 30 + 1)
    codes = torch.randint(low, high + 1, shape, generator=generator)
    codes.view(-1)[:5] = torch.tensor([limits.min, limits.max, min(signal.top, high), min(signal.black, high), 0])
    return codes.to(dtype)


def meaning(codes: torch.Tensor, signal: Signal) -> torch.Tensor:
    """The values that native codes stand for, by the formula, in float64."""
    assert signal.low is not None
    assert signal.high is not None
    share = (codes.double().clamp(signal.black, signal.top) - signal.black) / (signal.top - signal.black)
    return signal.low + share * (signal.high - signal.low)


def each(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "kind"), [(n, k) for n in names for k in SIGNALS])


def test_yamls_state_every_argument() -> None:
    assert {"none", "linear", "log", "gamma", "gamma_per_axis", "gamma_per_condition", "quantile"} <= set(SENSORS)
    for name, sensor in SENSORS.items():
        assert set(sensor) - {"_target_"} == set(signatures.arguments(sensor["_target_"]) or {}) - {"signal"}, name


STATES: dict[str, dict[str, list[int]]] = {
    "gamma": {"log_gamma": [1], "mu": [1]},
    "gamma_fat": {"log_gamma": [1], "mu": [1]},
    "gamma_norm": {"log_gamma": [1], "mu": [1]},
    "gamma_per_axis": {"log_gamma": [3], "mu": [3]},
    "gamma_per_condition": {"converters.0.log_gamma": [1], "converters.0.mu": [1]},
    "lloyd_max": {"cuts": [1, 7]},
    "log_eps": {"log_epsilon": [1]},
    "log_gamma": {"log_gamma": [1]},
    "mulaw": {"log_epsilon": [1]},
    "pwl": {"logits": [1, 16]},
    "quantile": {"cuts": [1, 7]},
    "range": {"low": [1], "high": [1]},
    "soft_tanh": {"start": [1, 1], "log_width": [1, 7], "sharpness": []},
    "thresholds": {"start": [1, 1], "log_width": [1, 7]},
}


@pytest.mark.parametrize("name", SENSORS)
def test_states_of_old_checkpoints_fit(name: str) -> None:
    """Names and shapes, in their order; a curve that is new here may have what it likes."""
    state = build(name, SIGNALS["bipolar"], bits=3).state_dict()
    fixed = {"linear", "log", "none", "fat", "uniform_weights", "log_weights", "integer"}
    expected = {} if name in fixed else STATES.get(name)
    assert expected is None or {key: list(tensor.shape) for key, tensor in state.items()} == expected


@each(list(SENSORS))
def test_every_sensor_part(name: str, kind: str) -> None:
    signal = SIGNALS[kind]
    quantizer = build(name, signal)
    x = samples(signal).requires_grad_()
    y = quantizer(x)
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    y.backward(torch.randn_like(y))
    for gradient in [x.grad, *(p.grad for p in quantizer.parameters())]:
        assert gradient is not None
        assert torch.isfinite(gradient).all()
    groups = quantizer.parameter_groups(0.5)
    assert [p for group in groups for p in group["params"]] == list(quantizer.parameters())
    assert all(group["lr"] == 0.5 and group["weight_decay"] == 0.0 for group in groups)
    assert all(len(values) in (1, signal.channels) for values in quantizer.trajectory().values())
    assert quantizer(x.detach().half()).dtype == torch.float32
    assert quantizer(x.detach().double()).dtype == torch.float64
    assert quantizer(torch.empty(0, signal.channels)).shape == (0, signal.channels)


@each(list(SENSORS))
def test_forward_never_hides_nan_and_caps_infinity(name: str, kind: str) -> None:
    quantizer = build(name, SIGNALS[kind])
    x = samples(SIGNALS[kind]).requires_grad_()
    with torch.no_grad():
        x[3, 0] = x[100, -1] = torch.nan
        x[7, 0], x[8, 0] = torch.inf, -torch.inf
    y = quantizer(x)
    assert torch.equal(y.isnan(), x.isnan())
    if name in CODED:
        codes = quantizer.encode(y.detach().nan_to_num(0.0))
        assert codes[7, 0] == codes[:, 0].max()
        assert codes[8, 0] == codes[:, 0].min()
        for bad in (torch.nan, torch.inf, -torch.inf):
            z = samples(SIGNALS[kind], 50)
            z[2, 0] = z[5, 0] = bad
            with refused(ValueError, 2, z.numel(), bad, "[2, 0]"):
                quantizer.encode(z)


@each(list(SENSORS))
def test_infinities_leave_gradients_finite(name: str, kind: str) -> None:
    quantizer = build(name, SIGNALS[kind])
    x = samples(SIGNALS[kind])
    x[7, 0], x[8, 0], x[9, 0] = torch.inf, -torch.inf, 1e30
    x.requires_grad_()
    quantizer(x).sum().backward()
    assert all(g is not None and g.isfinite().all() for g in [x.grad, *(p.grad for p in quantizer.parameters())])


@each(CODED)
@settings(max_examples=6)
@given(bits=st.integers(1, 12), rounding=st.sampled_from(["round", "floor"]), output=st.sampled_from(["level", "code"]))
def test_converter(name: str, kind: str, bits: int, rounding: str, output: str) -> None:
    signal = SIGNALS[kind]
    quantizer = build(name, signal, bits, rounding=rounding, output=output)
    x = samples(signal, 300, seed=bits)
    thresholds = quantizer.thresholds()
    assert thresholds.shape == (quantizer.rows, 2**bits - 1)
    assert thresholds.dtype == torch.float64
    assert (thresholds.diff() >= 0).all()
    # the thresholds themselves, and the floats just below them, are the hardest samples
    edges = thresholds.float().clamp(-1e30, 1e30)
    edges = torch.cat([edges, edges.nextafter(torch.tensor(-torch.inf))], 1).expand(signal.channels, -1).t()
    x = torch.cat([x, edges])
    codes = quantizer.encode(x)
    rows = thresholds.expand(signal.channels, -1).numpy()
    counted = [np.searchsorted(row, of, side="right") for row, of in zip(rows, x.double().t().numpy(), strict=True)]
    assert np.array_equal(codes.t().numpy(), counted)
    y = quantizer(x).detach()
    assert torch.equal(y, quantizer.decode(codes))
    assert torch.equal(quantizer.eval()(x), y)
    assert len(y.unique()) <= 2**bits
    assert len(quantizer.decode(torch.arange(2**bits)).unique()) == 2**bits
    ordered = quantizer(x.sort(0).values)
    assert (ordered.diff(dim=0) >= 0).all()
    if output == "level":
        assert y.min() >= np.float32(signal.low)
        assert y.max() <= np.nextafter(np.float32(signal.high), np.float32(np.inf))
        if SENSORS[name]["_target_"].endswith(".Linear"):
            assert torch.equal(quantizer(y), y)


@each(CODED)
@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_no_flips_against_the_formula_in_float64(name: str, kind: str, rounding: str) -> None:
    signal = SIGNALS[kind]
    quantizer = build(name, signal, 8, rounding=rounding)
    x = samples(signal, 100_000 // signal.channels, seed=1)
    with torch.no_grad():
        z = quantizer.curve(quantizer.to_unit(x.double()).t()).t()
    v = 255 * (z + 1) / 2 if signal.bipolar else 255 * z
    v = v.clamp(0, 255)
    # An exact tie is decided by the last bit of the formula's own rounding; the golden tests have their own.
    shifted = v + 0.5 if rounding == "round" else v
    tie = ((shifted - shifted.round()).abs() < 1e-11) & (v > 0) & (v < 255)
    assert tie.float().mean() < 0.01
    assert torch.equal(quantizer.encode(x)[~tie], shifted.floor().int()[~tie])


@pytest.mark.parametrize("name", CODED)
def test_twelve_bit_counts_on_a_twelve_bit_converter_are_their_own_levels(name: str) -> None:
    for rounding in ("round", "floor"):
        quantizer = build(name, SIGNALS["counts"], 12, rounding=rounding)
        if SENSORS[name]["_target_"].endswith(".Linear"):
            counts = torch.arange(4096.0)
            assert torch.equal(quantizer(counts), counts)
            assert quantizer.encode(counts.to(torch.int32)).tolist() == list(range(4096))


@each(CODED)
def test_slices_threads_and_layouts_change_nothing(name: str, kind: str) -> None:
    signal = SIGNALS[kind]
    quantizer = build(name, signal, 3)
    x = samples(signal, 4 * (BLOCK // signal.channels) + 8).view(4, -1, signal.channels)
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))

    def run(threads: int) -> list[torch.Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            leaf = x.clone().requires_grad_()
            y = quantizer(leaf)
            return [y.detach(), *torch.autograd.grad(y, [leaf, *quantizer.parameters()], grad)]
        finally:
            torch.set_num_threads(before)

    for one, two in zip(run(1), run(2), strict=True):
        assert torch.equal(one, two)
    whole, of_x, *_ = run(1)
    leaf = x[1:2, 5:700].clone().requires_grad_()
    part = quantizer(leaf)
    part.backward(grad[1:2, 5:700])
    assert torch.equal(part, whole[1:2, 5:700])
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, of_x[1:2, 5:700], rtol=1e-6, atol=0)
    # images: channels on dimension 1; the same numbers, and a transposed view of the same memory
    image = x.transpose(1, 2)[:, :, None, :]
    assert torch.equal(quantizer(image), whole.transpose(1, 2)[:, :, None, :])
    assert torch.equal(quantizer(image.contiguous()), whole.transpose(1, 2)[:, :, None, :])
    assert torch.equal(quantizer.encode(image), quantizer.encode(x).transpose(1, 2)[:, :, None, :])


@each(CODED)
def test_gradients_are_those_of_the_curve(name: str, kind: str) -> None:
    """The closed forms against autograd through the curve, cut off at the ends; in float64."""
    signal = SIGNALS[kind]
    for output in ("level", "code"):
        quantizer = build(name, signal, 3, output=output).double()
        bottom = -1.0 if signal.bipolar else 0.0
        x = samples(signal, 200).double()
        # below a step of a 24-bit sensor a slope may be held finite, and at 0 autograd finds none in |u|
        small = quantizer.to_unit(x).abs() < 2.0**-24
        x = torch.where(small, x + 0.1 * quantizer.scale, x).requires_grad_()
        grad = torch.randn_like(x)
        wanted = [x, *quantizer.parameters()]
        found = torch.autograd.grad(quantizer(x), wanted, grad)
        u = quantizer.to_unit(x)
        z = quantizer.curve(u.t()).t()
        passed = (z >= bottom) & (z <= 1) & ((u >= 0) | signal.bipolar)  # torch's clamp drops the end points
        full = (signal.high or 0) - (signal.low or 0) if output == "level" else 7.0
        y = torch.where(passed, z, z.detach()) * full / (1 - bottom)
        scales = [1.0] + [quantizer.gradient_scale(x.numel() // (quantizer.rows * len(x)))] * (len(wanted) - 1)
        for mine, reference, scale in zip(found, torch.autograd.grad(y, wanted, grad), scales, strict=True):
            torch.testing.assert_close(mine, reference * scale, rtol=1e-6, atol=1e-9)


@each(list(SENSORS))
def test_state_survives_copies_and_files(name: str, kind: str) -> None:
    signal = SIGNALS[kind]
    quantizer = build(name, signal)
    x = samples(signal, 50)
    expected = quantizer(x)
    buffer = io.BytesIO()
    torch.save(quantizer.state_dict(), buffer)
    buffer.seek(0)
    fresh = build(name, signal)
    with torch.no_grad():
        for p in fresh.parameters():
            p.add_(0.1)
    fresh(x)  # tables of the old parameters must not survive the loading
    fresh.load_state_dict(torch.load(buffer, weights_only=True), strict=True)
    assert torch.equal(fresh(x), expected)
    clone = copy.deepcopy(quantizer)
    with torch.no_grad():
        for p in quantizer.parameters():
            p.data.add_(0.3)
    assert torch.equal(clone(x), expected)
    assert torch.equal(clone.double().float()(x), expected)
    assert str(quantizer)


@pytest.mark.parametrize("name", [name for name in CODED if "per_channel" in SENSORS[name]])
def test_curves_per_channel_treat_each_channel_as_a_quantizer_of_its_own(name: str) -> None:
    signal = SIGNALS["bipolar"]
    together = build(name, signal, 3, per_channel=True)
    x = samples(signal, 500)
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(6))
    y = together(x)
    wanted = dict(together.named_parameters())
    found = dict(zip(wanted, torch.autograd.grad(y, list(wanted.values()), grad), strict=True)) if wanted else {}
    assert together.thresholds().shape == (3, 7)
    for c in range(3):
        alone = build(name, SIGNALS["one channel"], 3, per_channel=True)
        alone.load_state_dict({key: t[c : c + 1] if t.dim() else t for key, t in together.state_dict().items()})
        part = alone(x[:, c : c + 1])
        assert torch.equal(part, y[:, c : c + 1])
        assert torch.equal(alone.thresholds()[0], together.thresholds()[c])
        if found:
            of_part = torch.autograd.grad(part, list(alone.parameters()), grad[:, c : c + 1])
            for mine, (key, _) in zip(of_part, alone.named_parameters(), strict=True):
                torch.testing.assert_close(mine[0], found[key][c], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CODED)
def test_autocast_changes_nothing(name: str) -> None:
    quantizer = build(name, SIGNALS["bipolar"])
    x = samples(SIGNALS["bipolar"]).requires_grad_()
    expected = quantizer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = quantizer(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, expected)


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_noise_surrogate_is_unbiased_in_training_and_hard_in_evaluation(name: str, rounding: str) -> None:
    signal = SIGNALS["bipolar"]
    noisy, hard = (build(name, signal, 2, surrogate=s, rounding=rounding) for s in ("noise", "ste"))
    x = samples(signal)
    torch.manual_seed(0)
    first = noisy(x)
    assert len(first.unique()) > 100
    with torch.no_grad():
        z = noisy.curve(x.t()).t().clamp(-1, 1)
    deviation = (first.detach() - z) * 1.5  # in steps
    shift = 0.5 if rounding == "floor" else 0.0
    assert abs(deviation.mean().item() + shift) < 0.02
    assert deviation.min() >= -0.5 - shift - 1e-5
    assert deviation.max() <= 0.5 - shift + 1e-5
    torch.manual_seed(0)
    assert torch.equal(noisy(x), first)
    assert torch.equal(noisy.eval()(x), hard(x))


@each(CODED)
@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_estimators_change_gradients_by_their_formula_and_no_value(name: str, kind: str, rounding: str) -> None:
    """Against the table of `estimators.py` in NumPy: what arrives is reshaped, then goes through the curve as ever."""
    signal = SIGNALS[kind]
    quantizers = {s: build(name, signal, 3, surrogate=s, rounding=rounding).double() for s in SURROGATES}
    x = samples(signal, 200).double()
    x = torch.where(quantizers["ste"].to_unit(x).abs() < 2.0**-24, x + 0.1 * quantizers["ste"].scale, x)
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def gradients(quantizer: SensorQuantizer, arriving: torch.Tensor) -> list[torch.Tensor]:
        leaf = x.clone().requires_grad_()
        return list(torch.autograd.grad(quantizer(leaf), [leaf, *quantizer.parameters()], arriving))

    with torch.no_grad():
        z = quantizers["ste"].curve(quantizers["ste"].to_unit(x).t()).t().clamp(quantizers["ste"].bottom, 1.0).numpy()
    t = 7 * ((z + 1) / 2 if signal.bipolar else z) + (0.5 if rounding == "round" else 0.0)
    g = grad.numpy()
    error = t - np.floor(t) - 0.5
    distance = np.abs(t[..., None] - np.arange(1, 8)).min(-1)
    arriving = {
        "ewgs": g * (1 + 0.2 * np.sign(g) * error),
        "rect": np.where(distance <= 0.25, 2 * g, 0.0),
    }
    for surrogate, quantizer in quantizers.items():
        expected = gradients(quantizers["ste"], torch.from_numpy(arriving.get(surrogate, g)))
        for mine, reference in zip(gradients(quantizer, grad), expected, strict=True):
            torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-12)
        if surrogate not in SMOOTH:
            assert torch.equal(quantizer(x), quantizers["ste"](x))
        assert torch.equal(quantizer.eval()(x), quantizers["ste"](x))


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_soft_surrogate_shows_training_the_curve(name: str, rounding: str) -> None:
    quantizer = build(name, SIGNALS["bipolar"], 2, surrogate="soft", rounding=rounding)
    x = samples(SIGNALS["bipolar"])
    with torch.no_grad():
        z = quantizer.curve(x.t()).t().clamp(-1, 1)
    torch.testing.assert_close(quantizer(x), z - (1 / 3 if rounding == "floor" else 0.0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CODED)
def test_bad_arguments_name_the_value_and_what_is_allowed(name: str) -> None:
    signal, cls = SIGNALS["bipolar"], SENSORS[name]["_target_"].rpartition(".")[2]
    for bits in (0, 17, "two", 2.0, True, None):
        with refused(ValueError, f"bits={bits!r}", cls, 1, 16):
            build(name, signal, bits)  # type: ignore[arg-type]
    for key, allowed in (
        ("rounding", ("round", "floor")),
        ("surrogate", ("ste", "noise", "soft", "ewgs", "rect")),
        ("output", ("level", "code")),
    ):
        nope: dict[str, Any] = {key: "nope"}
        with refused(ValueError, f"{key}='nope'", cls, *allowed):
            build(name, signal, **nope)
    with refused(ValueError, cls, "low=None", "high=None", "data.normalise=dataset", "train", "range"):
        build(name, Signal(channels=3, low=None, high=None, unit="g"))
    quantizer = build(name, signal, 2)
    for code, named in ((0.0, ("torch.float32",)), (-1, (-1, 2, 0, 3)), (4, (4, 2, 0, 3))):
        with refused(ValueError, "codes", *named):
            quantizer.decode(torch.tensor([code]))


# Native codes: an entry per code instead of a computation per sample --------------------------------------------------


def each_coded(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "kind"), [(n, k) for n in names for k in CODES])


def each_coded_in_integers(names: list[str], surrogates: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Every kind of signal in one type of integers; every type, and every surrogate, for two of them."""
    cases: list[tuple[Any, ...]] = [(kind, torch.uint16, "ste") for kind in CODES]
    for kind in ("12 bits", "bipolar"):
        cases += [(kind, dtype, "ste") for dtype in INTEGERS if dtype != torch.uint16]
        cases += [(kind, torch.uint16, surrogate) for surrogate in surrogates if surrogate != "ste"]
    wanted = ("name", "kind", "dtype", "surrogate") if surrogates else ("name", "kind", "dtype")
    return pytest.mark.parametrize(wanted, [(name, *case)[: len(wanted)] for name in names for case in cases], ids=str)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Allow or forbid tables of every code."""
    return lambda allowed: monkeypatch.setattr("qsense.quant.sensor.codes.WIDEST", 16 if allowed else 0)


@each_coded_in_integers(list(SENSORS))
def test_codes_become_what_their_values_become(
    name: str, kind: str, dtype: torch.dtype, tables: Callable[[bool], None]
) -> None:
    signal = CODES[kind]
    x = native(signal, dtype)
    assert x.numel() > signal.channels * signal.codes
    layouts = {"image": x, "view": x.transpose(2, 3), "series": x.movedim(1, -1).flatten(1, 2)}
    for rounding in ("round", "floor"):
        for output in ("level", "code"):
            changes: dict[str, Any] = {"rounding": rounding, "output": output} if name in CODED else {}
            quantizer = build(name, signal, **changes)
            for layout, codes in layouts.items():
                tables(True)
                by_table = quantizer(codes)
                assert by_table.dtype == torch.float32
                assert by_table.is_contiguous()
                tables(False)
                assert torch.equal(by_table, quantizer(codes)), (rounding, output, layout)
                few = codes[1:2, ..., :2] if layout != "series" else codes[1:2, :2]
                assert torch.equal(quantizer(few), by_table[1:2, ..., :2] if layout != "series" else by_table[1:2, :2])
            values = meaning(x, signal)
            expected = quantizer(values).float()
            # where a code is a decision level itself, the last bit of the formula above decides
            clear = torch.ones_like(values, dtype=torch.bool)
            if name in CODED and (signal.low, signal.high) != (0.0, 1.0):
                distance = (values[..., None] - quantizer.thresholds().view(1, -1, 1, 1, 15)).abs()
                clear = (distance > 1e-12).all(-1)
            assert clear.float().mean() > 0.5
            assert torch.equal(quantizer(x)[clear], expected[clear])
            if name in CODED:
                tables(True)
                encoded = quantizer.encode(x)
                assert encoded.dtype == torch.int32
                assert torch.equal(quantizer.decode(encoded), quantizer(x))
            else:
                torch.testing.assert_close(quantizer(x), meaning(x, signal).float(), rtol=1e-6, atol=1e-6)


@each_coded_in_integers(CODED, SURROGATES)
def test_gradients_of_codes(
    name: str, kind: str, dtype: torch.dtype, surrogate: str, tables: Callable[[bool], None]
) -> None:
    """By table, by sample, and of the values in float64."""
    signal = CODES[kind]
    for output in ("level", "code"):
        quantizer = build(name, signal, surrogate=surrogate, output=output)
        parameters = list(quantizer.parameters())
        x = native(signal, dtype)
        # steps of a few hundred values: sums of the exact oracle's own size, not of rounding
        grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
        found = []
        for allowed in (True, False):
            tables(allowed)
            torch.manual_seed(3)
            y = quantizer(x)
            assert y.requires_grad == bool(parameters)
            found.append((y.detach(), torch.autograd.grad(y, parameters, grad) if parameters else ()))
        assert torch.equal(found[0][0], found[1][0])
        exact = copy.deepcopy(quantizer).double()
        # a value at the very end of the range counts as inside, and may not fall out of it by the last bit of a formula
        values = (meaning(x, signal) - quantizer.offset) * (1 - 1e-15) + quantizer.offset
        oracle = torch.autograd.grad(exact(values), list(exact.parameters()), grad.double()) if parameters else ()
        for of_table, of_samples, reference in zip(found[0][1], found[1][1], oracle, strict=True):
            scale = float(grad.abs().sum()) * output_line(quantizer)[1] * quantizer.gradient_scale(x.numel() // len(x))
            # `ewgs` and `rect` jump, and the formula above may put a code on the other side
            jump = 2e-3 * scale if surrogate in SHAPED else 0.0
            torch.testing.assert_close(of_table.double(), reference, rtol=2e-7, atol=1e-9 * scale + jump)
            torch.testing.assert_close(of_samples.double(), of_table.double(), rtol=1e-5, atol=1e-6 * scale)


@each_coded(CODED)
def test_codes_on_two_threads_and_slices(name: str, kind: str) -> None:
    signal = CODES[kind]
    quantizer = build(name, signal, 3)
    x = native(signal, torch.uint16, 9 * BLOCK // (60 * signal.channels))
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    found = []
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            y = quantizer(x)
            wanted = list(quantizer.parameters())
            found.append([y.detach(), *(torch.autograd.grad(y, wanted, grad) if wanted else ()), quantizer.encode(x)])
            with torch.inference_mode():
                assert torch.equal(quantizer(x), found[0][0])
        finally:
            torch.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)
    assert torch.equal(quantizer(x[1:2, :, 3:5, 7:9]), found[0][0][1:2, :, 3:5, 7:9])


@pytest.mark.parametrize("name", CODED)
def test_backward_keeps_codes_and_parameters_alone(name: str) -> None:
    signal = CODES["12 bits"]
    quantizer, x = build(name, signal), native(signal, torch.uint16)
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
        quantizer(x)
    assert {t.data_ptr() for t in kept} <= {t.data_ptr() for t in (x, *quantizer.parameters())}


@pytest.mark.parametrize("name", list(SENSORS))
def test_integers_of_a_sensor_without_codes_are_values(name: str) -> None:
    quantizer = build(name, SIGNALS["counts"])
    x = torch.randint(0, 4096, (20_000, 2), dtype=torch.int32)
    assert torch.equal(quantizer(x), quantizer(x.float()))
