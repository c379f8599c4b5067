"""Downloads from a local server: good, truncated, wrong, missing, resumed; archives that cannot be trusted."""

from __future__ import annotations

import hashlib
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.refusal import assert_names, refused

from qsense.data import download as module
from qsense.data.download import download, extract
from qsense.data.errors import DataError, DataMissingError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    ranges: list[str | None]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.path != "/no_ranges" else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + 1000] if self.path == "/truncated" else CONTENT[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_good_file_arrives_and_its_checksum_is_told(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "new" / "file.zip"
    download(f"{server}/good", target)
    assert target.read_bytes() == CONTENT
    assert_names(caplog.text, f"data.dataset.sha256={SHA256}")
    assert not target.with_name("file.zip.part").exists()
    download(f"{server}/good", target)  # there already: nothing is asked for
    assert Handler.ranges == [None]


def test_the_pinned_checksum_is_accepted(server: str, tmp_path: Path) -> None:
    download(f"{server}/good", tmp_path / "file", SHA256.upper())
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_no_file(server: str, tmp_path: Path) -> None:
    with refused(DataError, f"{server}/good", "SHA-256", SHA256, "0" * 64, "data.dataset.sha256"):
        download(f"{server}/good", tmp_path / "file", "0" * 64)
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "file.part").exists()


def test_a_file_that_is_there_must_match_its_pin_too(server: str, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(CONTENT)
    download(f"{server}/good", target, SHA256)
    with refused(DataError, target, "SHA-256", SHA256, "00", "data.dataset.sha256"):
        download(f"{server}/good", target, "00")
    assert target.read_bytes() == CONTENT, "somebody may have put it there by hand"
    assert Handler.ranges == []


def test_a_broken_connection_is_told_and_resumed(server: str, tmp_path: Path) -> None:
    target = tmp_path / "file"
    with refused(DataMissingError, f"{server}/truncated", 1000, len(CONTENT), tmp_path / "file.part"):
        download(f"{server}/truncated", target, SHA256)
    assert not target.exists()
    download(f"{server}/good", target, SHA256)
    assert Handler.ranges == [None, "bytes=1000-"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(("address", "part"), [("no_ranges", CONTENT[:500]), ("good", CONTENT + b"too much")])
def test_what_cannot_be_resumed_starts_again(server: str, tmp_path: Path, address: str, part: bytes) -> None:
    (tmp_path / "file.part").write_bytes(part)
    download(f"{server}/{address}", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_had_arrived_completely_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(f"{server}/good", tmp_path / "file", SHA256)
    assert Handler.ranges == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_missing_file_is_told(server: str, tmp_path: Path) -> None:
    with refused(DataMissingError, f"{server}/missing", 404):
        download(f"{server}/missing", tmp_path / "file")


def test_no_network_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with refused(DataMissingError, f"http://127.0.0.1:{port}/file", "refused", tmp_path / "file.part"):
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file")


def pack(path: Path, *entries: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_an_archive_is_unpacked_without_its_outer_folders(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("x/y/raw/inertial/sbj_0.csv", b"1"), ("x/y/annotations/a.json", b"2"))
    (tmp_path / "out").mkdir()
    extract(archive, tmp_path / "out", inside="raw/inertial")
    assert (tmp_path / "out/raw/inertial/sbj_0.csv").read_bytes() == b"1"
    assert (tmp_path / "out/annotations/a.json").read_bytes() == b"2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


def test_an_archive_within_the_archive_is_unpacked_too(tmp_path: Path) -> None:
    inner = pack(
        tmp_path / "inner.zip", ("set/raw/inertial/sbj_0.csv", b"1"), ("__MACOSX/set/raw/inertial/._sbj", b"2")
    )
    outer = pack(
        tmp_path / "a.zip", ("set.zip", inner.read_bytes()), ("set.names", b"3"), ("__MACOSX/._set.zip", b"no archive")
    )
    extract(outer, tmp_path / "out", inside="raw/inertial")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["inertial", "raw", "sbj_0.csv"]


@pytest.mark.parametrize(
    ("inner", "named"),
    [
        ([("raw/inertial/sbj_0.csv", b"1"), ("../out.csv", b"2")], "'../out.csv'"),
        ([("raw/inertial/sbj_0.csv", b"0" * 2_000_000)], "1000-fold"),
        ([("raw/other/sbj_0.csv", b"1")], "raw/inertial"),
        ([], "raw/inertial"),
    ],
)
def test_an_archive_within_is_trusted_no_more(tmp_path: Path, inner: list[tuple[str, bytes]], named: str) -> None:
    content = pack(tmp_path / "inner.zip", *inner).read_bytes()
    (tmp_path / "inner.zip").unlink()
    archive = pack(tmp_path / "a.zip", ("set.zip", content))
    with refused(DataError, archive, named, "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/inertial")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip.bad"]


@pytest.mark.parametrize("name", ["../out.csv", "/etc/out.csv", "raw/../../out.csv", "C:/out.csv", "..\\out.csv"])
def test_entries_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "a.zip", ("raw/inertial/sbj_0.csv", b"1"), (name, b"2"))
    with refused(DataError, archive, repr(name), "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/inertial")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip.bad"]


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("raw/inertial/sbj_0.csv")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with refused(DataError, tmp_path / "a.zip", "'raw/inertial/sbj_0.csv'", "link", "a.zip.bad"):
        extract(tmp_path / "a.zip", tmp_path / "out", inside="raw/inertial")


def test_bombs_are_refused(tmp_path: Path) -> None:
    entry = ("raw/inertial/sbj_0.csv", b"0" * 3_000_000)
    archive = pack(tmp_path / "a.zip", entry)
    with refused(DataError, archive, 3000000, 1000000, "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/inertial", limit=1_000_000, ratio=10_000)
    inner = pack(tmp_path / "inner.zip", ("raw/other/sbj_0.csv", b"0" * 600_000)).read_bytes()
    (tmp_path / "inner.zip").unlink()
    pack(archive, ("1.zip", inner), ("2.zip", inner))
    with refused(DataError, archive, 1000000, "a.zip.bad"):  # both together
        extract(archive, tmp_path / "out", inside="raw/inertial", limit=1_000_000, ratio=10_000)
    pack(archive, entry)
    with refused(DataError, archive, "'raw/inertial/sbj_0.csv'", 100, "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/inertial", ratio=100)


def test_truncated_and_foreign_archives_are_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("raw/inertial/sbj_0.csv", b"1" * 100))
    content = archive.read_bytes()
    with refused(DataError, archive, "raw/other", "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/other")
    archive.write_bytes(content[:-30])
    with refused(DataError, archive, "a.zip.bad"):
        extract(archive, tmp_path / "out", inside="raw/inertial")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip.bad"]
    assert (tmp_path / "a.zip.bad").read_bytes() == content[:-30]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("raw/inertial/sbj_0.csv", b"1"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with refused(DataError, tmp_path / "out", archive):
        extract(archive, tmp_path / "out", inside="raw/inertial")
    assert archive.is_file(), "the archive is not at fault"


def test_chunks_do_not_matter(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    download(f"{server}/good", tmp_path / "file", SHA256)
