"""Rows of one colour as the codes that MIPI cameras send of them, and back: modes 10-8-10 and 12-10-12, predictor 1.

Open it to read the format's arithmetic; `mipi.c` is the same, compiled, and some ten times faster.

MIPI's specification (CSI-2, "Data Compression for RAW Data Types") is for its members. What is here is what two public
decoders agree on that know nothing of each other: Sophgo's, for the frames that its chips store, in 12-10-12
(github.com/sophgo/isp, `cv186x/isp-daemon2/src/cvi_ispd2_callback_funcs_dump.c`), and one in Verilog for a sensor's
10-8-10 (github.com/dotignore/zybo_z7_cam_rpi_v2_5mp_hdmi, `src/axis_comp8_to_gbr.v`). They differ in two bits of each
magnitude, and in nothing else. Nokia's patent of the scheme (O. Kalevo, US 7,715,638 B2, first embodiment) has the same
absolute codes and steps; Texas Instruments' manual of the OMAP36xx (SWPU177N, 6.4.3.10) the same predictor.

A **code** of B bits stands for a sample of B + 2. With F = 2^(B - 3), s = 1 for a difference that is not positive:

    00 s x…   ± x              differences below F
    010 s x…  ± (F + 2·x)      below 2·F
    011 s x…  ± (2·F + 1 + 4·x)  below 4·F
    1 x…      8·x + 3 above the prediction, else 8·x + 4
    x…        4·x + 2          of a row's first sample

The difference is from the sample before it in the row, of the same colour, as it was decoded; the sum stays within what
B + 2 bits hold.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from qsense.quant import compiled

Rows = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
ENCODING = 1  # raise it whenever the same samples would become other codes


def encode(samples: Rows, bits: int) -> Rows:
    """Codes [rows, w] of samples [rows, w] of bits + 2 bits.

    The code is that of the interval in which a difference lies. None is 0: no difference is sent as negative, and a
    first sample below 4 as 1, as in Sophgo's sources.
    """
    kernel = library()
    if kernel is None:
        return encode_in_numpy(samples, bits)
    return _through(kernel.encode, samples, bits)


def decode(codes: Rows, bits: int) -> Rows:
    """The samples [rows, w] that codes [rows, w] stand for."""
    kernel = library()
    if kernel is None:
        return decode_in_numpy(codes, bits)
    return _through(kernel.decode, codes, bits)


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `mipi.c`, or None where no compiler works."""
    kernel = compiled.compiled("qsense.quant.sensor.memory", "mipi", "frames become MIPI's codes some ten times slower")
    if kernel is not None:
        count, pointer = ctypes.c_int64, ctypes.c_void_p
        for function in (kernel.encode, kernel.decode):
            function.argtypes, function.restype = [pointer, count, count, ctypes.c_int32, pointer], None
    return kernel


def _through(function: Callable[..., object], rows: Rows, bits: int) -> Rows:
    rows = np.ascontiguousarray(rows, np.uint16)
    out = np.empty_like(rows)
    function(rows.ctypes.data, *rows.shape, bits, out.ctypes.data)
    return out


# The same in NumPy, column by column ---------------------------------------------------------------------------------


def encode_in_numpy(samples: Rows, bits: int) -> Rows:
    """See `encode`."""
    codes, before = np.zeros_like(samples, np.uint16), None
    for column in range(samples.shape[1]):
        code = _code(samples[:, column].astype(np.int64), before, bits)
        codes[:, column], before = code, _sample(code, before, bits)
    return codes


def decode_in_numpy(codes: Rows, bits: int) -> Rows:
    """See `decode`."""
    samples, before = np.zeros_like(codes, np.uint16), None
    for column in range(codes.shape[1]):
        before = _sample(codes[:, column].astype(np.int64), before, bits)
        samples[:, column] = before
    return samples


def _code(sample: Ints, before: Ints | None, bits: int) -> Ints:
    if before is None:
        first: Ints = np.maximum(sample >> 2, 1)
        return first
    fine = 1 << (bits - 3)
    difference = np.abs(sample - before)
    negative = (sample <= before).astype(np.int64)
    choices = [
        negative * fine + difference,
        2 * fine + negative * (fine // 2) + ((difference - fine) >> 1),
        3 * fine + negative * (fine // 2) + ((difference - 2 * fine) >> 2),
    ]
    reach = [difference < fine, difference < 2 * fine, difference < 4 * fine]
    code: Ints = np.select(reach, choices, 4 * fine + (sample >> 3))
    return code


def _sample(code: Ints, before: Ints | None, bits: int) -> Ints:
    if before is None:
        return (code << 2) + 2
    fine = 1 << (bits - 3)
    kind, value = code // fine, code % (fine // 2)
    size = np.select([kind < 2, kind == 2], [code % fine, fine + 2 * value], 2 * fine + 1 + 4 * value)
    negative = np.where(kind < 2, kind == 1, code % fine >= fine // 2)
    sample = np.clip(before + np.where(negative, -size, size), 0, (4 << bits) - 1)
    absolute = (code % (4 * fine)) << 3
    return np.where(kind < 4, sample, absolute + np.where(absolute > before, 3, 4))
