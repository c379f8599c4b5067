"""Do all forms of a converter agree? Every native count, and a million floating-point numbers per row.

The reference is the run's own quantizer: its thresholds in float64, counted in NumPy. A form whose tool is missing is
reported as not checked. Where the sensor delivers values, native counts also go the way of training, in float32: there
a count that is a decision level may fall to its other side, and such ties are counted apart.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Timer

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from qsense.chip import vectors as conformance_vectors
from qsense.chip.converter import Converter, Counts, Floats
from qsense.chip.vectors import Vectors
from qsense.data.series.batch import normalise_
from qsense.quant.sensor.base import SensorQuantizer

FLOATS = 1_000_000  # per row
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-O2")
PATIENCE = 600  # seconds for one command
ROUNDINGS = 8  # last bits of float32 that a value may be off by after normalisation: four operations, and margin

Codes = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Check:
    """One form's check.

    Args:
        what: the form, and on what.
        passed: None where it could not be checked.
        detail: how many were compared and how many differ, or why there was no check.
    """

    what: str
    passed: bool | None
    detail: str

    def __str__(self) -> str:
        word = {True: "passed", False: "FAILED", None: "not checked"}[self.passed]
        return f"{self.what}: {word}: {self.detail}"


def compared(what: str, found: Counts, expected: Counts) -> Check:
    """Codes against codes."""
    wrong = int((found != expected).sum()) if found.shape == expected.shape else max(found.size, expected.size)
    return Check(what, wrong == 0, f"{expected.size:,} codes, {wrong:,} differences")


def check(folder: Path, converter: Converter, sensor: SensorQuantizer, floats: int = FLOATS) -> list[Check]:
    """Every form that lies in `folder` against the vector file and against float64 thresholds.

    Args:
        folder: of an export with its vector file.
        converter: what was exported.
        sensor: the run's quantizer.
        floats: floating-point numbers per row.

    Raises:
        FileNotFoundError: there is no vector file.
        ValueError: it is damaged.
    """
    name, folder = converter.name, folder.resolve()
    given = conformance_vectors.read(
        (folder / f"{name}_vectors.hex").read_text(encoding="utf-8"), converter.native.coding
    )
    found = [_by_torch(converter, sensor, given)]
    if sensor.signal.native_bits is None:
        found.append(_as_trained(converter, sensor, given))
    found += _floats_by_torch(converter, sensor, floats)
    absent = "was not written"
    found += _by_c(folder, converter, floats) if (folder / f"{name}.h").is_file() else [Check("C", None, absent)]
    found.append(
        simulated("Verilog", folder, name) if (folder / f"{name}.v").is_file() else Check("Verilog", None, absent)
    )
    onnx = (folder / "sensor_counts.onnx").is_file()
    return found + (_by_onnx(folder, converter, given, floats) if onnx else [Check("ONNX", None, absent)])


def random_values(converter: Converter, row: int, count: int) -> npt.NDArray[np.float32]:
    """Samples as the quantizer sees them, float32: half over the range and a little beyond it, half within a few
    float32 steps of a threshold."""
    generator = np.random.default_rng(row)
    low, high = converter.low, converter.high
    margin = (high - low) / 20
    wide = generator.uniform(low - margin, high + margin, count - count // 2).astype(np.float32)
    cuts = converter.seen[row][np.isfinite(converter.seen[row])]
    near = generator.choice(cuts if len(cuts) else np.array([low, high]), count // 2).astype(np.float32)
    steps = generator.integers(-3, 3, len(near), endpoint=True)
    near = near + (steps * np.spacing(np.abs(near))).astype(np.float32)
    return np.concatenate([wide, near])


def _by_torch(converter: Converter, sensor: SensorQuantizer, given: Vectors) -> Check:
    native = sensor.signal.native_bits is not None
    counts = [given.count[given.row == r] for r in range(len(converter.rows))]
    x = [each if native else converter.sample(r, each) for r, each in enumerate(counts)]
    every = "every native count" if converter.listed else "native counts"
    return compared(f"PyTorch, {every}", np.concatenate(_encode(converter, sensor, x)), _by_row(given))


def _as_trained(converter: Converter, sensor: SensorQuantizer, given: Vectors) -> Check:
    """Counts as float32 values, by training's own normalisation where there is one, to the quantizer's codes.

    A code may differ where the count's value lies within float32's rounding of a threshold, and nowhere else.
    """
    native = converter.native
    x, least, most = [], [], []
    for r, (low, high) in enumerate(converter.limits):
        exact = native.low + given.count[given.row == r] * ((native.high - native.low) / native.span)
        value = exact.astype(np.float32)
        rounding = ROUNDINGS * np.spacing(np.maximum(np.abs(value), np.float32(max(abs(low), abs(high)))))
        if converter.cut:
            exact = exact.clip(low, high)
            value = normalise_(value[:, None], np.array([low], np.float32), np.array([high], np.float32))[:, 0]
        x.append(value)
        least.append(_count(converter.thresholds[r], exact - rounding))
        most.append(_count(converter.thresholds[r], exact + rounding))
    codes, expected = np.concatenate(_encode(converter, sensor, x)), _by_row(given)
    other = codes != expected
    ties = other & (np.concatenate(least) <= codes) & (codes <= np.concatenate(most))
    every = "every native count" if converter.listed else "native counts"
    detail = f"{codes.size:,} codes, {int((other & ~ties).sum()):,} differences"
    how = ", normalised as in training" if converter.cut else ""
    detail += f", {int(ties.sum()):,} other codes at ties" if ties.any() else ""
    return Check(f"PyTorch, {every} as float32{how}", not (other & ~ties).any(), detail)


def _floats_by_torch(converter: Converter, sensor: SensorQuantizer, floats: int) -> list[Check]:
    x = [random_values(converter, r, floats) for r in range(len(converter.rows))]
    expected = [_count(converter.seen[r], each.astype(np.float64)) for r, each in enumerate(x)]
    found = _encode(converter, sensor, x)
    return [compared("PyTorch, floats", np.concatenate(found), np.concatenate(expected))]


def _encode(converter: Converter, sensor: SensorQuantizer, x: Sequence[Codes]) -> list[Counts]:
    """The quantizer's codes of each row's samples [n], one array per row."""
    samples = [torch.from_numpy(each) for each in x]
    if sensor.per_channel:  # rows are channels: one call converts each sample in its own row alone
        codes = sensor.encode(pad_sequence(samples)).T
        return [row[: len(each)].long().numpy() for row, each in zip(codes, samples, strict=True)]
    return [
        sensor.encode(each, condition=[row] * len(each) if sensor.rows > 1 else None).long().numpy()
        for row, each in zip(converter.source, samples, strict=True)
    ]


def _by_row(given: Vectors) -> Counts:
    """The vectors' codes, row after row."""
    return given.code[np.argsort(given.row, kind="stable")]


