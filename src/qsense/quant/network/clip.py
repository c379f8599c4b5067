"""Evenly quantized activations in one pass over memory: `clip.c`, compiled when the first large tensor comes by.

A network's activations do not fit a processor's inner caches, so that passes over memory are what quantizing them
costs. ATen takes four forward and three backward, and has no fused operation that is faster. Where there is a C
compiler one pass each way is enough; compiling takes a third of a second, once per process, and only where it pays.
Everything else (other devices and dtypes, small tensors, `torch.compile`, which fuses by itself, machines without a
compiler) goes through ATen. Both give the same values and gradients of x; sums for α differ in their last digits.
"""

from __future__ import annotations

import ctypes
import logging
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
    """The compiled `clip.c`; None where there is no compiler, or none that works, which is logged."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        log.info("no C compiler: activations are quantized in several passes over memory instead of one")
        return None
    source = resources.files("qsense.quant.network").joinpath("clip.c")
    with resources.as_file(source) as file, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "clip.so"
        try:
            command = [compiler, *FLAGS, "-shared", "-fPIC", str(file), "-o", str(target), "-lm"]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
            compiled = ctypes.CDLL(str(target))
        except (subprocess.SubprocessError, OSError) as error:
            reason = getattr(error, "stderr", None) or error
            log.info("clip.c: activations are quantized in several passes over memory, %s failed: %s", compiler, reason)
            return None
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    compiled.quantize.argtypes = [pointer, pointer, count, Grid, ctypes.c_int]
    compiled.quantize.restype = None
    compiled.gradients.argtypes = [pointer, pointer, pointer, count, Grid, *2 * [ctypes.c_float], *2 * [ctypes.c_int]]
    compiled.gradients.restype = ctypes.c_double
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
    """With y = quantize(x, …): dx = grad·1[x within bounds], and ⟨grad, y⟩ - ⟨dx, x⟩ (with `pact`: - ⟨dx, y⟩).

    x as `fits` has it; grad is brought into its order in memory.
    """
    compiled = library()
    assert compiled is not None
    dx = torch.empty_like(x)
    if grad.stride() != x.stride() or grad.dtype != x.dtype:
        grad = torch.empty_like(x).copy_(grad)
    grid = Grid(unit.item(), low, top)
    pointers = grad.data_ptr(), x.data_ptr(), dx.data_ptr()
    total: float = compiled.gradients(*pointers, x.numel(), grid, *bounds, pact, torch.get_num_threads())
    return dx, total
