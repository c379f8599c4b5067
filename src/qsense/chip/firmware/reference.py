"""A firmware's classes in NumPy, from its plan alone: what the C sources must compute, number for number.

Open it to see what a window's logits are (`windows`), how a microcontroller gets the same ones sample by sample
(`Stream`), and what becomes of them: class, margin and majority. Nothing here knows of torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.quant.network.integer.numbers import (
    GATE,
    LSTM,
    WIDEST,
    Convolution,
    Ints,
    Linear,
    Pool,
    requantize,
    sigmoid,
    tanh,
)
from qsense.quant.sensor.memory import kernel

AT_ONCE = 128  # windows: their activations fit a processor's cache
LARGEST = (1 << 15) - 1  # of gates' arguments and the cell


@dataclass(frozen=True, eq=False)
class Classes:
    """What a recording's windows are taken for.

    Args:
        start: first sample of each window, [windows].
        logits: in units of the classifier's `unit`, [windows, K].
        winner: class of the largest logit, of equal ones the first, [windows].
        margin: the largest logit less the second largest, [windows].
        majority: the class most frequent among the last n winners, [windows].
    """

    start: Ints
    logits: Ints
    winner: Ints
    margin: Ints
    majority: Ints


def classify(plan: Plan, counts: npt.NDArray[np.integer], majority: int = 1) -> Classes:
    """A whole recording, from its first sample on.

    Args:
        plan: the firmware.
        counts: native counts [time, channels], offset binary, 0 … 2^n − 1.
        majority: n, odd; 1: each window by itself.
    """
    logits = windows(plan, input_codes(plan, converted(plan, counts)))
    return decided(plan, logits, majority)


def decided(plan: Plan, logits: Ints, majority: int = 1) -> Classes:
    """The classes of a recording's windows by their logits, as in `classify`."""
    ranked = np.sort(logits, axis=1)
    winner = logits.argmax(axis=1)  # of equal ones the first
    start = np.arange(len(logits)) * plan.stride
    return Classes(start, logits, winner, ranked[:, -1] - ranked[:, -2], most_frequent(winner, majority))


def most_frequent(winner: Ints, n: int) -> Ints:
    """The class most frequent among the last n, fewer at first; of equally frequent ones the one that came last.

    >>> most_frequent(np.array([0, 1, 1, 0, 2]), 3).tolist()
    [0, 1, 1, 1, 2]
    """
    chosen = np.empty_like(winner)
    for k in range(len(winner)):
        recent = winner[max(0, k - n + 1) : k + 1][::-1]
        counts = [int((recent == each).sum()) for each in recent]
        chosen[k] = recent[counts.index(max(counts))]
    return chosen


# From native counts to input codes --------------------------------------------------------------------------------


def converted(plan: Plan, counts: npt.NDArray[np.integer]) -> Ints:
    """What the converter makes of a whole recording's native counts [time, channels].

    Returns:
        Codes of a converter without memory, decoded values (on the 16-bit scale) of one with memory, and the counts
        themselves where there is none.
    """
    match plan.converter:
        case None:
            return counts.astype(np.int64)
        case Codec(constants=constants):
            bounds = np.array([0, len(counts)])
            return kernel.convert(constants, counts.astype(np.uint16), bounds)[1].astype(np.int64)
        case Converter() as converter:
            rows = rows_of(converter, counts.shape[1])
            return np.stack(
                [converter.encode(row, counts[:, c].astype(np.int64)) for c, row in enumerate(rows)], axis=1
            )


def rows_of(converter: Converter, channels: int) -> list[int]:
    """For each channel, the converter's row of thresholds."""
    return list(range(channels)) if len(converter.rows) == channels else [0] * channels


def input_codes(plan: Plan, x: Ints) -> Ints:
    """The first layer's input codes of what the converter gives, both [time, channels]."""
    given = plan.input
    if given.table is not None:
        return np.stack([row[x[:, c]] for c, row in enumerate(given.table)], axis=1).astype(np.int64)
    assert given.thresholds is not None
    columns = [np.searchsorted(row, x[:, c], side="right") for c, row in enumerate(given.thresholds)]
    return np.stack(columns, axis=1) + given.low


