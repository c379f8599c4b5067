"""Shared by all tests: command lines in processes of their own, and composed configurations."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import hypothesis
import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict
from PIL import Image
from tests import forking
from tests.forking import Forked, ForkServer

from qsense.experiment.compose import compose, hydra

# A program of servers of commands, no tests: it reads all of `conf` where it is imported.
collect_ignore = ["read_ahead.py"]
# One thread: results do not depend on the machine's cores, and parallel tests do not fight for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What tests print goes to no terminal, so its lines stay whole; parallel tests' processes are given a width.
os.environ.pop("COLUMNS", None)
# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@dataclass(frozen=True)
class Done:
    """What a command printed and returned, and which heavy packages its process had imported."""

    code: int
    out: str
    err: str
    heavy: frozenset[str]


Command = Callable[..., Done]
Begin = Callable[..., Forked | subprocess.Popen[bytes]]

# What a command needs before it needs anything heavy, and what it needs to train. Without wandb, which makes a folder
# when it is imported: the first forked process to end would remove it for all.
LIGHT = (
    "qsense.experiment.preflight",
    "qsense.experiment.checks",
    "qsense.study.summary",
    "hydra_plugins.qsense_sweeper",
    "read_ahead",
)
WARM = (*LIGHT, "lightning.pytorch", "torchvision", "sklearn.datasets", "qsense.experiment.build")


@contextmanager
def serving(*modules: str) -> Iterator[ForkServer | None]:
    """A server of commands; None where processes cannot be forked safely: commands then run without."""
    server = ForkServer(*modules) if sys.platform == "linux" else None
    yield server
    if server:
        server.close()


@pytest.fixture(scope="session")
def light_server() -> Iterator[ForkServer | None]:
    """It has imported nothing heavy."""
    with serving(*LIGHT) as server:
        yield server


@pytest.fixture(scope="session")
def warm_server() -> Iterator[ForkServer | None]:
    """It has imported all that a run needs."""
    with serving(*WARM) as server:
        yield server


def environment(folder: Path) -> dict[str, str]:
    """A user's environment with no data, one thread, and the cache inside `folder`."""
    kept = {key: value for key, value in os.environ.items() if key != "QSENSE_DATA"}
    return {**kept, "QSENSE_CACHE": str(folder / "cache"), "WANDB_MODE": "offline", "COLUMNS": "160"}


def start(
    server: ForkServer | None,
    command: Sequence[str],
    cwd: Path,
    variables: dict[str, str],
    out: IO[bytes],
    err: IO[bytes],
) -> Forked | subprocess.Popen[bytes]:
    """Start `python -m COMMAND`, forked from a server or cold."""
    if server:
        return server.start(command, cwd, variables, out, err)
    line = [sys.executable, forking.__file__, "run", *command]
    return subprocess.Popen(line, cwd=cwd, env=variables, stdout=out, stderr=err)


def run_command(server: ForkServer | None, command: Sequence[str], cwd: Path, variables: dict[str, str]) -> Done:
    """Run `python -m COMMAND` to its end."""
    with TemporaryFile() as out, TemporaryFile() as err:
        process = start(server, command, cwd, variables, out, err)
        try:
            code = process.wait(600)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        printed, mark, heavy = out.read().decode().rpartition("HEAVY:")
        return Done(
            code, printed if mark else heavy, err.read().decode(), frozenset(filter(None, heavy.strip().split(",")))
        )


def commands(server: ForkServer | None, folder: Path) -> Command:
    """Run `python -m MODULE ARGUMENTS` as a user would, in an empty folder and without any data."""

    def command(module: str, *arguments: str, cwd: Path = folder, **variables: str) -> Done:
        return run_command(server, [module, *arguments], cwd, environment(folder) | variables)

    return command


@pytest.fixture
def command(warm_server: ForkServer | None, tmp_path: Path) -> Command:
    """Run `python -m MODULE ARGUMENTS` in an empty folder and without any data; its imports are done already."""
    return commands(warm_server, tmp_path)


@pytest.fixture
def begin(warm_server: ForkServer | None, tmp_path: Path) -> Iterator[Begin]:
    """Begin `python -m MODULE ARGUMENTS` as `command` does, and leave it running; it ends with the test."""
    begun: list[Forked | subprocess.Popen[bytes]] = []
    with Path(os.devnull).open("wb") as nowhere:

        def begin(*command: str, **variables: str) -> Forked | subprocess.Popen[bytes]:
            begun.append(start(warm_server, command, tmp_path, environment(tmp_path) | variables, nowhere, nowhere))
            return begun[-1]

        yield begin
        for process in begun:
            process.kill()


@pytest.fixture
def light_command(light_server: ForkServer | None, tmp_path: Path) -> Command:
    """The same where nothing heavy is imported, unless the command does it: `heavy` tells."""
    return commands(light_server, tmp_path)


@pytest.fixture
def cold_command(tmp_path: Path) -> Command:
    """The same by a new interpreter, as a user's shell starts it: once for each kind of command."""
    return commands(None, tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without looking for garbage: there is none among modules and tests, but millions of objects to go through."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, or the last of several processes would end with one of them alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """Compose a configuration as `qsense.train` would, with its results under `tmp_path`."""

    def build(*overrides: str) -> DictConfig:
        config = compose([f"runs={tmp_path}/runs", *overrides])
        with open_dict(config):
            config.hydra.runtime.output_dir = str(tmp_path / "runs" / "run")
        HydraConfig.instance().set_config(config)
        return config

    HydraConfig.instance().cfg = None  # of another test, with its own folders of YAML files
    with hydra():
        yield build


@pytest.fixture
def fake_rawdet7(tmp_path: Path) -> Path:
    """A frame of one sensor in each part, of noise."""
    for part, number in (("train", 1), ("val", 2)):
        annotated, raw = (
            tmp_path / "rawdet7" / kind / part / "ZURICH" for kind in ("annotations_normal_json", "combined_raw")
        )
        annotated.mkdir(parents=True)
        raw.mkdir(parents=True)
        noise = np.random.default_rng(number).integers(0, 1 << 10, (128, 192)).astype(np.uint16)
        Image.fromarray(noise).save(raw / f"{number}.png")
        boxes = [{"class_name": "car", "bbox": [10, 20, 90, 80]}]
        document = {"image_path": f"{number}.jpg", "img_width": 192, "img_height": 128, "annotations": boxes}
        (annotated / f"{number}.json").write_text(json.dumps(document))
    return tmp_path / "rawdet7"
