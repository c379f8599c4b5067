"""Where runs stand: finished, at work, failed, interrupted, killed or not begun; and how long the rest will take.

The one place that tells a run's state, for sweeps, dry runs, reports and the study page.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.runs import folder as run_folder
from qsense.runs import lock
from qsense.runs.escapes import brief, one_line

FINISHED, RUNNING = run_folder.FINISHED, run_folder.RUNNING
FAILED, INTERRUPTED = run_folder.FAILED, run_folder.INTERRUPTED
KILLED, TO_DO = "killed", "to do"  # what no run says of itself
STATES = (FINISHED, RUNNING, FAILED, INTERRUPTED, KILLED, TO_DO)
LOST = "its process ended without saying why: a kill, too little memory, a lost machine"
MOST_REASONS, MOST_FOLDERS, LONGEST = 6, 3, 300  # a table of failures stays on one screen: reasons, folders, letters


@dataclass(frozen=True)
class Status:
    """One run.

    Args:
        folder: where it lies, or will.
        state: one of `STATES`.
        reason: the last exception of a failed run, or what its launcher said; else empty.
    """

    folder: Path
    state: str
    reason: str = ""

    @property
    def log(self) -> Path:
        """The file that tells most about it; its folder where there is none."""
        logs = [self.folder / run_folder.FAILURE, *sorted(self.folder.glob("*.log"))]
        return next((file for file in logs if file.is_file()), self.folder)


def status_of(folder: Path) -> Status:
    """Where a run stands, by what its folder holds."""
    if run_folder.finished(folder):
        return Status(folder, FINISHED)
    if lock.alive(folder):
        return Status(folder, RUNNING)
    if damage := run_folder.damaged_result(folder):
        return Status(folder, FAILED, f"{run_folder.RESULT} is damaged ({damage})")
    if not (folder / run_folder.CONFIG).is_file():
        return Status(folder, TO_DO)
    recorded = run_folder.recorded_state(folder)
    if recorded == FAILED:
        return Status(folder, FAILED, run_folder.failure(folder))
    return Status(folder, KILLED, LOST) if recorded == RUNNING else Status(folder, INTERRUPTED)


def overview(every: Sequence[Status]) -> str:
    """
    >>> overview([Status(Path("a"), TO_DO), Status(Path("b"), FINISHED), Status(Path("c"), TO_DO)])
    '3 runs: 1 finished, 2 to do'
    """
    count = Counter(status.state for status in every)
    texts = [f"{count[state]} {state}" for state in STATES if count[state] or state == FINISHED]
    return f"{len(every)} runs: {', '.join(texts)}"


def seconds_left(experiments: Mapping[Path, object]) -> float | None:
    """How long the unfinished of some runs take, one after the other, at the pace of the finished; None without any.

    Args:
        experiments: {folder: whatever the run has in common with its other folds and seeds}.
    """
    known: dict[object, list[float]] = defaultdict(list)
    waiting = []
    for folder, experiment in experiments.items():
        if not run_folder.finished(folder):
            waiting.append(experiment)
        elif (seconds := run_folder.seconds(folder)) is not None:
            known[experiment].append(seconds)
    if not known:
        return None
    overall = statistics.fmean(second for several in known.values() for second in several)
    return sum(statistics.fmean(known[each]) if each in known else overall for each in waiting)


def failures(every: Iterable[Status]) -> str:
    """What became of runs that ended without a result, the commonest reason first; empty where there are none.

    >>> print(failures([Status(Path("runs/a"), FAILED, "ValueError: no"), Status(Path("runs/b"), FINISHED)]))
      1 × failed: ValueError: no
          runs/a
    """
    reasons: dict[str, list[Status]] = defaultdict(list)
    for status in every:
        if status.state not in (FINISHED, RUNNING):
            reasons[status.state + f": {status.reason}" * bool(status.reason)].append(status)
    lines = []
    for reason, several in sorted(reasons.items(), key=lambda item: -len(item[1]))[:MOST_REASONS]:
        lines.append(f"{len(several):>3} × {brief(reason, LONGEST)}")
        lines += [f"      {one_line(str(status.log))}" for status in several[:MOST_FOLDERS]]
        if len(several) > MOST_FOLDERS:
            lines.append(f"      … and {len(several) - MOST_FOLDERS} more")
    if len(reasons) > MOST_REASONS:
        lines.append(f"    … and {len(reasons) - MOST_REASONS} other reasons: qsense report lists all")
    return "\n".join(lines)
