"""What a measurement adds to a run's own firmware, and what it leaves there; the boards are in tests/device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.firmware import Subject
from tests.commands.test_export import train
from tests.forking import ForkServer

from qsense.chip.export import export
from qsense.chip.firmware.reference import classify
from qsense.chip.origin import origin
from qsense.experiment.load import load
from qsense.study.run import read_run


@pytest.fixture(scope="module")
def run(warm_server: ForkServer | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ["quant/sensor=gamma", "quant/network=integer", "bits=2", "network_bits=4"]
    return train(warm_server, tmp_path_factory.mktemp("measured"), *options)


def found(differing: int = 0) -> dict[str, Any]:
    """What a board says, as far as it is recorded."""
    return {
        "core": "Cortex-M4", "board": "mps2", "compiler": "gcc 12.2", "options": "-Os", "windows": 1200,
        "windows_differing": differing, "flash": {"total": 20_000}, "ram": {"state": 900, "stack": 300},
        "instructions": {"prediction": {"mean": 1e6}, "push": {"worst": 5e5}},
    }  # fmt: skip


def test_a_measurement_is_added_to_what_was_exported(run: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "name": "wrist", "majority": 3, "native_bits": 10, "full_scale": [-8, 8], "coding": "twos_complement",
    }  # fmt: skip
    firmware = export(load(run), origin(run), run / "export", ("firmware",), **options).firmware
    assert firmware is not None
    file = firmware.folder / "firmware.json"
    check = {"what": "C", "passed": True, "detail": "0 differences"}
    firmware.record["conformance"] = [check]
    firmware.save()
    before = json.loads(file.read_text())
    assert before["options"] == options
    subject = Subject(run, tmp_path, record=True)
    assert json.loads(file.read_text()) == before, "nothing is lost where a board fails"
    for recording, expected in zip(subject.recordings, subject.expected, strict=True):
        assert expected.majority.tolist() == classify(subject.plan, recording, 3).majority.tolist()
    for differing in (1, 0):  # measured again
        subject.record(found(differing))
    after = json.loads(file.read_text())
    assert after["conformance"] == [check, {
        "what": "firmware, Cortex-M4 (mps2, emulated)", "passed": True,
        "detail": "1,200 windows (start, class, margin, majority), 0 differences",
    }]  # fmt: skip
    assert after["measured"]["instructions"] == 1e6
    assert {key for key in after if after[key] != before[key]} == {"conformance", "measured", "energy"}
    assert "#define QS_MAJORITY 3" in (firmware.folder / "src" / "qs_model.h").read_text()
    assert read_run(run).cost["firmware_flash"] == 20_000


def test_without_an_export_it_has_the_usual_options(run: Path, tmp_path: Path) -> None:
    subject = Subject(run, tmp_path)
    assert subject.firmware.folder == tmp_path / "firmware"
    assert subject.firmware.record["majority"] == 1
