"""What each process of a design does, from the unquantized runs to the confirmed winner, sharing it with the others.

Every process goes through the same steps; what one is at work on, the others leave alone, and a step ends for all of
them once it is done. So any number of processes, on machines that share the folders, may come and go.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from qsense.design import screening
from qsense.design.judging import judge, paired, score_of
from qsense.design.plan import Candidate, Design
from qsense.design.search import complete, search
from qsense.experiment.command_line.overrides import REPEATS, Job, key_of
from qsense.runs import folder as run_folder
from qsense.runs.lock import ClaimedError, alive, claim
from qsense.runs.words import duration

log = logging.getLogger(__name__)
LOOK_S = 0.5
AGAIN_S = 30.0  # long enough for a run to end in good order, for the alarm goes on meanwhile
UNQUANTIZED = "unquantized"
Named = tuple[str, Job, Path]  # a run: what it is of, its overrides and its folder


class NoTimeError(Exception):
    """The deadline has come."""


def work(design: Design, deadline: float | None = None) -> None:
    """Do a process's part of a design, until it is done or the time is over.

    Args:
        design: what is looked for.
        deadline: of the clock, in seconds since 1970; a training at work then is interrupted, and can be resumed.
    """
    first = [(UNQUANTIZED, *run) for (seed, _), run in design.reference.items() if seed == design.search_seed]
    with suppress(NoTimeError), until(deadline):
        finish(first)
        screen_all(design)
        for number in range(len(design.brackets)):
            if answered(design, number, may_train=True) is not None:
                return


def answered(design: Design, number: int, may_train: bool = False) -> Candidate | None:
    """The winner of a bracket that holds the limit by fresh seeds, too; None without any.

    Args:
        design: what is looked for.
        number: of the bracket.
        may_train: do what is missing; else only look.
    """
    name, chosen = bracket_name(number), chosen_of(design, number)
    if may_train:
        search(design, name, chosen, partial(loss_of, design), partial(help_with, design))
    known = {candidate.name: candidate for candidate in chosen}
    for option in sorted(found := complete(design, name), key=lambda option: found[option]):
        candidate = known[option]
        if design.request.max_loss is not None and found[option] > design.request.max_loss + 1e-9:
            return None  # the others lose more
        if may_train:
            confirm(design, candidate)
        judged = judge(design, candidate)
        if judged is not None and judged.within(design.request.max_loss):
            return candidate
    return None


def bracket_name(number: int) -> str:
    """What the study of a bracket is called."""
    return f"bracket {number}"


def chosen_of(design: Design, number: int) -> list[Candidate]:
    """The candidates of a bracket that are worth training, the most promising first; empty before the screening."""
    loss = screened(design)
    return screening.promising(design.brackets[number], loss, design.request.keep)


def screened(design: Design) -> dict[str, float]:
    """The loss of each candidate in the screening; empty before all folds are screened."""
    every, references = {}, {}
    for fold in design.folds:
        scores, reference = screening.read_scores(design, fold), score_of(design.reference[design.search_seed, fold][1])
        if scores is None or reference is None:
            return {}
        every[fold], references[fold] = scores, reference
    return screening.losses(design, every, references)


def screen_all(design: Design) -> None:
    """Screen every fold."""
    while waiting := [fold for fold in design.folds if screening.read_scores(design, fold) is None]:
        for fold in waiting:
            with suppress(ClaimedError), claim(screening.file_of(design, fold).with_suffix("")):
                if screening.read_scores(design, fold) is None:
                    began = time.monotonic()
                    screening.screen(design, fold)
                    took = duration(time.monotonic() - began)
                    log.info("screened %d converters, fold %d · %s", len(design.candidates), fold, took)
                break
        else:
            time.sleep(LOOK_S)


def confirm(design: Design, candidate: Candidate) -> None:
    """Train a winner and the unquantized network with the fresh seeds, fold by fold."""
    own = design.runs_of(candidate)
    fresh = [repeat for repeat in own if repeat[0] in design.fresh_seeds]
    both = (
        [(UNQUANTIZED, *design.reference[repeat]) for repeat in fresh],
        [(candidate.name, *own[repeat]) for repeat in fresh],
    )
    finish([run for pair in zip(*both, strict=True) for run in pair])  # in pairs, so that a part can be compared, too


def finish(runs: Sequence[Named]) -> None:
    """Train what is not finished of some runs; wait for those that other processes train."""
    while waiting := [run for run in runs if not run_folder.finished(run[2])]:
        if not any(trained(*run) for run in waiting if not alive(run[2])):
            time.sleep(LOOK_S)


def trained(what: str, job: Job, folder: Path) -> bool:
    """Train a run; whether this process did."""
    if run_folder.finished(folder):
        return False
    began = time.monotonic()
    with suppress(ClaimedError):
        train_run(job)
    if not run_folder.finished(folder):
        return False
    repeat = " ".join(entry.replace("=", " ") for entry in job if key_of(entry) in REPEATS)
    score, took = score_of(folder), duration(time.monotonic() - began)
    log.info("%s, %s: %s · %s", what, repeat, "no score" if score is None else f"{score:.4f}", took)
    return True


def train_run(job: Job) -> None:
    """Train a run in this process, as `qsense.train` does."""
    from qsense.train import run_here

    run_here(job)


def loss_of(design: Design, candidate: Candidate, fold: int) -> float:
    """Train a candidate on a fold with the first seed; its loss there, in points.

    Raises:
        ValueError: the run has no score.
    """
    repeat = (design.search_seed, fold)
    run = design.runs_of(candidate)[repeat]
    finish([(candidate.name, *run)])
    scores = paired(design, candidate, [design.search_seed]).get(repeat)
    if scores is None:
        raise ValueError(f"{run[1].name} has no score")
    return design.points(scores[0] - scores[1])


def help_with(design: Design, candidate: Candidate) -> bool:
    """Train one of a candidate's last folds, which the process at its trial comes to later; whether there was any."""
    runs = design.runs_of(candidate)
    for fold in reversed(design.folds):
        job, folder = runs[design.search_seed, fold]
        if not run_folder.finished(folder) and not alive(folder):
            with suppress(Exception):  # the process at the trial will meet it, and say so
                return trained(candidate.name, job, folder)
    return False


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Within it, `NoTimeError` ends the work at the deadline, in the middle of a training, too.

    A run hears of a `SystemExit`, as of a batch system that stops it, and notes that it can be resumed. Python drops an
    exception that comes amid a finalizer or a callback of the garbage collector, so it is repeated until it is heard.
    """
    if deadline is None:
        yield
        return
    if (left := deadline - time.time()) <= 0:
        raise NoTimeError

    came = False

    def over(number: int, frame: object) -> None:
        nonlocal came
        came = True  # the clock may be behind the timer, as where it is being set
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, over)
    try:
        signal.setitimer(signal.ITIMER_REAL, left, AGAIN_S)
        yield
    except SystemExit:
        if not came:
            raise
        raise NoTimeError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def folders(design: Design, candidates: Sequence[Candidate]) -> list[Path]:
    """The runs of a design that have begun."""
    runs = [run for one in candidates for run in design.runs_of(one).values()]
    every = [folder for _, folder in (*design.reference.values(), *runs)]
    return [folder for folder in every if (folder / run_folder.CONFIG).is_file()]
