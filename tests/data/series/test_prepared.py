"""Recordings as arrays: what they hold, and two processes that prepare them at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.series.prepared import prepared


def test_arrays_hold_the_recordings(memory: Any, tmp_path: Path) -> None:
    dataset = memory([[120, 73], [100]])
    arrays = prepared(dataset, tmp_path)
    assert arrays["bounds"].tolist() == [0, 120, 193, 293]
    assert arrays["subject"].tolist() == [0, 0, 1]
    assert arrays["filled"].tolist() == [0, 0, 1]
    for number, recording in enumerate(dataset.recordings()):
        part = slice(*arrays["bounds"][number : number + 2])
        np.testing.assert_array_equal(arrays["x"][part], recording.x)
        np.testing.assert_array_equal(arrays["y"][part], recording.y)
        np.testing.assert_array_equal(arrays["low"][number], recording.x.min(axis=0))
        np.testing.assert_array_equal(arrays["high"][number], recording.x.max(axis=0))


def test_a_cache_that_cannot_be_made_is_told(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(DataError, tmp_path / "file" / "cache", "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        prepared(memory([[100], [100]]), tmp_path / "file" / "cache")


START = """
import sys
from pathlib import Path
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.prepared import prepared
dataset = CSVActivityDataset(sys.argv[1], "Fake", 2, ["NULL", "walk", "run"], 50.0, 3, "g")
print(prepared(dataset, Path(sys.argv[2]))["x"].sum(), [m for m in sys.modules if m in ("torch", "lightning")])
"""


def test_two_processes_prepare_the_same_data_at_once(bundle: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", START, str(bundle), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(printed) == 1
    assert printed.pop().endswith(" []\n")  # reading and preparing imports no torch
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "cache").iterdir()) == ["fake", "fingerprints"]
