"""W&B without a key or a network, and loggers that are always closed."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.runs import folder as run_folder
from qsense.runs.loggers import RunTrackioLogger, RunWandbLogger, close, log_adc, log_picture, log_result, why_offline


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_without_a_key_it_is_offline() -> None:
    assert_names(why_offline() or "", "WANDB_API_KEY", "wandb login")


def test_with_a_key_but_no_network_it_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    assert_names(why_offline() or "", "127.0.0.1")


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
    url = "https://wandb.ai/lab/qsense/runs/1"
    settings = SimpleNamespace(mode="online")

    def __init__(self) -> None:
        self.codes: list[int] = []

    def finish(self, exit_code: int) -> None:
        self.codes.append(exit_code)


@pytest.mark.parametrize(("mode", "asked"), [("online", True), ("offline", False), ("dryrun", False)])
def test_wandb_is_asked_for_a_url_only_where_there_is_one(
    tmp_path: Path, mode: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(FakeExperiment):
        settings = SimpleNamespace(mode=mode)
        config: dict[str, Any]

        @property
        def url(self) -> str:  # type: ignore[override]
            assert asked, "W&B warns of it"
            return FakeExperiment.url

    logger, experiment = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True), Asked()
    experiment.config = SimpleNamespace(update=lambda *_, **__: None)  # type: ignore[assignment]
    monkeypatch.setattr(type(logger), "experiment", property(lambda self: experiment))
    run_folder.start(tmp_path, "bits: 2", [], None)
    logger.log_hyperparams({})
    assert run_folder.record(tmp_path).get("wandb") == (FakeExperiment.url if asked else None)


@pytest.mark.parametrize("failed", [False, True])
def test_closing_tells_wandb_how_it_ended(
    tmp_path: Path, failed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True)
    experiment: Any = FakeExperiment()
    monkeypatch.setattr(type(logger), "experiment", property(lambda self: self._experiment))
    monkeypatch.setattr(logger, "finalize", lambda status: None)
    logger._experiment = experiment
    with caplog.at_level("INFO", "qsense"):
        close([logger], failed)
    assert experiment.codes == [int(failed)]
    assert caplog.messages == ["W&B: https://wandb.ai/lab/qsense/runs/1"]


def test_a_logger_that_never_opened_is_not_opened_to_be_closed(tmp_path: Path) -> None:
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True)
    close([logger, CSVLogger(str(tmp_path))], failed=False)
    assert logger._experiment is None
    assert not (tmp_path / "wandb").exists()


def test_a_picture_goes_only_where_there_is_a_place_for_it(tmp_path: Path) -> None:
    file = tmp_path / "transfer.png"
    Image.new("P", (30, 20)).save(file)
    shown = TensorBoardLogger(str(tmp_path), name="tensorboard")
    log_picture([CSVLogger(str(tmp_path)), shown], "transfer", file)  # the first has none, and must not mind
    shown.experiment.flush()
    written = b"".join(events.read_bytes() for events in Path(shown.log_dir).glob("events*"))
    assert b"figures/transfer" in written


def test_an_offline_run_leaves_the_next_free_and_says_how_to_upload_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path))
    assert logger.experiment.settings.mode == "offline"
    with caplog.at_level("INFO", "qsense"):
        close([logger], failed=False)
    assert "WANDB_MODE" not in os.environ
    (attempt,) = tmp_path.glob("wandb/offline-run-*/")
    assert_names(caplog.text, "WANDB_API_KEY", "upload it by: wandb sync", attempt.name)
    said = capfd.readouterr()
    assert "wandb:" not in said.out + said.err, "W&B's own words are left out"


def test_a_result_and_a_converter_go_only_where_there_is_a_place_for_them(tmp_path: Path) -> None:
    others = [CSVLogger(str(tmp_path))]
    log_result(others, {"metrics": {"f1": 0.5}})
    log_adc(others, {"bits": 2})
    logger = RunWandbLogger("qsense", save_dir=str(tmp_path), offline=True)
    log_result([logger], {"metrics": {"f1": 0.5}, "quantizer": {"gamma": [0.4]}, "cost": {"bops": 7}})
    log_adc([logger], {"bits": 2})
    assert logger.experiment.summary["test/f1"] == 0.5
    assert logger.experiment.summary["learned/gamma_0"] == 0.4
    assert logger.experiment.summary["cost/bops"] == 7
    close([logger], failed=False)


def test_trackio_is_missed_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsense.runs.loggers.find_spec", lambda name: None)
    with refused(ModuleNotFoundError, "logger=trackio", "pip install 'qsense[page]'"):
        RunTrackioLogger("qsense")


ON_A_PAGE = """
import sys
reached = []
sys.addaudithook(lambda event, details: reached.append(details) if event == "socket.connect" else None)
from pathlib import Path
from PIL import Image
from qsense.runs import folder as run_folder
from qsense.runs.loggers import RunTrackioLogger, close, log_picture, log_result
Image.new("RGB", (30, 20)).save("transfer.png")
for name in ("run-a", "run-b"):
    logger = RunTrackioLogger("qsense", name, group="cell")
    logger.log_hyperparams({"bits": 2})
    logger.log_metrics({"train/loss": 0.5}, step=1)
    logger.log_metrics({"train/loss": 0.25}, step=2)
    log_picture([logger], "transfer", Path("transfer.png"))
    log_result([logger], {"metrics": {"f1": 0.75}})
    close([logger], failed=False)
assert not reached, reached
"""


def test_a_page_on_this_machine_has_the_curves_groups_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("trackio", reason="logger=trackio is an extra: pip install 'qsense[page]'")
    # A server elsewhere, which it must not even look for.
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path), "TRACKIO_SERVER_URL": "http://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", ON_A_PAGE], env=environment, cwd=tmp_path.parent, check=True, timeout=120)
    with sqlite3.connect(tmp_path / "qsense.db") as database:
        rows = [(run, json.loads(text)) for run, text in database.execute("SELECT run_name, metrics FROM metrics")]
        configs = [json.loads(text) for (text,) in database.execute("SELECT config FROM configs")]
    assert {run for run, _ in rows} == {"run-a", "run-b"}
    assert [row["train/loss"] for run, row in rows if run == "run-a" and "train/loss" in row] == [0.5, 0.25]
    assert [row["test/f1"] for run, row in rows if "test/f1" in row] == [0.75, 0.75]
    assert [(config["bits"], config["_Group"]) for config in configs] == [(2, "cell")] * 2
    assert len(list(tmp_path.rglob("*.png"))) == 2
