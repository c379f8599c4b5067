"""The search among the candidates of one bracket: successive halving over folds, in a study that processes share.

A bracket's study is Optuna's, kept in a journal file. A trial is a candidate; its resource is the number of folds it is
trained on, and Optuna's asynchronous successive halving (Li et al., MLSys 2020) says which trials go on to more folds.
A training is an ordinary run of `qsense.train`, so what a trial asks for twice is not trained twice.

Open it to change when a candidate is given up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from qsense.design.plan import Candidate, Design
from qsense.experiment.errors import ConfigError
from qsense.runs.escapes import one_line
from qsense.runs.lock import ClaimedError, alive, claim
from qsense.study.budget import interval

log = logging.getLogger(__name__)
JOURNAL = "journal.log"
CONVERTER, ENDED = "converter", "ended"  # what a trial says of itself: whose it is, and why it was given up
REDUCTION = 2  # of the trials at a rung, the better half goes on: to 2, 4, 8, … folds
FEWEST, LEVEL = 3, 0.99  # folds from which on an interval may end a trial, and its level: it is looked at in each fold
LOOK_S = 0.5
HALVED, HOPELESS = "others did better", "it loses too much"

optuna.logging.set_verbosity(optuna.logging.WARNING)


def search(
    design: Design,
    name: str,
    candidates: Sequence[Candidate],
    loss_of: Callable[[Candidate, int], float],
    help_with: Callable[[Candidate], bool],
) -> None:
    """Work on a bracket until all of its trials have ended, perhaps in other processes.

    Args:
        design: what is looked for.
        name: of the bracket.
        candidates: of it, the most promising first.
        loss_of: trains a candidate on a fold, and tells its loss in points there.
        help_with: does some of the work of a candidate that another process tries; whether there was any.
    """
    study = open_study(design, name, candidates)
    known = {candidate.name: candidate for candidate in candidates}
    while True:
        with ExitStack() as held:
            trial = take(design, study, sorted(known), held)
            if trial is not None:
                attempt(design, study, trial, known[name_of(trial)], loss_of)
                continue
        running = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.RUNNING]
        if not running:
            return
        ahead = sorted((t for t in running if t.last_step), key=lambda t: t.intermediate_values[t.last_step or 0])
        if not any(help_with(known[name_of(trial)]) for trial in ahead):
            time.sleep(LOOK_S)


def open_study(design: Design, name: str, candidates: Sequence[Candidate]) -> optuna.Study:
    """The bracket's study with a trial for each candidate; whoever comes first makes it."""
    with alone(design.state / "study"):
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
        study = optuna.create_study(
            storage=journal(design), study_name=name, pruner=pruner, direction="minimize", load_if_exists=True
        )
        for candidate in candidates:
            offer(study, candidate.name)
    return study


def journal(design: Design) -> JournalStorage:
    """The file in which processes keep what their trials have come to.

    The lock is a file of its own that is made by one process alone, on network file systems, too; one that a killed
    process left behind is removed after half a minute. (Optuna's usual lock is a link to the journal: where the path
    is relative the link leads nowhere, and what a killed process left is waited for without an end.)

    Raises:
        ConfigError: the file is damaged, as by a full disk.
    """
    file = str(design.state / JOURNAL)
    try:
        return JournalStorage(JournalFileBackend(file, JournalFileOpenLock(file)))
    except (ValueError, LookupError, TypeError) as error:
        problem = one_line(f"{file} is damaged ({error})")
        raise ConfigError(f"{problem}: delete it, and start the command again; finished runs are kept") from error


def offer(study: optuna.Study, name: str, again: bool = False) -> None:
    """Add a trial of a candidate, unless there is one or it is to be tried again; `name_of` reads its name."""
    study.enqueue_trial({CONVERTER: name}, user_attrs={CONVERTER: name}, skip_if_exists=not again)


