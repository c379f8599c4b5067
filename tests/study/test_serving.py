"""The served page: what is served and to whom, ports, and that a page which changes stays where its reader was."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests import browser as chromium
from tests.refusal import refused
from tests.study_folders import make_cell, make_run

from qsense.__main__ import main
from qsense.commands import report
from qsense.study import serving
from qsense.study.run import ReportError
from qsense.study.run_pages import FOLDER
from qsense.study.serving import HERE, PageServer, keep_serving, open_server

CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A page's folder, with other files in it and beside it."""
    out = tmp_path / "page"
    (out / FOLDER / "run-1").mkdir(parents=True)
    (out / "index.html").write_text("<!doctype html><body>study</body>")
    (out / FOLDER / "run-1.html").write_text("<!doctype html><body>run</body>")
    (out / FOLDER / "run-1" / "transfer.png").write_bytes(b"PNG")
    (out / FOLDER / "run-1" / "firmware.html").write_text("firmware")
    for file in ("private.html", "notes.txt", f"{FOLDER}/.written.json", f"{FOLDER}/notes.txt", f"{FOLDER}/.a.html"):
        (out / file).write_text("SECRET")
    (tmp_path / "secret.html").write_text("SECRET")
    (out / FOLDER / "link.html").symlink_to(tmp_path / "secret.html")
    (out / FOLDER / "folder").symlink_to(tmp_path)
    return out


@pytest.fixture
def server(out: Path) -> Iterator[PageServer]:
    server = open_server(out, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server: PageServer, path: str, host: str = "", method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HERE, server.server_address[1], timeout=10)
    connection.putrequest(method, path, skip_host=bool(host))
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page_and_its_runs_are_served(server: PageServer) -> None:
    for path, content in (("/", b"study"), ("/index.html", b"study"), (f"/{FOLDER}/run-1.html?x=1", b"run"),
                          (f"/{FOLDER}/run-1/transfer.png", b"PNG"), (f"/{FOLDER}/run-1/firmware.html", b"firmware"),
                          ("/version", b"0")):  # fmt: skip
        status, found = ask(server, path)
        assert (status, content in found) == (200, True), path
    assert b"<script>" in ask(server, "/")[1]
    assert b"<script>" not in ask(server, f"/{FOLDER}/run-1.html")[1]
    assert ask(server, "/", method="HEAD") == (200, b"")
    assert ask(server, "/", method="POST")[0] == 501


@pytest.mark.parametrize(
    "path",
    ["/private.html", "/notes.txt", f"/{FOLDER}", f"/{FOLDER}/", f"/{FOLDER}/notes.txt", f"/{FOLDER}/.written.json",
     f"/{FOLDER}/.a.html", "/../secret.html", "/%2e%2e/secret.html", f"/{FOLDER}/../../secret.html",
     f"/{FOLDER}/..%2f..%2fsecret.html", "//etc/passwd", f"/{FOLDER}/link.html", f"/{FOLDER}/folder/secret.html",
     f"/{FOLDER}/%00.html", "/page/index.html", "/" + "a/" * 500, f"/{FOLDER}//run-1.html/..", "/\\..\\secret.html"],
)  # fmt: skip
def test_nothing_else_is_served(path: str, server: PageServer) -> None:
    status, content = ask(server, path)
    assert status == 404
    assert b"SECRET" not in content


def test_a_file_that_is_gone_by_the_time_it_is_read(
    server: PageServer, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "file", lambda _: out / FOLDER / "gone.png")
    assert ask(server, "/x.png")[0] == 404
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("host", "status"), [("localhost:99", 200), ("[::1]:1", 200), ("evil.com", 403), ("", 200),
                                              (f"evil.com:{HERE}", 403), (f"{HERE}.evil.com:80", 403)])  # fmt: skip
def test_a_site_that_pretends_to_be_this_machine_gets_nothing(host: str, status: int, server: PageServer) -> None:
    assert ask(server, "/", host)[0] == status


