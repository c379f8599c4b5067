"""White balance between converter and network: what it computes, from where, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from tests.data.frames.test_coco_raw import content, write
from tests.quick import NO_PICTURES
from tests.refusal import refused
from torch import nn

from qsense.callbacks.first_batch import in_colour
from qsense.data.errors import DataError
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import Frame
from qsense.experiment.build import build
from qsense.experiment.compose import options
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import run_id
from qsense.experiment.load import load
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.sensor import Sensor
from qsense.signal import Signal
from qsense.tasks.detection import DetectionTask
from qsense.tasks.white_balance import WhiteBalance
from qsense.train import train

Compose = Callable[..., DictConfig]
RAW = Signal(4, 0.0, 1.0, "full scale", native_bits=14, black=512, white=15871, bayer="RGGB", conditions=("a", "b"))
RGB = Signal(3, 0.0, 1.0, "full scale", native_bits=8)
GAINS = (2.0, 1.0, 1.5)
OF_PLANES = np.array([2.0, 1.0, 1.0, 1.5])
BRIEF = ["trainer=smoke", "logger=none", *NO_PICTURES, "callback.progress=null", "bits=4"]


class Nothing(nn.Module):
    """A detector that has something to learn and finds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor, sizes: Any = None, targets: Any = None) -> Any:
        return {"loss": (self.weight * images).square().mean()}


def task(sensor: Sensor, **recipe: Any) -> DetectionTask:
    return DetectionTask(Nothing(), sensor, ("thing",), (0.5, 0.25, 0.125), (0.5, 0.25, 0.5), **recipe)


def apart(sensor: Sensor) -> Sensor:
    """With curves that differ."""
    with torch.no_grad():
        for p in sensor.parameters():
            p.add_(0.3 * torch.rand_like(p))
    return sensor


SENSORS: dict[str, Callable[[], Sensor]] = {
    "not quantized": lambda: Identity(RAW),
    "linear": lambda: Linear(RAW, 12),
    "gamma": lambda: Gamma(RAW, 12, gamma=0.4),
    "gamma, codes": lambda: Gamma(RAW, 12, gamma=0.4, output="code"),
    "gamma, relu": lambda: Gamma(RAW, 12, gamma=0.4, parametrization="relu"),
    "a gamma per plane": lambda: apart(Gamma(RAW, 12, gamma=0.4, per_channel=True)),
    "a gamma per condition": lambda: apart(GammaPerCondition(RAW, 12, gamma=0.4)),
}


@pytest.mark.parametrize("name", SENSORS)
def test_a_gain_of_light_is_what_more_light_makes_of_levels(name: str) -> None:
    torch.manual_seed(0)
    sensor = SENSORS[name]()
    light = np.random.default_rng(0).uniform(0.1, 0.4, (2, 4, 16, 16)) / OF_PLANES.reshape(4, 1, 1)
    condition = [1, 0]

    def levels(light: np.ndarray) -> torch.Tensor:
        codes = torch.from_numpy(np.rint(512 + light * (15871 - 512)).astype(np.int64))
        found: torch.Tensor = sensor(codes, condition)
        return found

    with torch.no_grad():
        found = WhiteBalance(sensor, GAINS)(levels(light), sensor, condition)
        brighter = levels(light * OF_PLANES.reshape(4, 1, 1))
        assert not torch.allclose(levels(light), brighter, rtol=0.05)
        torch.testing.assert_close(found, brighter, rtol=6e-3, atol=1e-4)
        by_camera = WhiteBalance(sensor, "camera")(levels(light), sensor, condition, [GAINS, (4.0, 1.0, 3.0)])
        assert torch.equal(by_camera[0], found[0])
        assert torch.equal(WhiteBalance(sensor, "camera")(levels(light), sensor, condition), levels(light))


def test_which_converters_take_gains_of_light(composed: Compose) -> None:
    taken = set()
    for option in options("quant/sensor"):
        config = composed("task=detection", f"quant/sensor={option}", "bits=4", "task.white_balance=camera")
        if ".memory." in config.quant.sensor._target_:
            continue
        try:
            build(config)
        except ConfigError as error:
            named = ("white_balance=camera", "learned", "linear", "gamma", "none")
            assert all(word in str(error) for word in named)  # noqa: PT017
        else:
            taken.add(option)
    assert taken == {"none", "linear", "gamma", "gamma_per_axis", "gamma_per_condition"}


