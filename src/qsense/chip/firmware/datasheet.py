"""A firmware on a page or two: what it does, flash, RAM, time, power beside sending samples, memory by layer, sources.

Open it to change what a firmware's page says; how pages look is in `chip/page.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qsense.chip.conformance import Check
from qsense.chip.converter import Converter
from qsense.chip.diagram import Block, chain
from qsense.chip.firmware.counting import Counts
from qsense.chip.firmware.energy import design_picture
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin, revision
from qsense.chip.page import listed, page, pairs, scrolled, signed, svg, table, to_mind
from qsense.experiment.schema import config_folder
from qsense.metrics.compute import COMPUTED, PARTS, SENT
from qsense.quant.network.integer.numbers import LSTM, Convolution, Layer
from qsense.runs.escapes import html as escape
from qsense.runs.words import duration, in_bits, metric_name, percent, power, rounded, short

MOST_LAYERS = 24  # rows of the memory map; more are in firmware.json
KB = 1024
NOT_OF_A_NODE = ("native_bits", "frames_per_second", "comparator_fj")  # constants that no power here is made from
Known = Mapping[str, Any] | None  # a part of `firmware.json`; None where nobody knows
BASIS = '<span class="tag">MODEL, NOT MEASURED</span>'


def firmware_page(plan: Plan, counts: Counts, record: Mapping[str, Any], origin: Origin) -> str:
    """The page.

    Args:
        plan: the firmware.
        counts: what it costs.
        record: what `firmware.json` says, "majority", "test", "conformance", "energy" and "measured" above all, the
            last four None where nobody knows: so that both have the same figures.
        origin: its run.
    """
    energy, measured = record.get("energy"), record.get("measured")
    rate = f" at {short(plan.rate_hz)} Hz" if plan.rate_hz else ""
    what = f"firmware: {len(plan.class_names)} classes from {len(plan.channels)} channels{rate}, in integers"
    return page(
        plan.name,
        f"{what}; trained on",
        origin,
        revision_of(plan),
        f"""\
{scrolled(chain(_blocks(plan, counts, record["majority"]), "from the sensor to a class"))}
<div class="columns">
<section><h2>What it does</h2>
{pairs(_facts(plan, record["majority"]))}</section>
<section><h2>Size and time</h2>
{pairs(_sizes(plan, counts, energy, measured))}</section>
</div>
{_power(energy, plan.name)}
<h2>Memory and work by layer</h2>
{_layers(counts)}
<div class="columns">
<section>{_worth(record.get("test"), plan.native.bits)}</section>
<section>{_conformance(record.get("conformance") or [])}</section>
</div>
{to_mind(_remarks(plan, counts, energy, measured))}
{_constants(energy)}""",
        "MAC: multiply-accumulate. kB: 1024 bytes. Flash by layer: packed weights and biases; RAM by layer: the last "
        "input frames that it still needs, or its states. All figures are in firmware.json.",
    )


def revision_of(plan: Plan) -> str:
    """Of its numbers: firmwares that compute the same have the same."""
    tables = [None if each is None else each.tolist() for each in (plan.input.table, plan.input.thresholds)]
    converter = None if plan.converter is None else plan.converter.revision
    layers = [_numbers(layer) for layer in plan.network.layers]
    return revision([plan.window, plan.stride, tables, plan.input.low, converter, layers])


def _numbers(layer: Layer) -> list[Any]:
    """All of a layer's, in the order of its arguments."""
    return [value.tolist() if hasattr(value, "tolist") else str(value) for value in vars(layer).values()]


# ----------------------------------------------------------------------------------------------------- what it does


