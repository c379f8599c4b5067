"""Whole runs as a user starts them: what they leave, resuming, sweeping, failing, evaluating again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import torch
import yaml

if TYPE_CHECKING:
    from tests.conftest import Command

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]
SMALL += ["model.filters=4", "model.hidden=8", "logger=none", "callback.progress=null"]
BRIEF = [*SMALL, "trainer.max_epochs=2"]


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def test_what_a_run_leaves(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "trainer=smoke", "bits=2", "model.filters=4")
    assert done.code == 0, done.err
    run = only_run(tmp_path)
    assert run.name.startswith("synthetic_imu-gamma-2bit-fold00-seed0-")
    result = metrics(run)
    assert result["bits"] == 2
    assert result["steps"] == 3
    assert set(result["metrics"]) >= {"f1_sample", "f1_window"}
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["quant"]["sensor"]["bits"] == 2  # resolved
    assert config["choices"]["quant"] == "gamma"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert set(record["versions"]) >= {"torch", "lightning", "python"}
    learned = pd.read_csv(run / "learned.csv")
    assert list(learned.columns) == ["epoch", "gamma_0", "mu_0"]
    assert learned.epoch.tolist() == [0, 1]
    assert learned.gamma_0[0] == pytest.approx(0.4)
    assert learned.gamma_0[1] != learned.gamma_0[0]
    for picture in ("transfer", "trajectory", "confusion"):
        assert (run / "figures" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert "sensor.log_gamma" in checkpoint["state_dict"]
    assert list(run.glob("csv/*/metrics.csv"))
    assert list(run.glob("tensorboard/*/events*"))


def test_a_finished_run_is_not_trained_again(command: Command, tmp_path: Path) -> None:
    assert command("qsense.train", *BRIEF).code == 0
    result = only_run(tmp_path) / "metrics.json"
    before = result.stat().st_mtime_ns
    again = command("qsense.train", *BRIEF)
    assert again.code == 0
    assert "already finished" in again.out
    assert not again.heavy
    assert result.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_result_bit_for_bit(command: Command, tmp_path: Path) -> None:
    options = [*SMALL, "trainer.max_epochs=6", "quant=gamma_per_axis", "bits=3"]
    assert command("qsense.train", *options, "runs=whole").code == 0
    (whole,) = (tmp_path / "whole").iterdir()

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QSENSE_CACHE": str(tmp_path / "cache")}
    environment.pop("QSENSE_DATA", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "qsense.train", *options, "runs=killed"], cwd=tmp_path, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    learned = tmp_path / "killed" / whole.name / "learned.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if learned.is_file() and len(learned.read_text().splitlines()) >= 4:  # header, start, two epochs
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = tmp_path / "killed" / whole.name
    assert not (killed / "metrics.json").exists()
    resumed = command("qsense.train", *options, "runs=killed")
    assert resumed.code == 0, resumed.err
    assert "resuming from" in resumed.out
    assert (killed / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    assert (killed / "learned.csv").read_bytes() == (whole / "learned.csv").read_bytes()
    weights = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, killed)]
    for name, tensor in weights[0]["state_dict"].items():
        assert torch.equal(tensor, weights[1]["state_dict"][name]), name


def test_a_sweep_skips_what_is_finished_and_outlives_a_failure(command: Command, tmp_path: Path) -> None:
    options = ["-m", *BRIEF, "quant=linear,gamma", "bits=2", "seed=0", "fold=0,1"]
    # A file where the second run's folder of checkpoints has to be: that run fails, the others must not.
    first = command("qsense.train", *options, "trainer=smoke", "trainer.max_epochs=2", "runs=names")
    assert first.code == 0, first.err
    names = sorted(run.name for run in (tmp_path / "names").iterdir())
    assert len(names) == 4
    victim = next(name for name in names if "linear-2bit-fold01" in name)
    (tmp_path / "runs" / victim).mkdir(parents=True)
    (tmp_path / "runs" / victim / "checkpoints").write_text("in the way")
    options = [*options, "trainer=smoke", "trainer.max_epochs=2"]

    broken = command("qsense.train", *options)
    assert broken.code == 1
    assert "1 of 4 runs failed" in broken.err
    assert f"{victim}/failed.txt" in broken.err
    assert "Traceback" in (tmp_path / "runs" / victim / "failed.txt").read_text()
    finished = sorted(f.parent.name for f in (tmp_path / "runs").glob("*/metrics.json"))
    assert finished == [name for name in names if name != victim]

    times = {name: (tmp_path / "runs" / name / "metrics.json").stat().st_mtime_ns for name in finished}
    (tmp_path / "runs" / victim / "checkpoints").unlink()
    mended = command("qsense.train", *options)
    assert mended.code == 0, mended.err
    assert "4 runs: 3 finished, 1 to do" in mended.out
    assert "gamma" in mended.out  # the table
    assert times == {name: (tmp_path / "runs" / name / "metrics.json").stat().st_mtime_ns for name in finished}


def test_without_axes_a_sweep_takes_the_data_sets_folds_and_three_seeds(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "-m", "hydra.sweeper.dry_run=true", "quant=none,gamma")
    assert done.code == 0, done.err
    folds = yaml.safe_load((Path(__file__).parents[1] / "conf/data/synthetic_imu.yaml").read_text())
    count = 2 * 3 * int(folds["hydra"]["sweeper"]["params"]["fold"].removeprefix("range(").removesuffix(")"))
    assert f"{count} runs: 0 finished, {count} to do" in done.out
    assert not done.heavy


def test_evaluate_reproduces_exactly_and_says_when_it_cannot(command: Command, tmp_path: Path) -> None:
    assert command("qsense.train", *BRIEF, "bits=2").code == 0
    run = only_run(tmp_path)
    done = command("qsense.evaluate", str(run))
    assert done.code == 0, done.err
    assert "reproduced exactly" in done.out
    result = metrics(run)
    result["metrics"]["f1_sample"] += 1e-9
    (run / "metrics.json").write_text(json.dumps(result))
    done = command("qsense.evaluate", str(run))
    assert done.code == 1
    assert "not reproduced exactly" in done.err


def test_evaluate_names_what_is_missing(command: Command, tmp_path: Path) -> None:
    done = command("qsense.evaluate", str(tmp_path))
    assert done.code == 1
    assert "holds no metrics.json" in done.err
    assert not done.heavy


def test_a_part_that_refuses_its_arguments_is_shown_without_a_traceback(command: Command) -> None:
    done = command("qsense.train", "model.kernel=20", *BRIEF)
    assert done.code == 1
    assert "window=50 is too short" in done.err
    assert "Traceback" not in done.err


def test_wandb_offline_is_closed_run_by_run(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "-m", *BRIEF, "trainer=smoke", "logger=[csv,wandb]", "seed=0", "fold=0,1", "bits=2")
    assert done.code == 0, done.err
    files = sorted((tmp_path / "runs").glob("*/wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert len({file.parents[2] for file in files}) == 2
    for file in files:
        content = file.read_bytes()
        assert b"synthetic_imu-gamma-2bit" in content  # group
        assert b"figures/transfer" in content
        assert b"f1_sample" in content


@pytest.mark.parametrize("quant", ["none", "linear", "log", "gamma", "gamma_per_axis"])
def test_every_quantizer_trains(command: Command, quant: str) -> None:
    done = command("qsense.train", "trainer=smoke", "model.filters=4", f"quant={quant}", "logger=none")
    assert done.code == 0, done.err


def test_amp_and_gradient_clipping_come_from_lightning(command: Command, tmp_path: Path) -> None:
    done = command(
        "qsense.train", *BRIEF, "trainer=smoke", "trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.5"
    )
    assert done.code == 0, done.err
    assert metrics(only_run(tmp_path))["steps"] == 3


def test_two_processes_train_one_run(command: Command, tmp_path: Path) -> None:
    # Lightning's own data-parallel strategy, on two CPU processes.
    done = command("qsense.train", *BRIEF, "trainer=smoke", "trainer.devices=2", "+trainer.strategy=ddp")
    assert done.code == 0, done.err
    assert metrics(only_run(tmp_path))["steps"] == 3
