"""How many bits of each code an entropy coder would still have to send: the honest rate beside the nominal one.

Open it to change how that is estimated; `callbacks/rates.py` applies it to a run's recordings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.integer[Any]]
Bounds = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]

LONGEST = 8  # codes of a context
SAMPLES_PER_ENTRY = 100  # that a table of counts needs on average, so that a long context tells more than chance


def entropy(counts: Counts) -> float:
    """H = −Σ p·log2 p of relative frequencies, in bits, plus Miller and Madow's (K − 1)/(2·N·ln 2) for K codes seen.

    Args:
        counts: how often each code occurs.

    >>> round(entropy(np.array([500_000, 500_000])), 4), entropy(np.array([7, 0]))
    (1.0, 0.0)
    """
    seen = counts[counts > 0]
    if not len(seen):
        return 0.0
    share = seen / seen.sum()
    return float(-(share * np.log2(share)).sum() + (len(seen) - 1) / (2 * seen.sum() * np.log(2)))


def contexts_for(samples: int, alphabet: int) -> tuple[int, ...]:
    """Lengths of context to count with: none, one code, and the longest that so many samples support.

    >>> contexts_for(1_000_000, 2), contexts_for(1_000_000, 4), contexts_for(1_000_000, 65_536)
    ((0, 1, 8), (0, 1, 5), (0,))
    """
    supported = [k for k in range(LONGEST + 1) if alphabet ** (k + 1) * SAMPLES_PER_ENTRY <= samples]
    return tuple(sorted({0, *supported[:2], *supported[-1:]}))


def tally(codes: Codes, bounds: Bounds, context: int, alphabet: int) -> Counts:
    """How often each code follows each context, [alphabet^context, alphabet].

    A context is the last codes of the same recording, the last one in the lowest place; 0 stands for those before its
    start, as a coder clears its register.

    Args:
        codes: 0 … alphabet − 1, [time].
        bounds: where each recording starts, and where the last one ends, [recordings + 1].
        context: how many codes.
        alphabet: how many different codes there may be.

    >>> tally(np.array([0, 1, 0, 1]), np.array([0, 4]), 1, 2).tolist()
    [[1, 2], [1, 0]]
    """
    index = codes.astype(np.int64)
    own = index.copy() if context else index
    for back in range(1, min(context, len(own)) + 1):
        before = np.zeros_like(own)
        before[back:] = own[:-back]
        early = (bounds[:-1, None] + np.arange(back)).ravel()
        before[early[early < len(own)]] = 0
        index += before * alphabet**back
    return np.bincount(index, minlength=alphabet ** (context + 1)).reshape(-1, alphabet)


def spent(learned: Counts, counts: Counts) -> float:
    """Bits per code that an ideal coder spends with tables learned elsewhere: −Σ n·log2 p / Σ n (cross-entropy).

    p = (m + 1/K)/(M + 1): m of the M codes after the same context in what was learned, K codes in all, so that a code
    never seen there can be sent, too. On average it is never below the entropy, so that a context which is too long for
    what was learned makes it worse, not better.

    Args:
        learned: as `tally` counts.
        counts: of the codes to send; no code at all: 0.

    >>> spent(np.array([[7, 0]]), np.array([[0, 2]]))  # p = ½/8
    4.0
    """
    total = int(counts.sum())
    if not total:
        return 0.0
    alphabet = learned.shape[-1]
    row, code = counts.nonzero()
    share = (learned[row, code] + 1 / alphabet) / (learned.sum(-1)[row] + 1)
    return float(-(counts[row, code] * np.log2(share)).sum() / total)


def mixed(bits: float, native_bits: int, refresh: int) -> float:
    """Bits per sample where each of `refresh` samples is sent as a native count; 0: none.

    >>> mixed(2, 12, 250) == 2 + 10 / 250
    True
    """
    return bits + (native_bits - bits) / refresh if refresh else float(bits)


def without_refreshes(codes: Codes, bounds: Bounds, refresh: int) -> tuple[Codes, Bounds]:
    """The codes [time, channels] without the native counts between them, and the pieces that these leave.

    >>> codes, bounds = without_refreshes(np.arange(5)[:, None], np.array([0, 5]), 3)
    >>> codes.ravel().tolist(), bounds.tolist()
    ([1, 2, 4], [0, 2, 3])
    """
    if not refresh:
        return codes, bounds
    start = np.repeat(bounds[:-1], np.diff(bounds))
    native = (np.arange(len(codes)) - start) % refresh == 0
    pieces = np.append(np.flatnonzero(native), len(codes))
    return codes[~native], pieces - np.arange(len(pieces))
