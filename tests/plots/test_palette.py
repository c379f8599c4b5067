"""The colours of pictures, as colour-blind readers see them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from qsense.plots.style import COLOURS, DODGE, MARKERS, WIDEST, dodge, mark

LEAST = 10.0  # ΔE2000 between any two colours; a difference of 1 can just be seen, in areas side by side

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear sRGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colour: str, sight: str) -> np.ndarray:
    """L*, a*, b* of a colour as somebody sees it."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    t = XYZ @ np.clip(np.array(SIGHT[sight]) @ linear, 0, 1) / WHITE
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def delta_e(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 (Sharma, Wu and Dalal 2005)."""
    mean_c = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    (l1, a1, b1), (l2, a2, b2) = one, other
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = np.arctan2(b1, a1 * stretch), np.arctan2(b2, a2 * stretch)
    apart = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi if c1 * c2 else 0.0
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, h1 + apart / 2 if c1 * c2 else h1 + h2
    t = 1 - 0.17 * np.cos(h - np.pi / 6) + 0.24 * np.cos(2 * h) + 0.32 * np.cos(3 * h + np.radians(6))
    t -= 0.2 * np.cos(4 * h - np.radians(63))
    turn = np.radians(60) * np.exp(-((((np.degrees(h) % 360) - 275) / 25) ** 2))
    dl = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc, dh = (c2 - c1) / (1 + 0.045 * c), 2 * np.sqrt(c1 * c2) * np.sin(apart / 2) / (1 + 0.015 * c * t)
    return float(np.sqrt(dl**2 + dc**2 + dh**2 - np.sin(turn) * 2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * dc * dh))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # of the published test data
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_of_the_published_data(one: tuple, other: tuple, expected: float) -> None:  # type: ignore[type-arg]
    assert delta_e(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_differ_for_everybody(sight: str) -> None:
    seen = [lab(colour, sight) for colour in COLOURS]
    assert min(itertools.starmap(delta_e, itertools.combinations(seen, 2))) > LEAST


def test_each_colour_has_a_shape_of_its_own() -> None:
    assert len(set(MARKERS)) == len(set(COLOURS)) == 7
    first = [mark(order) for order in range(7)]
    assert {colour for colour, _ in first} == set(COLOURS)
    assert {shape for _, shape in first} == set(MARKERS)
    assert len({mark(order) for order in range(49)}) == 49


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_points_stand_near_their_place(count: int) -> None:
    places = [dodge(order, count) for order in range(count)]
    assert max(places) - min(places) <= WIDEST + 1e-12
    assert sum(places) == pytest.approx(0)
    assert max(np.diff([0.0, *places[:2]])[1:], default=0) <= DODGE + 1e-12
