"""What a run keeps of its detector's worst frames: which, in which order, how much, and that its page reads it."""

from __future__ import annotations

import base64
import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.refusal import assert_names, refused
from torch import nn

from qsense.callbacks import worst_frames
from qsense.callbacks.worst_frames import FILE, LARGEST, MOST_BOXES, MOST_FRAMES, WorstFrames, light_of
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.synthetic_raw import SyntheticRaw
from qsense.metrics.detection_errors import BACKGROUND, CROWD, HIT, OTHER_CLASS, TWICE, WRONG_PLACE
from qsense.metrics.detection_groups import STOPS
from qsense.plots.thumbnail import LONGEST, jpeg
from qsense.quant.sensor.linear import Linear
from qsense.runs.folder import write_json
from qsense.study import worst_frames as page
from qsense.tasks.base import Task
from qsense.tasks.detection import DetectionTask


@pytest.fixture(scope="module")
def data() -> DetectionDataModule:
    module = DetectionDataModule(
        SyntheticRaw("hdr_low", 64, 96, 3, 8, most=4, smallest=9.0, largest=20.0), batch_size=2
    )
    module.setup("fit")
    return module


@pytest.fixture(scope="module")
def tested(data: DetectionDataModule) -> DetectionTask:
    """All objects of even frames are found, and none of odd ones, where there is a false alarm."""
    task = DetectionTask(nn.Linear(1, 1), Linear(data.signal, 4), data.class_names, data.mean, data.std)
    for frame in data.part("test").frames:
        good = frame.id % 2 == 0
        boxes = torch.from_numpy(frame.boxes) if good else torch.tensor([[0.0, 0.0, 4.0, 4.0]])
        labels = torch.from_numpy(frame.labels) if good else torch.tensor([1])
        found = {"boxes": boxes, "scores": torch.full((len(boxes),), 0.75), "labels": labels}
        task.test_score.update([found], [frame], [4])
    return task


def kept(folder: Path, data: DetectionDataModule, task: Task, **arguments: Any) -> dict[str, Any]:
    WorstFrames(str(folder), **arguments).on_test_end(SimpleNamespace(is_global_zero=True, datamodule=data), task)  # type: ignore[arg-type]
    content: dict[str, Any] = json.loads((folder / FILE).read_text())
    return content


def test_the_worst_come_first_with_what_is_there_and_what_was_found(
    data: DetectionDataModule, tested: DetectionTask, tmp_path: Path
) -> None:
    content = kept(tmp_path, data, tested)
    frames = data.part("test").frames
    assert (content["tested"], content["threshold"], len(content["frames"])) == (8, 0.75, 8)
    missed = [each["missed"] for each in content["frames"]]
    assert missed == sorted((len(f.labels) if f.id % 2 else 0 for f in frames), reverse=True)
    by_name = {frame.name: frame for frame in frames}
    for each in content["frames"]:
        frame = by_name[each["name"]]
        assert sorted(box[4] for box in each["objects"]) == sorted(frame.labels.tolist())
        assert {box[6] for box in each["predictions"]} <= ({BACKGROUND} if frame.id % 2 else {HIT})
        scale = [frame.width, frame.height] * 2
        sides = sorted((np.array(box[:4]) * scale).round(1).tolist() for box in each["objects"])
        np.testing.assert_allclose(sides, sorted(frame.boxes.tolist()), atol=0.06)
        assert each["exposure"] == 4


def test_the_run_page_reads_it(data: DetectionDataModule, tested: DetectionTask, tmp_path: Path) -> None:
    content = kept(tmp_path, data, tested, frames=3)
    read = page.read_worst_frames(tmp_path)
    assert read is not None
    assert [frame.name for frame in read.frames] == [each["name"] for each in content["frames"]]
    assert (page.FILE, page.MOST_BOXES, page.MOST_FRAMES) == (FILE, MOST_BOXES, MOST_FRAMES)
    assert page.STEP == STOPS
    assert [page.KINDS[kind] for kind in (HIT, CROWD, BACKGROUND, OTHER_CLASS, WRONG_PLACE, TWICE)] == [
        "hit", "within a crowd", "on the background", "on another class", "in the wrong place", "found twice",
    ]  # fmt: skip
    assert content["frames"][0]["name"] in page.worst_frames_section(read)


