"""Windows against the obvious loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qsense.data.series.windows import index_windows


@given(st.lists(st.integers(0, 130), min_size=1, max_size=6), st.integers(1, 50), st.data())
def test_windows_are_those_of_a_loop(lengths: list[int], window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    bounds = np.cumsum([0, *lengths])
    expected = []
    for recording, length in enumerate(lengths):
        starts = list(range(0, length - window + 1, stride))
        for start in starts:
            covered = stride if start != starts[-1] else length - start
            expected.append((bounds[recording] + start, covered, recording))
    index = index_windows(bounds, window, stride)
    assert list(zip(index.start, index.covered, index.recording, strict=True)) == expected
    assert index.covered.max(initial=0) < window + stride
    # Every sample of a recording with windows is spoken for exactly once.
    assert index.covered.sum() == sum(length for length in lengths if length >= window)