def _count(thresholds: Floats, x: Floats) -> Counts:
    return np.searchsorted(thresholds, x, side="right")


def _by_c(folder: Path, converter: Converter, floats: int) -> list[Check]:
    found = compiler()
    if isinstance(found, Check):
        return [found]
    name = converter.name
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "test"
        done = command([found, *STRICT, "-o", str(program), str(folder / f"{name}_test.c")], folder)
        if done.returncode:
            return [Check("C", False, f"does not compile: {done.stderr.strip()[:500]}")]
        doubles, codes = Path(scratch) / "doubles", Path(scratch) / "codes"
        x = [
            converter.in_unit(r, random_values(converter, r, floats).astype(np.float64))
            for r in range(len(converter.rows))
        ]
        np.concatenate(x).tofile(doubles)
        given = str(folder / f"{name}_vectors.hex")
        done = command([str(program), given, str(doubles), str(codes), str(floats)], folder)
        if done.returncode:
            return [Check("C", False, (done.stdout + done.stderr).strip()[:500])]
        own = np.fromfile(codes, dtype=np.uint32).astype(np.int64)
    expected = np.concatenate([_count(row, each) for row, each in zip(converter.thresholds, x, strict=True)])
    every = "every native count" if converter.listed else "native counts"
    return [
        Check(f"C, {every}", True, done.stdout.strip().removeprefix("PASS: ")),
        compared("C, floats in the sensor's unit", own, expected),
    ]


