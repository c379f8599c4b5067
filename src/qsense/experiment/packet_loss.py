"""A finished run tested again while packets get lost between its sensor and its receiver.

Open it to change what is drawn and measured; how packets get lost is in `data/series/loss.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from qsense.experiment.load import TrainedRun


@dataclass(frozen=True)
class Tested:
    """The headline score at one loss.

    Args:
        percent: of the packets that were to be lost.
        scores: of each repeat.
        lost: samples that were lost, of each repeat.
        samples: that there are.
    """

    percent: float
    scores: tuple[float, ...]
    lost: tuple[int, ...]
    samples: int

    @property
    def mean(self) -> float:
        """Over the repeats."""
        return fmean(self.scores)

    @property
    def std(self) -> float | None:
        """Over the repeats; None of a single one."""
        return stdev(self.scores) if len(self.scores) > 1 else None

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "percent": self.percent,
            "mean": self.mean,
            "std": self.std,
            "scores": list(self.scores),
            "samples_lost": list(self.lost),
            "samples": self.samples,
        }


def packet_of(run: TrainedRun, samples: int | None) -> int:
    """How many samples a packet holds: as many as are given, else those of a second.

    Raises:
        ValueError: the run's data are no series.
    """
    rate = run.data.signal.rate_hz
    if rate is None:
        raise ValueError(
            f"--lose: {run.folder} works on {run.data.gives}, and what a receiver makes of a lost packet is known of "
            "series alone, whose last sample it holds: leave --lose out"
        )
    return samples or max(1, round(rate))


def with_loss(
    run: TrainedRun, percents: Sequence[float], packet: int, repeats: int, after_each: Callable[[], object] = int
) -> Iterator[Tested]:
    """Test a run at each loss, one after the other; afterwards its data lose nothing.

    Args:
        run: on series.
        percents: of the packets, above 0 to 100.
        packet: samples in each.
        repeats: tests at each loss, with other packets lost.
        after_each: is called after each test.
    """
    data: Any = run.data
    data.prepare_data()
    data.setup("test")
    bar = run.trainer.progress_bar_callback
    if bar is not None:  # there would be one for each of many tests
        bar.disable()
    try:
        for percent in percents:
            scores, lost, samples = [], [], 0
            for repeat in range(repeats):
                count, samples = data.lose(percent / 100, packet, repeat)
                lost.append(count)
                scores.append(run.evaluate()["metrics"][run.task.monitor])
                after_each()
            yield Tested(percent, tuple(scores), tuple(lost), samples)
    finally:
        data.lose(0)
        if bar is not None:
            bar.enable()
