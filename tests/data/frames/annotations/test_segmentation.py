"""Boxes around outlines: polygons and run-length codes, against pycocotools' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as oracle

from qsense.data.frames.annotations.segmentation import bounds


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[1, 2, 9, 2, 9, 8]], (1, 2, 8, 6)),
        ([1, 2, 9, 2, 9, 8], (1, 2, 8, 6)),
        ([[1, 2, 3, 4], [10, 20, 8, 30]], (1, 2, 9, 28)),
        ([["1", "2", "3", "4"]], (1, 2, 2, 2)),
        ([[5, 5]], (5, 5, 0, 0)),
        ({"size": [4, 5], "counts": [0, 20]}, (0, 0, 5, 4)),
        ({"size": [4, 5], "counts": [3, 2, 15]}, (0, 0, 2, 4)),
    ],
)
def test_outlines_are_boxed(segmentation: Any, box: tuple[float, ...]) -> None:
    assert bounds(segmentation) == box


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[]],
        [[1, 2, 3]],
        [["a", 1]],
        [[1, 2], 3],
        [[None, 2]],
        "polygon",
        7,
        {},
        {"size": [4, 5]},
        {"size": [4, 5], "counts": [20]},
        {"size": [4, 5], "counts": [3, 2]},
        {"size": [4, 5], "counts": [3, -2, 19]},
        {"size": [4, 5], "counts": [3, 2.5, 14.5]},
        {"size": [4, 5], "counts": "zzzz"},
        {"size": [4, 5], "counts": ""},
        {"size": [4, 5], "counts": "é\n"},
        {"size": [4, 0], "counts": []},
        {"size": 4, "counts": [0, 16]},
        {"size": [float("inf"), 5], "counts": [0, 16]},
    ],
)
def test_what_is_no_outline_has_no_box(segmentation: Any) -> None:
    assert bounds(segmentation) is None


def test_run_lengths_are_boxed_as_pycocotools_does() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 7), (7, 1), (5, 9), (40, 60)):
        for share in (0.02, 0.3, 0.9):
            mask = (rng.random((height, width)) < share).astype(np.uint8)
            mask[rng.integers(height), rng.integers(width)] = 1
            code = oracle.encode(np.asfortranarray(mask))
            rows, columns = np.nonzero(mask)
            top, left = rows.min(), columns.min()
            box = (left, top, columns.max() - left + 1, rows.max() - top + 1)
            compressed = {"size": [height, width], "counts": code["counts"].decode()}
            flat = mask.ravel(order="F")
            edges = np.flatnonzero(np.diff(flat)) + 1
            runs = np.diff([0, *edges, flat.size]).tolist()
            plain = {"size": [height, width], "counts": runs if not flat[0] else [0, *runs]}
            # A run that goes on in the next column reaches from top to bottom there, as pycocotools has it, too.
            assert bounds(compressed) == bounds(plain) == tuple(oracle.toBbox(code).tolist())
            assert bounds(plain) == box or bounds(plain) == (left, 0, box[2], height)
