"""Weights & Biases as a logger that works without a key or a network; closing whatever loggers a run has."""

from __future__ import annotations

import netrc
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


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
        if offline is None:
            reason = why_offline()
            if reason:
                print(f"wandb: {reason}, so this run is logged offline; upload it later with `wandb sync`")
            offline = reason is not None
        super().__init__(
            name=name or Path(save_dir).resolve().name,
            save_dir=save_dir,
            project=project,
            offline=offline,
            entity=entity,
            group=group,
            job_type=job_type,
            tags=tags or [],
        )

    def log_hyperparams(self, params: dict[str, Any]) -> None:  # type: ignore[override]
        """Log the configuration under `qsense`: a sweep's agent locks the names of its parameters (data, quant, …)."""
        self.experiment.config.update({"qsense": params}, allow_val_change=True)


def why_offline(timeout: float = 2.0) -> str | None:
    """Why W&B cannot be reached (no API key, or no answer within `timeout` seconds), or None where it can."""
    if os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
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


def log_figure(loggers: Iterable[Logger], name: str, figure: Figure) -> None:
    """Show a picture in every logger that has a place for one."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(f"figures/{name}", [_image(figure)])
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_figure(f"figures/{name}", figure, close=False)


def _image(figure: Figure) -> object:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def close(loggers: Iterable[Logger], failed: bool) -> None:
    """End every logger's run; a W&B run left open would swallow the next run of a multirun."""
    for logger in loggers:
        logger.finalize("failed" if failed else "success")
        if isinstance(logger, WandbLogger) and logger._experiment is not None:  # never opened: nothing to close
            logger.experiment.finish(exit_code=int(failed))
