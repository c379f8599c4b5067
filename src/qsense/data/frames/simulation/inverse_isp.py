"""From a photograph back to what a sensor may have delivered (Brooks et al., Unprocessing Images, CVPR 2019).

A camera multiplies its raw colours by white balance and brightness, turns them to sRGB by a colour matrix, and applies
a gamma and a tone curve. Undoing these steps in reverse order, with a plausible camera, gives linear raw light; the
sensor's mosaic, noise and ADC follow. What comes out is a **simulation**: highlights that the photograph has lost, and
detail that its 8 bits and its compression have lost, stay lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.frames.geometry.bayer import offsets

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

# XYZ → camera of four cameras, and sRGB → XYZ (D65), as the paper's supplement lists them.
XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
GAMMA = 2.2
BRIGHTNESS = (0.8, 0.1)  # mean and standard deviation of 1/brightness
RED_GAIN = (1.9, 2.4)
BLUE_GAIN = (1.5, 1.9)
HIGHLIGHT = 0.9  # mean colour from which on highlights are preserved
SHOT_AT_ISO_100 = 1e-4  # the paper's range of shot noise, 1e-4 … 1.2e-2, is then about ISO 100 … 12 800


@dataclass(frozen=True, eq=False)
class Camera:
    """How a camera turned its raw colours into a photograph.

    Args:
        rgb_to_camera: linear sRGB → raw colours, [3, 3]; its rows add up to 1, so that grey stays grey.
        brightness: by which all colours were multiplied.
        red: by which red was multiplied for white balance; green by 1.
        blue: likewise.
    """

    rgb_to_camera: npt.NDArray[np.float64]
    brightness: float
    red: float
    blue: float


def camera(weights: npt.NDArray[np.float64], brightness: float, red: float, blue: float) -> Camera:
    """A camera whose colour matrix is a mean of the four published ones, `weights` [4] being their shares."""
    matrix = np.tensordot(weights / weights.sum(), XYZ_TO_CAMERA, 1) @ RGB_TO_XYZ
    return Camera(matrix / matrix.sum(axis=1, keepdims=True), brightness, red, blue)


def random_camera(rng: np.random.Generator) -> Camera:
    """A random camera, as the paper draws it."""
    return camera(
        rng.uniform(size=len(XYZ_TO_CAMERA)),
        brightness=1 / rng.normal(*BRIGHTNESS),
        red=rng.uniform(*RED_GAIN),
        blue=rng.uniform(*BLUE_GAIN),
    )


def mean_camera() -> Camera:
    """The camera in the middle of what `random_camera` draws."""
    return camera(np.ones(len(XYZ_TO_CAMERA)), 1 / BRIGHTNESS[0], sum(RED_GAIN) / 2, sum(BLUE_GAIN) / 2)


def inverse_tone(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Undo the tone curve y = 3x² - 2x³: x = ½ - sin(asin(1 - 2y) / 3), on [0, 1].

    >>> inverse_tone([0.0, 0.5, 1.0]).round(6).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.asarray(0.5 - np.sin(np.arcsin(1 - 2 * np.clip(x, 0, 1)) / 3))


def inverse_gamma(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Undo the gamma of 1/2.2: x^2.2, on [0, 1]."""
    return np.asarray(np.maximum(x, 1e-8) ** GAMMA)


LINEAR = inverse_gamma(inverse_tone(np.arange(256) / 255)).astype(np.float32)  # of each code of a photograph


def inverse_gains(image: Array, camera: Camera) -> Array:
    """Undo brightness and white balance, [H, W, 3]; what is nearly white stays white.

    Dividing by a gain alone would leave no saturated pixel in the whole image. So gains below 1 approach 1 as the mean
    g of the three colours goes from 0.9 to 1: the factor is max(a + (1 - a)/gain, 1/gain), a = (max(g - 0.9, 0)/0.1)².
    """
    inverse = np.array([1 / camera.red, 1, 1 / camera.blue], dtype=np.float32) / np.float32(camera.brightness)
    bright = np.maximum(image.mean(axis=2, keepdims=True) - HIGHLIGHT, 0) / (1 - HIGHLIGHT)
    share = bright * bright
    raw: Array = image * np.maximum(share + (1 - share) * inverse, inverse)
    return raw


def unprocess(photo: npt.NDArray[np.uint8], camera: Camera) -> Array:
    """A photograph [H, W, 3] as linear raw light of three colours, float32 in [0, 1], before mosaic and noise."""
    linear = LINEAR[photo]
    raw = linear @ camera.rgb_to_camera.T.astype(np.float32)
    return np.clip(inverse_gains(raw, camera), 0, 1)


def mosaic_planes(image: Array, pattern: str = "RGGB") -> Array:
    """The planes R, G1, G2, B that a Bayer sensor would have seen of an image: [H, W, 3] → [4, ⌈H/2⌉, ⌈W/2⌉].

    Each plane holds its colour where the sensor has a pixel for it. An odd last row or column is repeated, so that
    every cell is complete.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    colours = (0, 1, 1, 2)
    return np.stack(
        [image[row::2, column::2, colour] for (row, column), colour in zip(offsets(pattern), colours, strict=True)]
    )


def noise_levels(iso: float) -> tuple[float, float]:
    """λ_shot and λ_read at an ISO: light x ∈ [0, 1] has the variance λ_shot·x + λ_read.

    Shot noise is proportional to the gain, 1e-4 at ISO 100. Read noise follows the line that the paper fitted to real
    cameras, ln λ_read = 2.18·ln λ_shot + 1.20 (without its scatter of 0.26 from camera to camera).

    >>> [float(f"{level:.3g}") for level in noise_levels(1600)]
    [0.0016, 2.67e-06]
    """
    shot = SHOT_AT_ISO_100 * iso / 100
    return shot, math.exp(2.18 * math.log(shot) + 1.20)


def sense(light: Array, iso: float, native_bits: int, rng: np.random.Generator) -> Codes:
    """Codes of a sensor without black level.

        DN = clip(round((λ_shot·Poisson(light/λ_shot) + N(0, λ_read))·top), 0, top)

    The paper adds Gaussian noise of the same variance; photons are Poisson distributed.

    Args:
        light: share of what saturates a pixel, any shape, 0 or more.
        iso: see `noise_levels`.
        native_bits: of the sensor's ADC, 1 … 16; top = 2^native_bits - 1.
        rng: where noise comes from.

    Returns:
        uint8 for up to 8 bits, else uint16, in the shape of `light`.
    """
    shot, read = noise_levels(iso)
    top = (1 << native_bits) - 1
    seen = shot * rng.poisson(light / shot) + math.sqrt(read) * rng.standard_normal(light.shape, dtype=np.float32)
    codes: Codes = np.clip(np.rint(seen * top), 0, top).astype(np.uint8 if native_bits <= 8 else np.uint16)
    return codes
