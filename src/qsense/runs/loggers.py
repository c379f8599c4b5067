"""Weights & Biases as a logger that works without a key or a network; closing whatever loggers a run has."""

from __future__ import annotations

import json
import logging
import netrc
import os
import shlex
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from qsense.runs import folder as run_folder
from qsense.runs.mishaps import tolerated

log = logging.getLogger(__name__)


OFFLINE = ("offline", "dryrun")  # modes of W&B in which it warns of who asks for a run's URL


class RunWandbLogger(WandbLogger):
    """A W&B run for one qsense run; offline where there is no API key or no network, saying so.

    Args:
        project: W&B project.
        save_dir: folder that receives `wandb/`.
        name: the run's name on W&B; None: that of `save_dir`.
        entity: user or team, or None for the account's default.
        group: runs of one group are averaged in W&B's charts; folds and seeds of one cell belong together.
        job_type: W&B's job type.
        tags: W&B tags.
        offline: True, False, or None to find out.
    """

    def __init__(
        self,
        project: str,
        save_dir: str = ".",
        name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        job_type: str = "train",
        tags: list[str] | None = None,
        offline: bool | None = None,
    ) -> None:
        self.reason = why_offline() if offline is None else None
        offline = self.reason is not None if offline is None else offline
        super().__init__(
            name=name or Path(save_dir).resolve().name,
            save_dir=save_dir,
            project=project,
            # Lightning's own `offline` sets WANDB_MODE, for every later run of this process, too.
            mode=os.environ.get("WANDB_MODE", "offline") if offline else "online",
            entity=entity,
            group=group,
            job_type=job_type,
            tags=tags or [],
            # Its words are many; a line at the end (`where`) says what of them is needed. WANDB_SILENT=false has them.
            settings={} if "WANDB_SILENT" in os.environ else {"silent": True},
        )
        self._wandb_init.pop("anonymous", None)  # of Lightning's, and W&B warns of it

    def where(self, run: Any) -> str:
        """Where W&B's run is seen, or how it gets there; empty where W&B is switched off."""
        if run.settings.mode in OFFLINE:
            why = f"{self.reason}, so " if self.reason else ""
            folder = shlex.quote(os.path.relpath(run.settings.sync_dir))
            return f"W&B: {why}logged offline; upload it by: wandb sync {folder}"
        return f"W&B: {run.url}" if run.url else ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any]) -> None:  # type: ignore[override]
        """Log the configuration under `qsense`: a sweep's agent locks the names of its parameters (data, quant, …)."""
        run, folder = self.experiment, Path(self.save_dir or ".")
        run.config.update({"qsense": params}, allow_val_change=True)
        if run.settings.mode in OFFLINE or not (folder / run_folder.RECORD).is_file():
            return
        if isinstance(run.url, str):  # it is None where W&B is switched off
            run_folder.note_tracker(folder, "wandb", run.url)

    def log_adc(self, adc: dict[str, Any]) -> None:
        """Keep a learned converter as an artifact, one version per run: `adc.json` in `adc-<group>`."""
        import wandb

        artifact = wandb.Artifact(f"adc-{self.experiment.group or self.experiment.id}", type="adc", metadata=adc)
        with artifact.new_file("adc.json", encoding="utf-8") as file:
            json.dump(adc, file, indent=2, ensure_ascii=False)
        self.experiment.log_artifact(artifact)


class RunTrackioLogger(Logger):
    """A Trackio run for one qsense run, in Trackio's folder on this machine (TRACKIO_DIR); nothing leaves it.

    Args:
        project: Trackio project.
        save_dir: the run's folder.
        name: the run's name; None: that of `save_dir`.
        group: runs of one group are shown together.

    Raises:
        ModuleNotFoundError: Trackio is not installed.
    """

    def __init__(self, project: str, save_dir: str = ".", name: str | None = None, group: str | None = None) -> None:
        super().__init__()
        if find_spec("trackio") is None:
            raise ModuleNotFoundError("logger=trackio needs Trackio: pip install 'qsense[page]'")
        self.project = project
        self.run_name = name or Path(save_dir).resolve().name
        self.group = group
        self.run: Any = None

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str:
        return self.run_name

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any]) -> None:  # type: ignore[override]
        """Begin the run with its configuration; Trackio takes none later."""
        import trackio

        for elsewhere in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_WEBHOOK_URL"):
            os.environ.pop(elsewhere, None)
        self.run = trackio.init(
            self.project, self.run_name, self.group, config=params, embed=False, auto_log_gpu=False, auto_log_cpu=False
        )

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add to the run's curves."""
        if self.run is not None:
            self.run.log(dict(metrics), step=step)

    def log_picture(self, name: str, picture: Any) -> None:
        """Show a picture, [height, width, 3] in bytes."""
        import trackio

        if self.run is not None:
            self.run.log({name: trackio.Image(picture)})

    def end(self) -> None:
        """End the run; Trackio does not know of failures."""
        if self.run is not None:
            self.run.finish()
            self.run = None


