"""The C99 project against the NumPy reference, compiled with every warning an error."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chip.converters import a_run
from tests.chip.firmware import plans
from tests.chip.firmware.building import (
    SANITIZED,
    STRICT,
    build,
    counts,
    lines,
    needs_gcc,
    passed,
    project,
    samples,
)
from tests.chip.firmware.plans_with_converters import WITH_MEMORY, WITHOUT_MEMORY, with_memory, without_memory
from tests.refusal import refused

from qsense.chip.converter import Native
from qsense.chip.firmware.plan import InputCodes, Plan
from qsense.chip.firmware.project import sources, write
from qsense.chip.firmware.reference import classify
from qsense.chip.firmware.sizes import Sizes
from qsense.quant.network.integer.numbers import Linear

PLANS: dict[str, Callable[[], Plan]] = {
    "deep": plans.deepconvlstm,
    "deep, 8-bit states, stride 7": lambda: plans.deepconvlstm(1, bits=3, state_bits=8, stride=7),
    "deep, stride 1": lambda: plans.deepconvlstm(2, axes=2, bits=2, stride=1),
    "deep, stride 25": lambda: plans.deepconvlstm(3, axes=1, bits=8, stride=25),
    "deep, stride 41": lambda: plans.deepconvlstm(4, bits=5, stride=41),
    "deep, 5 axes": lambda: plans.deepconvlstm(5, axes=5, bits=6, stride=13),
    "deep, 6 axes": lambda: plans.deepconvlstm(6, axes=6, bits=7, stride=18),
    "depthwise": plans.depthwise,
    "depthwise, stride 1": lambda: plans.depthwise(1, stride=1),
    "depthwise, stride 23": lambda: plans.depthwise(2, axes=6, stride=23),
    "depthwise, stride 100": lambda: plans.depthwise(3, stride=100),
    "grouped, dilated, stacked": plans.grouped,
    "grouped, stride 3": lambda: plans.grouped(1, axes=3, stride=3),
}
OFTEN = ("deep, 8-bit states, stride 7", "deep, stride 1", "deep, stride 41", "depthwise, stride 1",
         "depthwise, stride 23", "grouped, dilated, stacked", "grouped, stride 3")  # fmt: skip
FEW = ("adpcm 1", "adpcm 2, refresh", "adpcm 4, IMA", "dpcm 1, slope", "dpcm 2, all", "dpcm 8, refresh 1")
DSP = """\
#include <stdint.h>
typedef int32_t int16x2_t;
typedef int32_t int8x4_t;
static inline int32_t half(int32_t both, int upper) { return (int16_t)((uint32_t)both >> (upper ? 16 : 0)); }
static inline int32_t __smlad(int16x2_t a, int16x2_t b, int32_t sum)
{
    return sum + half(a, 0) * half(b, 0) + half(a, 1) * half(b, 1);
}
static inline int16x2_t __sxtb16(int8x4_t a)
{
    const uint32_t low = (uint16_t)(int8_t)a, high = (uint16_t)(int8_t)(a >> 16);
    return (int16x2_t)(low | high << 16);
}
"""


def few(*often: str, of: Iterable[str]) -> list[Any]:
    """All of them; those that are not among the first are slow."""
    return [name if name in often else pytest.param(name, marks=pytest.mark.slow) for name in of]


def assert_each_window(plan: Plan, folder: Path, program: Path) -> None:
    """Classes, margins and majorities of 3 windows, in several recordings."""
    recordings = [counts(plan, time, seed) for seed, time in enumerate((1000, 29, 30, 31, 300))]
    files = [samples(plan, x, folder / f"{n}.bin") for n, x in enumerate(recordings)]
    expected = []
    for number, x in enumerate(recordings):
        want = classify(plan, x, 3)
        expected += [[number, *row] for row in zip(want.start, want.winner, want.margin, want.majority, strict=True)]
    assert np.array_equal(lines(program, *map(str, files)), expected)
    assert len({row[2] for row in expected}) > 2, "a test of few classes"


@needs_gcc
@pytest.mark.parametrize("name", few(*OFTEN, of=PLANS))
def test_each_window_as_the_reference(name: str, tmp_path: Path) -> None:
    plan = plans.balanced(PLANS[name]())
    assert_each_window(plan, tmp_path, build(project(plan, tmp_path, majority=3)))


@needs_gcc
def test_of_equal_logits_the_first_class(tmp_path: Path) -> None:
    plan = plans.balanced(plans.depthwise())
    *layers, last = plan.network.layers
    assert isinstance(last, Linear)
    twice = replace(last, weight=last.weight[[0, 1, 0, 1]], bias=last.bias[[0, 1, 0, 1]])
    plan = replace(plan, network=replace(plan.network, layers=(*layers, twice)))
    x = counts(plan, 400)
    found = lines(build(project(plan, tmp_path)), str(samples(plan, x, tmp_path / "x.bin")))
    assert set(found[:, 2]) == {0, 1}
    assert not found[:, 3].any()


@needs_gcc
@pytest.mark.parametrize("name", few("deep, 5 axes", "depthwise", "grouped, stride 3", of=PLANS))
def test_two_products_at_once_as_one(name: str, tmp_path: Path) -> None:
    """The path of processors with ARM's DSP extension, by a stand-in of its two instructions."""
    plan = plans.balanced(PLANS[name]())
    (tmp_path / "dsp").mkdir()
    (tmp_path / "dsp" / "arm_acle.h").write_text(DSP)
    folder = project(plan, tmp_path, majority=3)
    assert_each_window(
        plan, tmp_path, build(folder, flags=("-O0", "-D__ARM_FEATURE_DSP", f"-I{tmp_path}/dsp", "-Wno-conversion"))
    )