def _blocks(plan: Plan, counts: Counts, majority: int) -> list[Block]:
    channels, layers = len(plan.channels), plan.network.layers
    rate = f"{short(plan.rate_hz)} Hz" if plan.rate_hz else ""
    kinds = [
        (f"{number} {name}{'s' * (number > 1)}")
        for kind, name in ((Convolution, "convolution"), (LSTM, "LSTM"))
        if (number := sum(isinstance(layer, kind) for layer in layers))
    ]
    return [
        Block("sensor", (f"{channels} channel{'s' * (channels > 1)}", rate), f"{plan.native.bits} bits"),
        Block("converter", _converter(plan), "codes"),
        Block("input codes", (f"{signed(plan.network.input_low, 'd')} to {signed(plan.network.input_high, 'd')}",), ""),
        Block("network", (", ".join(kinds), f"{short(counts.macs)} MACs"), "logits"),
        Block(
            "class",
            (f"one of {len(plan.class_names)}", f"majority of {majority}" if majority > 1 else "and its margin"),
            "",
        ),
    ]


def _converter(plan: Plan) -> tuple[str, str]:
    if isinstance(plan.converter, Codec):
        return f"{plan.converter.quantizer}", f"{in_bits(plan.converter.bits)}, memory"
    if isinstance(plan.converter, Converter):
        return f"{plan.converter.record['quantizer']}", in_bits(plan.converter.bits)
    return "none:", "native counts"


def _facts(plan: Plan, majority: int) -> list[tuple[str, str]]:
    every = f"each {plan.stride} samples"
    window = f"{plan.window} samples"
    if plan.rate_hz:
        every += f", {short(plan.rate_hz / plan.stride)} per second"
        window += f", {short(plan.window / plan.rate_hz)} s"
    weights = sorted({layer.bits for layer in plan.network.layers if hasattr(layer, "bits")})
    weights += sorted({bits for layer in plan.network.layers if isinstance(layer, LSTM) for bits in _bits_of(layer)})
    states = sorted({layer.state_bits for layer in plan.network.layers if isinstance(layer, LSTM)})
    facts = [
        ("channels", f"{len(plan.channels)}: {listed(plan.channels)}"),
        ("converter", ", ".join(_converter(plan)).replace("none:, ", "none: ")),
        ("window", window),
        ("a prediction", every),
        ("its delay", "with the window's last sample"),
        ("weights", " and ".join(in_bits(bits) for bits in sorted(set(weights)))),
        ("classes", f"{len(plan.class_names)}: {listed(plan.class_names)}"),
        ("majority", f"of the last {majority} windows" if majority > 1 else "off: each window's own class"),
    ]
    if states:
        facts.insert(6, ("LSTM states", " and ".join(in_bits(bits) for bits in states)))
    return facts


def _bits_of(layer: LSTM) -> tuple[int, int]:
    return layer.bits_ih, layer.bits_hh


# --------------------------------------------------------------------------------------------------- size and time


def _sizes(plan: Plan, counts: Counts, energy: Known, measured: Known) -> list[tuple[str, str]]:
    saved = f" ({100 * counts.saved:.0f} % saved)" if counts.saved > 0.005 else ""
    sizes = [
        ("tables in flash", _kb(counts.flash)),
        ("state in RAM", _kb(counts.ram)),
        ("weights", short(counts.weights)),
        ("MACs per prediction", short(counts.macs)),
        ("windows by themselves", f"{short(counts.macs_alone)} MACs{saved}"),
    ]
    if measured is None:
        sizes.append(("program, stack, time", "not measured: a compiler and a processor tell"))
    else:
        sizes += [
            ("measured on", measured["processor"].replace(" -", " \N{NON-BREAKING HYPHEN}")),
            ("program in flash", _kb(measured["flash"])),
            ("its state in RAM", _kb(measured["ram"])),
            ("stack at most", f"{measured['stack']:,} bytes"),
            ("instructions", f"{short(measured['instructions'])} per prediction"),
        ]
    if energy is not None:
        constants = energy["constants"]
        share = on_the_node(energy)["cpu_share"]
        counted = "assumed from MACs" if measured is None else "from instructions"
        sizes.append(("cycles per prediction", f"{short(energy['cycles'])}, {counted}"))
        sizes.append((f"processor at {short(constants['cpu_mhz'])} MHz", f"{in_percent(share)} of its time"))
        if "longest_s" in energy and plan.rate_hz:
            sizes.append(("longest sample", f"{_ms(energy['longest_s'])} of {_ms(1 / plan.rate_hz)} between two"))
    return sizes


