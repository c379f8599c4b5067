"""The check of a converter with memory: what it compares, on what, and what it finds."""

from __future__ import annotations

import importlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from tests.chip.memory.codecs import EVERY, a_codec, placed, signal, statistics, write

from qsense.chip.memory import conformance
from qsense.chip.memory.codec import Recordings, codec
from qsense.chip.memory.conformance import beginnings, check, counted, walks
from qsense.chip.memory.vectors import random_walk, sequences
from qsense.data.series.prepared import prepared
from qsense.data.series.sbhar import SBHAR
from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.base import MemoryConverter

TOOLS = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("iverilog")), reason="gcc or Icarus Verilog is not installed"
)
YAMLS: dict[str, Any] = {
    name: OmegaConf.to_container(chosen.quant.sensor)
    for name, chosen in stated_by_options("quant/sensor").items()
    if signatures.constant(chosen.quant.sensor._target_, "most_bits")
    and not signatures.constant(chosen.quant.sensor._target_, "digital")
}
ARCHIVE = Path(os.environ.get("QSENSE_DATA", "/nowhere")) / "sbhar" / "sbhar_acc.zip"
ALL = ("the kernel", "PyTorch", "NumPy", "C", "Verilog")


@TOOLS
@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_agrees(kind: str, tmp_path: Path) -> None:
    sensor, found = a_codec(kind)
    write(found, tmp_path)
    checks = check(tmp_path, found, sensor, samples=9_000, simulate=900)
    assert {each.what.partition(",")[0]: each.passed for each in checks} == dict.fromkeys(ALL, True), checks
    assert str(checks[2]) == "NumPy, random walks: passed: 9,000 codes and values, 0 differences"


@TOOLS
@pytest.mark.parametrize("name", YAMLS)
def test_what_a_yaml_makes_agrees(name: str, tmp_path: Path) -> None:
    """As it stands in `conf/quant/sensor`, at its smallest number of bits."""
    settings = {key: 1 if value == "${bits}" else value for key, value in YAMLS[name].items()}
    module, _, cls = str(settings.pop("_target_")).rpartition(".")
    made: type[MemoryConverter] = getattr(importlib.import_module(module), cls)
    sensor = made(signal=signal(takes=made.takes), **settings)
    random = np.random.default_rng(3)
    walk = np.stack([random_walk(4000, sensor.native_bits, random) for _ in range(3)], axis=1).astype(np.uint16)
    sensor.fit_recordings(walk, np.array([0, 4000]))
    found = codec(sensor, "adc_under_test", statistics(sensor))
    write(found, tmp_path)
    for each in check(tmp_path, found, sensor, (walk, np.array([0, 1500, 4000])), simulate=3000):
        assert each.passed, each


@TOOLS
@pytest.mark.parametrize("kind", ["adpcm 1", "dpcm 2, all"])
def test_another_converter_fails_everywhere(kind: str, tmp_path: Path) -> None:
    """The files of one converter beside the numbers of another: its centre is one off."""
    sensor, found = a_codec(kind)
    write(replace(found, constants=tuple(replace(c, centre=c.centre + 640) for c in found.constants)), tmp_path)
    checks = {each.what: each for each in check(tmp_path, found, sensor, samples=9000, simulate=900)}
    failed = {what for what, each in checks.items() if each.passed is False}
    assert failed == {"the kernel, vectors", "C, random walks", "Verilog, random walks"}
    assert "FAIL: " in checks["Verilog, random walks"].detail


@TOOLS
def test_code_that_does_not_compile(tmp_path: Path) -> None:
    sensor, found = a_codec("adpcm 2, refresh")
    write(found, tmp_path)
    for file in ("adc_under_test.h", "adc_under_test.v"):
        (tmp_path / file).write_text("nonsense\n")
    checks = {each.what: each.detail for each in check(tmp_path, found, sensor, samples=900, simulate=90)}
    assert checks["C"].startswith("does not compile: ")
    assert checks["Verilog, vectors"].startswith("does not compile cleanly: ")


def test_a_missing_tool_is_not_a_passed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, found = a_codec("adpcm 1")
    write(found, tmp_path)
    monkeypatch.setattr("shutil.which", lambda tool: None)
    monkeypatch.setattr(kernel, "library", lambda: None)
    checks = {each.what: each for each in check(tmp_path, found, sensor, samples=300, simulate=30)}
    assert {what for what, each in checks.items() if each.passed is None} == {
        "NumPy, random walks", "C", "Verilog, vectors", "Verilog, random walks",
    }  # fmt: skip
    (tmp_path / "adc_under_test.h").unlink()
    (tmp_path / "adc_under_test.v").unlink()
    said = [str(each) for each in check(tmp_path, found, sensor, samples=300, simulate=30)]
    assert said[-2:] == ["C: not checked: was not written", "Verilog: not checked: was not written"]


