"""W&B's own commands, unmodified, against a server on this machine: sweeps, agents, runs, and uploads afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.quick import NO_PICTURES
from tests.wandb_server import Server, serving

pytestmark = pytest.mark.slow
SWEEPS = Path(__file__).parents[1] / "sweeps"
BIN = Path(sys.executable).parent
QUICK = ["trainer=smoke", "callback.network_figures=null"]
SMALL = ["data.dataset.minutes=4", "data.dataset.subjects=2", *QUICK]
PATIENCE_S = 600  # a busy machine takes minutes; it only keeps a failed test from hanging


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state
        assert state.unknown == []


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> dict[str, str]:
    """A user with a key for the server and nothing else: no settings, no other server, no reports to its makers."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    return {
        **clean,
        "HOME": str(tmp_path),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "QSENSE_CACHE": str(tmp_path / "cache"),
        "WANDB_API_KEY": "x" * 40,
        "WANDB_BASE_URL": server.url,
        "WANDB_ERROR_REPORTING": "false",
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in an empty folder; whatever is left of it, its children included, ends with the test."""
    begun: list[subprocess.Popen[str]] = []

    def run(*command: str, **more: str) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env={**environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return begun[-1]

    yield run
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


Start = Callable[..., subprocess.Popen[str]]


def done(process: subprocess.Popen[str]) -> str:
    """What a command printed, once it has ended well by itself."""
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    return out


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.1)


def runs_of(agent: subprocess.Popen[str]) -> list[int]:
    """Processes that an agent has started for its run, but for W&B's own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = b"-m\0qsense" in (folder / "cmdline").read_bytes() and os.getsid(int(folder.name)) == agent.pid
        except OSError:  # it has ended
            continue
        if ours:
            found.append(int(folder.name))
    return found


def shrunk(tmp_path: Path, name: str, fixed: list[str], **axes: dict[str, Any]) -> Path:
    """A file of `sweeps/` with seconds of work in place of hours: its program and command, other parameters."""
    sweep = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())
    *command, arguments = sweep["command"]
    sweep["command"] = [*(entry for entry in command if entry != "trainer=gpu"), *fixed, arguments]
    sweep["parameters"] |= axes
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    return file


TABLE2: dict[str, dict[str, Any]] = {
    "experiment": {"value": "gamma_quant_har"},
    "data": {"value": "synthetic_imu"},
    "quant": {"value": "gamma"},
    "seed": {"value": 0},
}


def results(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(tmp_path.glob("runs/*/metrics.json"))]


def test_an_agent_trains_every_fold_of_a_grid_point_and_goes(start: Start, server: Server, tmp_path: Path) -> None:
    file = shrunk(tmp_path, "gamma_quant_table2", [*SMALL, "fold=0,1"], **TABLE2, bits={"values": [2]})
    assert "wandb agent tester/qsense/sweep0" in done(start("wandb", "sweep", str(file)))
    done(start("wandb", "agent", "tester/qsense/sweep0"))

    (name,) = server.sweeps["sweep0"].run_names
    point = server.runs[name]
    assert (point.exit_code, point.config["bits"], point.job_type) == (0, 2, "mean")
    folds = [result["metrics"] for result in results(tmp_path)]
    assert len(folds) == 2
    for name in folds[0]:
        assert point.summary[f"test/{name}"] == pytest.approx(sum(fold[name] for fold in folds) / 2)
    assert point.summary["folds/finished"] == 2
    assert point.config["qsense"]["choices"]["quant"] == "gamma"
    assert "fold" not in point.config["qsense"]
    # Its folds stand beside it, as runs of their own that no sweep counts.
    each = [run for run in server.runs.values() if run is not point]
    assert [(run.job_type, run.sweep, run.exit_code) for run in each] == [("train", None, 0)] * 2
    for run in each:
        assert run.group == point.group
        assert {"har", "synthetic_imu", "gamma"} == set(run.tags)
        assert run.config["qsense"]["seed"] == 0
        curves = {name for row in run.history for name in row}
        assert {"train/loss", "val/loss", "learned/gamma_0", "test/f1_sample", "figures/transfer"} <= curves
        assert run.summary["cost/bops"] > 0
        assert [name for name in run.files if name.startswith("media/images/figures/transfer")]
        (adc,) = [kept for kept in server.artifacts.values() if given(kept, run.name, "adc")]
        assert adc["committed"]
        assert adc["artifactCollectionName"] == f"adc-{run.group}"
    kept = [json.loads(content) for path, content in server.stored.items() if path.endswith("adc.json")]
    assert [len(adc["levels"]) for adc in kept] == [4, 4]


def given(artifact: dict[str, Any], run: str, kind: str) -> bool:
    return bool(artifact["runName"] == run and artifact["artifactTypeName"] == kind)


