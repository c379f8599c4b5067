"""A local server of the study page, which is written anew while the study runs: `qsense report --serve`.

Open it to change what is served, or how a browser learns of a change. It answers this machine alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qsense.runs.escapes import one_line
from qsense.study.page import PAGE
from qsense.study.run import ReportError
from qsense.study.run_pages import FOLDER, PLAIN

HERE = "127.0.0.1"
NAMES = (HERE, "localhost", "[::1]")  # what a browser on this machine calls it; another name is another site's trick
PORT, MORE_PORTS = 8765, 20  # the first that is tried, and how many after it
PAUSE, SHARE = 2.0, 10  # seconds between two looks at the runs; at most a tenth of the time is spent on them
KINDS = {".html": "text/html; charset=utf-8", ".png": "image/png"}
VERSION = "/version"


class PageServer(ThreadingHTTPServer):
    """Serves `index.html` and `run-pages/` of one folder, and nothing else of it.

    Args:
        folder: of the page.
        port: 0: any that is free.

    Raises:
        OSError: the port is in use, or not allowed.
    """

    daemon_threads = True  # a browser that keeps its connection does not keep the server

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__((HERE, port), _Handler)
        self.folder = folder.resolve()
        self.version = 0  # of the page

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HERE}:{self.server_address[1]}/"

    def file(self, address: str) -> Path | None:
        """The file that an address of the server stands for; None where it has none."""
        names = unquote(address).strip("/").split("/")
        names = [PAGE] if names == [""] else names
        if not (names == [PAGE] or (names[0] == FOLDER and len(names) > 1)) or not all(map(PLAIN.fullmatch, names)):
            return None
        with suppress(OSError, ValueError):
            file = self.folder.joinpath(*names).resolve()
            if file.suffix in KINDS and file.is_relative_to(self.folder) and file.is_file():
                return file
        return None


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 60

    def do_GET(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # the browser has gone on
            self._answer()

    do_HEAD = do_GET

    def _answer(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")
        address = urlsplit(self.path).path
        if (host[0] or host[2]) not in NAMES:
            self._send(HTTPStatus.FORBIDDEN, b"this server answers this machine alone\n")
        elif address == VERSION:
            self._send(HTTPStatus.OK, str(self.server.version).encode())
        elif (file := self.server.file(address)) is None:
            self._send(HTTPStatus.NOT_FOUND, b"nothing is here\n")
        else:
            version = self.server.version  # of before it is read: a page that changes meanwhile is fetched again
            try:
                content = file.read_bytes()
            except OSError:  # it is being written anew
                self._send(HTTPStatus.NOT_FOUND, b"nothing is here\n")
                return
            if file == self.server.folder / PAGE:
                body, end, after = content.rpartition(b"</body>")
                content = body + refreshing(version) + end + after
            self._send(HTTPStatus.OK, content, KINDS[file.suffix])

    def _send(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each look of each browser says nothing."""


def refreshing(version: int) -> bytes:
    """The script by which a served page loads itself anew once it has changed."""
    script = (files("qsense") / "study" / "assets" / "refresh.js").read_text(encoding="utf-8")
    return f"<script>{script.replace('/*VERSION*/', str(version))}</script>\n".encode()


def open_server(folder: Path, port: int | None = None) -> PageServer:
    """A server on a port, or on the first that is free.

    Raises:
        ReportError: none is, or the one that was asked for is not.
    """
    for each in range(PORT, PORT + MORE_PORTS + 1) if port is None else [port]:
        try:
            return PageServer(folder, each)
        except OSError as error:
            reason = error.strerror or str(error)
    if port is None:
        raise ReportError(f"ports {PORT} to {PORT + MORE_PORTS}: {reason}: give a free one, --port PORT")
    raise ReportError(f"--port {port}: {reason}: give another one, or leave --port out to take the next that is free")


def keep_serving(server: PageServer, update: Callable[[], bool], pause: float = PAUSE) -> None:
    """Serve until Ctrl-C, and let the page be written anew as its runs change.

    Args:
        server: listening.
        update: writes what has changed; whether anything had.
        pause: seconds between two calls of it, at least.
    """
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    trouble, wait = "", pause
    try:
        while True:
            time.sleep(wait)
            began = time.monotonic()
            try:
                server.version += update()
                trouble = ""
            except (ReportError, OSError) as error:  # runs that are moved; the page of before stays
                if str(error) != trouble:
                    trouble = str(error)
                    print(f"warning: the page is not written anew: {one_line(trouble)}", file=sys.stderr)
            wait = max(pause, SHARE * (time.monotonic() - began))
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
