"""Train one run, or with `-m` a sweep of them: compose → check → build → fit → test → record.

python -m qsense.train quant=gamma bits=2 -m

This module is also the function `qsense.train` of the library: call it, or import it, in any order.
"""

from __future__ import annotations

import errno
import importlib
import io
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qsense.data.errors import DataError
from qsense.experiment import compose, errors, trusted
from qsense.experiment.checks import check, without_effect
from qsense.experiment.command_line.habits import understood
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import data_fingerprint, resolved
from qsense.experiment.preflight import preflight
from qsense.experiment.schema import config_folder
from qsense.experiment.trainer import check_machine
from qsense.runs import folder as run_folder
from qsense.runs.checkpoints import CheckpointError, drop_previous
from qsense.runs.layout import in_lines
from qsense.runs.lock import ClaimedError, claim
from qsense.runs.mishaps import note, noting
from qsense.runs.next_steps import say_next
from qsense.runs.orphans import end_with_parent
from qsense.runs.result import ResultError
from qsense.runs.screen import IN_LOG, is_shared, warnings_logged
from qsense.runs.status import status_of

if TYPE_CHECKING:
    from qsense.data.module import ExperimentData
    from qsense.experiment.load import TrainedRun
    from qsense.tasks.base import Task

log = logging.getLogger(__name__)
EXPLAINED = (DataError, FileNotFoundError, ResultError, CheckpointError)  # their messages say what to do
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def train(config: DictConfig) -> float:
    """One run: its headline metric, from its result if it is finished, else by training it from where it stands.

    NaN if another process is training it, or if it was only asked where it stands (`run.dry_run`).
    """
    if is_shared():
        end_with_parent()
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    # Lightning starts this command again for each further device (ddp); the first keeps the record.
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        check(config)
        if first and (unused := without_effect(config, hydra_config.overrides.task)):
            log.info("%s", unused, extra=None if hydra_config.mode == RunMode.RUN else IN_LOG)  # a grid may hold it
        if run_folder.finished(folder):
            log.info("already finished: %s (delete the folder to train it again)", folder)
            return headline(run_folder.result(folder))
        if config.run.dry_run:
            run_folder.discard(folder)
            log.info("%s: %s", status_of(folder).state, folder)
            return math.nan
        check_machine(config.trainer)
        if config.run.preflight and hydra_config.mode == RunMode.RUN and first:
            preflight(hydra_config.overrides.task, hydra_config)
    except ConfigError:
        run_folder.discard(folder)
        raise
    if not first:
        from qsense.experiment.build import build
        from qsense.experiment.fitting import fit_and_test

        with ExitStack() as closing:
            return headline(fit_and_test(config, *build(config), hydra_config, folder, lambda _: None, closing))
    try:
        with claim(folder) as still_ours:
            if run_folder.finished(folder):  # by another process, between the look above and the claim
                return headline(run_folder.result(folder))
            run_folder.set_damaged_result_aside(folder)
            return record(config, hydra_config, folder, still_ours)
    except ClaimedError:
        log.warning("%s is being trained by another process: left to it", folder)
        return math.nan
    except ConfigError:
        run_folder.discard(folder)  # where a part was refused before the run began
        raise


def record(config: DictConfig, hydra_config: Any, folder: Path, still_ours: Callable[[], bool]) -> float:
    """Train one run and record how it ended: finished, failed or interrupted, unless another process took it over.

    It begins once its parts are built: where one of them refuses an argument, nothing is written. Its result is
    recorded before loggers and pictures hear of it: what fails after that is a mishap, and no failure.
    """
    with noting(folder), stoppable(), warnings_logged(), ExitStack() as closing:
        try:
            from qsense.experiment.fitting import fit_and_test

            parts = build_and_begin(config, hydra_config, folder)
            fit_and_test(config, *parts, hydra_config, folder, partial(run_folder.finish, folder), closing)
        except ConfigError:
            raise
        except Exception as error:
            if not run_folder.finished(folder):
                run_folder.fail(folder)
                raise_in_short(error)
            note("what follows the test", error)
        except (KeyboardInterrupt, SystemExit) as stop:
            if run_folder.finished(folder):
                log.warning("interrupted after its test: %s is finished, pictures may be missing", folder)
            elif still_ours():
                run_folder.interrupt(folder)
                log.warning("interrupted: the same command resumes %s", folder)
            raise SystemExit(exit_code(stop)) from stop
    drop_previous(folder)
    result = run_folder.result(folder)
    # Of a sweep's runs, the sweep tells.
    extra = IN_LOG if hydra_config.mode == RunMode.MULTIRUN else None
    log.info("%s %.4f · %s", result["monitor"], headline(result), folder, extra=extra)
    return headline(result)


def exit_code(stop: BaseException) -> int:
    """What a shell or a batch system expects of a process that was stopped: 128 + the signal's number.

    Lightning answers SIGTERM with an exit that looks like success, and Ctrl-C with one that looks like a mistake.
    """
    by_hand = isinstance(stop, KeyboardInterrupt) or isinstance(stop.__context__, KeyboardInterrupt)
    return 128 + signal.SIGINT if by_hand else getattr(stop, "code", None) or 128 + signal.SIGTERM


