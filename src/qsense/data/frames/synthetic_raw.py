"""SyntheticRaw: simulated raw frames of plain shapes with the physics of a sensor; the built-in detection data."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from qsense.data.frames.bayer import offsets, pack
from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.signal import Signal

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]

VERSION = 1  # of the simulation: raise it with every change of what comes out
NATIVE_BITS = 12
PATTERN = "RGGB"
PRNU = 0.007  # how much pixels differ in their response, standard deviation
TINT = (0.6, 1.0, 0.7)  # response to the scenes' light: red, green, blue
TINT_SPREAD = 0.1  # standard deviation of its logarithm from scene to scene
TILT = 20.0  # degrees by which a shape may be turned
EMPTY = 0.05  # share of frames without an object
TRIES = 50  # places tried for an object before it is left out
APART = 1.1  # least distance of two objects, in units of the sum of their radii: corners may overlap a little
SLOPE = 0.3  # standard deviation of how much brighter one side of the background is than the other, in factors of two
PENUMBRA = 8.0  # width of a shadow's edge, pixels
LAMP = 4.0  # light of a lamp, as a share of what saturates a pixel
SQUARE_REACH = math.sqrt(math.pi / 2)  # from a square's centre to a corner, in radii of a disc of the same area
REACH = math.sqrt(4 * math.pi / 3**1.5)  # the same of an equilateral triangle


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


class SyntheticRaw(FrameDataset):
    """Simulated raw frames: discs, squares and triangles before a plain background. **No camera took them.**

    A pixel of colour c collects `e = min(E·tint_c·N_sat·(1 + PRNU), N_sat)` electrons, and the sensor delivers

        DN = clip(round((Poisson(e) + N(0, σ_r)) / N_sat · 4095), 0, 4095)

    on an RGGB mosaic. E is the light: a background that changes slowly over the frame, maybe a shadow (× 2^-U(1, 3)),
    objects of a Weber contrast of either sign, anti-aliased and equal in area from class to class, and lamps that
    saturate, so that the brightest point of an image says nothing about where its levels should lie.

    - `hdr_low`: E 0.004 … 0.05, contrast 0.25 … 0.6, 15 000 e⁻, σ_r 3 e⁻, lamps, often a shadow: a linear ADC of few
      bits sees next to nothing.
    - `noise_floor`: E 0.04 … 0.3, the same contrast and lamps, 1 000 e⁻, σ_r 12 e⁻: fine steps in the dark show noise.
    - `high_key`: E 0.35 … 0.8, contrast 0.1 … 0.22, 15 000 e⁻, σ_r 3 e⁻: fine steps in the dark are wasted.

    Each frame has its own random generators, so adding frames changes none of the others.

    Args:
        regime: "hdr_low", "noise_floor" or "high_key".
        height: of the mosaic, in pixels, even; planes have half of it.
        width: likewise.
        train_frames: frames to train on, at least 1.
        test_frames: frames to test on, at least 1.
        fewest: least number of objects in a frame that has any.
        most: largest number of objects.
        smallest: least radius of a disc, in pixels of the mosaic; other shapes have a disc's area.
        largest: largest such radius.
        seed: of the simulation; independent of the training's seed.

    Raises:
        ValueError: an argument out of its range.

    >>> data = SyntheticRaw(train_frames=2, test_frames=1)
    >>> frame = data.frames("train")[0]
    >>> data.codes(frame).shape, data.signal.top
    ((4, 80, 80), 4095)
    """

    classes = ("disc", "square", "triangle")
    simulated = True

    def __init__(
        self,
        regime: Literal["hdr_low", "noise_floor", "high_key"] = "noise_floor",
        height: int = 160,
        width: int = 160,
        train_frames: int = 500,
        test_frames: int = 200,
        fewest: int = 1,
        most: int = 3,
        smallest: float = 12.0,
        largest: float = 24.0,
        seed: int = 0,
    ) -> None:
        _require(regime in REGIMES, f"regime={regime!r} must be one of {', '.join(REGIMES)}")
        for name, side in (("height", height), ("width", width)):
            _require(side >= 32 and side % 2 == 0, f"{name}={side} must be an even number of at least 32 pixels")
        for name, count in (("train_frames", train_frames), ("test_frames", test_frames)):
            _require(count >= 1, f"{name}={count} must be at least 1")
        _require(1 <= fewest <= most, f"fewest={fewest}, most={most}: 1 ≤ fewest ≤ most is needed")
        limit = min(height, width) / (2 * REACH)
        _require(
            2 <= smallest <= largest <= limit,
            f"smallest={smallest}, largest={largest}: 2 ≤ smallest ≤ largest ≤ {limit:.1f} is needed, so that every "
            f"shape fits into {height} × {width} pixels",
        )
        _require(seed >= 0, f"seed={seed} must be 0 or more")
        self.regime = regime
        self.height = height
        self.width = width
        self.train_frames = train_frames
        self.test_frames = test_frames
        self.fewest = fewest
        self.most = most
        self.smallest = smallest
        self.largest = largest
        self.seed = seed
        self.name = f"Synthetic raw {regime} (simulated)"
        self._physics = REGIMES[regime]
        self._rendered: dict[int, Codes] = {}

    @property
    def signal(self) -> Signal:
        """See the base class."""
        return Signal(4, 0.0, 1.0, "full scale", names=PLANES, native_bits=NATIVE_BITS, bayer=PATTERN)

    def check(self) -> None:
        """Nothing to look for: the frames are computed."""

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the simulation's version and settings."""
        settings = {
            "dataset": "synthetic_raw",
            "version": VERSION,
            "regime": asdict(self._physics),
            "height": self.height,
            "width": self.width,
            "train_frames": self.train_frames,
            "test_frames": self.test_frames,
            "fewest": self.fewest,
            "most": self.most,
            "smallest": float(self.smallest),
            "largest": float(self.largest),
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def frames(self, part: Part) -> list[Frame]:
        """See the base class; every twentieth frame or so has no object."""
        ids = range(1, 2 * self.test_frames, 2) if part == "test" else range(0, 2 * self.train_frames, 2)
        return [self._annotated(identity) for identity in ids]

    def codes(self, frame: Frame) -> Codes:
        """See the base class; a frame is computed when it is first asked for, and kept."""
        if frame.id not in self._rendered:
            rng = np.random.default_rng([self.seed, frame.id, 1])
            light = illuminate(self.scene(frame.id), self.height, self.width)
            mosaic = expose(light, self._sensitivity, self._physics.full_well, self._physics.read_noise, rng)
            self._rendered[frame.id] = pack(mosaic, PATTERN)
        return self._rendered[frame.id]

    def masks(self, frame: Frame) -> npt.NDArray[np.bool_]:
        """Which samples of a plane each object covers by more than half, [objects, h, w]; for `detectability`."""
        scene = self.scene(frame.id)
        shapes = zip(scene.kinds, scene.places, scene.turns, strict=True)
        y, x = np.mgrid[0.5 : self.height / 2, 0.5 : self.width / 2] * 2
        found = [coverage(kind, place, turn, x, y) > 0.5 for kind, place, turn in shapes]
        return np.stack(found) if found else np.zeros((0, *x.shape), dtype=bool)

    def scene(self, identity: int) -> Scene:
        """What is in the frame of an id."""
        rng = np.random.default_rng([self.seed, identity, 0])
        return draw_scene(
            self._physics, self.height, self.width, (self.fewest, self.most), (self.smallest, self.largest), rng
        )

    @cached_property
    def _sensitivity(self) -> Array:
        """1 + PRNU of the sensor's pixels: one pattern, the same in every frame."""
        rng = np.random.default_rng([self.seed])
        return 1 + PRNU * rng.standard_normal((self.height, self.width), dtype=np.float32)

    def _annotated(self, identity: int) -> Frame:
        scene = self.scene(identity)
        shapes = zip(scene.kinds, scene.places, scene.turns, strict=True)
        boxes = np.array([bounds(kind, place, turn) for kind, place, turn in shapes], dtype=np.float32).reshape(-1, 4)
        return Frame(
            id=identity,
            name=f"{'test' if identity % 2 else 'train'} frame {identity // 2}",
            height=self.height,
            width=self.width,
            boxes=boxes,
            labels=scene.kinds,
            crowd=np.zeros(len(boxes), dtype=bool),
            area=(math.pi * scene.places[:, 2] ** 2).astype(np.float32),
        )


# --- the scene --------------------------------------------------------------------------------------------------------


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


# --- shapes -----------------------------------------------------------------------------------------------------------


def corners(kind: int, place: npt.NDArray[np.float64], turn: float) -> npt.NDArray[np.float64]:
    """x and y of a square's (kind 1) or an equilateral triangle's (kind 2) corners, [4 or 3, 2].

    Args:
        kind: 1 or 2.
        place: x, y of the centre and the radius of a disc of the same area.
        turn: clockwise as seen on the image, rad; 0 has a square's sides upright and a triangle's first corner on top.
    """
    x, y, radius = place
    count, reach = (4, SQUARE_REACH) if kind == 1 else (3, REACH)
    start = -math.pi / 4 if kind == 1 else -math.pi / 2
    angle = start + turn + 2 * math.pi / count * np.arange(count)
    return np.stack([x + reach * radius * np.cos(angle), y + reach * radius * np.sin(angle)], axis=1)


def bounds(kind: int, place: npt.NDArray[np.float64], turn: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a shape (see `corners`; kind 0 is a disc).

    >>> bounds(0, np.array([10.0, 20.0, 3.0]), 0.0)
    (7.0, 17.0, 13.0, 23.0)
    """
    x, y, radius = (float(value) for value in place)
    if kind == 0:
        return x - radius, y - radius, x + radius, y + radius
    points = corners(kind, place, turn)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def coverage(kind: int, place: npt.NDArray[np.float64], turn: float, x: Array, y: Array) -> Array:
    """Share of each pixel that a shape covers, in [0, 1]: ½ − its signed distance from the shape's edge, cut off.

    Args:
        kind: 0 disc, 1 square, 2 triangle.
        place: x, y of the centre and the radius of a disc of the same area.
        turn: see `corners`.
        x: of the pixels' centres, any shape.
        y: likewise.
    """
    if kind == 0:
        distance = np.hypot(x - place[0], y - place[1]) - place[2]
    else:
        points = corners(kind, place, turn)
        sides = np.roll(points, -1, axis=0) - points
        normals = np.stack([sides[:, 1], -sides[:, 0]], axis=1) / np.linalg.norm(sides, axis=1, keepdims=True)
        levels = (normals * points).sum(1)
        distance = np.max([nx * x + ny * y - level for (nx, ny), level in zip(normals, levels, strict=True)], axis=0)
    share: Array = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return share


# --- light and sensor -------------------------------------------------------------------------------------------------


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


def expose(light: Array, sensitivity: Array, full_well: float, read_noise: float, rng: np.random.Generator) -> Codes:
    """Native codes of a sensor: shot noise, read noise, and its own ADC.

        e = min(light·sensitivity·N_sat, N_sat),  DN = clip(round((Poisson(e) + N(0, σ_r)) / N_sat · 4095), 0, 4095)

    Args:
        light: as a share of what saturates a pixel, 0 or more, any shape.
        sensitivity: 1 + PRNU of each pixel, in the shape of `light`.
        full_well: N_sat, electrons.
        read_noise: σ_r, electrons.
        rng: where noise comes from.

    >>> expose(np.array([0.0, 0.5, 3.0]), np.ones(3), 1e9, 0.0, np.random.default_rng(0)).tolist()
    [0, 2047, 4095]
    """
    electrons = np.minimum(light * sensitivity, 1) * full_well
    noise = read_noise * rng.standard_normal(light.shape, dtype=np.float32)
    white = (1 << NATIVE_BITS) - 1
    collected = (rng.poisson(electrons) + noise) / full_well
    codes: Codes = np.clip(np.rint(collected * white), 0, white).astype(np.uint16)
    return codes


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(f"SyntheticRaw: {message}")
