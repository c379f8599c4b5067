"""A clock that nobody waits for, and a pipeline that needs no run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qsense.stream.events import Sample
from qsense.stream.layout import Known
from qsense.stream.pace import Clock
from qsense.stream.pipeline import Ints, Prediction
from qsense.stream.session import Facts, Session

CLASSES = ("NULL", "walk", "run")


class FakeClock(Clock):
    """Time goes on while somebody sleeps, and by `work` at each look."""

    def __init__(self, work: float = 0.0) -> None:
        self.time, self.work, self.slept = 100.0, work, 0.0

    def now(self) -> float:
        self.time += self.work
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds
        self.slept += seconds


class FakePipeline:
    """Windows of 4 samples, one every 2; the class is the last sample's first value, rounded."""

    name, bits = "fake", 2

    def __init__(self) -> None:
        self.resets, self.seen = 0, np.zeros((0, 2))
        self.all: list[list[float]] = []
        self.time = 0

    def reset(self) -> None:
        self.resets += 1
        self.time = 0

    def push(self, sample: npt.NDArray[np.float32]) -> tuple[Ints | None, Prediction | None]:
        self.time += 1
        self.all.append(sample.tolist())
        codes = np.clip(sample, 0, 3).astype(np.int64)
        if self.time < 4 or self.time % 2:
            return codes, None
        return codes, Prediction(int(np.clip(round(float(sample[0])), 0, 2)), 0.75, 0.5)


def facts(**changed: object) -> Facts:
    told: dict[str, object] = {
        "run": "a-run", "source": "a source", "names": ("x", "y"), "unit": "g", "rate_hz": 10.0, "classes": CLASSES,
        "native_bits": 12, "bits": 2.0,
    }  # fmt: skip
    return Facts(**(told | changed))  # type: ignore[arg-type]


def session(clock: Clock | None = None, votes: int = 1, **changed: object) -> Session:
    return Session(FakePipeline(), facts(**changed), votes, now=(clock or FakeClock()).now)


def sample(
    value: float, seconds: float | None = None, truth: int | None = None, due: float | None = None, channels: int = 2
) -> Sample:
    return Sample(np.array([value] + [0.0] * (channels - 1)), seconds, truth, due)


def known(**changed: object) -> Known:
    told: dict[str, object] = {"names": ("x", "y", "z"), "rate_hz": 50.0, "classes": CLASSES}
    return Known(**(told | changed))  # type: ignore[arg-type]
