"""Does `qsense design` choose as a full grid would, and at what share of its time?

    python benchmarks/design.py [trainer.max_epochs=4 …] --out FOLDER --problems 0 1 2 --bits 1 2 3 --max-loss 1 3

A problem is the built-in data, simulated anew (data.dataset.seed). Its grid is every converter that learns nothing ×
bits × folds × seeds. Then the search is repeated for each pair of seeds (one searches, one confirms) and each limit,
by taking the grid's runs instead of training: what it would have trained is counted, in runs and in processor seconds.
The grid's best is, over all seeds, the converter of the fewest bits that holds the limit, of these the one that loses
least. The choice agrees with it if it is that of the grid, or if the grid cannot tell the two apart: they have the same
bits, and the 95 % interval of their difference over folds holds 0. Where bits differ, the line says whether the limit
lies within the interval of what the grid's best, or the choice, loses: then noise decides.

Everything is kept in the folder; the same command goes on after a stop, and several share the work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from qsense.design import work
from qsense.design.judging import score_of
from qsense.design.plan import Candidate, Design, Repeat, plan_design
from qsense.design.recommendation import recommend
from qsense.design.request import read
from qsense.experiment.command_line.overrides import Job
from qsense.runs import folder as run_folder
from qsense.runs.lock import alive
from qsense.study.budget import interval

CPU = "processor_seconds.json"  # in a run's folder
FEW = ["callback.figures=null", "callback.progress=null", "callback.cost=null", "logger=none"]


def asked(
    out: Path, problem: int, seeds: Sequence[int], bits: Sequence[int], limit: float, more: Sequence[str]
) -> Design:
    """A design on one problem, with the converters that learn nothing."""
    words = [f"data.dataset.seed={problem}", f"seed={','.join(map(str, seeds))}", f"max_loss={limit:g}"]
    request = read([*words, f"bits={','.join(map(str, bits))}", f"out={out}", f"runs={out / 'runs'}", *FEW, *more])
    design = plan_design(replace(request, workers=1))
    return replace(design, candidates=[one for one in design.candidates if not one.learns])


def train_grid(design: Design) -> None:
    """Train all that is not finished, and note each run's processor seconds."""
    every = [(work.UNQUANTIZED, *run) for run in design.reference.values()]
    every += [(one.name, *run) for one in design.candidates for run in design.runs_of(one).values()]
    for number, (name, job, folder) in enumerate(every):
        if not run_folder.finished(folder) and not alive(folder):
            began = time.process_time()
            work.train_run(job)
            if run_folder.finished(folder):
                run_folder.write_json(folder / CPU, time.process_time() - began)
                shutil.rmtree(folder / "checkpoints") if "quant=none" not in job else None
                print(f"{number + 1} of {len(every)}: {name}, {folder.name}, {score_of(folder)}", flush=True)


def seconds(folders: Iterator[Path]) -> float:
    """Processor seconds of runs."""
    return sum(float(json.loads((folder / CPU).read_text())) for folder in folders if (folder / CPU).is_file())


def choose(design: Design, grid: Path) -> tuple[Candidate | None, list[Path], float]:
    """What a search chooses, the runs that it took, and the processor seconds of its own work (the screening)."""

    def take(what: str, job: Job, folder: Path) -> bool:
        shutil.copytree(grid / folder.name, folder)
        return True

    original, work.trained = work.trained, take
    began = time.process_time()
    try:
        work.work(design)
    finally:
        work.trained = original
    found = recommend(design)
    own = time.process_time() - began
    taken = [file.parent for file in design_runs(design).glob("*/metrics.json")]
    return found.winner.candidate if found.winner else None, taken, own


def design_runs(design: Design) -> Path:
    """The folder of its runs."""
    return next(iter(design.reference.values()))[1].parent


def losses(design: Design, candidate: Candidate) -> list[float]:
    """The grid's loss of a converter on each fold, in points, over all seeds."""
    by_fold: dict[int, list[float]] = {}
    own: Mapping[Repeat, tuple[Job, Path]] = design.runs_of(candidate)
    for (seed, fold), (_, folder) in own.items():
        one, other = score_of(design.reference[seed, fold][1]), score_of(folder)
        if one is not None and other is not None:
            by_fold.setdefault(fold, []).append(design.points(one - other))
    return [fmean(values) for _, values in sorted(by_fold.items())]


def best_of(grid: Design, limit: float) -> Candidate | None:
    """The converter of the fewest bits that holds, and of these the one that loses least."""
    holding = [one for one in grid.candidates if fmean(losses(grid, one)) <= limit]
    return min(holding, key=lambda one: (one.bits, fmean(losses(grid, one))), default=None)


def verdict(grid: Design, chosen: Candidate | None, best: Candidate | None, limit: float) -> str:
    """Whether a choice agrees with the grid's best."""
    if chosen == best:
        return "the same"
    if chosen is None or best is None or chosen.bits != best.bits:
        unsure = [one for one in (chosen, best) if one is not None]
        near = any(low <= limit <= high for low, high in (interval(losses(grid, one)) for one in unsure))
        return "other bits, limit within noise" if near else "other bits"
    low, high = interval([a - b for a, b in zip(losses(grid, chosen), losses(grid, best), strict=True)])
    return "within noise" if low <= 0 <= high else "worse"


def named(design: Design, one: Candidate | None) -> str:
    return "none" if one is None else f"{one.name} {fmean(losses(design, one)):.1f}"


def main() -> None:
    """Train grids, search in them, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("overrides", nargs="*", help="of the experiment, such as trainer.max_epochs=4")
    parser.add_argument("--out", type=Path, default=Path("design-benchmark"))
    parser.add_argument("--problems", type=int, nargs="+", default=[0, 1, 2], help="seeds of the simulation")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each point of the grid")
    parser.add_argument("--bits", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--max-loss", type=float, nargs="+", default=[1.0, 3.0, 6.0])
    options = parser.parse_args()
    table = Table(title="search beside grid")
    for heading in ("data", "seeds", "limit", "grid's best", "chosen", "agrees", "runs", "of", "processor time"):
        table.add_column(heading)
    agreed, shares = [], []
    for problem in options.problems:
        top = options.out.absolute() / f"data{problem}"
        grid = asked(top, problem, range(options.seeds), options.bits, options.max_loss[0], options.overrides)
        train_grid(grid)
        for pair in combinations(range(options.seeds), 2):
            for limit in options.max_loss:
                own = top / f"seeds{pair[0]}{pair[1]}-limit{limit:g}"
                design = asked(own, problem, pair, options.bits, limit, options.overrides)
                chosen, taken, screening = choose(design, top / "runs")
                best, whole = best_of(grid, limit), 2 * len(grid.folds) * (1 + len(grid.candidates))
                full = seconds(file.parent for file in (top / "runs").glob(f"*/{CPU}")) * 2 / options.seeds
                share = (seconds(iter(taken)) + screening) / full
                agreed.append(verdict(grid, chosen, best, limit))
                shares.append(share)
                names = named(grid, best), named(grid, chosen), agreed[-1]
                counts = str(len(taken)), str(whole), f"{share:.0%}"
                table.add_row(str(problem), "{}, {}".format(*pair), f"{limit:g}", *names, *counts)
    Console(width=140).print(table)
    verdicts = {each: agreed.count(each) for each in sorted(set(agreed))}
    print(f"{len(agreed)} searches: {verdicts}; share of the grid's processor time: {fmean(shares):.0%}")


if __name__ == "__main__":
    main()
