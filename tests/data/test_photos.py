"""Image files of every depth, mode, orientation and damage: a half-bright ramp is half bright, or is refused."""

from __future__ import annotations

import io
import logging
import struct
import sys
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data import photos
from qsense.data.depth import DEEP, eight_bits
from qsense.data.errors import DataError
from qsense.data.photos import TURNS, DamagedPhoto, Header, check_reading, look, read_otherwise, read_photo

Array = npt.NDArray[Any]
RAMP = np.tile(np.linspace(0, 1, 64), (4, 1))


def ramp(full: float, dtype: npt.DTypeLike) -> Array:
    values = RAMP * full
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(values).astype(dtype)


def saved(file: Path, values: Array, **settings: Any) -> None:
    Image.fromarray(values).save(file, **settings)


def png(file: Path, values: Array, kind: int, behind: bytes = b"") -> None:
    """PNG of 16 bits: grey (kind 0), RGB (2), grey and alpha (4), RGBA (6); `behind`: EXIF after the pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values.reshape(height, -1))
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        (b"IDAT", zlib.compress(rows)),
        *([(b"eXIf", behind)] if behind else []),
        (b"IEND", b""),
    ]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def tiff(file: Path, values: Array, bits: int, sample: int = 1, photometric: int = 1, width: int | None = None) -> None:
    """Uncompressed grey TIFF; `sample`: 1 unsigned, 2 signed, 3 floating point; `photometric`: 0 has 0 for white."""
    data = values.tobytes()
    height, width = len(values), width or values.shape[1]
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
            (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, sample)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    file.write_bytes(head + data + struct.pack("<H", len(tags)) + entries + bytes(4))


def twelve_bits(file: Path) -> None:
    pairs = ramp(4095, np.uint16).reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
    tiff(file, packed.astype(np.uint8).reshape(len(RAMP), -1), 12, width=RAMP.shape[1])


def colours(values: Array, channels: int = 3) -> Array:
    return np.repeat(values[..., None], channels, 2)


def with_alpha(values: Array, full: int) -> Array:
    return np.concatenate([values, np.full_like(values[..., :1], full)], axis=2)


WRITERS: dict[str, Callable[[Path], object]] = {
    "l.png": lambda file: saved(file, ramp(255, np.uint8)),
    "l.bmp": lambda file: saved(file, ramp(255, np.uint8)),
    "l.jpg": lambda file: saved(file, ramp(255, np.uint8), quality=95),
    "la.png": lambda file: Image.fromarray(ramp(255, np.uint8)).convert("LA").save(file),
    "rgb.png": lambda file: saved(file, colours(ramp(255, np.uint8))),
    "rgba.png": lambda file: saved(file, with_alpha(colours(ramp(255, np.uint8)), 255)),
    "rgb.webp": lambda file: saved(file, colours(ramp(255, np.uint8)), lossless=True),
    "rgb.gif": lambda file: saved(file, colours(ramp(255, np.uint8))),
    "rgb.jfif": lambda file: saved(file, colours(ramp(255, np.uint8)), format="JPEG", quality=95),
    "rgb.tga": lambda file: saved(file, colours(ramp(255, np.uint8))),
    "rgb.qoi": lambda file: saved(file, colours(ramp(255, np.uint8))),
    "palette.png": lambda file: Image.fromarray(colours(ramp(255, np.uint8))).quantize(64).save(file),
    "one.png": lambda file: Image.fromarray(ramp(255, np.uint8)).convert("1").save(file),
    "one.pbm": lambda file: Image.fromarray(ramp(255, np.uint8)).convert("1").save(file),
    "cmyk.jpg": lambda file: Image.fromarray(colours(ramp(255, np.uint8))).convert("CMYK").save(file, quality=95),
    "cmyk.tif": lambda file: Image.fromarray(colours(ramp(255, np.uint8))).convert("CMYK").save(file),
    "ycbcr.tif": lambda file: Image.fromarray(colours(ramp(255, np.uint8))).convert("YCbCr").save(file),
    "i16.png": lambda file: saved(file, ramp(65535, np.uint16)),
    "i16.tif": lambda file: saved(file, ramp(65535, np.uint16)),
    "i16.jp2": lambda file: saved(file, ramp(65535, np.uint16)),
    "i16b.tif": lambda file: Image.frombytes("I;16B", (64, 4), ramp(65535, ">u2").tobytes()).save(file),
    "i16-deflated.tif": lambda file: saved(file, ramp(65535, np.uint16), compression="tiff_deflate"),
    "i16.pgm": lambda file: file.write_bytes(b"P5 64 4 65535\n" + ramp(65535, ">u2").tobytes()),
    "i12.pgm": lambda file: file.write_bytes(b"P5 64 4 4095\n" + ramp(4095, ">u2").tobytes()),
    "rgb12.ppm": lambda file: file.write_bytes(b"P6 64 4 4095\n" + colours(ramp(4095, ">u2")).tobytes()),
    "i12.tif": twelve_bits,
    "white-is-zero.tif": lambda file: tiff(file, ramp(65535, "<u2")[:, ::-1].copy(), 16, photometric=0),
    "signed16.tif": lambda file: tiff(file, ramp(32767, "<i2"), 16, sample=2),
    "rgb16.png": lambda file: png(file, colours(ramp(65535, np.uint16)), 2),
    "la16.png": lambda file: png(file, with_alpha(ramp(65535, np.uint16)[..., None], 65535), 4),
    "rgba16.png": lambda file: png(file, with_alpha(colours(ramp(65535, np.uint16)), 65535), 6),
    "f.tif": lambda file: saved(file, ramp(1, np.float32)),
    "f.pfm": lambda file: saved(file, ramp(1, np.float32)),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("grey", [False, True])
def test_a_half_bright_ramp_is_half_bright_in_every_file(tmp_path: Path, name: str, grey: bool) -> None:
    if name.endswith(".qoi") and "QOI" not in {*Image.registered_extensions().values()} & {*Image.SAVE}:
        pytest.skip("this Pillow writes no QOI")
    WRITERS[name](tmp_path / name)
    image = read_photo(tmp_path / name, grey=grey)
    values = np.asarray(image)
    assert image.mode == ("L" if grey else "RGB")
    assert values.dtype == np.uint8
    assert values.mean() == pytest.approx(127.5, abs=2.5)
    if "one" not in name:
        np.testing.assert_allclose(values[0].reshape(64, -1)[:, 0], RAMP[0] * 255, atol=8 if "jp" in name else 4)


@pytest.mark.parametrize("mode", Image.MODES)
def test_a_half_bright_ramp_is_half_bright_in_every_mode(mode: str) -> None:
    """Those as well that no format writes; what cannot be converted is refused."""
    source = Image.fromarray(colours(ramp(255, np.uint8)))
    if mode in DEEP:
        full = 1 if mode == "F" else 65535
        kind = {"F": "f4", "I": "i4", "I;16B": ">u2"}.get(mode, "<u2")
        image = Image.frombytes(mode, (64, 4), ramp(full, kind).tobytes())
        if mode == "I":
            with refused(DataError, "a.x", "32 bits", "data.dataset.full_scale=…"):
                eight_bits("a.x", image, None)
        plain = eight_bits("a.x", image, float(full)).convert("RGB")
    elif mode == "LAB":
        with refused(DataError, "a.x", "L*a*b*"):
            eight_bits("a.x", Image.new("LAB", (4, 4)), None)
        return
    else:
        steps = {"La": ("LA", "La"), "RGBa": ("RGBA", "RGBa"), "PA": ("PA",), "LA": ("LA",)}.get(mode, (mode,))
        image = source.convert("L") if mode in ("La", "LA") else source
        for step in steps:
            image = image.convert(step)
        plain = eight_bits("a.x", image, None).convert("RGB")
    assert np.asarray(plain).mean() == pytest.approx(127.5, abs=2.5)


@pytest.mark.parametrize(
    ("name", "write", "full_scale"),
    [
        ("camera.png", lambda file: saved(file, ramp(4095, np.uint16)), 4095),
        ("camera.tif", lambda file: saved(file, ramp(1023, np.uint16)), 1023),
        ("counts.tif", lambda file: saved(file, ramp(65535, np.int32)), 65535),
        ("percent.tif", lambda file: saved(file, ramp(100, np.float32)), 100),
        ("radiance.pfm", lambda file: saved(file, ramp(7.5, np.float32)), 7.5),
        ("plain.png", lambda file: saved(file, ramp(255, np.uint8)), 4095),  # of 8 bits: their own
    ],
)
def test_white_may_be_stated(tmp_path: Path, name: str, write: Callable[[Path], None], full_scale: float) -> None:
    write(tmp_path / name)
    values = np.asarray(read_photo(tmp_path / name, full_scale=full_scale))
    np.testing.assert_allclose(values[0, :, 0], RAMP[0] * 255, atol=1)


@pytest.mark.parametrize(
    ("write", "full_scale", "named"),
    [
        (lambda file: saved(file, ramp(255, np.float32)), None, (0, 255, 1, "data.dataset.full_scale=…")),
        (lambda file: saved(file, ramp(2, np.float32) - 1), None, (-1, 1, "data.dataset.full_scale=…")),
        (lambda file: saved(file, ramp(1, np.float32) / 0 * 0), None, ("nan",)),
        (lambda file: saved(file, ramp(5000, np.uint16)), 4095, (5000, 4095)),
        (lambda file: saved(file, ramp(1000, np.int32)), None, ("32 bits", "data.dataset.full_scale=…")),
        (lambda file: tiff(file, ramp(2**32 - 1, "<u4"), 32), 2**32 - 1, ("from",)),  # Pillow reads them as signed
        (lambda file: tiff(file, ramp(60000, "<i4").astype("<i2") - 1, 16, sample=2), None, (32767,)),
        (lambda file: tiff(file, ramp(127, "<i1"), 8, sample=2), None, ("signed", "0 … 255")),
        (lambda file: png(file, colours(ramp(4095, np.uint16)), 2), 4095, ("data.dataset.full_scale=4095", "16 bits")),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_values_beyond_full_scale_are_refused_and_not_cut_off(
    tmp_path: Path, write: Callable[[Path], None], full_scale: float | None, named: tuple[object, ...]
) -> None:
    file = tmp_path / ("a.png" if "16 bits" in named else "a.tif")
    write(file)
    with refused(DataError, file, *named) as caught:
        read_photo(file, full_scale=full_scale)
    assert not isinstance(caught.value, DamagedPhoto)


@pytest.mark.parametrize(
    "kind", ["la.png", "rgba.png", "palette.png", "palette.gif", "key.png", "rgba.webp", "rgba.tif"]
)
def test_transparent_pixels_lie_over_white(tmp_path: Path, kind: str) -> None:
    """Black ink on nothing is seen black on white, and was all black."""
    ink = np.zeros((8, 8, 4), dtype=np.uint8)
    ink[2:6, 2:6, 3] = 255
    image = Image.fromarray(ink)
    if kind == "la.png":
        image.convert("LA").save(tmp_path / kind)
    elif kind == "palette.png":
        image.quantize(4).save(tmp_path / kind)
    elif kind == "key.png":  # a colour that stands for nothing
        Image.fromarray(np.where(ink[..., 3:], np.uint8(0), np.uint8(9)).repeat(3, 2)).save(
            tmp_path / kind, transparency=(9, 9, 9)
        )
    else:
        image.save(tmp_path / kind, lossless=True, exact=True)  # which webp alone knows
    expected = np.where(ink[..., 3:], 0, 255).repeat(3, 2)
    np.testing.assert_array_equal(np.asarray(read_photo(tmp_path / kind)), expected)
    header = look(tmp_path / kind)
    assert read_otherwise(tmp_path / kind, header, 1, None) == ["alpha"]


def test_half_transparent_pixels_are_half_white(tmp_path: Path) -> None:
    Image.new("RGBA", (3, 3), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert np.asarray(read_photo(tmp_path / "a.png", grey=True)).mean() == pytest.approx(127, abs=1)


SEEN = np.zeros((6, 9, 3), dtype=np.uint8)
SEEN[:2, :4] = 255  # bright at the top left, so that no turn looks like another
SEEN[4:, 7:] = 100


def stored(orientation: int) -> Image.Image:
    """What a camera stores that is held so that `SEEN` is seen by this EXIF number."""
    back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image = Image.fromarray(SEEN)
    return image if orientation == 1 else image.transpose(back.get(orientation) or TURNS[orientation])


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[photos.ORIENTATION] = orientation
    return made.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["png", "webp", "jpg", "tif"])
def test_a_picture_is_turned_as_it_says(tmp_path: Path, orientation: int, end: str) -> None:
    file = tmp_path / f"a.{end}"
    settings: dict[str, Any] = {"tif": {"tiffinfo": {photos.ORIENTATION: orientation}}}.get(
        end, {"exif": exif(orientation), "lossless": True, "quality": 95, "subsampling": 0}
    )
    stored(orientation).save(file, **settings)
    turned = np.asarray(read_photo(file)).astype(int)
    np.testing.assert_allclose(turned, SEEN, atol=12 if end == "jpg" else 0)
    header = look(file)
    assert header is not None
    if end != "tif":
        assert (header.orientation, header.size) == (orientation, stored(orientation).size)
        np.testing.assert_allclose(
            np.asarray(read_photo(file, turn=1)).astype(int),
            np.asarray(stored(orientation)),
            atol=12 if end == "jpg" else 0,
        )
    else:  # Pillow has turned it already
        assert (header.orientation, header.size) == (1, (9, 6))
    words = read_otherwise(file, header, header.orientation, None)
    assert words == ([] if orientation == 1 or end == "tif" else ["turned", orientation])


def test_an_orientation_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    png(tmp_path / "a.png", colours(ramp(65535, np.uint16)), 2, behind=exif(6).removeprefix(b"Exif\0\0"))
    assert look(tmp_path / "a.png") == Header((64, 4), 6)
    assert read_photo(tmp_path / "a.png").size == (4, 64)


@pytest.mark.parametrize("content", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", exif(0), exif(9), exif(77)])
def test_nonsense_about_the_orientation_turns_nothing(tmp_path: Path, content: bytes) -> None:
    Image.fromarray(SEEN).save(tmp_path / "a.jpg", exif=content)
    assert look(tmp_path / "a.jpg") == Header((9, 6))
    assert read_photo(tmp_path / "a.jpg").size == (9, 6)


def encoded(kind: str, size: tuple[int, int] = (64, 64), **settings: Any) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, kind, **settings)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("page.jpg", b"<!DOCTYPE html><html>404</html>"),
        ("half.jpg", encoded("JPEG")[:900]),
        ("half.png", encoded("PNG")[:900]),
        ("half.gif", encoded("GIF")[:900]),
        ("half.webp", encoded("WEBP")[:900]),
        ("half.tif", encoded("TIFF")[:900]),
        ("half.bmp", encoded("BMP")[:900]),
        ("zeros.png", bytes(2000)),
        ("companion.png", b"\0\5\26\7"),
        ("none.ppm", b"P6 0 0 255\n"),
        ("stub.png", encoded("PNG")[:8]),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(DamagedPhoto, tmp_path / name):
        read_photo(tmp_path / name)
    look(tmp_path / name)  # tells nothing, at least


def test_missing_files_and_decompression_bombs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused(DamagedPhoto, tmp_path / "nowhere.png"):
        read_photo(tmp_path / "nowhere.png")
    assert look(tmp_path / "nowhere.png") is None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "large.png").write_bytes(encoded("PNG"))
    with refused(DamagedPhoto, tmp_path / "large.png", 4096, 200):
        read_photo(tmp_path / "large.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_wrong_extension_does_no_harm(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.bmp").write_bytes(encoded(kind))
    assert read_photo(tmp_path / "a.bmp").size == (64, 64)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_pictures_the_first_is_taken_with_a_word(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_told", set())
    file = tmp_path / f"a.{kind.lower()}"
    first, second = (Image.new("RGB", (8, 8), value) for value in ("white", "black"))
    first.save(file, kind, save_all=True, append_images=[second, first, second])
    for _ in range(2):
        assert np.asarray(read_photo(file)).min() == 255
    assert len(caplog.records) == 1
    assert_names(caplog.text, file, 4)


def test_a_phone_photo_with_its_preview_needs_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (8, 8), "white").save(
        tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))]
    )
    with caplog.at_level(logging.WARNING):
        assert read_photo(tmp_path / "a.jpg").size == (8, 8)
    assert not caplog.records


def test_with_its_package_heic_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("pillow_heif")
    package.__spec__ = types.SimpleNamespace(name="pillow_heif")  # type: ignore[assignment]
    known = {**Image.registered_extensions(), ".heic": "HEIF"}
    monkeypatch.setattr(Image, "registered_extensions", lambda: known)
    package.register_heif_opener = lambda: monkeypatch.setitem(Image.OPEN, "HEIF", None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    assert ".heic" in photos.suffixes.__wrapped__()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("upright", None), ("orientation='upright'", "exif", "stored")),
        (("exif", 0.0), ("full_scale=0.0", 0)),
        (("exif", float("inf")), ("full_scale=inf",)),
        (("exif", float("nan")), ("full_scale=nan",)),
    ],
)
def test_ways_of_reading_are_checked(arguments: tuple[str, float | None], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        check_reading(*arguments)
