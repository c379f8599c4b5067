"""A finished run exported as a firmware, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.chip.firmware.building import needs_gcc
from tests.commands.test_export import train
from tests.conftest import Command
from tests.forking import ForkServer
from tests.refusal import assert_names, refused

from qsense.commands.export import main


@pytest.fixture(scope="module")
def trained(warm_server: ForkServer | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ["quant/sensor=gamma", "quant/network=integer", "bits=2", "network_bits=4"]
    return train(warm_server, tmp_path_factory.mktemp("firmware"), *options)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    copy = tmp_path / trained.name
    shutil.copytree(trained, copy)
    return copy


@needs_gcc
def test_firmware_is_written_compared_and_said(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([str(run), "format=firmware", "majority=3", "name=wrist", "--check"]) == 0
    said, hints = capsys.readouterr()
    folder = run / "export" / "firmware"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert_names(said, f"firmware/: {len(files)} files")
    assert said.count("\n") < 24, "more than a screen"
    assert_names(hints, f"make -C {folder} test", f"qsense stream {run}")
    assert_names(said, "Firmware wrist", "MACs", "flash", "RAM", "f1_sample", "trained in integers", "majority of 3")
    assert {file.name for file in (run / "export").iterdir()} == {"firmware", "conformance.txt"}, "no other form"
    record = json.loads((run / "export" / "firmware" / "firmware.json").read_text())
    recorded = json.loads((run / "metrics.json").read_text())["metrics"]["f1_sample"]
    assert (record["name"], record["majority"], record["arithmetic"]) == ("wrist", 3, "integer")
    assert record["test"]["recorded"] == recorded
    assert record["test"]["scores"]["task"]["f1_sample"] == pytest.approx(recorded, abs=1e-12)
    assert record["test"]["scores"]["integers"] == record["test"]["scores"]["task"]
    assert record["test"]["windows_of_another_class"]["integers"] == 0
    assert [check["passed"] for check in record["conformance"]] == [True] * 4
    assert record["counts"]["macs"] < record["counts"]["macs_alone"]
    windows = record["test"]["windows"]
    checked = f"C on whole test recordings: passed: {windows} windows (start, class, margin, majority), 0 differences"
    assert checked in " ".join(said.split())
    conformance = (run / "export" / "conformance.txt").read_text()
    assert " ".join(conformance.split()) in " ".join(said.split())
    assert max(map(len, said.replace(str(run), "RUN").splitlines())) <= 80


@needs_gcc
def test_beside_other_forms(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsense.chip.export.check", lambda *_: [])
    monkeypatch.setattr("qsense.chip.export.models", lambda *_: {})
    assert main([str(run), "format=json,firmware", "coding=twos_complement"]) == 0
    assert (run / "export" / "adc.json").is_file()
    record = json.loads((run / "export" / "firmware" / "firmware.json").read_text())
    assert (record["name"], record["conformance"]) == ("synthetic_imu_gamma_integer_2bit", None)
    assert record["native"]["twos_complement"] is True
    assert "int16_t qs_sample" in (run / "export" / "firmware" / "src" / "qs_model.h").read_text()
    said, hints = capsys.readouterr()
    assert_names(said, "adc.json", "firmware/:")
    assert_names(hints, "--format=json,firmware --coding=twos_complement --check", "make -C")


def test_differences_are_an_error(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from qsense.chip.conformance import Check

    monkeypatch.setattr("qsense.chip.firmware.conformance.by_c", lambda *_: Check("C", False, "1 differences"))
    assert main([str(run), "format=firmware", "--check"]) == 1
    assert capsys.readouterr().err == "the forms do not agree\n"
    record = json.loads((run / "export" / "firmware" / "firmware.json").read_text())
    assert record["conformance"][-1] == {"what": "C", "passed": False, "detail": "1 differences"}


def test_contradictions_are_refused_at_once(light_command: Command, tmp_path: Path) -> None:
    for arguments, named in (
        (["nowhere", "format=firmware", "majority=2"], ("--majority", "'2'", "odd")),
        (["nowhere", "format=firmware", "majority=101"], ("--majority", "'101'", 1, 99)),
        (["nowhere", "format=json", "majority=3"], ("majority=3", "format=firmware")),
        (["nowhere", "majority=3"], ("majority=3", "format=firmware")),
        (["nowhere", "format=firmware", "full_scale_volts=3.3"], ("full_scale_volts=3.3",)),
        (["nowhere", "format=firmwar"], ("--format", "'firmwar'", "firmware", "firmware")),  # meant, and allowed
    ):
        done = light_command("qsense", "export", *arguments)
        assert done.code != 0
        assert_names(done.err, *named)
        assert "torch" not in done.heavy


def test_options_that_contradict_the_sensor(run: Path) -> None:
    with refused(ValueError, "native_bits=99", 1, 32):
        main([str(run), "format=firmware", "native_bits=99"])
    with refused(ValueError, "full_scale=-8,8,9"):
        from qsense.chip.export import export
        from qsense.chip.origin import origin
        from qsense.experiment.load import load

        export(load(run), origin(run), run / "out", ("firmware",), full_scale=(-8, 8, 9))
