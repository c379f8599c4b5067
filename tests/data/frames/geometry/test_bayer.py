"""Packing, averaging greens and nearest resizing, against plain NumPy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.refusal import refused
from torch.nn.functional import interpolate

from qsense.data.frames.geometry.bayer import even, offsets, pack, to_rgb, unpack
from qsense.data.frames.geometry.nearest import nearest_index, resize, target_size
from qsense.signal import BAYER


def colour_of(pattern: str, row: int, column: int) -> str:
    return pattern[2 * (row % 2) + column % 2]


@pytest.mark.parametrize("pattern", BAYER)
def test_every_sample_goes_to_the_plane_of_its_colour(pattern: str) -> None:
    mosaic = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8)
    planes = pack(mosaic, pattern)
    assert planes.shape == (4, 3, 4)
    assert planes.dtype == np.uint16
    red_rows = {row for row in range(6) for column in range(8) if colour_of(pattern, row, column) == "R"}
    for row in range(6):
        for column in range(8):
            colour = colour_of(pattern, row, column)
            plane = {"R": 0, "B": 3, "G": 1 if row in red_rows else 2}[colour]
            assert planes[plane, row // 2, column // 2] == mosaic[row, column]


@pytest.mark.parametrize("pattern", BAYER)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_unpacking_undoes_packing_both_ways(pattern: str, dtype: type[np.number[Any]]) -> None:
    rng = np.random.default_rng(0)
    mosaic: npt.NDArray[Any] = rng.integers(0, 256, (2, 3, 10, 6)).astype(dtype)
    planes = pack(mosaic, pattern)
    assert planes.shape == (2, 3, 4, 5, 3)
    np.testing.assert_array_equal(unpack(planes, pattern), mosaic, strict=True)
    np.testing.assert_array_equal(pack(unpack(planes, pattern), pattern), planes, strict=True)


def test_incomplete_cells_are_refused_or_cut_off() -> None:
    mosaic = np.arange(5 * 7).reshape(5, 7)
    with refused(ValueError, 5, 7):
        pack(mosaic)
    np.testing.assert_array_equal(even(mosaic), mosaic[:4, :6])
    assert np.shares_memory(even(mosaic), mosaic)
    assert even(mosaic[:4, :6]).shape == (4, 6)


def test_what_is_no_bayer_mosaic_is_refused() -> None:
    with refused(ValueError, "pattern='RGBG'", "RGGB", "BGGR", "GRBG", "GBRG"):
        offsets("RGBG")
    with refused(ValueError, "[3, 2, 2]"):
        unpack(np.zeros((3, 2, 2)))
    for shape in ((3, 2, 2), (2, 2)):
        with refused(ValueError, list(shape)):
            to_rgb(torch.zeros(shape))


def test_greens_are_averaged_as_in_numpy_with_the_gradients_of_an_average() -> None:
    planes = torch.rand(2, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    seen = to_rgb(planes)
    given = planes.detach().numpy()
    np.testing.assert_array_equal(
        seen.detach().numpy(), np.stack([given[:, 0], (given[:, 1] + given[:, 2]) / 2, given[:, 3]], axis=1)
    )
    weights = torch.rand_like(seen)
    for floor_steps in (0, 15, 255):
        (grad,) = torch.autograd.grad((to_rgb(planes, floor_steps) * weights).sum(), planes)
        expected = torch.stack([weights[:, 0], weights[:, 1] / 2, weights[:, 1] / 2, weights[:, 2]], dim=1)
        torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])  # their levels are multiples of 1/255
def test_floored_green_is_the_integer_division_of_8_bit_images(bits: int) -> None:
    codes = np.array([[g1, g2] for g1 in range(1 << bits) for g2 in range(1 << bits)])
    red, green, blue = floored(codes, (1 << bits) - 1, 255) * 255
    eight = codes * (255 // ((1 << bits) - 1))
    np.testing.assert_allclose(green, eight.sum(1) // 2, atol=1e-3)
    np.testing.assert_allclose(red, eight[:, 0], atol=1e-3)
    np.testing.assert_allclose(blue, eight[:, 1], atol=1e-3)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16, 20])
def test_floored_green_is_the_integer_division_of_codes(bits: int) -> None:
    top = (1 << bits) - 1
    codes = np.random.default_rng(0).integers(0, top + 1, (100_000, 2))
    codes[:4] = [[0, 0], [0, top], [top, top], [top, top - 1]]
    red, green, blue = floored(codes, top, top)
    np.testing.assert_array_equal(green, ((codes[:, 0] + codes[:, 1]) // 2).astype(np.float32) / np.float32(top))
    np.testing.assert_array_equal(np.stack([red, blue], 1), codes.astype(np.float32) / np.float32(top))


def floored(codes: np.ndarray[Any, Any], top: int, floor_steps: int) -> np.ndarray[Any, Any]:
    """Red, green and blue [3, n] of mosaics whose first green and red, and second green and blue, have these codes."""
    levels = torch.from_numpy(codes).float() / top
    planes = torch.stack([levels[:, 0], levels[:, 0], levels[:, 1], levels[:, 1]])[:, None]
    return to_rgb(planes, floor_steps)[:, 0].numpy()


def test_the_index_rule_is_torchs_at_every_size() -> None:
    for source in (*range(1, 40), 400, 600, 1003, 2006, 3017):
        x = torch.arange(source, dtype=torch.float32)[None, None]
        for target in (*range(1, 40), 480, 512, 799, 800, 1203, 1333):
            expected = interpolate(x, size=target, mode="nearest")[0, 0]
            np.testing.assert_array_equal(nearest_index(source, target), expected.numpy(), err_msg=f"{source}→{target}")


@pytest.mark.parametrize("size", [(7, 5), (10, 14), (3, 3), (25, 9)])
def test_arrays_memory_maps_and_tensors_are_resized_alike(size: tuple[int, int], tmp_path: Path) -> None:
    planes = np.random.default_rng(0).integers(0, 65536, (4, 10, 14)).astype(np.uint16)
    np.save(tmp_path / "planes.npy", planes)
    mapped = np.load(tmp_path / "planes.npy", mmap_mode="r")
    expected = interpolate(torch.from_numpy(planes.astype(np.float32))[None], size=size, mode="nearest")[0].numpy()
    for seen in (resize(planes, size), resize(mapped, size)):
        assert seen.dtype == np.uint16
        np.testing.assert_array_equal(seen, expected)
    for dtype in (torch.int16, torch.int32, torch.uint8, torch.float32):
        tensor = torch.from_numpy(planes.astype(np.int64)).to(dtype)
        seen_tensor = resize(tensor, size)
        assert seen_tensor.dtype == dtype
        assert torch.equal(seen_tensor, torch.from_numpy(expected).to(torch.int64).to(dtype))


def test_nothing_is_copied_where_the_size_is_right() -> None:
    planes = np.zeros((4, 6, 8), dtype=np.uint16)
    assert resize(planes, (6, 8)) is planes


def test_resizing_and_quantizing_commute_bit_for_bit() -> None:
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 4096, (2, 4, 31, 47)).astype(np.int32))
    table = torch.rand(4096).sort().values  # any function of single samples

    def quantized(x: torch.Tensor) -> torch.Tensor:
        return table[x.long()]

    for size in ((20, 30), (64, 97)):
        assert torch.equal(quantized(resize(codes, size)), resize(quantized(codes), size))


def test_target_sizes_keep_the_aspect_and_the_limit() -> None:
    assert target_size(2006, 3017, 800) == (800, 1203)
    assert target_size(3017, 2006, 800) == (1203, 800)
    assert target_size(100, 1000, 800) == (133, 1333)
    assert target_size(96, 96, 96) == (96, 96)
    assert target_size(1, 5000, 1) == (1, 1333)
    for height, width in np.random.default_rng(0).integers(50, 4000, (200, 2)).tolist():
        for short in (480, 608, 800):
            h, w = target_size(height, width, short)
            assert min(h, w) <= short
            assert max(h, w) <= 1333
            assert min(h, w) == short or max(h, w) == 1333
            scale = min(short / min(height, width), 1333 / max(height, width))
            assert abs(h - height * scale) <= 0.5
            assert abs(w - width * scale) <= 0.5


def test_sizes_that_make_no_sense_are_refused() -> None:
    with refused(ValueError, "height=0", "width=5", "short_side=10", 1):
        target_size(0, 5, 10)
    with refused(ValueError, "longest=700", "short_side=800"):
        target_size(10, 10, 800, longest=700)
    with refused(ValueError, "source=3", "target=0", 1):
        nearest_index(3, 0)


def test_packing_and_resizing_import_no_torch() -> None:
    code = "import sys, numpy as np; from qsense.data.frames.geometry.bayer import pack; "
    code += "from qsense.data.frames.geometry.nearest import resize; "
    code += "resize(pack(np.zeros((4, 4))), (1, 1)); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
