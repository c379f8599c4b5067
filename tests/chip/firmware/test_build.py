"""From runs to plans: what the task computes, the tables say, and NumPy and C compute after them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.chip.converters import a_run
from tests.chip.firmware.building import needs_gcc
from tests.chip.firmware.runs import a_trained_run, built, converter_of, origin
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names, refused

from qsense.chip.export import export as export_run
from qsense.chip.firmware import conformance, reference
from qsense.chip.firmware.build import Built, check_suitable, native_of
from qsense.chip.firmware.export import export
from qsense.chip.firmware.inputs import NEVER, as_trained
from qsense.chip.firmware.project import write
from qsense.chip.firmware.tested import on_test_windows
from qsense.experiment.load import TrainedRun
from qsense.quant.network.integer import extract
from qsense.quant.sensor.memory.pisp import PiSP
from qsense.signal import Signal

RUNS = {
    "one curve per axis": ["quant=gamma_per_axis", "bits=2"],
    "shared, standardised": ["quant=gamma", "bits=4", "task.standardise=true"],
    "10 bits: thresholds of codes": ["quant=linear", "bits=10"],
    "its own range per axis": ["quant=lloyd_max", "bits=3", "data.normalise=train"],
    "codes for the network": ["quant=gamma", "bits=3", "quant.sensor.output=code", "task.standardise=true"],
    "DPCM": ["quant=dpcm", "bits=2", "task.standardise=true"],
    "DPCM that refreshes": ["quant=dpcm", "bits=3", "quant.sensor.refresh=8", "data.normalise=range"],
    "ADPCM, 1 bit": ["quant=adpcm", "bits=1"],
    "no converter": ["quant=none"],
    "no converter, nothing normalised": ["quant=none", "data.normalise=none", "task.standardise=true"],
    "not normalised": ["quant=linear", "bits=3", "data.normalise=none"],
    "FAT": ["quant=gamma_fat", "bits=4"],
    "uniform weights": ["quant/sensor=gamma", "quant/network=uniform_weights", "bits=3", "network_bits=3"],
    "trained in integers": ["quant/sensor=gamma", "quant/network=integer", "bits=2", "network_bits=4"],
    "trained in integers, 8-bit states": [
        "quant/sensor=dpcm", "quant/network=integer", "bits=2", "network_bits=4", "quant.network.state_bits=8"
    ],
}  # fmt: skip

RARER = ("shared, standardised", "its own range per axis", "DPCM", "no converter, nothing normalised", "not normalised",
         "uniform weights", "trained in integers")  # fmt: skip
SLOW_TOO = [pytest.param(name, marks=pytest.mark.slow) if name in RARER else name for name in RUNS]
TwoBits = tuple[TrainedRun, Built, Any]  # a run, its firmware, its test windows


def write_project(made: Built, folder: Path, majority: int = 1) -> Path:
    for path, text in write(made.plan, a_run(), majority).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode(errors="backslashreplace"))
    return folder


@needs_gcc
@pytest.mark.parametrize("name", SLOW_TOO)
def test_task_tables_reference_and_c_agree(name: str, tmp_path: Path) -> None:
    run = a_trained_run(*RUNS[name], model="tiny_conv" if "DPCM" in name else "deepconvlstm")
    made = built(run)
    tested = on_test_windows(run, made, majority=3)
    checks = conformance.check(write_project(made, tmp_path, 3), made, tested)
    assert [check.detail for check in checks if not check.passed] == []
    assert len(checks) == 2 + (made.plan.converter is not None) + ("integers" in name)
    assert tested.windows == len(run.data.part("test"))
    assert set(tested.scores) == {"task", "integers", "firmware", "majority"}
    assert len(np.unique(reference.windows(made.plan, np.zeros((60, 3), np.int64)))) > 1


@pytest.mark.parametrize("name", ["trained in integers", "no converter"])
def test_scores_are_those_of_the_test(name: str) -> None:
    run = a_trained_run(*RUNS[name])
    tested = on_test_windows(run, built(run))
    with torch.no_grad():
        for batch in run.data.test_dataloader():
            run.task.test_score.update(run.task(batch.x), batch.y, batch.covered)
    assert tested.scores["task"] == run.task.test_score.compute()
    if name == "trained in integers":
        assert tested.scores["integers"] == tested.scores["task"]


def test_input_codes_of_counts_are_those_of_training() -> None:
    """Count by count, by training's own normalisation, standardisation and first layer."""
    run = a_trained_run("quant=none", "data.normalise=train", "task.standardise=true")
    made = built(run)
    plan = made.plan
    assert plan.input.table is None
    counts = np.random.default_rng(0).integers(0, 1 << plan.native.bits, (500, 3))
    found = reference.input_codes(plan, reference.converted(plan, counts))
    ends = (run.result["statistics"]["low"], run.result["statistics"]["high"])
    for c in range(3):
        x = torch.from_numpy(as_trained(counts[:, c], plan.native, ends, 3))
        own = extract.input_codes(made.network, run.task.input_of(x[None]))[0, :, c].numpy()
        assert np.array_equal(found[:, c], own)
    assert len(np.unique(found)) > 50


