"""What a run recorded of its cost, in words for a datasheet: the codes' honest rate, sensing in both places.

Open it when a datasheet, of a converter with memory or without, should say more of it.
"""

from __future__ import annotations

from typing import Any

from qsense.runs.words import power, rounded


def costs(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and figures of each cost, as far as the run recorded any.

    Args:
        result: its `metrics.json`.
    """
    found = _rates(result.get("rates") or {}) + _sensing(result.get("sensing") or {})
    return found or [("", "not recorded by this run")]


def _rates(rates: dict[str, Any]) -> list[tuple[str, str]]:
    """Bits per sample: nominal, and the bounds of an ideal entropy coder; runs of images have none."""
    if "nominal" not in rates:
        return []
    refreshes = "" if float(rates["nominal"]).is_integer() else ", refreshes counted"  # they alone make a fraction
    return [
        ("bits per sample", f"{_number(rates['nominal'])}{refreshes}"),
        ("entropy of codes", f"{_number(rates['entropy'])} bits per sample (bound, no coder)"),
        ("lossless rival", f"{_number(rates['lossless']['bits'])} bits per sample (differences, bound)"),
    ]


def _sensing(sensing: dict[str, Any]) -> list[tuple[str, str]]:
    """The sensor's cost by the model, beside the same at its native bits."""
    if not sensing:
        return []
    native = sensing["native"]
    found = [
        ("data rate", f"{_number(sensing['kbit_s'])} kbit/s; at {native['bits']} bits {_number(native['kbit_s'])}")
    ]
    found += [
        (f"{what} (model)", f"{power(sensing[key])}; at {native['bits']} bits {power(native[key])}")
        for what, key in (("radio", "radio_uj_s"), ("ADC", "adc_uj_s"), ("flash ADC", "flash_uj_s"))
    ]
    if "behind" in sensing:
        found.append(("behind a native ADC", f"{power(sensing['behind']['adc_uj_s'])}, the radio alone gains"))
    if "entropy" in sensing:
        found.append(("radio by entropy", f"{power(sensing['entropy']['radio_uj_s'])}{_rival(sensing)}"))
    return found


def _rival(sensing: dict[str, Any]) -> str:
    return f"; lossless {power(sensing['lossless']['radio_uj_s'])}" if "lossless" in sensing else ""


def _number(value: float) -> str:
    return rounded(value) if value >= 0.001 else f"{value:.2g}"
