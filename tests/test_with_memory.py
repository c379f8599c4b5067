"""Whole runs with a converter that has memory: swept, killed, evaluated, reported, and used from Python."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused

import qsense
from qsense.commands.export import main as export
from qsense.data.series.module import HARDataModule
from qsense.experiment.load import next_steps
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.whole import WholeConverter

if TYPE_CHECKING:
    from tests.conftest import Begin, Command

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "bits=2"]
SMALL += ["model.filters=4", "model.hidden=8", "logger=none", "callback.progress=null", "trainer.max_epochs=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> qsense.TrainedRun:
    folder = tmp_path_factory.mktemp("memory")
    return qsense.train([*SMALL, *NO_PICTURES, "quant=dpcm", f"runs={folder}", f"data.cache={folder}/cache"])


@pytest.mark.slow
def test_a_sweep_over_folds_and_memories_and_its_report(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "-m", *SMALL, "quant=dpcm,adpcm", "fold=0,1", "seed=0")
    assert done.code == 0, done.err
    folders = sorted((tmp_path / "runs").glob("*/"))
    assert len(folders) == 4
    for folder in folders:
        assert {file.name for file in (folder / "figures").iterdir()} == {
            "stream.png",
            "confusion.png",
            "first_batch.png",
        }
        adc = json.loads((folder / "adc.json").read_text())
        assert (adc["data"], len(adc["channels"])) == ("Synthetic IMU", 3)
        assert (folder / "cost.csv").is_file()
    again = command("qsense", "evaluate", str(folders[0]))
    assert again.code == 0, again.err
    assert "reproduced exactly" in again.out
    done = command("qsense", "report", "runs", "--compare", "dpcm", "adpcm")
    assert done.code == 0, done.err
    assert_names(done.out, "dpcm 2 bit", "adpcm 2 bit")
    table = pd.read_csv(tmp_path / "report" / "report.csv")
    assert sorted(zip(table["quant"], table["bits"], table["runs"], strict=True)) == [("adpcm", 2, 2), ("dpcm", 2, 2)]
    page = command("qsense", "report", "runs", "--html", "page")
    assert page.code == 0, page.err
    assert "dpcm 2 bit" in (tmp_path / "page" / "index.html").read_text()
    caches = [entry.name for entry in (tmp_path / "cache").iterdir() if "-fit-" in entry.name]
    assert len(caches) == 4


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_result_bit_for_bit(command: Command, begin: Begin, tmp_path: Path) -> None:
    options = [*SMALL, *NO_PICTURES, "trainer.max_epochs=6", "quant=adpcm", "quant.sensor.refresh=50"]
    assert command("qsense.train", *options, "runs=whole").code == 0
    (whole,) = (tmp_path / "whole").iterdir()
    process = begin("qsense.train", *options, "runs=killed", QSENSE_CACHE=str(tmp_path / "other_cache"))
    killed = tmp_path / "killed" / whole.name
    checkpoint = killed / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not checkpoint.is_file():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "metrics.json").exists()
    resumed = command("qsense.train", *options, "runs=killed")
    assert resumed.code == 0, resumed.err
    assert_names(resumed.out, f"{killed.name}/checkpoints/last.ckpt")
    for name in ("metrics.json", "adc.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_windows_are_predicted_from_their_start_and_recordings_as_in_the_test(run: qsense.TrainedRun) -> None:
    run.data.setup("test")
    (recording,) = [r for r in run.data.dataset.recordings() if r.subject == run.data.fold]
    run.data.convert(run.converter)
    tested = torch.cat([run.task.predict(batch.x) for batch in run.data.test_dataloader()])
    predicted = run.predict_recording(recording.x)
    torch.testing.assert_close(predicted, tested, atol=1e-6, rtol=0)
    before = recording.x.copy()
    window = run.predict(recording.x[:50])
    torch.testing.assert_close(window, tested[0], atol=1e-6, rtol=0)  # the recording's own start
    assert not torch.allclose(run.predict(recording.x[100:150]), tested[4], atol=1e-6)
    several = run.predict(np.stack([recording.x[:50], recording.x[100:150]]))
    torch.testing.assert_close(several[1], run.predict(recording.x[100:150]), atol=1e-6, rtol=0)
    assert (recording.x == before).all()


def test_what_is_predicted_has_been_converted(run: qsense.TrainedRun) -> None:
    assert isinstance(run.converter, MemoryConverter)
    x = np.random.default_rng(0).normal(0, 0.5, (50, 3)).astype(np.float32)
    low, high = (torch.tensor(run.result["statistics"][end]) for end in ("low", "high"))
    normalised = (2 * (torch.from_numpy(x) - low) / (high - low) - 1).clamp(-1, 1)
    seen = run.converter.decode(run.converter.encode(normalised))
    torch.testing.assert_close(run.predict(x), run.task.predict(seen[None])[0], atol=1e-5, rtol=0)
    assert not torch.allclose(run.predict(x), run.task.predict(normalised[None])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("x", "named"),
    [
        (np.full((60, 3), np.nan), ("NaN",)),
        (np.zeros((49, 3)), ([49, 3], 50)),
        (np.zeros((60, 2)), ([60, 2], 3)),
        (np.zeros((1, 60, 3)), ([1, 60, 3],)),
    ],
)
def test_no_recording(run: qsense.TrainedRun, x: Any, named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        run.predict_recording(x)


def test_missing_samples_are_refused_in_windows(run: qsense.TrainedRun) -> None:
    with refused(ValueError, "NaN"):
        run.predict(np.full((50, 3), np.nan))


def test_recordings_of_tables_with_gaps_and_short_ones(tmp_path: Path) -> None:
    """One file a subject; a gap too long to fill divides a recording, and a piece is shorter than a window."""
    rng = np.random.default_rng(0)
    for subject in range(3):
        x = np.sin(np.arange(600)[:, None] / (5 + subject) + [0, 1]) + rng.normal(0, 0.02, (600, 2))
        table = pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "label": np.where(np.arange(600) // 100 % 2, "walk", "sit")})
        table.loc[30:32, "x"] = np.nan  # filled
        table.loc[200:399, "y"] = np.nan  # not to be filled
        table.loc[440:639, "y"] = np.nan  # 40 samples are left between
        table.to_csv(tmp_path / f"{subject}.csv", index=False)
    data = [
        "data=csv_har", f"data.dataset.root={tmp_path}", "data.dataset.axes=[x,y]", "data.dataset.labels=[sit,walk]",
        "data.dataset.rate_hz=50", "data.dataset.subjects=3", "data.dataset.files='{subject}.csv'",
        "data.dataset.unit=g", f"data.cache={tmp_path}/cache", f"runs={tmp_path}/runs",
    ]  # fmt: skip
    options = [
        *data,
        *[option for option in SMALL if "dataset" not in option],
        *NO_PICTURES,
        "callback.checkpoint=null",
        "quant=adpcm",
    ]
    run = qsense.train(options)
    statistics = run.result["statistics"]
    assert statistics["recordings_too_short"] > 0
    assert statistics["samples_filled"] > 0
    assert run.evaluate()["metrics"] == run.metrics
    assert isinstance(run.data, HARDataModule)
    _, stream, bounds = run.data.test_stream()
    assert np.isfinite(stream.values).all()
    assert np.diff(bounds).tolist() == [200, 40]


@pytest.mark.parametrize("quant", ["mipi", "pisp", "row_dpcm"])
def test_frames_are_predicted_as_their_receiver_decodes_them(quant: str, tmp_path: Path) -> None:
    brief = ["task=detection", "trainer=smoke", "logger=none", "callback.progress=null", *NO_PICTURES]
    run = qsense.train([*brief, f"quant={quant}", "bits=3", f"runs={tmp_path}", f"data.cache={tmp_path}/cache"])
    run.data.prepare_data()
    run.data.setup("test")
    codes = run.data.dataset.codes(run.data.dataset.frames("test")[0])
    assert isinstance(run.converter, WholeConverter)
    decoded = run.data.received(run.converter.received_frames(torch.from_numpy(codes)[None]), run.result["statistics"])
    (expected,) = run.task.predict(decoded)
    found = run.predict(codes)
    for key in ("boxes", "scores", "labels"):
        torch.testing.assert_close(found[key], decoded.unscaled([expected])[0][key])
    assert run.result["bits"] == (3 if quant == "row_dpcm" else 8)
    offered = {command[0] for command, _ in next_steps(run.folder, run.config)}
    assert ("export" in offered) == (run.folder / "adc.json").is_file() == (quant == "row_dpcm")
    if name := {"mipi": "MipiDPCM", "pisp": "PiSP"}.get(quant):
        with refused(ValueError, name, "export"):
            export([str(run.folder)])
