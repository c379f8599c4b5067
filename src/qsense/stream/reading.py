"""Lines as they come through a descriptor: of a pipe, a terminal, or a serial port.

Open it when lines are torn, lost, or joined.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator

LONGEST = 4096  # bytes of a line; what comes after them is left out
WAIT_S = 0.1  # after which nothing has come


def lines_of(descriptor: int, wait_s: float = WAIT_S) -> Iterator[bytes | None]:
    """Lines without their ends, be these LF, CR or both; None where nothing came for a moment. Ends with the source.

    Raises:
        OSError: the device is gone.
    """
    rest, cut = b"", False
    while True:
        if not select.select([descriptor], [], [], wait_s)[0]:
            yield None
            continue
        try:
            chunk = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            continue
        if not chunk:
            break
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        for line in whole:
            if line and not cut:
                yield line[: LONGEST + 1]
            cut = False
        if len(rest) > LONGEST:
            if not cut:
                yield rest[: LONGEST + 1]
            rest, cut = b"", True
    if rest and not cut:
        yield rest
