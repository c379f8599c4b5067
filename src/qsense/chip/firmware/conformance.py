"""Do torch, the NumPy reference and the compiled C agree? Number for number, on the run's whole test recordings.

Open it to see what is compared, and how the C is compiled.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qsense.chip.conformance import STRICT, Check, command, compiler, listened_to
from qsense.chip.firmware.build import Built
from qsense.chip.firmware.tested import Tested
from qsense.runs.progress import stepping


def check(folder: Path, built: Built, tested: Tested) -> list[Check]:
    """The firmware in `folder` against the reference, and that against torch.

    Args:
        folder: of the exported project.
        built: what it was made from.
        tested: on the run's test recordings.
    """
    found, windows = [], f"{tested.windows:,} test windows"
    if tested.codes_differing is not None:
        codes = f"{tested.counts.size:,} samples"
        found.append(_compared("firmware, input codes (torch, tables)", codes, tested.codes_differing))
    found.append(_compared("firmware, logits (torch, NumPy)", windows, tested.logits_differing))
    if built.arithmetic == "integer":
        found.append(_compared("firmware, classes (run, integers)", windows, tested.differing["integers"]))
    return [*found, by_c(folder, built, tested)]


def _compared(what: str, compared: str, differences: int) -> Check:
    return Check(what, differences == 0, f"{compared}, {differences:,} differences")


def by_c(folder: Path, built: Built, tested: Tested) -> Check:
    """Start, class, margin and majority of every window of the test recordings, compiled for this machine."""
    what = "firmware, C on whole test recordings"
    found = compiler()
    if isinstance(found, Check):
        return Check(what, None, found.detail)
    folder = folder.resolve()
    sources = [str(file) for file in sorted((folder / "src").glob("*.c"))]
    with tempfile.TemporaryDirectory() as scratch:
        program = str(Path(scratch) / "qs_run")
        included = [f"-I{folder / 'include'}", f"-I{folder / 'src'}"]
        done = command([found, *STRICT, *included, "-o", program, *sources, str(folder / "test" / "qs_run.c")], folder)
        if done.returncode:
            return Check(what, False, f"does not compile: {done.stderr.strip()[:500]}")
        files = []
        for number, (start, end) in enumerate(pairwise(tested.bounds)):
            files.append(str(Path(scratch) / str(number)))
            as_words(built, tested.counts[start:end]).tofile(files[-1])
        with stepping("the compiled firmware on test windows", tested.windows) as step:
            done = listened_to([program, *files], folder, step)
        if done.returncode:
            return Check(what, False, (done.stderr + done.stdout).strip()[:500])
    rows = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    expected = [
        [number, *each]
        for number, classes in enumerate(tested.classes)
        for each in np.stack([classes.start, classes.winner, classes.margin, classes.majority], axis=1).tolist()
    ]
    wrong = sum(mine != theirs for mine, theirs in zip(rows, expected, strict=False)) + abs(len(rows) - len(expected))
    return _compared(what, f"{len(expected):,} windows (start, class, margin, majority)", wrong)


def as_words(built: Built, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    """Native counts as the sensor writes them, in the runner's files."""
    numbers = built.plan.native.coding.number(counts)
    return numbers.astype("<i4" if built.plan.native.bits > 16 else "<u2")
