"""A converter with memory as tables: JSON for programs, CSV for people, registers for a chip that is programmed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin
from qsense.chip.registers import prefixes
from qsense.chip.tables import as_csv
from qsense.runs.escapes import comment, csv_cell

REGISTER = 20  # bits, two's complement: what differences of 16-bit values take, and moves and places all the more


def as_json(
    codec: Codec, origin: Origin, full_scale_volts: float | None = None, snr: Sequence[float] | None = None
) -> str:
    """Everything as JSON.

    Numbers of `tables` and `start` lie on the 16-bit scale of the C header: a native count q of n bits is
    (q − 2^(n−1)) · 2^(16−n) there, in two's complement q · 2^(16−n), and a decoded value v means `offset` + `step` · v
    in `unit`. Where counts are companded, that is their share of the companded scale; `sensor.scale` says how one comes
    from v to the count and to the sensor's unit.

    Args:
        codec: the converter.
        origin: its run.
        full_scale_volts: what the largest native count stands for; None: unknown.
        snr: of each channel's training recordings, dB; None where they are not at hand.
    """
    rows = []
    for c, (name, constants) in enumerate(zip(codec.channels, codec.constants, strict=True)):
        offset, step = codec.scale(c)
        rows.append(
            {
                "name": name,
                "range": list(codec.limits[c]),
                "offset": offset,
                "step": step,
                "start": {"value": constants.centre, **({"place": constants.first} if codec.adaptive else {})},
                "tables": {table: list(getattr(constants, table)) for table in codec.tables},
                "snr_db": None if snr is None else snr[c],
            }
        )
    first = codec.constants[0]
    content = {
        "schema": 1,
        "name": codec.name,
        "revision": codec.revision,
        "origin": origin.lines(),
        "simulated": origin.simulated,
        "quantizer": codec.quantizer,
        "memory": True,
        "bits": codec.bits,
        "unit": codec.unit,
        "rate_hz": codec.rate_hz,
        "channels": list(codec.channels),
        "native": {
            "bits": codec.native_bits,
            "coding": codec.coding.name,
            "black": codec.coding.number(codec.black),
            "white": codec.coding.number(codec.white),
            "full_scale": codec.full_scale,
            "volts": full_scale_volts,
        },
        "prediction": {"leak": first.leak, "slope": first.slope},
        "refresh": codec.refresh,
        "alike": first.alike if codec.adaptive and codec.bits == 1 else None,
        "step_leak": first.step_leak if codec.adaptive else None,
        **({"companding": list(codec.compand), "network_sees_counts": codec.output} if codec.output else {}),
        "bits_per_sample": codec.rate,
        "kbit_s": codec.kbit_s,
        "state_bits": codec.state,
        "rows": rows,
        "network_sees": {
            "low": codec.low,
            "high": codec.high,
            "standardised": origin.result.get("standardised"),  # (value − mean)/std per channel, after the decoder
        },
        "learned": codec.record["learned"],
        "sensor": codec.record,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def numbers(codec: Codec, channel: int) -> Iterator[tuple[str, int, int]]:
    """All numbers of a channel but the steps, which are the same for all: table, place in it, number."""
    constants = codec.constants[channel]
    yield "centre", 0, constants.centre
    if codec.adaptive:
        yield "first", 0, constants.first
    for table in codec.tables:
        if table != "steps":  # thresholds count from 1, as the codes that begin there
            for place, number in enumerate(getattr(constants, table), table == "thresholds"):
                yield table.removesuffix("s"), place, number


def as_table(codec: Codec) -> str:
    """`constants.csv`: one row per number, as it is and, where it is a value or a difference, in the sensor's unit."""
    unit = codec.unit.replace(" ", "_") or "value"
    rows: list[list[Any]] = []
    for c, name in enumerate(codec.channels):
        offset, step = codec.scale(c)
        for table, place, number in numbers(codec, c):
            meaning = "" if table in ("first", "move") else number * step + offset * (table == "centre")
            rows.append([csv_cell(name), table, place, number, meaning])
        rows += [
            [csv_cell(name), "step", place, number, number * step]
            for place, number in enumerate(codec.constants[c].steps)
        ]
    return as_csv(["channel", "table", "place", "number", f"number_{unit}"], rows)


def as_registers(codec: Codec, origin: Origin) -> str:
    """`<CHANNEL>_<TABLE>_<place> 0x…` of what differs between channels, and what all of them share."""
    shared = {"LEAK": codec.constants[0].leak, "SLOPE": codec.constants[0].slope, "REFRESH": codec.refresh}
    if codec.adaptive:
        shared["STEP_LEAK"] = codec.constants[0].step_leak
    if codec.adaptive and codec.bits == 1:
        shared["ALIKE"] = codec.constants[0].alike
    head = [
        f"{codec.name}: {REGISTER} bits per register, two's complement; REFRESH {REGISTER + 1}, without sign",
        *origin.lines(),
        "numbers of the C header's 16-bit scale; FIRST is a place in the table of steps, MOVE a number of places",
    ]
    if codec.adaptive:
        head.append("the table of steps is a ROM, the same for all channels: it is in the C header and in adc.json")
    text = "".join(f"# {comment(line)}\n" for line in head)
    text += "".join(f"{name} 0x{number:05X}\n" for name, number in shared.items())
    for c, prefix in enumerate(prefixes(codec.channels)):
        for table, place, number in numbers(codec, c):
            index = "" if table in ("centre", "first") else f"_{place}"
            text += f"{prefix}_{table.upper()}{index} 0x{number & ((1 << REGISTER) - 1):05X}\n"
    return text
