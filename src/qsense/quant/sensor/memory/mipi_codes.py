"""Lines of samples as the codes that MIPI cameras send of them, and back: CSI-2's DPCM/PCM, by tables of its modes.

Open it to read the format's arithmetic; `mipi.c` is the same, compiled, and some ten times faster.

MIPI's specification (CSI-2, "Data Compression for RAW Data Types") is for its members. What is here is read from public
decoders, which confirm some modes better than others:

- 12-10-12 and 10-8-10 have two, which know nothing of each other: Sophgo's of 12-10-12, for the frames that its chips
  store (github.com/sophgo/isp, `cv186x/isp-daemon2/src/cvi_ispd2_callback_funcs_dump.c`), and one in Verilog of a
  sensor's 10-8-10 (github.com/dotignore/zybo_z7_cam_rpi_v2_5mp_hdmi, `src/axis_comp8_to_gbr.v`). They differ in two
  bits of each magnitude, and in nothing else. Nokia's patent of the scheme (O. Kalevo, US 7,715,638 B2, first
  embodiment) has the same absolute codes and steps.
- 12-8-12, 12-7-12 and 12-6-12 have one, Sophgo's, and so has the arithmetic of predictor 2. Its tables follow the same
  rule: each row goes on where the one before it ended, and its values lie in the middle of what they stand for. Texas
  Instruments' manual of the OMAP36xx (SWPU177N, 6.4.3.10) has both predictors in words: one colour's sample before, or
  four samples of both colours, for modes with fewer bits.

A **mode** S-B-S sends samples of S bits as codes of B. A code is, behind a prediction, a prefix, a sign and a magnitude
(a `Row` of the mode's table), which stand for a difference from the prediction; the sum stays within what S bits hold.
With C = 2^(S - B) it is otherwise:

    1 x…    2·C·x + C - 1 above the prediction, else 2·C·x + C
    x…      C·x + C/2, where nothing is predicted
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qsense.quant import compiled

Lines = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
ENCODING = 1  # raise it whenever the same samples would become other codes


class Row(NamedTuple):
    """Codes of one prefix: behind it a sign, 1 for negative, and x, for the difference ± (first + step·x)."""

    prefix: str
    bits: int  # of x
    first: int
    step: int

    @property
    def code(self) -> int:
        """Its lowest."""
        return int(self.prefix, 2) << (self.bits + 1)

    @property
    def values(self) -> int:
        """How many values x has; as a bit, the sign."""
        return 1 << self.bits

    @property
    def start(self) -> int:
        """The smallest difference that it stands for: `first` is in the middle of a step, the lower of two."""
        return self.first - max(self.step // 2 - 1, 0)


class Mode(NamedTuple):
    """How samples become codes; rows are in the order of differences.

    Predictor 1 is the decoded sample two before in the line, of the same colour; nothing predicts a line's first two.
    Predictor 2 goes by the four before, a, b, c and d from the nearest: a if b lies between a and c, else b if both
    colours rise or both fall (c to a, d to b), else the mean of b and d, rounded up. A line's first has none, its
    second goes by a, its third by b, its fourth as if both rose.
    """

    sample_bits: int
    bits: int
    predictor: int
    rows: tuple[Row, ...]

    @property
    def coarse(self) -> int:
        """The step of samples that nothing predicts; half of that of others sent as such."""
        return 1 << (self.sample_bits - self.bits)

    @property
    def half(self) -> int:
        """The lowest code of those that send the sample itself."""
        return 1 << (self.bits - 1)


# fmt: off
_ALL = (
    Mode(10, 8, 1, (Row("00", 5, 0, 1), Row("010", 4, 32, 2), Row("011", 4, 65, 4))),
    Mode(12, 10, 1, (Row("00", 7, 0, 1), Row("010", 6, 128, 2), Row("011", 6, 257, 4))),
    Mode(12, 8, 1, (
        Row("0000", 3, 0, 1), Row("011", 4, 8, 2), Row("010", 4, 41, 4), Row("001", 4, 107, 8), Row("0001", 3, 239, 16),
    )),
    Mode(12, 7, 2, (
        Row("0000", 2, 0, 1), Row("0001", 2, 4, 2), Row("0010", 2, 13, 4), Row("010", 3, 31, 8), Row("011", 3, 99, 16),
        Row("0011", 2, 235, 32),
    )),
    Mode(12, 6, 2, (
        Row("0000", 1, 0, 1), Row("0001", 1, 3, 4), Row("010", 2, 13, 8), Row("0010", 1, 49, 16), Row("011", 2, 89, 32),
        Row("0011", 1, 233, 64),
    )),
)
# fmt: on
MODES = {(mode.sample_bits, mode.bits): mode for mode in _ALL}


def encode(samples: Lines, mode: Mode) -> Lines:
    """Codes [lines, w] of samples [lines, w] of the mode's bits.

    The sources are receivers; a sender is free. This one goes by what a receiver has decoded before, and sends the
    code of the interval in which the difference lies, or the sample itself where no row has it. So none is more than
    half a step off, and the sum's bounds bring a sample only nearer.
    """
    kernel = library()
    if kernel is None:
        return encode_in_numpy(samples, mode)
    return _through(kernel.encode, samples, mode)


def decode(codes: Lines, mode: Mode) -> Lines:
    """The samples [lines, w] that codes [lines, w] stand for."""
    kernel = library()
    if kernel is None:
        return decode_in_numpy(codes, mode)
    return _through(kernel.decode, codes, mode)


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `mipi.c`, or None where no compiler works."""
    kernel = compiled.compiled("qsense.quant.sensor.memory", "mipi", "frames become MIPI's codes some ten times slower")
    if kernel is not None:
        count, pointer = ctypes.c_int64, ctypes.c_void_p
        for function in (kernel.encode, kernel.decode):
            function.argtypes, function.restype = [pointer, count, count, pointer, pointer], None
    return kernel


