"""A design on made-up runs: what each converter scores is known, and training it writes that down."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.study_folders import make_run

from qsense.design.plan import Candidate, Design
from qsense.design.request import Request
from qsense.experiment.command_line.overrides import Job
from qsense.signal import Signal

FOLDS = 4
UNQUANTIZED = 0.6
# Points lost behind a network that has learned with the converter.
LOSSES = {
    "1 bit linear": 30.0, "1 bit lloyd_max": 12.0, "1 bit adpcm": 2.5,
    "2 bits linear": 20.0, "2 bits lloyd_max": 3.0, "2 bits adpcm": 0.4, "2 bits mulaw": 0.7,
    "3 bits linear": 8.0, "3 bits lloyd_max": 0.2,
}  # fmt: skip


def design(root: Path, seeds: tuple[int, ...] = (0, 1), losses: Mapping[str, float] = LOSSES, **asked: Any) -> Design:
    """A design of these candidates, cheaper ones first."""
    candidates: list[Candidate] = []
    runs: dict[str, Mapping[tuple[int, int], tuple[Job, Path]]] = {}
    for name in losses:
        bits, _, option = name.split(" ")
        candidates.append(
            Candidate(
                option, (f"quant={option}", f"bits={bits}"), {}, int(bits), False, 2.7 * int(bits), 2.7 * int(bits)
            )
        )
        runs[name] = repeats(root, f"{option}-{bits}bit", seeds, (f"quant={option}", f"bits={bits}"))
    request = Request(**{"max_loss": 1.0, "keep": 3, "out": root / "design", **asked})
    reference = repeats(root, "none", seeds, ("quant=none",))
    signal = Signal(3, -1.0, 1.0, "g", rate_hz=50.0)
    return Design(request, reference, candidates, {}, "SBHAR", "f1_sample", signal, 12, 32.6, 32.7, 1, (), runs)


def repeats(root: Path, name: str, seeds: tuple[int, ...], overrides: Job) -> dict[tuple[int, int], tuple[Job, Path]]:
    return {
        (seed, fold): ((*overrides, f"seed={seed}", f"fold={fold}"), root / "runs" / f"{name}-fold{fold}-seed{seed}")
        for seed in seeds
        for fold in range(FOLDS)
    }


def trainer(root: Path, losses: Mapping[str, float] = LOSSES, noise: float = 0.1) -> Callable[[Job], None]:
    """What stands for a training: writes the run's result, and its folder's name into `trained.txt`."""

    def train(job: Job) -> None:
        said = dict(entry.split("=") for entry in job)
        option, seed, fold = said["quant"], int(said["seed"]), int(said["fold"])
        bits = int(said.get("bits", 0))
        candidate = f"{bits} bit{'s' * (bits > 1)} {option}"
        lost = 0.0 if option == "none" else losses[candidate] + noise * (-1) ** (fold + seed)
        name = f"{option}-{bits}bit-fold{fold}-seed{seed}" if bits else f"none-fold{fold}-seed{seed}"
        score = UNQUANTIZED + fold / 50 - lost / 100
        made = make_run(root / f"made-{os.getpid()}", score, option, bits or None, seed=seed, fold=fold, name=name)
        folder = root / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in (made / "config.yaml", made / "run.json", made / "metrics.json"):
            file.rename(folder / file.name)
        with (root / "trained.txt").open("a") as log:
            log.write(f"{name}\n")

    return train


def trained(root: Path) -> list[str]:
    """Runs that were trained, in their order."""
    file = root / "trained.txt"
    return file.read_text().splitlines() if file.is_file() else []


def screened(design: Design, fold: int, losses: Mapping[str, float] = LOSSES) -> dict[str, float | None]:
    """What a network that has not learned with the converters scores behind them."""
    return {one.key: UNQUANTIZED + fold / 50 - 1.5 * losses[one.name] / 100 for one in design.candidates}
