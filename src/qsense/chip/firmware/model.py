"""The numbers of a plan as C: sizes as `#define`, tables, weights packed 2 … 8 bits each.

Open it to see what `qs_model.h`, `qs_model.c` (the network) and `qs_tables.c` (the converter) hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qsense.chip.c_header import commented, integer, lines_of, table
from qsense.chip.converter import Converter
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.sizes import Sizes, by_unit, converter_id, packed, row_bytes
from qsense.chip.memory.c_header import tables
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin
from qsense.quant.network.integer.numbers import LSTM, Convolution, Ints, sigmoid_table
from qsense.runs.escapes import comment, one_line


def header(sizes: Sizes, origin: Origin, majority: int, packet_samples: int) -> str:
    """`qs_model.h`: sizes and types."""
    plan, coding = sizes.plan, sizes.coding
    comparing = plan.converter if isinstance(plan.converter, Converter) else None
    highest = max(sizes.code_bits, coding.bits if sizes.refresh else 0)
    counts, _, edges, _ = _levels_reached(sizes)
    every = np.concatenate([counts.ravel(), edges.ravel(), [0]])
    inputs = plan.input.table
    lines = {
        "QS_CHANNELS": sizes.axes,
        "QS_NATIVE_BITS": coding.bits,
        "QS_MIDDLE": f"{coding.middle} /* count = sample + QS_MIDDLE */",
        "QS_BITS": f"{sizes.code_bits} /* of a code */",
        "QS_MEMORY": int(isinstance(plan.converter, Codec)),
        "QS_REFRESH": sizes.refresh,
        "QS_ROWS": len(comparing.rows) if comparing else 0,
        "QS_THRESHOLDS": comparing.counts.shape[1] if comparing else 0,
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
    biases: dict[str, Ints] = {f"convolution_{n}": layer.bias for n, layer in enumerate(sizes.convolutions)}
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
        text += (
            f"{tables(replace(plan.converter, name='qs'))}const qs_core_memory *const qs_memories = qs_channels;\n\n"
        )
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


def _levels_reached(sizes: Sizes) -> tuple[Ints, Ints, Ints, Ints]:
    """Thresholds of converter and input codes, and how many of each row some number reaches. Those that none does are
    never looked at, and cut off, so that they need no wider type."""
    plan, none = sizes.plan, np.zeros((0, 0), np.int64)
    counts = plan.converter.counts if isinstance(plan.converter, Converter) else none
    edges = none if plan.input.thresholds is None else plan.input.thresholds
    most = 1 << 15 if isinstance(plan.converter, Codec) else 1 << sizes.code_bits
    return *_reached(counts, 1 << sizes.coding.bits), *_reached(edges, most)


def _reached(thresholds: npt.NDArray[np.integer], most: int) -> tuple[Ints, Ints]:
    number = (thresholds < most).sum(1)
    return np.minimum(thresholds, int(thresholds[thresholds < most].max(initial=0))).astype(np.int64), number


def _table(kind: str, name: str, values: npt.NDArray[np.integer], names: Sequence[str]) -> str:
    return f"const {kind} {name} = {{\n{table(values.tolist(), names, '{}', 16)}\n}};\n\n"


def _row(kind: str, name: str, values: npt.NDArray[np.integer], across: int = 16) -> str:
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
    return (
        f"    {{{name}_input, {name}_state, {name}_bias, {', '.join(map(str, numbers))}}}, /* {comment(lstm.name)} */\n"
    )


def c_string(text: str) -> str:
    """Text as a literal of C99, in UTF-8, whatever it holds.

    >>> print(c_string('a "b"??/'))
    "a \\042b\\042\\077\\077/"
    """
    plain = set(range(32, 127)) - set(b'"\\?')
    data = one_line(text).encode(errors="backslashreplace")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in data) + '"'
