"""A converter with memory on a page or two: block diagram, tables, rate, state, start, losses, cost, ports, origin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from qsense.chip.cost import costs
from qsense.chip.diagram import tracking
from qsense.chip.memory.c_header import STATE_BYTES, table_bytes
from qsense.chip.memory.codec import Codec
from qsense.chip.memory.modules import modules
from qsense.chip.memory.words import mended, start
from qsense.chip.origin import Origin
from qsense.chip.page import (
    NAME,
    listed,
    page,
    pairs,
    ports,
    scrolled,
    signed,
    standardisation,
    svg,
    table,
    to_mind,
)
from qsense.quant.sensor.memory import kernel
from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape
from qsense.runs.words import rounded

NEAR, PATIENCE = 0.02, 4096  # of the range; samples
MOST_DOWN, MOST_ACROSS = 16, 6  # codes and channels that a page has room for; more are in constants.csv


def datasheet(
    codec: Codec,
    origin: Origin,
    full_scale_volts: float | None = None,
    snr: Sequence[float] | None = None,
    picture: Figure | None = None,
) -> str:
    """The page.

    Args:
        codec: the converter.
        origin: its run.
        full_scale_volts: what the largest native count stands for; None leaves volts out.
        snr: of each channel's training recordings, dB; None where they are not at hand.
        picture: signal, decoded signal and code stream of a recording; None where none is at hand.
    """
    what = f"{codec.bits}-bit {codec.quantizer} converter with memory behind a sensor of {codec.native_bits} bits"
    steps = "".join(f"<li>{line}</li>" for line in blocks(codec))
    return page(
        codec.name,
        f"{what}, fitted to",
        origin,
        codec.revision,
        f"""\
{scrolled(tracking(codec))}
{"" if picture is None else scrolled(svg(picture, codec.name))}
<h2>What it does</h2>
<ol>{steps}</ol>
<div class="columns">
<section><h2>Converter</h2>
{pairs(_facts(codec, full_scale_volts) + standardisation(origin))}</section>
<section><h2>Cost of sensing</h2>
{pairs(costs(origin.result))}</section>
</div>
<h2>Channel by channel</h2>
{_channels(codec, snr)}
{_codes(codec)}
{ports(modules(codec))}
{to_mind(_remarks(codec, snr))}""",
        _footnote(codec, snr is not None),
    )


def _footnote(codec: Codec, measured: bool) -> str:
    """What the page's own words mean."""
    place = "q" if codec.twos_complement else "(q − 2^(n−1))"
    place = f"is {place} · 2^(16−n) there"
    if codec.compand:
        place = f"lies there where the companding table (adc.json, C header) says; {codec.unit} is linear on it"
    text = f"Values and tables lie on a 16-bit scale: a native count q of n bits {place}. Shifts "
    text += "round towards minus infinity."
    if measured:
        text += " SNR: variance of the samples / mean squared error of what is decoded, over the training recordings."
    if not codec.refresh:
        text += (
            " Samples from start to an end: until what is decoded has first come within 2 % of the range to a signal "
            "that lies at its end."
        )
    return text


def blocks(codec: Codec) -> list[str]:
    """The block diagram in words, from the sample to the decoded value and back; HTML."""
    first, bits = codec.constants[0], codec.bits
    prediction = "p = v"
    prediction += f" − ((v − c) &gt;&gt; {first.leak})" * bool(first.leak)
    prediction += f" + ((v − v′) &gt;&gt; {first.slope})" * bool(first.slope)
    where = "v: the last decoded value" + ", v′: the one before" * bool(first.slope)
    where += ", c: the channel's centre" * bool(first.leak)
    if not codec.adaptive:
        code = f"Quantizer: {2**bits - 1} comparators; the code is how many thresholds the residual r reaches."
        meaning = "Both sides look up the level d that the code stands for."
    elif bits == 1:
        code = "Quantizer: the sign of the residual r, 1 where it is negative."
        meaning = (
            f"Both sides take d = ± step, then move the step in its table of {len(first.steps)}: by the second number "
            f"of places below once {first.alike} codes in a row are equal, else by the first."
        )
    else:
        code = (
            f"Quantizer: the sign of the residual r, then {bits - 1} bit{'s' * (bits > 2)} of |r| by successive "
            f"approximation against the step and its halves."
        )
        meaning = (
            f"Both sides take d = ± (magnitude + ½) · step / {2 ** (bits - 2)} by shifts of the step, then move the "
            f"step in its table of {len(first.steps)} by the places below, which the magnitude picks."
        )
    if codec.adaptive and first.step_leak:
        meaning += (
            f" Before that, its place falls back to the first one by 2^−{first.step_leak} of the places between them; "
            f"it keeps {first.step_leak} bits below a whole place."
        )
    lines = [
        f"Predictor: {prediction}, cut off at 16 bits ({where}).",
        "Subtractor: r = s − p, s the sample on the 16-bit scale.",
        code,
        meaning,
        "Accumulator: v = p + d, cut off at 16 bits: what the receiver decodes, and what the sender predicts from.",
    ]
    if codec.refresh:
        lines.append(
            f"Refresh: the first of each {codec.refresh} samples is sent as its {codec.native_bits}-bit count instead; "
            "both sides start anew from it."
        )
    return lines


