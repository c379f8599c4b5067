"""The numbers of a plan as C: sizes as `#define`, tables, weights packed 2 … 8 bits each.

Open it to see what `qs_model.h`, `qs_model.c` (the network) and `qs_tables.c` (the converter) hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qsense.chip.c_header import commented, integer, lines_of, table
from qsense.chip.coding import Coding
from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.c_header import tables
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin, revision
from qsense.quant.network.integer.numbers import LSTM, Codes, Convolution, Linear, Pool, sigmoid_table
from qsense.runs.escapes import comment, one_line

MOST_NATIVE_BITS = 24
LONGEST_PACKET = 64  # bytes of codes, where nobody asks for another number of samples
Ints = npt.NDArray[np.integer]


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


def by_unit(rows: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """What PyTorch has in the order of gates, [4·hidden, …], unit by unit: i, f, g, o of each."""
    gates = rows.reshape(4, -1, *rows.shape[1:])
    return np.ascontiguousarray(gates.swapaxes(0, 1)).reshape(rows.shape)


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
                raise ValueError(f"{name}: weights from {codes.min()} to {codes.max()} do not fit {bits} of 2 to 8 bits")
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
        raise ValueError(f"{name}: its sums reach {int(sums.max())}: a firmware computes with {bits} bits and a sign; take fewer bits of weights")


def header(sizes: Sizes, origin: Origin, majority: int, packet_samples: int) -> str:
    """`qs_model.h`: sizes and types."""
    plan, coding = sizes.plan, sizes.coding
    converter, codec = plan.converter, plan.converter if isinstance(plan.converter, Codec) else None
    comparing = isinstance(converter, Converter)
    highest = max(sizes.code_bits, coding.bits if sizes.refresh else 0)
    counts, _, edges, _ = _levels_reached(sizes)
    every = np.concatenate([counts.ravel(), edges.ravel(), [0]])
    inputs = plan.input.table
    lines = {
        "QS_CHANNELS": sizes.axes,
        "QS_NATIVE_BITS": coding.bits,
        "QS_MIDDLE": f"{coding.middle} /* count = sample + QS_MIDDLE */",
        "QS_BITS": f"{sizes.code_bits} /* of a code */",
        "QS_MEMORY": int(codec is not None),
        "QS_REFRESH": sizes.refresh,
        "QS_ROWS": len(converter.rows) if comparing else 0,
        "QS_THRESHOLDS": converter.counts.shape[1] if comparing else 0,
        "QS_INPUT_TABLE": 0 if inputs is None else inputs.shape[1],
        "QS_EDGES": 0 if plan.input.thresholds is None else plan.input.thresholds.shape[1],
        "QS_INPUT_LOW": plan.input.low,
        "QS_INPUT_START": min(max(0, plan.network.input_low), plan.network.input_high),
        "QS_CONVERTER_ID": f"{converter_id(plan):#06x}u",
        "QS_WINDOW": plan.window,
        "QS_STRIDE": plan.stride,
        "QS_CONVOLUTIONS": len(sizes.convolutions),
        "QS_LSTMS": len(sizes.lstms),
        "QS_SPREAD": int(any(layer.groups > 1 or layer.dilation > 1 for layer in sizes.convolutions)),
        "QS_RING": sizes.ring,
        "QS_ROW": sizes.row,
        "QS_FEATURES": sizes.features,
        "QS_POSITIONS": sizes.positions,
        "QS_WINDOWS": sizes.windows,
        "QS_HIDDEN": sum(lstm.hidden for lstm in sizes.lstms),
        "QS_WIDEST": max((lstm.hidden for lstm in sizes.lstms), default=0),
        "QS_LAST": sizes.linear.inputs,
        "QS_CLASSES": sizes.linear.classes,
        "QS_WEIGHTS_OF(bits)": f"(({sum(1 << bits for bits in sizes.bits):#x} >> (bits)) & 1)",
        "QS_WEIGHTS_OTHER": int(bool(sizes.bits - {4, 8})),
    }
    defines = "\n".join(f"#define {name} {value}" for name, value in lines.items())
    return f"""\
/* Sizes of {comment(plan.name)}: {window(plan)}.
{commented(origin.lines())}
 */
