"""Do all forms of a converter with memory agree? Every code and every decoded value, on the run's own recordings.

The reference is the kernel that training used. C converts all samples, Verilog, which is simulated, as many as take
about a minute. Without the run's data, random walks are converted. Open it to change on how much is compared.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qsense.chip.conformance import STRICT, Check, command, compiler, simulated
from qsense.chip.memory import vectors as conformance_vectors
from qsense.chip.memory.codec import Codec, Recordings
from qsense.chip.memory.vectors import Vectors, expected, joined, random_walk
from qsense.quant.sensor.memory import kernel, reference
from qsense.quant.sensor.memory.base import MemoryConverter

SAMPLES = 1_200_000  # of all channels, in C and NumPy
SIMULATED = 200_000  # of them in Verilog
LONGEST = 10_000  # samples of a recording: NumPy takes recordings side by side and their moments one by one


def check(
    folder: Path,
    codec: Codec,
    sensor: MemoryConverter,
    recordings: Recordings | None = None,
    samples: int | None = None,
    simulate: int | None = None,
) -> list[Check]:
    """Every form that lies in `folder` against the kernel.

    Args:
        folder: of an export with its vector file.
        codec: what was exported.
        sensor: the run's converter.
        recordings: samples [time, channels] as the converter gets them, and where each starts and the last one ends;
            None: random walks.
        samples: of all channels, at most; None: `SAMPLES`.
        simulate: of these in Verilog; None: `SIMULATED`.

    Raises:
        FileNotFoundError: there is no vector file.
        ValueError: it is damaged.
    """
    folder, name = folder.resolve(), codec.name
    samples = SAMPLES if samples is None else samples
    simulate = SIMULATED if simulate is None else simulate
    given = conformance_vectors.read((folder / f"{name}_vectors.hex").read_text(encoding="utf-8"), codec)
    what = "random walks" if recordings is None else "the run's recordings"
    whole = walks(codec, samples) if recordings is None else counted(sensor, recordings)
    counts, bounds = beginnings(whole, samples)
    every = in_order(codec, counts, bounds)
    known = again(codec, given)
    found = [_compared("the kernel, vectors", given.code, given.value, known)]
    found += _by_python(codec, sensor, counts, bounds, what)
    absent = "was not written"
    found += _by_c(folder, codec, every, what) if (folder / f"{name}.h").is_file() else [Check("C", None, absent)]
    if not (folder / f"{name}.v").is_file():
        return [*found, Check("Verilog", None, absent)]
    few = in_order(codec, *beginnings((counts, bounds), simulate))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / f"{name}_vectors.hex").write_text(conformance_vectors.body(codec, few))
        found.append(simulated("Verilog, vectors", folder, name))
        found.append(simulated(f"Verilog, {what}", folder, name, Path(scratch), len(few.count)))
    return found


def counted(sensor: MemoryConverter, recordings: Recordings) -> tuple[kernel.Counts, kernel.Bounds]:
    """Native counts of recordings, none of which is longer than `LONGEST`: each piece starts anew."""
    x, bounds = recordings
    cuts = [np.arange(start, stop, LONGEST) for start, stop in pairwise(bounds)]
    return sensor.counts(x), np.concatenate([*cuts, bounds[-1:]]).astype(np.int64)


def walks(codec: Codec, samples: int) -> tuple[kernel.Counts, kernel.Bounds]:
    """Random walks of native counts in every channel, about so many samples in all."""
    random, channels = np.random.default_rng(0), len(codec.channels)
    each = min(LONGEST, -(-samples // channels))
    pieces = -(-samples // (each * channels))
    walk = [random_walk(each * pieces, codec.native_bits, random) for _ in range(channels)]
    return np.stack(walk, axis=1).astype(np.uint16), np.arange(pieces + 1, dtype=np.int64) * each


def beginnings(recordings: tuple[kernel.Counts, kernel.Bounds], samples: int) -> tuple[kernel.Counts, kernel.Bounds]:
    """Recordings with at most so many samples in all, but for one of each: each one's first, alike in all."""
    counts, bounds = recordings
    lengths = np.diff(bounds)
    most = int(np.searchsorted(np.cumsum(_lengths(lengths)), samples // counts.shape[1], side="right"))
    most = max(1, most)  # a comparison of nothing would pass
    kept = np.minimum(lengths, most)
    place = np.concatenate([np.arange(start, start + n) for start, n in zip(bounds[:-1], kept, strict=True)])
    return counts[place], np.concatenate([[0], np.cumsum(kept)])


def _lengths(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many recordings have a first sample, a second one, and so on."""
    return (np.bincount(lengths)[::-1].cumsum()[::-1])[1:]


def in_order(codec: Codec, counts: kernel.Counts, bounds: kernel.Bounds) -> Vectors:
    """Channel after channel, with the codes and values that the kernel gives."""
    return joined(
        [expected(c, constants, counts[:, c].astype(np.int64), bounds) for c, constants in enumerate(codec.constants)]
    )


def again(codec: Codec, given: Vectors) -> Vectors:
    """The samples and losses of vectors with the codes and values that the kernel gives."""
    parts = []
    for channel, constants in enumerate(codec.constants):
        mine = given.channel == channel
        starts = np.flatnonzero(given.flags[mine] & conformance_vectors.START)
        bounds = np.concatenate([starts, [mine.sum()]]).astype(np.int64)
        lost = (given.flags[mine] & conformance_vectors.LOST) != 0
        parts.append(expected(channel, constants, given.count[mine], bounds, lost))
    return joined(parts)


def _compared(what: str, code: npt.NDArray[np.integer], value: npt.NDArray[np.integer], wanted: Vectors) -> Check:
    """Codes and values against those wanted, in their order."""
    if code.shape != wanted.code.shape:
        return Check(what, False, f"{code.size:,} samples instead of {wanted.code.size:,}")
    wrong = int(((code != wanted.code) | (value != wanted.value)).sum())
    return Check(what, wrong == 0, f"{code.size:,} codes and values, {wrong:,} differences")


def _by_python(
    codec: Codec, sensor: MemoryConverter, counts: kernel.Counts, bounds: kernel.Bounds, what: str
) -> list[Check]:
    """NumPy against the kernel, and the unit of decoded values against what the network saw."""
    codes, values = kernel.convert(codec.constants, counts, bounds)
    seen = sensor.values(values)
    wrong = int((codec.network_sees(values) != seen).sum())
    found = [
        Check("PyTorch, what the network sees", wrong == 0, f"{values.size:,} values, {wrong:,} differences"),
    ]
    numpy = f"NumPy, {what}"
    if kernel.library() is None:
        return [
            *found,
            Check(numpy, None, "there is no C compiler, so that NumPy is what the others are compared with"),
        ]
    own_codes, own_values = reference.convert(codec.constants, counts, bounds)
    received = reference.decode(codec.constants, codes, bounds)
    wrong = int(((codes != own_codes) | (values != own_values) | (values != received)).sum())
    return [*found, Check(numpy, wrong == 0, f"{codes.size:,} codes and values, {wrong:,} differences")]


def _by_c(folder: Path, codec: Codec, every: Vectors, what: str) -> list[Check]:
    found = compiler()
    if isinstance(found, Check):
        return [found]
    name, every = codec.name, conformance_vectors.written(codec, every)
    with tempfile.TemporaryDirectory() as scratch:
        program, samples, results = (Path(scratch) / file for file in ("test", "samples", "results"))
        done = command([found, *STRICT, "-o", str(program), str(folder / f"{name}_test.c")], folder)
        if done.returncode:
            return [Check("C", False, f"does not compile: {done.stderr.strip()[:500]}")]
        np.stack([every.flags, every.channel, every.count], axis=1).astype(np.uint16).tofile(samples)
        given = str(folder / f"{name}_vectors.hex")
        done = command([str(program), given, str(samples), str(results)], folder)
        if done.returncode:
            return [Check("C", False, (done.stdout + done.stderr).strip()[:500])]
        code, sent, received = np.fromfile(results, dtype=np.uint16).reshape(-1, 3).T
    checked = Check("C, vectors", True, done.stdout.strip().removeprefix("PASS: "))
    sender, receiver = (_compared(f"C, {what}", code, side.view(np.int16), every) for side in (sent, received))
    return [checked, receiver if sender.passed else sender]
