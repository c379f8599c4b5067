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
from functools import cache

import torch
from torch import Tensor

from qsense.quant import compiled

SMALLEST = 1 << 16  # numbers in a tensor from which on memory counts: 256 KB
FLAGS = ("-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")


class Grid(ctypes.Structure):
    """Values are unit · k for the integers k = low … top."""

    _fields_ = (("unit", ctypes.c_float), ("low", ctypes.c_float), ("top", ctypes.c_float))


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `clip.c`, or None where no compiler works; logs which way activations take, once per process."""
    slower = "activations are quantized in several passes over memory instead of one"
    clip = compiled.compiled("qsense.quant.network", "clip", slower, FLAGS)
    if clip is None:
        return None
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    clip.quantize.argtypes = [pointer, pointer, count, Grid, ctypes.c_int]
    clip.quantize.restype = None
    clip.gradients.argtypes = [pointer, pointer, pointer, count, Grid, *2 * [ctypes.c_float], *2 * [ctypes.c_int]]
    clip.gradients.restype = ctypes.c_double
    return clip


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
    clip = library()
    assert clip is not None
    y = torch.empty_like(x)
    clip.quantize(x.data_ptr(), y.data_ptr(), x.numel(), Grid(unit.item(), low, top), torch.get_num_threads())
    return y


def gradients(
    grad: Tensor, x: Tensor, unit: Tensor, low: int, top: int, bounds: tuple[float, float], pact: bool
) -> tuple[Tensor, float]:
    """With y = quantize(x, …) and dx = grad·1[x within bounds]: dx, and ⟨grad, y⟩ - ⟨dx, x⟩ (with `pact`: - ⟨dx, y⟩).

    x as `fits` has it; grad is brought into its order in memory.
    """
    clip = library()
    assert clip is not None
    grad_x = torch.empty_like(x)
    if grad.stride() != x.stride() or grad.dtype != x.dtype:
        grad = torch.empty_like(x).copy_(grad)
    grid = Grid(unit.item(), low, top)
    pointers = grad.data_ptr(), x.data_ptr(), grad_x.data_ptr()
    total: float = clip.gradients(*pointers, x.numel(), grid, *bounds, pact, torch.get_num_threads())
    return grad_x, total