def test_the_order_is_quantize_balance_standardise_or_normalise() -> None:
    x = torch.randint(0, 16384, (2, 4, 8, 8))
    adc = Gamma(RAW, 4, gamma=0.5)
    with torch.no_grad():
        levels = adc(x).double().numpy()
        seen = task(adc, white_balance=list(GAINS)).eval().input_of(x).numpy()
        planes = levels * (OF_PLANES**0.5).reshape(4, 1, 1)
        rgb = np.stack([planes[:, 0], (planes[:, 1] + planes[:, 2]) / 2, planes[:, 3]], axis=1)
        mean, std = np.array([0.5, 0.25, 0.125]).reshape(3, 1, 1), np.array([0.5, 0.25, 0.5]).reshape(3, 1, 1)
        np.testing.assert_allclose(seen, (rgb - mean) / std, atol=1e-5)
        assert seen.max() > 1.5  # nothing is cut off at white

        by_camera = task(adc, white_balance="camera", standardise=True)
        assert by_camera.standardise is not None
        by_camera.standardise.fit(torch.rand(100, 4))
        numbers = by_camera.standardise.record()
        scaled = (planes - np.reshape(numbers["mean"], (4, 1, 1))) / np.reshape(numbers["std"], (4, 1, 1))
        rgb = np.stack([scaled[:, 0], (scaled[:, 1] + scaled[:, 2]) / 2, scaled[:, 3]], axis=1)
        np.testing.assert_allclose(by_camera.input_of(x, gains=[GAINS, GAINS]).numpy(), rgb, atol=1e-4)


def test_colours_of_no_mosaic_are_balanced_alike() -> None:
    x = torch.randint(0, 256, (1, 3, 4, 4))
    found = task(Identity(RGB), white_balance=list(GAINS)).input_of(x)
    expected = task(Identity(RGB)).normalise(x / 255 * torch.tensor(GAINS).view(3, 1, 1))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("per_channel", [False, True])
