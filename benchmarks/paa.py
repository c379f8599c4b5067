"""What PAA's assignment costs: all objects of a batch at once, against scikit-learn's mixture object by object.

    python benchmarks/paa.py [--quick] [--threads 1] [--device cuda]

Both get the same losses, in rising order, of 2 to 45 candidates per object, as a network's first epochs give them: two
heaps, one skewed heap, or one round heap. They take turns, so that a change in the machine's mood hits both alike;
medians are shown, and the median and quartiles of each turn's ratio. "same" counts objects for which both choose the
same candidates. Goal: at least 15 times as fast from 100 objects on (16 frames of PASCAL RAW have about 25, of COCO
about 115).
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from sklearn.mixture import GaussianMixture
from torch import Tensor

from qsense.models.paa_assignment import choose_positives

CANDIDATES = 45  # 9 per level, 5 levels


def make_losses(objects: int) -> list[npt.NDArray[np.float64]]:
    """Losses of each object's candidates in rising order."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(objects):
        size = int(rng.integers(2, CANDIDATES + 1))
        low = int(rng.integers(1, size))
        heaps = np.concatenate([rng.gamma(2, 0.3, low), rng.random() + rng.gamma(4, 0.6, size - low)])
        rows.append(np.sort([heaps, rng.lognormal(0, 0.7, size), rng.normal(2.3, 0.5, size)][rng.integers(3)]))
    return rows


def padded(rows: list[npt.NDArray[np.float64]], device: torch.device) -> tuple[Tensor, Tensor]:
    """The same as one table and its mask."""
    losses = torch.zeros(len(rows), CANDIDATES, dtype=torch.float64)
    mask = torch.zeros(len(rows), CANDIDATES, dtype=torch.bool)
    for row, values in enumerate(rows):
        losses[row, : len(values)] = torch.from_numpy(values)
        mask[row, : len(values)] = True
    return losses.to(device), mask.to(device)


def one_by_one(rows: list[npt.NDArray[np.float64]]) -> list[npt.NDArray[np.bool_]]:
    """The positives of each object by scikit-learn."""
    found = []
    for row in rows:
        values = row[:, None]
        mixture = GaussianMixture(
            2, weights_init=[0.5, 0.5], means_init=[[row[0]], [row[-1]]], precisions_init=[[[1.0]], [[1.0]]]
        ).fit(values)
        first = mixture.predict(values) == 0
        peak = np.where(first, mixture.score_samples(values), -np.inf).argmax()
        found.append(first & (np.arange(len(row)) <= peak) if first.any() else np.ones(len(row), dtype=bool))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")  # scikit-learn's, of mixtures that did not converge
    device = torch.device(arguments.device)
    turns = 3 if arguments.quick else 9
    table = Table("objects", "scikit-learn ms", "batched ms", "times as fast", "quartiles", "same", title=str(device))
    for objects in (25, 115, 1280):
        rows = make_losses(objects)
        losses, mask = padded(rows, device)
        times: list[tuple[float, float]] = []
        for turn in range(turns + 1):
            start = time.perf_counter()
            theirs = one_by_one(rows)
            between = time.perf_counter()
            ours = choose_positives(losses, mask).cpu()
            end = time.perf_counter()
            if turn:  # the first turn warms up
                times.append((between - start, end - between))
        same = sum(np.array_equal(ours[i, : len(row)].numpy(), row) for i, row in enumerate(theirs))
        low, middle, high = statistics.quantiles([slow / fast for slow, fast in times], n=4)
        slow, fast = (statistics.median(taken) * 1e3 for taken in zip(*times, strict=True))
        table.add_row(
            str(objects),
            f"{slow:.1f}",
            f"{fast:.2f}",
            f"{middle:.1f}",
            f"{low:.1f} … {high:.1f}",
            f"{same} of {objects}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