@needs_gcc
@pytest.mark.parametrize("name", few(*WITHOUT_MEMORY[::3], of=WITHOUT_MEMORY))
def test_with_converters_without_memory(name: str, tmp_path: Path) -> None:
    assert passed(build(project(without_memory(name), tmp_path), "qs_test"))


@needs_gcc
@pytest.mark.parametrize("kind", few(*FEW, of=WITH_MEMORY))
def test_with_converters_with_memory(kind: str, tmp_path: Path) -> None:
    assert passed(build(project(with_memory(kind, stride=7), tmp_path), "qs_test"))


@needs_gcc
@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(without_memory("log, raw"), marks=pytest.mark.slow),
        with_memory("adpcm 1, all", plans.deepconvlstm, twos_complement=True, stride=6),
        plans.balanced(plans.grouped(2, stride=3)),
    ],
    ids=["log", "adpcm", "grouped"],
)
def test_no_undefined_behaviour(plan: Plan, tmp_path: Path) -> None:
    folder = project(plan, tmp_path, majority=3)
    assert passed(build(folder, "qs_test", SANITIZED))
    assert_each_window(plan, tmp_path, build(folder, flags=SANITIZED))


@needs_gcc
@pytest.mark.parametrize(
    ("bits", "twos_complement"),
    [(8, True), pytest.param(16, False, marks=pytest.mark.slow), (16, True), (24, False),
     pytest.param(24, True, marks=pytest.mark.slow)],
)  # fmt: skip
def test_native_counts_of_any_width(bits: int, twos_complement: bool, tmp_path: Path) -> None:
    plan = plans.depthwise(4)
    thresholds = (plan.input.thresholds.astype(np.int64) << bits) >> 12  # type: ignore[union-attr]
    native = Native(bits, -2.0, 2.0, 0, (1 << bits) - 1, "", twos_complement)
    given = replace(plan.input, thresholds=thresholds.astype(np.int32))
    plan = plans.balanced(replace(plan, native=native, input=given))
    program = build(project(plan, tmp_path, majority=3))
    assert_each_window(plan, tmp_path, program)
    assert passed(build(tmp_path, "qs_test"))


CROSS = {
    "Cortex-M4": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"),
    "Cortex-M33": ("arm-none-eabi-gcc", "-mcpu=cortex-m33", "-mthumb"),
    "Cortex-M0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"),
    "RISC-V": ("riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"),
    "this computer": ("gcc",),
}


