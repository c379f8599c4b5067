"""A finished run exported from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import Command, environment, run_command
from tests.forking import ForkServer
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused

from qsense.commands.export import main
from qsense.commands.freeze import main as freeze

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
SMALL += ["model.hidden=8", "logger=none", "callback.progress=null", "trainer.max_epochs=1", *NO_PICTURES]
TEXTS = "format=json,csv,c,verilog,registers,vectors,datasheet"
NAME = "synthetic_imu_gamma_per_axis_2bit"
Export = Callable[..., str]


def train(server: ForkServer | None, folder: Path, *options: str) -> Path:
    done = run_command(
        server, ["qsense.train", *SMALL, f"runs={folder / 'runs'}", *options], folder, environment(folder)
    )
    assert done.code == 0, done.err
    (run,) = (folder / "runs").iterdir()
    return run


def unwrapped(text: str) -> str:
    """Its words, wherever its lines end: on a screen they have 80 columns."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def trained(warm_server: ForkServer | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(warm_server, tmp_path_factory.mktemp("export"), "quant=gamma_per_axis", "bits=2")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    copy = tmp_path / trained.name
    shutil.copytree(trained, copy)
    return copy


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Export:
    def call(*arguments: object) -> str:
        main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return call


def test_every_text_form(run: Path, export: Export, tmp_path: Path) -> None:
    said = export(run, TEXTS, "full_scale_volts=3.3")
    assert_names(said, 12, "native_bits=", -4, "4 g")
    files = {file.name for file in (run / "export").iterdir()}
    assert files == {
        "adc.json", "thresholds.csv", "levels.csv", "lut.csv", f"{NAME}.h", f"{NAME}_test.c", f"{NAME}.v",
        f"{NAME}_tb.v", f"{NAME}_lut.hex", "registers.txt", f"{NAME}_vectors.hex", "datasheet.html",
    }  # fmt: skip
    assert all(name in said for name in files)
    content = json.loads((run / "export" / "adc.json").read_text())
    recorded = json.loads((run / "adc.json").read_text())  # what the run itself kept of its converter
    assert content["network_sees"]["thresholds"] == recorded["thresholds"]
    assert content["learned"] == recorded["learned"]
    assert content["sensor"].items() <= recorded.items(), "one form of a converter"
    assert content["simulated"] is True
    for row, own in zip(content["rows"], recorded["thresholds"], strict=True):
        assert row["thresholds"] == pytest.approx([4 * t for t in own])  # ±4 g became ±1
    assert "SIMULATED DATA" in (run / "export" / "datasheet.html").read_text()
    export(run, TEXTS, "full_scale_volts=3.3", f"out={tmp_path / 'again'}")
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (run / "export" / name).read_bytes(), name


