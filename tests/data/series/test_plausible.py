"""Units, ranges and values for "missing": what contradicts the samples is named, and what fits is not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import assert_names

from qsense.data.series.dataset import ActivityDataset, Recording
from qsense.data.series.module import HARDataModule
from qsense.data.series.plausible import remarks
from qsense.data.series.prepared import _prepare
from qsense.data.series.synthetic_imu import SyntheticIMU

Floats = npt.NDArray[np.float64]
RANGE_G = (-8.0, 8.0)


class Given(ActivityDataset):
    name = "Given"
    classes = ("NULL", "walk")
    rate_hz = 50.0

    def __init__(self, x: Floats, unit: str = "g", range: tuple[float, float] | None = None) -> None:
        self.x, self.unit, self.range = x, unit, range
        self.axes = ("x", "y", "z", "u", "v", "w")[: x.shape[1]]
        self.num_subjects = 2

    def check(self) -> None:
        pass

    def fingerprint(self) -> str:
        return str(hash(self.x.tobytes()))

    def recordings(self) -> list[Recording]:
        y = np.zeros(len(self.x), dtype=np.int64)
        return [Recording(subject, "", self.x.astype(np.float32), y) for subject in (0, 1)]


def worn(rows: int = 3000, moving: float = 0.6, seed: int = 0) -> Floats:
    """An accelerometer in g: mostly at rest in changing postures, sometimes moving."""
    rng = np.random.default_rng(seed)
    posture = rng.normal(size=(rows // 100, 3)).repeat(100, axis=0)
    posture /= np.linalg.norm(posture, axis=1, keepdims=True)
    strength = rng.choice([0.02, 0.02, 0.02, moving], rows // 100).repeat(100)[:, None]
    return np.asarray(posture + strength * rng.normal(size=(rows, 3)))


def turning(rows: int = 3000, seed: int = 0) -> Floats:
    """A gyroscope in rad/s."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(rows, 3)) * rng.choice([0.05, 0.1, 2.0], (rows, 1)))


def with_values(x: Floats, *values: float, every: int = 37) -> Floats:
    x = x.copy()
    for number, value in enumerate(values):
        x[number::every, 0] = value
    return x


def said(data: ActivityDataset) -> list[str]:
    return remarks(data, dict(_prepare(data)))


@pytest.mark.parametrize(
    ("x", "unit", "range", "named"),
    [
        (1000 * worn(), "g", RANGE_G, ("mg", "g", -8, 8)),
        (1000 * worn(), "g", None, ("mg", "data.dataset.unit")),
        (9.81 * worn(), "g", (-2.0, 2.0), ("m/s²", "data.dataset.range")),
        (9.81 * worn(), "g", (-16.0, 16.0), ("m/s²",)),
        (9.81 * worn(), "g", None, ("m/s²",)),
        (worn(), "m/s²", None, ("g",)),
        (worn(), "m/s2", (-78.5, 78.5), ("g",)),
        (worn(), "g", (-78.5, 78.5), ("g", "m/s²", "data.dataset.range")),
        (worn(), "mg", (-8000.0, 8000.0), ("g",)),
        (16384 * worn(), "g", (-2.0, 2.0), ("16384 per g",)),
        (4096 * worn(), "g", None, ("4096 per g",)),
        (180 / np.pi * turning(), "rad/s", (-34.9, 34.9), ("°/s", "rad/s")),
        (turning(), "deg/s", (-2000.0, 2000.0), ("°/s", "rad/s")),
        (turning(), "dps", (-1000.0, 1000.0), ("rad/s",)),
        (1e4 * turning(), "furlong", (-3.0, 3.0), ("range", "counts")),
        (0.01 * turning(), "V", (-10.0, 10.0), ("V",)),
        (0.004 * turning(), "g", (-16.0, 16.0), ("data.dataset.range",)),  # 1 % of the range
        (np.hstack([1000 * worn(), 1000 * worn(seed=1)]), "g", RANGE_G, ("mg",)),
    ],
)
def test_another_unit_is_named(
    x: Floats, unit: str, range: tuple[float, float] | None, named: tuple[object, ...]
) -> None:
    (remark,) = said(Given(x, unit, range))
    assert_names(remark, *named)
    assert len(remark) < 300