def build_and_begin(config: DictConfig, hydra_config: Any, folder: Path) -> tuple[ExperimentData, Task]:
    """A run's data and task; that it has begun is recorded, unless one of its parts refuses an argument.

    Raises:
        ConfigError: a part refuses an argument; or there is no room to record anything.
    """
    from qsense.experiment.build import build

    def begin() -> None:
        overrides, data = list(hydra_config.overrides.task), data_fingerprint(config)
        try:
            run_folder.start(folder, OmegaConf.to_yaml(resolved(config, hydra_config)), overrides, data)
        except OSError as error:
            raise_in_short(error)

    try:
        parts = build(config)
    except ConfigError:
        raise
    except BaseException:  # which its caller records as the run's end
        begin()
        raise
    begin()
    return parts


def raise_in_short(error: Exception) -> NoReturn:
    """Raise an error that its user mends as one that is shown without a traceback; any other as it is."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        hint = "make room, or choose another folder with runs=FOLDER; the same command goes on"
        raise ConfigError(f"{error}: {hint}") from error
    if isinstance(error, EXPLAINED):
        raise ConfigError(str(error)) from error
    raise error


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, a SIGTERM (a batch system or an agent stops the run) ends the process in good order, at any moment.

    Lightning by itself minds it while it trains, and not while it tests or draws. A second one ends it at once.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise SystemExit(128 + number)

    if ours:
        signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def headline(result: dict[str, Any]) -> float:
    """The result's monitored metric."""
    return float(result["metrics"][result["monitor"]])


def train_and_say_next(config: DictConfig) -> float:
    """`train`, and after a single run the commands that go on from it."""
    from qsense.experiment.load import next_steps

    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.RUN:
        return train(config)
    with errors.explained():
        score = train(config)
    folder = Path(hydra_config.runtime.output_dir)
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if not first:
        return score
    if run_folder.finished(folder):
        say_next(*next_steps(Path(os.path.relpath(folder)), config))
    return score


def train_here(overrides: Sequence[str] = ()) -> TrainedRun:
    """Train one run in this process, as `python -m qsense.train` would, and give it back: `qsense.train(…)`.

    The same checks, the same folder: a finished run is not trained again, an interrupted one is resumed. Progress is
    logged by the logger "qsense" and in the run's `train.log`. It takes until the run is finished, works in a notebook
    too, and leaves Hydra's state and the logging's as they were; the global random numbers are seeded. Several
    processes (`trainer.strategy=ddp`) need the command line.

    Args:
        overrides: of the configuration, as on the command line: `["quant=gamma", "bits=2"]`.

    Returns:
        The trained run: `metrics`, `task`, `data`, `folder`, `converter`, `predict(x)`.

    Raises:
        ConfigError: it cannot run; with the message of the command line.
        ClaimedError: another process is training it.
        DivergedError: a parameter became NaN or infinite.
    """
    from qsense.experiment.load import load

    folder, config = run_here(overrides)
    if config is not None and config.run.dry_run:
        raise ConfigError("run.dry_run=true trains nothing, so there is no run to give back")
    if not run_folder.finished(folder):
        raise ClaimedError(f"{folder} is being trained by another process")
    return load(folder, allow=trusted.named(config) if config is not None else ())


def run_here(overrides: Sequence[str]) -> tuple[Path, DictConfig | None]:
    """`train_here`, but for what it gives back: the run's folder, finished unless another process trains it, and its
    configuration."""
    try:
        with own_hydra(), compose.hydra():
            started = GlobalHydra.instance().hydra
            assert started is not None
            done = started.run(
                compose.ROOT, logged, [*understood(overrides), "hydra.mode=RUN"], with_log_configuration=False
            )
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise ConfigError(errors.explain(error)) from error
    assert done.hydra_cfg is not None
    return Path(done.hydra_cfg.hydra.runtime.output_dir), done.cfg


def logged(config: DictConfig) -> float:
    """`train`, with its messages in the run's `train.log`."""
    file = Path(HydraConfig.get().runtime.output_dir) / "train.log"
    logger, handler = logging.getLogger("qsense"), logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        return train(config)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


@contextmanager
def own_hydra() -> Iterator[None]:
    """Within it, no other use of Hydra in this process is in the way; afterwards that goes on as before."""
    before, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = before, config


class CallableModule(ModuleType):
    """A module that is `train_here` when it is called: importing it must not take `qsense.train` away."""

    def __call__(self, overrides: Sequence[str] = ()) -> TrainedRun:
        """See `train_here`."""
        return train_here(overrides)

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return importlib.import_module, (self.__name__,)  # so that joblib can send it to other processes


if __name__ != "__main__":
    sys.modules[__name__].__class__ = CallableModule

application = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="train")(train_and_say_next)


def main() -> None:
    """The command line."""

    def understand_and_run() -> None:
        sys.argv[1:] = understood(sys.argv[1:])
        if not {"-h", "--help"} & set(sys.argv[1:]):
            application()
            return
        help_text = io.StringIO()
        try:
            with redirect_stdout(help_text):
                application()
        finally:  # Hydra ends the process
            if text := help_text.getvalue().rstrip():
                print(in_lines(text))

    errors.run(understand_and_run)


if __name__ == "__main__":
    # Under its own name, so that launchers which start other processes can pickle the function by reference.
    from qsense.train import main as named_main

    named_main()
