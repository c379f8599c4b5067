"""What a firmware's classes are worth, and where they differ from the trained task's: on the run's test windows.

Open it to see what is compared. Three ways lead from the test recordings to classes: the task's own, as in its test;
the integer network behind the same converter; and the firmware, which is given native counts of n bits where the task
saw the data set's own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qsense.chip.converter import Native
from qsense.chip.firmware import reference
from qsense.chip.firmware.build import Built
from qsense.chip.firmware.inputs import counted
from qsense.chip.firmware.reference import Classes
from qsense.data.series.batch import Windows
from qsense.data.series.module import HARDataModule
from qsense.experiment.load import TrainedRun
from qsense.metrics.f1 import HARScore
from qsense.quant.network.integer import extract as integers
from qsense.quant.network.integer.forward import accumulate
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter

AT_ONCE = 256  # windows
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tested:
    """A firmware on its run's test recordings.

    Args:
        counts: native counts of the test recordings, one after the other, [time, channels].
        bounds: where each starts, and the last one ends.
        classes: what the firmware makes of each.
        windows: how many there are in all.
        recorded: the score that the run has recorded, by name.
        scores: by name, of "task", "integers" and "firmware"; of "majority", too, if there is one.
        differing: windows whose class differs from the task's, of "integers" and "firmware".
        logits_differing: test windows whose logits differ between the integer network in torch and in NumPy.
        codes_differing: input codes that differ between the task and the plan's tables, of the converter's numbers in
            the test recordings; None without a converter.
    """

    counts: Ints
    bounds: Ints
    classes: list[Classes]
    windows: int
    recorded: dict[str, float]
    scores: dict[str, dict[str, float]]
    differing: dict[str, int]
    logits_differing: int
    codes_differing: int | None

    def record(self, monitor: str) -> dict[str, Any]:
        """Scores and differences, ready for JSON."""
        return {
            "windows": self.windows,
            "monitor": monitor,
            "recorded": self.recorded[monitor],
            "scores": self.scores,
            "windows_of_another_class": self.differing,
        }


@torch.no_grad()
def on_test_windows(run: TrainedRun, built: Built, majority: int = 1) -> Tested:
    """Let the task, its network in integers, and the firmware classify the run's test windows.

    Args:
        run: its data set up, and converted by a sensor with memory.
        built: its firmware.
        majority: as in `reference.classify`.
    """
    data, plan, task = run.data, built.plan, run.task
    assert isinstance(data, HARDataModule)
    part = data.part("test")
    every: Windows = part.__getitems__(range(len(part)))
    of_task, of_integers = by_torch(run, built, every)
    x, bounds = data.test_recordings()
    spans = [slice(start, end) for start, end in pairwise(bounds)]
    counts = native_counts(run, plan.native, x)
    numbers, codes = as_the_task_has_them(run, built, part.normalised(x), counts, spans)
    logits = np.concatenate([reference.windows(plan, codes[span]) for span in spans])
    classes = [reference.classify(plan, counts[span], majority) for span in spans]
    winners = {
        "task": of_task,
        "integers": logits.argmax(axis=1),
        "firmware": np.concatenate([each.winner for each in classes]),
    }
    if majority > 1:
        winners["majority"] = np.concatenate([each.majority for each in classes])
    return Tested(
        counts=counts,
        bounds=bounds,
        classes=classes,
        windows=len(logits),
        recorded=run.metrics,
        scores={name: score(task.class_names, each, every) for name, each in winners.items()},
        differing={name: int((winners[name] != winners["task"]).sum()) for name in ("integers", "firmware")},
        logits_differing=int((logits != of_integers).any(axis=1).sum()),
        codes_differing=None if numbers is None else int((reference.input_codes(plan, numbers) != codes).sum()),
    )


def by_torch(run: TrainedRun, built: Built, windows: Windows) -> tuple[Ints, Ints]:
    """Of test windows, the task's classes [W], and the logits of its network in integers [W, K]."""
    classes, logits = [], []
    for batch in torch.split(windows.x, AT_ONCE):
        seen = run.task.input_of(batch)
        classes.append(run.task.network(seen).argmax(dim=1))
        logits.append(accumulate(built.network, seen)[0].long())
    return torch.cat(classes).numpy(), torch.cat(logits).numpy()


def as_the_task_has_them(
    run: TrainedRun, built: Built, x: npt.NDArray[np.float32], counts: Ints, spans: Sequence[slice]
) -> tuple[Ints | None, Ints]:
    """The converter's numbers of recordings (None without one), and the network's input codes by the task's own way.

    Args:
        run: the run.
        built: its firmware.
        x: samples of all recordings as the task's sensor gets them [time, channels].
        counts: the same in native counts.
        spans: where each recording lies.
    """
    sensor, numbers = run.task.sensor, None
    samples = torch.from_numpy(x)
    if isinstance(sensor, SensorQuantizer):
        numbers = sensor.encode(samples).numpy().astype(np.int64)
    elif isinstance(sensor, MemoryConverter):
        assert isinstance(run.data, HARDataModule)
        numbers = np.concatenate([reference.converted(built.plan, counts[span]) for span in spans])
        samples = torch.from_numpy(run.data.test_stream()[1].values)
    codes = integers.input_codes(built.network, run.task.input_of(samples[None]))[0]
    return numbers, codes.numpy().astype(np.int64)


def score(class_names: tuple[str, ...], winners: Ints, windows: Windows) -> dict[str, float]:
    """The test's scores of other classes."""
    all_windows = HARScore(class_names)
    all_windows.update(torch.from_numpy(winners), windows.y, windows.covered)
    return all_windows.compute()


def native_counts(run: TrainedRun, native: Native, x: npt.NDArray[np.float32]) -> Ints:
    """What the sensor's own ADC delivers of recordings [time, channels] in the sensor's unit."""
    sensor = run.task.sensor
    if isinstance(sensor, MemoryConverter):  # training has counted them
        return sensor.counts(run.data.part("test").normalised(x.copy())).astype(np.int64)
    return counted(x, native)
