"""Evenly quantized activations in one pass over memory, by `clip.c`, which is compiled once per machine.

Open it if activations are slow on a CPU, or if the compiler is to blame.

A network's activations do not fit a processor's inner caches, so that passes over memory are what quantizing them
costs. ATen takes four forward and three backward, and has no fused operation that is faster. Where there is a C
compiler one pass each way is enough. Everything else (other devices and dtypes, small tensors, `torch.compile`, which
fuses by itself, machines without a compiler) goes through ATen. Both give the same values and gradients of x; sums for
α differ in their last digits.
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
from functools import cache
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

SMALLEST = 1 << 16  # numbers in a tensor from which on memory counts: 256 KB
FLAGS = ("-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")

log = logging.getLogger(__name__)


class Grid(ctypes.Structure):
    """Values are unit · k for the integers k = low … top."""

    _fields_ = (("unit", ctypes.c_float), ("low", ctypes.c_float), ("top", ctypes.c_float))


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `clip.c`, or None where no compiler works; logs which way activations take, once per process."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        log.warning("no C compiler: activations are quantized in several passes over memory instead of one")
        return None
    source = resources.files("qsense.quant.network").joinpath("clip.c").read_text(encoding="utf-8")
    try:
        compiled, file = _load(source, compiler)
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", None) or error
        log.warning("clip.c: activations are quantized in several passes over memory, %s failed: %s", compiler, reason)
        return None
    log.info("activations are quantized in one pass over memory, by %s", file)
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    compiled.quantize.argtypes = [pointer, pointer, count, Grid, ctypes.c_int]
    compiled.quantize.restype = None
    compiled.gradients.argtypes = [pointer, pointer, pointer, count, Grid, *2 * [ctypes.c_float], *2 * [ctypes.c_int]]
    compiled.gradients.restype = ctypes.c_double
    return compiled


def cached_file(source: str, compiler: str) -> Path:
    """Where the compiled source is kept, among torch's own extensions; machines of other processors may share it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        processor = [line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))]
    except OSError:
        processor = [platform.processor()]
    key = "\n".join([source, compiler, *FLAGS, platform.platform(), *processor])
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path(caches) / "torch_extensions")
    return folder / "qsense" / f"clip-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"


def _load(source: str, compiler: str) -> tuple[ctypes.CDLL, str]:
    """From the cache, else compiled into it, else, where it takes no files, compiled for this process alone."""
    try:
        file = cached_file(source, compiler)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent) as folder:
                _compile(source, compiler, Path(folder)).replace(file)  # whole or not at all; the last one stays
        return ctypes.CDLL(str(file)), str(file)
    except (OSError, RuntimeError):  # read-only, full, not to be executed from, or there is no home
        with tempfile.TemporaryDirectory() as folder:
            return ctypes.CDLL(str(_compile(source, compiler, Path(folder)))), "a clip.c of this process"


def _compile(source: str, compiler: str, folder: Path) -> Path:
    written, compiled = folder / "clip.c", folder / "clip.so"
    written.write_text(source, encoding="utf-8")
    command = [compiler, *FLAGS, "-shared", "-fPIC", str(written), "-o", str(compiled), "-lm"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return compiled


def fits(x: Tensor, unit: Tensor) -> bool:
    """Whether `quantize` takes these: large float32 tensors of the CPU, without gaps in memory, that nothing traces."""
    return (
        not torch.compiler.is_compiling()
        and x.numel() >= SMALLEST
        and not (x.requires_grad and torch.is_grad_enabled())
        and x.is_cpu
        and unit.is_cpu
        and x.dtype == unit.dtype == torch.float32
        and type(x) is Tensor
        and (x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)))
        and not (torch._C._get_tracing_state() or torch._C._functorch.is_functorch_wrapped_tensor(x))
        and library() is not None
    )


def quantize(x: Tensor, unit: Tensor, low: int, top: int) -> Tensor:
    """unit · clamp(round(x / unit), low, top), in a new tensor; x as `fits` has it, unit of no dimensions."""
    compiled = library()
    assert compiled is not None
    y = torch.empty_like(x)
    compiled.quantize(x.data_ptr(), y.data_ptr(), x.numel(), Grid(unit.item(), low, top), torch.get_num_threads())
    return y


def gradients(
    grad: Tensor, x: Tensor, unit: Tensor, low: int, top: int, bounds: tuple[float, float], pact: bool
) -> tuple[Tensor, float]:
    """With y = quantize(x, …) and dx = grad·1[x within bounds]: dx, and ⟨grad, y⟩ - ⟨dx, x⟩ (with `pact`: - ⟨dx, y⟩).

    x as `fits` has it; grad is brought into its order in memory.
    """
    compiled = library()
    assert compiled is not None
    grad_x = torch.empty_like(x)
    if grad.stride() != x.stride() or grad.dtype != x.dtype:
        grad = torch.empty_like(x).copy_(grad)
    grid = Grid(unit.item(), low, top)
    pointers = grad.data_ptr(), x.data_ptr(), grad_x.data_ptr()
    total: float = compiled.gradients(*pointers, x.numel(), grid, *bounds, pact, torch.get_num_threads())
    return grad_x, total
