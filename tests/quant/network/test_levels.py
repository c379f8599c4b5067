from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.quant.network.levels import Levels, Logarithmic, Uniform, Wide, make_levels
from qsense.quant.network.packing import pack, unpack

ALL: list[Levels] = [Uniform(bits, signed) for bits in range(2, 9) for signed in (True, False)]
WIDE: list[Levels] = [Wide(bits, signed=True) for bits in (9, 12, 16)]
ALL += [Logarithmic(bits, signed) for bits in range(2, 8) for signed in (True, False)]


def grid_of(levels: Levels) -> torch.Tensor:
    return levels.decode(torch.arange(levels.lowest_code, levels.highest_code + 1))


@pytest.mark.parametrize("levels", ALL, ids=str)
def test_levels_are_as_many_as_stated_and_reach_exactly_to_alpha(levels: Levels) -> None:
    grid = grid_of(levels)
    assert len(grid.unique()) == 2**levels.bits - (1 if levels.signed else 0)  # 2^m - 1 signed, 2^m unsigned
    assert grid.max() == levels.top
    assert grid.min() == (-levels.top if levels.signed else 0)
    assert (grid.diff() > 0).all()


@pytest.mark.parametrize("bits", range(2, 8))
def test_logarithmic_levels_are_zero_and_powers_of_two(bits: int) -> None:
    magnitudes = {abs(value) for value in grid_of(Logarithmic(bits, signed=True)).tolist()}
    assert magnitudes == {0.0} | {2.0**-i for i in range(2 ** (bits - 1) - 1)}


@pytest.mark.parametrize("levels", ALL, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_snap_finds_the_nearest_level(levels: Levels, dtype: torch.dtype) -> None:
    grid = grid_of(levels).to(dtype)
    middles = (grid[1:] + grid[:-1]) / 2
    tiny = torch.finfo(dtype).eps
    v = torch.cat([torch.rand(2000, dtype=dtype) * 2.4 * levels.top - 1.2 * levels.top, grid, -grid])
    v = torch.cat([v, middles * (1 + 4 * tiny), middles * (1 - 4 * tiny)])
    snapped = levels.snap_(v.clone())
    clamped = v.clamp(-levels.top if levels.signed else 0, levels.top)
    nearest = (clamped[:, None] - grid).abs().min(1).values
    assert torch.equal((clamped - snapped).abs(), nearest)
    assert torch.isin(snapped, grid).all()


@pytest.mark.parametrize("levels", [*ALL, *WIDE], ids=str)
def test_codes_and_packed_bytes_come_back(levels: Levels) -> None:
    codes = torch.randint(levels.lowest_code, levels.highest_code + 1, (37,), dtype=torch.int16)
    assert torch.equal(levels.encode(levels.decode(codes)), codes)
    packed = pack(codes, levels.bits, levels.lowest_code)
    assert packed.numel() == math.ceil(37 * levels.bits / 8)
    assert torch.equal(unpack(packed, 37, levels.bits, levels.lowest_code), codes)


@given(st.integers(2, 16), st.lists(st.integers(-1, 1), max_size=50))
def test_packing_any_number_of_codes(bits: int, codes: list[int]) -> None:
    packed = pack(torch.tensor(codes, dtype=torch.int16), bits, -1)
    assert unpack(packed, len(codes), bits, -1).tolist() == codes


@pytest.mark.parametrize("levels", [Uniform(4, True), Logarithmic(4, False)], ids=str)
def test_nan_is_never_turned_into_a_level(levels: Levels) -> None:
    assert levels.snap_(torch.tensor([math.nan, 1.0])).isnan().tolist() == [True, False]


def test_mistakes_are_named() -> None:
    for bad in (1, 9, True, 4.0, None):
        with refused(ValueError, f"bits={bad!r}", "uniform", 2, 8):
            make_levels("uniform", bad, signed=True)  # type: ignore[arg-type]
    with refused(ValueError, "bits=8", "logarithmic", 2, 7):
        make_levels("log", 8, signed=True)
    with refused(ValueError, "levels='ternary'", "uniform", "log"):
        make_levels("ternary", 2, signed=True)
    with refused(ValueError, "3 codes", "3 bits", "2 bytes", 1):
        unpack(torch.zeros(1, dtype=torch.uint8), 3, 3, 0)
