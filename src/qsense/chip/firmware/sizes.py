"""How large the C's arrays are, in which order its weights lie, and whether its 32 bits hold all sums.

Open it to see which plans a firmware refuses.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from qsense.chip.coding import Coding
from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import revision
from qsense.quant.network.integer.numbers import LSTM, Codes, Convolution, Ints, Linear, Pool

MOST_NATIVE_BITS = 24
LONGEST_PACKET = 64  # bytes of codes, where nobody asks for another number of samples


def packed(weight: Codes, bits: int) -> npt.NDArray[np.uint8]:
    """Rows of codes as bytes: two's complement, one after the other from the lowest bit on; each row begins a byte.

    >>> packed(np.array([[1, -1, 7], [-8, 0, 2]], dtype=np.int16), 4)
    array([[241,   7],
           [  8,   2]], dtype=uint8)
    """
    rows = weight.reshape(len(weight), -1).astype(np.int64) & ((1 << bits) - 1)
    each = (rows[:, :, None] >> np.arange(bits)) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1, bitorder="little")


def by_tap(layer: Convolution) -> Codes:
    """Its weights as the C goes through them: [output, tap, input of the group]."""
    return np.ascontiguousarray(layer.weight.transpose(0, 2, 1)).reshape(layer.outputs, -1)


def by_unit(rows: npt.NDArray[np.integer]) -> Ints:
    """What PyTorch has in the order of gates, [4·hidden, …], unit by unit: i, f, g, o of each."""
    gates = rows.reshape(4, -1, *rows.shape[1:])
    return np.ascontiguousarray(gates.swapaxes(0, 1)).reshape(rows.shape).astype(np.int64)


def row_bytes(weight: Codes, bits: int) -> int:
    """Of one output's weights, packed."""
    return -(-int(weight[0].size) * bits // 8)


class Sizes:
    """What the C's arrays are as large as, and the arithmetic's bounds.

    Args:
        plan: of the firmware.

    Raises:
        ValueError: a plan that the C sources do not compute; the message says which part.
    """

    def __init__(self, plan: Plan) -> None:
        layers = plan.network.layers
        self.plan = plan
        self.convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
        self.lstms = [layer for layer in layers if isinstance(layer, LSTM)]
        pools = [layer for layer in layers if isinstance(layer, Pool)]
        if not isinstance(layers[-1], Linear) or not self.convolutions or bool(self.lstms) == bool(pools):
            raise ValueError("a firmware's network is convolutions, then LSTMs or a mean over time, then a classifier")
        self.linear = layers[-1]
        self.axes = plan.network.axes
        self.positions = plan.positions[-1]
        self.windows = -(-self.positions // plan.stride)
        last = self.convolutions[-1]
        self.features = last.planes * last.outputs
        self.ring = sum(layer.planes * layer.reach * layer.inputs for layer in self.convolutions)
        self.row = max(
            *(layer.weight[0].size for layer in self.convolutions),
            *(max(layer.inputs, layer.hidden) for layer in self.lstms),
            self.linear.inputs,
        )
        self.bits = {bits for _, _, bits in self.weights()}
        self._check()

    def weights(self) -> Iterable[tuple[str, Codes, int]]:
        """Every table of weights: its name in C, its rows in the C's order, bits of a code."""
        for number, layer in enumerate(self.convolutions):
            yield f"convolution_{number}", by_tap(layer), layer.bits
        for number, lstm in enumerate(self.lstms):
            yield f"lstm_{number}_input", by_unit(lstm.weight_ih).astype(np.int16), lstm.bits_ih
            yield f"lstm_{number}_state", by_unit(lstm.weight_hh).astype(np.int16), lstm.bits_hh
        yield "classifier", self.linear.weight, self.linear.bits

    @property
    def coding(self) -> Coding:
        """How samples are written."""
        converter = self.plan.converter
        if isinstance(converter, Codec):
            return converter.coding
        return self.plan.native.coding if converter is None else converter.native.coding

    @property
    def code_bits(self) -> int:
        """N, of what a sender sends of a sample."""
        return self.coding.bits if self.plan.converter is None else self.plan.converter.bits

    @property
    def refresh(self) -> int:
        """Each of so many samples is sent as a native count; 0: none."""
        return self.plan.converter.refresh if isinstance(self.plan.converter, Codec) else 0

    @property
    def packet_samples(self) -> int:
        """Samples of a packet whose codes take about `LONGEST_PACKET` bytes at most, and no more than a stride."""
        sample = self.code_bits * self.axes
        spare = (self.coding.bits - self.code_bits) * self.axes * bool(self.refresh)
        return max(1, min((8 * LONGEST_PACKET - spare) // sample, self.plan.stride, 255))

    def _check(self) -> None:
        """Refuse what the C does not compute, and sums that do not fit."""
        plan = self.plan
        if self.positions < 1:
            raise ValueError(f"a window of {plan.window} samples is shorter than the network's convolutions reach")
        if not 1 <= plan.stride < 1 << 15 or plan.window >= 1 << 15:
            raise ValueError(f"window={plan.window}, stride={plan.stride}: a firmware takes at most {(1 << 15) - 1}")
        if self.coding.bits > MOST_NATIVE_BITS:
            raise ValueError(
                f"the sensor has {self.coding.bits} native bits: a firmware takes at most {MOST_NATIVE_BITS}"
            )
        if isinstance(plan.converter, Converter) and len(plan.converter.rows) not in (1, self.axes):
            raise ValueError(
                f"the converter has {len(plan.converter.rows)} rows: a firmware takes one for all channels, or one for "
                f"each of {self.axes}"
            )
        if len(plan.channels) != self.axes or len(plan.class_names) != self.linear.classes or self.linear.classes < 2:
            raise ValueError(
                f"{len(plan.channels)} channels and {len(plan.class_names)} classes are named: the network has "
                f"{self.axes} and {self.linear.classes}"
            )
        for name, codes, bits in self.weights():
            if not 2 <= bits <= 8 or codes.min() < -(1 << (bits - 1)) or codes.max() >= 1 << (bits - 1):
                raise ValueError(
                    f"{name}: weights from {codes.min()} to {codes.max()} do not fit {bits} of 2 to 8 bits"
                )
        largest = max(abs(plan.network.input_low), abs(plan.network.input_high))
        for layer in self.convolutions:
            _fits(layer.name, layer.weight, largest, layer.bias)
            largest = max(abs(layer.low), abs(layer.high))
        for lstm in self.lstms:
            _fits(lstm.name, lstm.weight_ih, largest, None)
            largest = (1 << (lstm.state_bits - 1)) - 1
            _fits(lstm.name, lstm.weight_hh, largest, None)
        if not self.lstms:
            largest *= self.positions
        _fits(self.linear.name, self.linear.weight, largest, self.linear.bias, 30)  # a margin is a difference of two


def _fits(name: str, weight: Codes, largest: int, bias: Ints | None, bits: int = 31) -> None:
    """Refuse sums of products that 32 bits do not hold."""
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1) * largest
    if bias is not None:
        sums = sums + np.abs(bias)
    if sums.max() >= 1 << bits:
        raise ValueError(
            f"{name}: its sums reach {int(sums.max())}, and a firmware's {1 << bits}: take fewer bits of weights or "
            "activations"
        )


def converter_id(plan: Plan) -> int:
    """16 bits that tell converters apart, from which a packet's checksum starts."""
    number = revision([vars(plan.native)]) if plan.converter is None else plan.converter.revision
    return int(number[:4], 16)
