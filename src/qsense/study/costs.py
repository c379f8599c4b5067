"""Which costs a report shows: columns of its tables, and axes that scores are drawn against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from qsense.metrics.conversion import floor_bits
from qsense.runs.words import short, watts


@dataclass(frozen=True)
class Column:
    """One column of costs.

    Args:
        heading: with its unit; a power's unit follows where its figures are known.
        key: of `Run.cost`.
        unit: what the figure is divided by.
        narrow: whether tables have it that must fit a screen or a sheet; the page and the CSV files have all.
        power: whether it is one, in µW: `columns` chooses W to pW by its largest figure.
    """

    heading: str
    key: str
    unit: float = 1.0
    narrow: bool = True
    power: bool = False


@dataclass(frozen=True)
class Axis:
    """One cost to draw scores against.

    Args:
        key: of `Run.cost`.
        name: in a few words, for a list of choices.
        label: of the axis, with its unit.
        short: the unit alone.
        picture: the file that a report draws it in; empty for none of its own.
        unit: what the figure is divided by.
        power: whether it is one, in µW: `axes` chooses W to pW by its largest figure.
        beside: another cost of the same runs in the same picture, as of another design; empty for none.
        lines: what is written at points of `key`, of `beside`, in place of their bits.
    """

    key: str
    name: str
    label: str
    short: str
    picture: str
    unit: float = 1.0
    power: bool = False
    beside: str = ""
    lines: tuple[str, str] = ("", "")


FLOOR = "floor_bits"  # the most bits at which the converter's energy is its floor; no run's own figure
RADIO = "radio_uj_s"
SENSING = "kbit_s"  # the figure that every run has whose sensor was priced
FIRMWARE = "firmware_"  # how costs begin that a firmware's export says
MACS, INSTRUCTIONS = "firmware_macs", "firmware_instructions"
SENDS, COMPUTES = "firmware_sent_uj_s", "firmware_uj_s"
COLUMNS = (
    Column("MB", "size_mb"),
    Column("GBOPs", "bops", 1e9),
    Column("bits", "nominal_bits", narrow=False),
    Column("kbit/s", "kbit_s"),
    Column("entropy", "entropy_bits"),
    Column("radio", RADIO, power=True),
    Column("by entropy", "entropy_radio_uj_s", narrow=False, power=True),
    Column("ADC", "adc_uj_s", narrow=False, power=True),
    Column("digital", "behind_adc_uj_s", narrow=False, power=True),
    Column("saved %", "saved", 0.01),
    Column("flash kB", "firmware_flash", 1024),
    Column("RAM kB", "firmware_ram", 1024),
    Column("kMAC", MACS, 1e3),
    Column("kinstr", INSTRUCTIONS, 1e3),
    Column("CPU %", "firmware_share", 0.01, narrow=False),
    Column("sends", SENDS, power=True),
    Column("computes", COMPUTES, power=True),
)
AXES = (
    Axis("bops", "bit operations", "10⁹ bit operations per prediction", "GBOPs", "tradeoff.png", 1e9),
    Axis("kbit_s", "data rate", "data rate of the sensor (kbit/s)", "kbit/s", "tradeoff_rate.png"),
    Axis(
        "entropy_kbit_s",
        "data rate, entropy-coded",
        "data rate at the bound of an entropy coder (kbit/s)",
        "kbit/s",
        "tradeoff_entropy.png",
    ),
    Axis("uj_s", "power of sensing", "radio + ADC, by model", "", "tradeoff_power.png", power=True),
    Axis(
        COMPUTES,
        "power of a node that computes",
        "node that sends codes, or computes; by model",
        "",
        "tradeoff_node.png",
        power=True,
        beside=SENDS,
        lines=("computes", ""),
    ),
    Axis(SENDS, "power of a node that sends", "node with its processor, by model", "", "", power=True),
)
# On the recordings of each fold, or by its own firmware, where others are the same in all: their mean.
MEASURED = ("entropy_", "lossless_", FIRMWARE)
LOSSLESS = "lossless"  # how tables name the rival
ALIKE = 5e-4  # figures that differ by less, relative to the larger, are one: tables show three digits


def columns(costs: Iterable[Mapping[str, float]], narrow: bool = False) -> list[Column]:
    """The columns that have a figure anywhere, powers in the unit that fits the largest of each.

    Args:
        costs: of each cell.
        narrow: without those for which a sheet has no room.

    >>> [(column.heading, column.unit) for column in columns([{"radio_uj_s": 5603.0}, {"radio_uj_s": 31.2}])]
    [('radio mW', 1000.0)]
    """
    costs = list(costs)
    most = _most(costs)
    chosen = [column for column in COLUMNS if column.key in most and (column.narrow or not narrow)]
    if narrow and INSTRUCTIONS in most:  # which tell more
        chosen = [column for column in chosen if column.key != MACS]
    if narrow:  # where links are counted instead of the power of several radios
        most[RADIO] = max((cost[RADIO] for cost in costs if RADIO in cost and not links(cost)), default=math.nan)
    return [_in_watts(column, most[column.key]) if column.power else column for column in chosen]


def _most(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    most: dict[str, float] = {}
    for cost in costs:
        for key, value in cost.items():
            most[key] = max(value, most.get(key, value))
    return most


def _in_watts(column: Column, most: float) -> Column:
    if math.isnan(most):
        return column
    name, unit = watts(most)
    return replace(column, heading=f"{column.heading} {name}", unit=unit)


def lossless(cost: Mapping[str, float]) -> dict[str, float]:
    """What a sensor that is not quantized would cost if its samples were sent without loss, from its own costs; empty
    for others, and where nobody counted that.

    >>> own = {"bops": 7.0, "kbit_s": 2.0, "native_kbit_s": 2.0, "native_uj_s": 10.0}
    >>> rival = {"bits": 6.0, "kbit_s": 1.0, "radio_uj_s": 3.5, "uj_s": 4.0}
    >>> cost = lossless({**own, **{f"lossless_{key}": value for key, value in rival.items()}})
    >>> cost["kbit_s"], cost["entropy_bits"], cost["saved"]
    (1.0, 6.0, 0.6)
    """
    own = {key.removeprefix("lossless_"): value for key, value in cost.items() if key.startswith("lossless_")}
    sent = ("bits", "kbit_s", "radio_uj_s", "uj_s")
    quantized = "nominal_bits" in cost or cost.get(SENSING) != cost.get(f"native_{SENSING}")
    if quantized or not {*sent} <= {*own} or not cost.get("native_uj_s"):
        return {}
    kept = ("macs", "bops", "size_mb", "native_bits", "native_uj_s")
    return {
        **{key: cost[key] for key in kept if key in cost},
        **{f"entropy_{key}": own[key] for key in sent[:3]},
        **{key: value for key, value in own.items() if key != "bits"},
        "saved": 1 - own["uj_s"] / cost["native_uj_s"],
    }


def axes(costs: Iterable[Mapping[str, float]]) -> list[Axis]:
    """The axes that some cost can be drawn on: they are logarithmic."""
    most = _most(costs)
    drawn = []
    for axis in AXES:
        if most.get(axis.key, 0) > 0:
            name, unit = watts(most[axis.key]) if axis.power else (axis.short, axis.unit)
            label = f"{axis.label} ({name})" if axis.power else axis.label
            drawn.append(replace(axis, label=label, short=name, unit=unit))
    return drawn


def links(cost: Mapping[str, float]) -> float | None:
    """How many radio links a sensor needs, where one is not enough; None where it is, or nobody priced the sensor."""
    share = cost.get("link_share", 0.0)
    return share if share > 1 else None


def floor(constants: Mapping[str, float | None]) -> dict[str, float]:
    """`FLOOR`, from the constants that a sensor was priced with; empty where they do not tell.

    >>> floor({"walden_fj": 57, "floor_pj": 1.3}), floor({})
    ({'floor_bits': 4.0}, {})
    """
    walden, least = constants.get("walden_fj") or 0, constants.get("floor_pj") or 0
    return {FLOOR: float(floor_bits(walden, least))} if walden > 0 and least > 0 else {}


def _sent(cost: Mapping[str, float]) -> float:
    """Bits per sample, by the data rate; a sensor that is not priced or delivers nothing has more than any floor."""
    native = cost.get("native_kbit_s", 0)
    return cost["native_bits"] * cost[SENSING] / native if native > 0 and SENSING in cost else math.inf


def common(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """What the runs behind one number cost: the figures that are the same, to three digits, in all runs which have
    them, and the means of those that are measured on each fold's own recordings.

    >>> common([{"bops": 7.0, "kbit_s": 1.2}, {"bops": 7.0}, {"bops": 7.0, "kbit_s": 2.4}])
    {'bops': 7.0}
    >>> common([{"kbit_s": 1.2, "entropy_bits": 1.5}, {"kbit_s": 1.2, "entropy_bits": 2.0}])
    {'kbit_s': 1.2, 'entropy_bits': 1.75}
    """
    values: dict[str, list[float]] = {}
    for cost in several:
        for key, value in cost.items():
            values.setdefault(key, []).append(value)
    one_rate = len(set(values.get("nominal_bits", ()))) < 2  # else a row of the user's own mixes converters
    measured = {key for key in values if key.startswith(MEASURED) and one_rate}
    return {
        key: fmean(figures) if key in measured else figures[0]
        for key, figures in values.items()
        if key in measured or math.isclose(min(figures), max(figures), rel_tol=ALIKE)
    }


def explained(costs: Iterable[Mapping[str, float]], narrow: bool = False) -> list[str]:
    """What the columns mean, as far as they are shown; see `columns`."""
    costs = list(costs)
    shown = {column.key for column in columns(costs, narrow)}
    texts = []
    if shown & {"size_mb", "bops"}:
        texts.append("MB, GBOPs: the network's weights, and 10⁹ bit operations per prediction.")
    if SENSING in shown:
        native = " or ".join(
            f"{bits:g}" for bits in sorted({cost["native_bits"] for cost in costs if "native_bits" in cost})
        )
        texts.append(
            "kbit/s, radio, ADC: what the simulated sensor would deliver and use, by a model and not measured; saved: "
            f"of radio + ADC, against its native {native} bits, which it delivers where it is not quantized."
        )
    if any(cost.get("link_share", 0) > 1 for cost in costs):
        most = next(cost[SENSING] / cost["link_share"] for cost in costs if cost.get("link_share", 0) > 1)
        texts.append(f"n links: n × what one radio link carries, {short(most)} kbit/s; saved counts the radios of all.")
    floors = sorted({cost[FLOOR] for cost in costs if cost.get(FLOOR, 0) >= _sent(cost)})
    if floors:
        bits = " or ".join(f"{bits:g}" for bits in floors)
        texts.append(f"ADC: floor reached at {bits} bits: fewer bits save no power in the converter.")
    if "entropy_bits" in shown:
        texts.append(
            "entropy: bits per sample that an ideal entropy coder would spend on the test subjects' codes, given those "
            "before, its tables the training subjects'; a bound, no coder is built; kbit/s and radio are without it."
        )
    if "entropy_radio_uj_s" in shown:
        texts.append("by entropy: the radio at that bound.")
    if "behind_adc_uj_s" in shown:
        texts.append(
            "ADC: the quantizer in the converter, one with memory as a tracking converter with a DAC; digital: a "
            "native ADC and a digital quantizer after it, so that the radio alone gains."
        )
    if "firmware_flash" in shown:
        work = {MACS: "kMAC: 10³ multiply-accumulates", INSTRUCTIONS: "kinstr: 10³ instructions"}
        told = [text for key, text in work.items() if key in shown]
        texts.append(
            "flash, RAM: of the firmware; its constants and state alone where no program was measured; "
            f"{', '.join(told)} per prediction."
        )
    if COMPUTES in shown:
        texts.append(
            "sends, computes: power of a node, its converter, radio and processor, that sends its codes once per "
            "stride, or computes and sends predictions; by a model and not measured."
        )
        slow = any(cost.get("firmware_share", 0) > 1 for cost in costs)
        texts += ["CPU above 100 %: no such processor keeps up, and the power is that of several."] * slow
    if any(map(lossless, costs)):
        texts.append(
            f"{LOSSLESS}: first differences of native samples at the same bound, which its kbit/s and radio count; no "
            "run stands for it: its score is that of the unquantized data."
        )
    return texts
