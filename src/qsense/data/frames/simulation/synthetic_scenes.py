"""The scenes of the simulated raw frames: what lies where, and how much light it sends to the sensor.

Open it to change a regime, or to add something to the scenes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.frames.geometry.bayer import offsets
from qsense.data.frames.simulation.shapes import REACH, Array, bounds, coverage

PATTERN = "RGGB"
TINT = (0.6, 1.0, 0.7)  # response to the scenes' light: red, green, blue
TINT_SPREAD = 0.1  # standard deviation of its logarithm from scene to scene
TILT = 20.0  # degrees by which a shape may be turned
EMPTY = 0.05  # share of frames without an object
TRIES = 50  # places tried for an object before it is left out
APART = 1.1  # least distance of two objects, in units of the sum of their radii: corners may overlap a little
SLOPE = 0.3  # standard deviation of how much brighter one side of the background is than the other, in factors of two
PENUMBRA = 8.0  # width of a shadow's edge, pixels
LAMP = 4.0  # light of a lamp, as a share of what saturates a pixel


@dataclass(frozen=True)
class Regime:
    """What distinguishes one kind of scene from another.

    Args:
        exposure: least and largest E, the light of a scene's background as a share of what saturates green.
        contrast: least and largest Weber contrast |E_object - E| / E.
        full_well: N_sat, electrons at which a pixel saturates.
        read_noise: σ_r, electrons.
        lamps: whether there are lamps, which saturate.
        shadow: probability of a shadow.
    """

    exposure: tuple[float, float]
    contrast: tuple[float, float]
    full_well: float
    read_noise: float
    lamps: bool
    shadow: float


REGIMES = {
    "hdr_low": Regime((0.004, 0.05), (0.25, 0.6), 15000, 3, lamps=True, shadow=0.7),
    "noise_floor": Regime((0.04, 0.3), (0.25, 0.6), 1000, 12, lamps=True, shadow=0.0),
    "high_key": Regime((0.35, 0.8), (0.1, 0.22), 15000, 3, lamps=False, shadow=0.0),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """What is where in one frame; lengths in pixels of the mosaic, x to the right and y down.

    Args:
        exposure: E of the background in the middle of the frame.
        slope: how E changes over the frame's width and height, in factors of two [2].
        tint: factors on E for red, green, blue [3].
        shadow: a half-plane that is darker: unit normal x, y, offset, and its factor on E; None: no shadow.
        lamps: x, y, radius of each, [lamps, 3].
        kinds: 0 disc, 1 square, 2 triangle, [objects].
        places: x and y of each object's centre and its size (see `coverage`), [objects, 3].
        turns: angle of each, rad [objects].
        contrasts: signed Weber contrast of each [objects].
    """

    exposure: float
    slope: npt.NDArray[np.float64]
    tint: npt.NDArray[np.float64]
    shadow: tuple[float, float, float, float] | None
    lamps: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.int64]
    places: npt.NDArray[np.float64]
    turns: npt.NDArray[np.float64]
    contrasts: npt.NDArray[np.float64]


def draw_scene(
    regime: Regime,
    height: int,
    width: int,
    objects: tuple[int, int],
    radius: tuple[float, float],
    rng: np.random.Generator,
) -> Scene:
    """A random scene of a regime: how bright it is, its shadow and lamps, and its objects.

    Args:
        regime: what kind of scene.
        height: of the mosaic, in pixels.
        width: likewise.
        objects: least and largest number of objects; a few frames have none.
        radius: least and largest radius of a disc, in pixels; other shapes have a disc's area.
        rng: where randomness comes from.
    """
    size = np.array([width, height])
    count = 0 if rng.random() < EMPTY else int(rng.integers(objects[0], objects[1] + 1))
    places = np.zeros((0, 3))
    for r in _log_uniform(radius, rng, count):
        for x, y in rng.uniform(REACH * r, size - REACH * r, (TRIES, 2)):
            gaps = np.hypot(places[:, 0] - x, places[:, 1] - y) - APART * (places[:, 2] + r)
            if (gaps >= 0).all():
                places = np.vstack([places, [x, y, r]])
                break
    count = len(places)
    sign = rng.choice([-1.0, 1.0], count)
    return Scene(
        exposure=float(_log_uniform(regime.exposure, rng, 1)[0]),
        slope=rng.normal(0, SLOPE, 2),
        tint=np.array(TINT) * np.exp(rng.normal(0, TINT_SPREAD, 3)),
        shadow=_shadow(size, rng) if rng.random() < regime.shadow else None,
        lamps=_lamps(size, places, rng) if regime.lamps else np.zeros((0, 3)),
        kinds=rng.integers(3, size=count),
        places=places,
        turns=np.radians(rng.uniform(-TILT, TILT, count)),
        contrasts=sign * rng.uniform(regime.contrast[0], regime.contrast[1], count),
    )


def _log_uniform(ends: tuple[float, float], rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Random numbers whose logarithms are uniform between those of the two ends."""
    return np.exp(rng.uniform(math.log(ends[0]), math.log(ends[1]), count))