def on_the_node(energy: Mapping[str, Any]) -> dict[str, Any]:
    """The design that computes on the node."""
    designs: dict[str, dict[str, Any]] = energy["designs"]
    return designs.get(COMPUTED) or designs["native_computed"]


def _kb(size: int) -> str:
    """
    >>> _kb(700), _kb(91000)
    ('700 bytes', '88.9 kB')
    """
    return f"{size} bytes" if size < KB else f"{rounded(size / KB)} kB"


def _ms(seconds: float) -> str:
    return f"{short(1e3 * seconds)} ms"


def in_percent(share: float) -> str:
    """A share of a processor's time.

    >>> in_percent(0.0663), in_percent(1.719), in_percent(0.0004)
    ('6.63 %', '172 %', '0.04 %')
    """
    return f"{short(100 * share)} %"


# ----------------------------------------------------------------------------------------------------------- power


def _power(energy: Known, name: str) -> str:
    """The designs as a picture and as a table."""
    if energy is None:
        return "<h2>Power</h2>\nNot told: the run's data states no rate, or it was recorded without conf/sensing.\n"
    heads = ["", "sensor", "radio", "network", "sleep", "total", "message", "packed", "wait", "processor"]
    body = [
        [
            escape(design["title"]),
            *(escape(power(value)) if (value := design[f"{part}_uw"]) else "–" for part in PARTS),
            f"<b>{escape(power(design['uw']))}</b>",
            f"{design['bytes']} B",
            escape(power(design["packed_uw"])),
            escape(duration(design["wait_s"]) if design["wait_s"] >= 10 else f"{design['wait_s']:.1f} s"),
            in_percent(design["cpu_share"]) + ("" if design["real_time"] else " <small>too slow</small>"),
        ]
        for design in energy["designs"].values()
    ]
    return f"""<h2>Send samples, or compute on the node? {BASIS}</h2>
{scrolled(svg(design_picture(energy), name))}
{table(heads, body)}
{_left_out()}
"""


def _left_out() -> str:
    return (
        "<p>Each design brings a class once per stride: a message goes out at once. Packed: its total if samples "
        "waited until a packet is full, as a run's own radio is counted; wait: how long that takes. Sensor: the "
        "converter, and the processor while it reads. Left out, as the same in all or unknown: the sensor's mechanical "
        "part and amplifier, connection events without data, lost packets, encryption, the radio's start and the "
        "processor's work for it, and the hub.</p>"
    )


# ------------------------------------------------------------------------------------------- layers, checks, constants


def _layers(counts: Counts) -> str:
    heads = ["", "kind", "bits", "weights", "MACs", "alone", "flash", "RAM"]
    body = [
        [
            escape(layer.name), layer.kind, str(layer.bits or "–"), f"{layer.weights:,}", f"{layer.macs:,}",
            f"{layer.macs_alone:,}", f"{layer.flash:,}", f"{layer.ram:,}",
        ]
        for layer in counts.layers[:MOST_LAYERS]
    ]  # fmt: skip
    if len(counts.layers) > MOST_LAYERS:
        body.append([f"{len(counts.layers) - MOST_LAYERS} more: see firmware.json", *[""] * 7])
    for name, flash, ram in (
        ("converter", counts.converter_flash, counts.converter_ram),
        ("input codes", counts.input_flash, 0),
        ("sigmoid, tanh", counts.sigmoid_flash, 0),
        ("frame, windows, majority", 0, counts.other_ram),
    ):
        if flash or ram:
            body.append([name, "table" if flash else "state", "", "", "", "", f"{flash:,}", f"{ram:,}"])
    total = (counts.weights, counts.macs, counts.macs_alone, counts.flash, counts.ram)
    body.append(["<b>all, bytes</b>", "", "", *(f"<b>{value:,}</b>" for value in total)])
    return table(heads, body)


