"""Four samples of one colour as one word of 32 bits, and back: mode 1 of the compressed raw of Raspberry Pi's PiSP.

Open it to read the format's arithmetic; `pisp.c` is the same, compiled, and encodes some twenty times faster.

The format is documented by the Linux kernel (V4L2_PIX_FMT_PISP_COMP1_RGGB, `pixfmt-srggb8-pisp-comp.rst`), whose text
comes from its designer, and by two decoders of Raspberry Pi's: `image/dng.cpp` of rpicam-apps, and `request.py` of
Picamera2. None says which of several possible words a camera writes.

The two lowest bits of a word are its **mode**, which says where levels lie on a scale of 16 bits: mode 0 at multiples
of 16 up to 5120 and of 32 above, mode 1 at multiples of 64, mode 2 of 128, mode 3 of 256 up to 24064 and of 512 above.
Modes 0 to 2 write the two inner samples as the smaller one's level (9 bits) and the difference (7 bits), and each outer
one as its level above 64 less than its inner neighbour's (7 bits). Mode 3 writes any four of its 176 levels, in pairs.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import numpy.typing as npt

from qsense.quant import compiled

Samples = npt.NDArray[np.uint16]
Words = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
SAMPLES = 4  # of a word
MODES = 4
ENCODING = 1  # raise it whenever the same samples would become other words


def encode(samples: Samples) -> Words:
    """Words [n] of samples [n, 4] on the scale of 16 bits.

    Each sample becomes the nearest level, the upper one of two. Of the modes whose fields hold the four levels it is
    the one that leaves the least squared error, of equals the finest: so the finest that holds them, but where a sample
    lies above mode 2's last level, 65408.
    """
    kernel = library()
    if kernel is None:
        return encode_in_numpy(samples)
    samples = np.ascontiguousarray(samples, np.uint16)
    words = np.empty(len(samples), np.uint32)
    kernel.encode(samples.ctypes.data, len(words), words.ctypes.data)
    return words


def decode(words: Words) -> Samples:
    """The samples [n, 4] that words [n] stand for."""
    kernel = library()
    if kernel is None:
        return decode_in_numpy(words)
    words = np.ascontiguousarray(words, np.uint32)
    samples = np.empty((len(words), SAMPLES), np.uint16)
    kernel.decode(words.ctypes.data, len(words), samples.ctypes.data)
    return samples


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `pisp.c`, or None where no compiler works."""
    slower = "frames become PiSP's words some twenty times slower"
    kernel = compiled.compiled("qsense.quant.sensor.memory", "pisp", slower)
    if kernel is not None:
        pointer = ctypes.c_void_p
        for function in (kernel.encode, kernel.decode):
            function.argtypes, function.restype = [pointer, ctypes.c_int64, pointer], None
    return kernel


# The same in NumPy ---------------------------------------------------------------------------------------------------


def levels(samples: npt.NDArray[np.integer], mode: int) -> Ints:
    """The nearest levels of a mode, the upper one of two."""
    x: Ints = samples.astype(np.int64)
    if mode == 0:
        return np.where(x < 5120, (x + 8) >> 4, 160 + ((x + 16) >> 5))
    if mode == 1:
        return (x + 32) >> 6
    if mode == 2:
        return np.where(x < 65408, (x + 64) >> 7, 511)
    return np.where(x < 24064, (x + 128) >> 8, 47 + ((x + 256) >> 9))


def values(level: Ints, mode: int) -> Ints:
    """What a mode's levels stand for on the scale of 16 bits."""
    if mode == 0:
        return np.where(level < 320, 16 * level, 32 * (level - 160))
    if mode < 3:
        return level * (64 * mode)
    return np.where(level < 94, 256 * level, np.minimum(65535, 512 * (level - 47)))


def encode_in_numpy(samples: Samples) -> Words:
    """See `encode`."""
    words, least = np.zeros(len(samples), np.uint32), np.full(len(samples), np.iinfo(np.int64).max)
    for mode in range(MODES):
        level = levels(samples, mode)
        error = ((samples - values(level, mode)) ** 2).sum(1)
        word, fits = _pack(level, mode)
        better = fits & (error < least)
        words[better], least[better] = word[better], error[better]
    return words


def decode_in_numpy(words: Words) -> Samples:
    """See `decode`."""
    word = words.astype(np.int64)
    samples = np.zeros((len(words), SAMPLES), np.uint16)
    for mode in range(MODES):
        chosen = word & 3 == mode
        samples[chosen] = values(_unpack(word[chosen] >> 2, mode), mode)
    return samples


def _base(inner: Ints, mode: int) -> Ints:
    """What an outer level is counted from, by its inner neighbour."""
    return np.clip(inner - 64, 0, 384 if mode == 2 else None)


def _pack(level: Ints, mode: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Words of levels [n, 4], and whether a word can hold them."""
    q0, q1, q2, q3 = level.T
    if mode == 3:
        left, right = (2816 * (a >> 4) + 16 * b + (a & 15) for a, b in ((q0, q1), (q2, q3)))
        return 3 | left << 2 | right << 17, np.ones(len(level), np.bool_)
    bright = (q1 >= 384) & (q2 >= 384) if mode == 2 else np.zeros(len(level), np.bool_)
    inner = np.where(bright, q1, np.minimum(q1, q2))
    other = np.where(bright, q2 - 384, q2 - q1 + 64)
    left, right = q0 - _base(q1, mode), q3 - _base(q2, mode)
    fits = (inner < 512) & ((other | left | right) & ~127 == 0)  # a negative number has bits there, too
    return mode | inner << 2 | other << 11 | left << 18 | right << 25, fits


def _unpack(fields: Ints, mode: int) -> Ints:
    """Levels [n, 4] of words [n] without their mode."""
    if mode == 3:
        pairs = [(16 * (pair // 2816) + (pair & 15), (pair >> 4) % 176) for pair in (fields & 32767, fields >> 15)]
        return np.stack([*pairs[0], *pairs[1]], axis=1)
    inner, other = fields & 511, (fields >> 9) & 127
    bright = (inner >= 384) if mode == 2 else np.zeros(len(fields), np.bool_)
    q1 = np.where(bright, inner, inner + np.maximum(0, 64 - other))
    q2 = np.where(bright, other + 384, inner + np.maximum(0, other - 64))
    return np.stack([_base(q1, mode) + (fields >> 16 & 127), q1, q2, _base(q2, mode) + (fields >> 23 & 127)], axis=1)
