"""What a firmware costs, from its plan alone: multiplications per prediction, bytes of flash, bytes of RAM.

Open it to see what is counted. Sizes are those of constants and of what is kept from sample to sample; the code's own
size, its stack and its time are a compiler's and a processor's, and are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import rows_of
from qsense.chip.memory.codec import Codec
from qsense.quant.network.integer.numbers import LSTM, Convolution, Layer, Linear, Pool, sigmoid_table

SCALE = 4  # bytes of a multiplier and its shift
GATES = 4
CURVES = 5  # of an LSTM's unit and step: three sigmoids, tanh of a gate, tanh of the cell


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
        flash: bytes of packed weights, biases and scales.
        ram: bytes of the ring of its input frames, or of its states.
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
        converter_ram: bytes of a converter with memory's state.
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
        """Bytes that are kept from sample to sample."""
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


def packed(number: int, bits: int) -> int:
    """Bytes of so many codes, one after the other.

    >>> packed(10, 3)
    4
    """
    return -(-number * bits // 8)


def _layer(layer: Layer, positions: int, stride: int) -> LayerCounts:
    """A layer that has (or, behind the convolutions, takes) so many positions of a window."""
    overlapping = -(-positions // stride)
    kind, name = type(layer).__name__, getattr(layer, "name", "pool")
    match layer:
        case Convolution():
            shared, outputs = min(stride, positions), layer.planes * layer.outputs
            each = outputs * layer.weight.shape[1] * layer.kernel
            flash = packed(layer.weight.size, layer.bits) + 4 * layer.outputs + SCALE
            ring = layer.reach * layer.planes * layer.inputs
            return LayerCounts(
                name, kind, layer.bits, shared * each, positions * each, shared * outputs, 0, layer.weight.size, flash,
                ring,
            )  # fmt: skip
        case Pool():
            return LayerCounts(name, kind, 0, 0, 0, 0, 0, 0, 0, 4 * layer.features * overlapping)
        case LSTM():
            rows, weights = GATES * layer.hidden, layer.weight_ih.size + layer.weight_hh.size
            flash = packed(layer.weight_ih.size, layer.bits_ih) + packed(layer.weight_hh.size, layer.bits_hh)
            macs, state = positions * weights, layer.hidden * (layer.state_bits // 8 + 2)
            return LayerCounts(
                name, kind, max(layer.bits_ih, layer.bits_hh), macs, macs, positions * 2 * rows,
                positions * CURVES * layer.hidden, weights, flash + 4 * rows + 2 * SCALE, state * overlapping,
            )  # fmt: skip
        case Linear():
            flash = packed(layer.weight.size, layer.bits) + 4 * layer.classes
            macs = int(layer.weight.size)
            return LayerCounts(name, kind, layer.bits, macs, macs, 0, 0, macs, flash, 0)


def _converter(plan: Plan) -> tuple[int, int]:
    """Bytes of flash and RAM."""
    match plan.converter:
        case None:
            return 0, 0
        case Converter() as converter:
            return 2 * len(set(rows_of(converter, len(plan.channels)))) * converter.counts.shape[1], 0
        case Codec() as codec:
            tables = sum(
                len(values) for c in codec.constants for values in (c.thresholds, c.levels, c.steps, c.moves)
            ) + len(codec.compand)
            state = sum(-(-bits // 8) for bits in codec.state.values())
            return 4 * tables, state * len(codec.channels)


def _input(plan: Plan) -> int:
    """Bytes of its table (one of 8-bit codes) or thresholds, channels that are alike counted once."""
    given = plan.input
    rows = given.table if given.table is not None else given.thresholds
    assert rows is not None
    return int(np.unique(rows, axis=0).size) * (1 if given.table is not None else 4)
