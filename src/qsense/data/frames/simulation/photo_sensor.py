"""A simulated raw sensor in front of photographs: each is read as it was annotated, and made into a frame of codes.

Open it when a photograph is refused though it can be read, or to simulate another sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.frames.geometry.stored_sizes import ShortSide, as_stored
from qsense.data.frames.geometry.turning import orientation_hint
from qsense.data.frames.simulation.inverse_isp import (
    Camera,
    mean_camera,
    mosaic_planes,
    random_camera,
    sense,
    unprocess,
)
from qsense.data.frames.storing.plane_cache import Codes, Planes
from qsense.data.photos import read_photo

PATTERN = "RGGB"


@dataclass(frozen=True)
class Sensor:
    """How photographs become raw frames.

    Args:
        image: "raw" or "srgb"; for the latter, the others are without effect.
        native_bits: of the sensor's ADC.
        iso: how noisy it is (`noise_levels`).
        exposure: what the light is multiplied by.
        camera: "random", one for each image, or "mean", one for all.
        seed: of cameras and noise.
    """

    image: Literal["raw", "srgb"]
    native_bits: int
    iso: float
    exposure: float
    camera: Literal["random", "mean"]
    seed: int

    def codes(self, photo: npt.NDArray[np.uint8], identity: int) -> Codes:
        """Native codes [C, h, w] of a photograph [H, W, 3]; what is random depends on (seed, identity) alone."""
        if self.image == "srgb":
            return np.ascontiguousarray(photo.transpose(2, 0, 1))
        rng = np.random.default_rng([self.seed, identity])
        taken_by = self._camera(rng)
        light = mosaic_planes(unprocess(photo, taken_by), PATTERN) * np.float32(self.exposure)
        return sense(np.minimum(light, 1), self.iso, self.native_bits, rng)

    def gains(self, identity: int) -> tuple[float, float, float] | None:
        """The white balance that the photograph was developed with, of red, green and blue; None for srgb, which has
        it applied."""
        if self.image == "srgb":
            return None
        taken_by = self._camera(np.random.default_rng([self.seed, identity]))
        return taken_by.red, 1.0, taken_by.blue

    def _camera(self, rng: np.random.Generator) -> Camera:
        return random_camera(rng) if self.camera == "random" else mean_camera()


@dataclass(frozen=True)
class PhotoConversion:
    """Makes frame i of a plane cache from photograph i (see `converting.convert`).

    Args:
        files: image files.
        ids: their COCO ids, or what stands for those that are no whole numbers (`Picture.random_seed`).
        sizes: width and height that the annotations state.
        sensor: what to make of them.
        turns: how they are turned to be as annotated (`find_turns`).
        full_scale: value of white in grey files of more than 8 bits.
        short_side: at which size they are stored, see `as_stored`.
    """

    files: tuple[Path, ...]
    ids: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    sensor: Sensor
    turns: tuple[int, ...]
    full_scale: float | None
    short_side: ShortSide

    def __call__(self, index: int) -> Planes:
        photo = read_annotated(self.files[index], self.sizes[index], self.turns[index], self.full_scale)
        codes = self.sensor.codes(photo, self.ids[index])
        return Planes(as_stored(codes, self.short_side), {"simulated": self.sensor.image == "raw", "pattern": PATTERN})


def read_annotated(
    file: Path, size: tuple[int, int], turn: int = 1, full_scale: float | None = None
) -> npt.NDArray[np.uint8]:
    """A photograph, uint8 [H, W, 3], of the width and height that its annotations state.

    Args:
        file: its path.
        size: width and height, turned.
        turn: how the stored picture is turned, EXIF's number.
        full_scale: see `read_photo`.

    Raises:
        DataError: it cannot be read, or has another size.
    """
    photo = np.asarray(read_photo(file, turn=turn, full_scale=full_scale))
    if photo.shape[1::-1] != size:
        raise DataError(
            f"{file} has {photo.shape[1]} × {photo.shape[0]} pixels, but its annotations say {size[0]} × {size[1]}: "
            f"the two do not belong together{orientation_hint(file, size)}"
        )
    return photo
