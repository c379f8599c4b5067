"""`README.md` of an exported firmware: what it is, how to use and build it, what it takes, what its packets look like.

Open it to change what a firmware's reader is told.
"""

from __future__ import annotations

from qsense.chip.firmware.counting import count
from qsense.chip.firmware.model import window
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.sizes import Sizes
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin
from qsense.runs.escapes import markdown
from qsense.runs.words import in_bits


def readme(sizes: Sizes, origin: Origin, majority: int, packet_samples: int) -> str:
    """The text.

    Args:
        sizes: of the plan.
        origin: the run that it comes from.
        majority: windows that the majority is taken of.
        packet_samples: of a full packet.
    """
    plan, counts = sizes.plan, count(sizes.plan)
    flash = sizes.flash
    rows = [f"| {what} | {number:,} |" for what, number in flash.items()]
    classes = "\n".join(f"{number}. {markdown(name)}" for number, name in enumerate(plan.class_names))
    channels = ", ".join(map(markdown, plan.channels))
    smoothed = f"most frequent of the last {majority} classes" if majority > 1 else "same, since `QS_MAJORITY` is 1"
    return f"""\
# {markdown(plan.name)}

A sensor's samples in, classes out, on a microcontroller: C99, integers alone, no heap, no library but `memcpy`,
`memmove` and `memset`. Converter and network are those of a qsense run; each class and margin is the one that its
integer reference computes, number for number.

{chr(10).join(f"- {markdown(line)}" for line in origin.lines())}

| | |
|---|---|
| Samples | {len(plan.channels)} channels ({channels}), {sizes.coding.bits} bits, {sizes.coding.name} |
| Converter | {_converter(plan)} |
| Network | {window(plan)} |

## Use

```c
#include "qs.h"

static qs_state state; /* all memory that it takes, beside some stack */

void begin(void) {{ qs_init(&state); }}

void on_sample(const qs_sample sample[QS_CHANNELS])
{{
    qs_result result;
    if (qs_push(&state, sample, &result) != QS_NONE)
        show(qs_class_names[result.majority], result.margin);
}}
```

`qs_push` takes one sample of all channels, in the order above, as the sensor delivers it. A class comes with the last
sample of each window, `QS_NONE` with all others. `result.class_index` is the window's class, `result.majority` the
{smoothed}. `result.margin` says how far the class was
ahead of the next, in units of `QS_LOGIT_UNIT`. `qs_reset` begins a new recording. A `qs_push` may take longer than the
sensor needs for a sample, so call it outside an interrupt:

```c
void timer_interrupt(void) {{ read_sensor(queue[head++ % LENGTH]); }} /* at the sensor's rate */

int main(void)
{{
    qs_init(&state);
    for (;;)
        if (tail != head) on_sample(queue[tail++ % LENGTH]);
        else wait_for_interrupt();
}}
```

Classes:

{classes}

## Build

Add `src/*.c` to a program, with `include` and `src` on the path of its headers; or

```sh
make test       # compile for this computer, and compare with the reference
make sanitize   # the same, with the compiler's checks of memory and undefined behaviour
make size       # bytes of code and tables
make CC=arm-none-eabi-gcc CFLAGS="-Os -mcpu=cortex-m4 -mthumb" size
```

or CMake: `add_subdirectory(...)` and `target_link_libraries(program qsense_firmware)`. On ARM processors with the DSP
extension (Cortex-M4, M7, M33 and others) two products are computed at once, with equal results; `-DQS_PLAIN` leaves
that out. `FAST=-O2` compiles the sums of products for speed: fewer instructions on ARM, some hundred bytes more.
`build/` is made by `make`; `test/qs_run.c` and `test/qs_split.c` classify recordings in files.

## Sizes

| Tables, in flash | bytes |
|---|---|
{chr(10).join(rows)}
| together | {sum(flash.values()):,} |

Code adds 2 to 6 kB, as processor and compiler are. RAM: {sizes.ram(majority):,} bytes of `qs_state`, and stack
(`-fstack-usage` says how much, less than 1 kB for most networks).

A prediction takes {counts.macs:,} multiply-accumulates, in bursts of at most {sizes.burst:,} in one `qs_push`. What
overlapping windows share is computed once: each window by itself would take {counts.macs_alone:,}.

## Sensor and receiver apart

The sensor's node converts and sends (`include/qs_sender.h`), its receiver decodes and classifies
(`include/qs_receiver.h`); CMake's `qsense_sender` and `qsense_receiver` are their parts. A full packet holds
{packet_samples} samples (`QS_PACKET_SAMPLES`), in {sizes.packet_bytes(packet_samples)} bytes:

| bytes | |
|---|---|
| 0 | `QS_PACKET_FORMAT`, 0x51 |
| 1, 2 | the recording's number, which the sender chooses |
| 3, 4 | how many packets of the recording came before, modulo 2¹⁶ |
| 5 … 8 | index of the first sample in its recording |
| 9 | number of samples, 1 … 255 |
| 10 … | codes, {_codes(sizes)} |
| last 2 | CRC-16 of all before: polynomial 0x1021, from 0x{sizes.converter_id:04x} on |

The low byte comes first, and so does the low bit of a code; `src/qs_packet.h` says it in full. Packets that are
damaged, cut off, late or come twice are refused without harm. Samples of packets that are missing are held;
`include/qs_receiver.h` says what is exact then.
"""


def _converter(plan: Plan) -> str:
    if plan.converter is None:
        return "none: native counts are taken as they are"
    if isinstance(plan.converter, Codec):
        return f"{in_bits(plan.converter.bits)}, with memory ({markdown(plan.converter.quantizer)})"
    rows, thresholds = plan.converter.counts.shape
    each = f"; {rows} rows of them: {', '.join(map(markdown, plan.converter.rows))}" if rows > 1 else ""
    return f"{in_bits(plan.converter.bits)}, {thresholds:,} threshold{'s' * (thresholds > 1)}{each}"


def _codes(sizes: Sizes) -> str:
    text = f"sample by sample, channel by channel, {in_bits(sizes.code_bits)} each, without gaps"
    if sizes.refresh:
        text += f"; where the index is a multiple of {sizes.refresh}, {sizes.coding.bits} bits: native counts"
    return text