def test_settings(run: Path, export: Export, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = export(run, "format=json", f"out={out}", "name=my_adc", "native_bits=10", "full_scale=-8,8")
    assert "assumed" not in said
    assert [file.name for file in out.iterdir()] == ["adc.json"]
    content = json.loads((out / "adc.json").read_text())
    assert content["name"] == "my_adc"
    assert (content["native"]["bits"], content["native"]["low"], content["native"]["high"]) == (10, -8.0, 8.0)
    export(run, "format=json,c", f"out={out}", "coding=twos_complement", "native_bits=10", "full_scale=-8,8")
    content = json.loads((out / "adc.json").read_text())
    assert (content["native"]["coding"], content["native"]["black"]) == ("two's complement", -512)
    export("--format", "registers,json", "--out", out, "--native-bits", "10", "--full-scale", "-8,8", run)  # as options
    assert (out / "registers.txt").is_file()
    assert json.loads((out / "adc.json").read_text())["native"]["low"] == -8.0


@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxscript") is None or find_spec("onnxruntime") is None, reason="no ONNX installed")
def test_check_compares_all_forms(run: Path, export: Export) -> None:
    said = unwrapped(export(run, "format=c", "--check"))
    expected = ["PyTorch, every native count", "PyTorch, every native count as float32, normalised as in training"]
    expected += ["PyTorch, floats", "ONNX, every native count", "ONNX, floats"]
    expected += ["ONNX, codes of a test batch", "ONNX, logits of a test batch"]
    expected += ["C, every native count", "C, floats in the sensor's unit"] if shutil.which("gcc") else []
    expected += ["Verilog"] if shutil.which("iverilog") else []
    for what in expected:
        assert f"{what}: passed: " in said
    assert "3,000,000 codes, 0 differences" in said
    assert unwrapped((run / "export" / "conformance.txt").read_text()) in said
    before = (run / "export" / "network.onnx").read_bytes()
    export(run, "format=onnx")
    assert (run / "export" / "network.onnx").read_bytes() == before


def test_check_fails_where_forms_differ(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from qsense.chip.conformance import Check

    monkeypatch.setattr("qsense.chip.export.models", lambda *_: {})
    monkeypatch.setattr("qsense.chip.export.check", lambda *_: [Check("C", False, "1 differences")])
    assert main([str(run), "format=json", "--check"]) == 1
    assert capsys.readouterr().err == "the forms do not agree\n"
    assert (run / "export" / "conformance.txt").read_text() == "C: FAILED: 1 differences\n"


def test_without_the_onnx_packages(run: Path, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    said = export(run, "format=onnx,json")
    assert_names(said, "ONNX", "onnx", "onnxscript", "pip install 'qsense[export]'")
    assert not list((run / "export").glob("*.onnx"))


def test_mistakes_are_answered(light_command: Command, tmp_path: Path) -> None:
    """Before torch is imported."""
    for arguments, named in (
        (["nowhere"], ("nowhere", "metrics.json")),
        (
            ["nowhere", "format=pdf"],
            ("--format", "'pdf'", "json, csv, c, verilog, registers, vectors, onnx, datasheet"),
        ),
        (["nowhere", "name=2x"], ("--name", "'2x'", "a–z, 0–9", "_")),
        (["nowhere", "name=reg"], ("--name", "'reg'", "C", "Verilog")),
        (["nowhere", "--full-scale", "-8,-9"], ("--full-scale", "'-8,-9'", "LOW,HIGH")),
        (["nowhere", "full_scale=2"], ("--full-scale", "'2'", "LOW,HIGH")),
        (["nowhere", "full_scale=2,1"], ("--full-scale", "'2,1'", "LOW,HIGH")),
        (["nowhere", "coding=twos"], ("--coding", "no twos:", "offset", "twos_complement")),
        (["nowhere", "full_scale_volts=0"], ("--full-scale-volts", "'0'", 0)),
        (["nowhere", "formt=c"], ("--formt=c",)),
    ):
        done = light_command("qsense", "export", *arguments)
        assert done.code != 0
        assert_names(done.err.partition("error: ")[2], *named)
        assert not done.heavy
    assert "name=value" in light_command("qsense", "export", "--help").out


def test_a_folder_does_not_say_where_to_write(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "export").symlink_to(tmp_path)
    with refused(ValueError, "export", tmp_path, "--out"):
        main([str(tmp_path / "run")])


def test_options_that_contradict_the_run(run: Path, export: Export) -> None:
    with refused(ValueError, "native_bits=99", 1, 32):
        export(run, "format=json", "native_bits=99")


def test_a_sensor_that_is_not_quantized(warm_server: ForkServer | None, tmp_path: Path, export: Export) -> None:
    run = train(warm_server, tmp_path, "quant=none")
    with refused(ValueError, run.name):
        export(run)


@pytest.fixture(scope="module")
def with_memory(warm_server: ForkServer | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(warm_server, tmp_path_factory.mktemp("memory"), "quant=adpcm", "bits=1", "quant/network=fat")


def test_a_converter_with_memory(with_memory: Path, export: Export, tmp_path: Path) -> None:
    name = "synthetic_imu_adpcm_fat_1bit"
    said = export(with_memory, TEXTS, "full_scale_volts=3.3", f"out={tmp_path / 'one'}")
    files = {
        "adc.json", "constants.csv", f"{name}.h", f"{name}_test.c", f"{name}.v", f"{name}_tb.v", "registers.txt",
        f"{name}_vectors.hex", "datasheet.html",
    }  # fmt: skip
    assert {file.name for file in (tmp_path / "one").iterdir()} == files
    assert all(file in said for file in files)
    assert_names(said, 12, "quant.sensor.native_bits", "data.normalise=range")
    content = json.loads((tmp_path / "one" / "adc.json").read_text())
    assert content["bits_per_sample"] == 1
    assert all(row["snr_db"] > 3 for row in content["rows"])
    export(with_memory, TEXTS, "full_scale_volts=3.3", f"out={tmp_path / 'again'}")
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "one" / file).read_bytes(), file


def test_what_training_decided_cannot_be_an_option(with_memory: Path, export: Export) -> None:
    with refused(ValueError, "native_bits=10", 12, "quant.sensor.native_bits=10"):
        export(with_memory, "format=json", "native_bits=10")
    with refused(ValueError, "full_scale=-2,2", "data.normalise"):
        export(with_memory, "format=json", "full_scale=-2,2")


@pytest.mark.slow
def test_a_converter_with_memory_is_checked_and_frozen(with_memory: Path, export: Export, tmp_path: Path) -> None:
    said = unwrapped(export(with_memory, "format=c,verilog", "--check", f"out={tmp_path}"))
    expected = ["the kernel, vectors", "PyTorch, what the network sees"]
    expected += ["NumPy, the run's recordings", "C, the run's recordings"] if shutil.which("gcc") else []
    expected += ["Verilog, the run's recordings"] if shutil.which("iverilog") else []
    if find_spec("onnxscript") and find_spec("onnxruntime"):
        expected += ["ONNX, logits of the quantized network in float64"]
    for what in expected:
        assert f"{what}: passed: " in said
    assert unwrapped((tmp_path / "conformance.txt").read_text()) in said
    assert freeze([str(with_memory)]) == 0


def test_without_its_data_a_check_takes_random_walks(
    with_memory: Path, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: object) -> None:
        raise FileNotFoundError("the data went away")

    monkeypatch.setattr("qsense.data.series.module.HARDataModule.prepare_data", lost)
    monkeypatch.setattr("qsense.chip.memory.conformance.SAMPLES", 3000)
    monkeypatch.setattr("qsense.chip.memory.conformance.SIMULATED", 300)
    said = export(with_memory, "format=json,c", "--check", f"out={tmp_path}")
    assert_names(said, "the data went away", "random walks")
    assert json.loads((tmp_path / "adc.json").read_text())["rows"][0]["snr_db"] is None
