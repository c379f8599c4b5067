"""What a sweep would do, without doing it: counts for each cell of its table, and how long the rest takes.

Open it to change what `run.dry_run=true` prints.
"""

from __future__ import annotations

import logging
import shutil
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from qsense.experiment.command_line.overrides import Job, experiment_of, root_of
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.naming import name_runs
from qsense.experiment.signatures import constant
from qsense.runs import folder as run_folder
from qsense.runs.escapes import brief
from qsense.runs.status import FINISHED, STATES, TO_DO, Status, status_of
from qsense.runs.words import duration

ALWAYS = (FINISHED, TO_DO)  # columns of the table; the other states where there are runs in them
WIDEST = 40  # letters of a cell's name
MOST_TIMED = 3  # recipes of which batches are timed
# What moves a run's time little beside data, network and epochs.
NOT_IN_RECIPE = ("quant", "bits", "network_bits", "rounding", "run", "runs", "logger", "callback", "threads")

log = logging.getLogger(__name__)


def print_plan(folders: Mapping[Job, Path], one_by_one: bool) -> None:
    """Print how many runs of each cell are finished, failed, to do, …; where asked, each run by itself, too."""
    every = {folder: status_of(folder) for folder in folders.values()}
    names = name_runs(folders)
    several = len({name.data for name in names.values()}) > 1
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for folder, name in names.items():
        cells[name.data, name.cell][every[folder].state] += 1
    states = [state for state in STATES if state in ALWAYS or any(count[state] for count in cells.values())]
    rows = [["data"] * several + ["quantizer", *states]]
    for (data, cell), count in cells.items():
        rows.append([data] * several + [brief(cell, WIDEST), *(str(count[state] or "·") for state in states)])
    print(*_aligned(rows, texts=1 + several), sep="\n")
    if one_by_one:
        print(*(_line(status) for status in every.values()), sep="\n")


def cache_room(config: DictConfig) -> tuple[str, int]:
    """How much room a configuration's converted frames take, at which size, and how long it takes to convert them, in
    words, and how many have yet to be; nothing where none are converted. One or two are converted, to nowhere. A
    converter with memory takes native frames, and keeps beside them what it decodes of them.

    Raises:
        DataError: they take more than `data.cache_gb`, or those cannot be converted.
    """
    from qsense.data.frames.storing.converting import conversion_time
    from qsense.data.frames.storing.decoded import kept_in_memory
    from qsense.data.frames.storing.space import (
        asked_for,
        check_native,
        every_frame,
        side_in_words,
        stored_bytes,
        stored_side,
    )

    data = config.data
    if "stored" not in data:
        return "", 0
    dataset = instantiate(data.dataset, _convert_="all")
    if not dataset.converts:
        return "", 0
    frames = every_frame(dataset)
    asked = asked_for(data.train_sizes, data.test_size, data.longest)
    side = stored_side(dataset, asked, data.stored, data.cache_gb)
    decoded = ""
    if constant(config.quant.sensor._target_, "wants_recordings"):
        check_native(dataset, side, data.cache_gb)
        more = stored_bytes(frames, dataset.signal, side)
        where = "in memory" if kept_in_memory(frames) else "more"
        decoded = f"; what each converter with memory decodes takes {more / 1e9:.3g} GB {where}, {side_in_words(side)}"
        side = None
    cache = Path(data.cache).expanduser().absolute()
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    needed, free = stored_bytes(frames, dataset.signal, side), shutil.disk_usage(place).free
    waiting, seconds = conversion_time(partial(dataset.prepare, cache, side))
    takes = f"{dataset.name}: {len(frames)} frames {side_in_words(side)} take {needed / 1e9:.3g} GB in {cache}"
    if not waiting:
        return f"{takes}, where they are{decoded}", 0
    room = f"({free / 1e9:.3g} GB are free), in about {duration(seconds)}"
    return f"{takes} once they are converted {room}{decoded}", waiting


def _aligned(rows: Sequence[Sequence[str]], texts: int) -> Iterable[str]:
    """Rows as lines: the first columns to the left, the numbers after them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:texts], widths, strict=False)]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[texts:], widths[texts:], strict=True)]
        yield "  ".join(cells)


def _line(status: Status) -> str:
    return f"{status.state:<11}  {status.folder.name}" + f"  {status.reason}" * bool(status.reason)


def estimate(folders: Mapping[Job, Path], timed: Callable[[Job], float] | None) -> str:
    """How long the runs take that are not finished, one after the other, and by what that is known; empty where nobody
    knows, or all are finished.

    Args:
        folders: of all runs of the sweep.
        timed: the seconds that a run takes, by a few of its batches; None: do not try any.
    """
    known: dict[Job, list[float]] = defaultdict(list)
    waiting: dict[Job, int] = Counter()
    for job, folder in folders.items():
        experiment = experiment_of(job)
        if not run_folder.finished(folder):
            waiting[experiment] += 1
        elif (seconds := run_folder.seconds(folder)) is not None:
            known[experiment].append(seconds)
            known[_recipe(job)].append(seconds)
    finished = sum(map(len, known.values())) // 2
    tried: dict[Job, float] = {}
    total, unknown = 0.0, 0
    for experiment, count in waiting.items():
        recipe = _recipe(experiment)
        if own := known.get(experiment) or known.get(recipe):
            total += count * statistics.fmean(own)
            continue
        if recipe not in tried and timed is not None and len(tried) < MOST_TIMED:
            job = next(job for job, folder in folders.items() if experiment_of(job) == experiment)
            try:
                tried[recipe] = timed(job)
            except ConfigError as error:
                log.warning("no batches could be timed: %s", error)
                timed = None
        if recipe in tried:
            total += count * tried[recipe]
        else:
            unknown += count
    if not total:
        return ""
    total *= sum(waiting.values()) / (sum(waiting.values()) - unknown)
    runs = "the finished run" if finished == 1 else f"{finished} finished runs"
    by = [runs] * bool(finished) + ["a few batches, timed here"] * bool(tried)
    return f"about {duration(total)} of one worker's time, by {' and '.join(by)}"


def _recipe(job: Job) -> Job:
    """What decides a run's time: data, network, epochs; with a mark, as it is no experiment."""
    return ("recipe", *(entry for entry in experiment_of(job) if root_of(entry) not in NOT_IN_RECIPE))
