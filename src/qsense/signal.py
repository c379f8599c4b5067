"""What a sensor delivers: the few facts that data, quantizers, networks and pictures must agree on."""

from __future__ import annotations

from dataclasses import dataclass


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

    Raises:
        ValueError: no channel, only one end of the range, an empty range, or a wrong number of names.

    >>> Signal(channels=3, low=-1.0, high=1.0, unit="g", rate_hz=50.0).bipolar
    True
    """

    channels: int
    low: float | None
    high: float | None
    unit: str
    rate_hz: float | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"a signal needs at least one channel, got channels={self.channels}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"state both ends of the range or neither, got low={self.low}, high={self.high}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the range is empty: low={self.low} is not below high={self.high}")
        if self.names and len(self.names) != self.channels:
            raise ValueError(f"{len(self.names)} names for {self.channels} channels: {', '.join(self.names)}")

    @property
    def bipolar(self) -> bool:
        """Whether values lie on both sides of zero (accelerometers) or on one (images)."""
        return self.low is not None and self.low < 0
