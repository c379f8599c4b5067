"""The arithmetic of `recursion.h` in NumPy: what the C is tested against, and what runs without a compiler.

Open it to read the recursion: each line works on all recordings and channels at one moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST, Constants, same_for_all, scaled

Ints = npt.NDArray[np.int64]


class Receiver:
    """What sender and receiver both know after each code, of `lanes` = recordings × channels.

    Args:
        channels: the constants of each channel.
        recordings: how many there are.
    """

    def __init__(self, channels: Sequence[Constants], recordings: int) -> None:
        def lanes(values: Sequence[int]) -> Ints:
            return np.tile(np.array(values, dtype=np.int64), (recordings, 1))

        self.bits, self.native_bits, self.refresh = same_for_all(channels)
        self.compand = channels[0].compand
        self.centre = lanes([c.centre for c in channels])
        self.leak, self.slope = lanes([c.leak for c in channels]), lanes([c.slope for c in channels])
        self.fixed = bool(channels[0].thresholds)
        if self.fixed:
            self.thresholds = np.array([c.thresholds for c in channels])
            self.levels = np.array([c.levels for c in channels])
        else:
            self.steps, self.moves = np.array([c.steps for c in channels]), np.array([c.moves for c in channels])
            self.alike, self.step_leak = lanes([c.alike for c in channels]), lanes([c.step_leak for c in channels])
            self.first = lanes([c.first for c in channels]) << self.step_leak
        self.channel = lanes(range(len(channels)))
        self.age = 0
        self.start(self.centre)

    def start(self, value: Ints) -> None:
        """The state at a recording's start, or after a refresh."""
        self.value = self.before = value
        if not self.fixed:
            self.place = self.first
        self.code, self.run = np.full_like(value, -1), np.zeros_like(value)

    def step(self) -> Ints:
        """The step, whose place counts in units of 2^-step_leak places."""
        found: Ints = self.steps[self.channel, self.place >> self.step_leak]
        return found

    def prediction(self) -> Ints:
        """The next value, as far as the receiver knows."""
        value = self.value
        value = value - np.where(self.leak > 0, (self.value - self.centre) >> self.leak, 0)
        value = value + np.where(self.slope > 0, (self.value - self.before) >> self.slope, 0)
        return np.clip(value, LOWEST, HIGHEST)

    def code_of(self, residual: Ints) -> Ints:
        """The sender's code of a residual."""
        if self.fixed:
            found: Ints = (residual[..., None] >= self.thresholds[self.channel]).sum(-1)
            return found
        step, rest, code = self.step(), np.abs(residual), np.zeros_like(residual)
        for part in range(self.bits - 1):
            reached = rest >= step >> part
            code = 2 * code + reached
            rest = rest - np.where(reached, step >> part, 0)
        return code | ((residual < 0).astype(np.int64) << (self.bits - 1))

    def take(self, code: Ints, live: npt.NDArray[np.bool_]) -> None:
        """Take over a code in the lanes that are live."""
        prediction = self.prediction()
        if self.fixed:
            residual = self.levels[self.channel, code]
        else:
            parts = self.bits - 1
            step, magnitude = self.step(), code & ((1 << parts) - 1)
            residual = step >> parts
            for part in range(parts):
                residual = residual + np.where(magnitude >> (parts - 1 - part) & 1, step >> part, 0)
            residual = np.where(code >> parts, -residual, residual)
            if not parts:
                run = np.where(code != self.code, 1, np.minimum(self.run + 1, np.maximum(self.run, self.alike)))
                magnitude = (run >= self.alike).astype(np.int64)
                self.run, self.code = np.where(live, run, self.run), np.where(live, code, self.code)
            place = self.place - np.where(self.step_leak > 0, (self.place - self.first) >> self.step_leak, 0)
            place = place + (self.moves[self.channel, magnitude] << self.step_leak)
            place = np.clip(place, 0, (self.steps.shape[1] - 1) << self.step_leak)
            self.place = np.where(live, place, self.place)
        value = np.clip(prediction + residual, LOWEST, HIGHEST)
        self.before, self.value = np.where(live, self.value, self.before), np.where(live, value, self.value)

    def send(self, count: Ints, live: npt.NDArray[np.bool_]) -> Ints:
        """The sender's codes of native counts, at a refresh the counts themselves; they are taken over where live."""
        sample = scaled(count, self.native_bits, self.compand)
        if self.refreshes:
            self.start(np.where(live, sample, self.value))
            code = count
        else:
            code = self.code_of(sample - self.prediction())
            self.take(code, live)
        self.age += 1
        return code

    @property
    def refreshes(self) -> bool:
        """Whether the next code is a native count."""
        return self.refresh > 0 and self.age % self.refresh == 0


def convert(
    channels: Sequence[Constants], counts: npt.NDArray[np.integer], bounds: Ints
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int16]]:
    """See `kernel.convert`."""
    codes, values = np.zeros(counts.shape, np.uint16), np.zeros(counts.shape, np.int16)
    receiver = Receiver(channels, len(bounds) - 1)
    for place, live in moments(bounds):
        code = receiver.send(counts[place].astype(np.int64), live[:, None])
        codes[place[live]], values[place[live]] = code[live], receiver.value[live]
    return codes, values


def decode(
    channels: Sequence[Constants],
    codes: npt.NDArray[np.integer],
    bounds: Ints,
    lost: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int16]:
    """See `kernel.decode`."""
    values = np.zeros(codes.shape, np.int16)
    receiver = Receiver(channels, len(bounds) - 1)
    for place, live in moments(bounds):
        arrives = live if lost is None else live & ~lost[place]
        code = codes[place].astype(np.int64)
        if receiver.refreshes:
            held = receiver
            before = (held.value, held.before, getattr(held, "place", None), held.code, held.run)
            receiver.start(scaled(code, receiver.native_bits, receiver.compand))
            _keep(receiver, before, ~arrives)
        else:
            receiver.take(np.where(arrives[:, None], code, 0), arrives[:, None])
        receiver.age += 1
        values[place[live]] = receiver.value[live]
    return values


def moments(bounds: Ints) -> list[tuple[Ints, npt.NDArray[np.bool_]]]:
    """For each moment, every recording's sample [recordings], and whether the recording still goes on."""
    lengths = np.diff(bounds)
    last = np.maximum(bounds[1:] - 1, 0)
    return [(np.minimum(bounds[:-1] + moment, last), lengths > moment) for moment in range(int(lengths.max(initial=0)))]


def _keep(receiver: Receiver, before: tuple[Ints | None, ...], where: npt.NDArray[np.bool_]) -> None:
    """Put the state back where a refresh was lost."""
    for name, old in zip(("value", "before", "place", "code", "run"), before, strict=True):
        if old is not None:
            setattr(receiver, name, np.where(where[:, None], old, getattr(receiver, name)))