def test_the_page_reads_the_largest_file_that_a_run_writes(
    data: DetectionDataModule, tested: DetectionTask, tmp_path: Path
) -> None:
    content = kept(tmp_path, data, tested, frames=1)
    (frame,) = content["frames"]
    box = [0.1234] * 4
    frame["objects"] = [[*box, 0, False, False]] * MOST_BOXES
    frame["predictions"] = [[*box, 0, 0.1234, 5]] * MOST_BOXES
    start = base64.b64encode(b"\xff\xd8\xff").decode()
    frame["picture"] = start + "A" * (LARGEST // MOST_FRAMES - 4)
    write_json(tmp_path / FILE, content | {"frames": [frame] * MOST_FRAMES})
    read = page.read_worst_frames(tmp_path)
    assert read is not None
    assert len(read.frames) == MOST_FRAMES


def test_the_same_run_writes_the_same_file(data: DetectionDataModule, tested: DetectionTask, tmp_path: Path) -> None:
    first = kept(tmp_path / "a", data, tested)
    assert kept(tmp_path / "b", data, tested) == first


def test_it_stays_small(
    data: DetectionDataModule, tested: DetectionTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept(tmp_path, data, tested, frames=0)["frames"] == []
    pictures = [len(each["picture"]) for each in kept(tmp_path, data, tested)["frames"]]
    monkeypatch.setattr(worst_frames, "LARGEST", sum(pictures[:3]))
    assert len(kept(tmp_path, data, tested)["frames"]) == 3
    monkeypatch.setattr(worst_frames, "MOST_BOXES", 1)
    few = kept(tmp_path, data, tested)["frames"]
    assert max(len(each["objects"]) for each in few) == 1
    assert [each["missed"] for each in few] == sorted((each["missed"] for each in few), reverse=True)


def test_a_failure_costs_nothing_and_other_tasks_are_left_alone(
    data: DetectionDataModule, tested: DetectionTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = SimpleNamespace(is_global_zero=True, datamodule=None)
    with caplog.at_level(logging.WARNING):
        WorstFrames(str(tmp_path)).on_test_end(broken, tested)  # type: ignore[arg-type]
    assert_names(caplog.text, "WorstFrames")
    other = Task(nn.Linear(1, 1), Linear(data.signal, 4), ("only",))
    WorstFrames(str(tmp_path)).on_test_end(SimpleNamespace(is_global_zero=True, datamodule=data), other)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    with refused(ValueError, "frames=-1", 0):
        WorstFrames("", frames=-1)
    with refused(ValueError, "frames=201", 200):
        WorstFrames("", frames=201)


@pytest.mark.parametrize("shape", [(4, 40, 64), (3, 700, 1100), (1, 1203, 31), (4, 1500, 2200)])
def test_thumbnails_keep_their_shape_and_are_small(shape: tuple[int, int, int]) -> None:
    light = np.random.default_rng(0).random(shape, dtype=np.float32)
    content = jpeg(light)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= LONGEST
        assert picture.size[0] / picture.size[1] == pytest.approx(shape[2] / shape[1], rel=0.1)
    assert len(content) < 100_000
    assert base64.b64encode(content)[:3] == b"/9j"


def test_a_black_frame_is_black_and_light_is_what_the_sensor_delivers(data: DetectionDataModule) -> None:
    with Image.open(io.BytesIO(jpeg(np.zeros((4, 8, 8))))) as picture:
        assert np.asarray(picture).max() < 4
    frame = data.part("test").frames[0]
    np.testing.assert_allclose(light_of(data, frame), data.dataset.codes(frame) / 4095, atol=1e-6)