def compiler() -> str | Check:
    """Where the C compiler is, or why C could not be checked."""
    path = shutil.which("gcc") or shutil.which("cc")
    return path or Check("C", None, "gcc is not installed (Debian: apt-get install gcc)")


def simulated(what: str, folder: Path, name: str, given: Path | None = None, count: int | None = None) -> Check:
    """What an export's bench says in Icarus Verilog.

    Args:
        what: the check's name.
        folder: of the export.
        name: its name.
        given: folder of another vector file of that name; None: the export's.
        count: how many vectors that file holds, for a bench with a parameter COUNT.
    """
    if shutil.which("iverilog") is None:
        return Check(what, None, "Icarus Verilog is not installed (Debian: apt-get install iverilog)")
    with tempfile.TemporaryDirectory() as scratch:
        program = str(Path(scratch) / "tb")
        sources = [str(folder / f"{name}.v"), str(folder / f"{name}_tb.v")]
        size = [] if count is None else [f"-P{name}_tb.COUNT={count}"]
        done = command(["iverilog", "-g2001", "-Wall", *size, "-o", program, *sources], folder)
        if done.returncode or done.stderr.strip():
            return Check(what, False, f"does not compile cleanly: {(done.stdout + done.stderr).strip()[:500]}")
        done = command(["vvp", "-n", program], given or folder)
    *faults, verdict = done.stdout.strip().splitlines() or ["it said nothing"]
    passed = done.returncode == 0 and verdict.startswith("PASS: ") and not faults
    detail = "; ".join([verdict.removeprefix("PASS: "), *faults[:1]])
    return Check(what, passed, detail)


def _by_onnx(folder: Path, converter: Converter, given: Vectors, floats: int) -> list[Check]:
    if find_spec("onnxruntime") is None:
        return [Check("ONNX", None, "onnxruntime is not installed (pip install 'qsense[export]')")]
    rows = len(converter.rows)
    numbers = converter.native.coding.number(given.count)
    counts = [torch.from_numpy(numbers[given.row == r]) for r in range(rows)]
    codes = session(folder / "sensor_counts.onnx")(pad_sequence(counts).numpy())[0].astype(np.int64)
    own = np.concatenate([codes[: len(each), r] for r, each in enumerate(counts)])
    every = "every native count" if converter.listed else "native counts"
    found = [compared(f"ONNX, {every}", own, _by_row(given))]
    x = np.stack([random_values(converter, r, floats) for r in range(rows)], axis=1)
    values = session(folder / "sensor_values.onnx")(x)[0].astype(np.int64)
    expected = np.stack([_count(converter.seen[r], x[:, r].astype(np.float64)) for r in range(rows)], axis=1)
    return [*found, compared("ONNX, floats", values, expected)]


def session(file: Path) -> Callable[..., list[Codes]]:
    """A model as a function of its inputs, in onnxruntime on the CPU; inputs are cast to what it takes."""
    import onnxruntime

    kinds = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32}
    kinds |= {"tensor(uint8)": np.uint8, "tensor(int16)": np.int16, "tensor(uint16)": np.uint16}
    loaded = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(*inputs: Codes) -> list[Codes]:
        fed = {i.name: x.astype(kinds[i.type]) for i, x in zip(loaded.get_inputs(), inputs, strict=True)}
        return list(loaded.run(None, fed))

    return run


def command(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a folder, and what it said."""
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


def listened_to(words: list[str], folder: Path, heard: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """As `command`, and `heard` is called after each line that comes; it is killed where it takes too long."""
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=complaints, text=True) as process,
    ):
        assert process.stdout is not None
        late = Event()

        def give_up() -> None:
            late.set()
            process.kill()

        killer = Timer(PATIENCE, give_up)
        killer.start()
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                heard()
            code = process.wait()
        finally:
            killer.cancel()
            process.kill()
        complaints.seek(0)
        said = f"it did not end within {PATIENCE} seconds" if late.is_set() else complaints.read()
        return subprocess.CompletedProcess(words, code, "".join(lines), said)