@pytest.mark.parametrize("range", [None, RANGE_G])
@pytest.mark.parametrize(
    ("values", "every", "named"),
    [
        ((-999.0,), 37, ("x", -999, "data.dataset.missing")),
        ((-9999.0,), 3000, (-9999, "x")),
        ((999.0,), 5, (999,)),
        ((-99.0,), 37, (-99,)),
        ((32767.0,), 37, (32767,)),
        ((32767.0, -32768.0), 37, (-32768, 32767)),
        ((-999.0, 32767.0), 37, (-999, 32767)),
        ((-9999.0, 9999.0), 37, (-9999, 9999)),
        ((1e9,), 2999, ("1e+09",)),
        ((-5000.0, -5003.0, -5010.0), 300, (-5010, -5003, -5000)),
    ],
)
def test_values_far_from_all_others_are_named(
    values: tuple[float, ...], every: int, named: tuple[object, ...], range: tuple[float, float] | None
) -> None:
    (remark,) = said(Given(with_values(worn(), *values, every=every), range=range))
    assert_names(remark, *named)


def test_wild_values_in_another_unit_are_both_named() -> None:
    wild, unit = said(Given(with_values(1000 * worn(), 1e8), range=RANGE_G))
    assert_names(wild, "1e+08")
    assert_names(unit, "mg")


@pytest.mark.parametrize(
    "data",
    [
        Given(worn()),
        Given(worn(), range=RANGE_G),
        Given(np.clip(worn(moving=3.0), -2, 2), range=(-2.0, 2.0)),
        Given(worn(), range=(-16.0, 16.0)),
        Given(worn(moving=0.02), range=(-16.0, 16.0)),
        Given(9.81 * worn(), "m/s²", (-78.5, 78.5)),
        Given(1000 * worn(), "mg", (-8000.0, 8000.0)),
        Given(turning(), "rad/s", (-34.9, 34.9)),
        Given(180 / np.pi * turning(), "°/s", (-2000.0, 2000.0)),
        Given(turning() * 9, "g"),  # no posture shows gravity: nothing to go by
        Given(worn()[:, :2], range=RANGE_G),
        Given(np.random.default_rng(0).standard_t(2, (3000, 3)), "V"),  # heavy tails
        Given(np.random.default_rng(0).exponential(1, (3000, 1)) ** 3, "V"),
        Given(np.random.default_rng(0).integers(0, 2, (3000, 3)).astype(float), "V"),  # a switch
        Given((np.random.default_rng(0).random((3000, 1)) < 0.01).astype(float), "V"),
        Given(np.random.default_rng(0).integers(0, 4096, (3000, 3)).astype(float), "LSB", (0.0, 4095.0)),
        Given(np.zeros((300, 3)), "V"),
        Given(np.ones((1, 1)), "V"),
        Given(np.vstack([worn(), worn() * 0 + 2.5]), range=RANGE_G),
        SyntheticIMU(subjects=2, minutes=4),
        SyntheticIMU(subjects=2, minutes=4, full_scale=16),
        SyntheticIMU(subjects=2, minutes=4, full_scale=2, adc_bits=3),
    ],
)  # fmt: skip
def test_what_fits_is_not_named(data: ActivityDataset) -> None:
    assert said(data) == []


@pytest.mark.parametrize("normalise", ["dataset", "train", "range", "none"])
def test_one_warning_at_the_start_whatever_the_normalisation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, normalise: Any
) -> None:
    for _ in range(2):  # also where the samples come from the cache
        caplog.clear()
        data = HARDataModule(Given(1000 * worn(), range=RANGE_G), normalise=normalise, cache=str(tmp_path))
        with caplog.at_level(logging.WARNING, logger="qsense.data"):
            data.setup()
        (record,) = [record for record in caplog.records if "mg" in record.getMessage()]
        assert_names(record.getMessage(), "Given", "mg")
