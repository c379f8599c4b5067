"""Costs against a stream that counts what it computes, and against figures known by hand."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chip.firmware.building import needs_gcc, project
from tests.chip.firmware.plans import convolution, deepconvlstm, depthwise, grouped, linear, lstm, plan
from tests.chip.firmware.plans_with_converters import with_memory, without_memory

from qsense.chip.firmware import reference
from qsense.chip.firmware.counting import count
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.sizes import Sizes, bytes_of


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
    counts = count(dataclasses.replace(paper, window=50, class_names=tuple("abcdefghijkl")))
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
    assert counts.layers[4].ram == 2 * (128 + 128), "h and c: 18 positions in a stride of 25: one window at once"
    assert counts.layers[1].flash == 9 * 64 * 64 // 2 + 4 * 64


def test_windows_that_do_not_overlap_save_nothing() -> None:
    assert count(deepconvlstm(stride=30)).saved == 0
    assert count(deepconvlstm(stride=40)).saved == 0
    assert count(depthwise(stride=1)).saved > 0.9


def test_overlapping_windows_have_a_state_each() -> None:
    one, four = count(deepconvlstm(stride=18)), count(deepconvlstm(stride=5))
    assert four.layers[4].ram == 4 * one.layers[4].ram


def test_totals_are_sums() -> None:
    record = count(depthwise()).record()
    for memory in ("flash", "ram"):
        assert record[memory]["total"] == sum(v for k, v in record[memory].items() if k != "total")
    assert record["macs"] == sum(layer["macs"] for layer in record["layers"])
    assert record["flash"]["sigmoid"] == 0
    assert record["macs_per_second"] == record["macs"] * 50 / 10


@needs_gcc
@pytest.mark.parametrize("majority", [1, 5])
@pytest.mark.parametrize(
    "plan",
    [
        deepconvlstm(stride=4),
        deepconvlstm(stride=7),
        deepconvlstm(stride=30),
        depthwise(axes=2, stride=3),
        depthwise(stride=30),
        grouped(),
        with_memory("dpcm 3, neither"),
        without_memory("gamma, 8 bits, values"),
    ],
)
def test_bytes_are_those_of_the_c(plan: Plan, majority: int, tmp_path: Path) -> None:
    """RAM is `qs_state`, and flash is all numbers in the generated sources' tables."""
    folder, counts, sizes = project(plan, tmp_path, majority), count(plan, majority), Sizes(plan)
    text = (
        '#include <stdio.h>\n#include "qs.h"\n#include "qs_packet.h"\n'
        'int main(void) { printf("%d %d", (int)sizeof(qs_state), QS_PACKET_BYTES); return 0; }\n'
    )
    done = ["gcc", "-Iinclude", "-Isrc", "-xc", "-", "-o", "sizes"]
    subprocess.run(done, cwd=folder, input=text, text=True, check=True)
    said = subprocess.run([str(folder / "sizes")], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(counts.ram), str(sizes.packet_bytes(sizes.packet_samples))]
    assert counts.flash == sum(sizes.flash.values()) == tables_in(folder, sizes)
    readme = (folder / "README.md").read_text()
    assert f"{counts.ram:,} bytes" in readme
    assert f"| together | {counts.flash:,} |" in readme


def tables_in(folder: Path, sizes: Sizes) -> int:
    """Bytes of the numbers of all tables in the generated sources; structures that describe them are left out."""
    names, total = {"qs_threshold": sizes.threshold_type}, 0
    header = (folder / "src" / "qs_model.h").read_text()
    names |= {name: kind for kind, name in re.findall(r"typedef (\w+) (qs_input);", header)}
    for file in ("qs_model.c", "qs_tables.c"):
        text = re.sub(r"/\*.*?\*/", "", (folder / "src" / file).read_text(), flags=re.DOTALL)
        for kind, numbers in re.findall(r"^(?:static )?const (u?int\d+_t|qs_\w+) \w+[^=]*= \{([^;]*)\};", text, re.M):
            if (c_type := names.get(kind, kind)).endswith("_t"):
                total += bytes_of(c_type) * len(re.findall(r"-?\w+", numbers))
    return total
