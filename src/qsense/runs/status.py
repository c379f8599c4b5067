"""Where the runs of a sweep stand: finished, failed, killed, at work, or not begun; and how long the rest will take."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.runs import folder as run_folder
from qsense.runs import lock

FINISHED, RUNNING, FAILED = "finished", "running", "failed"
INTERRUPTED, KILLED, TO_DO = "interrupted", "killed", "to do"
MOST_REASONS, MOST_FOLDERS = 6, 3  # a table of failures stays on one screen


@dataclass(frozen=True)
class Standing:
    """One run.

    Args:
        folder: where it lies, or will.
        state: one of the words above; "killed" ended without a word: a kill, too little memory, a lost machine.
        reason: the last exception of a failed run, or what its launcher said; else empty.
    """

    folder: Path
    state: str
    reason: str = ""

    @property
    def log(self) -> Path:
        """What tells most about it."""
        logs = [self.folder / run_folder.FAILURE, *sorted(self.folder.glob("*.log"))]
        return next((file for file in logs if file.is_file()), self.folder)


def standing(folder: Path) -> Standing:
    """Where a run stands, by what its folder holds."""
    if run_folder.finished(folder):
        return Standing(folder, FINISHED)
    if lock.alive(folder):
        return Standing(folder, RUNNING)
    state = {"running": KILLED, "failed": FAILED, "interrupted": INTERRUPTED}.get(run_folder.status(folder), TO_DO)
    return Standing(folder, state, run_folder.failure(folder) if state == FAILED else "")


def overview(every: Sequence[Standing]) -> str:
    """
    >>> overview([Standing(Path("a"), TO_DO), Standing(Path("b"), FINISHED), Standing(Path("c"), TO_DO)])
    '3 runs: 1 finished, 2 to do'
    """
    count = Counter(each.state for each in every)
    order = (FINISHED, RUNNING, FAILED, INTERRUPTED, KILLED, TO_DO)
    texts = [f"{count[state]} {state}" for state in order if count[state] or state == FINISHED]
    return f"{len(every)} runs: {', '.join(texts)}"


def seconds_left(cells: Mapping[Path, object]) -> float | None:
    """How long the unfinished of some runs take, one after the other, at the pace of the finished; None without any.

    Args:
        cells: {folder: whatever its experiment has in common with its other folds and seeds}.
    """
    known: dict[object, list[float]] = defaultdict(list)
    waiting = []
    for folder, cell in cells.items():
        if not run_folder.finished(folder):
            waiting.append(cell)
        elif (seconds := run_folder.seconds(folder)) is not None:
            known[cell].append(seconds)
    if not known:
        return None
    overall = statistics.fmean(second for several in known.values() for second in several)
    return sum(statistics.fmean(known[cell]) if cell in known else overall for cell in waiting)


def failures(every: Iterable[Standing]) -> str:
    """What became of runs that ended without a result, the commonest reason first; empty where there are none.

    >>> print(failures([Standing(Path("runs/a"), KILLED), Standing(Path("runs/b"), FINISHED)]))
      1 × killed, or its machine failed
          runs/a
    """
    reasons: dict[str, list[Standing]] = defaultdict(list)
    for each in every:
        if each.state in (FAILED, KILLED, INTERRUPTED, TO_DO):
            words = {KILLED: "killed, or its machine failed", TO_DO: "not begun"}.get(each.state, each.state)
            reasons[words + f": {each.reason}" * bool(each.reason)].append(each)
    lines = []
    for reason, several in sorted(reasons.items(), key=lambda item: -len(item[1]))[:MOST_REASONS]:
        lines.append(f"{len(several):>3} × {reason}")
        lines += [f"      {each.log}" for each in several[:MOST_FOLDERS]]
        if len(several) > MOST_FOLDERS:
            lines.append(f"      … and {len(several) - MOST_FOLDERS} more")
    if len(reasons) > MOST_REASONS:
        lines.append(f"    … and {len(reasons) - MOST_REASONS} other reasons: qsense report lists all")
    return "\n".join(lines)
