"""The block diagram of a converter as SVG, drawn from its design: from the sensor to the radio, and the receiver.

Open it to draw another block. Its colours are the page's (`chip/page.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qsense.chip.converter import Converter
from qsense.chip.memory.codec import Codec
from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape
from qsense.runs.words import short

WIDE, HIGH, GAP, DOWN = 124, 58, 54, 34  # of a block, and between two, side by side and below each other
LONGEST = 22  # letters of a line in a block
ARROW = '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">' \
    '<path class="tip" d="M0 0L8 4L0 8z"/></marker>'  # fmt: skip


class Block(NamedTuple):
    """A block of a chain.

    Args:
        title: what it is.
        lines: more of it, two at most.
        then: what it hands on.
    """

    title: str
    lines: tuple[str, ...] = ()
    then: str = ""


def flash(converter: Converter, rate_hz: float | None) -> str:
    """Of a converter without memory: sensor, its ADC, comparators, encoder, radio, receiver."""
    native, channels = converter.native, len(converter.channels)
    thresholds, rows = converter.counts.shape[1], len(converter.rows)
    bits = f"{converter.bits} bit{'s' * (converter.bits > 1)}"
    return chain(
        [
            Block("sensor", (f"{channels} channel{'s' * (channels > 1)}",), converter.unit),
            Block(
                "sampler, ADC",
                (f"{native.bits} bits{f', {short(rate_hz)} Hz' if rate_hz else ''}", native.coding.name),
                f"{native.bits} bits",
            ),
            Block(
                "comparators",
                (f"{thresholds} threshold{'s' * (thresholds > 1)}", f"of {rows} row{'s' * (rows > 1)}"),
                f"{thresholds} line{'s' * (thresholds > 1)}",
            ),
            Block("encoder", ("how many", "are reached"), bits),
            Block("word", (f"{channels} × {bits}", "per sample"), "radio"),
            Block("receiver", (f"{1 << converter.bits} levels", "to the network")),
        ],
        f"sensor, ADC of {native.bits} bits, {thresholds} comparators, encoder of {bits}, radio, receiver",
    )


def chain(blocks: Sequence[Block], description: str) -> str:
    """Blocks in a row, and the same below each other for a narrow screen."""
    across = [(10 + place * (WIDE + GAP), 10) for place in range(len(blocks))]
    below = [(10, 10 + place * (HIGH + DOWN)) for place in range(len(blocks))]
    return _chain(blocks, across, description, "wide") + _chain(blocks, below, "", "narrow")


def _chain(blocks: Sequence[Block], places: Sequence[tuple[int, int]], description: str, kind: str) -> str:
    parts = []
    for block, (x, y), following in zip(blocks, places, [*places[1:], None], strict=True):
        parts.append(box(x, y, block.title, block.lines))
        if following is None:
            continue
        if following[1] == y:
            middle = y + HIGH // 2
            parts.append(arrow((x + WIDE, middle), (following[0], middle)))
            parts.append(label(x + WIDE + GAP / 2, middle - 6, block.then))
        else:
            middle = x + WIDE // 2
            parts.append(arrow((middle, y + HIGH), (middle, following[1])))
            parts.append(label(middle + 8, y + HIGH + DOWN / 2 + 3, block.then, "start"))
    width, height = places[-1][0] + WIDE + 10, places[-1][1] + HIGH + 10
    return drawing(width if kind == "wide" else width + 60, height, parts, description, kind)


def tracking(codec: Codec) -> str:
    """Of a converter with memory: the sender's loop of prediction and correction, and the receiver's copy of it."""
    bits, steps = codec.bits, len(codec.constants[0].steps)
    if codec.adaptive:
        quantizer = ("sign of r", f"{bits - 1} halved steps" if bits > 1 else "one comparator")
        inverse = ("± step, halved", f"step: {steps} places") if bits > 1 else ("± step", f"{steps} places")
    else:
        quantizer = (f"{2**bits - 1} comparator{'s' * (bits > 1)}", "of residual r")
        inverse = (f"{2**bits} levels", "of residual r")
    extras = [f"leak 1/{1 << codec.constants[0].leak}"] * bool(codec.constants[0].leak)
    extras += [f"slope 1/{1 << codec.constants[0].slope}"] * bool(codec.constants[0].slope)
    predictor = ("from the last value", ", ".join(extras))
    word = (f"{bits} bit{'s' * (bits > 1)}", f"each {codec.refresh}th: {codec.native_bits}" if codec.refresh else "")
    count = len(codec.channels)
    channels = f"{count} channel{'s' * (count > 1)}"
    rate = f", {short(codec.rate_hz)} Hz" if codec.rate_hz else ""
    parts = [
        frame(2, 2, 638, 222, "sender"),
        frame(690, 2, 196, 274, "receiver"),
        box(10, 36, "sampler, ADC", (f"{codec.native_bits} bits{rate}", channels)),
        arrow((134, 65), (192, 65)),
        label(158, 59, "s"),
        adder(206, 65, "−"),
        arrow((220, 65), (270, 65)),
        label(244, 59, "r"),
        box(270, 36, "quantizer", quantizer),
        arrow((394, 65), (500, 65)),
        label(440, 59, "code"),
        box(500, 36, "word", word),
        arrow((624, 65), (706, 65)),
        label(662, 59, "radio"),
        arrow((450, 65), (450, 161), (394, 161)),
        box(270, 132, "inverse", inverse),
        arrow((270, 161), (220, 161)),
        label(246, 155, "d"),
        adder(206, 161, "+"),
        arrow((160, 161), (160, 113), (206, 113), (206, 79)),
        label(213, 108, "p", "start"),
        box(10, 132, "predictor, DAC", predictor),
        arrow((134, 161), (192, 161)),
        arrow((206, 175), (206, 198), (72, 198), (72, 190)),
        label(140, 214, "v, the decoded value", "middle"),
        box(706, 36, "inverse", inverse),
        arrow((768, 94), (768, 132)),
        label(776, 117, "d", "start"),
        adder(768, 146, "+"),
        arrow((768, 160), (768, 196)),
        label(776, 182, "v", "start"),
        box(706, 196, "output", ("16 bits", "to the network")),
        arrow((830, 225), (862, 225), (862, 146), (782, 146)),
        label(858, 140, "predictor", "end"),
    ]
    text = f"sampler, subtractor, quantizer of {bits} bits, word, radio; in sender and receiver inverse and predictor"
    return drawing(896, 280, parts, text, "loop")


# ------------------------------------------------------------------------------------------------------- what is drawn


def drawing(width: int, height: int, parts: Sequence[str], description: str, kind: str) -> str:
    """A picture; without a description it is hidden from screen readers, as one that says what another does."""
    told = f'role="img" aria-label="Block diagram: {escape(description)}"' if description else 'aria-hidden="true"'
    marker = ARROW.replace("tip", f"tip-{kind}", 1)
    content = "".join(parts).replace("url(#tip)", f"url(#tip-{kind})")
    return f'<svg class="diagram {kind}" viewBox="0 0 {width} {height}" {told}><defs>{marker}</defs>{content}</svg>\n'


def box(x: int, y: int, title: str, lines: Sequence[str]) -> str:
    """A block with its title and what it is."""
    known = [line for line in lines if line]
    top = y + HIGH / 2 + 4 - 7 * len(known)
    text = label(x + WIDE / 2, top, title, kind="title")
    text += "".join(label(x + WIDE / 2, top + 14 * (k + 1), line, kind="more") for k, line in enumerate(known))
    return f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="4"/>{text}'


def frame(x: int, y: int, width: int, height: int, title: str) -> str:
    """A dashed frame around what belongs together."""
    return f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>' + label(
        x + 8, y + 14, title, "start", "more"
    )


def adder(x: int, y: int, sign: str) -> str:
    """A sum, or with a minus a difference."""
    return f'<circle cx="{x}" cy="{y}" r="14"/>' + label(x, y + 5, sign, kind="title")


def arrow(*places: tuple[float, float]) -> str:
    path = "L".join(f"{x:g} {y:g}" for x, y in places)
    return f'<path class="arrow" d="M{path}" marker-end="url(#tip)"/>'


def label(x: float, y: float, text: str, anchor: str = "middle", kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(brief(text, LONGEST))}</text>'