@pytest.mark.parametrize("target", few("Cortex-M4", "RISC-V", "this computer", of=CROSS))
@pytest.mark.parametrize("plan", [with_memory("adpcm 2, refresh", plans.deepconvlstm), plans.depthwise()])
def test_no_warning_on_any_processor(plan: Plan, target: str, tmp_path: Path) -> None:
    compiler, *flags = CROSS[target]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for specs in (flag.removeprefix("--specs=") for flag in flags if flag.startswith("--specs=")):
        found = subprocess.run([compiler, f"-print-file-name={specs}"], capture_output=True, text=True, check=True)
        if not Path(found.stdout.strip()).is_file():
            pytest.skip(f"{compiler} is installed without {specs}")
    files = [f"src/{file.name}" for file in (project(plan, tmp_path) / "src").glob("*.c")]
    command = [compiler, *flags, *STRICT, "-Os", "-Iinclude", "-Isrc", "-c", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@needs_gcc
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS"):  # these tests may run by make, too
        monkeypatch.delenv(name, raising=False)
    folder = project(plans.balanced(plans.depthwise()), tmp_path)
    done = subprocess.run(["make", "test", "all", "size"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("PASS") == 4
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (folder / "build" / "libqsense_sender.a").exists()

    def compiled(*words: str) -> int:
        return subprocess.run(["make", "size", "V=1", *words], cwd=folder, capture_output=True, text=True).stdout.count(
            " -c "
        )

    assert compiled() == 0, "what is built is not built again"
    assert compiled("CFLAGS=-O1") == len(list((folder / "src").glob("*.c"))), "other options, as another compiler"
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    assert not (folder / "build").exists()


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_knows_all_sources(tmp_path: Path) -> None:
    folder = project(plans.depthwise(), tmp_path)
    text = (folder / "CMakeLists.txt").read_text()
    assert {file.name for file in (folder / "src").glob("*.c")} == set(re.findall(r"src/(\w+\.c)", text))
    done = subprocess.run(["cmake", "-S", ".", "-B", "b"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    names = ('a"; evil', "*/ int x;", "??/", "\u202eback")
    plan = replace(plans.depthwise(), class_names=names, channels=("x\n", "\\", "µ"), name="*/#error")
    text = write(plan, a_run())["src/qs_model.c"]
    assert '"a\\042; evil"' in text
    assert "*/ int x;" not in re.sub(r'"[^"]*"', "", text)
    if shutil.which("gcc"):
        assert passed(build(project(plan, tmp_path), "qs_test"))


def test_every_source_travels_with_the_package() -> None:
    assert {"include/qs.h", "src/qs_network.c", "test/qs_test.c", "Makefile", "CMakeLists.txt"} <= set(sources())


def test_what_a_firmware_is_refused_for() -> None:
    plan = plans.depthwise()
    *layers, last = plan.network.layers
    assert isinstance(last, Linear)

    def with_layers(*changed: object) -> Plan:
        return replace(plan, network=replace(plan.network, layers=changed))  # type: ignore[arg-type]

    with refused(ValueError, "majority=2"):
        write(plan, a_run(), majority=2)
    with refused(ValueError, "packet_samples=256", "255"):
        write(plan, a_run(), packet_samples=256)
    with refused(ValueError, "classifier"):
        Sizes(with_layers(*layers))
    with refused(ValueError, "32767"):
        Sizes(replace(plan, stride=1 << 15))
    with refused(ValueError, "25", "24"):
        Sizes(replace(plan, native=replace(plan.native, bits=25)))
    with refused(ValueError, "classifier", "2147483648"):
        Sizes(with_layers(*layers, replace(last, bias=last.bias + (1 << 31))))
    with refused(ValueError, "classifier", "4"):
        Sizes(with_layers(*layers, replace(last, bits=4, weight=last.weight * 0 + 8)))
    with refused(ValueError, "window=8", "9"):
        Sizes(replace(plan, window=8))
    with refused(ValueError, "4096", "3"):
        Sizes(replace(plan, input=InputCodes(np.zeros((3, 4), np.int16), None, 0)))
    with refused(ValueError, "classes"):
        Sizes(replace(plan, class_names=("one",)))