def test_greens_are_floored_as_codes_and_then_multiplied(per_channel: bool) -> None:
    torch.manual_seed(0)
    adc = Gamma(RAW, 4, gamma=0.5, per_channel=per_channel)
    x = torch.randint(0, 16384, (2, 4, 8, 8))
    codes = adc.encode(x).numpy()
    seen = task(adc, white_balance=[2.0, 4.0, 1.0], floor_green="code").input_of(x).detach()
    back = seen.numpy() * np.array([0.5, 0.25, 0.5]).reshape(3, 1, 1) + np.array([0.5, 0.25, 0.125]).reshape(3, 1, 1)
    np.testing.assert_allclose(back[:, 1], (codes[:, 1] + codes[:, 2]) // 2 / 15 * 4.0**0.5, atol=1e-5)
    np.testing.assert_allclose(back[:, 0], codes[:, 0] / 15 * 2.0**0.5, atol=1e-5)


def test_learned_gains_start_at_1_and_multiply_levels_behind_any_curve() -> None:
    adc = Log(RAW, 4)
    learned, plain = task(adc, white_balance="learned"), task(adc)
    x = torch.randint(0, 16384, (2, 4, 8, 8))
    assert torch.equal(learned.input_of(x), plain.input_of(x))
    assert learned.white_balance is not None
    with torch.no_grad():
        learned.white_balance.log_gain.copy_(torch.tensor(GAINS).log())
    rgb = plain.to_rgb(adc(x)) * torch.tensor(GAINS).view(3, 1, 1)
    seen = learned.input_of(x)
    torch.testing.assert_close(seen, plain.normalise(rgb))
    assert learned.trajectory() == {"gain": pytest.approx(GAINS)}
    assert learned.white_balance.record() == {"multiplies": "levels", "gains": pytest.approx(GAINS)}
    weights = torch.rand_like(seen)
    (found,) = torch.autograd.grad((seen * weights).sum(), learned.white_balance.log_gain)
    scale = torch.tensor([0.5, 0.25, 0.5]).view(3, 1, 1)
    torch.testing.assert_close(found, (weights * rgb / scale).sum((0, 2, 3)), rtol=1e-4, atol=1e-3)


def test_learned_gains_have_the_networks_rate_and_no_decay() -> None:
    subject = task(Gamma(RAW, 4, lr=0.5), white_balance="learned", weight_decay=0.1)
    assert subject.white_balance is not None
    groups = subject.parameter_groups(0.02)
    (own,) = (group for group in groups if group["params"][0] is subject.white_balance.log_gain)
    assert (own["lr"], own["weight_decay"]) == (0.02, 0.0)
    assert sum(len(group["params"]) for group in groups) == len(list(subject.parameters()))


@pytest.mark.parametrize("parametrization", ["exp", "relu"])
def test_gamma_learns_through_the_gain_that_it_shapes(parametrization: Any) -> None:
    """∂(g^γ·u^γ) = g^γ·u^γ·(ln g + ln u), of which autograd has the first part and the converter the second."""
    adc = Gamma(RAW, 16, gamma=0.7, parametrization=parametrization)
    (p,) = adc.parameters()
    x = torch.full((1, 4, 1, 1), 4000)
    balance = WhiteBalance(adc, [2.0, 1.0, 1.0])
    (slope,) = torch.autograd.grad(balance(adc(x), adc)[0, 0, 0, 0], p)
    u = (4000 - 512) / (15871 - 512)
    by = 0.7 if parametrization == "exp" else 1.0
    assert slope.item() == pytest.approx((2 * u) ** 0.7 * np.log(2 * u) * by, rel=1e-3)


def test_standardised_levels_are_the_balanced_ones(composed: Compose, root: Path) -> None:
    config = composed(*on(root), "quant=gamma", "task.white_balance=camera")
    data, subject = build(config)
    data.prepare_data()
    data.setup("fit")
    subject.calibrate(data)
    assert subject.standardise is not None
    seen = subject.standardise(subject.delivered(data)).double()
    torch.testing.assert_close(seen.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.std(0, correction=0), torch.ones(4, dtype=torch.float64), atol=1e-4, rtol=0)
    plain = build(composed(*on(root), "quant=gamma"))[1]
    assert not torch.allclose(plain.delivered(data), subject.delivered(data))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "set", content())


def on(root: Path) -> list[str]:
    sizes = ["data.train_sizes=null", "data.test_size=null"]
    return ["task=detection", "data=coco_raw", f"data.dataset.root={root}", "data.dataset.test=same", *sizes]


@pytest.mark.parametrize(("chosen", "standardise"), [("camera", True), ("[2.0,1.0,1.5]", False), ("learned", True)])
def test_it_stays_with_the_run(
    composed: Compose, root: Path, tmp_path: Path, chosen: str, standardise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    balance = [f"task.white_balance={chosen}", f"task.standardise={str(standardise).lower()}"]
    train(composed(*BRIEF, *on(root), "quant=gamma", *balance))
    run = tmp_path / "runs" / "run"
    result = json.loads((run / "metrics.json").read_text())
    again = load(run)
    subject = again.task
    assert subject.white_balance is not None
    assert result["white_balance"] == subject.white_balance.record()
    assert json.loads((run / "adc.json").read_text())["white_balance"] == result["white_balance"]
    learned = (run / "learned.csv").read_text().splitlines()
    assert ("gain_0,gain_1,gain_2" in learned[0]) == (chosen == "learned")
    if chosen == "learned":
        gains = result["white_balance"]["gains"]
        assert learned[-1].split(",")[-3:] == [repr(gain) for gain in gains]
        assert gains != [1.0, 1.0, 1.0]
    assert again.evaluate()["metrics"] == result["metrics"]

    again.data.prepare_data()
    again.data.setup()
    part: Any = again.data.part("test")
    batch = again.data.on_after_batch_transfer(part[0], 0)
    codes = torch.from_numpy(np.array(again.data.dataset.codes(part.frames[0])).astype(np.int32))
    shown: list[torch.Tensor] = []

    def watched(x: torch.Tensor) -> torch.Tensor:
        shown.append(x)
        return type(subject).normalise(subject, x)

    monkeypatch.setattr(subject, "normalise", watched)
    subject.predict(batch)
    gains = part.frames[0].gains if chosen == "camera" else None
    again.predict(codes, gains=gains)
    assert torch.equal(*shown)
    with refused(ValueError, "gains", "task.white_balance", *(["red", "green", "blue"] if chosen == "camera" else [])):
        again.predict(codes, gains=None if chosen == "camera" else GAINS)


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ({"white_balance": [1.0, 2.0]}, ("white_balance=[1.0, 2.0]", "red, green and blue")),
        ({"white_balance": [1.0, 0.0, 2.0]}, ("white_balance=[1.0, 0.0, 2.0]", "above 0")),
        ({"white_balance": "cloudy"}, ("white_balance='cloudy'", "camera", "learned", "null")),
        (
            {"white_balance": [2.0, 1.0, 1.5], "standardise": True},
            ("white_balance=[2.0, 1.0, 1.5]", "standardise=false", "camera", "learned", "null"),
        ),
    ],
)
def test_what_is_no_white_balance_is_refused(recipe: dict[str, Any], named: Sequence[str]) -> None:
    with refused(ValueError, *named):
        task(Identity(RAW), **recipe)


