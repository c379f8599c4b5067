"""Pictures of a detection run, from a task and its data to files."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib.figure import Figure
from tests.refusal import assert_names, refused
from torch import Tensor, nn

from qsense.callbacks import detection_figures
from qsense.callbacks.detection_figures import DetectionFigures, chosen, light_of, sample_of, through
from qsense.callbacks.figures import trajectory
from qsense.callbacks.network_figures import NetworkFigures
from qsense.callbacks.pictures import title_of
from qsense.data.frames.dataset import Frame, Part
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.synthetic_raw import SyntheticRaw
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.sensor import Sensor
from qsense.signal import Signal
from qsense.tasks.base import Task
from qsense.tasks.detection import DetectionTask


class OneBox(nn.Module):
    """Finds one box in every frame; with `found=0`, none."""

    def __init__(self, found: int = 1) -> None:
        super().__init__()
        self.found = found
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor, sizes: Any = None, targets: Any = None) -> list[dict[str, Tensor]]:
        boxes = torch.tensor([[4.0, 4.0, 20.0, 16.0]])[: self.found]
        scores, labels = torch.full((self.found,), 0.75), torch.zeros(self.found, dtype=torch.int64)
        return [{"boxes": boxes, "scores": scores, "labels": labels} for _ in images]


@pytest.fixture(scope="module")
def data() -> DetectionDataModule:
    module = DetectionDataModule(
        SyntheticRaw("hdr_low", 64, 96, 3, 8, most=4, smallest=9.0, largest=20.0), batch_size=2
    )
    module.setup("fit")
    return module


def task(data: DetectionDataModule, sensor: Sensor, found: int = 1) -> DetectionTask:
    return DetectionTask(OneBox(found), sensor, data.class_names, data.mean, data.std)


def end(data: DetectionDataModule, rank: int = 0) -> Any:
    return SimpleNamespace(is_global_zero=rank == 0, datamodule=data, loggers=[])


def written(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("*")}


@pytest.mark.parametrize("found", [0, 1])
def test_three_pictures_of_a_quantized_run(data: DetectionDataModule, tmp_path: Path, found: int) -> None:
    built = task(data, Gamma(data.signal, bits=4, gamma=0.4), found)
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    callback = DetectionFigures(str(tmp_path), frames=2)
    callback.setup(end(data), built, "fit")
    with torch.inference_mode():
        callback.on_test_end(end(data), built)
    assert written(tmp_path) == {"raw_histogram.png", "predictions.png", "scene.png"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in built.state_dict().items())
    assert built.training, "as it was before"


def test_without_a_quantizer_there_is_no_curve(data: DetectionDataModule, tmp_path: Path) -> None:
    DetectionFigures(str(tmp_path)).on_test_end(end(data), task(data, Identity(data.signal)))
    assert written(tmp_path) == {"predictions.png", "scene.png"}


@pytest.mark.parametrize("bits", [1, 4])
def test_a_gamma_per_colour_has_a_panel_per_plane(data: DetectionDataModule, bits: int) -> None:
    built = task(data, Gamma(data.signal, bits=bits, gamma=0.4, per_channel=True))
    figure = DetectionFigures("").raw_histogram(built, data)
    assert figure is not None
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.lines]
    assert titles == ["red", "green 1", "green 2", "blue"]


class DayAndNight(SyntheticRaw):
    """Every other frame is taken at night, when everything is four times as dark."""

    @property
    def signal(self) -> Signal:
        return replace(super().signal, conditions=("day", "night"))

    def frames(self, part: Part) -> list[Frame]:
        return [replace(frame, condition=i % 2) for i, frame in enumerate(super().frames(part))]

    def codes(self, frame: Frame) -> npt.NDArray[np.uint16]:
        return super().codes(frame) // (1, 4)[frame.condition]


def test_a_gamma_per_condition_has_a_panel_over_the_frames_of_each(tmp_path: Path) -> None:
    data = DetectionDataModule(DayAndNight("hdr_low", 64, 96, 8, 4, most=4, smallest=9.0, largest=20.0))
    data.setup("fit")
    built = task(data, GammaPerCondition(data.signal, bits=4, gamma=0.4))
    figure = DetectionFigures("").raw_histogram(built, data)
    assert figure is not None
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.lines] == ["day", "night"]
    assert np.median(sample_of(data, 1)) < 0.5 * np.median(sample_of(data, 0))
    DetectionFigures(str(tmp_path)).on_test_end(end(data), built)
    assert written(tmp_path) == {"raw_histogram.png", "predictions.png", "scene.png"}


def test_the_curve_before_training_is_drawn_beside_the_learned_one(data: DetectionDataModule) -> None:
    sensor = Gamma(data.signal, bits=4, gamma=1.0)
    built = task(data, sensor)
    callback = DetectionFigures("")
    callback.setup(end(data), built, "fit")
    with torch.no_grad():
        sensor.log_gamma.fill_(-1)
    figure = callback.raw_histogram(built, data)
    assert figure is not None
    initial, learned = figure.axes[0].lines
    assert initial.get_linestyle() == "--"
    x = np.asarray(learned.get_xdata())
    assert np.asarray(initial.get_ydata()) == pytest.approx(x, rel=1e-6)
    assert np.asarray(learned.get_ydata()) == pytest.approx(x ** np.exp(-1), rel=1e-6)
    assert figure.get_suptitle().replace("\n", " ").endswith(": Gamma, 4 bits, γ = 0.368")
    assert x[[0, -1]] == pytest.approx([0.5 / 4095, 1])


def test_boxes_lie_where_the_planes_are(data: DetectionDataModule) -> None:
    figure = DetectionFigures("", frames=1).predictions(task(data, Linear(data.signal, 4)), data)
    dataset, found = data.dataset, next(frame for frame in data.dataset.frames("test") if len(frame.labels))
    image = figure.axes[0].images[0].get_array()
    assert image is not None
    assert image.shape[:2] == dataset.codes(found).shape[1:]
    widths = sorted(patch.get_width() for patch in figure.axes[0].patches if patch.get_linestyle() == "--")  # type: ignore[attr-defined]
    assert widths == pytest.approx(sorted((found.boxes[:, 2] - found.boxes[:, 0]) / 2), rel=1e-5)


def test_the_scene_is_shown_beside_fixed_curves(data: DetectionDataModule) -> None:
    callback = DetectionFigures("", gammas=(0.5,))
    figure = callback.scene(task(data, Gamma(data.signal, bits=2)), data)
    names = [ax.get_title() for ax in figure.axes if ax.images]
    assert names == ["not quantized", "linear", "log", "γ = 0.5", "this run"]
    unquantized = callback.scene(task(data, Identity(data.signal)), data)
    assert [ax.get_title() for ax in unquantized.axes if ax.images] == ["not quantized", "linear", "log", "γ = 0.5"]
    assert [text.get_text() for text in unquantized.axes[-1].texts] == ["4 bits"]


def test_frames_are_the_same_each_time_and_hold_objects(data: DetectionDataModule) -> None:
    first, second = ([batch.frames[0].id for batch in chosen(data, 3, torch.device("cpu"))] for _ in range(2))
    assert first == second
    assert len(set(first)) == 3
    everything = chosen(data, 100, torch.device("cpu"))
    with_objects = [frame for frame in data.dataset.frames("test") if len(frame.labels)]
    assert [batch.frames[0].id for batch in everything] == [frame.id for frame in with_objects]


def test_samples_are_those_of_the_frame_without_padding(data: DetectionDataModule) -> None:
    (batch,) = chosen(data, 1, torch.device("cpu"))
    built = task(data, Gamma(data.signal, bits=3, surrogate="noise"))
    codes = data.dataset.codes(batch.frames[0])
    np.testing.assert_allclose(light_of(built, data, batch), codes / 4095, rtol=1e-6)
    assert len(np.unique(through(built.sensor, batch))) <= 8, "no noise"
    assert built.sensor.training


def test_samples_of_one_condition(data: DetectionDataModule) -> None:
    day, night = sample_of(data, 0, count=1000), sample_of(data, 1, count=10)
    assert day.shape == (1000,)
    assert 0 <= day.min() < day.max() <= 1
    assert np.isnan(night).all(), "no frame was taken then"


def test_titles(data: DetectionDataModule) -> None:
    assert title_of(Identity(data.signal)) == "not quantized"
    assert title_of(Linear(data.signal, 1)) == "Linear, 1 bit"
    sensor = Gamma(data.signal, 2, per_channel=True)
    start = sensor.trajectory()["gamma"][0]
    assert title_of(sensor) == f"Gamma, 2 bits, γ = {start:.3g}"


def test_lines_over_epochs_are_named_by_their_conditions(data: DetectionDataModule) -> None:
    signal = replace(data.signal, conditions=("day", "night"))
    rows = [{"epoch": float(epoch), "gamma_0": 0.5, "gamma_1": 0.7} for epoch in (1, 2)]
    figure = trajectory(task(data, GammaPerCondition(signal, 4)), data, rows)
    assert figure is not None
    assert_names(" ".join(text.get_text() for text in figure.axes[0].texts), "day", "night")


def test_a_picture_that_fails_costs_nothing(
    data: DetectionDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> Figure:
        raise RuntimeError("no paint")

    monkeypatch.setattr(detection_figures, "plot_scene", refuse)
    with caplog.at_level(logging.WARNING):
        DetectionFigures(str(tmp_path)).on_test_end(end(data), task(data, Linear(data.signal, 4)))
    assert written(tmp_path) == {"raw_histogram.png", "predictions.png"}
    assert_names(caplog.text, "scene", "no paint")


def test_other_processes_and_other_tasks_draw_nothing(data: DetectionDataModule, tmp_path: Path) -> None:
    callback = DetectionFigures(str(tmp_path))
    callback.on_test_end(end(data, rank=1), task(data, Linear(data.signal, 4)))
    other = Task(nn.Linear(1, 1), Linear(data.signal, 4), ("only",))
    callback.setup(end(data), other, "fit")
    callback.on_test_end(end(data), other)
    assert written(tmp_path) == set()


def test_wrong_arguments() -> None:
    with refused(ValueError, "frames=0", 1):
        DetectionFigures("", frames=0)
    with refused(ValueError, "gammas=[0.5, 0]"):
        DetectionFigures("", gammas=(0.5, 0))


def test_bands_of_a_detector_are_refused_before_training(data: DetectionDataModule) -> None:
    with refused(ValueError, "bands=8", "callback.network_figures.bands=0"):
        NetworkFigures("", bands=8).setup(end(data), task(data, Linear(data.signal, 4)), "fit")
    NetworkFigures("").setup(end(data), task(data, Linear(data.signal, 4)), "fit")