#ifndef QS_MODEL_H
#define QS_MODEL_H

#include <stdint.h>

#ifndef QS_MAJORITY
#define QS_MAJORITY {majority} /* windows that the majority is taken of */
#endif
#ifndef QS_PACKET_SAMPLES
#define QS_PACKET_SAMPLES {packet_samples} /* 1 to 255: of a full packet */
#endif

#define QS_LOGIT_UNIT {sizes.linear.unit!r} /* what a margin of 1 is */
{defines}

typedef {integer(coding.lowest, coding.highest)} qs_sample; /* {coding.name} */
typedef {integer(0, (1 << highest) - 1)} qs_code;
typedef {integer(int(every.min()), int(every.max()))} qs_threshold;
typedef {"int16_t" if inputs is None else integer(int(inputs.min()), int(inputs.max()))} qs_input;

#endif
"""


def window(plan: Plan) -> str:
    """Window and stride in words."""
    rate = "" if plan.rate_hz is None else f" at {plan.rate_hz:g} per second"
    return f"windows of {plan.window} samples{rate}, one every {plan.stride}"


def network(sizes: Sizes, origin: Origin) -> str:
    """`qs_model.c`: names, layers, weights."""
    biases = {f"convolution_{n}": layer.bias for n, layer in enumerate(sizes.convolutions)}
    biases |= {f"lstm_{n}": by_unit(lstm.bias) for n, lstm in enumerate(sizes.lstms)}
    biases["classifier"] = sizes.linear.bias
    arrays = [
        _row("static const uint8_t", f"{name}[{data.size}]", data.ravel(), 24)
        for name, data in ((name, packed(codes, bits)) for name, codes, bits in sizes.weights())
    ]
    arrays += [_row("static const int32_t", f"{name}_bias[{bias.size}]", bias) for name, bias in biases.items()]
    positions, before, convolutions = sizes.plan.positions, 0, []
    for n, layer in enumerate(sizes.convolutions):
        before += layer.reach - 1
        convolutions.append(_convolution(n, layer, positions[n], before, sizes.plan.stride))
    width = row_bytes(sizes.linear.weight, sizes.linear.bits)
    text = f"""\
/* The network of {comment(sizes.plan.name)}.
{commented(origin.lines())}
 */
#include "qs_arithmetic.h"
#include "qs_network.h"

const char *const qs_class_names[QS_CLASSES] = {{
{lines_of([c_string(name) for name in sizes.plan.class_names], "    ", 4)}
}};

const char *const qs_channel_names[QS_CHANNELS] = {{
{lines_of([c_string(name) for name in sizes.plan.channels], "    ", 4)}
}};

{"".join(arrays)}\
const qs_convolution qs_convolutions[QS_CONVOLUTIONS] = {{
{"".join(convolutions)}}};

const qs_linear qs_classifier = {{classifier, classifier_bias, {width}, {sizes.linear.bits}}};
"""
    if sizes.lstms:
        rows = "".join(_lstm(n, lstm) for n, lstm in enumerate(sizes.lstms))
        sigmoid = lines_of([str(value) for value in sigmoid_table().tolist()], "    ", 16)
        text += f"\nconst qs_lstm qs_lstms[QS_LSTMS] = {{\n{rows}}};\n"
        text += f"\nconst uint16_t qs_sigmoid_table[513] = {{\n{sigmoid}\n}};\n"
    return text


def converter(sizes: Sizes, origin: Origin) -> str:
    """`qs_tables.c`: thresholds and input codes."""
    plan, text = sizes.plan, ""
    counts, counts_reached, edges, edges_reached = _levels_reached(sizes)
    if isinstance(plan.converter, Converter):
        text += _table("qs_threshold", "qs_thresholds[QS_ROWS][QS_THRESHOLDS]", counts, plan.converter.rows)
        text += _row("const uint16_t", "qs_reached[QS_ROWS]", counts_reached)
    if isinstance(plan.converter, Codec):
        text += f"{tables(replace(plan.converter, name='qs'))}const qs_core_memory *const qs_memories = qs_channels;\n\n"
    if plan.input.table is not None:
        text += _table("qs_input", "qs_input_table[QS_CHANNELS][QS_INPUT_TABLE]", plan.input.table, plan.channels)
    else:
        text += _table("qs_threshold", "qs_edges[QS_CHANNELS][QS_EDGES]", edges, plan.channels)
        text += _row("const uint16_t", "qs_edges_reached[QS_CHANNELS]", edges_reached)
    return f"""\