def test_frames_that_state_none_are_refused_before_training(composed: Compose, root: Path) -> None:
    data, subject = build(composed(*on(root), "task.white_balance=camera"))
    data.prepare_data()
    data.setup("fit")
    part: Any = data.part("validation" if len(data.part("validation")) else "train")
    part.frames[0] = replace(part.frames[0], gains=None)
    keys = ("task.white_balance=camera", "1 of 12", part.frames[0].name, "[r,g,b]", "learned", "null")
    with refused(DataError, *keys):
        subject.calibrate(data)


@pytest.mark.parametrize("output", ["level", "code"])
def test_the_first_batch_is_shown_in_its_colours(output: Any) -> None:
    adc = Gamma(RAW, 4, gamma=0.5, output=output)
    grey = np.array([0.1, 0.2, 0.2, 0.2 / 1.5]).reshape(4, 1, 1) * np.linspace(0.2, 1, 64).reshape(8, 8)
    codes = torch.from_numpy(np.rint(512 + grey * (15871 - 512)).astype(np.int64))[None]
    codes[..., 0, 0] = 16383  # a lamp
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, np.float32)
    frame = Frame(0, "grey", 16, 16, *nothing, gains=GAINS)
    batch = FrameBatch(codes, [(8, 8)], [frame])
    found = in_colour(task(adc), batch, slice(4))
    assert found is not None
    assert found.shape == (1, 3, 8, 8)
    scale = 15 if output == "code" else 1
    assert found[0, :, 0, 0].tolist() == [scale] * 3, "white, and not magenta"
    torch.testing.assert_close(found[:, 0], found[:, 1], atol=0.1 * scale, rtol=0)
    torch.testing.assert_close(found[:, 2], found[:, 1], atol=0.1 * scale, rtol=0)
    assert in_colour(task(Log(RAW, 4)), batch, slice(4)) is None
    unknown = replace(batch, frames=[replace(frame, gains=None)])
    assert in_colour(task(adc), unknown, slice(4)) is None
    assert in_colour(task(adc, white_balance=list(GAINS)), unknown, slice(4)) is not None


def test_a_batch_without_all_gains_has_none(composed: Compose, root: Path) -> None:
    data, _ = build(composed(*on(root)))
    data.prepare_data()
    data.setup("fit")
    batch: FrameBatch = data.part("train").__getitems__((0, [0, 1]))
    assert batch.gains is not None
    assert all(1.9 <= red <= 2.4 and green == 1 and 1.5 <= blue <= 1.9 for red, green, blue in batch.gains)
    assert replace(batch, frames=[replace(batch.frames[0], gains=None), batch.frames[1]]).gains is None


def test_recorded_runs_keep_their_names(composed: Compose) -> None:
    plain = composed("task=detection")
    named = run_id(plain)
    del plain.task.white_balance
    assert run_id(plain) == named
    assert run_id(composed("task=detection", "task.white_balance=learned")) != named
