"""A finished run is trained for longer as if it had been asked for that at first, or refused for one reason."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from tests.quick import NO_PICTURES
from tests.refusal import refused
from tests.results import whole_result

from qsense.experiment.continuing import check_resume_from
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import data_fingerprint, resolved, run_id
from qsense.runs import folder as run_folder
from qsense.runs.checkpoints import CHECKPOINT
from qsense.train import train

Compose = Callable[..., DictConfig]
BRIEF = ["data.dataset.minutes=2", "data.dataset.sessions=1", "data.dataset.subjects=2", "model.filters=4"]
BRIEF += ["model.hidden=4", "threads=1", "callback.progress=null", *NO_PICTURES, "logger=none"]
BRIEF += ["trainer=smoke", "trainer.max_steps=-1"]
# By what is named: what differs from the run that was trained for 30 epochs and 300 steps.
UNLIKE: dict[str, list[str]] = {
    "data.batch_size": ["data.batch_size=64"],
    "trainer.accumulate_grad_batches": ["trainer.accumulate_grad_batches=2"],
    "trainer.precision": ["trainer.precision=bf16-mixed"],
    "trainer.gradient_clip_val": ["trainer.gradient_clip_val=1"],
    "task.lr": ["task.lr=0.5"],
    "quant.sensor.bits": ["bits=2"],
    "quant.sensor._target_": ["quant=mulaw"],
    "quant.network._target_": ["quant/network=fat"],
    "model.filters": ["model.filters=8"],
    "data.dataset.minutes": ["data.dataset.minutes=3"],
    "seed": ["seed=1"],
    "fold": ["fold=1"],
    "callback.stop._target_": ["+callback.stop={_target_: lightning.pytorch.callbacks.Timer}"],
    "trainer.max_epochs": ["trainer.max_epochs=30"],
    "trainer.max_epochs=7": ["trainer.max_epochs=7"],
    "trainer.max_steps": ["trainer.max_steps=300"],
    "init_from": ["init_from=elsewhere"],
}


@pytest.fixture
def source(composed: Compose, tmp_path: Path) -> Path:
    """A run that was trained for 30 epochs, as far as its folder says."""
    run = tmp_path / "source"
    (run / CHECKPOINT).parent.mkdir(parents=True)
    with zipfile.ZipFile(run / CHECKPOINT, "w") as archive:
        archive.writestr("last/data.pkl", b"")
    config = composed(*BRIEF)
    run_folder.start(run, OmegaConf.to_yaml(resolved(config, HydraConfig.get())), [], data_fingerprint(config))
    run_folder.finish(run, whole_result(epochs=30, steps=300))
    return run


def longer(source: Path, *overrides: str) -> list[str]:
    return [*BRIEF, f"resume_from={source}", *([] if "max_epochs" in str(overrides) else ["trainer.max_epochs=60"]),
            *overrides]  # fmt: skip


def test_more_epochs_are_all_that_may_differ(composed: Compose, source: Path) -> None:
    check_resume_from(composed(*BRIEF))  # not asked for
    for overrides in (
        [],
        ["data.num_workers=1"],
        ["callback.adc=null"],
        ["trainer.max_steps=400"],
        ["sensing.walden_fj=20"],
    ):
        check_resume_from(composed(*longer(source, *overrides)))


@pytest.mark.parametrize("named", UNLIKE)
def test_another_experiment_is_refused(composed: Compose, source: Path, named: str) -> None:
    with refused(ConfigError, f"resume_from={source}", named):
        check_resume_from(composed(*longer(source, *UNLIKE[named])))


@pytest.mark.parametrize("fault", ["checkpoint", "result", "config.yaml", "settings", "data", "folder"])
def test_a_run_that_cannot_be_gone_on_from_is_refused(composed: Compose, source: Path, fault: str) -> None:
    named = {"checkpoint": "last.ckpt", "result": "metrics.json", "data": "data_fingerprint", "folder": "last.ckpt"}
    if fault == "checkpoint":
        (source / CHECKPOINT).write_bytes(b"damaged")
    elif fault == "result":
        (source / "metrics.json").unlink()
    elif fault == "config.yaml":
        (source / "config.yaml").write_text("[")
    elif fault == "settings":
        (source / "config.yaml").write_text("bits: 2\n")
    elif fault == "data":
        record = json.loads((source / "run.json").read_text())
        (source / "run.json").write_text(json.dumps(record | {"data_fingerprint": "another"}))
    else:
        source = source / "nowhere"
    with refused(ConfigError, f"resume_from={source}", named.get(fault, "config.yaml")):
        check_resume_from(composed(*longer(source)))


def test_it_counts_for_a_runs_name_where_it_is_set(composed: Compose, source: Path) -> None:
    names = [run_id(composed(*BRIEF, *more)) for more in ([], ["resume_from=null"], [f"resume_from={source}"])]
    assert names[0] == names[1] != names[2]
    elsewhere = composed(*BRIEF, f"resume_from=/elsewhere/{source.name}")
    assert run_id(elsewhere) == names[2]


def test_longer_is_what_it_would_have_been_at_first(composed: Compose, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    train(composed(*BRIEF, "trainer.max_epochs=3"))
    (runs / "run").rename(runs / "whole")
    train(composed(*BRIEF, "trainer.max_epochs=1"))
    (runs / "run").rename(runs / "half")
    before = {file: file.stat().st_mtime_ns for file in (runs / "half").rglob("*")}
    train(composed(*BRIEF, f"resume_from={runs / 'half'}", "trainer.max_epochs=3"))
    whole, longer = (run_folder.result(runs / name) for name in ("whole", "run"))
    assert {**whole, "run": longer["run"]} == longer
    assert longer["epochs"] == 3
    assert (runs / "whole" / "learned.csv").read_bytes() == (runs / "run" / "learned.csv").read_bytes()
    assert before == {file: file.stat().st_mtime_ns for file in (runs / "half").rglob("*")}
