"""A serial port: a pseudo-terminal stands for it."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.refusal import refused
from tests.stream.fakes import known

from qsense.stream.events import Event, Notice, Quiet, Sample
from qsense.stream.named import Source
from qsense.stream.reading import lines_of
from qsense.stream.serial_port import open_port
from qsense.stream.sources import from_port

LINES = b"x,y,z\r\n" + b"".join(f"{n},{n / 2},-1\r\n".encode() for n in range(6))

Port = tuple[Path, Callable[[bytes], int], Callable[[], None], Callable[[], None]]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    """A device's path; what sends bytes to it, unplugs it, and plugs it in again."""
    path, ends = tmp_path / "ttyFAKE0", list[int]()

    def plug() -> None:
        sending, receiving = os.openpty()
        tty.setraw(receiving)
        ends[:] = [sending, receiving]
        path.symlink_to(os.ttyname(receiving))

    def unplug() -> None:
        path.unlink()
        for end in ends:
            os.close(end)
        ends.clear()

    plug()
    yield path, lambda sent: os.write(ends[0], sent), unplug, plug
    if ends:
        unplug()


def test_samples_come_unplugging_is_waited_out_and_noise_survived(
    port: Port,
) -> None:
    path, send, unplug, plug = port
    waits: list[float] = []

    def sleep(seconds: float) -> None:  # while nobody has plugged it in
        waits.append(seconds)
        if len(waits) == 3:
            plug()

    send(LINES)
    found: list[Event] = []
    for event in from_port(Source("serial", str(path)), known(), sleep):
        if not isinstance(event, Quiet):
            found.append(event)
        samples = [each for each in found if isinstance(each, Sample)]
        if len(samples) == 6 and not waits and path.is_symlink():
            unplug()
        if isinstance(event, Notice) and event.text.endswith("is back"):
            send(b"\xfe\x00\n1,2,3\n")
        if len(samples) == 7:
            break
    notices = [each for each in found if isinstance(each, Notice)]
    assert [each.anew for each in notices] == [True, False]
    assert all(str(path) in each.text for each in notices)
    assert len(waits) == 3
    assert [each.values[0] for each in found if isinstance(each, Sample)] == [0, 1, 2, 3, 4, 5, 1]


def test_bytes_come_as_they_are_sent(
    port: Port,
) -> None:
    path, send, _, _ = port
    descriptor = open_port(str(path), 9600)
    try:
        sent = bytes(range(32, 256)) + b"\x03\x04\x11\x13\x1a"  # signals and flow control of a terminal are none here
        thread = threading.Thread(target=send, args=(sent + b"\n",))
        thread.start()
        assert next(line for line in lines_of(descriptor) if line) == sent
        thread.join()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("device", "baud", "error", "named"),
    [
        ("/dev/ttyNONE7", 115200, OSError, ("serial:/dev/ttyNONE7", "no such device")),
        ("/dev/null", 115200, ValueError, ("serial:/dev/null", "no serial port")),
        ("/dev/null", 12345, ValueError, ("serial:/dev/null:12345", 9600, 115200)),
    ],
)
def test_what_cannot_be_opened_is_refused(
    device: str, baud: int, error: type[Exception], named: tuple[object, ...]
) -> None:
    with refused(error, *named):
        Source("serial", device, baud).check()


def test_without_a_device_it_is_refused() -> None:
    with refused(ValueError, "serial:", "serial:/dev/ttyUSB0"):
        Source.parse("serial:")
