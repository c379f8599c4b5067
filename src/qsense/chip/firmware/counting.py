"""What a firmware costs, from its plan alone: multiplications per prediction, bytes of flash, bytes of RAM.

Open it to see what is counted. Bytes are those of the C's tables and of `qs_state`, by `sizes.py`; the code's own size,
its stack and its time are a compiler's and a processor's, and are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.sizes import Sizes, bias_bytes, weight_bytes
from qsense.quant.network.integer.numbers import LSTM, Convolution, Layer, Linear, Pool

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
        flash: bytes of packed weights and of biases.
        ram: bytes of the lines of its last inputs, or of its states or sums in all windows under way.
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
        other_ram: bytes of all else that is kept: the last frame, windows under way, the majority's classes.
        predictions_hz: per second; None where nobody has stated a rate.
    """

    layers: tuple[LayerCounts, ...]
    converter_flash: int
    converter_ram: int
    input_flash: int
    sigmoid_flash: int
    other_ram: int
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
        """Bytes of all tables."""
        return sum(layer.flash for layer in self.layers) + self.converter_flash + self.input_flash + self.sigmoid_flash

    @property
    def ram(self) -> int:
        """Bytes of `qs_state`, which is all that is kept from sample to sample."""
        return sum(layer.ram for layer in self.layers) + self.converter_ram + self.other_ram

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
            "ram": {
                "total": self.ram,
                "layers": sum(layer.ram for layer in self.layers),
                "converter": self.converter_ram,
                "other": self.other_ram,
            },
            "layers": [vars(layer) for layer in self.layers],
        }


def count(plan: Plan, majority: int = 1) -> Counts:
    """What a firmware costs.

    A convolution's position is computed once, in each stride of samples those that windows need: of T positions per
    window min(stride, T). Recurrence and pool start anew with each window and share nothing.

    Args:
        plan: the firmware.
        majority: windows that the majority is taken of.

    Raises:
        ValueError: a plan that the C sources do not compute.
    """
    sizes, positions, left = Sizes(plan), iter(plan.positions), plan.window
    layers = []
    for layer in plan.network.layers:
        left = next(positions) if isinstance(layer, Convolution) else left
        flash, ram = weight_bytes(layer) + bias_bytes(layer), sizes.layer_ram(layer)
        layers.append(_layer(layer, left, plan.stride, flash, ram))
    return Counts(
        layers=tuple(layers),
        converter_flash=sizes.converter_flash,
        converter_ram=sizes.converter_ram,
        input_flash=sizes.input_flash,
        sigmoid_flash=sizes.sigmoid_flash,
        other_ram=sizes.ram(majority) - sizes.converter_ram - sum(layer.ram for layer in layers),
        predictions_hz=None if plan.rate_hz is None else plan.rate_hz / plan.stride,
    )


def _layer(layer: Layer, positions: int, stride: int, flash: int, ram: int) -> LayerCounts:
    """A layer that has (or, behind the convolutions, takes) so many positions of a window."""
    kind = type(layer).__name__
    match layer:
        case Convolution():
            shared, outputs = min(stride, positions), layer.planes * layer.outputs
            each = outputs * layer.weight.shape[1] * layer.kernel
            return LayerCounts(
                layer.name, kind, layer.bits,
                macs=shared * each, macs_alone=positions * each, requantizations=shared * outputs, curves=0,
                weights=int(layer.weight.size), flash=flash, ram=ram,
            )  # fmt: skip
        case Pool():
            return LayerCounts("pool", kind, 0, 0, 0, 0, 0, 0, flash, ram)
        case LSTM():
            rows, weights = GATES * layer.hidden, int(layer.weight_ih.size + layer.weight_hh.size)
            return LayerCounts(
                layer.name, kind, max(layer.bits_ih, layer.bits_hh),
                macs=positions * weights, macs_alone=positions * weights, requantizations=positions * 2 * rows,
                curves=positions * CURVES * layer.hidden, weights=weights, flash=flash, ram=ram,
            )  # fmt: skip
        case Linear():
            macs = int(layer.weight.size)
            return LayerCounts(layer.name, kind, layer.bits, macs, macs, 0, 0, macs, flash, ram)
