"""What a sensor delivers: the few facts that data, quantizers, networks and pictures must agree on."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_BITS = 12  # of a sensor that states none: usual in accelerometers and raw frames
BAYER = ("RGGB", "BGGR", "GRBG", "GBRG")


@dataclass(frozen=True)
class Signal:
    """One sensor's output, as the data module hands it on.

    Args:
        channels: number of channels: axes of an accelerometer, colours of an image.
        low: smallest value the analog front end passes on, or None where nobody has stated it.
        high: largest such value, or None.
        unit: physical unit of the sensor before normalisation ("g", "m/s²", "counts", …).
        rate_hz: samples per second of a time series; None for images.
        names: one name per channel, for tables and pictures.
        native_bits: bits of the integer codes that a digital sensor delivers (12 for most raw frames); None where it
            delivers values.
        black: the code that means `low`, for native codes.
        white: the code that means `high`; None: the largest, 2^native_bits - 1.
        bayer: colours of a raw image sensor's 2 × 2 cell, row by row ("RGGB"); None for other sensors.
        conditions: names of the circumstances that a sample may state ("day", "night").

    Raises:
        ValueError: no channel, only one end of the range, an empty range, a wrong number of names, codes without a
            range, black and white levels that are no codes, or no Bayer pattern.

    >>> Signal(channels=3, low=-1.0, high=1.0, unit="g", rate_hz=50.0).bipolar
    True
    >>> raw = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, bayer="RGGB")
    >>> raw.codes, raw.top
    (4096, 4095)
    """

    channels: int
    low: float | None
    high: float | None
    unit: str
    rate_hz: float | None = None
    names: tuple[str, ...] = ()
    native_bits: int | None = None
    black: int = 0
    white: int | None = None
    bayer: str | None = None
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"a signal needs at least one channel, got channels={self.channels}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"state both ends of the range or neither, got low={self.low}, high={self.high}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the range is empty: low={self.low} is not below high={self.high}")
        if self.names and len(self.names) != self.channels:
            raise ValueError(f"{len(self.names)} names for {self.channels} channels: {', '.join(self.names)}")
        if self.native_bits is not None:
            if not 1 <= self.native_bits <= 32:
                raise ValueError(f"native_bits={self.native_bits}: a sensor's codes have 1 to 32 bits")
            if self.low is None:
                raise ValueError("codes stand for values of a range: state low and high beside native_bits")
            if not 0 <= self.black < self.top < self.codes:
                raise ValueError(
                    f"black={self.black}, white={self.top}: codes of {self.native_bits} bits need "
                    f"0 ≤ black < white ≤ {self.codes - 1}"
                )
        if self.bayer is not None and self.bayer not in BAYER:
            raise ValueError(f"bayer={self.bayer!r}: a Bayer pattern is one of {', '.join(BAYER)}")

    @property
    def codes(self) -> int:
        """How many native codes there are; 0 for a sensor that delivers values."""
        return 0 if self.native_bits is None else 1 << self.native_bits

    @property
    def top(self) -> int:
        """The code that means `high`."""
        return self.codes - 1 if self.white is None else self.white

    @property
    def bipolar(self) -> bool:
        """Whether values lie on both sides of zero (accelerometers) or on one (images)."""
        return self.low is not None and self.low < 0
