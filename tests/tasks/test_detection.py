"""The detection task: the order of its steps, scores in the frames' own pixels, recipe, groups, and a short run."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
from lightning import Trainer
from tests.refusal import refused
from tests.results import whole_result
from torch import Tensor, nn
from torch.utils.data import DataLoader

from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import Frame
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.sensor import Sensor
from qsense.runs.result import flaw
from qsense.signal import Signal
from qsense.tasks.detection import DetectionTask, blank

RAW = Signal(4, 0.0, 1.0, "full scale", native_bits=12, bayer="RGGB")
MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 0.5)


class Oracle(nn.Module):
    """Learns one number, remembers what it was shown, and predicts boxes that it was told."""

    def __init__(self, boxes: list[list[list[float]]] | None = None) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(()))
        self.boxes = boxes or []
        self.seen: list[Any] = []

    def forward(self, images: Tensor, sizes: Any = None, targets: Any = None) -> Any:
        self.seen.append((images.detach(), sizes, targets))
        if self.training:
            return {"classification": (images.mean() - self.offset) ** 2, "boxes": self.offset**2 + 1}
        found = []
        for row in range(len(images)):
            boxes = torch.tensor(self.boxes[row % len(self.boxes)] if self.boxes else []).view(-1, 4)
            found.append(
                {"boxes": boxes, "scores": torch.ones(len(boxes)), "labels": torch.zeros(len(boxes), dtype=torch.int64)}
            )
        return found


def frame(number: int, boxes: list[list[float]], size: tuple[int, int] = (16, 16), condition: int = 0) -> Frame:
    array = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    area = (array[:, 2] - array[:, 0]) * (array[:, 3] - array[:, 1])
    none = np.zeros(len(array), dtype=bool)
    return Frame(number, f"frame {number}", *size, array, np.zeros(len(array), dtype=np.int64), none, area, condition)


def batch(*frames: Frame, codes: Tensor | None = None) -> FrameBatch:
    if codes is None:
        codes = torch.full((len(frames), 4, 8, 8), 2048, dtype=torch.int32)
    return FrameBatch(codes, [(8, 8)] * len(frames), list(frames))


def task(network: nn.Module, sensor: Sensor | None = None, **recipe: Any) -> DetectionTask:
    return DetectionTask(network, sensor or Identity(RAW), ("thing", "other"), MEAN, STD, **recipe)


def loader(*batches: FrameBatch) -> DataLoader[FrameBatch]:
    return DataLoader(list(batches), batch_size=None)  # type: ignore[arg-type]


def trainer(**arguments: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0}
    return Trainer(accelerator="cpu", enable_model_summary=False, **{**quiet, **arguments})


def test_codes_are_quantized_then_rgb_then_normalised_then_zero_padded() -> None:
    codes = torch.zeros(2, 4, 4, 4, dtype=torch.int32)
    codes[:, 0], codes[:, 1], codes[:, 2], codes[:, 3] = 4095, 1024, 3072, 0
    network = Oracle()
    subject = task(network, Linear(RAW, bits=1)).eval()
    subject(FrameBatch(codes, [(4, 4), (2, 3)], [frame(0, []), frame(1, [])]))
    images, sizes, targets = network.seen[0]
    # one bit: red 1, greens 0 and 1, blue 0
    assert images[0, :, 0, 0].tolist() == [(1 - 0.5) / 0.5, (0.5 - 0.25) / 0.25, (0 - 0.125) / 0.5]
    assert sizes == [(4, 4), (2, 3)]
    assert targets is None
    assert images[1, :, 2:].abs().max() == 0
    assert images[1, :, :, 3:].abs().max() == 0
    assert torch.equal(images[1, :, :2, :3], images[0, :, :2, :3])


@pytest.mark.parametrize(
    ("sensor", "floor_green", "steps"),
    [
        (Linear(RAW, bits=4), "code", 15),
        (Linear(RAW, bits=4, output="code"), "code", 1),
        (Linear(RAW, bits=4), True, 255),
        (Identity(RAW), "code", 4095),
        (Identity(Signal(4, 0.0, 1.0, "", native_bits=10, black=64, white=1000)), "code", 936),
    ],
)
def test_the_authors_floor_of_greens_is_an_option(
    sensor: Sensor, floor_green: bool | Literal["code"], steps: int
) -> None:
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, sensor.signal.codes, (2, 4, 8, 8)))
    seen = sensor(codes)
    green = seen[:, 1:3].mean(1, dtype=torch.float64).numpy()
    plain = task(Oracle(), sensor).to_rgb(seen)[:, 1]
    np.testing.assert_allclose(plain.numpy(), green, atol=1e-6)
    found = task(Oracle(), sensor, floor_green=floor_green).to_rgb(seen)[:, 1]
    np.testing.assert_allclose(found.numpy(), np.floor(green * steps + 1e-3) / steps, atol=1e-6)


@pytest.mark.parametrize("signal", [Signal(4, 0.0, 1.0, ""), Signal(4, 0.0, 1.0, "", native_bits=24)])
def test_values_and_very_fine_codes_are_not_floored(signal: Signal) -> None:
    seen = torch.rand(1, 4, 8, 8)
    assert torch.equal(*(task(Oracle(), Identity(signal), floor_green=f).to_rgb(seen) for f in (False, "code")))


def test_three_colours_pass_as_they_are() -> None:
    srgb = Signal(3, 0.0, 1.0, "full scale", native_bits=8)
    subject = task(Oracle(), Identity(srgb))
    x = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert torch.equal(subject.to_rgb(subject.sensor(x)), torch.ones(1, 3, 2, 2))


def test_blank_leaves_full_frames_alone() -> None:
    images = torch.rand(2, 3, 4, 5)
    assert blank(images, [(4, 5), (4, 5)]) is images


def test_scores_are_measured_in_the_original_frames_pixels() -> None:
    truth = [[2.0, 2.0, 10.0, 12.0]]
    subject = task(Oracle([[[1.0, 1.0, 5.0, 6.0]]]))  # the same in planes, half the size
    trainer().test(subject, dataloaders=loader(batch(frame(3, truth), frame(7, truth))), verbose=False)
    metrics = subject.results()["metrics"]
    assert metrics["map"] == pytest.approx(1.0)
    assert subject.results()["per_class"]["map"]["thing"] == pytest.approx(1.0)


def test_scores_are_computed_over_the_epoch_not_averaged_over_batches() -> None:
    box = [[2.0, 2.0, 10.0, 12.0]]
    found = [[[0.0, 0.0, 8.0, 8.0], [1.0, 1.0, 5.0, 6.0]]]  # a wrong box before a right one, on every frame
    whole, parts = task(Oracle(found)), task(Oracle(found))
    frames = [frame(0, box), frame(1, []), frame(2, [])]
    trainer().test(whole, dataloaders=loader(batch(*frames)), verbose=False)
    trainer().test(parts, dataloaders=loader(*(batch(one) for one in frames)), verbose=False)
    assert whole.results() == parts.results()
    assert 0 < whole.results()["metrics"]["map"] < 1


def test_targets_are_in_pixels_of_the_batch_and_hold_no_crowd() -> None:
    one = frame(0, [[2, 4, 10, 12], [0, 0, 4, 4]])
    one.crowd[1] = True
    network = Oracle()
    subject = task(network).train()
    subject(batch(one))
    (target,) = network.seen[0][2]
    assert target["boxes"].tolist() == [[1, 2, 5, 6]]
    assert target["labels"].tolist() == [0]


def test_a_run_learns_the_curve_and_logs_each_loss() -> None:
    subject = task(Oracle(), Gamma(RAW, bits=4), optimizer="adamw", lr=0.01)
    runner = trainer(max_epochs=2)
    runner.fit(subject, train_dataloaders=loader(*[batch(frame(0, [[2, 2, 10, 12]]))] * 2))
    assert {"train/classification", "train/boxes", "train/loss"} <= set(runner.callback_metrics)
    total = runner.callback_metrics["train/classification"] + runner.callback_metrics["train/boxes"]
    assert runner.callback_metrics["train/loss"] == pytest.approx(total.item())
    assert subject.sensor.trajectory()["gamma"] != [1.0]


def test_the_sensor_waits_for_the_network_if_asked() -> None:
    subject = task(Oracle(), Gamma(RAW, bits=4, lr=0.5), lr=0.01, sensor_delay=2)
    values = []
    for epochs in (2, 3):
        trainer(max_epochs=epochs).fit(subject, train_dataloaders=loader(*[batch(frame(0, [[2, 2, 10, 12]]))] * 2))
        values.append(subject.sensor.trajectory()["gamma"])
    assert values[0] == [1.0]
    assert values[1] != [1.0]


def test_milestones_and_warm_up() -> None:
    subject = task(Oracle(), milestones=[2, 3], warmup=4, warmup_start=0.5)
    shares = [subject.lr_share(step, 2, 4) for step in range(8)]
    assert shares == pytest.approx([0.5, 0.625, 0.75, 0.875, 0.1, 0.1, 0.01, 0.01])


def test_cosine() -> None:
    subject = task(Oracle(), schedule="cosine")
    shares = [subject.lr_share(step, 2, 4) for step in (0, 4, 8)]
    assert shares == pytest.approx([1, 0.5, 0])
    assert subject.lr_share(2, 2, 4) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ({"optimizer": "adam"}, ("optimizer='adam'", "sgd", "adamw")),
        ({"schedule": "step"}, ("schedule='step'", "milestones", "cosine")),
        ({"lr": 0}, ("lr=0", 0)),
        ({"momentum": 1.0}, ("momentum=1.0", "[0, 1)")),
        ({"milestones": [3, 2]}, ("milestones=[3, 2]",)),
        ({"warmup": -1}, ("warmup=-1", 0)),
        ({"warmup_start": 2}, ("warmup_start=2", "[0, 1]")),
        ({"sensor_delay": -1}, ("sensor_delay=-1", 0)),
        ({"floor_green": "codes"}, ("floor_green='codes'", "false", "true", "code")),
    ],
)
def test_a_bad_recipe_is_refused(recipe: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        task(Oracle(), **recipe)


def test_figures_by_condition_exposure_and_size() -> None:
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=12, bayer="RGGB", conditions=("day", "night"))
    box = [[2.0, 2.0, 10.0, 12.0]]
    subject = task(Oracle([[[1.0, 1.0, 5.0, 6.0]], []]), Identity(signal))  # every second frame's object is found
    frames = [frame(0, box), frame(1, box, condition=1)]
    codes = torch.full((2, 4, 8, 8), 2048, dtype=torch.int32)
    trainer().test(subject, dataloaders=loader(FrameBatch(codes, [(8, 8)] * 2, frames, [1.0, 5.0])), verbose=False)
    groups = subject.results()["groups"]
    assert groups["condition"]["map"] == pytest.approx({"day": 1.0, "night": 0.0})
    assert groups["exposure"]["ap50"] == pytest.approx({"0–2 stops": 1, "4–6 stops": 0})
    assert groups["size"]["boxes"] == {"small": 2, "medium": 0, "large": 0}
    assert flaw(whole_result(groups=groups)) == ""
