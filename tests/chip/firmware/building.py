"""A firmware's C project, compiled and run on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.chip.converters import a_run

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.project import write
from qsense.chip.memory.codec import Codec

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-pedantic")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
Ints = npt.NDArray[np.int64]


def project(plan: Plan, folder: Path, majority: int = 1, packet_samples: int | None = None) -> Path:
    """Its files, written."""
    for file, text in write(plan, a_run(), majority, packet_samples).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def build(folder: Path, program: str = "qs_run", flags: tuple[str, ...] = ("-O0",)) -> Path:
    """A program of `test/` with all sources, which are compiled once for each set of flags."""
    objects = folder / "".join(flag for flag in flags if "/" not in flag)
    if not objects.exists():
        objects.mkdir()
        _gcc(objects, *flags, "-I../include", "-I../src", "-c", *sorted((folder / "src").glob("*.c")))
    out = objects / program
    _gcc(folder, *flags, "-Iinclude", "-Isrc", *objects.glob("*.o"), f"test/{program}.c", "-o", out)
    return out


def _gcc(folder: Path, *arguments: str | Path) -> None:
    done = subprocess.run(["gcc", *STRICT, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def lines(program: Path, *arguments: str) -> npt.NDArray[np.int64]:
    """What a program prints, number by number: [lines, columns]."""
    done = subprocess.run([str(program), *arguments], cwd=program.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    return np.array(rows, dtype=np.int64).reshape(len(rows), 5)


def native_bits(plan: Plan) -> int:
    """Of a sample."""
    return plan.converter.native_bits if isinstance(plan.converter, Codec) else plan.native.bits


def counts(plan: Plan, time: int, seed: int = 0) -> Ints:
    """Native counts [time, channels] that wander, jump, and rest at both ends of their range."""
    random, top = np.random.default_rng(seed), (1 << native_bits(plan)) - 1
    shape = (time, len(plan.channels))
    walk = np.cumsum(random.normal(0, top / 16, shape), axis=0) + top / 2
    wild = random.integers(0, top + 1, shape)
    ends = np.where(random.random(shape) < 0.5, 0, top)
    kind = np.repeat(random.integers(0, 4, -(-time // 17)), 17)[:time, None]
    return np.select([kind == 0, kind == 1], [wild, ends], np.clip(walk, 0, top)).astype(np.int64)


def samples(plan: Plan, counted: Ints, path: Path) -> Path:
    """A file of samples as `qs_run` reads them."""
    converter = plan.converter
    coding = converter.coding if isinstance(converter, Codec) else plan.native.coding
    coding.number(counted).astype("<i8").astype("<i4" if coding.bits > 16 else "<i2").tofile(path)
    return path


def passed(program: Path) -> bool:
    """Whether the project's own test passes; what it says otherwise."""
    done = subprocess.run([str(program)], cwd=program.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.count("PASS") == done.stdout.count("\n") == 4
