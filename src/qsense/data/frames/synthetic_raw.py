"""SyntheticRaw: simulated raw frames of plain shapes with the physics of a sensor; the built-in detection data.

Open it to change the simulated sensor or the data set's arguments.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from qsense.data.frames.dataset import PLANES, Frame, FrameDataset, Part
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.simulation.shapes import REACH, Array, bounds, coverage
from qsense.data.frames.simulation.synthetic_scenes import PATTERN, REGIMES, Regime, Scene, draw_scene, illuminate
from qsense.signal import Signal

Codes = npt.NDArray[np.uint16]

VERSION = 1  # of the simulation: raise it with every change of what comes out
NATIVE_BITS = 12
MIXED = "mixed"  # all regimes in turn
PRNU = 0.007  # how much pixels differ in their response, standard deviation


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

    - `mixed`: frames of all three in turn, each just as its own regime has it. A frame's condition is its regime.

    Each frame has its own random generators, so adding frames changes none of the others.

    Args:
        regime: "hdr_low", "noise_floor", "high_key" or "mixed".
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
        regime: Literal["hdr_low", "noise_floor", "high_key", "mixed"] = "noise_floor",
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
        allowed = ", ".join([*REGIMES, MIXED])
        _require(regime in (*REGIMES, MIXED), f"regime={regime!r} must be one of {allowed}")
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
        self._regimes = tuple(REGIMES) if regime == MIXED else (regime,)
        self._rendered: dict[int, Codes] = {}

    @property
    def signal(self) -> Signal:
        """See the base class."""
        conditions = self._regimes if self.regime == MIXED else ()
        return Signal(
            4, 0.0, 1.0, "full scale", names=PLANES, native_bits=NATIVE_BITS, bayer=PATTERN, conditions=conditions
        )

    def check(self) -> None:
        """Nothing to look for: the frames are computed."""

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the simulation's version and settings."""
        physics = {name: asdict(REGIMES[name]) for name in self._regimes}
        settings = {
            "dataset": "synthetic_raw",
            "version": VERSION,
            "regime": physics if self.regime == MIXED else physics[self.regime],
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
            physics = self._physics(frame.id)
            mosaic = expose(light, self._sensitivity, physics.full_well, physics.read_noise, rng)
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
        objects, radius = (self.fewest, self.most), (self.smallest, self.largest)
        return draw_scene(self._physics(identity), self.height, self.width, objects, radius, rng)

    def _condition(self, identity: int) -> int:
        """Which of the regimes a frame is of: training and test frames, even and odd ids, take turns by themselves."""
        return identity // 2 % len(self._regimes)

    def _physics(self, identity: int) -> Regime:
        return REGIMES[self._regimes[self._condition(identity)]]

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
            condition=self._condition(identity),
        )


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
