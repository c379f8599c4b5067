"""W&B without a key or a network, and loggers that are always closed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from matplotlib.figure import Figure

from qsense.loggers import RunWandbLogger, close, log_figure, why_offline


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_without_a_key_it_is_offline() -> None:
    assert "no API key" in (why_offline() or "")


def test_with_a_key_but_no_network_it_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    assert why_offline() == "no answer from 127.0.0.1"


def test_with_a_key_and_a_server_it_is_online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert why_offline() is None


def test_a_mode_set_by_hand_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert why_offline() == "WANDB_MODE=offline"


class FakeExperiment:
    def __init__(self) -> None:
        self.codes: list[int] = []

    def finish(self, exit_code: int) -> None:
        self.codes.append(exit_code)


@pytest.mark.parametrize("failed", [False, True])
def test_closing_tells_wandb_how_it_ended(tmp_path: Path, failed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True)
    experiment: Any = FakeExperiment()
    monkeypatch.setattr(type(logger), "experiment", property(lambda self: self._experiment))
    monkeypatch.setattr(logger, "finalize", lambda status: None)
    logger._experiment = experiment
    close([logger], failed)
    assert experiment.codes == [int(failed)]


def test_a_logger_that_never_opened_is_not_opened_to_be_closed(tmp_path: Path) -> None:
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True)
    close([logger, CSVLogger(str(tmp_path))], failed=False)
    assert logger._experiment is None
    assert not (tmp_path / "wandb").exists()


def test_a_picture_goes_only_where_there_is_a_place_for_it(tmp_path: Path) -> None:
    figure = Figure()
    log_figure([CSVLogger(str(tmp_path))], "transfer", figure)  # has none, and must not mind
