"""What a converter with memory is, in the sentences that stand at the head of its C, its Verilog and its datasheet."""

from __future__ import annotations

from qsense.chip.memory.codec import Codec
from qsense.runs.words import rounded


def title(codec: Codec) -> str:
    """What all of it is."""
    what = f"{codec.bits}-bit {codec.quantizer} converter with memory behind a sensor of {codec.native_bits} bits"
    return f"{what}: encoder and decoder."


def summary(codec: Codec) -> list[str]:
    """Channels, native ADC, rate, and what to mind: sentences."""
    bits, native = f"{codec.bits} bit{'s' * (codec.bits > 1)}", codec.native_bits
    rate = "" if codec.rate_hz is None else f", {codec.rate_hz:g} a second in each channel"
    together = "" if codec.kbit_s is None else f"; all channels together {rounded(codec.kbit_s)} kbit/s"
    return [
        f"Channels: {', '.join(f'{c} = {name}' for c, name in enumerate(codec.channels))}.",
        f"Samples: native counts of {native} bits, {codec.coding.name}{rate}.",
        f"Rate: {bits} a sample" + refreshing(codec) + f"{together}.",
        start(codec),
        f"A lost code: the receiver holds its last value; later values are off by what it missed. {mended(codec)}",
    ]


def refreshing(codec: Codec) -> str:
    """What refreshes add, after the bits of a sample."""
    if not codec.refresh:
        return ""
    return f", and of each {codec.refresh} one as its native count: {codec.rate:.4g} bits on average"


def start(codec: Codec) -> str:
    """How a recording, or a row of a frame, begins."""
    where = "with a native count" if codec.refresh else "at the channel's centre"
    return f"A {codec.recording} starts {where}; start both sides together, at the first sample."


def mended(codec: Codec) -> str:
    """What takes an error of transmission back: a sentence."""
    first, what = codec.constants[0], "value and step" if codec.adaptive else "the value"
    leak = first.leak
    if codec.refresh:
        return f"The next refresh that arrives sets {what} right, at most {codec.refresh} samples later."
    value = "The value's error stays: there is neither leak nor refresh"
    if leak:
        value = f"The value's error fades by a factor of e in about {1 << leak} samples (leak)"
    step = "; the step's stays until both sides are at one end of its table, or start again" * codec.adaptive
    if codec.adaptive and first.step_leak:
        step = f"; the step's by the same factor in about {1 << first.step_leak} (step_leak)"
    return f"{value}{step}."


def meaning(codec: Codec) -> list[str]:
    """What counts and decoded values mean in the sensor's unit, a line for each channel."""
    unit, coding = codec.unit, codec.coding
    black, white = coding.number(codec.black), coding.number(codec.white)
    lines = [
        f"Full scale of the counts: {codec.full_scale}.",
        "A decoded value v, -32768 to 32767, is cut off at the ends of the full scale:",
    ]
    for c, (name, (low, high)) in enumerate(zip(codec.channels, codec.limits, strict=True)):
        offset, step = codec.scale(c)
        lines.append(
            f"  {c} = {name}: count {black} to {white} is {low:g} to {high:g} {unit}; "
            f"v is {offset:.9g} + {step:.9g} v {unit}"
        )
    if codec.output is not None:
        lines.append(
            f"The receiver goes on with the native count that lies nearest to v; the network sees it {codec.output}."
        )
    return lines
