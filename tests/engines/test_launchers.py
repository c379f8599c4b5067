"""What is answered before anything is launched: a missing package, and runs of several processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from omegaconf import DictConfig, OmegaConf
from tests.refusal import assert_names, refused

from hydra_plugins.qsense_ray import RayClusterLauncher
from qsense.experiment.checks import check_one_process
from qsense.experiment.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import Command

Compose = Callable[..., DictConfig]


@pytest.mark.parametrize(
    "options",
    [
        ["trainer.devices=2", "trainer.strategy=ddp"],
        ["trainer.devices=[0,1]"],
        ["trainer.devices='0,1'"],
        ["trainer=gpu", "trainer.devices=auto"],
        ["trainer=gpu", "trainer.devices=-1"],
        ["trainer.num_nodes=2"],
    ],
)
def test_runs_of_several_processes_are_refused_in_a_sweep(composed: Compose, options: list[str]) -> None:
    with refused(ConfigError, "hydra/launcher=workers", "slurm", "ray", "-m"):
        check_one_process(composed(*options))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["trainer.strategy=ddp"],
        ["trainer.devices=auto"],
        ["trainer=gpu"],
        ["trainer=gpu", "trainer.devices=[3]"],
        ["trainer=gpu", "trainer.devices='3,'"],
    ],
)
def test_runs_of_one_process_are_not(composed: Compose, options: list[str]) -> None:
    check_one_process(composed(*options))


def test_a_sweep_of_several_processes_is_refused_at_once(light_command: Command) -> None:
    options = ["trainer.devices=2", "trainer.strategy=ddp", "seed=0"]
    done = light_command("qsense.train", "-m", *options, "fold=0,1")
    assert done.code == 1
    assert_names(done.err.partition("error: ")[2], "trainer.devices=2")
    assert "Traceback" not in done.err
    assert not done.heavy
    alone = light_command("qsense.train", "-m", *options, "fold=0", "hydra.sweeper.dry_run=true", "run.preflight=false")
    assert alone.code == 0, alone.err


def test_without_ray_the_extra_is_named(composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[RayClusterLauncher.__module__], "find_spec", lambda name: None)
    launcher = RayClusterLauncher(OmegaConf.create())
    with refused(ConfigError, "pip install 'qsense[ray]'"):
        launcher.setup(hydra_context=None, task_function=print, config=composed("hydra/launcher=ray"))  # type: ignore[arg-type]
