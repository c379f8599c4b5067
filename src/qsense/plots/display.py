"""What raw samples look like on a screen: white balance, a screen's gamma, and the light that quantized ones mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SCREEN = 2.2  # exponent of a screen; its inverse and white balance are the whole development: no colour matrix
LARGEST_GAIN = 4.0  # of white balance; its inverse is the smallest


def balance(light: npt.ArrayLike, gains: Sequence[float] | None = None) -> Floats:
    """White balance for a picture, a gain for each plane, [planes, 1, 1].

    The camera's or stated gains where there are any. Else the world is taken to be grey (Buchsbaum 1980): each colour's
    mean becomes that of green, over the samples that the brightest 1 % (lamps) leave; planes of colours that are no
    mosaic's, such as sRGB, keep theirs.

    Args:
        light: planes, as in `develop`.
        gains: of red, green and blue; None: not known.

    >>> balance(np.ones((4, 2, 2)), [2.0, 1.0, 1.5]).ravel().tolist()
    [2.0, 1.0, 1.0, 1.5]
    >>> balance(np.stack([np.full((2, 2), value) for value in (0.2, 0.4, 0.4, 0.3)])).ravel().round(3).tolist()
    [2.0, 1.0, 1.0, 1.333]
    """
    planes = np.asarray(light, dtype=np.float64)
    if gains is not None and len(planes) in (3, 4):
        red, green, blue = gains
        known = (red, green, green, blue) if len(planes) == 4 else (red, green, blue)
        return np.reshape(np.asarray(known, dtype=np.float64), (-1, 1, 1))
    factors: Floats = np.ones((len(planes), 1, 1))
    if len(planes) == 4:
        usual = (planes <= np.quantile(planes, 0.99)).all(axis=0)
        means = planes[:, usual].mean(axis=1) if usual.any() else np.ones(4)
        green = (means[1] + means[2]) / 2
        ratios = np.clip(green / np.maximum(means, 1e-9), 1 / LARGEST_GAIN, LARGEST_GAIN)
        factors[:, 0, 0] = ratios[0], 1, 1, ratios[3]
    return factors


def balanced(light: npt.ArrayLike, gains: npt.ArrayLike) -> Floats:
    """Planes times the gains of `balance`, cut off where the colour of the smallest gain saturates, as in a camera: a
    lamp that saturates all colours is white and not magenta.

    Args:
        light: planes in [0, 1], as in `develop`.
        gains: [planes, 1, 1].

    >>> balanced([[[0.25, 1.0]], [[0.5, 1.0]]], [[[2.0]], [[1.0]]]).tolist()
    [[[0.5, 1.0]], [[0.5, 1.0]]]
    """
    factors = np.asarray(gains, dtype=np.float64)
    cut: Floats = np.minimum(np.asarray(light, dtype=np.float64) * factors, factors.min())
    return cut


def white_of(light: npt.ArrayLike) -> float:
    """The light to show as white: what 1 % of the samples exceed (lamps), above 0.

    >>> white_of(np.arange(101.0))
    99.0
    """
    return max(float(np.quantile(np.asarray(light, dtype=np.float64), 0.99)), 1e-9)


def develop(light: npt.ArrayLike, white: float) -> Floats:
    """An image to show, [h, w, 3] in [0, 1].

    Args:
        light: planes R, G1, G2, B, whose greens are averaged, or red, green, blue, or one of grey; [4, 3 or 1, h, w].
        white: see `white_of`; the same for images that are to be compared.

    Raises:
        ValueError: another number of planes.
    """
    planes = np.asarray(light, dtype=np.float64)
    if planes.ndim != 3 or planes.shape[0] not in (1, 3, 4):
        raise ValueError(f"an array of shape {list(planes.shape)} is no image of 1, 3 or 4 planes [planes, h, w]")
    if len(planes) == 4:
        planes = np.stack([planes[0], (planes[1] + planes[2]) / 2, planes[3]])
    shown: Floats = np.clip(np.broadcast_to(planes, (3, *planes.shape[1:])) / white, 0, 1) ** (1 / SCREEN)
    return shown.transpose(1, 2, 0)


def as_light(seen: npt.ArrayLike, light: npt.ArrayLike) -> Floats:
    """The light that each quantized sample means: the mean of those that became the same level, plane by plane.

    A curve makes an image brighter or darker as well as coarser; shown as light, images differ in what was lost alone.

    Args:
        seen: quantized samples [planes, h, w].
        light: the samples before that, alike.

    Raises:
        ValueError: shapes that differ.

    >>> as_light([[[0, 0, 1]]], [[[0.1, 0.3, 0.9]]]).tolist()
    [[[0.2, 0.2, 0.9]]]
    """
    levels, samples = np.asarray(seen), np.asarray(light, dtype=np.float64)
    if levels.shape != samples.shape:
        raise ValueError(f"quantized samples {list(levels.shape)} of samples {list(samples.shape)}: shapes differ")
    means = np.empty_like(samples)
    for plane, (level, sample) in enumerate(zip(levels, samples, strict=True)):
        _, which = np.unique(level, return_inverse=True)
        flat = which.ravel()
        means[plane] = (np.bincount(flat, sample.ravel()) / np.bincount(flat))[flat].reshape(sample.shape)
    return means


def used(seen: npt.ArrayLike) -> tuple[int, float]:
    """How many different levels an image has, and their entropy in bits per sample, over all planes.

    >>> used([0, 0, 1, 1])
    (2, 1.0)
    """
    counts = np.unique(np.asarray(seen), return_counts=True)[1]
    share = counts / counts.sum()
    return len(counts), float(-(share * np.log2(share)).sum()) + 0.0  # + 0.0: no "-0.0"
