"""C sources of this package as libraries, compiled once per machine.

Open it if the compiler is to blame, or to add a kernel in C: each caller has another way for machines without one.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

FLAGS = ("-O3", "-march=native")

log = logging.getLogger(__name__)


def compiled(
    package: str, name: str, otherwise: str, flags: Sequence[str] = (), headers: Sequence[str] = ()
) -> ctypes.CDLL | None:
    """The package's `<name>.c` as a library, or None, with a warning, where no compiler works.

    Args:
        package: that holds the source.
        name: of the source, without its ending.
        otherwise: what happens without it, for the warning.
        flags: of the compiler, beside `FLAGS`.
        headers: of the same package, that it includes.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        log.warning("no C compiler: %s", otherwise)
        return None
    try:
        library, file = load(source(package, name, headers), compiler, name, flags)
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", None) or error
        log.warning("%s.c: %s, %s failed: %s", name, otherwise, compiler, reason)
        return None
    log.info("%s.c is compiled as %s", name, file)
    return library


def source(package: str, name: str, headers: Sequence[str] = ()) -> str:
    """The text of `<name>.c` with its own headers in place of their includes."""
    folder = resources.files(package)
    text = folder.joinpath(f"{name}.c").read_text(encoding="utf-8")
    for header in headers:
        text = text.replace(f'#include "{header}"', folder.joinpath(header).read_text(encoding="utf-8"))
    return text


def load(text: str, compiler: str, name: str, flags: Sequence[str] = ()) -> tuple[ctypes.CDLL, str]:
    """From the cache, else compiled into it, else, where it takes no files, compiled for this process alone."""
    try:
        file = cached_file(text, compiler, name, flags)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent) as folder:
                _compile(text, compiler, flags, Path(folder)).replace(file)  # whole or not at all; the last one stays
        return ctypes.CDLL(str(file)), str(file)
    except (OSError, RuntimeError):  # read-only, full, not to be executed from, or there is no home
        with tempfile.TemporaryDirectory() as folder:
            return ctypes.CDLL(str(_compile(text, compiler, flags, Path(folder)))), f"a {name}.c of this process"


def cached_file(text: str, compiler: str, name: str, flags: Sequence[str] = ()) -> Path:
    """Where a compiled source is kept, among torch's own extensions; machines of other processors may share it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        processor = [line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))]
    except OSError:
        processor = [platform.processor()]
    key = "\n".join([text, compiler, *FLAGS, *flags, platform.platform(), *processor])
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path(caches) / "torch_extensions")
    return folder / "qsense" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"


def _compile(text: str, compiler: str, flags: Sequence[str], folder: Path) -> Path:
    written, library = folder / "source.c", folder / "library.so"
    written.write_text(text, encoding="utf-8")
    command = [compiler, *FLAGS, *flags, "-shared", "-fPIC", str(written), "-o", str(library), "-lm"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return library
