"""The settings that all converters with memory share, and what is refused; `base.MemoryConverter` says what they mean.

Open it to see what `**settings` of a converter's constructor takes. It imports nothing heavy: a wrong one is answered
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from qsense.signal import Signal

NATIVE_BITS = 12  # of a sensor that states none


class Settings(TypedDict, total=False):
    """What all converters with memory take beside their own arguments."""

    native_bits: int | None
    leak: int
    slope: int
    refresh: int


def check(
    name: str,
    signal: Signal,
    bits: int,
    most_bits: int,
    takes: str,
    native_bits: int | None = None,
    leak: int = 0,
    slope: int = 0,
    refresh: int = 0,
    least_bits: int = 1,
    only_bits: Sequence[int] = (),
) -> int:
    """The native bits of a converter called `name`, which `takes` "series" or "frames", and allows `only_bits` where
    there are gaps between its modes.

    Raises:
        ValueError: it cannot be built with these settings, or for this signal.
    """
    if takes == "series" and signal.rate_hz is None:
        raise ValueError(f"{name} converts recordings of a series; this signal is none: take quant=lloyd_max")
    if takes == "frames" and (signal.rate_hz is not None or signal.native_bits is None):
        raise ValueError(f"{name} converts native codes of raw frames; this signal has none: take quant=lloyd_max")
    if signal.low is None:
        raise ValueError(
            f"{name} needs the sensor's range, which this signal does not state (low=None, high=None): "
            "state the data set's range, or normalise the data to one (data.normalise=dataset, train or range)"
        )
    if only_bits and (not isinstance(bits, int) or bits not in only_bits):
        raise ValueError(f"bits={bits!r}: {name} needs {' or '.join(map(str, only_bits))}")
    require(name, "bits", bits, least_bits, most_bits)
    if signal.native_bits is not None and native_bits not in (None, signal.native_bits):
        raise ValueError(f"native_bits={native_bits}: the sensor delivers {signal.native_bits} bits, leave it null")
    native = native_bits if native_bits is not None else signal.native_bits or NATIVE_BITS
    require(name, "native_bits", native, bits, 16)
    require(name, "leak", leak, 0, 15)
    require(name, "slope", slope, 0, 15)
    require(name, "refresh", refresh, 0, 1 << 20)
    return native


def require(name: str, key: str, value: object, least: int, most: int) -> None:
    """Raise ValueError unless the value is an integer from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        allowed = f"an integer from {least} to {most}" if least < most else f"{least}, and no other"
        raise ValueError(f"{key}={value!r}: {name} needs {allowed}")
