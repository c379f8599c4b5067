"""Trained runs on emulated boards: their whole recordings, from the sensor's converter to the class.

Recordings are SBHAR's where QSENSE_DATA has them, else the built-in data's.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from benchmarks.firmware import main
from tests.conftest import environment, run_command
from tests.device.emulator import BOARDS
from tests.forking import ForkServer
from tests.quick import NO_PICTURES

from qsense.study.run import read_run

pytestmark = pytest.mark.device
DATA = Path(os.environ.get("QSENSE_DATA", ""))
SBHAR = "QSENSE_DATA" in os.environ and (DATA / "sbhar").is_dir()
QUICK = ["logger=none", "callback.progress=null", "trainer.max_epochs=1", "trainer.limit_train_batches=100"]
RUNS = {
    "a small network, a converter without memory": ["model=tiny_conv", "quant=lloyd_max", "bits=2"],
    "an LSTM, a converter with memory": ["model=deepconvlstm_small", "quant=adpcm", "bits=1"],
}


@pytest.mark.parametrize("name", RUNS)
def test_whole_recordings(name: str, warm_server: ForkServer | None, tmp_path: Path) -> None:
    data = ["data=sbhar", "fold=3", f"data.dataset.root={DATA / 'sbhar'}"] if SBHAR else ["fold=0"]
    options = [*RUNS[name], *data, "quant/network=integer", *QUICK, *NO_PICTURES, f"runs={tmp_path / 'runs'}"]
    done = run_command(warm_server, ["qsense.train", *options], tmp_path, environment(tmp_path))
    assert done.code == 0, done.err
    (run,) = (tmp_path / "runs").iterdir()
    boards = [board.name for board in BOARDS.values() if not board.missing]
    measuring = ["--recordings=1", "--record", f"--out={tmp_path / 'measured'}", "--board", *boards]
    assert main([str(run), *measuring]) == 0, "a window differs from the reference"
    for file in (tmp_path / "measured").iterdir():
        measured = json.loads(file.read_text())
        assert measured["windows_differing"] == 0
        assert measured["windows"] > (600 if SBHAR else 50)
        assert measured["classes"] > 1
        assert measured["ram"]["stack"] <= measured["ram"]["stack_bound"]
        if measured["board"] == boards[0]:
            cost, sizes = read_run(run).cost, (measured["flash"]["total"], measured["ram"]["state"])
            assert (cost["firmware_flash"], cost["firmware_ram"]) == sizes
            assert cost["firmware_instructions"] == measured["instructions"]["prediction"]["mean"]
