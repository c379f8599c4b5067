"""Fetch published archives: progress, resume, checksum, and extraction that trusts nothing in the archive.

Open it when a download breaks off or an archive is refused.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import stat
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from filelock import FileLock
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from qsense.data.cache import file_digest
from qsense.data.errors import DataError, DataMissingError

log = logging.getLogger(__name__)

# pooch (1.9) fetches and compares checksums, too. But it starts a broken download of gigabytes from its beginning,
# takes no lock against a second process, knows no file:// address, and unpacks an archive whatever its entries are.
CHUNK = 1 << 20


def download(url: str, target: Path, sha256: str | None = None, timeout: float = 60.0) -> None:
    """Fetch `url` into `target`, which appears complete or not at all.

    What arrives is kept in `<target>.part`; a later call goes on from there if the server can. Of two processes, the
    second waits for the first.

    Args:
        url: http(s) address.
        target: file to write; its folder is made.
        sha256: the file's SHA-256 (hex); None accepts any and logs the one seen.
        timeout: seconds of silence after which the connection counts as lost.

    Raises:
        DataMissingError: nothing at this address, no network, or the connection broke off.
        DataError: another checksum than `sha256`; what was fetched is dropped, a file that was there already is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with FileLock(f"{target}.lock"):
        if target.is_file():
            verify(target, sha256)
            return
        _transfer(url, part, timeout)
        with part.open("rb") as file:
            seen = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 is not None and seen != sha256.lower():
            part.unlink()
            raise DataError(
                f"{url} has the SHA-256\n  {seen}, but\n  {sha256} is expected (data.dataset.sha256). The file was "
                f"dropped; try again, and if it stays so, the published file has changed"
            )
        if sha256 is None:
            log.warning("%s has the SHA-256 %s; pin it with data.dataset.sha256=%s", target.name, seen, seen)
        part.replace(target)


def verify(file: Path, sha256: str | None) -> None:
    """Make sure that a file is the one that was pinned; None accepts any.

    Raises:
        DataError: its SHA-256 (hex) is another than `sha256`.
    """
    if sha256 is not None and (seen := file_digest(file)) != sha256.lower():
        raise DataError(
            f"{file} has the SHA-256\n  {seen}, but\n  {sha256} is expected (data.dataset.sha256). If the file is the "
            f"right one, pin that of its own; else delete it and fetch it again"
        )


def _transfer(url: str, part: Path, timeout: float) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "qsense"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            resumed = response.status == 206
            length = response.headers.get("Content-Length")
            done = have if resumed else 0
            total = done + int(length) if length is not None else None
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            with part.open("ab" if resumed else "wb") as file, Progress(*columns, TimeRemainingColumn()) as progress:
                task = progress.add_task(f"{part.stem}", total=total, completed=done)
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress.update(task, completed=done)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send
            if not error.headers.get("Content-Range", "").endswith(f"/{have}"):  # what is there is something else
                part.unlink()
                _transfer(url, part, timeout)
            return
        raise DataMissingError(
            f"{url} answers {error.code} {error.reason}: the address may have changed; fetch the file by hand"
        ) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        kept = part.stat().st_size if part.is_file() else 0
        raise DataMissingError(
            f"{url} could not be fetched ({reason}); {kept} bytes are kept in {part}, "
            f"the same command goes on from there"
        ) from error
    if total is not None and done != total:
        raise DataMissingError(
            f"{url} broke off after {done} of {total} bytes; they are kept in {part}, "
            f"the same command goes on from there"
        )


def extract(archive: Path, folder: Path, inside: str, limit: int = 64 << 30, ratio: int = 1000) -> None:
    """Unpack a zip archive so that `folder`/`inside` exists; all of it appears at once or nothing does.

    The archive may wrap its content in folders of its own, or in a further archive; they are left out. One that is
    refused is renamed to `<archive>.bad`, so that the next attempt fetches anew, maybe from another address.

    Args:
        archive: the zip file.
        folder: where to; it must not exist or be empty.
        inside: a folder (with /) that must be found in the archive; "" takes all there is as it is.
        limit: most bytes to unpack.
        ratio: most times by which a file may grow.

    Raises:
        DataError: not a complete zip file, no such folder in it, too large, or an entry that is a link, is absolute or
            leaves the folder; or there is something in `folder`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        content = _unpack(archive, temporary, inside, limit, ratio)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if folder.exists():
            raise DataError(f"{folder} exists and is not empty: move it away, then {archive} is unpacked there")
        content.chmod(0o755)
        content.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(archive: Path, folder: Path, inside: str, limit: int, ratio: int) -> Path:
    """Unpack into `folder`; returns what holds `inside`. An archive that is refused is moved aside."""
    try:
        with zipfile.ZipFile(archive) as source:
            size = _extract_all(source, folder, 0, limit, ratio)
        if not inside:
            return folder
        found = _folders_named(inside, folder)
        for inner in [] if found else sorted(folder.rglob("[!.]*.zip")):
            with zipfile.ZipFile(inner) as source:
                size = _extract_all(source, inner.parent, size, limit, ratio)
            inner.unlink()
        found = found or _folders_named(inside, folder)
        if not found:
            raise _RefusedError(f"holds no folder {inside}: it is not the archive that is expected here")
    # RuntimeError: encrypted, or compressed in a way that nobody here knows.
    except (_RefusedError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        what = str(error) if isinstance(error, _RefusedError) else f"is damaged or incomplete ({error})"
        bad = archive.with_name(f"{archive.name}.bad")
        archive.replace(bad)
        raise DataError(f"{archive} {what}. It was renamed to {bad.name}: the next attempt fetches it anew") from error
    content = min(found, key=lambda path: len(path.parts))
    for _ in PurePosixPath(inside).parts:
        content = content.parent
    return content


def _extract_all(source: zipfile.ZipFile, folder: Path, before: int, limit: int, ratio: int) -> int:
    """Unpack one archive, after `before` bytes of others; returns the bytes of all."""
    entries = source.infolist()
    for entry in entries:
        _refuse_unsafe(entry, ratio)
    if (size := before + sum(entry.file_size for entry in entries)) > limit:
        raise _RefusedError(f"would unpack to {size} bytes, more than {limit} are not expected")
    for entry in entries:
        source.extract(entry, folder)  # stops at the size the entry states
    return size


def _folders_named(inside: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob(inside.rsplit("/", 1)[-1]) if path.as_posix().endswith(f"/{inside}")]


class _RefusedError(Exception):
    """Why an archive is not unpacked: the rest of a sentence that begins with its name."""


def _refuse_unsafe(entry: zipfile.ZipInfo, ratio: int) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        raise _RefusedError(f"has the entry {entry.filename!r}, which would leave the folder: nothing was unpacked")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _RefusedError(f"has the entry {entry.filename!r}, which is a link or a device: nothing was unpacked")
    if entry.file_size > ratio * max(entry.compress_size, 1024):
        raise _RefusedError(f"has the entry {entry.filename!r}, which would grow {ratio}-fold: nothing was unpacked")
