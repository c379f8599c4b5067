"""What codes cost an ideal coder, against Markov chains whose entropy is known, and against counting by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsense.metrics.code_rate import (
    SAMPLES_PER_ENTRY,
    Bounds,
    Codes,
    contexts_for,
    entropy,
    mixed,
    spent,
    tally,
    without_refreshes,
)

LONG = 200_000


def whole(codes: Codes) -> Bounds:
    return np.array([0, len(codes)])


def rate(learned: Codes, codes: Codes, context: int, alphabet: int = 2) -> float:
    return spent(tally(learned, whole(learned), context, alphabet), tally(codes, whole(codes), context, alphabet))


def halves(codes: Codes) -> tuple[Codes, Codes]:
    return codes[: len(codes) // 2], codes[len(codes) // 2 :]


def binary(p: float) -> float:
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def markov(transitions: list[list[float]], length: int, seed: int = 0) -> Codes:
    """A chain of order 1 by its rows of transition probabilities."""
    ends = np.cumsum(transitions, axis=1)
    draws = np.random.default_rng(seed).random(length)
    codes = np.zeros(length, dtype=np.int64)
    for t in range(1, length):
        codes[t] = np.searchsorted(ends[codes[t - 1]], draws[t])
    return codes


# --------------------------------------------------------------------------------------------------- the known figures


@pytest.mark.parametrize("flip", [0.02, 0.1, 0.5])
def test_a_binary_chain_that_flips_now_and_then(flip: float) -> None:
    flips = np.random.default_rng(1).random(LONG) < flip
    learned, codes = halves(np.cumsum(flips) % 2)
    assert rate(learned, codes, 0) == pytest.approx(1, abs=0.01)
    for context in (1, 8):
        assert rate(learned, codes, context) == pytest.approx(binary(flip), abs=0.01)


def test_a_chain_of_four_codes() -> None:
    """H = −Σ π_i Σ p_ij log2 p_ij, with the stationary distribution π as p's left eigenvector."""
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.8, 0.1, 0.05], [0.25, 0.25, 0.25, 0.25], [0.0, 0.5, 0.0, 0.5]])
    values, vectors = np.linalg.eig(p.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    logs = np.log2(np.where(p > 0, p, 1))
    learned, codes = halves(markov(p.tolist(), LONG))
    assert rate(learned, codes, 1, 4) == pytest.approx(-(stationary[:, None] * p * logs).sum(), abs=0.015)
    assert rate(learned, codes, 0, 4) == pytest.approx(-(stationary * np.log2(stationary)).sum(), abs=0.015)


def test_what_only_the_code_before_the_last_tells() -> None:
    noise = np.random.default_rng(2).random(LONG) < 0.1
    codes = np.empty(LONG, dtype=np.int64)
    codes[::2], codes[1::2] = np.cumsum(noise[::2]) % 2, np.cumsum(noise[1::2]) % 2  # two chains in turn
    found = [rate(*halves(codes), context) for context in (0, 1, 2)]
    assert found == pytest.approx([1, 1, binary(0.1)], abs=0.02)


def test_a_long_context_never_looks_good_by_chance() -> None:
    """Random codes have their full bits: in-sample tables of 8 codes would find far less in so few of them."""
    codes = np.random.default_rng(3).integers(0, 2, 2000)
    learned, held_out = halves(codes)
    assert rate(held_out, held_out, 8) < 0.95
    assert rate(learned, held_out, 8) > 1.1
    assert max(contexts_for(1000, 2)) <= 2


def test_a_code_never_seen_can_be_sent() -> None:
    assert rate(np.zeros(7, dtype=int), np.ones(3, dtype=int), 0) == math.log2(8 / 0.5)
    unseen = rate(np.zeros(7, dtype=int), np.array([3]), 1, 4)  # after 0, at the start
    assert unseen == pytest.approx(math.log2(8 * 4))


def test_a_channel_that_never_changes_costs_nothing() -> None:
    still = np.full(5000, 2)
    for context in (0, 1, 5):
        assert rate(still, still, context, 4) < 0.002
    assert rate(np.zeros(50, dtype=int), np.zeros(50, dtype=int), 0, 1) == 0, "an alphabet of one code"
    assert spent(np.zeros((1, 4), dtype=int), np.zeros((1, 4), dtype=int)) == 0, "no code at all"
    assert entropy(np.zeros(4, dtype=int)) == 0


def test_sixteen_bits_have_no_context() -> None:
    assert contexts_for(1_122_772, 1 << 16) == (0,)
    assert contexts_for(0, 2) == (0,)
    codes = np.random.default_rng(4).integers(0, 1 << 16, 400_000)
    assert 16 <= rate(*halves(codes), 0, 1 << 16) < 17.5


def test_miller_and_madows_correction() -> None:
    """Of 64 equal codes drawn 640 times the plug-in estimate lacks 0.07 bits on average; with it, a hundredth."""
    draw = np.random.default_rng(5)
    found = [entropy(np.bincount(draw.integers(0, 64, 640), minlength=64)) for _ in range(200)]
    assert np.mean(found) == pytest.approx(6, abs=0.01)


def test_two_bits_with_a_native_sample_in_250() -> None:
    assert mixed(2, 12, 250) == 2 + 10 / 250
    assert mixed(2, 12, 0) == 2
    assert mixed(2, 12, 1) == 12


# ---------------------------------------------------------------------------------------------------------- properties


@given(st.integers(1, 4), st.integers(0, 3), st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 99))
def test_tables_are_those_of_counting_by_hand(alphabet: int, context: int, lengths: list[int], seed: int) -> None:
    bounds = np.cumsum([0, *lengths])
    codes = np.random.default_rng(seed).integers(0, alphabet, bounds[-1])
    expected = np.zeros((alphabet**context, alphabet), dtype=int)
    for start, end in pairwise(bounds):
        register = [0] * context
        for code in codes[start:end]:
            expected[sum(c * alphabet**place for place, c in enumerate(register)), code] += 1
            register = [int(code), *register][:context]
    assert tally(codes, bounds, context, alphabet).tolist() == expected.tolist()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 6))
def test_refreshes_are_taken_out_of_each_recording(lengths: list[int], refresh: int) -> None:
    bounds = np.cumsum([0, *lengths])
    codes = np.arange(bounds[-1])[:, None]
    pieces: list[list[int]] = []
    for start, end in pairwise(bounds.tolist()):
        for piece in range(start, end, refresh) if refresh else [start]:
            pieces.append(list(range(piece + 1, min(piece + refresh, end))) if refresh else list(range(start, end)))
    found, ends = without_refreshes(codes, bounds, refresh)
    assert [found[a:b, 0].tolist() for a, b in pairwise(ends.tolist())] == pieces


@given(st.integers(0, 10**7), st.integers(2, 1 << 16))
def test_contexts_are_supported_by_the_samples(samples: int, alphabet: int) -> None:
    contexts = contexts_for(samples, alphabet)
    assert contexts[0] == 0
    assert all(alphabet ** (k + 1) * SAMPLES_PER_ENTRY <= samples for k in contexts[1:])
