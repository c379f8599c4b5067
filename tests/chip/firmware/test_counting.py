"""Costs against a stream that counts what it computes, and against figures known by hand."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chip.converters import a_run
from tests.chip.firmware.plans import convolution, deepconvlstm, depthwise, linear, lstm, plan

from qsense.chip.firmware import reference
from qsense.chip.firmware.counting import count
from qsense.chip.firmware.project import write


@pytest.mark.parametrize("stride", [1, 4, 10, 19, 30, 33])
@pytest.mark.parametrize("make", [deepconvlstm, depthwise])
def test_shared_positions_are_those_a_stream_computes(make: Any, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make(stride=stride)
    computed: dict[int, int] = {}
    original = reference.Stream._frame

    def counted(conv: Any, taken: Any) -> Any:
        computed[id(conv)] = (
            computed.get(id(conv), 0) + taken.shape[0] * conv.planes * conv.outputs * conv.weight.shape[1]
        )
        return original(conv, taken)

    monkeypatch.setattr(reference.Stream, "_frame", staticmethod(counted))
    strides = 6
    before = list(reference.Stream(plan).all(np.zeros((plan.window, 3), np.int64)))
    first = dict(computed)
    computed.clear()
    codes = np.zeros((plan.window + strides * stride, 3), np.int64)
    after = list(reference.Stream(plan).all(codes))
    assert len(after) - len(before) == strides
    for layer, counts in zip(plan.network.layers, count(plan).layers, strict=True):
        if counts.kind == "Convolution":
            assert computed[id(layer)] - first[id(layer)] == strides * counts.macs


def test_deepconvlstm_of_the_paper() -> None:
    """Window 50, stride 25, 64 filters of 9 samples: half a window's samples are new, and far less than half the work
    is saved, since the recurrence and the last convolution share nothing."""
    random = np.random.default_rng(0)
    widths = [1, 64, 64, 64, 64]
    layers = [convolution(random, 3, i, o, 9) for i, o in itertools.pairwise(widths)]
    paper = plan(random, 3, (*layers, lstm(random, 192, 128), linear(random, 128, 12)), 25)
    counts = count(dataclasses.replace(paper, window=50))
    conv = [3 * 64 * 9 * each for each in (42, 34 * 64, 26 * 64, 18 * 64)]
    recurrent, last = 18 * 4 * 128 * (192 + 128), 128 * 12
    assert counts.macs_alone == sum(conv) + recurrent + last
    assert [layer.macs for layer in counts.layers] == [
        3 * 64 * 9 * each for each in (25, 25 * 64, 25 * 64, 18 * 64)
    ] + [recurrent, last]
    assert 0 < counts.saved < 0.15
    assert counts.weights == 9 * 64 + 3 * 9 * 64 * 64 + 512 * (192 + 128) + last
    assert counts.predictions_hz == 2.0
    assert counts.layers[0].ram == 2 * 9 * 3
    assert counts.layers[1].ram == 2 * 9 * 3 * 64
    assert counts.layers[4].ram == 128 * 6, "18 positions in a stride of 25: one window at once"
    assert counts.layers[1].flash == 9 * 64 * 64 // 2 + 4 * 64 + 40


def test_windows_that_do_not_overlap_save_nothing() -> None:
    assert count(deepconvlstm(stride=30)).saved == 0
    assert count(deepconvlstm(stride=40)).saved == 0
    assert count(depthwise(stride=1)).saved > 0.9


def test_overlapping_windows_have_a_state_each() -> None:
    one, four = count(deepconvlstm(stride=18)), count(deepconvlstm(stride=5))
    assert four.layers[4].ram == 4 * one.layers[4].ram


def test_totals_are_sums() -> None:
    record = count(depthwise()).record()
    assert record["flash"]["total"] == sum(v for k, v in record["flash"].items() if k != "total")
    assert record["macs"] == sum(layer["macs"] for layer in record["layers"])
    assert record["flash"]["sigmoid"] == 0
    assert record["macs_per_second"] == record["macs"] * 50 / 10


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize("make", [deepconvlstm, depthwise])
@pytest.mark.parametrize("stride", [4, 30])
def test_ram_is_that_of_the_c_structure(make: Any, stride: int, tmp_path: Path) -> None:
    """But for the frame that convolutions hand on, some bytes of bookkeeping, and a few behind each window's state."""
    plan = make(stride=stride)
    overlapping = -(-plan.window // stride)
    for path, text in write(plan, a_run()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    main = (
        '#include <stdio.h>\n#include "qs.h"\nint main(void) { printf("%u", (unsigned)sizeof(qs_state)); return 0; }\n'
    )
    (tmp_path / "size.c").write_text(main)
    subprocess.run(["gcc", "-Iinclude", "-Isrc", "-o", "size", "size.c"], cwd=tmp_path, check=True)
    size = int(subprocess.run([tmp_path / "size"], capture_output=True, text=True, check=True).stdout)
    assert 0 <= size - count(plan).ram < 100 + 16 * overlapping
