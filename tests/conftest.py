"""Shared by all tests: a command line in a process of its own, and composed configurations."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from qsense.experiment.compose import compose, hydra

# One thread: results do not depend on the machine's cores, and parallel tests do not fight for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True)
class Done:
    """What a command printed and returned, and which heavy packages it had imported."""

    code: int
    out: str
    err: str
    heavy: frozenset[str]


RUNNER = """
import atexit, runpy, sys
def report():
    print("HEAVY:" + ",".join(m for m in ("torch", "lightning", "wandb", "matplotlib") if m in sys.modules), flush=True)
atexit.register(report)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
Command = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `python -m MODULE ARGUMENTS` as a user would, in an empty folder and without any data."""

    def run(module: str, *arguments: str, cwd: Path = tmp_path, **environment: str) -> Done:
        clean = {key: value for key, value in os.environ.items() if key != "QSENSE_DATA"}
        clean |= {"QSENSE_CACHE": str(tmp_path / "cache"), "WANDB_MODE": "offline", "COLUMNS": "160"}
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, module, *arguments],
            cwd=cwd,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        out, _, heavy = done.stdout.rpartition("HEAVY:")
        return Done(done.returncode, out, done.stderr, frozenset(filter(None, heavy.strip().split(","))))

    return run


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