def _shadow(size: npt.NDArray[np.int64], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A half-plane whose edge passes near the middle, and by how much it is darker."""
    angle = rng.uniform(0, 2 * math.pi)
    normal = np.array([math.cos(angle), math.sin(angle)])
    offset = normal @ (size * rng.uniform(0.3, 0.7, 2))
    return float(normal[0]), float(normal[1]), float(offset), float(2 ** -rng.uniform(1, 3))


def _lamps(
    size: npt.NDArray[np.int64], places: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """One to three small lamps that hide no object."""
    lamps = np.column_stack([rng.uniform(0, size, (TRIES, 2)), rng.uniform(1.5, 4.0, TRIES)])
    apart = np.hypot(lamps[:, None, 0] - places[:, 0], lamps[:, None, 1] - places[:, 1])
    free = (apart > REACH * places[:, 2] + lamps[:, None, 2]).all(1)
    return lamps[free][: int(rng.integers(1, 4))]


def illuminate(scene: Scene, height: int, width: int) -> Array:
    """The light E·tint on every pixel of an RGGB mosaic, as a share of what saturates it; lamps exceed 1. [H, W]."""
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32)[:, None] + 0.5
    stops = scene.slope[0] * (x / width - 0.5) + scene.slope[1] * (y / height - 0.5)
    light = np.asarray(scene.exposure * np.exp2(stops), dtype=np.float32)
    if scene.shadow is not None:
        nx, ny, offset, factor = scene.shadow
        light *= factor ** np.clip(0.5 + (nx * x + ny * y - offset) / PENUMBRA, 0, 1)
    reflected = np.ones_like(light)
    for kind, place, turn, contrast in zip(scene.kinds, scene.places, scene.turns, scene.contrasts, strict=True):
        near, share = _near(kind, place, turn, x, y)
        reflected[near] += share * (1 + contrast - reflected[near])
    light *= reflected
    for row_column, tint in zip(offsets(PATTERN), scene.tint[[0, 1, 1, 2]], strict=True):
        light[row_column[0] :: 2, row_column[1] :: 2] *= tint
    for lamp in scene.lamps:
        near, share = _near(0, lamp, 0.0, x, y)
        light[near] += share * (LAMP - light[near])
    return light


def _near(
    kind: int, place: npt.NDArray[np.float64], turn: float, x: Array, y: Array
) -> tuple[tuple[slice, slice], Array]:
    """The part of the image that a shape reaches, and its coverage there."""
    left, top, right, bottom = bounds(kind, place, turn)
    rows = slice(max(math.floor(top) - 1, 0), math.ceil(bottom) + 1)
    columns = slice(max(math.floor(left) - 1, 0), math.ceil(right) + 1)
    return (rows, columns), coverage(kind, place, turn, x[columns], y[rows])
