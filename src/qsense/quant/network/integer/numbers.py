"""What a network in integers is made of: codes, biases, multipliers and one table.

Open it to see the arithmetic that training (`forward.py`), the reference (`chip/firmware/reference.py`) and the
exported C share. Nothing in it needs more than 32-bit integers, but for the product in `requantize`, which has 47 bits.

**Codes.** A value is code × unit. Weights have 2 … 8 bits and one unit for each tensor, activations 2 … 8 bits, LSTM
states 8 or 16. Multiplying codes gives an accumulator in units of (weight's unit × input's unit), and so is the bias.

**From accumulator to code.** `requantize`: round half up of acc · m / 2^shift, cut off at the code's range; m / 2^shift
stands for (weight's unit × input's unit) / output's unit. ReLU is the cut-off at 0.

**LSTM.** Gates in PyTorch's order i, f, g, o. Their arguments z, and the cell c, are in units of 2^-11, cut off at 16
bits; σ and tanh are in units of 2^-15:

    z = requantize(W_ih·x) + requantize(W_hh·h) + bias
    c = (σ(f)·c + 2^14 >> 15) + (σ(i)·tanh(g) + 2^18 >> 19)
    h = (σ(o)·tanh(c) + half) >> (31 − state_bits), in units of 2^-(state_bits − 1)

σ is a table of 513 numbers with straight lines between them, tanh(z) = 2·σ(2z) − 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int16]

GATE = 11  # fraction bits of a gate's argument and of the cell
ONE = 1 << 15  # what 1 is, of σ and tanh
KNOTS = 32  # table entries per unit of σ's argument
WIDEST = 1 << 24  # what a gate's two requantized sums are cut off at, and biases
MULTIPLIER_BITS = 15


@dataclass(frozen=True)
class Scale:
    """A positive real number as multiplier / 2^shift.

    Args:
        multiplier: 2^14 … 2^15 − 1.
        shift: 1 … 46.
    """

    multiplier: int
    shift: int

    @property
    def value(self) -> float:
        """The number that it stands for."""
        return math.ldexp(self.multiplier, -self.shift)


def scale(number: float) -> Scale:
    """The nearest `Scale`: within 2^-15 of the number, relatively.

    Numbers below 2^-32 become the smallest: no accumulator of 32 bits reaches a code by them.

    Raises:
        ValueError: not above 0, or 2^14 and more.

    >>> scale(0.75), scale(1 / 3).value
    (Scale(multiplier=24576, shift=15), 0.3333282470703125)
    """
    if not 0 < number < 1 << 14:
        raise ValueError(f"a scale must be above 0 and below {1 << 14}, not {number!r}")
    mantissa, exponent = math.frexp(number)  # mantissa in [1/2, 1)
    multiplier = math.floor(math.ldexp(mantissa, MULTIPLIER_BITS) + 0.5)
    if multiplier == 1 << MULTIPLIER_BITS:
        multiplier, exponent = multiplier // 2, exponent + 1
    if MULTIPLIER_BITS - exponent > 46:
        return Scale(1 << 14, 46)
    return Scale(multiplier, MULTIPLIER_BITS - exponent)


def requantize(acc: Ints, by: Scale, low: int, high: int) -> Ints:
    """Round half up of acc · by, cut off at low … high: (acc · m + 2^(shift − 1)) >> shift.

    >>> requantize(np.array([-5, -3, 3, 5, 100]), scale(0.5), -8, 7).tolist()
    [-2, -1, 2, 3, 7]
    """
    rounded: Ints = np.clip((acc * by.multiplier + (1 << (by.shift - 1))) >> by.shift, low, high)
    return rounded


@cache
def sigmoid_table() -> npt.NDArray[np.uint16]:
    """σ(k/32) in units of 2^-15 for k = 0 … 512, rounded half up."""
    u = np.arange(16 * KNOTS + 1) / KNOTS
    return np.floor(ONE / (1 + np.exp(-u)) + 0.5).astype(np.uint16)


def sigmoid(z: Ints) -> Ints:
    """σ, 0 … 2^15, of arguments −32768 … 32767 in units of 2^-11.

    >>> sigmoid(np.array([0, 2048, -2048, 32767, -32768])).tolist()
    [16384, 23955, 8813, 32768, 0]
    """
    table, shift = sigmoid_table().astype(np.int64), GATE - 5
    magnitude = np.minimum(np.abs(z), (1 << 15) - 1)
    place, part = magnitude >> shift, magnitude & ((1 << shift) - 1)
    rise = (table[place + 1] - table[place]) * part
    value = table[place] + ((rise + (1 << (shift - 1))) >> shift)
    both: Ints = np.where(z < 0, ONE - value, value)
    return both


def tanh(z: Ints) -> Ints:
    """tanh, −2^15 … 2^15, of arguments −32768 … 32767 in units of 2^-11: 2·σ(2z) − 1.

    >>> tanh(np.array([0, 2048, -2048, 32767])).tolist()
    [0, 24956, -24956, 32768]
    """
    twice: Ints = 2 * sigmoid(np.clip(2 * z, -(1 << 15) + 1, (1 << 15) - 1)) - ONE
    return twice


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution along time, unpadded and unstrided, and its ReLU.

    Its input has `planes` planes that are treated alike (the sensor's axes in DeepConvLSTM; else 1) of `inputs`
    features each; its output as many planes of `outputs` features.

    Args:
        name: of the layer in the network.
        planes: P.
        weight: codes [outputs, inputs / groups, kernel].
        bits: of a weight's code.
        groups: of features; `inputs` of a depthwise one.
        dilation: samples between two of its kernel.
        bias: int32 [outputs], in units of the accumulator.
        by: from accumulator to output code.
        low: lowest output code; 0 after ReLU.
        high: highest output code.
        unit: what an output code of 1 stands for.
    """

    name: str
    planes: int
    weight: Codes
    bits: int
    groups: int
    dilation: int
    bias: Ints
    by: Scale
    low: int
    high: int
    unit: float

    @property
    def inputs(self) -> int:
        """Features of a plane that come in."""
        return int(self.weight.shape[1] * self.groups)

    @property
    def outputs(self) -> int:
        """Features of a plane that go out."""
        return int(self.weight.shape[0])

    @property
    def kernel(self) -> int:
        """Samples that one output takes."""
        return int(self.weight.shape[2])

    @property
    def reach(self) -> int:
        """Samples from the first to the last that one output takes, both included."""
        return self.dilation * (self.kernel - 1) + 1


