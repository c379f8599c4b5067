"""What is stated about a set of raw files: the arguments of all such sets, and the `RawFormat` that they make.

Open it to add an argument that all sets of raw files take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from qsense.data.frames.files.headless import Layout
from qsense.data.frames.files.mosaic_files import Area, RawFormat
from qsense.data.frames.geometry.placing import Crop
from qsense.runs.words import did_you_mean


class RawSettings(TypedDict, total=False):
    """The arguments of every set of raw files but `root`; `RawFrames` says what they mean."""

    native_bits: int | None
    levels: Literal["camera"] | Mapping[str, Any]
    pattern: str | None
    headless: Mapping[str, Any] | None
    area: Area
    crop: Crop
    orientation: Literal["exif", "stored"]
    subtract_black: bool
    extension: str | None
    strict: bool


def stated_format(
    native_bits: int | None,
    levels: Literal["camera"] | Mapping[str, Any],
    pattern: str | None,
    headless: Mapping[str, Any] | None,
    area: Area,
) -> RawFormat:
    """How files are read by the arguments of `RawFrames`.

    Raises:
        ValueError: an argument out of its range.
    """
    black, white = _levels(levels)
    return RawFormat(native_bits, black, white, pattern, _layout(headless), area)


def _levels(levels: Any) -> tuple[Any, int | None]:
    """Black and white as stated; None for the camera's."""
    if levels == "camera":
        return None, None
    if not isinstance(levels, Mapping) or not levels or not set(levels) <= {"black", "white"}:
        raise ValueError(f"levels={levels} must be camera, or a mapping of counts: {{black: 512, white: 16383}}")
    black = levels.get("black")
    numbers = [*(black if isinstance(black, list | tuple) else [black]), levels.get("white")]
    if not all(number is None or type(number) is int for number in numbers):
        raise ValueError(f"levels={levels} must have whole numbers of counts: {{black: 512, white: 16383}}")
    return tuple(black) if isinstance(black, list | tuple) else black, levels.get("white")


def _layout(headless: Mapping[str, Any] | None) -> Layout | None:
    if headless is None:
        return None
    known = tuple(Layout.__dataclass_fields__)
    if not isinstance(headless, Mapping):
        raise ValueError(f"headless={headless} must be a mapping such as {{height: 1856, width: 2880, sample: 3}}")
    if unknown := [key for key in headless if key not in known]:
        near = did_you_mean(str(unknown[0]), known)
        raise ValueError(f"headless has {', '.join(map(str, unknown))}{near}: it may have {', '.join(known)}")
    if missing := [key for key in ("height", "width") if key not in headless]:
        raise ValueError(f"headless lacks {' and '.join(missing)}: {{height: 1856, width: 2880, sample: 3}}")
    return Layout(**headless)
