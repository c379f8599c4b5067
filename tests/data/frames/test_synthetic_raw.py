"""Simulated raw frames: the sensor's physics, shapes and their boxes, regimes, determinism."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import yaml
from tests.refusal import refused

from qsense.data.frames import synthetic_raw
from qsense.data.frames.geometry.bayer import unpack
from qsense.data.frames.simulation.synthetic_scenes import REGIMES, Scene, draw_scene, illuminate
from qsense.data.frames.synthetic_raw import PRNU, SyntheticRaw, expose
from qsense.experiment.schema import config_folder

PLAIN = Scene(
    exposure=0.1,
    slope=np.zeros(2),
    tint=np.array([0.6, 1.0, 0.7]),
    shadow=None,
    lamps=np.zeros((0, 3)),
    kinds=np.zeros(0, dtype=np.int64),
    places=np.zeros((0, 3)),
    turns=np.zeros(0),
    contrasts=np.zeros(0),
)


def small(**arguments: Any) -> SyntheticRaw:
    regime = {"regime": "hdr_low", "most": 4, "smallest": 9.0, "largest": 20.0}
    return SyntheticRaw(**{"height": 192, "width": 192, "train_frames": 6, "test_frames": 3, **regime, **arguments})


def changed(scene: Scene, **fields: Any) -> Scene:
    return Scene(**{**vars(scene), **fields})


@pytest.mark.parametrize(("full_well", "read_noise"), [(15000.0, 3.0), (1000.0, 12.0)])
@pytest.mark.parametrize("light", [0.05, 0.4])
def test_noise_is_shot_noise_plus_read_noise_plus_rounding(full_well: float, read_noise: float, light: float) -> None:
    flat = np.full((400, 400), light, dtype=np.float32)
    codes = expose(flat, np.ones_like(flat), full_well, read_noise, np.random.default_rng(0))
    assert codes.dtype == np.uint16
    electrons = codes / 4095 * full_well
    step = full_well / 4095
    assert electrons.mean() == pytest.approx(light * full_well, rel=2e-3)
    assert electrons.var() == pytest.approx(light * full_well + read_noise**2 + step**2 / 12, rel=0.02)


def test_pixels_saturate_at_their_full_well_and_never_leave_the_codes() -> None:
    light = np.array([[0.0, 0.5, 1.0, 40.0]]).repeat(2000, 0).astype(np.float32)
    codes = expose(light, np.ones_like(light), 1000, 12, np.random.default_rng(0))
    assert codes.min() == 0
    assert codes.max() == 4095
    assert codes[:, 3].mean() == pytest.approx(codes[:, 2].mean(), rel=0.01)  # both full
    assert 0 < np.median(codes[:, 0]) + 1 < 50  # darkness is read noise, cut off at 0


def test_pixels_respond_differently_and_the_same_way_in_every_frame() -> None:
    data = small(regime="high_key")
    sensitivity = data._sensitivity
    assert sensitivity.std() == pytest.approx(PRNU, rel=0.02)
    flat = np.full(sensitivity.shape, 0.5, dtype=np.float32)
    runs = [expose(flat, sensitivity, 1e7, 0, np.random.default_rng(seed)).astype(float) for seed in (1, 2)]
    assert np.corrcoef(runs[0].ravel(), runs[1].ravel())[0, 1] > 0.98


def test_the_tint_is_that_of_the_bayer_pattern() -> None:
    light = illuminate(PLAIN, 32, 32)
    np.testing.assert_allclose(light[0::2, 0::2], 0.06, rtol=1e-6)
    np.testing.assert_allclose(light[0::2, 1::2], 0.1, rtol=1e-6)
    np.testing.assert_allclose(light[1::2, 0::2], 0.1, rtol=1e-6)
    np.testing.assert_allclose(light[1::2, 1::2], 0.07, rtol=1e-6)


def test_an_object_has_its_weber_contrast_in_light_and_in_shadow() -> None:
    where = {"kinds": np.array([1, 1]), "places": np.array([[16.0, 16, 6], [48.0, 16, 6]]), "turns": np.zeros(2)}
    scene = changed(PLAIN, **where, contrasts=np.array([0.5, -0.25]), shadow=(1.0, 0.0, 32.0, 0.125))
    light = illuminate(scene, 32, 64)
    without = illuminate(changed(PLAIN, shadow=scene.shadow), 32, 64)
    contrast = light / without - 1
    assert contrast[16, 16] == pytest.approx(0.5, rel=1e-5)
    assert contrast[16, 48] == pytest.approx(-0.25, rel=1e-5)
    assert contrast[2, 2] == 0
    assert without[17, 60] == pytest.approx(without[17, 2] / 8, rel=1e-5)


def test_a_lamp_saturates_whatever_its_colour() -> None:
    light = illuminate(changed(PLAIN, lamps=np.array([[16.0, 16.0, 3.0]])), 32, 32)
    assert light[14:18, 14:18].min() > 1
    assert light[2, 2] < 1


@pytest.mark.parametrize("regime", list(REGIMES))
def test_scenes_are_those_of_their_regime(regime: str) -> None:
    physics = REGIMES[regime]
    rng = np.random.default_rng(0)
    scenes = [draw_scene(physics, 192, 192, (1, 4), (9.0, 20.0), rng) for _ in range(400)]
    exposures = np.array([scene.exposure for scene in scenes])
    contrasts = np.concatenate([scene.contrasts for scene in scenes])
    for values, (least, most) in ((exposures, physics.exposure), (np.abs(contrasts), physics.contrast)):
        assert least <= values.min() < least * 1.1
        assert most * 0.95 < values.max() <= most
    assert 0.4 < (contrasts > 0).mean() < 0.6
    shadows = [scene.shadow[3] for scene in scenes if scene.shadow is not None]
    assert len(shadows) / 400 == pytest.approx(physics.shadow, abs=0.08)
    if shadows:
        assert 2**-3 <= min(shadows) < 2**-2.8
        assert 2**-1.2 < max(shadows) <= 2**-1
    assert all(1 <= len(scene.lamps) <= 3 if physics.lamps else not len(scene.lamps) for scene in scenes)
    counts = np.array([len(scene.kinds) for scene in scenes])
    assert counts.max() == 4
    assert 0.01 < (counts == 0).mean() < 0.12
    np.testing.assert_allclose(
        np.mean([np.log(scene.tint) for scene in scenes], axis=0), np.log([0.6, 1, 0.7]), atol=0.02
    )
    assert np.std([np.log(scene.tint[1]) for scene in scenes]) == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("regime", list(REGIMES))
def test_frames_are_whole_and_no_object_hides_another(regime: str) -> None:
    data = small(regime=regime, train_frames=40, most=6)
    frames = data.frames("train")
    assert len({frame.id for frame in [*frames, *data.frames("test")]}) == 43
    for frame in frames:
        codes = data.codes(frame)
        assert codes.dtype == np.uint16
        assert codes.shape == (4, 96, 96)
        assert codes.max() <= 4095
        assert len(frame.boxes) == len(frame.labels) == len(frame.crowd) == len(frame.area)
        left, top, right, bottom = frame.boxes.T
        assert (left >= 0).all()
        assert (top >= 0).all()
        assert (right <= 192).all()
        assert (bottom <= 192).all()
        assert (right - left > 10).all()
        masks = data.masks(frame)
        assert masks.shape == (len(frame.boxes), 96, 96)
        together = masks.sum(0)
        for mask, area, box in zip(masks, frame.area, frame.boxes, strict=True):
            assert mask.sum() * 4 == pytest.approx(area, rel=0.1)
            assert (together[mask] == 1).mean() > 0.9
            rows, columns = np.nonzero(mask)
            assert 2 * columns.min() >= box[0] - 1
            assert 2 * rows.max() + 2 <= box[3] + 1


def test_lamps_pin_the_range_of_dark_scenes() -> None:
    data = small()
    for frame in data.frames("train"):
        codes = data.codes(frame)
        assert codes.max() > 4000
        assert np.median(codes) < 0.1 * 4095


def test_what_comes_out_depends_on_the_seed_and_the_frame_alone() -> None:
    data, more = small(), small(train_frames=8)
    for part in ("train", "test"):
        for one, other in zip(data.frames(part), more.frames(part), strict=False):
            assert (one.id, one.name) == (other.id, other.name)
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_array_equal(data.codes(one), more.codes(other))
    frames = data.frames("train")
    backwards = small()
    for frame in reversed(frames):
        np.testing.assert_array_equal(backwards.codes(frame), data.codes(frame))
    other_seed = small(seed=1)
    assert (other_seed.codes(other_seed.frames("train")[0]) != data.codes(frames[0])).mean() > 0.5
    assert frames[0].name == "train frame 0"
    assert data.frames("test")[2].name == "test frame 2"


def test_planes_are_those_of_the_mosaic_that_was_exposed() -> None:
    data = small(regime="high_key")
    frame = data.frames("train")[1]
    mosaic = unpack(data.codes(frame), "RGGB") / 4095
    expected = illuminate(data.scene(frame.id), 192, 192)
    assert np.abs(mosaic - expected).mean() < 0.01


def test_it_says_that_it_is_simulated_and_what_the_sensor_is() -> None:
    data = small()
    data.check()
    assert data.simulated
    assert "simulated" in data.name
    signal = data.signal
    assert (signal.channels, signal.native_bits, signal.bayer, signal.top) == (4, 12, "RGGB", 4095)
    assert data.classes == ("disc", "square", "triangle")
    assert data.sources() == ()


def test_frames_of_all_regimes_take_turns_each_as_its_own_regime_has_it() -> None:
    mixed, alone = small(regime="mixed", train_frames=7), [small(regime=regime, train_frames=7) for regime in REGIMES]
    assert mixed.signal.conditions == tuple(REGIMES)
    for part in ("train", "test"):
        frames = mixed.frames(part)
        assert [frame.condition for frame in frames] == [place % 3 for place in range(len(frames))]
        for place, frame in enumerate(frames):
            data = alone[frame.condition]
            own = data.frames(part)[place]
            assert (own.id, own.name, own.condition) == (frame.id, frame.name, 0)
            np.testing.assert_array_equal(frame.boxes, own.boxes)
            np.testing.assert_array_equal(mixed.codes(frame), data.codes(own))
            np.testing.assert_array_equal(mixed.masks(frame), data.masks(own))
    assert all(data.signal.conditions == () for data in alone)


def test_what_was_recorded_of_one_regime_keeps_its_name() -> None:
    prints = [SyntheticRaw(regime).fingerprint()[:16] for regime in REGIMES]  # type: ignore[arg-type]
    assert prints == ["be248b2d7ebb276d", "8e39f24419708cf7", "b722ca8279f3acec"]


def test_the_fingerprint_knows_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, object]] = [
        {},
        {"regime": "high_key"},
        {"regime": "mixed"},
        {"height": 64},
        {"width": 64},
        {"train_frames": 7},
        {"test_frames": 4},
        {"fewest": 2},
        {"most": 5},
        {"smallest": 8.0},
        {"largest": 19.0},
        {"seed": 1},
    ]
    settings = set(inspect.signature(SyntheticRaw).parameters)
    assert {key for change in changes for key in change} == settings
    base = {"largest": 19.5, "smallest": 9.5}
    prints = [small(**{**base, **change}).fingerprint() for change in changes]
    assert len(set(prints)) == len(prints)
    assert small().fingerprint() == small().fingerprint()
    monkeypatch.setattr(synthetic_raw, "VERSION", 99)
    assert small(**base).fingerprint() not in prints


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"regime": "noon"}, ("regime='noon'", "hdr_low", "noise_floor", "high_key", "mixed")),
        ({"height": 33}, ("height=33", "even", 32)),
        ({"width": 16}, ("width=16", "even", 32)),
        ({"train_frames": 0}, ("train_frames=0", 1)),
        ({"test_frames": 0}, ("test_frames=0", 1)),
        ({"fewest": 5}, ("fewest=5", "most=4", 1)),
        ({"smallest": 1.0}, ("smallest=1.0", "largest=20.0", 2, 61.7, "192 × 192")),
        ({"height": 64}, ("largest=30.0", 2, 20.6, "64 × 192")),
        ({"seed": -1}, ("seed=-1", 0)),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    if arguments == {"height": 64}:
        arguments = {"height": 64, "largest": 30.0}
    with refused(ValueError, "SyntheticRaw", *named):
        small(**arguments)


def test_the_yaml_spells_out_every_argument_with_its_default() -> None:
    text = (config_folder() / "data" / "synthetic_raw.yaml").read_text()
    assert text.startswith("# @package _global_\n")
    node = yaml.safe_load(text)["data"]["dataset"]
    assert node.pop("_target_") == "qsense.data.frames.synthetic_raw.SyntheticRaw"
    defaults = {name: p.default for name, p in inspect.signature(SyntheticRaw).parameters.items()}
    assert node == defaults


def test_the_check_imports_nothing_heavy() -> None:
    code = "import sys; from qsense.data.frames.synthetic_raw import SyntheticRaw; SyntheticRaw().check(); "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'lightning', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