def slowest_arrival(codec: Codec, channel: int) -> int | None:
    """How many samples a constant at an end of the range takes, after a start, until the decoded value has first come
    within `NEAR` of it; of the slower end. None: it does not within `PATIENCE` samples."""
    constants, found = codec.constants[channel], []
    for end in (codec.black, codec.white):
        counts = np.full((PATIENCE, 1), end, dtype=np.uint16)
        value = kernel.convert([constants], counts, np.array([0, PATIENCE]))[1][:, 0]
        away = np.abs(codec.in_unit(channel, value) - codec.limits[channel][end == codec.white])
        (near,) = np.nonzero(away <= NEAR * (codec.limits[channel][1] - codec.limits[channel][0]))
        found.append(int(near[0]) + 1 if len(near) else None)
    return None if None in found else max(arrival for arrival in found if arrival is not None)


def _facts(codec: Codec, full_scale_volts: float | None) -> list[tuple[str, str]]:
    bits = f"{codec.bits} bit{'s' * (codec.bits > 1)}"
    facts = [("code", f"{bits}; {codec.rate:.4g} bits per sample with refreshes" if codec.refresh else bits)]
    if codec.rate_hz is not None and codec.kbit_s is not None:
        facts.append(("rate", f"{rounded(codec.kbit_s)} kbit/s: {codec.rate_hz:g} samples per second and channel"))
    facts += [
        ("native ADC", f"{codec.native_bits} bits, {codec.coding.name}"),
        ("its full scale", codec.full_scale),
    ]
    if full_scale_volts is not None:
        step = full_scale_volts / ((1 << codec.native_bits) - 1)
        facts.append(("full scale", f"{full_scale_volts:g} V, {1000 * step:.4g} mV per native step"))
    if (codec.black, codec.white) != (0, (1 << codec.native_bits) - 1):
        numbers = f"counts {codec.coding.number(codec.black)}, {codec.coding.number(codec.white)}"
        facts.append(("black, white", numbers))
    return [
        *facts,
        ("channels", f"{len(codec.channels)}: {listed(codec.channels)}"),
        ("state per channel", f"{sum(codec.state.values())} bits in hardware; {STATE_BYTES} bytes in C, on each side"),
        ("registers", ", ".join(f"{name} {bits}" for name, bits in codec.state.items())),
        ("tables in C", f"{table_bytes(codec):,} bytes"),
    ]


def _channels(codec: Codec, snr: Sequence[float] | None) -> str:
    """Range, start and SNR of each channel, and what its codes do where that is little."""
    unit = escape(codec.unit or "value")
    head = ["", f"range ({unit})", f"native step ({unit})", f"centre ({unit})"]
    slew = f"follows at most ({unit} per sample)"
    head += [f"first step ({unit})", "moves of the step (places)"] if codec.adaptive else [slew]
    head += ["samples from start to an end"] * (not codec.refresh) + ["SNR (dB)"] * (snr is not None)
    body = []
    for c, (name, constants) in enumerate(zip(codec.channels, codec.constants, strict=True)):
        (low, high), (offset, step) = codec.limits[c], codec.scale(c)
        cells = [
            escape(brief(name, NAME)),
            f"{signed(low, '.4g')} to {signed(high, '.4g')}",
            f"{native_step(codec, c):.4g}",
            signed(offset + step * constants.centre, ".4g"),
        ]
        if codec.adaptive:
            moves = ", ".join(signed(move, "+d") for move in constants.moves)
            cells += [f"{step * constants.steps[constants.first]:.4g}", moves]
        else:
            cells.append(f"{signed(step * constants.levels[0], '.4g')}, {step * constants.levels[-1]:.4g}")
        if not codec.refresh:
            arrival = slowest_arrival(codec, c)
            cells.append("–" if arrival is None else str(arrival))
        body.append(cells + ([] if snr is None else [f"{snr[c]:.1f}"]))
    return table(head, body)


def native_step(codec: Codec, channel: int) -> float:
    """From one native count to the next, in the codec's unit; where counts are companded, the mean."""
    step = codec.scale(channel)[1]
    if codec.compand:
        return step * (codec.compand[-1] - codec.compand[0]) / (len(codec.compand) - 1)
    return step * (1 << (16 - codec.native_bits))


def _codes(codec: Codec) -> str:
    """Of fixed levels, where each code begins and what it stands for."""
    if codec.adaptive:
        return ""
    unit, count = escape(codec.unit or "value"), 1 << codec.bits
    title = f"<h2>Codes: where they begin · what they stand for, of the residual ({unit})</h2>\n"
    if count > MOST_DOWN or len(codec.channels) > MOST_ACROSS:
        return f"{title}{count} codes of {len(codec.channels)} channels: see constants.csv.\n"
    body = []
    for code in range(count):
        cells = [f"code {code}"]
        for c, constants in enumerate(codec.constants):
            step = codec.scale(c)[1]
            begins = signed(step * constants.thresholds[code - 1], ".4g") if code else "below"
            cells.append(f"{begins} <small>· {signed(step * constants.levels[code], '.4g')}</small>")
        body.append(cells)
    return title + table(["", *(escape(brief(name, NAME)) for name in codec.channels)], body)


def _remarks(codec: Codec, snr: Sequence[float] | None) -> list[str]:
    remarks = [
        start(codec),
        f"A code that does not arrive: the receiver holds its last value. {mended(codec)}",
        "Both sides must repeat the integer arithmetic of the C header on each code, once and in order: with another "
        "rounding they drift apart.",
    ]
    remarks += [f"{note[0].upper()}{note[1:]}." for note in codec.notes]
    if snr is None:
        remarks.append("No SNR is stated: the training data was not at hand.")
    return remarks