def name_of(trial: Trial | FrozenTrial) -> str:
    """Which candidate a trial is of."""
    return str(trial.user_attrs[CONVERTER])


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within it, no other process is in the same block."""
    while True:
        with ExitStack() as held:
            try:
                held.enter_context(claim(folder))
            except ClaimedError:
                time.sleep(LOOK_S / 5)
                continue
            yield
            return


def take(design: Design, study: optuna.Study, names: Sequence[str], held: ExitStack) -> Trial | None:
    """The next trial that nobody works on, claimed for this process; None without any.

    A trial whose process has died is tried again: its runs that are finished count.
    """
    with alone(design.state / "study"):
        for trial in study.get_trials(deepcopy=False):
            if trial.state == TrialState.RUNNING and not alive(folder_of(design, study, trial.number)):
                study.tell(trial.number, state=TrialState.FAIL)
                offer(study, name_of(trial), again=True)
        if not any(trial.state == TrialState.WAITING for trial in study.get_trials(deepcopy=False)):
            return None
        found = study.ask()
        found.suggest_categorical(CONVERTER, names)
        held.enter_context(claim(folder_of(design, study, found.number)))
        return found


def folder_of(design: Design, study: optuna.Study, number: int) -> Path:
    """What says that a process is at work on a trial."""
    return design.state / "trials" / f"{study.study_name}-{number}".replace(" ", "")


def attempt(
    design: Design,
    study: optuna.Study,
    trial: Trial,
    candidate: Candidate,
    loss_of: Callable[[Candidate, int], float],
) -> None:
    """Train a candidate on one fold after the other, as long as it is worth it."""
    found: list[float] = []
    for step, fold in enumerate(design.folds, 1):
        try:
            found.append(loss_of(candidate, fold))
        except (OSError, ConfigError):  # a full disk, say: not the candidate's
            raise
        except Exception as error:  # a training that fails costs this candidate alone
            end(study, trial, candidate, f"fold {fold}: {error}".splitlines()[0], TrialState.FAIL)
            return
        trial.report(fmean(found), step)
        if step == len(design.folds):
            break
        if hopeless(found, design.request.max_loss):
            end(study, trial, candidate, HOPELESS, TrialState.PRUNED)
            return
        if trial.should_prune():
            end(study, trial, candidate, HALVED, TrialState.PRUNED)
            return
    log.info("%s: %.1f points lost on all folds", candidate.name, fmean(found))
    study.tell(trial, fmean(found))


def end(study: optuna.Study, trial: Trial, candidate: Candidate, why: str, state: TrialState) -> None:
    """Give a candidate up."""
    log.info("%s: given up, %s", candidate.name, why)
    trial.set_user_attr(ENDED, why)
    study.tell(trial, state=state)


def hopeless(found: Sequence[float], limit: float | None) -> bool:
    """Whether even the lower end of the loss's interval is above the limit.

    >>> hopeless([9.0, 10.0, 11.0], 1.0), hopeless([9.0, 10.0], 1.0), hopeless([3.0, 4.0, 5.0], 1.0)
    (True, False, False)
    """
    if limit is None or len(found) < FEWEST:
        return False
    low, _ = interval(found, LEVEL)
    return low > limit


def studies(design: Design) -> dict[str, list[FrozenTrial]]:
    """The trials of each bracket, by its name; empty before there is one."""
    if not (design.state / JOURNAL).is_file():
        return {}
    storage = journal(design)
    return {study.study_name: storage.get_all_trials(study._study_id) for study in storage.get_all_studies()}


def endings(design: Design) -> dict[str, str]:
    """Why candidates were given up, by their names."""
    every = [trial for trials in studies(design).values() for trial in trials]
    return {name_of(trial): str(trial.user_attrs[ENDED]) for trial in every if ENDED in trial.user_attrs}


def over(design: Design, name: str) -> bool:
    """Whether all trials of a bracket have ended."""
    return all(trial.state.is_finished() for trial in studies(design).get(name, [])) and name in studies(design)


def complete(design: Design, name: str) -> dict[str, float]:
    """The losses of the candidates that a bracket's trials trained on all folds."""
    trials = studies(design).get(name, [])
    return {name_of(t): t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None}