/* The converter of {comment(plan.name)}, and the network's input codes.
{commented(origin.lines())}
 */
#include "qs_converter.h"

{text}"""


def converter_id(plan: Plan) -> int:
    """16 bits that tell converters apart, from which a packet's checksum starts."""
    number = revision([vars(plan.native)]) if plan.converter is None else plan.converter.revision
    return int(number[:4], 16)


def _levels_reached(sizes: Sizes) -> tuple[Ints, Ints, Ints, Ints]:
    """Thresholds of converter and input codes, and how many of each row some number reaches. Those that none does are
    never looked at, and cut off, so that they need no wider type."""
    plan, none = sizes.plan, np.zeros((0, 0), np.int64)
    counts = plan.converter.counts if isinstance(plan.converter, Converter) else none
    edges = none if plan.input.thresholds is None else plan.input.thresholds
    most = 1 << 15 if isinstance(plan.converter, Codec) else 1 << sizes.code_bits
    return *_reached(counts, 1 << sizes.coding.bits), *_reached(edges, most)


def _reached(thresholds: Ints, most: int) -> tuple[Ints, Ints]:
    number = (thresholds < most).sum(1)
    return np.minimum(thresholds, int(thresholds[thresholds < most].max(initial=0))), number


def _table(kind: str, name: str, values: Ints, names: Sequence[str]) -> str:
    return f"const {kind} {name} = {{\n{table(values.tolist(), names, '{}', 16)}\n}};\n\n"


def _row(kind: str, name: str, values: Ints, across: int = 16) -> str:
    return f"{kind} {name} = {{\n{lines_of([str(value) for value in values.tolist()], '    ', across)}\n}};\n\n"


def _convolution(number: int, layer: Convolution, positions: int, before: int, stride: int) -> str:
    """Its row of `qs_convolutions`."""
    per_group = layer.weight.shape[1]
    dilation = layer.dilation if layer.kernel > 1 else 1
    shape = [layer.inputs, layer.outputs, layer.kernel, dilation, layer.reach, per_group]
    shape += [layer.outputs // layer.groups, row_bytes(layer.weight, layer.bits)]
    time = [positions, -before % stride, before]
    scaling = [layer.by.multiplier, layer.low, layer.high, layer.planes, layer.bits, layer.by.shift]
    numbers = ", ".join(map(str, [*shape, *time, *scaling]))
    return f"    {{convolution_{number}, convolution_{number}_bias, {numbers}}}, /* {comment(layer.name)} */\n"


def _lstm(number: int, lstm: LSTM) -> str:
    """Its row of `qs_lstms`."""
    name, of_input, of_state = f"lstm_{number}", lstm.weight_ih, lstm.weight_hh
    numbers = [
        lstm.inputs, lstm.hidden, row_bytes(of_input, lstm.bits_ih), row_bytes(of_state, lstm.bits_hh),
        lstm.by_ih.multiplier, lstm.by_hh.multiplier, lstm.bits_ih, lstm.bits_hh, lstm.by_ih.shift, lstm.by_hh.shift,
        lstm.state_bits,
    ]  # fmt: skip
    return f"    {{{name}_input, {name}_state, {name}_bias, {', '.join(map(str, numbers))}}}, /* {comment(lstm.name)} */\n"


def row_bytes(weight: Codes, bits: int) -> int:
    """Of one output's weights, packed."""
    return -(-weight[0].size * bits // 8)


def c_string(text: str) -> str:
    """Text as a literal of C99, in UTF-8, whatever it holds.

    >>> print(c_string('a "b"??/'))
    "a \\042b\\042\\077\\077/"
    """
    plain = set(range(32, 127)) - set(b'"\\?')
    data = one_line(text).encode(errors="backslashreplace")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in data) + '"'