# What Lightning, and a run, call of a logger while the run goes on.
GUARDED = ("log_metrics", "log_hyperparams", "log_graph", "log_image", "after_save_checkpoint", "save", "finalize")


def that_open(loggers: Iterable[Logger]) -> list[Logger]:
    """Those loggers that can be opened; whatever one of them raises from here on is a mishap, and ends no run."""
    opened = []
    for logger in loggers:
        name = _name(logger)
        for method in GUARDED:
            if hasattr(type(logger), method):
                setattr(logger, method, partial(_tolerantly, getattr(logger, method), name))
        with tolerated(name):
            getattr(logger, "experiment", None)  # W&B's run, TensorBoard's files
            opened.append(logger)
    return opened


def _tolerantly(method: Callable[..., Any], name: str, *arguments: Any, **named: Any) -> Any:
    with tolerated(name):
        return method(*arguments, **named)


def _name(logger: Logger) -> str:
    return f"the logger {type(logger).__name__}"


def log_adc(loggers: Iterable[Logger], adc: dict[str, Any]) -> None:
    """Keep a learned converter in every logger that has a place for one."""
    for logger in loggers:
        if isinstance(logger, RunWandbLogger):
            with tolerated("the converter as an artifact of W&B"):
                logger.log_adc(adc)


def log_result(loggers: Iterable[Logger], result: dict[str, Any]) -> None:
    """Put a run's result beside its curves, where a logger has a summary: what a table of runs is made from."""
    for logger in loggers:
        with tolerated(_name(logger)):
            if isinstance(logger, WandbLogger):
                logger.experiment.summary.update(figures(result))
            elif isinstance(logger, RunTrackioLogger):
                logger.log_metrics(figures(result))


def figures(result: dict[str, Any]) -> dict[str, float]:
    """The plain numbers of a run's result by the names that its curves have.

    >>> figures({"metrics": {"f1": 0.5}, "quantizer": {"gamma": [0.4, 0.3]}, "cost": {"macs": 7, "full_precision": {}}})
    {'test/f1': 0.5, 'learned/gamma_0': 0.4, 'learned/gamma_1': 0.3, 'cost/macs': 7.0}
    >>> figures({"metrics": {}, "sensing": {"basis": "model, not measured", "kbit_s": 1.2}})
    {'sensing/kbit_s': 1.2}
    """
    named = {f"test/{name}": value for name, value in result["metrics"].items()}
    for name, values in result.get("quantizer", {}).items():
        named |= {f"learned/{name}_{index}": value for index, value in enumerate(values)}
    for part in ("cost", "sensing", "rates"):
        named |= {f"{part}/{name}": value for name, value in (result.get(part) or {}).items()}
    return {name: float(value) for name, value in named.items() if isinstance(value, int | float)}


def why_offline(timeout: float = 2.0) -> str | None:
    """Why a run is logged offline (WANDB_MODE says so, or W&B cannot be reached), or None where it is not."""
    if os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    return why_unreachable(timeout)


def why_unreachable(timeout: float = 2.0) -> str | None:
    """Why W&B cannot be reached (no API key, or no answer within `timeout` seconds), or None where it can."""
    url = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    host = url.hostname or ""
    if not os.environ.get("WANDB_API_KEY") and not _netrc_knows(host):
        return "no API key (WANDB_API_KEY, or `wandb login`)"
    try:
        socket.create_connection((host, url.port or (80 if url.scheme == "http" else 443)), timeout).close()
    except OSError:
        return f"no answer from {host}"
    return None


def _netrc_knows(host: str) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC") or Path("~/.netrc").expanduser()).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def log_picture(loggers: Iterable[Logger], name: str, file: Path) -> None:
    """Show a picture, a PNG that is written already, in every logger that has a place for one."""
    showing = [logger for logger in loggers if isinstance(logger, WandbLogger | RunTrackioLogger | TensorBoardLogger)]
    if not showing:
        return
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for logger in showing:
        with tolerated(_name(logger)):
            if isinstance(logger, WandbLogger):
                logger.log_image(f"figures/{name}", [pixels])
            elif isinstance(logger, RunTrackioLogger):
                logger.log_picture(f"figures/{name}", pixels)
            else:
                logger.experiment.add_image(f"figures/{name}", pixels, dataformats="HWC")


def close(loggers: Iterable[Logger], failed: bool, said: Mapping[str, Any] | None = None) -> None:
    """End every logger's run; a W&B run left open would swallow the next run of a multirun.

    Args:
        loggers: of the run.
        failed: whether it has.
        said: `extra` of the log record that says where the run is seen.
    """
    for logger in loggers:
        with tolerated(_name(logger)):
            logger.finalize("failed" if failed else "success")
        with tolerated(_name(logger)):
            if isinstance(logger, WandbLogger) and logger._experiment is not None:  # never opened: nothing to close
                run = logger.experiment
                run.finish(exit_code=int(failed))
                if isinstance(logger, RunWandbLogger) and (where := logger.where(run)):
                    log.info("%s", where, extra=said)
            elif isinstance(logger, RunTrackioLogger):
                logger.end()
