"""Do all forms of a converter agree? Every native count, and a million floating-point numbers per row.

The reference is the run's own quantizer: its thresholds in float64, counted in NumPy. A form whose tool is missing is
reported as not checked. Where the sensor delivers values, native counts also go the way of training, in float32: there
a count that is a decision level may fall to its other side, and such ties are counted apart.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from qsense.chip import vectors as conformance_vectors
from qsense.chip.converter import Converter, Counts, Floats
from qsense.chip.onnx_model import by_camera, exported_part, has_conditions, outputs
from qsense.chip.vectors import Vectors
from qsense.data.module import ExperimentData
from qsense.data.series.batch import normalise_
from qsense.quant.sensor.base import SensorQuantizer
from qsense.tasks.base import Task

FLOATS = 1_000_000  # per row
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-O2")
PATIENCE = 600  # seconds for one command
FEW = 4  # test examples that a network is evaluated on in float64
TOLERANCE = 1e-5  # of a network's outputs
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


def check_network(file: Path, task: Task, data: ExperimentData) -> list[Check]:
    """The exported network against the run's own, on a batch of its test data.

    A network of quantized activations is compared in float64: in float32 sums in another order differ by their last
    bits, an activation near a rounding boundary then falls to its other side, and that shows in the logits. PyTorch
    does not agree with itself there, between a whole batch and one example at a time; both shares are reported.

    Args:
        file: `network.onnx`.
        task: as it was exported.
        data: set up.
    """
    if find_spec("onnxruntime") is None:
        return [Check("ONNX, network", None, "onnxruntime is not installed (pip install 'qsense[export]')")]
    name, part = exported_part(task)
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    x = sized(batch.x, data.example().shape[1:])
    condition, gains = getattr(batch, "condition", None), getattr(batch, "gains", None)
    told = [condition] * has_conditions(task) + [gains] * by_camera(task)
    fed = [x.numpy(), *(np.array(each) for each in told)]
    found = session(file)(*fed)
    checks = []
    if isinstance(task.sensor, SensorQuantizer):
        codes = task.sensor.encode(x, condition).long().numpy()
        checks.append(compared("ONNX, codes of a test batch", found.pop(0).astype(np.int64), codes))
    with torch.no_grad():
        seen = task.input_of(x, condition, gains)
        expected = outputs(part(seen))
        if task.network_quantizer is None:
            return [*checks, _close(name, "of a test batch", found, expected, len(x))]
        exact = copy.deepcopy(task).double()
        levels = task.sensor(x, condition).double()
        reference = outputs(exported_part(exact)[1](exact.from_levels(levels, condition, gains)))
        alone = torch.cat([outputs(part(seen[i : i + 1]))[0] for i in range(len(x))])
    in_double = wide(file)(*(each[:FEW] for each in fed))[isinstance(task.sensor, SensorQuantizer) :]
    check = _close(
        name, "of the quantized network in float64", in_double, [each[:FEW] for each in reference], min(FEW, len(x))
    )
    limit = TOLERANCE * _largest(name, expected)
    theirs = expected[0].numpy()
    mine = _within(found[0], theirs, limit)
    own = min(_within(alone.numpy(), theirs, limit), _within(reference[0].numpy(), theirs, limit))
    in_single = Check(
        f"ONNX, {name} of the quantized network in float32",
        own - mine <= margin(len(x)),
        f"{mine} of {len(x)} examples within {limit:.1e}; PyTorch against itself {own}, and at most "
        f"{margin(len(x))} fewer are chance",
    )
    return [*checks, check, in_single]


def sized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Samples cut, or padded with 0, to the size that the exported network takes: batches of frames differ in theirs.

    >>> sized(torch.ones(1, 1, 2, 3), (1, 3, 2)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]]]
    """
    if x.shape[1:] == tuple(size):
        return x
    found = x.new_zeros(len(x), *size)
    common = (slice(None), *(slice(min(sides)) for sides in zip(x.shape[1:], size, strict=True)))
    found[common] = x[common]
    return found


def margin(examples: int) -> int:
    """How many examples fewer may agree: a quarter of them, or three standard deviations of the difference of two
    counts, 3·√(n/2) at most, where that is more.

    >>> margin(8), margin(100)
    (6, 25)
    """
    return int(max(examples / 4, 3 * (examples / 2) ** 0.5))


def _within(found: npt.NDArray[Any], expected: npt.NDArray[Any], limit: float) -> int:
    """Examples that differ nowhere by more than the limit."""
    return int((np.abs(found - expected).reshape(len(expected), -1).max(axis=1) <= limit).sum())


def _largest(name: str, expected: Sequence[torch.Tensor]) -> float:
    """What differences are relative to: logits count as they are, feature maps, which have no natural size, do not."""
    return max(float(theirs.abs().max()) for theirs in expected) if name == "features" else 1.0


def _close(name: str, of: str, found: Sequence[Codes], expected: Sequence[torch.Tensor], examples: int) -> Check:
    error = max(float(np.abs(mine - theirs.numpy()).max()) for mine, theirs in zip(found, expected, strict=True))
    limit = TOLERANCE * _largest(name, expected)
    detail = f"{examples} test examples, largest difference {error:.1e} of at most {limit:.1e}"
    return Check(f"ONNX, {name} {of}", error <= limit, detail)


def wide(file: Path) -> Callable[..., list[Codes]]:
    """A model file's own graph and numbers, evaluated in float64 by ONNX's reference implementation."""
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(file)

    def widened(tensor: onnx.TensorProto) -> onnx.TensorProto:
        array = numpy_helper.to_array(tensor)
        return numpy_helper.from_array(array.astype(np.float64) if array.dtype == np.float32 else array, tensor.name)

    for tensor in model.graph.initializer:
        tensor.CopyFrom(widened(tensor))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(widened(attribute.t))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.DOUBLE
    evaluator = ReferenceEvaluator(model)

    def run(*inputs: Codes) -> list[Codes]:
        doubles = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
        return list(evaluator.run(None, dict(zip(evaluator.input_names, doubles, strict=True))))

    return run


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
