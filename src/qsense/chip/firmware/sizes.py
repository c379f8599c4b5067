"""How large the C's arrays are, in which order its weights lie, and whether its 32 bits hold all sums.

Open it to see where a firmware's bytes come from, or which plans it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from qsense.chip.c_header import integer
from qsense.chip.coding import Coding
from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.c_header import STATE_BYTES, table_bytes
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import revision
from qsense.quant.network.integer.numbers import LSTM, Codes, Convolution, Ints, Layer, Linear, Pool, sigmoid_table

MOST_NATIVE_BITS = 24
LONGEST_PACKET = 64  # bytes of codes, where nobody asks for another number of samples
PACKET_OVERHEAD = 12  # bytes beside its codes


def packed(weight: Codes, bits: int) -> npt.NDArray[np.uint32]:
    """Rows of codes as words of 32 bits, each in two's complement; `qs_weights.h` says in which order they lie.

    >>> [f"{word:08x}" for word in packed(np.array([[1, -1, 2, 3, 0, 0, 0, 7]], dtype=np.int16), 4)[0]]
    ['37f02010']
    """
    rows = weight.reshape(len(weight), -1).astype(np.uint64) & ((1 << bits) - 1)
    number, per_word = rows.shape[1], 32 // bits
    if bits in (2, 4, 8):
        i = np.arange(number) % per_word
        place = np.arange(number) // per_word * 32 + (i & 1) * 16 + (i & 2) * 4 + 8 - bits * (i // 4 + 1)
    else:
        place = np.arange(number) * bits
    each = np.zeros((len(rows), 32 * row_words(weight, bits)), np.uint8)
    for bit in range(bits):
        each[:, place + bit] = rows >> bit & 1
    return np.packbits(each, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def depthwise(layer: Convolution) -> bool:
    """Whether each of its inputs has outputs of its own, so that its weights are few."""
    return layer.groups == layer.inputs > 1


def by_tap(layer: Convolution) -> Codes:
    """Its weights as the C goes through them: [output, tap, input of the group]."""
    return np.ascontiguousarray(layer.weight.transpose(0, 2, 1)).reshape(layer.outputs, -1)


def by_unit(rows: npt.NDArray[np.integer]) -> Ints:
    """What PyTorch has in the order of gates, [4·hidden, …], unit by unit: i, f, g, o of each."""
    gates = rows.reshape(4, -1, *rows.shape[1:])
    return np.ascontiguousarray(gates.swapaxes(0, 1)).reshape(rows.shape).astype(np.int64)


def row_words(weight: Codes, bits: int) -> int:
    """Words of one output's weights, packed."""
    return -(-int(weight[0].size) * bits // 32)


def weight_bytes(layer: Layer) -> int:
    """Of a layer's weights, packed."""
    match layer:
        case Pool():
            return 0
        case Convolution() if depthwise(layer):
            return int(layer.weight.size)
        case Convolution() | Linear():
            return 4 * len(layer.weight) * row_words(layer.weight, layer.bits)
        case LSTM():
            words = row_words(layer.weight_ih, layer.bits_ih) + row_words(layer.weight_hh, layer.bits_hh)
            return 4 * len(layer.weight_ih) * words


def bias_bytes(layer: Layer) -> int:
    """Of a layer's biases."""
    return 0 if isinstance(layer, Pool) else 4 * int(layer.bias.size)


def bytes_of(kind: str) -> int:
    """Of one of C's integer types.

    >>> bytes_of("uint16_t")
    2
    """
    return int(re.sub(r"\D", "", kind)) // 8


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
        self.lines = sum(layer.planes * layer.reach * layer.inputs for layer in self.convolutions)
        self.planes = max(layer.planes for layer in self.convolutions)
        spread = [layer for layer in self.convolutions if layer.groups > 1 or layer.dilation > 1]
        self.depthwise = any(map(depthwise, spread))
        self.gathered = max((each.planes * each.weight[0].size for each in spread if not depthwise(each)), default=0)
        self.bits = {bits for _, _, bits in self.packed()}
        filled = [row_words(codes, bits) * 32 // bits - int(codes[0].size) for _, codes, bits in self.packed()]
        self.pad = max(filled)
        self._check()

    def weights(self) -> Iterable[tuple[str, Codes, int]]:
        """Every table of weights: its name in C, its rows in the C's order, bits of a code."""
        for number, layer in enumerate(self.convolutions):
            yield f"convolution_{number}", by_tap(layer), layer.bits
        for number, lstm in enumerate(self.lstms):
            yield f"lstm_{number}_input", by_unit(lstm.weight_ih).astype(np.int16), lstm.bits_ih
            yield f"lstm_{number}_state", by_unit(lstm.weight_hh).astype(np.int16), lstm.bits_hh
        yield "classifier", self.linear.weight, self.linear.bits

    def packed(self) -> list[tuple[str, Codes, int]]:
        """The same without depthwise ones, which take a byte each."""
        bytewise = {f"convolution_{n}" for n, layer in enumerate(self.convolutions) if depthwise(layer)}
        return [each for each in self.weights() if each[0] not in bytewise]

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

    @property
    def edges(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Thresholds of converter and input codes, and how many of each row some number reaches. Those that none does
        are never looked at, and cut off, so that they need no wider type."""
        plan, none = self.plan, np.zeros((0, 0), np.int64)
        counts = plan.converter.counts if isinstance(plan.converter, Converter) else none
        edges = none if plan.input.thresholds is None else plan.input.thresholds
        most = 1 << 15 if isinstance(plan.converter, Codec) else 1 << self.code_bits
        return *_reached(counts, 1 << self.coding.bits), *_reached(edges, most)

    @property
    def threshold_type(self) -> str:
        """The smallest that holds all thresholds."""
        counts, _, edges, _ = self.edges
        every = np.concatenate([counts.ravel(), edges.ravel(), [0]])
        return integer(int(every.min()), int(every.max()))

    @property
    def threshold_bytes(self) -> int:
        """Of a threshold."""
        return bytes_of(self.threshold_type)

    @property
    def converter_id(self) -> int:
        """16 bits that tell converters apart, from which a packet's checksum starts."""
        plan = self.plan
        number = revision([vars(plan.native)]) if plan.converter is None else plan.converter.revision
        return int(number[:4], 16)

    def packet_bytes(self, samples: int) -> int:
        """Of a packet of so many samples, at most."""
        refreshes = -(-samples // self.refresh) if self.refresh else 0
        bits = samples * self.code_bits + refreshes * (self.coding.bits - self.code_bits)
        return PACKET_OVERHEAD + -(-self.axes * bits // 8)

    @property
    def flash(self) -> dict[str, int]:
        """Bytes of tables, by kind; what describes a layer, some fifty bytes each, counts as code."""
        layers = self.plan.network.layers
        flash = {"weights": sum(map(weight_bytes, layers)), "biases": sum(map(bias_bytes, layers))}
        flash |= {"converter": self.converter_flash, "input codes": self.input_flash, "sigmoid": self.sigmoid_flash}
        return {what: number for what, number in flash.items() if number}

    @property
    def converter_flash(self) -> int:
        """Bytes of the converter's thresholds, or of its tables."""
        match self.plan.converter:
            case Converter(counts=counts):
                return int(counts.size) * self.threshold_bytes + 2 * len(counts)
            case Codec() as codec:
                return table_bytes(codec)
        return 0

    @property
    def input_flash(self) -> int:
        """Bytes of what turns codes into input codes: a table, or thresholds and how many of them are reached."""
        given = self.plan.input
        if given.table is not None:
            return int(given.table.size) * bytes_of(integer(int(given.table.min()), int(given.table.max())))
        assert given.thresholds is not None
        return int(given.thresholds.size) * self.threshold_bytes + 2 * self.axes

    @property
    def sigmoid_flash(self) -> int:
        """Bytes of the sigmoid's table, which LSTMs share."""
        return sigmoid_table().nbytes if self.lstms else 0

    @property
    def converter_ram(self) -> int:
        """Bytes of the converter's state; without memory, of what a receiver holds."""
        return STATE_BYTES * self.axes if isinstance(self.plan.converter, Codec) else 4 * -(-self.axes // 2)

    def layer_ram(self, layer: Layer) -> int:
        """Bytes of a layer's last inputs, or of its states or sums in all windows under way."""
        match layer:
            case Convolution():
                return 2 * layer.planes * layer.reach * layer.inputs
            case LSTM():
                return 2 * self.windows * 2 * layer.hidden  # h and c
            case Pool():
                return 4 * self.windows * self.features
            case Linear():
                return 0

    def ram(self, majority: int) -> int:
        """Bytes of `qs_state`.

        Args:
            majority: windows that the majority is taken of.
        """
        hidden = sum(lstm.hidden for lstm in self.lstms)
        halves = self.lines + self.pad + self.features + self.pad
        if self.lstms:
            halves += self.windows * (2 * hidden + self.pad + max(lstm.hidden for lstm in self.lstms))
            network = 2 * halves
        else:
            network = 4 * -(-halves // 2) + 4 * self.windows * self.features
        network += 2 * (self.windows + 3 + majority)
        return self.converter_ram + 4 * -(-network // 4) + 4

    @property
    def burst(self) -> int:
        """Multiply-accumulates of the longest `qs_push`: a position of each layer, in all windows under way."""
        total = sum(layer.planes * int(layer.weight.size) for layer in self.convolutions)
        for number, lstm in enumerate(self.lstms):
            total += int(lstm.weight_ih.size) * (self.windows if number else 1)
            total += int(lstm.weight_hh.size) * self.windows
        return total + int(self.linear.weight.size)

    def _check(self) -> None:
        """Refuse what the C does not compute, and sums that do not fit."""
        plan = self.plan
        if self.positions < 1:
            reach = plan.window - self.positions + 1
            raise ValueError(f"window={plan.window}: the network's convolutions reach over {reach} samples")
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
        given, memory = plan.input, isinstance(plan.converter, Codec)
        rows = given.table if given.table is not None else given.thresholds
        shape = (self.axes, 1 << self.code_bits)
        if rows is None or len(rows) != self.axes or (given.table is not None and (memory or rows.shape != shape)):
            raise ValueError(
                f"input codes: a firmware takes a table of {shape[1]} codes of a converter without memory, or "
                f"thresholds, for each of {self.axes} channels"
            )
        for name, codes, bits in self.weights():
            if not 2 <= bits <= 8 or codes.min() < -(1 << (bits - 1)) or codes.max() >= 1 << (bits - 1):
                raise ValueError(
                    f"{name}: weights from {codes.min()} to {codes.max()} do not fit {bits} of 2 to 8 bits"
                )
        largest = max(abs(plan.network.input_low), abs(plan.network.input_high))
        for layer in self.convolutions:
            _fits(layer.name, layer.weight, layer.bits, largest, layer.bias)
            largest = max(abs(layer.low), abs(layer.high))
        for lstm in self.lstms:
            _fits(lstm.name, lstm.weight_ih, lstm.bits_ih, largest)
            largest = (1 << (lstm.state_bits - 1)) - 1
            _fits(lstm.name, lstm.weight_hh, lstm.bits_hh, largest)
        if not self.lstms:
            largest *= self.positions
        last = self.linear
        _fits(last.name, last.weight, last.bits, 2 * largest, 2 * last.bias)  # a margin is a difference of two


def _fits(name: str, weight: Codes, bits: int, largest: int, bias: Ints | None = None) -> None:
    """Refuse sums of products that 32 bits do not hold; weights of few bits are multiplied as if they had 8."""
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1) * largest << (8 - bits)
    if bias is not None:
        sums = sums + np.abs(bias)
    if sums.max() >= 1 << 31:
        raise ValueError(
            f"{name}: its sums may reach {int(sums.max())}, and must stay below {1 << 31}: take fewer bits of weights "
            "or activations"
        )


def _reached(thresholds: npt.NDArray[np.integer], most: int) -> tuple[Ints, Ints]:
    number = (thresholds < most).sum(1)
    return np.minimum(thresholds, int(thresholds[thresholds < most].max(initial=0))).astype(np.int64), number
