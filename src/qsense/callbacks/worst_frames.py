"""Keep a detector's worst test frames, small, with what is in them and what was found: `worst_frames.json`.

Open it to change what a run's page knows of single frames (`study/worst_frames.py` reads it).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer

from qsense.callbacks.base import AfterTest
from qsense.data.frames.dataset import Frame
from qsense.data.frames.module import DetectionDataModule
from qsense.metrics.detection import Epoch
from qsense.metrics.detection_errors import OVERLAP, Errors, errors_of, worst_first
from qsense.plots.thumbnail import jpeg
from qsense.runs.folder import write_json
from qsense.tasks.detection import DetectionTask

FILE = "worst_frames.json"
LARGEST = 3_000_000  # characters of all pictures together; frames that find no room are left out
MOST_FRAMES = 200  # that a page shows
MOST_BOXES = 100  # of each kind in a frame: all objects missed, or the best predictions, come first


class WorstFrames(AfterTest):
    """Write `<folder>/worst_frames.json` after a detector's test: its worst frames as `worst_first` orders them, each a
    JPEG of at most 480 pixels with the objects and the predictions that count. Other tasks are left alone.

    Args:
        folder: the run's.
        frames: how many to keep at most, 0 … 200; 3 MB of pictures are the other limit.

    Raises:
        ValueError: another number.
    """

    works_on = DetectionTask

    def __init__(self, folder: str, frames: int = 60) -> None:
        if not 0 <= frames <= MOST_FRAMES:
            raise ValueError(f"frames={frames} must be 0 (none) to {MOST_FRAMES}")
        self.folder = Path(folder)
        self.frames = frames

    def finish(self, trainer: Trainer, task: DetectionTask, data: DetectionDataModule) -> None:
        epoch, _ = task.test_score.evaluated()
        errors = errors_of(epoch)
        frames = {frame.id: frame for frame in data.part("test").frames}
        shown: list[dict[str, Any]] = []
        room = LARGEST
        for place in worst_first(epoch, errors)[: self.frames]:
            frame = frames[int(epoch.ids[place])]
            picture = base64.b64encode(jpeg(light_of(data, frame), frame.gains)).decode()
            room -= len(picture)
            if room < 0:
                break
            shown.append(sight_of(epoch, errors, int(place), frame) | {"picture": picture})
        content = {
            "overlap": OVERLAP,
            "threshold": errors.threshold,
            "tested": len(epoch.ids),
            "classes": list(data.class_names),
            "conditions": list(data.signal.conditions),
            "frames": shown,
        }
        write_json(self.folder / FILE, content)


def light_of(data: DetectionDataModule, frame: Frame) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A frame's samples in [0, 1] as its sensor delivers them, [planes, h, w]."""
    black, white = data.signal.black, data.signal.top
    codes = data.codes(frame).astype(np.float32)
    return np.clip((codes - black) / (white - black), 0, 1)


def sight_of(epoch: Epoch, errors: Errors, place: int, frame: Frame) -> dict[str, Any]:
    """A frame's objects and the predictions that count, boxes as shares of its width and height.

    Objects are [left, top, right, bottom, label, found, crowd], predictions [left, top, right, bottom, label, score,
    kind], missed ones and those of high score first.
    """
    scale = np.array([frame.width, frame.height, frame.width, frame.height])
    here = np.flatnonzero(epoch.objects.frame == place)
    here = here[np.argsort(errors.found[here], kind="stable")][:MOST_BOXES]
    scores = epoch.predictions.scores
    assert scores is not None
    found = np.flatnonzero((epoch.predictions.frame == place) & errors.counts)
    found = found[np.argsort(-scores[found], kind="stable")][:MOST_BOXES]

    def box(corners: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
        return [round(float(side), 4) for side in np.clip(corners / scale, 0, 1)]

    objects, predictions = epoch.objects, epoch.predictions
    return {
        "name": frame.name,
        "size": [frame.width, frame.height],
        "condition": int(epoch.condition[place]),
        "exposure": int(epoch.exposure[place]),
        "missed": int((~errors.found[epoch.objects.frame == place]).sum()),
        "objects": [
            [*box(objects.corners[i]), int(objects.labels[i]), bool(errors.found[i]), bool(objects.counted_out[i])]
            for i in here
        ],
        "predictions": [
            [*box(predictions.corners[i]), int(predictions.labels[i]), round(float(scores[i]), 4), int(errors.kind[i])]
            for i in found
        ],
    }
