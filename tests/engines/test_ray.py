"""A Ray cluster of two nodes on this machine: one dies in the middle of a sweep, and no run is lost or trained twice.

`make test-ray` installs what this needs.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf
from tests.engines.sweeps import (
    LONG_S,
    SHORT,
    begun_lately,
    environment,
    finished,
    printed,
    start,
    starts,
    under_way,
    wait_until,
    worker_of,
)
from tests.refusal import assert_names, refused

import qsense
from hydra_plugins.qsense_ray import outcome

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by Linux's /proc"),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make test-ray"),
]
NODE = "QSENSE_TEST_NODE"  # in the environment of all processes of a node, so that they are found


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as each:
        each.bind(("", 0))
        return int(each.getsockname()[1])


@dataclass
class Cluster:
    """Nodes with one core each, on loopback addresses of their own.

    Attributes:
        folder: where `ray start` is called, which is not where sweeps are.
        temporary: Ray's own files; a short path, as its sockets' names are limited to 107 characters.
        token: what tells a node from those of other clusters, and lets nobody else in.
    """

    folder: Path
    temporary: Path
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    network: str = field(default_factory=lambda: f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}")
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Of the head."""
        return f"{self.network}.1:{self.port}"

    def start_node(self, number: int) -> None:
        """Start a node; the first is the head."""
        head = ["--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self.temporary}"]
        line = [str(Path(sys.executable).with_name("ray")), "start", f"--node-ip-address={self.network}.{number}"]
        line += ["--min-worker-port=0", "--max-worker-port=0"]  # free ones
        line += ["--num-cpus=1", "--num-gpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
        line += head if number == 1 else [f"--address={self.address}"]
        variables = {**environment(self.folder), **self.variables(), NODE: f"{self.token}-{number}"}
        variables.pop("PYTHONPATH", None)  # the sweep has to bring its own
        done = subprocess.run(line, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def variables(self) -> dict[str, str]:
        """What a user sets, at the nodes and at the sweep."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def processes(self, number: int | None = None) -> list[int]:
        """Those of a node, or of all."""
        mark = f"{NODE}={self.token}-{number or ''}".encode()
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # one that has ended meanwhile, or another user's
                if any(variable.startswith(mark) for variable in file.read_bytes().split(b"\0")):
                    found.append(int(file.parts[2]))
        return found

    def kill(self, number: int | None = None) -> None:
        """Kill a node's processes, or all, as a failing machine does."""
        deadline = time.monotonic() + 20
        while (processes := self.processes(number)) and time.monotonic() < deadline:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes, gone after the tests whatever happens."""
    folder = tmp_path_factory.mktemp("ray")
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as temporary:
        nodes = Cluster(folder, Path(temporary))
        try:
            nodes.start_node(1)
            nodes.start_node(2)
            yield nodes
        finally:
            nodes.kill()


def ray_sweep(cluster: Cluster, folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start a sweep on the cluster."""
    address = f"hydra.launcher.ray.init.address={cluster.address}"
    ours = {"PYTHONPATH": str(Path(qsense.__file__).parents[1]), **cluster.variables()}
    return start(folder, *SHORT, "hydra/launcher=ray", address, *arguments, **{**ours, **variables})


def test_a_node_that_dies_costs_no_run(cluster: Cluster, tmp_path: Path) -> None:
    options = ["trainer.max_epochs=25", "seed=0,1", "fold=0,1"]
    sweep = ray_sweep(cluster, tmp_path, *options)

    def on_second_node() -> list[Path]:
        dying = cluster.processes(2)
        return [run for run in begun_lately(tmp_path) if worker_of(run) in dying]

    wait_until(lambda: bool(finished(tmp_path) and on_second_node()), tmp_path, sweep, LONG_S)
    (victim,) = on_second_node()
    before = finished(tmp_path)
    cluster.kill(2)
    assert sweep.wait(LONG_S) == 0, printed(tmp_path)  # Ray starts the lost run again, on the node that is left
    after = finished(tmp_path)
    assert len(after) == 4
    assert victim.name not in before
    assert after.items() >= before.items()  # not trained again
    assert starts(tmp_path) == {name: 2 if name == victim.name else 1 for name in after}
    assert "resuming from" in (victim / "train.log").read_text()

    again = ray_sweep(cluster, tmp_path, *options)
    assert again.wait(LONG_S) == 0, printed(tmp_path)
    assert finished(tmp_path) == after


def test_runs_share_a_gpu_and_one_that_ray_gives_up_stops_no_other(cluster: Cluster, tmp_path: Path) -> None:
    options = ["trainer.max_epochs=25", "seed=0", "fold=0,1", "hydra.launcher.ray.remote.max_retries=0"]
    options += ["hydra.launcher.ray.remote.num_cpus=0.5", "hydra.launcher.ray.remote.num_gpus=0.5"]
    sweep = ray_sweep(cluster, tmp_path, *options)
    wait_until(
        lambda: len(under_way(tmp_path)) == 2, tmp_path, sweep, LONG_S
    )  # of one node with one GPU, or so it says
    victim, other = under_way(tmp_path)
    worker = worker_of(victim)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    assert sweep.wait(LONG_S) == 1
    said = printed(tmp_path)
    assert f"{victim.name} failed" in said
    assert "1 of 2 runs did not finish; the same command goes on with them" in said
    assert victim.name in said.rpartition("did not finish")[2]
    before = finished(tmp_path)
    assert list(before) == [other.name]

    again = ray_sweep(cluster, tmp_path, *options)
    assert again.wait(LONG_S) == 0, printed(tmp_path)
    after = finished(tmp_path)
    assert len(after) == 2
    assert after.items() >= before.items()
    assert starts(tmp_path) == {victim.name: 2, other.name: 1}
    assert "resuming from" in (victim / "train.log").read_text()


def test_a_cluster_that_is_not_there_or_lets_nobody_in_is_said(cluster: Cluster, tmp_path: Path) -> None:
    sweep = ray_sweep(cluster, tmp_path, "trainer=smoke", "seed=0", "fold=0", RAY_AUTH_TOKEN="another")
    assert sweep.wait(LONG_S) == 1
    assert_names(printed(tmp_path), f"hydra.launcher.ray.init.address={cluster.address}", "RAY_AUTH_MODE=token")


def test_why_a_run_could_not_start_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def nowhere(job: str) -> None:
        raise ray.exceptions.RayTaskError("run", "Traceback …", FileNotFoundError("no /sweep")).as_instanceof_cause()

    monkeypatch.setattr("ray.get", nowhere)
    lost = outcome("job", OmegaConf.create({"hydra": {"overrides": {"task": ["seed=1"]}}}))
    assert lost.status == JobStatus.FAILED
    with refused(FileNotFoundError, "no /sweep"):
        _ = lost.return_value