def test_it_listens_on_this_machine_alone(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_port_in_use(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(serving, "PORT", port)
        with refused(ReportError, f"--port {port}", "leave --port out"):
            open_server(out, port)
        with open_server(out) as server:
            assert port < server.server_address[1] <= port + serving.MORE_PORTS
        monkeypatch.setattr(serving, "MORE_PORTS", 0)
        with refused(ReportError, port, "--port PORT"):
            open_server(out)


def test_options_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs")
    for given in (["--port", "8000"], ["--serve", "--figure", "list"]):
        assert main(["report", str(tmp_path / "runs"), *given]) == 1
        assert "--serve" in capsys.readouterr().err
    for port in ("x", "-1", "65536"):
        with pytest.raises(SystemExit):
            main(["report", str(tmp_path / "runs"), "--serve", f"--port={port}"])


def test_what_cannot_be_written_is_said_once(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: list[Any] = [True, False, ReportError("runs is not there"), ReportError("runs is not there"), True]

    def update() -> bool:
        if not outcomes:
            raise KeyboardInterrupt
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    server = open_server(out, 0)
    keep_serving(server, update, pause=0.01)
    assert server.version == 2
    assert capsys.readouterr().err.count("runs is not there") == 1
    with pytest.raises(OSError, match="refused"):
        ask(server, "/")


# ------------------------------------------------------------------------------------------------------ the whole of it


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    make_cell(tmp_path / "runs", lambda seed, fold: 0.5 + 0.01 * fold, seeds=1)
    make_cell(tmp_path / "runs", lambda seed, fold: 0.4 + 0.01 * fold, seeds=1, quant="linear")
    process = subprocess.Popen(
        [sys.executable, "-m", "qsense", "report", "runs", "--serve", "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell runs behind ignores it
    )  # fmt: skip
    assert process.stdout
    line = next((line for line in process.stdout if line.startswith("Serving ")), "")
    assert line, process.stderr and process.stderr.read()
    yield process, line.split()[1]
    process.kill()
    process.wait()


def until(condition: Callable[[], object]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.15)
    raise AssertionError("it does not come about")


def version(address: str) -> int:
    with urlopen(f"{address}version", timeout=10) as answer:
        return int(answer.read())


@CLICKING
def test_a_reader_stays_where_they_are(started: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    process, address = started
    with chromium.browser() as window:
        chromium.call(f"{window.address}/url", {"url": address})
        window.click("#filter-line .chip", 1)
        window.write("#text", "sbhar")
        window.run("scrollTo(0, 300)")
        time.sleep(2.5)
        assert window.run("return performance.getEntriesByType('navigation')[0].type") == "navigate", "nothing changed"
        assert "4 runs" in window.texts("#runs .pager span")[0]
        make_run(tmp_path / "runs", 0.6, seed=1, quant="linear")
        until(lambda: version(address) == 1)
        until(lambda: window.run("return performance.getEntriesByType('navigation')[0].type") == "reload")
        until(lambda: "5 runs" in window.texts("#runs .pager span")[0])
        until(
            lambda: window.run("return document.querySelector('#text').value") == "sbhar"
        )  # restored by a script of its own
        until(lambda: window.run("return scrollY") == 300)
        assert window.texts("#live") == ["live"]
        assert window.errors() == []
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        until(lambda: "ended" in window.texts("#live")[0])
    assert process.stderr
    assert process.stderr.read() == ""


def test_the_page_is_written_only_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, steps, seen = tmp_path / "runs", iter(range(4)), []
    make_run(runs)

    def looks(server: PageServer, update: Callable[[], bool]) -> None:
        for step in steps:
            if step == 2:
                make_run(runs, fold=1)
            seen.append(update())
        server.server_close()

    monkeypatch.setattr(serving, "keep_serving", looks)
    assert report.main([str(runs), "--serve", "--port", "0", "--html", str(tmp_path / "page")]) == 0
    assert seen == [False, False, True, False]
    assert f"Serving http://{HERE}:" in capsys.readouterr().out
    assert len(list((tmp_path / "page" / FOLDER).glob("*.html"))) == 2
