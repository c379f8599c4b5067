"""How many runs a design still has to train, and how long that takes.

Open it to change what `dry_run=true` and the log say about time.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from qsense.design.judging import CONFIRMED, judge
from qsense.design.plan import Design
from qsense.design.search import complete, over
from qsense.design.work import bracket_name, chosen_of, screened
from qsense.experiment.command_line.overrides import Job
from qsense.experiment.errors import RAISE
from qsense.runs import folder as run_folder
from qsense.runs.next_steps import PART
from qsense.runs.words import duration, many, rounded

TESTING = 0.02  # of a training's time takes a test of the screening
FEWEST_FOLDS = 2  # that an answer takes
FORWARD = 1 / 3  # of a training step takes the same batch in a test
STEPS = 40  # of the longer trial
TRIAL = ("logger=none", "callback=none", "++trainer.max_epochs=1", "++trainer.limit_val_batches=0")


def runs_left(design: Design) -> tuple[int, int]:
    """How many runs are to be trained: if the next bracket has the answer, and if the last one has it.

    A bracket usually takes all folds for its winner, and two for each of the others.
    """
    unquantized = sum(not run_folder.finished(folder) for _, folder in design.reference.values())
    fresh = len(design.folds) * len(design.fresh_seeds)
    known, searching = bool(screened(design)), []
    for number, bracket in enumerate(design.brackets):
        usual, done = len(design.folds) + 2 * (min(design.request.keep, len(bracket)) - 1), 0
        if known:
            runs = [run for one in chosen_of(design, number) for run in design.runs_of(one).items()]
            finished = [seed for (seed, _), (_, folder) in runs if run_folder.finished(folder)]
            done = finished.count(design.search_seed)
            fresh = max(fresh - (len(finished) - done), 0)
        if not over(design, bracket_name(number)):
            searching.append(max(usual - done, 1))
        elif may_hold(design, number):
            searching.append(0)  # all that is left of it is to confirm
    rest = unquantized + fresh
    return rest + (searching or [0])[0], rest + sum(searching)


def may_hold(design: Design, number: int) -> bool:
    """Whether a bracket that has been searched has a converter within the limit, whose fresh seeds do not deny it."""
    losses, limit = complete(design, bracket_name(number)), design.request.max_loss
    holding = [one for one in chosen_of(design, number) if limit is None or losses.get(one.name, limit + 1) <= limit]
    judged = [judge(design, one) for one in holding]
    return any(one is not None and (one.stage != CONFIRMED or one.within(limit)) for one in judged)


def describe(design: Design, measure: bool) -> Iterator[str]:
    """What a design does, step by step, and how long it takes; lines come as soon as they are known.

    Args:
        design: checked.
        measure: time two trials of a run, where none is finished yet.
    """
    request, folds, fresh = design.request, len(design.folds), many("seed", design.fresh_seeds or [0])
    options = list(dict.fromkeys(one.option for one in design.candidates))
    price = {one.bits: one.power for one in design.candidates}
    goal = "the least loss" if request.max_loss is None else "the fewest bits"
    power = " · ".join(f"{bits} bit {rounded(microwatts)}" for bits, microwatts in price.items())
    count = min(request.keep, max(map(len, design.brackets)))
    yield from [
        f"{design.dataset}: {goal} {request.budget.within(design.unit)}; {folds} folds",
        f"radio + converter in µW: {power} · unquantized ({design.native_bits} bit) {rounded(design.power)}",
        f"1. unquantized: {folds} runs",
        f"2. screening: each behind {len(design.candidates)} converters, untrained: {', '.join(options)}",
        f"3. the best {count} of the same bits, by successive halving over folds, until one holds",
        f"4. winner and unquantized again with {fresh}: {2 * folds * len(design.fresh_seeds)} runs"
        if design.fresh_seeds
        else "4. no fresh seeds to confirm the winner: give several, seed=0,1,2",
    ]
    yield from (f"not tried: {name}: {reason}" for name, reason in design.excluded.items())
    seconds = known_seconds(design)
    if seconds is None and measure:
        yield "how long a run takes: timing two short trials of it"
        seconds = measured_seconds(design)
    yield in_words(design, seconds)
    yield from too_short(design, seconds)


def too_short(design: Design, seconds: float | None) -> list[str]:
    """Which folds would fit into the hours that were given, where not all do.

    A design of F folds takes F runs unquantized, F and two for each other candidate behind converters, and 2 F for each
    fresh seed.
    """
    if seconds is None or design.request.hours is None or screened(design):
        return []
    runs = 3600 * design.request.hours * design.workers / seconds
    folds = int((runs - 2 * (design.request.keep - 1)) / (2 + 2 * len(design.fresh_seeds)))
    if folds >= len(design.folds):
        return []
    less = "fewer fresh seeds (seed=0,1) or a shorter training (trainer.max_epochs=…)"
    hours = f"hours={design.request.hours:g} is"
    if folds < FEWEST_FOLDS:
        return [f"{hours} too short for an answer: more of them, {less}"]
    some = ",".join(str(design.folds[int(i * len(design.folds) / folds)]) for i in range(folds))
    return [f"{hours} enough for about {folds} of {len(design.folds)} folds: fold={some}, {less} would end in time"]


def left(design: Design, deadline: float | None = None) -> str:
    """What is left to do, in a line."""
    seconds = known_seconds(design)
    until = f" · the answer at {time.strftime('%H:%M', time.localtime(deadline))} at the latest" if deadline else ""
    return f"{in_words(design, seconds)}{until}"


def in_words(design: Design, seconds: float | None) -> str:
    """Runs that are left, and the time that they take where it is known."""
    least, most = runs_left(design)
    count = f"{least} to {most} runs left" if least != most else f"{least} runs left"
    if seconds is None:
        return f"{count}; how long they take is known once one is finished"
    tests = 0 if screened(design) else TESTING * len(design.candidates) * len(design.folds)
    low, high = (seconds * (runs + tests) / design.workers for runs in (least, most))
    span = duration(high) if duration(low) == duration(high) else f"{duration(low)} to {duration(high)}"
    return f"{count}, about {span} by {design.workers} process{'es' * (design.workers > 1)}"


def known_seconds(design: Design) -> float | None:
    """A run's mean time, by those that are finished; None without any."""
    times = [run_folder.seconds(folder) for _, folder in design.reference.values() if run_folder.finished(folder)]
    known = [seconds for seconds in times if seconds is not None]
    return fmean(known) if known else None


