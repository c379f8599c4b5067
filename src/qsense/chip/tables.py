"""A converter as tables: JSON for programs, CSV for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from qsense.chip.converter import Converter
from qsense.chip.findings import findings
from qsense.chip.origin import Origin
from qsense.quant.sensor.record import finite
from qsense.runs.escapes import csv_cell


def volts(position: float, native_bits: int, full_scale_volts: float) -> float:
    """The voltage at a (fractional) native count: count 0 is 0 V, and the largest one the full scale.

    >>> volts(2047.5, 12, 3.3)
    1.65
    """
    return position / ((1 << native_bits) - 1) * full_scale_volts


def as_json(converter: Converter, origin: Origin, full_scale_volts: float | None = None) -> str:
    """Everything as JSON; null where a threshold is at infinity, or no native count reaches it.

    `rows` are in the sensor's own unit and in native counts. `sensor` is what the run's `adc.json` holds.

    Up to 16 native bits a row's `lut` is the code of every native count, ascending, `lut_digits` hexadecimal digits
    each: a string, which stays on one line.

    Args:
        converter: the converter.
        origin: its run.
        full_scale_volts: what the largest native count stands for; None leaves volts out.
    """
    native, coding = converter.native, converter.native.coding
    rows = []
    digits = -(-converter.bits // 4)
    lut = converter.lut().tolist() if converter.listed else []
    for r, name in enumerate(converter.rows):
        row: dict[str, Any] = {
            "name": name,
            "range": list(converter.limits[r]),
            "thresholds": finite(converter.thresholds[r]),
            "native_positions": finite(coding.number(converter.positions[r])),
            "native_counts": [
                int(coding.number(c)) if c < native.codes else None for c in converter.counts[r].tolist()
            ],
            "levels": converter.levels[r].tolist(),
        }
        if full_scale_volts is not None:
            row["volts"] = finite([volts(p, native.bits, full_scale_volts) for p in converter.positions[r]])
        if converter.listed:
            row["lut"] = "".join(f"{code:0{digits}x}" for code in lut[r])
        rows.append(row)
    content = {
        "schema": 1,
        "name": converter.name,
        "revision": converter.revision,
        "origin": origin.lines(),
        "simulated": origin.simulated,
        **{key: converter.record[key] for key in ("quantizer", "bits", "rounding", "unit")},
        "channels": list(converter.channels),
        "native": {
            "bits": native.bits,
            "coding": coding.name,
            "black": coding.number(native.black),
            "white": coding.number(native.white),
            "low": native.low,
            "high": native.high,
            "assumed": native.assumed or None,
            "volts": full_scale_volts,
        },
        **({"lut_digits": digits} if converter.listed else {}),
        "rows": rows,
        "network_sees": {
            "low": converter.low,
            "high": converter.high,
            "levels": converter.values.astype(float).tolist(),
            "thresholds": [finite(row) for row in converter.seen],
            "white_balance": origin.result.get("white_balance"),  # gains of colours, after the converter
            "standardised": origin.result.get("standardised"),  # (level − mean)/std per channel, after the converter
        },
        "learned": converter.record["learned"],
        "sensor": converter.record,
        "findings": findings(converter).as_dict(),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def thresholds_csv(converter: Converter, full_scale_volts: float | None = None) -> str:
    """One row per threshold: where its code begins, in the sensor's unit, in native counts, and in volts."""
    coding = converter.native.coding
    heading = ["row", "code", f"threshold_{_word(converter.unit)}", "native_position", "native_count", "reached"]
    rows: list[list[Any]] = []
    for r, name in enumerate(converter.rows):
        for k, count in enumerate(converter.counts[r].tolist()):
            position = converter.positions[r, k]
            reached = "never" if count >= converter.native.codes else "always" if count == 0 else "yes"
            row = [
                csv_cell(name),
                k + 1,
                converter.thresholds[r, k],
                coding.number(position),
                coding.number(count) if reached != "never" else "",
                reached,
            ]
            row += [] if full_scale_volts is None else [volts(position, converter.native.bits, full_scale_volts)]
            rows.append(row)
    return as_csv([*heading, *([] if full_scale_volts is None else ["volts"])], rows)


def levels_csv(converter: Converter) -> str:
    """One row per code: what the network sees, and the level in the sensor's unit for each row."""
    heading = ["code", "network_sees", *(f"{name}_{_word(converter.unit)}" for name in converter.rows)]
    return as_csv(
        heading,
        (
            [code, float(converter.values[code]), *(float(row[code]) for row in converter.levels)]
            for code in range(1 << converter.bits)
        ),
    )


def lut_csv(converter: Converter) -> str:
    """One row per native count: its code in each row."""
    lut = converter.lut().T.tolist()
    lowest = converter.native.coding.lowest
    return as_csv(["native_count", *converter.rows], ([count, *codes] for count, codes in enumerate(lut, lowest)))


def _word(unit: str) -> str:
    return unit.replace(" ", "_") or "value"


def as_csv(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A heading and rows; texts of other people's are cells already (`csv_cell`)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, heading))
    writer.writerows(rows)
    return text.getvalue()
