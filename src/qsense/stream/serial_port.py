"""A serial port, by the terminal interface of POSIX: no package is needed.

Open it when a port cannot be opened, or sends what nobody can read.
"""

from __future__ import annotations

import errno
import importlib.util
import os
from pathlib import Path

USUAL_BAUD = 115200
WHY = {
    errno.ENOENT: "there is no such device{others}",
    errno.EACCES: "you may not read it: as a rule its users are the members of a group, such as dialout",
    errno.EBUSY: "another program has it open",
}


def open_port(device: str, baud: int = USUAL_BAUD) -> int:
    """The descriptor of a serial port: 8 bits, no parity, no translation of any character.

    Args:
        device: as in /dev/ttyUSB0.
        baud: bits per second, one that the system knows.

    Raises:
        OSError: it cannot be opened; the message says why.
        ValueError: a rate that the system does not know, no serial port, or a system without POSIX's interface.
    """
    if importlib.util.find_spec("termios") is None:
        raise ValueError(
            f"serial:{device}: this system has no POSIX terminals: let another program read the port, and pipe its "
            "lines into --source -"
        )
    import termios
    import tty

    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        rates = sorted(int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdecimal())
        raise ValueError(f"serial:{device}:{baud}: the system knows {', '.join(map(str, rates[1:]))} baud")
    try:
        port = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        why = WHY.get(error.errno or 0, error.strerror or str(error)).format(others=_others())
        raise OSError(f"serial:{device}: {why}") from error
    try:
        tty.setraw(port, termios.TCSANOW)  # what has come already is not thrown away
        flags = termios.tcgetattr(port)
        flags[2] = (flags[2] | termios.CLOCAL | termios.CREAD) & ~termios.CRTSCTS
        flags[4] = flags[5] = speed
        termios.tcsetattr(port, termios.TCSANOW, flags)
    except termios.error as error:
        os.close(port)
        raise ValueError(f"serial:{device}: it is no serial port") from error
    return port


def _others() -> str:
    """The ports that there are, to follow in a sentence."""
    found = sorted(str(path) for kind in ("ttyUSB*", "ttyACM*", "cu.usb*") for path in Path("/dev").glob(kind))
    return f"; there are {', '.join(found)}" if found else "; there is no /dev/ttyUSB* or /dev/ttyACM* at all"
