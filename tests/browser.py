"""A headless Chromium to click in, by the WebDriver protocol over HTTP: no package, Debian's chromium-driver alone."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of a reference to an element
DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
MISSING = (
    ""
    if DRIVER and CHROMIUM
    else "no Chromium with its driver: apt-get install chromium chromium-driver, and the page is tested by clicking"
)


class Browser:
    """One window.

    Args:
        address: of the driver's session, "http://127.0.0.1:9515/session/…".
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def open(self, page: Path) -> None:
        """Show a file."""
        call(f"{self.address}/url", {"url": page.absolute().as_uri()})

    def find(self, selector: str) -> list[str]:
        """The elements that a CSS selector finds."""
        found = call(f"{self.address}/elements", {"using": "css selector", "value": selector})
        return [element[ELEMENT] for element in found]

    def click(self, selector: str, place: int = 0) -> None:
        """Click on an element as a user does: scrolled into view, refused where something covers it."""
        call(f"{self.address}/element/{self.find(selector)[place]}/click", {})

    def write(self, selector: str, text: str) -> None:
        """Type into a field."""
        call(f"{self.address}/element/{self.find(selector)[0]}/value", {"text": text})

    def texts(self, selector: str) -> list[str]:
        """What the elements show."""
        return [call(f"{self.address}/element/{element}/text") for element in self.find(selector)]

    def run(self, script: str) -> Any:
        """The value that a script returns."""
        return call(f"{self.address}/execute/sync", {"script": script, "args": []})

    def wait(self, condition: str) -> None:
        """Go on as soon as an expression of JavaScript is true."""
        for _ in range(600):
            if self.run(f"return {condition}"):
                return
            time.sleep(0.05)
        raise AssertionError(f"never true: {condition}")

    def drag(self, start: tuple[float, float], end: tuple[float, float], press: bool = True) -> None:
        """Move the mouse from one place of the window to another, with its button held."""

        def mouse(kind: str, at: tuple[float, float], held: bool) -> None:
            own = {"type": kind, "x": at[0], "y": at[1], "button": "left" if press else "none", "buttons": int(held)}
            command = {"cmd": "Input.dispatchMouseEvent", "params": {**own, "clickCount": int(press)}}
            call(f"{self.address}/goog/cdp/execute", command)

        mouse("mouseMoved", start, False)
        if press:
            mouse("mousePressed", start, True)
        for step in range(1, 6):
            share = step / 5
            mouse("mouseMoved", tuple(a + share * (b - a) for a, b in zip(start, end, strict=True)), press)  # type: ignore[arg-type]
        if press:
            mouse("mouseReleased", end, False)

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page in a window of other inner measures, in CSS pixels."""
        measures = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        call(f"{self.address}/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": measures})

    def errors(self) -> list[str]:
        """What the page has complained about in the browser's console."""
        return [entry["message"] for entry in call(f"{self.address}/se/log", {"type": "browser"})]

    def emulate_dark(self, dark: bool) -> None:
        """Prefer a dark scheme, or a light one, as the system's setting does."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        call(f"{self.address}/goog/cdp/execute", command)

    def screenshot(self, file: Path) -> None:
        """The whole page as a PNG."""
        height = self.run("return document.documentElement.scrollHeight")
        call(f"{self.address}/window/rect", {"width": 1360, "height": min(height + 140, 9000)})
        file.write_bytes(base64.b64decode(call(f"{self.address}/screenshot")))


def call(address: str, content: dict[str, Any] | None = None, method: str = "") -> Any:
    """One request to the driver; what it answers.

    Raises:
        AssertionError: the driver refuses, with its reason.
    """
    body = None if content is None else json.dumps(content).encode()
    request = Request(address, body, {"Content-Type": "application/json"}, method=method or ("POST" if body else "GET"))
    try:
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except URLError as error:
        reason = error.read().decode() if hasattr(error, "read") else str(error)
        raise AssertionError(f"{address}: {reason}") from error


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser for the time of a test."""
    assert DRIVER
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert driver.stdout
        line = next(text for text in driver.stdout if "successfully on port" in text)
        port = line.rpartition("on port ")[2].strip(" .\n")
        root = f"http://127.0.0.1:{port}"
        options = {
            "binary": CHROMIUM,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--window-size=1360,900"],
        }  # fmt: skip
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = _session(root, wanted)
        try:
            yield Browser(f"{root}/session/{session}")
        finally:
            call(f"{root}/session/{session}", method="DELETE")
    finally:
        driver.terminate()
        driver.wait()


def _session(root: str, wanted: dict[str, Any]) -> str:
    """A session's name; a machine at work may need a second try to start a browser."""
    for _ in range(3):
        try:
            return str(call(f"{root}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"])
        except AssertionError as error:
            refused = error
            time.sleep(2)
    raise refused