def test_thresholds_that_no_number_reaches() -> None:
    plan = built(a_trained_run("quant=none")).plan
    assert plan.input.thresholds is not None
    assert plan.input.thresholds.shape == (3, plan.network.input_high - plan.network.input_low)
    reached = plan.input.thresholds[plan.input.thresholds != NEVER]
    assert reached.max() < 1 << plan.native.bits
    assert (np.diff(plan.input.thresholds, axis=1) >= 0).all()


@needs_gcc
@pytest.mark.parametrize("quant", [["quant=none"], ["quant=gamma", "bits=2"], ["quant=dpcm", "bits=2"]])
def test_samples_in_twos_complement(quant: list[str], tmp_path: Path) -> None:
    run = a_trained_run(*quant)
    made = built(run, twos_complement=True)
    assert made.plan.native.twos_complement
    tested = on_test_windows(run, made)
    check = conformance.by_c(write_project(made, tmp_path), made, tested)
    assert check.passed, check.detail


@needs_gcc
def test_a_log_hears_how_far_the_compiled_program_is(
    two_bits: TwoBits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qsense.runs.progress.FIRST_S", 0.0)  # no work is too short to be told of
    _, made, tested = two_bits
    assert conformance.by_c(write_project(made, tmp_path), made, tested).passed
    assert_names(caplog.text, "firmware", f"1 of {tested.windows}", "left")


@needs_gcc
def test_a_check_says_why_the_compiled_program_ended(
    two_bits: TwoBits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many windows it had told of before."""
    late = CompletedProcess([], -9, "0 0 1 2 3\n" * 1000, "it did not end within 600 seconds")
    monkeypatch.setattr(conformance, "listened_to", lambda *_: late)
    _, made, tested = two_bits
    check = conformance.by_c(write_project(made, tmp_path), made, tested)
    assert check.passed is False
    assert_names(check.detail, 600)


@pytest.fixture(scope="module")
def two_bits() -> TwoBits:
    """A run behind a curve of 2 bits, its firmware, and its test windows."""
    run = a_trained_run("quant=gamma", "bits=2")
    made = built(run)
    return run, made, on_test_windows(run, made)


@needs_gcc
def test_c_that_computes_something_else_is_found(two_bits: TwoBits, tmp_path: Path) -> None:
    _, made, tested = two_bits
    folder = write_project(made, tmp_path)
    numbers = folder / "src" / "qs_model.c"
    text = numbers.read_text()
    before = "classifier_bias[10] = {\n"
    assert before in text
    numbers.write_text(text.replace(before, f"{before}    1000000 +"))
    check = conformance.by_c(folder, made, tested)
    assert check.passed is False
    assert f"{tested.windows} differences" in check.detail
    numbers.write_text(text + "\nint wrong(void) { return missing; }\n")
    check = conformance.by_c(folder, made, tested)
    assert check.passed is False
    assert "missing" in check.detail


def test_without_a_compiler_c_is_not_checked(
    two_bits: TwoBits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made, tested = two_bits
    monkeypatch.setattr("shutil.which", lambda _: None)
    check = conformance.by_c(tmp_path, made, tested)
    assert check.passed is None
    assert "gcc" in check.detail


@needs_gcc
def test_hostile_names(two_bits: TwoBits, tmp_path: Path) -> None:
    _, made, tested = two_bits
    names = (*HOSTILE, "*/", "??/", "\udcff", "%s%n", '"')
    plan = replace(made.plan, channels=names[:3], class_names=names[-10:])
    made = replace(made, plan=plan)
    check = conformance.by_c(write_project(made, tmp_path), made, tested)
    assert check.passed, check.detail


def test_unsuitable_networks_leave_as_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_trained_run("quant/sensor=gamma", "quant/network=log_weights", "bits=4", "network_bits=4")
    with refused(ValueError, "format=firmware", "quant.network.levels=log", "levels=uniform", "format=onnx"):
        check_suitable(run)
    words = ["quant/sensor=gamma", "quant/network=fat", "bits=4", "quant.network.first_last_input_bits=null"]
    run = a_trained_run(*words, model="tiny_conv")
    with refused(ValueError, "format=firmware", "quant.network.first_last_input_bits=null", "auto", "format=onnx"):
        check_suitable(run)
    run = a_trained_run(
        "quant/sensor=gamma", "quant/network=fat", "bits=4", "quant.network.skip=[classifier]", model="tiny_conv"
    )
    with refused(ValueError, "format=firmware", "quant.network.skip=", "classifier", "skip=null", "format=onnx"):
        check_suitable(run)
    run = a_trained_run("quant=gamma", "bits=4")
    check_suitable(run)
    first = run.task.network.get_submodule("convolutions.0")
    monkeypatch.setattr(first, "stride", (2, 1))
    with refused(ValueError, "format=firmware", "convolutions.0", "format=onnx"):
        check_suitable(run)
    monkeypatch.undo()
    monkeypatch.delattr(type(run.task.network), "chain")
    with refused(ValueError, "format=firmware", "DeepConvLSTM", "format=onnx"):
        check_suitable(run)
    run = replace(run, data=type("Pictures", (), {"gives": "images"})())
    with refused(ValueError, "format=firmware", "images", "format=onnx"):
        check_suitable(run)


@pytest.mark.parametrize("form", ["onnx", "firmware"])
def test_a_cameras_format_is_no_converter_to_export(form: str, tmp_path: Path) -> None:
    """Its network leaves in no format, so none is recommended."""
    frames = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, bayer="RGGB")
    task: Any = SimpleNamespace(sensor=PiSP(frames))
    data: Any = SimpleNamespace(gives="frames")
    run = replace(a_trained_run("quant=none"), task=task, data=data)
    with refused(ValueError, "PiSP", "no converter") as error:
        export_run(run, origin(run), tmp_path, [form])
    assert "format=" not in str(error.value)


def test_sensors_that_no_firmware_takes() -> None:
    run = a_trained_run("quant=none")
    with refused(ValueError, "native_bits=20", 16):
        native_of(run, None, native_bits=20)
    assert native_of(run, None, native_bits=10, full_scale=(-8.0, 8.0)).low == -8
    run = a_trained_run("quant=none", "data.normalise=none")
    run.data.dataset.range = None
    run.task.sensor.signal = replace(run.task.sensor.signal, low=None, high=None)
    with refused(ValueError, "full_scale", "Synthetic IMU"):
        native_of(run, None)


def test_ranges_are_placed_by_data_unless_training_has(tmp_path: Path) -> None:
    run = a_trained_run("quant=gamma", "bits=2")
    with refused(ValueError, "format=firmware", "no such folder"):
        export(run, origin(run), converter_of(run), tmp_path, "adc", missing="no such folder")
    run = a_trained_run(*RUNS["trained in integers"])
    made = export(run, origin(run), converter_of(run), tmp_path, "adc", missing="no such folder")
    assert made.tested is None
    assert any("no such folder" in note for note in made.notes)
    assert made.check()[0].passed is None
    assert (tmp_path / "firmware" / "firmware.json").is_file()