def test_a_killed_run_costs_its_grid_point_and_the_next_sweep_makes_up(
    start: Start, server: Server, tmp_path: Path
) -> None:
    quick = [*SMALL, *NO_PICTURES, "fold=0,1", "logger.csv=null"]
    file = shrunk(tmp_path, "gamma_quant_table2", quick, **TABLE2, bits={"values": [2, 4]})
    done(start("wandb", "sweep", str(file)))
    agent = start("wandb", "agent", "tester/qsense/sweep0")
    wait_for(lambda: list(tmp_path.glob("runs/*-2bit-*/run.json")), agent)
    for pid in runs_of(agent):
        os.kill(pid, signal.SIGKILL)
    done(agent)
    killed, whole = (server.runs[name] for name in server.sweeps["sweep0"].run_names)
    assert (killed.exit_code, whole.exit_code) == (None, 0)  # W&B calls a run that went silent crashed
    assert {result["bits"] for result in results(tmp_path)} == {4}

    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("runs/*/metrics.json")}
    done(start("wandb", "sweep", str(file)))
    done(start("wandb", "agent", "tester/qsense/sweep1"))
    made_up, again = (server.runs[name] for name in server.sweeps["sweep1"].run_names)
    assert (made_up.exit_code, again.exit_code) == (0, 0)
    assert len(results(tmp_path)) == 4
    # What was finished is trained by nobody again, and still stands in the new sweep with its result.
    assert before == {file: file.stat().st_mtime_ns for file in before}
    assert again.summary["test/f1_sample"] == whole.summary["test/f1_sample"]
    assert again.group == whole.group


def test_a_run_that_its_user_stops_is_stopped_in_good_order(start: Start, server: Server, tmp_path: Path) -> None:
    long = [*SMALL, *NO_PICTURES, "fold=0,1", "logger.csv=null", "trainer.max_steps=100000", "trainer.max_epochs=1000"]
    file = shrunk(tmp_path, "gamma_quant_table2", long, **TABLE2, bits={"values": [2]})
    done(start("wandb", "sweep", str(file)))
    agent = start("wandb", "agent", "tester/qsense/sweep0")
    wait_for(lambda: list(tmp_path.glob("runs/*/checkpoints/last.ckpt")), agent)
    server.sweeps["sweep0"].stopping.update(server.sweeps["sweep0"].run_names)
    done(agent)
    assert {run.exit_code for run in server.runs.values()} == {1}
    (record,) = tmp_path.glob("runs/*/run.json")
    assert json.loads(record.read_text())["status"] == "interrupted"


def test_a_single_run_is_the_grid_point_itself_and_one_that_fails_says_so(
    start: Start, server: Server, tmp_path: Path
) -> None:
    axes: dict[str, dict[str, Any]] = {
        "experiment": {"value": "fat_cifar10"},
        "quant.network.transform": {"value": "none"},
        "task.lr": {"values": [0.1, 1e30]},
        "bits": {"value": 4},
        "seed": {"value": 0},
    }
    file = shrunk(tmp_path, "fat_table2", [*QUICK, "data=digits"], **axes)
    done(start("wandb", "sweep", str(file)))
    done(start("wandb", "agent", "tester/qsense/sweep0"))
    good, bad = server.runs.values()
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert {good.sweep, bad.sweep} == {"sweep0"}
    assert {good.job_type, bad.job_type} == {"train"}
    assert good.summary["test/top1"] == results(tmp_path)[0]["metrics"]["top1"]
    assert "test/top1" not in bad.summary
    addresses = {json.loads(record.read_text()).get("wandb") for record in tmp_path.glob("runs/*/run.json")}
    assert {str(address).rpartition("/")[2] for address in addresses} == {good.name, bad.name}


def test_what_was_logged_offline_is_uploaded_later_once(start: Start, server: Server, tmp_path: Path) -> None:
    train = ["python", "-m", "qsense.train", *SMALL, *NO_PICTURES, "logger=wandb"]
    done(start(*train, "quant=gamma", "bits=2", WANDB_MODE="offline"))
    assert server.runs == {}
    sync = ["python", "-m", "qsense", "sync"]
    assert "to upload: runs/synthetic_imu-gamma-2bit" in done(start(*sync, "--dry-run"))
    assert server.runs == {}
    assert "1 uploaded, 0 uploaded before, 0 still running" in done(start(*sync))
    (run,) = server.runs.values()
    assert run.exit_code == 0
    assert run.summary["test/f1_sample"] == results(tmp_path)[0]["metrics"]["f1_sample"]
    assert "0 uploaded, 1 uploaded before" in done(start(*sync, WANDB_MODE="offline"))
    assert len(server.runs) == 1
    assert list(tmp_path.glob("runs/*/wandb/offline-run-*/run-*.wandb"))  # still there
    (record,) = tmp_path.glob("runs/*/run.json")
    assert "wandb" not in json.loads(record.read_text()), "it was shown nowhere"