@dataclass(frozen=True, eq=False)
class Pool:
    """The mean over time, as the sum of codes: `unit` is that of the codes divided by their number.

    Args:
        features: that come in and go out.
        positions: how many codes a window sums.
        unit: what a sum of 1 stands for.
    """

    features: int
    positions: int
    unit: float


@dataclass(frozen=True, eq=False)
class LSTM:
    """One LSTM layer from h = c = 0 on, at a window's start.

    Features come in plane by plane: feature f of plane p is input p·F + f.

    Args:
        name: of the layer in the network, and its number in a stack.
        weight_ih: codes [4·hidden, inputs], gates i, f, g, o.
        weight_hh: codes [4·hidden, hidden].
        bits_ih: of a code of weight_ih.
        bits_hh: of a code of weight_hh.
        bias: [4·hidden], both of PyTorch's together, in units of 2^-11.
        by_ih: from accumulator to units of 2^-11.
        by_hh: likewise.
        state_bits: of h, 8 or 16; its codes are −(2^(bits − 1) − 1) … 2^(bits − 1) − 1.
    """

    name: str
    weight_ih: Codes
    weight_hh: Codes
    bits_ih: int
    bits_hh: int
    bias: Ints
    by_ih: Scale
    by_hh: Scale
    state_bits: int

    @property
    def inputs(self) -> int:
        """Features that come in."""
        return int(self.weight_ih.shape[1])

    @property
    def hidden(self) -> int:
        """Units H."""
        return int(self.weight_hh.shape[1])

    @property
    def unit(self) -> float:
        """What an output code of 1 stands for."""
        return math.ldexp(1, 1 - self.state_bits)


@dataclass(frozen=True, eq=False)
class Linear:
    """The classifier: it accumulates the logits, in units of `unit`; the largest wins, of equal ones the first.

    Args:
        name: of the layer in the network.
        weight: codes [classes, inputs].
        bits: of a weight's code.
        bias: int32 [classes], in units of the accumulator.
        unit: what a logit of 1 stands for.
    """

    name: str
    weight: Codes
    bits: int
    bias: Ints
    unit: float

    @property
    def inputs(self) -> int:
        """Features that come in."""
        return int(self.weight.shape[1])

    @property
    def classes(self) -> int:
        """Classes K."""
        return int(self.weight.shape[0])


Layer = Convolution | Pool | LSTM | Linear


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network's layers in order: convolutions, then LSTMs or a pool, then the classifier.

    Args:
        axes: of the sensor, C; their input codes come in as C planes of 1 feature, or one plane of C features.
        input_low: lowest input code.
        input_high: highest input code.
        input_unit: what an input code of 1 stands for, of what the network is given (standardised levels).
        layers: in order.
    """

    axes: int
    input_low: int
    input_high: int
    input_unit: float
    layers: tuple[Layer, ...]
