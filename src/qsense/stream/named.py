"""A source as it is named on the command line; it is checked before anything heavy is imported.

Open it to change how a source is named; what comes out of it is in `sources.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from qsense.stream.serial_port import USUAL_BAUD, open_port


@dataclass(frozen=True)
class Source:
    """A source, as it is named on the command line.

    Args:
        kind: test, file, pipe or serial.
        name: of the file, the device or the test's subject; empty where there is none.
        baud: of a serial port.

    >>> Source.parse("serial:/dev/ttyACM0:9600"), Source.parse("-").kind, Source.parse("test:3").name
    (Source(kind='serial', name='/dev/ttyACM0', baud=9600), 'pipe', '3')
    """

    kind: str
    name: str = ""
    baud: int = USUAL_BAUD

    @classmethod
    def parse(cls, text: str) -> Source:
        """
        Raises:
            ValueError: a serial port without a device.
        """
        if text == "-":
            return cls("pipe")
        if text == "test" or text.startswith("test:"):
            return cls("test", text.partition(":")[2])
        if text.startswith("serial:"):
            device, baud = re.fullmatch(r"serial:(.*?)(?::(\d+))?", text, re.DOTALL).groups()  # type: ignore[union-attr]
            if not device:
                raise ValueError("serial: name the device, as in serial:/dev/ttyUSB0 or serial:/dev/ttyUSB0:9600")
            return cls("serial", device, int(baud or USUAL_BAUD))
        return cls("file", text)

    @property
    def live(self) -> bool:
        """Whether samples come when they come."""
        return self.kind in ("pipe", "serial")

    def check(self) -> None:
        """
        Raises:
            OSError: a file or a port that is not there, or cannot be read.
            ValueError: no serial port.
        """
        if self.kind == "file":
            if not Path(self.name).is_file():
                what = "is a folder: name a file in it" if Path(self.name).is_dir() else "is not there"
                raise FileNotFoundError(f"--source {self.name} {what} (other sources: test, serial:DEVICE, -)")
            with Path(self.name).open("rb"):
                pass
        elif self.kind == "serial":
            os.close(open_port(self.name, self.baud))
