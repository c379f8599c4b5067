"""The inverse ISP: each step undoes its own, and the noise is what its levels say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.simulation.inverse_isp import (
    BLUE_GAIN,
    GAMMA,
    LINEAR,
    RED_GAIN,
    Camera,
    inverse_gains,
    inverse_gamma,
    inverse_tone,
    mean_camera,
    mosaic_planes,
    noise_levels,
    random_camera,
    sense,
    unprocess,
)
from qsense.signal import BAYER

PLAIN = Camera(np.eye(3), 1.0, 1.0, 1.0)


def process(raw: npt.NDArray[np.float64], camera: Camera) -> npt.NDArray[np.float64]:
    """The camera's own way: gains, colour matrix, gamma, tone curve."""
    balanced = raw * np.array([camera.red, 1, camera.blue]) * camera.brightness
    linear = np.clip(balanced, 0, 1) @ np.linalg.inv(camera.rgb_to_camera).T
    x = np.clip(linear, 0, 1) ** (1 / GAMMA)
    return np.asarray(3 * x**2 - 2 * x**3)


def photo(seed: int, least: int = 0, most: int = 256) -> npt.NDArray[np.uint8]:
    """Colours that are not too saturated: those that the camera can show."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(least, most, (40, 60, 1))
    return np.asarray(np.clip(grey + rng.integers(-15, 16, (40, 60, 3)), 0, 255), dtype=np.uint8)


def test_curves_undo_theirs() -> None:
    x = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(inverse_tone(3 * x**2 - 2 * x**3), x, atol=1e-7)
    np.testing.assert_allclose(inverse_gamma(x ** (1 / GAMMA)), x, atol=1e-12)
    np.testing.assert_allclose(LINEAR, inverse_gamma(inverse_tone(np.arange(256) / 255)), atol=1e-7)
    assert (np.diff(LINEAR) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_processing_gives_the_photograph_back(seed: int) -> None:
    camera = random_camera(np.random.default_rng(seed))
    original = photo(seed, 40, 200)  # below the highlights, which are preserved instead
    raw = unprocess(original, camera)
    assert raw.dtype == np.float32
    assert raw.min() >= 0
    assert raw.max() <= 1
    back = 255 * process(raw.astype(np.float64), camera)
    assert np.abs(back - original).max() < 1.5


def test_highlights_stay_white() -> None:
    camera = mean_camera()
    white = np.full((2, 2, 3), 255, dtype=np.uint8)
    np.testing.assert_allclose(unprocess(white, camera), 1, atol=1e-5)
    grey = unprocess(np.full((2, 2, 3), 200, dtype=np.uint8), camera)[0, 0]
    linear = LINEAR[200]
    np.testing.assert_allclose(grey, linear / camera.brightness / np.array([camera.red, 1, camera.blue]), rtol=1e-4)
    levels = [unprocess(np.full((1, 1, 3), code, dtype=np.uint8), camera)[0, 0] for code in range(256)]
    assert (np.diff(np.array(levels), axis=0) > 0).all()  # preserving highlights keeps the order


def test_gains_below_one_are_undone_everywhere() -> None:
    dark = Camera(np.eye(3), 0.5, 1.0, 1.0)  # the camera halved the light: dividing doubles it, white or not
    image = np.array([[[0.2, 0.2, 0.2], [0.98, 0.98, 0.98]]], dtype=np.float32)
    np.testing.assert_allclose(inverse_gains(image, dark), 2 * image)


def test_cameras_are_plausible_and_grey_stays_grey() -> None:
    for seed in range(20):
        camera = random_camera(np.random.default_rng(seed))
        np.testing.assert_allclose(camera.rgb_to_camera.sum(axis=1), 1)
        assert np.linalg.det(camera.rgb_to_camera) > 0.1
        assert RED_GAIN[0] <= camera.red <= RED_GAIN[1]
        assert BLUE_GAIN[0] <= camera.blue <= BLUE_GAIN[1]
        assert 0.7 < camera.brightness < 2.5
    middle = mean_camera()
    assert middle.brightness == pytest.approx(1.25)
    assert middle.red == pytest.approx(2.15)
    grey = unprocess(np.full((1, 1, 3), 128, dtype=np.uint8), Camera(middle.rgb_to_camera, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(grey, LINEAR[128], rtol=1e-5)


@pytest.mark.parametrize("pattern", BAYER)
def test_planes_are_those_of_the_mosaic(pattern: str) -> None:
    image = np.random.default_rng(0).random((6, 8, 3), dtype=np.float32)
    mosaic = np.empty((6, 8), dtype=np.float32)
    for row in range(6):
        for column in range(8):
            mosaic[row, column] = image[row, column, "RGB".index(pattern[2 * (row % 2) + column % 2])]
    np.testing.assert_array_equal(mosaic_planes(image, pattern), pack(mosaic, pattern))


def test_an_odd_last_row_or_column_is_repeated() -> None:
    image = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    planes = mosaic_planes(image)
    assert planes.shape == (4, 3, 4)
    np.testing.assert_array_equal(planes[3, 2, :3], image[4, 1::2, 2])
    np.testing.assert_array_equal(planes[1, :, 3], image[0::2, 6, 1])


@pytest.mark.parametrize("iso", [100.0, 1600.0, 12800.0])
@pytest.mark.parametrize("light", [0.05, 0.5])
def test_noise_has_the_variance_of_its_levels(iso: float, light: float) -> None:
    shot, read = noise_levels(iso)
    codes = sense(np.full((500, 500), light, dtype=np.float32), iso, 16, np.random.default_rng(0))
    assert codes.dtype == np.uint16
    seen = codes / 65535
    if light - 5 * np.sqrt(shot * light + read) > 0:  # else it is cut off at 0
        assert seen.mean() == pytest.approx(light, rel=5e-3)
        assert seen.var() == pytest.approx(shot * light + read, rel=0.02)
    assert seen.min() >= 0


def test_noise_levels_follow_the_published_line() -> None:
    assert noise_levels(100)[0] == pytest.approx(1e-4)
    assert noise_levels(12000)[0] == pytest.approx(1.2e-2)
    for iso in (100, 400, 6400):
        shot, read = noise_levels(iso)
        assert np.log(read) == pytest.approx(2.18 * np.log(shot) + 1.20)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (10, np.uint16), (16, np.uint16)])
def test_codes_have_the_bits_that_are_asked_for(bits: int, dtype: type[np.unsignedinteger]) -> None:
    light = np.linspace(0, 1, 10_000, dtype=np.float32)
    codes = sense(light, 100, bits, np.random.default_rng(0))
    assert codes.dtype == dtype
    assert (codes.min(), codes.max()) == (0, (1 << bits) - 1)
    assert np.abs(codes / ((1 << bits) - 1) - light).max() < 0.06