def measured_seconds(design: Design) -> float | None:
    """A run's time by two trials of few steps, which leave nothing behind; None where they fail."""
    job = next(iter(design.reference.values()))[0]
    short, long = _trial(job, 1), _trial(job, STEPS)
    if short is None or long is None:
        return None
    epochs, batches, tested = long[1:]
    step = max(long[0] - short[0], 0.0) / max(min(STEPS, batches) - 1, 1)
    return short[0] + step * epochs * (batches + FORWARD * tested)


def _trial(job: Job, steps: int) -> tuple[float, int, int, int] | None:
    """(seconds, epochs of the whole run, its batches in an epoch, those of its test) of a run of few steps."""
    with tempfile.TemporaryDirectory(prefix="qsense-design-") as folder:
        command = [sys.executable, "-m", "qsense.train", *job, *TRIAL, f"++trainer.limit_train_batches={steps}"]
        own = {key: value for key, value in os.environ.items() if key != RAISE} | {PART: "qsense design"}
        subprocess.run([*command, f"runs={folder}"], env=own, capture_output=True, check=False)
        for run in Path(folder).iterdir():
            if run_folder.finished(run) and (seconds := run_folder.seconds(run)) is not None:
                result = run_folder.result(run)["statistics"]
                size = max(int(result.get("train_windows", 1)), 1), int(result.get("held_out_windows", 1))
                epochs, batch = _recipe(job)
                return seconds, epochs, math.ceil(size[0] / batch), math.ceil(size[1] / batch)
    return None


def _recipe(job: Job) -> tuple[int, int]:
    """Epochs, and examples in a batch."""
    from qsense.experiment.compose import compose

    config = compose(job)
    return int(config.trainer.max_epochs or 1), int(config.data.batch_size)
