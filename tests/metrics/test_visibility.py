"""Detectability: the formula, its limits, and what it says of the built-in scenes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.refusal import refused
from torch import Tensor

from qsense.data.frames.synthetic_raw import SyntheticRaw
from qsense.metrics.visibility import detectability, visible_share


def reference(values: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_], around: npt.NDArray[np.bool_]) -> float:
    """The formula for one object and one plane, literally."""
    o, b = values[inside], values[around]
    s = math.sqrt((len(o) * o.var() + len(b) * b.var()) / (len(o) + len(b)))
    n = len(o) * len(b) / (len(o) + len(b))
    return float(abs(o.mean() - b.mean()) / s * math.sqrt(min(n, 16)))


def squares(size: int = 24) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    inside = np.zeros((size, size), dtype=bool)
    inside[8:14, 9:15] = True
    around = np.zeros_like(inside)
    around[4:18, 5:19] = True
    around[7:15, 8:16] = False
    return inside, around


def test_it_is_the_formula_on_the_best_plane() -> None:
    rng = np.random.default_rng(0)
    inside, around = squares()
    values = rng.normal(0, 1, (4, 24, 24)).astype(np.float32)
    values[:, inside] += np.array([0.2, -0.9, 0.1, 0.4], dtype=np.float32)[:, None]
    expected = max(reference(plane.astype(np.float64), inside, around) for plane in values)
    d = detectability(torch.from_numpy(values), torch.from_numpy(inside[None]))
    assert d.dtype == torch.float64
    assert d.item() == pytest.approx(expected, rel=1e-9)


def test_more_samples_help_up_to_the_limit() -> None:
    rng = np.random.default_rng(0)
    inside, _ = squares()
    values = torch.from_numpy(rng.normal(0, 1, (1, 24, 24)) + inside)
    mask = torch.from_numpy(inside[None])
    few, many = (detectability(values, mask, pixels=pixels).item() for pixels in (4, 16))
    assert many == pytest.approx(2 * few)
    assert detectability(values, mask, pixels=1000).item() == detectability(values, mask, pixels=10**6).item()


def test_constant_areas_are_equal_or_fully_apart() -> None:
    inside, _ = squares()
    mask = torch.from_numpy(inside[None])
    flat = torch.full((1, 24, 24), 1 / 15)
    assert detectability(flat, mask).item() == 0
    assert detectability(flat + mask / 15, mask).item() == math.inf
    assert detectability(flat.double() * 3.3, mask).item() == 0


def test_another_object_is_no_background() -> None:
    masks = torch.zeros(2, 24, 24, dtype=torch.bool)
    masks[0, 4:8, 4:8] = True
    masks[1, 4:8, 9:13] = True  # within the first one's ring
    frame = torch.zeros(1, 24, 24)
    frame[0, ::2] = 0.1
    frame[0, 4:8, 4:8] += 1
    alone = detectability(frame, masks[:1]).item()
    frame[0, 4:8, 9:13] += 50
    assert detectability(frame, masks)[0].item() == pytest.approx(alone, rel=0.05)
    assert detectability(frame, masks[:1]).item() < alone / 3  # unknown, it disturbs


def test_objects_without_samples_do_not_count() -> None:
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[1, 2:4, 2:4] = True
    d = detectability(torch.rand(2, 8, 8), masks)
    assert d.isnan().tolist() == [True, False, True]
    assert detectability(torch.rand(2, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool)).isnan().all()
    assert detectability(torch.rand(2, 8, 8), masks[:0]).shape == (0,)
    assert visible_share(torch.tensor([math.nan, 7.0, 5.0])) == 0.5
    assert math.isnan(visible_share(torch.tensor([math.nan])))


def test_what_does_not_fit_is_refused() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    with refused(ValueError, "[8, 8]", "[1, 8, 8]", "[planes, h, w]", "[objects, h, w]"):
        detectability(torch.zeros(8, 8), masks)
    with refused(ValueError, "[4, 8, 9]", "[1, 8, 8]"):
        detectability(torch.zeros(4, 8, 9), masks)
    with refused(ValueError, "ring=0", "pixels=16", 1, "gap=0"):
        detectability(torch.zeros(4, 8, 8), masks, ring=0, gap=0)


def quantized(x: Tensor, curve: str) -> Tensor:
    """4 bits, floor, as in the image experiments of γ-Quant."""
    z = {"linear": x, "log": (4095 * x).log1p() / math.log(4096), "gamma": x**0.35}[curve]
    return (15 * z).floor().clamp(0, 15) / 15


@pytest.mark.parametrize(
    ("regime", "published", "order"),
    [
        ("hdr_low", {"linear": 0.01, "log": 0.66, "gamma": 0.61}, ("linear", "gamma", "log")),
        ("noise_floor", {"linear": 0.62, "log": 0.73, "gamma": 0.73}, ("linear", "gamma")),
        ("high_key", {"linear": 0.99, "log": 0.69, "gamma": 0.95}, ("log", "gamma", "linear")),
    ],
)
def test_the_gate_of_the_built_in_scenes_is_near_the_published_one(
    regime: Literal["hdr_low", "noise_floor", "high_key"], published: dict[str, float], order: tuple[str, ...]
) -> None:
    data = SyntheticRaw(regime, 192, 192, 150, 1, most=4, smallest=9.0, largest=20.0)
    found: dict[str, list[Tensor]] = {curve: [] for curve in published}
    for frame in data.frames("train"):
        x = torch.from_numpy(data.codes(frame).astype(np.float32) / 4095)
        masks = torch.from_numpy(data.masks(frame))
        for curve, d in found.items():
            d.append(detectability(quantized(x, curve), masks))
    shares = {curve: visible_share(torch.cat(d)) for curve, d in found.items()}
    for curve, share in shares.items():
        assert share == pytest.approx(published[curve], abs=0.17), curve
    assert sorted(order, key=lambda curve: shares[curve]) == list(order)
