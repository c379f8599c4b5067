"""What a sweep costs beside training: overhead per run, planning and scanning many runs, and workers side by side.

    python benchmarks/sweep.py [--runs 1000 10000] [--repeats 3]

Overhead per run: in one process from the end of one run to the first step of the next; cold from the start of the
command to the first step. Scan: to plan so many runs, and to see that all are finished. Workers: the
same runs by two one-thread processes and by one, alternating; the ratio is of the clock's seconds, without start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.experiment.grids.grid import plan
from qsense.runs.status import seconds_left, status_of

TOP = Path(__file__).parents[1]
SMALL = ["data.dataset.subjects=4", "data.dataset.minutes=4", "model.filters=8", "model.hidden=16", "fold=0"]
SMALL += ["trainer=smoke", "logger=none", "callback.progress=null", "threads=1"]
LONGER = ["data.dataset.subjects=6", "trainer.max_epochs=4", "logger=none", "callback.progress=null", "threads=1"]


class Stopwatch(Callback):
    """Append the time of a run's first step to a file.

    Args:
        file: the file.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        if trainer.global_step == 0:
            with self.file.open("a") as file:
                file.write(f"{time.time()}\n")


def train(folder: Path, *arguments: str) -> float:
    """Run `qsense.train` in a process of its own; the clock's seconds that it took."""
    command = [sys.executable, "-m", "qsense.train", f"runs={folder}/runs", *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{TOP}/src:{TOP}", "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def overhead(folder: Path, repeats: int) -> tuple[float, float]:
    """Median seconds from the start of a command, and from the end of the run before, to a run's first step."""
    watch = ["+callback.stopwatch._target_=benchmarks.sweep.Stopwatch", f"+callback.stopwatch.file={folder}/steps"]
    cold = []
    for number in range(repeats):
        began = time.time()
        train(folder / f"cold{number}", *SMALL, *watch, "seed=0")
        cold.append(float((folder / "steps").read_text().splitlines()[-1]) - began)
    (folder / "steps").unlink()
    train(folder / "warm", *SMALL, *watch, f"seed=range({repeats + 2})", "-m")
    steps = [float(line) for line in (folder / "steps").read_text().splitlines()]
    ends = sorted(json.loads(file.read_text())["ended"] for file in (folder / "warm" / "runs").glob("*/run.json"))
    warm = [step - end for step, end in zip(steps[1:], ends, strict=False)]
    return statistics.median(cold), statistics.median(warm)


def scan(folder: Path, count: int) -> tuple[float, float]:
    """Seconds to plan so many runs (check and name each), and to see that they are finished."""
    subjects = 10
    arguments = [f"runs={folder}", f"data.dataset.subjects={subjects}", f"seed=range({count // subjects})"]
    began = time.perf_counter()
    folders, _ = plan([*arguments, f"fold=range({subjects})"])
    planned = time.perf_counter() - began
    GlobalHydra.instance().clear()
    for run in folders.values():
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"status": "finished", "started": [0.0], "ended": 60.0}))
        (run / "metrics.json").write_text("{}")
    began = time.perf_counter()
    assert all(status_of(run).state == "finished" for run in folders.values())
    seconds_left(dict.fromkeys(folders.values(), 0))
    return planned, time.perf_counter() - began


def workers(folder: Path, repeats: int) -> tuple[float, float]:
    """Seconds for four runs by one worker, and by two; medians of alternating turns, less a start of each."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for number in range(repeats):
        for n_jobs in (1, 2):
            options = [*LONGER, "hydra/launcher=workers", f"hydra.launcher.n_jobs={n_jobs}", "fold=0", "seed=0,1,2,3"]
            target = folder / f"{number}-{n_jobs}"
            train(target, *options, "-m")
            records = [json.loads(file.read_text()) for file in (target / "runs").glob("*/run.json")]
            first, last = min(r["started"][0] for r in records), max(r["ended"] for r in records)
            taken[n_jobs].append(last - first)
    return statistics.median(taken[1]), statistics.median(taken[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["QSENSE_CACHE"] = f"{name}/cache"
        cold, warm = overhead(folder, options.repeats)
        print(f"to the first step of a run: cold {cold:.1f} s, in one process {warm:.2f} s ({warm / cold:.2f}×)")
        for count in options.runs:
            planned, seen = scan(folder / f"scan{count}", count)
            print(f"{count:6d} runs: planned in {planned:.2f} s, seen to be finished in {seen:.2f} s")
        one, two = workers(folder / "workers", options.repeats)
        print(f"four runs: one worker {one:.1f} s, two {two:.1f} s, throughput {one / two:.2f}×")


if __name__ == "__main__":
    main()