def _through(function: Callable[..., object], lines: Lines, mode: Mode) -> Lines:
    lines = np.ascontiguousarray(lines, np.uint16)
    out = np.empty_like(lines)
    rows = [number for row in mode.rows for number in (row.code, row.values, row.start, row.first, row.step)]
    table = np.array([mode.sample_bits, mode.bits, mode.predictor, len(mode.rows), *rows], np.int32)
    function(lines.ctypes.data, *lines.shape, table.ctypes.data, out.ctypes.data)
    return out


# The same in NumPy, column by column ---------------------------------------------------------------------------------


def encode_in_numpy(samples: Lines, mode: Mode) -> Lines:
    """See `encode`."""
    codes, before = np.zeros_like(samples, np.uint16), list[Ints]()
    for column in range(samples.shape[1]):
        prediction = _predicted(before, mode.predictor)
        code = _code(samples[:, column].astype(np.int64), prediction, mode)
        before = [_sample(code, prediction, mode), *before[:3]]
        codes[:, column] = code
    return codes


def decode_in_numpy(codes: Lines, mode: Mode) -> Lines:
    """See `decode`."""
    samples, before = np.zeros_like(codes, np.uint16), list[Ints]()
    for column in range(codes.shape[1]):
        prediction = _predicted(before, mode.predictor)
        before = [_sample(codes[:, column].astype(np.int64), prediction, mode), *before[:3]]
        samples[:, column] = before[0]
    return samples


def _predicted(before: Sequence[Ints], predictor: int) -> Ints | None:
    """By up to four decoded samples before it in the line, the nearest first."""
    if len(before) < (2 if predictor == 1 else 1):
        return None
    if predictor == 1 or len(before) == 2:
        return before[1]
    if len(before) == 1:
        return before[0]
    a, b, c = before[:3]
    between = ((a <= b) & (b <= c)) | ((a >= b) & (b >= c))
    if len(before) == 3:
        return np.where(between, a, b)
    d = before[3]
    alike = ((a <= c) & (b <= d)) | ((a >= c) & (b >= d))
    return np.where(between, a, np.where(alike, b, (b + d + 1) >> 1))


def _code(sample: Ints, prediction: Ints | None, mode: Mode) -> Ints:
    if prediction is None:
        return sample // mode.coarse
    difference = np.abs(sample - prediction)
    code = mode.half + sample // (2 * mode.coarse)
    for row in reversed(mode.rows):
        value = (difference - row.start) // row.step
        code = np.where(value < row.values, row.code + (sample < prediction) * row.values + value, code)
    return code


def _sample(code: Ints, prediction: Ints | None, mode: Mode) -> Ints:
    if prediction is None:
        return code * mode.coarse + mode.coarse // 2
    lowest = (code - mode.half) * 2 * mode.coarse
    sample = lowest + mode.coarse - (lowest > prediction)
    for row in mode.rows:
        place = code - row.code
        size = row.first + row.step * (place % row.values)
        summed = np.clip(prediction + np.where(place < row.values, size, -size), 0, (1 << mode.sample_bits) - 1)
        sample = np.where((place >= 0) & (place < 2 * row.values), summed, sample)
    return sample