# Window by window -------------------------------------------------------------------------------------------------


def windows(plan: Plan, codes: npt.NDArray[np.integer]) -> Ints:
    """Logits of a recording's windows, each computed by itself.

    Args:
        plan: the firmware.
        codes: input codes [time, channels] of a recording.

    Returns:
        [windows, K], in units of the classifier's `unit`; window k begins at sample k · stride.
    """
    count = max(0, (len(codes) - plan.window) // plan.stride + 1)
    inside = np.arange(plan.window)
    starts = np.arange(count) * plan.stride
    pieces = np.split(starts, range(AT_ONCE, count, AT_ONCE))
    parts = [of_windows(plan, codes[piece[:, None] + inside]) for piece in pieces]
    return np.concatenate(parts)


def of_windows(plan: Plan, codes: npt.NDArray[np.integer]) -> Ints:
    """Logits [W, K] of windows of input codes [W, window, channels]."""
    x = codes.astype(np.int64)  # [W, time, plane by plane the features]
    for layer in plan.network.layers:
        match layer:
            case Convolution():
                x = _convolution(layer, x)
            case Pool():
                x = x.sum(axis=1)
            case LSTM():
                x = _lstm(layer, x)
            case Linear():
                x = product(x[:, -1] if x.ndim == 3 else x, layer.weight) + layer.bias
    return x


def product(x: Ints, weight: npt.NDArray[np.integer]) -> Ints:
    """x @ weight.T of integers, by float64: many times faster, and exact for all sums below 2^53."""
    return (x.astype(np.float64) @ weight.astype(np.float64).T).astype(np.int64)


def _convolution(layer: Convolution, x: Ints) -> Ints:
    """[W, time, P·inputs] → [W, time − reach + 1, P·outputs]."""
    count, time = len(x), x.shape[1] - layer.reach + 1
    planes = x.reshape(count, x.shape[1], layer.planes, layer.groups, layer.weight.shape[1]).astype(np.float64)
    weight = layer.weight.astype(np.float64).reshape(layer.groups, layer.outputs // layer.groups, -1, layer.kernel)
    acc = np.zeros((count, time, layer.planes, layer.groups, weight.shape[1]))
    for tap in range(layer.kernel):
        seen = planes[:, tap * layer.dilation : tap * layer.dilation + time]
        if layer.groups == 1:
            acc += seen @ weight[0, :, :, tap].T
        else:
            acc += np.einsum("wtpgi,goi->wtpgo", seen, weight[..., tap])
    sums = acc.astype(np.int64).reshape(count, time, layer.planes, layer.outputs) + layer.bias
    return requantize(sums, layer.by, layer.low, layer.high).reshape(count, time, layer.planes * layer.outputs)


def _lstm(layer: LSTM, x: Ints) -> Ints:
    """[W, time, inputs] → h [W, time, H]."""
    state, outputs = rest(layer, len(x)), []
    for moment in range(x.shape[1]):
        state = step(layer, x[:, moment], state)
        outputs.append(state[0])
    return np.stack(outputs, axis=1)


def rest(layer: LSTM, count: int) -> tuple[Ints, Ints]:
    """h and c of so many windows at their start."""
    return np.zeros((count, layer.hidden), np.int64), np.zeros((count, layer.hidden), np.int64)


def step(layer: LSTM, x: Ints, state: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """One step of windows side by side: x [W, inputs], h and c [W, H] → the new h and c."""
    h, c = state
    z = requantize(product(x, layer.weight_ih), layer.by_ih, -WIDEST, WIDEST)
    z = z + requantize(product(h, layer.weight_hh), layer.by_hh, -WIDEST, WIDEST) + layer.bias
    i, f, g, o = np.split(np.clip(z, -LARGEST - 1, LARGEST), 4, axis=-1)
    kept = (sigmoid(f) * c + (1 << 14)) >> 15
    shift = 30 - GATE  # of a product of two numbers in units of 2^-15
    new = (sigmoid(i) * tanh(g) + (1 << (shift - 1))) >> shift
    c = np.clip(kept + new, -LARGEST - 1, LARGEST)
    shift = 31 - layer.state_bits
    top = (1 << (layer.state_bits - 1)) - 1
    h = np.clip((sigmoid(o) * tanh(c) + (1 << (shift - 1))) >> shift, -top, top)
    return h, c


# Sample by sample -------------------------------------------------------------------------------------------------


class Stream:
    """A recording sample by sample, as the microcontroller takes it: each number is computed once, when it can be.

    Position p of a layer (its first sample since the recording's start) is computed where a window needs it, which is
    where p mod stride is below the layer's positions per window. A layer keeps its last `reach` input frames, in a
    ring: frame t at place t mod reach. Windows that overlap behind the convolutions have a state each.

    Args:
        plan: the firmware.
    """

    def __init__(self, plan: Plan) -> None:
        layers = plan.network.layers
        self.plan = plan
        self.convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
        self.behind = layers[len(self.convolutions) : -1]
        self.classifier = layers[-1]
        self.last = [plan.window, *plan.positions][-1]  # positions of a window that the recurrence or pool takes
        self.overlapping = -(-self.last // plan.stride)
        self.reset()

    def reset(self) -> None:
        """A new recording."""
        self.time = 0
        self.rings = [np.zeros((conv.reach, conv.planes * conv.inputs), np.int64) for conv in self.convolutions]
        self.states = [self._at_rest() for _ in range(self.overlapping)]

    def _at_rest(self) -> list[Ints | tuple[Ints, Ints]]:
        return [
            rest(layer, 1) if isinstance(layer, LSTM) else np.zeros((1, layer.features), np.int64)
            for layer in self.behind
            if isinstance(layer, LSTM | Pool)
        ]

    def push(self, codes: npt.NDArray[np.integer]) -> Ints | None:
        """One sample's input codes [channels]; the logits [K] of the window that it ends, if there is one."""
        frame, position = codes.astype(np.int64), self.time
        self.time += 1
        for conv, ring, positions in zip(self.convolutions, self.rings, self.plan.positions, strict=True):
            ring[position % conv.reach] = frame
            position -= conv.reach - 1
            if position < 0 or position % self.plan.stride >= positions:
                return None
            taken = (position + conv.dilation * np.arange(conv.kernel)) % conv.reach
            frame = self._frame(conv, ring[taken])
        return self._behind(frame, position)

    @staticmethod
    def _frame(conv: Convolution, taken: Ints) -> Ints:
        """An output frame of kernel input frames, [kernel, P·inputs] → [P·outputs]; in integers, sum by sum."""
        planes = taken.reshape(conv.kernel, conv.planes, conv.groups, -1)
        weight = conv.weight.astype(np.int64).reshape(conv.groups, conv.outputs // conv.groups, -1, conv.kernel)
        acc = np.einsum("kpgi,goik->pgo", planes, weight).reshape(conv.planes, conv.outputs) + conv.bias
        return requantize(acc, conv.by, conv.low, conv.high).ravel()

    def _behind(self, frame: Ints, position: int) -> Ints | None:
        """Let the windows that hold this position go on; the logits of the one that ends with it."""
        stride, done = self.plan.stride, None
        for k in range(max(0, -(-(position - self.last + 1) // stride)), position // stride + 1):
            place = k % self.overlapping
            if position == k * stride:
                self.states[place] = self._at_rest()
            x, state = frame[None], self.states[place]
            for n, layer in enumerate(self.behind):
                kept = state[n]
                if isinstance(layer, LSTM):
                    assert isinstance(kept, tuple)
                    state[n] = kept = step(layer, x, kept)
                    x = kept[0]
                else:
                    assert not isinstance(kept, tuple)
                    state[n] = x = kept + x
            if position == k * stride + self.last - 1:
                assert isinstance(self.classifier, Linear)
                done = (x @ self.classifier.weight.astype(np.int64).T + self.classifier.bias)[0]
        return done

    def all(self, codes: npt.NDArray[np.integer]) -> Iterator[Ints]:
        """The logits of a whole recording's windows, from its input codes [time, channels]."""
        self.reset()
        for each in codes:
            if (logits := self.push(each)) is not None:
                yield logits