def test_long_recordings_are_cut_and_all_of_them_are_used() -> None:
    sensor = placed("dpcm 2, all")
    x = np.random.default_rng(0).uniform(-1, 1, (25_000, 3)).astype(np.float32)
    counts, bounds = counted(sensor, (x, np.array([0, 3, 3, 23_003, 25_000])))
    assert bounds.tolist() == [0, 3, 10_003, 20_003, 23_003, 25_000]
    assert np.array_equal(counts, sensor.counts(x))
    fewer, ends = beginnings((counts, bounds), 3 * 5000)
    assert len(fewer) == ends[-1]
    assert 4900 < len(fewer) <= 5000
    assert (np.diff(ends) > 0).sum() == 5
    assert np.array_equal(fewer[ends[1] : ends[2]], counts[3 : 3 + ends[2] - ends[1]])
    assert beginnings((counts, bounds), 10**6)[0].shape == counts.shape


def test_random_walks_are_about_as_many_samples_as_asked_for() -> None:
    _, found = a_codec("adpcm 1, all")
    counts, bounds = walks(found, 100_000)
    assert 100_000 <= counts.size <= 130_000
    assert bounds[-1] == len(counts)
    assert np.diff(bounds).max() <= conformance.LONGEST


def demanding(native_bits: int, refresh: int, samples: int) -> Recordings:
    """The sequences of the vectors again and again, each a recording, until there are so many samples."""
    parts: list[Any] = []
    while sum(map(len, parts)) < samples:
        parts += [counts for counts, _ in sequences(native_bits, refresh, len(parts))]
    bounds = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return np.concatenate(parts).astype(np.uint16)[:, None], bounds


@TOOLS
@pytest.mark.slow
@pytest.mark.parametrize("name", ["adpcm", "dpcm"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_a_million_samples_of_hard_sequences(name: str, bits: int, tmp_path: Path) -> None:
    """Walks, square waves, constants, impulses and noise, with and without leak, slope and refresh, 8 to 16 bits."""
    for native_bits, leak, slope, refresh in ((8, 0, 0, 0), (12, 6, 0, 0), (14, 0, 1, 100), (16, 4, 2, 7)):
        settings = {key: bits if value == "${bits}" else value for key, value in YAMLS[name].items()}
        module, _, cls = str(settings.pop("_target_")).rpartition(".")
        settings |= {"native_bits": native_bits, "leak": leak, "slope": slope, "refresh": refresh}
        sensor: MemoryConverter = getattr(importlib.import_module(module), cls)(signal=signal(1), **settings)
        recordings = demanding(native_bits, refresh, 250_000)
        sensor.fit_recordings(*recordings)
        found = codec(sensor, "adc_under_test", {})
        write(found, tmp_path)
        for each in check(tmp_path, found, sensor, recordings, samples=250_000, simulate=50_000):
            assert each.passed, (native_bits, leak, slope, refresh, each)


@TOOLS
@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.is_file(), reason="SBHAR is not in QSENSE_DATA")
@pytest.mark.parametrize("kind", ["adpcm 1", "dpcm 2, all"])
def test_a_million_samples_of_sbhar(kind: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    arrays = prepared(SBHAR(root=str(ARCHIVE.parent)), tmp_path_factory.mktemp("cache"))
    x, bounds = np.array(arrays["x"]), np.asarray(arrays["bounds"])
    low, high = x.min(0), x.max(0)
    made, settings = EVERY[kind]
    sensor = made(signal(), **settings)
    samples = ((x - low) / (high - low) * 2 - 1).astype(np.float32)
    sensor.fit_recordings(samples, bounds)
    found = codec(sensor, "adc_under_test", {"normalise": "dataset", "low": low.tolist(), "high": high.tolist()})
    write(found, tmp_path)
    checks = check(tmp_path, found, sensor, (samples, bounds), samples=3_000_000, simulate=1_010_000)
    assert all(each.passed for each in checks), checks
    compared = [int(each.detail.split()[0].replace(",", "")) for each in checks if "the run's recordings" in each.what]
    assert min(compared) >= 10**6
