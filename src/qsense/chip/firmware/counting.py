"""What a firmware costs, from its plan alone: multiplications per prediction, bytes of flash, bytes of RAM.

Open it to see what is counted. Sizes are those of constants and of what is kept from sample to sample; the code's own
size, its stack and its time are a compiler's and a processor's, and are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.quant.network.integer.numbers import LSTM, Codes, Convolution, Layer, Linear, Pool, sigmoid_table

GATES = 4
CURVES = 5  # of an LSTM's unit and step: three sigmoids, tanh of a gate, tanh of the cell
DESCRIBED = {"Convolution": 40, "Pool": 0, "LSTM": 32, "Linear": 12}  # bytes of a layer's sizes and scales, in flash
MEMORY = 80, 24  # bytes of the constants and the state of a converter with memory, of each channel


@dataclass(frozen=True)
class LayerCounts:
    """One layer, of one prediction.

    Args:
        name: of the layer.
        kind: "Convolution", "Pool", "LSTM" or "Linear".
        bits: of its weights' codes; of an LSTM the wider ones; 0 of a pool.
        macs: multiply-accumulates, where overlapping windows share what they have in common.
        macs_alone: of a window that is computed by itself.
        requantizations: from accumulator to code, shared likewise.
        curves: values of sigmoid and tanh.
        weights: their number.
        flash: bytes of packed weights, biases, sizes and scales.
        ram: bytes of the ring of its input frames, or of its states; two for each code.
    """

    name: str
    kind: str
    bits: int
    macs: int
    macs_alone: int
    requantizations: int
    curves: int
    weights: int
    flash: int
    ram: int


@dataclass(frozen=True)
class Counts:
    """A firmware.

    Args:
        layers: in order.
        converter_flash: bytes of the converter's thresholds or tables.
        converter_ram: bytes of its state; without memory, of what a receiver holds.
        input_flash: bytes of what turns the converter's codes into input codes.
        sigmoid_flash: bytes of the sigmoid's table; 0 without an LSTM.
        predictions_hz: per second; None where nobody has stated a rate.
    """

    layers: tuple[LayerCounts, ...]
    converter_flash: int
    converter_ram: int
    input_flash: int
    sigmoid_flash: int
    predictions_hz: float | None

    @property
    def macs(self) -> int:
        """Per prediction, shared."""
        return sum(layer.macs for layer in self.layers)

    @property
    def macs_alone(self) -> int:
        """Per prediction, each window by itself."""
        return sum(layer.macs_alone for layer in self.layers)

    @property
    def saved(self) -> float:
        """Share of the multiplications that overlapping windows save, 0 … 1."""
        return 1 - self.macs / self.macs_alone

    @property
    def requantizations(self) -> int:
        """Per prediction."""
        return sum(layer.requantizations for layer in self.layers)

    @property
    def weights(self) -> int:
        """Their number."""
        return sum(layer.weights for layer in self.layers)

    @property
    def flash(self) -> int:
        """Bytes of all constants."""
        return sum(layer.flash for layer in self.layers) + self.converter_flash + self.input_flash + self.sigmoid_flash

    @property
    def ram(self) -> int:
        """Bytes that are kept from sample to sample, but for a few of bookkeeping."""
        return sum(layer.ram for layer in self.layers) + self.converter_ram

    def record(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        rate = self.predictions_hz
        return {
            "macs": self.macs,
            "macs_alone": self.macs_alone,
            "saved": self.saved,
            "macs_per_second": None if rate is None else self.macs * rate,
            "predictions_hz": rate,
            "requantizations": self.requantizations,
            "weights": self.weights,
            "flash": {
                "total": self.flash,
                "layers": sum(layer.flash for layer in self.layers),
                "converter": self.converter_flash,
                "input": self.input_flash,
                "sigmoid": self.sigmoid_flash,
            },
            "ram": {"total": self.ram, "layers": self.ram - self.converter_ram, "converter": self.converter_ram},
            "layers": [vars(layer) for layer in self.layers],
        }


def count(plan: Plan) -> Counts:
    """What a firmware costs.

    A convolution's position is computed once, in each stride of samples those that windows need: of T positions per
    window min(stride, T). Recurrence and pool start anew with each window and share nothing.
    """
    layers, positions, left = [], iter(plan.positions), plan.window
    for layer in plan.network.layers:
        left = next(positions) if isinstance(layer, Convolution) else left
        layers.append(_layer(layer, left, plan.stride))
    recurrent = any(isinstance(layer, LSTM) for layer in plan.network.layers)
    flash, ram = _converter(plan)
    return Counts(
        layers=tuple(layers),
        converter_flash=flash,
        converter_ram=ram,
        input_flash=_input(plan),
        sigmoid_flash=sigmoid_table().nbytes if recurrent else 0,
        predictions_hz=None if plan.rate_hz is None else plan.rate_hz / plan.stride,
    )


def packed(weight: Codes, bits: int) -> int:
    """Bytes of rows of codes, one code after the other; each row, which is one output's, begins a byte.

    >>> packed(np.zeros((2, 3), np.int16), 3)
    4
    """
    return len(weight) * -(-(weight.size // len(weight)) * bits // 8)


def width(numbers: npt.NDArray[np.integer]) -> int:
    """Bytes of the smallest type of C that holds all of them."""
    return next(
        size
        for size, signed, unsigned in ((1, np.int8, np.uint8), (2, np.int16, np.uint16), (4, np.int32, np.uint32))
        if any(
            np.iinfo(kind).min <= numbers.min() <= numbers.max() <= np.iinfo(kind).max for kind in (signed, unsigned)
        )
    )


def _layer(layer: Layer, positions: int, stride: int) -> LayerCounts:
    """A layer that has (or, behind the convolutions, takes) so many positions of a window."""
    overlapping = -(-positions // stride)
    kind = type(layer).__name__
    described = DESCRIBED[kind]
    match layer:
        case Convolution():
            shared, outputs = min(stride, positions), layer.planes * layer.outputs
            each = outputs * layer.weight.shape[1] * layer.kernel
            return LayerCounts(
                layer.name, kind, layer.bits,
                macs=shared * each, macs_alone=positions * each, requantizations=shared * outputs, curves=0,
                weights=int(layer.weight.size), flash=packed(layer.weight, layer.bits) + 4 * layer.outputs + described,
                ram=2 * layer.reach * layer.planes * layer.inputs,
            )  # fmt: skip
        case Pool():
            return LayerCounts("pool", kind, 0, 0, 0, 0, 0, 0, 0, ram=4 * layer.features * overlapping)
        case LSTM():
            rows, weights = GATES * layer.hidden, int(layer.weight_ih.size + layer.weight_hh.size)
            flash = packed(layer.weight_ih, layer.bits_ih) + packed(layer.weight_hh, layer.bits_hh)
            return LayerCounts(
                layer.name, kind, max(layer.bits_ih, layer.bits_hh),
                macs=positions * weights, macs_alone=positions * weights, requantizations=positions * 2 * rows,
                curves=positions * CURVES * layer.hidden, weights=weights, flash=flash + 4 * rows + described,
                ram=2 * 3 * layer.hidden * overlapping,  # h, c, and the next h
            )  # fmt: skip
        case Linear():
            macs = int(layer.weight.size)
            flash = packed(layer.weight, layer.bits) + 4 * layer.classes + described
            return LayerCounts(layer.name, kind, layer.bits, macs, macs, 0, 0, macs, flash, 0)


def _converter(plan: Plan) -> tuple[int, int]:
    """Bytes of flash and RAM."""
    channels = len(plan.channels)
    match plan.converter:
        case None:
            return 0, 2 * channels
        case Converter(counts=counts, native=native):
            reached = counts[counts < native.codes]
            return counts.size * (width(reached) if reached.size else 1), 2 * channels
        case Codec() as codec:
            own = sum(len(getattr(c, table)) for c in codec.constants for table in codec.tables if table != "steps")
            own += len(codec.constants[0].steps) + len(codec.compand)
            return 4 * own + MEMORY[0] * channels, MEMORY[1] * channels


def _input(plan: Plan) -> int:
    """Bytes of its table, or of its thresholds."""
    given = plan.input
    if given.table is not None:
        return given.table.size * width(given.table)
    assert given.thresholds is not None
    return given.thresholds.size * 2
