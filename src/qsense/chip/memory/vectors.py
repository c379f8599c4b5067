"""The conformance vectors of a converter with memory: sequences of native counts, their codes, and what is decoded.

One line per sample, `flags_channel_count_code_value` in hexadecimal, which `$readmemh` of Verilog and `sscanf` of C
read alike. Open it to add a sequence that a converter should be tried on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin
from qsense.chip.vectors import opened, sealed
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.constants import Constants

START, LOST = 1, 2  # flags
LENGTH, LONGEST = 512, 8192  # samples of a sequence; of those that should see two refreshes at most
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """What is to be converted in this order, and to what.

    Args:
        flags: `START`, a recording begins before this sample; `LOST`, its code does not arrive.
        channel: of each sample, int64 [V].
        count: its native count.
        code: the code it must become; at a refresh its count.
        value: what the receiver decodes, on the 16-bit scale, or holds where the code is lost.
    """

    flags: Ints
    channel: Ints
    count: Ints
    code: Ints
    value: Ints


def vectors(codec: Codec) -> Vectors:
    """The sequences of `sequences` in every channel."""
    parts = []
    for channel, constants in enumerate(codec.constants):
        counts, lost, lengths = [], [], []
        for sequence, missing in sequences(codec.native_bits, codec.refresh, channel):
            counts.append(sequence)
            lost.append(missing)
            lengths.append(len(sequence))
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        parts.append(expected(channel, constants, np.concatenate(counts), bounds, np.concatenate(lost)))
    return joined(parts)


def expected(
    channel: int, constants: Constants, counts: Ints, bounds: Ints, lost: npt.NDArray[np.bool_] | None = None
) -> Vectors:
    """What recordings of one channel must become, by the kernel that training used.

    Args:
        channel: its number.
        constants: its integers.
        counts: native counts [time].
        bounds: where each recording starts, and where the last one ends, [recordings + 1].
        lost: the samples whose codes do not arrive; None: all do.
    """
    codes = kernel.convert([constants], counts.astype(np.uint16)[:, None], bounds)[0]
    values = kernel.decode([constants], codes, bounds, lost)[:, 0]
    flags = np.zeros(len(counts), dtype=np.int64)
    flags[bounds[:-1][np.diff(bounds) > 0]] = START
    if lost is not None:
        flags += LOST * lost
    same = np.full(len(counts), channel)
    return Vectors(flags, same, counts.astype(np.int64), codes[:, 0].astype(np.int64), values.astype(np.int64))


def joined(parts: list[Vectors]) -> Vectors:
    """Vectors one after the other."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Vectors(*(np.concatenate(column) for column in columns))


def sequences(native_bits: int, refresh: int, seed: int = 0) -> Iterator[tuple[Ints, npt.NDArray[np.bool_]]]:
    """Native counts [time] that try a converter, and which of them are lost on their way.

    A random walk, received whole and with losses; square waves over the full scale, slow and fast (slope overload);
    constants at both ends and in the middle; impulses both ways; a rising sine; noise over the full scale.

    Args:
        native_bits: n.
        refresh: each of so many samples is a refresh; 0: none.
        seed: of what is random.
    """
    random = np.random.default_rng(seed)
    top = (1 << native_bits) - 1
    longer = min(max(LENGTH, 2 * refresh + 64), LONGEST)
    time = np.arange(LENGTH)
    whole = np.zeros(LENGTH, dtype=np.bool_)
    walk = random_walk(longer, native_bits, random)
    yield walk, np.zeros(longer, dtype=np.bool_)
    lost = np.repeat(random.random(-(-longer // 8)) < 0.15, 8)[:longer] | (random.random(longer) < 0.03)
    lost[refresh:longer:longer] = True  # the second refresh, or the first code
    yield walk, lost
    for half in (64, 3):
        yield top * (time // half % 2), whole
    yield np.repeat([0, top, top // 2], -(-LENGTH // 3))[:LENGTH], whole
    for rest, peak in ((top // 2, top), (top // 2, 0)):
        yield np.where(time % 61 == 60, peak, rest), whole
    yield np.round(top / 2 * (1 + np.sin(time**2 / 1500))).astype(np.int64), whole
    yield random.integers(0, top, LENGTH, endpoint=True), whole


def random_walk(length: int, native_bits: int, random: np.random.Generator) -> Ints:
    """A random walk of native counts that is turned back at the ends; its steps are small here and large there."""
    top = (1 << native_bits) - 1
    loud = np.repeat(np.exp(random.uniform(np.log(0.5), np.log(top / 8 + 1), -(-length // 128))), 128)[:length]
    place = np.cumsum(random.standard_normal(length) * loud) + random.uniform(0, top)
    folded = np.abs((place + top) % (2 * top) - top)  # a mirror at each end
    return np.round(folded).astype(np.int64)


def written(codec: Codec, given: Vectors) -> Vectors:
    """Vectors with their native counts as words, those that are sent as they are, too; the same again gives counts."""
    coding = codec.coding
    if not coding.signed:
        return given
    time = np.arange(len(given.flags))
    since = time - np.maximum.accumulate(np.where(given.flags & START, time, 0))  # its recording's start
    sent = (since % codec.refresh == 0) if codec.refresh else np.zeros(len(time), dtype=np.bool_)
    code = np.where(sent, coding.word(given.code), given.code)
    return Vectors(given.flags, given.channel, coding.word(given.count), code, given.value)


def as_text(codec: Codec, origin: Origin) -> str:
    """The vector file, with the SHA-256 of its vector lines at its head."""
    every = vectors(codec)
    names = ", ".join(f"{c:x} = {name}" for c, name in enumerate(codec.channels))
    head = [
        f"{codec.name}: {len(every.count)} samples in order, sequences of native counts in every channel",
        *origin.lines(),
        "flags_channel_count_code_value in hexadecimal; flags: 1 = a recording starts, 2 = the code is lost; the value "
        "is what the receiver decodes, in two's complement" + ", as are counts" * codec.twos_complement,
        f"channels: {names}",
    ]
    return sealed(head, body(codec, every))


def body(codec: Codec, given: Vectors) -> str:
    """The lines of vectors."""
    of_flags, of_channel, of_count, of_code, of_value = widths(codec)
    given = written(codec, given)
    columns = (given.flags, given.channel, given.count, given.code, given.value & 0xFFFF)
    return "".join(
        f"{flags:0{of_flags}x}_{channel:0{of_channel}x}_{count:0{of_count}x}_{code:0{of_code}x}_{value:0{of_value}x}\n"
        for flags, channel, count, code, value in zip(*(column.tolist() for column in columns), strict=True)
    )


def widths(codec: Codec) -> tuple[int, int, int, int, int]:
    """Hexadecimal digits of a line's fields."""
    return (
        1,
        -(-max(len(codec.channels) - 1, 1).bit_length() // 4),
        -(-codec.native_bits // 4),
        -(-codec.sent_bits // 4),
        4,
    )


def read(text: str, codec: Codec) -> Vectors:
    """A vector file's vectors.

    Args:
        text: the file's.
        codec: whose it is.

    Raises:
        ValueError: its lines are not those that its checksum stands for.
    """
    flags, channel, count, code, value = opened(text, 5)
    return written(codec, Vectors(flags, channel, count, code, value - ((value & 0x8000) << 1)))
