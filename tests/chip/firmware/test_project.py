"""The C99 project against the NumPy reference, compiled with every warning an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import build, counts, lines, needs_gcc, passed, project, samples
from tests.chip.firmware.plans_with_converters import WITH_MEMORY, WITHOUT_MEMORY, with_memory, without_memory

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import classify

pytestmark = needs_gcc
PLANS: dict[str, Callable[[], Plan]] = {
    "deep": plans.deepconvlstm,
    "deep, 8-bit states, stride 7": lambda: plans.deepconvlstm(1, bits=3, state_bits=8, stride=7),
    "deep, stride 1": lambda: plans.deepconvlstm(2, axes=2, bits=2, stride=1),
    "deep, stride 25": lambda: plans.deepconvlstm(3, axes=1, bits=8, stride=25),
    "deep, stride 41": lambda: plans.deepconvlstm(4, bits=5, stride=41),
    "depthwise": plans.depthwise,
    "depthwise, stride 1": lambda: plans.depthwise(1, stride=1),
    "depthwise, stride 23": lambda: plans.depthwise(2, axes=6, stride=23),
    "depthwise, stride 100": lambda: plans.depthwise(3, stride=100),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_window_as_the_reference(name: str, tmp_path: Path) -> None:
    plan = plans.balanced(PLANS[name]())
    program = build(project(plan, tmp_path, majority=3))
    recordings = [counts(plan, time, seed) for seed, time in enumerate((1000, 29, 30, 31, 300))]
    files = [samples(plan, x, tmp_path / f"{n}.bin") for n, x in enumerate(recordings)]
    expected = []
    for number, x in enumerate(recordings):
        want = classify(plan, x, 3)
        expected += [[number, *row] for row in zip(want.start, want.winner, want.margin, want.majority, strict=True)]
    assert np.array_equal(lines(program, *map(str, files)), expected)
    assert len({row[2] for row in expected}) > 2, "a test of few classes"


@pytest.mark.parametrize("name", WITHOUT_MEMORY)
def test_with_converters_without_memory(name: str, tmp_path: Path) -> None:
    folder = project(without_memory(name), tmp_path)
    assert passed(build(folder, "qs_test"))


@pytest.mark.parametrize("kind", WITH_MEMORY)
def test_with_converters_with_memory(kind: str, tmp_path: Path) -> None:
    folder = project(with_memory(kind, stride=7), tmp_path)
    assert passed(build(folder, "qs_test"))
