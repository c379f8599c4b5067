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
from qsense.chip.firmware.sizes import Sizes, by_tap, by_unit, depthwise, packed, row_words
from qsense.chip.memory.c_header import tables
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin
from qsense.quant.network.integer.numbers import LSTM, Codes, Convolution, Ints, sigmoid_table
from qsense.runs.escapes import comment, one_line


def header(sizes: Sizes, origin: Origin, majority: int, packet_samples: int) -> str:
    """`qs_model.h`: sizes and types."""
    plan, coding = sizes.plan, sizes.coding
    comparing = plan.converter if isinstance(plan.converter, Converter) else None
    highest = max(sizes.code_bits, coding.bits if sizes.refresh else 0)
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
        "QS_CONVERTER_ID": f"{sizes.converter_id:#06x}u",
        "QS_WINDOW": plan.window,
        "QS_STRIDE": plan.stride,
        "QS_CONVOLUTIONS": len(sizes.convolutions),
        "QS_LSTMS": len(sizes.lstms),
        "QS_LINES": sizes.lines,
        "QS_PLANES": sizes.planes,
        "QS_DEPTHWISE": int(sizes.depthwise),
        "QS_GATHERED": sizes.gathered,
        "QS_BLOCK": "4 /* rows of weights at once */",
        "QS_PAD": sizes.pad,
        "QS_FEATURES": sizes.features,
        "QS_POSITIONS": sizes.positions,
        "QS_WINDOWS": sizes.windows,
        "QS_HIDDEN": sum(lstm.hidden for lstm in sizes.lstms),
        "QS_WIDEST": max((lstm.hidden for lstm in sizes.lstms), default=0),
        "QS_LAST": sizes.linear.inputs,
        "QS_CLASSES": sizes.linear.classes,
        "QS_WEIGHTS_OF(bits)": f"(({sum(1 << bits for bits in sizes.bits):#x} >> (bits)) & 1)",
        "QS_WEIGHTS_OTHER": int(bool(sizes.bits - {2, 4, 8})),
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
#if QS_MAJORITY < 1 || QS_MAJORITY % 2 == 0
#error "QS_MAJORITY must be odd"
#endif
#if QS_PACKET_SAMPLES < 1 || QS_PACKET_SAMPLES > 255
#error "QS_PACKET_SAMPLES must be 1 to 255"
#endif

#define QS_LOGIT_UNIT {float(sizes.linear.unit)!r} /* what a margin of 1 is */
{defines}

typedef {integer(coding.lowest, coding.highest)} qs_sample; /* {coding.name} */
typedef {integer(0, (1 << highest) - 1)} qs_code;
typedef {sizes.threshold_type} qs_threshold;
typedef {"int16_t" if inputs is None else integer(int(inputs.min()), int(inputs.max()))} qs_input;

#endif
"""


def window(plan: Plan) -> str:
    """Window and stride in words."""
    rate = "" if plan.rate_hz is None else f", {plan.rate_hz:g} per second"
    return f"windows of {plan.window} samples{rate}, one every {plan.stride}"


def network(sizes: Sizes, origin: Origin) -> str:
    """`qs_model.c`: names, layers, weights."""
    biases: dict[str, Ints] = {f"convolution_{n}": layer.bias for n, layer in enumerate(sizes.convolutions)}
    biases |= {f"lstm_{n}": by_unit(lstm.bias) for n, lstm in enumerate(sizes.lstms)}
    biases["classifier"] = sizes.linear.bias
    arrays = [
        _row("static const uint32_t", f"{name}[{data.size}]", data.ravel(), 10, "{:#010x}")
        for name, data in ((name, packed(codes, bits)) for name, codes, bits in sizes.packed())
    ]
    arrays += [
        _row("static const int8_t", f"convolution_{n}[{layer.weight.size}]", by_tap(layer).ravel())
        for n, layer in enumerate(sizes.convolutions)
        if depthwise(layer)
    ]
    arrays += [_row("static const int32_t", f"{name}_bias[{bias.size}]", bias) for name, bias in biases.items()]
    positions, before, convolutions = sizes.plan.positions, 0, []
    for n, layer in enumerate(sizes.convolutions):
        before += layer.reach - 1
        convolutions.append(_convolution(n, layer, positions[n], before, sizes.plan.stride))
    text = f"""\
/* The network of {comment(sizes.plan.name)}.
{commented(origin.lines())}
 */
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

const qs_linear qs_classifier = {{{_weights("classifier", sizes.linear.weight, sizes.linear.bits)}, classifier_bias}};
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
    counts, counts_reached, edges, edges_reached = sizes.edges
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


def _table(kind: str, name: str, values: npt.NDArray[np.integer], names: Sequence[str]) -> str:
    return f"const {kind} {name} = {{\n{table(values.tolist(), names, '{}', 16)}\n}};\n\n"


def _row(kind: str, name: str, values: npt.NDArray[np.integer], across: int = 16, form: str = "{}") -> str:
    numbers = lines_of([form.format(value) for value in values.tolist()], "    ", across)
    return f"{kind} {name} = {{\n{numbers}\n}};\n\n"


def _weights(name: str, weight: Codes, bits: int) -> str:
    """A `qs_weights`."""
    return f"{{{name}, {weight[0].size}, {row_words(weight, bits)}, {bits}}}"


def _convolution(number: int, layer: Convolution, positions: int, before: int, stride: int) -> str:
    """Its row of `qs_convolutions`."""
    per_group = layer.weight.shape[1]
    dilation = layer.dilation if layer.kernel > 1 else 1
    shape = [layer.inputs, layer.outputs, dilation, layer.reach, per_group, layer.outputs // layer.groups]
    time = [positions, -before % stride, before]
    scaling = [layer.by.multiplier, layer.low, layer.high, layer.planes, layer.by.shift]
    name, numbers = f"convolution_{number}", ", ".join(map(str, [*shape, *time, *scaling]))
    weights = f"{_weights(name, layer.weight, layer.bits)}, 0"
    if depthwise(layer):
        weights = f"{{0, {layer.kernel}, 0, 8}}, {name}"
    return f"    {{{weights}, {name}_bias, {numbers}}}, /* {comment(layer.name)} */\n"


def _lstm(number: int, lstm: LSTM) -> str:
    """Its row of `qs_lstms`."""
    name = f"lstm_{number}"
    weights = [
        _weights(f"{name}_input", lstm.weight_ih, lstm.bits_ih),
        _weights(f"{name}_state", lstm.weight_hh, lstm.bits_hh),
        f"{name}_bias",
    ]
    numbers = [lstm.hidden, lstm.by_ih.multiplier, lstm.by_hh.multiplier, lstm.by_ih.shift, lstm.by_hh.shift]
    row = ", ".join([*weights, *map(str, [*numbers, lstm.state_bits])])
    return f"    {{{row}}}, /* {comment(lstm.name)} */\n"


def c_string(text: str) -> str:
    """Text as a literal of C99, in UTF-8, whatever it holds.

    >>> print(c_string('a "b"??/'))
    "a \\042b\\042\\077\\077/"
    """
    plain = set(range(32, 127)) - set(b'"\\?')
    data = one_line(text).encode(errors="backslashreplace")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in data) + '"'