def _worth(test: Known, native_bits: int) -> str:
    """Its scores on the run's test windows, beside the run's own."""
    title = "<h2>Worth</h2>\n"
    if test is None:
        return f"{title}Not told: the run's data was not at hand."
    monitor = test["monitor"]

    def shown(value: float) -> str:
        return f"{100 * value:.2f} %" if percent(monitor) else f"{value:.4f}"

    rows = [(metric_name(monitor), f"{shown(test['recorded'])} as recorded")]
    for name, label in (("integers", "in integers"), ("firmware", f"from {native_bits}-bit counts")):
        differing = f"{test['windows_of_another_class'][name]:,} of {test['windows']:,} windows of another class"
        rows.append((label, f"{shown(test['scores'][name][monitor])}; {differing}"))
    if "majority" in test["scores"]:
        rows.append(("by majority", shown(test["scores"]["majority"][monitor])))
    return title + pairs(rows)


def _conformance(checks: Sequence[Mapping[str, Any]]) -> str:
    lines = [str(Check(**check)) for check in checks] or ["not checked: qsense export RUN format=firmware --check"]
    return f"<h2>Conformance</h2>\n<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _remarks(plan: Plan, counts: Counts, energy: Known, measured: Known) -> list[str]:
    remarks = []
    if counts.saved > 0.005:
        remarks.append(
            f"Windows overlap: convolutions are computed once per sample, and {100 * counts.saved:.0f} % of the "
            "multiplications are saved, with the same numbers; an LSTM or a mean starts anew with each window."
        )
    else:
        remarks.append("Windows share no multiplication worth naming: convolutions are a small part, or none overlap.")
    if energy is not None:
        designs, computing = energy["designs"], on_the_node(energy)
        if not computing["real_time"]:
            remarks.append(
                f"Not in real time: the network takes {in_percent(computing['cpu_share'])} of a processor at "
                f"{short(energy['constants']['cpu_mhz'])} MHz. Its power is that of several."
            )
        elif plan.rate_hz and energy.get("longest_s", 0) * plan.rate_hz > 1:
            remarks.append(
                "In real time on average, but the longest qs_push takes longer than the time between two samples: "
                "samples must wait in a queue (a sensor's FIFO)."
            )
        if SENT in designs:
            sent, own = designs[SENT]["uw"], designs[COMPUTED]["uw"]
            less = "Sending codes" if sent <= own else "Computing on the node"
            times = max(sent, own) / min(sent, own)
            remarks.append(f"{less} takes less power here: {power(min(sent, own))}, by a factor of {short(times)}.")
        remarks.append(
            f"A network of fewer than {short(energy['break_even_cycles'])} cycles per prediction would take less power "
            f"than it saves at the radio; this one takes {short(energy['cycles'])}."
        )
        remarks.append(
            "Predictions that are sent only where the class changes cost less radio; a network behind a native ADC "
            "has the scores of a run without a quantizer."
        )
    if measured is None:
        remarks.append(f"Flash holds the program as well, beside {_kb(counts.flash)} of tables; RAM its stack.")
    return remarks


def sources() -> dict[str, tuple[str, str]]:
    """Value and source of each constant of conf/sensing/ble.yaml, as it and its comment there say."""
    lines = (config_folder() / "sensing" / "ble.yaml").read_text(encoding="utf-8").splitlines()
    known = {}
    for line in lines:
        if line[:1].isalpha() and "#" in line:
            setting, _, source = line.partition("#")
            name, _, value = setting.partition(":")
            known[name] = (value.strip(), source.strip())
    return known


def _constants(energy: Known) -> str:
    if energy is None:
        return ""
    known, rows = sources(), []
    for name, value in energy["constants"].items():
        if value is None or name in NOT_OF_A_NODE:
            continue
        usual, source = known.get(name, ("", ""))
        own = f"the run's own; usual is {usual}: " if usual and float(usual) != value else ""
        rows.append([name, f"{value:g}", escape(own + source)])
    return (
        "<h2>Constants of the model, and their sources</h2>\n"
        f'<div class="ports">{table(["constant", "value", "source"], rows)}</div>'
    )
