"""Camera raw files: all four patterns, levels, options, real files, and those that cannot be decoded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.frames.files.cfa import is_bayer
from qsense.data.frames.files.headless import Layout, read_headless
from qsense.data.frames.files.raw_files import (
    CameraConversion,
    corrected,
    demosaicked,
    read_mosaic,
    srgb,
)
from qsense.data.frames.files.tiff_tags import stated_mosaic
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.geometry.stored_sizes import ShortSides
from qsense.signal import BAYER

WriteDng = Callable[..., Path]


@pytest.fixture
def mosaic() -> npt.NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 4096, (40, 60)).astype(np.uint16)


@pytest.mark.parametrize("pattern", BAYER)
def test_every_pattern_is_read_with_its_levels(
    tmp_path: Path, mosaic: npt.NDArray[np.uint16], pattern: str, write_dng: WriteDng
) -> None:
    # Levels at the places of the cell, so that each colour's level is its own.
    levels = {"R": 10, "G": 20, "B": 40}
    black = tuple(levels[colour] for colour in pattern)
    found = read_mosaic(write_dng(tmp_path / "a.dng", mosaic, pattern, black, white=3800))
    np.testing.assert_array_equal(found.codes, mosaic)
    assert found.codes.dtype == np.uint16
    assert found.pattern == pattern
    assert found.black == (10, 20, 20, 40)
    assert found.white == 3800
    assert found.gains == (2.0, 1.0, 1.0, 4.0)


def test_greens_keep_their_own_levels(tmp_path: Path, mosaic: npt.NDArray[np.uint16], write_dng: WriteDng) -> None:
    assert read_mosaic(write_dng(tmp_path / "a.dng", mosaic, "RGGB", (1, 2, 3, 4))).black == (1, 2, 3, 4)
    assert read_mosaic(write_dng(tmp_path / "b.dng", mosaic, "GBRG", (1, 2, 3, 4))).black == (3, 4, 1, 2)


@pytest.mark.parametrize("active", [(1, 1, 39, 59), (2, 4, 38, 56), (3, 2, 39, 58)])
def test_a_frame_within_margins_keeps_its_colours_apart(
    tmp_path: Path, active: tuple[int, int, int, int], write_dng: WriteDng
) -> None:
    """Red 100, green 200, blue 300, whatever LibRaw takes for the visible area."""
    planes = np.empty((40, 60), dtype=np.uint16)
    top, left = active[0] % 2, active[1] % 2
    planes[:] = 200
    planes[top::2, left::2] = 100
    planes[1 - top :: 2, 1 - left :: 2] = 300
    found = read_mosaic(write_dng(tmp_path / "a.dng", planes, "RGGB", active=active))
    assert found.codes.shape[0] % 2 == found.codes.shape[1] % 2 == 0
    assert [np.unique(plane).tolist() for plane in pack(found.codes, found.pattern)] == [[100], [200], [200], [300]]


@pytest.mark.parametrize("subtract_black", [False, True])
@pytest.mark.parametrize("white_balance", [False, True])
def test_planes_and_linear_colours_agree_on_a_plain_frame(
    tmp_path: Path, subtract_black: bool, white_balance: bool, write_dng: WriteDng
) -> None:
    file = write_dng(tmp_path / "a.dng", np.full((40, 60), 1000, dtype=np.uint16), black=(10, 20, 20, 40))
    made = {}
    for image in ("planes", "demosaicked"):
        convert = CameraConversion((file,), (40, 60), image, 12, 800, subtract_black, white_balance)
        codes = convert(0).codes
        made[image] = codes[:, 5, 5] / (4095 if image == "planes" else 65535)
    expected = np.array([1000.0, 1000, 1000, 1000])
    if subtract_black:
        expected -= [10, 20, 20, 40]
    if white_balance:
        expected *= [2, 1, 1, 4]
    expected = np.minimum(expected / 4095, 1)
    np.testing.assert_allclose(made["planes"], expected, atol=1e-9)
    np.testing.assert_allclose(made["demosaicked"], expected[[0, 1, 3]], atol=3e-5)


def test_nothing_goes_below_zero_or_beyond_the_range() -> None:
    planes = np.array([[[0, 99, 101, 4095]]], dtype=np.uint16)
    assert corrected(planes, 12, [100], None).tolist() == [[[0, 0, 1, 3995]]]
    assert corrected(planes, 12, None, [2.0]).tolist() == [[[0, 198, 202, 4095]]]
    assert corrected(planes, 12, None, None) is planes


def test_srgb_is_not_turned_upright(tmp_path: Path, mosaic: npt.NDArray[np.uint16], write_dng: WriteDng) -> None:
    plain = srgb(write_dng(tmp_path / "a.dng", mosaic))
    turned = srgb(write_dng(tmp_path / "b.dng", mosaic, orientation=6))
    assert plain.shape == (3, 40, 60)
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain, turned)
    assert demosaicked(write_dng(tmp_path / "c.dng", mosaic, orientation=6), 12).shape == (3, 40, 60)


def test_a_conversion_packs_shrinks_and_notes_facts(
    tmp_path: Path, mosaic: npt.NDArray[np.uint16], write_dng: WriteDng
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic, "BGGR", (7, 7, 7, 7))
    whole = CameraConversion((file,), (40, 60), "planes", 12, 800, False, False)(0)
    np.testing.assert_array_equal(whole.codes, pack(mosaic, "BGGR"))
    assert whole.facts == {"pattern": "BGGR", "black": (7, 7, 7, 7), "white": 4095, "gains": (2.0, 1.0, 1.0, 4.0)}
    small = CameraConversion((file,), (40, 60), "planes", 12, 10, False, False)(0).codes
    np.testing.assert_array_equal(small, pack(mosaic, "BGGR")[:, ::2, ::2])
    colours = CameraConversion((file,), (40, 60), "srgb", 12, 20, False, False)(0).codes
    assert colours.shape == (3, 20, 30)
    assert colours.dtype == np.uint8


@pytest.mark.parametrize("options", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("image", ["planes", "demosaicked", "srgb"])
def test_a_file_is_decoded_once_for_all_its_sizes(
    tmp_path: Path, mosaic: npt.NDArray[np.uint16], image: Any, options: tuple[bool, bool], write_dng: WriteDng
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic)
    native = CameraConversion((file,), (40, 60), image, 12, None, *options)(0).codes
    sides = ShortSides((5, 8, 13), 30)
    packed = CameraConversion((file,), (40, 60), image, 12, sides, *options)(0).codes
    assert packed.dtype == native.dtype
    assert np.array_equal(packed, sides.packed(native))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.999])
def test_truncated_files_are_named(
    tmp_path: Path, mosaic: npt.NDArray[np.uint16], share: float, write_dng: WriteDng
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    for read in (read_mosaic, srgb, lambda name: demosaicked(name, 12)):
        with refused(DataError, file):
            read(file)


def test_what_is_no_raw_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nef").write_text("nothing" * 1000)
    with refused(DataError, tmp_path / "a.nef", "Unsupported"):
        read_mosaic(tmp_path / "a.nef")
    with refused(DataError, tmp_path / "b.nef"):
        read_mosaic(tmp_path / "b.nef")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"size": (40, 62)}, ("40 × 60", "40 × 62")),
        ({"bits": 10}, ("10 bits",)),
    ],
)
def test_frames_of_another_camera_are_refused(
    tmp_path: Path,
    mosaic: npt.NDArray[np.uint16],
    arguments: dict[str, Any],
    named: tuple[object, ...],
    write_dng: WriteDng,
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic)
    settings: dict[str, Any] = {"size": (40, 60), "image": "planes", "bits": 12, "short_side": 800}
    with refused(DataError, file, *named):
        CameraConversion((file,), **{**settings, **arguments}, subtract_black=False, white_balance=False)(0)


@pytest.mark.parametrize(
    ("pattern", "repeat", "colours", "named"),
    [
        ("RRGGRRGGGGBBGGBB", (4, 4), "RGB", ("RRGG RRGG GGBB GGBB", "quad Bayer")),
        ("GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG", (6, 6), "RGB", ("6 × 6", "X-Trans")),
        ("RGWB", (2, 2), "RGBW", ("RG WB", "RGBW")),
        ("RGGW", (2, 2), "RGW", ("RG GW", "RGBW")),
        ("WGWRGWRWWBWGBWGW", (4, 4), "RGBW", ("WGWR GWRW WBWG BWGW", "RGBW")),
        ("RCCB", (2, 2), "RCB", ("RC CB", "2 × 2")),
        ("CYGM", (2, 2), "CYGM", ("CY GM", "2 × 2")),
        ("RGGBW", (1, 5), "RGBW", ("RGGBW", "1 × 5")),
        ("RGGBRGBG", (4, 2), "RGB", ("RG GB RG BG", "4 × 2")),
        ("RGGBRGGBRGGBGRBG", (8, 2), "RGB", ("RG GB RG GB RG GB GR BG", "8 × 2")),
        ("RGRGGBGBRGRGGBGR", (4, 4), "RGB", ("RGRG GBGB RGRG GBGR", "4 × 4")),
    ],
)
def test_mosaics_that_only_begin_like_bayer_are_refused_by_name(
    tmp_path: Path,
    mosaic: npt.NDArray[np.uint16],
    write_dng: WriteDng,
    pattern: str,
    repeat: tuple[int, int],
    colours: str,
    named: tuple[str, ...],
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic, pattern, repeat=repeat, colours=colours)
    with refused(DataError, file, "RGGB, BGGR, GRBG, GBRG", *named):
        read_mosaic(file)


@pytest.mark.parametrize(("pattern", "repeat"), [("GRBG", (2, 2)), ("GRGRBGBG", (2, 4)), ("GRBGGRBG", (4, 2))])
def test_a_bayer_cell_may_be_stated_more_than_once(
    tmp_path: Path, mosaic: npt.NDArray[np.uint16], write_dng: WriteDng, pattern: str, repeat: tuple[int, int]
) -> None:
    file = write_dng(tmp_path / "a.dng", mosaic, pattern, repeat=repeat)
    assert is_bayer(stated_mosaic(file) or ())
    with file.open("rb+") as stream:  # the first directory is said to begin elsewhere
        stream.seek(4)
        stream.write(b"\xff\xff\xff\xff")
    assert stated_mosaic(file) is None


@pytest.mark.parametrize(
    "content", [b"", b"II*", b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff" + b"\x8d\x82" * 50, b"MM\0*" + b"\0" * 90]
)
def test_damaged_directories_state_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dng").write_bytes(content)
    assert stated_mosaic(tmp_path / "a.dng") is None


def test_the_real_files(real: Path) -> None:
    chart = read_mosaic(real / "colorchart.dng")
    assert (chart.codes.shape, chart.pattern, chart.black, chart.white) == ((1156, 1734), "RGGB", (2056,) * 4, 15000)
    assert (int(chart.codes.min()), int(chart.codes.max())) == (1958, 12128)
    assert int(corrected(pack(chart.codes), 14, chart.black, None).min()) == 0  # noise below black stays in the range
    kodak = read_mosaic(real / "kodak_dc50.kdc")
    assert (kodak.codes.shape, kodak.pattern, kodak.black, kodak.white) == ((512, 768), "GRBG", (0,) * 4, 16383)
    for file, shape in (("colorchart.dng", (3, 1156, 1734)), ("kodak_dc50.kdc", (3, 512, 768))):
        assert srgb(real / file).shape == demosaicked(real / file, 14).shape == shape
    headless = read_headless(real / "DSC_1339_768x512_rggb.raw", Layout(512, 768))
    assert (int(headless.min()), int(headless.max()), len(np.unique(headless))) == (616, 16383, 10319)


def test_colours_of_the_real_chart_are_those_of_its_planes(real: Path) -> None:
    """The linear image at red's places is red's plane, so the pattern is the right one."""
    chart = read_mosaic(real / "colorchart.dng")
    planes = pack(chart.codes, chart.pattern) / 16383
    colours = demosaicked(real / "colorchart.dng", 14)[:, : 2 * planes.shape[1], : 2 * planes.shape[2]] / 65535
    np.testing.assert_allclose(colours[0, 20:-20:2, 20:-20:2], planes[0, 10:-10, 10:-10], atol=1e-4)
    np.testing.assert_allclose(colours[2, 21:-20:2, 21:-20:2], planes[3, 10:-10, 10:-10], atol=1e-4)


@pytest.fixture
def real() -> Path:
    root = os.environ.get("QSENSE_DATA")
    if not root or not (Path(root) / "raw" / "colorchart.dng").is_file():
        pytest.skip("needs QSENSE_DATA with raw/colorchart.dng")
    return Path(root) / "raw"
