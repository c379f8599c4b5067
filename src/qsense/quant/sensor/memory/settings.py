"""The settings that all converters with memory share, and what is refused; `base.MemoryConverter` says what they mean.

Open it to see what `**settings` of a converter's constructor takes. It imports nothing heavy: a wrong one is answered
at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    modes: Mapping[int, Sequence[int]] | None = None,
) -> int:
    """The native bits of a converter called `name`, which `takes` "series" or "frames".

    A published format may know some bits only, `modes`: those of its codes, by those of the samples that it codes.

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
    if modes and signal.native_bits is not None:
        known = modes[sample_bits(signal.native_bits, modes)]
        if not isinstance(bits, int) or bits not in known:
            allowed = " or ".join(", ".join(map(str, known)).rsplit(", ", 1))
            raise ValueError(f"bits={bits!r}: {name} needs {allowed} for a sensor of {signal.native_bits} bits")
    require(name, "bits", bits, least_bits, most_bits)
    if signal.native_bits is not None and native_bits not in (None, signal.native_bits):
        raise ValueError(f"native_bits={native_bits}: the sensor delivers {signal.native_bits} bits, leave it null")
    native = native_bits if native_bits is not None else signal.native_bits or NATIVE_BITS
    require(name, "native_bits", native, bits, 16)
    require(name, "leak", leak, 0, 15)
    require(name, "slope", slope, 0, 15)
    require(name, "refresh", refresh, 0, 1 << 20)
    return native


def sample_bits(native_bits: int, modes: Mapping[int, Sequence[int]]) -> int:
    """The bits of samples, of those that `modes` knows, that hold native counts, or come nearest to it.

    >>> [sample_bits(native, {10: (8,), 12: (6, 8)}) for native in (8, 10, 11, 14)]
    [10, 10, 12, 12]
    """
    return min((bits for bits in modes if bits >= native_bits), default=max(modes))


def require(name: str, key: str, value: object, least: int, most: int) -> None:
    """Raise ValueError unless the value is an integer from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        allowed = f"an integer from {least} to {most}" if least < most else f"{least}, and no other"
        raise ValueError(f"{key}={value!r}: {name} needs {allowed}")
