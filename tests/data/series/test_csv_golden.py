"""What the common layout has always read stays as it was, bit for bit, and so does its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.dataset import Recording
from qsense.data.series.wear import WEAR

TIME = [1.6e12 + 20 * row for row in range(120)]
DATES = [f"2026-01-01T00:00:{row * 0.02:09.6f}" for row in range(120)]


def content(recordings: list[Recording]) -> str:
    hashed = hashlib.sha256()
    for recording in recordings:
        facts = f"{recording.subject} {recording.name} {recording.filled} {recording.x.shape}"
        for part in (facts.encode(), recording.x.tobytes(), recording.y.tobytes()):
            hashed.update(part)
    return hashed.hexdigest()[:8]


def written(folder: Path, subject: int) -> Path:
    """One subject's file: decimals as tools print them, an empty label, a missing value, labels in any case."""
    rng = np.random.default_rng(subject)
    lines = ["sbj_id,acc_x,acc_y,label"]
    for row in range(120):
        x, y = rng.normal(0, 3, 2)
        label = ("null", "walk", "run", "", " walk", "NULL", "nan", "NA", "None")[row % 9]
        lines.append(f"{subject},{x:.{row % 17}f},{'' if row in (5, 6) else f'{y:.6e}'},{label}")
    path = folder / "raw" / "inertial" / f"sbj_{subject}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def with_time(stamps: list[float] | list[str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        lines = [line.split(",", 1) for line in text.splitlines()]
        return "".join(
            f"{one},{time},{rest}\n" for (one, rest), time in zip(lines, ["timestamp", *stamps], strict=True)
        )

    return edit


@pytest.mark.parametrize(
    ("edit", "recordings", "fingerprint"),
    [
        (lambda text: text, "2474bb93", ("1ea751d7", "38387f90")),
        (lambda text: text.replace("\n", "\r\n"), "2474bb93", ("e8ca803a", "b728a280")),
        (lambda text: "\ufeff" + text + "\n \n", "2474bb93", ("1ec07cf4", "960926e4")),
        (lambda text: text.replace(",", ", "), "2474bb93", ("9237bfa0", "c49d2d0c")),
        (lambda text: text.replace("acc_x", '"acc_x"').replace("walk", '"walk"'), "2474bb93", ("9a383712", "e6681f3e")),
        (lambda text: text.rstrip("\n").replace("None", "run"), "5a898aff", ("e54e144f", "c339fb29")),
        (with_time(TIME), "2474bb93", ("1ee724b4", "b6620118")),
        (with_time(DATES), "2474bb93", ("78878775", "8e3ae211")),
    ],
)
@pytest.mark.parametrize("axes", [2, ["acc_x", "acc_y"]])
def test_the_common_layout_reads_what_it_has_always_read(
    tmp_path: Path, edit: Callable[[str], str], recordings: str, fingerprint: tuple[str, str], axes: int | list[str]
) -> None:
    for subject in range(3):
        path = written(tmp_path, subject)
        path.write_bytes(edit(path.read_text()).encode())
    data = CSVActivityDataset(str(tmp_path), "Fake", axes, ["NULL", "walk", "run"], 50.0, 3, "g")
    assert (content(data.recordings()), data.fingerprint()[:8]) == (recordings, fingerprint[isinstance(axes, int)])


def test_a_published_set_reads_what_it_has_always_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for subject in range(18):
        path = tmp_path / "raw" / "inertial" / f"sbj_{subject}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [",".join(["sbj_id", *WEAR.axes, "label"])]
        for row in range(30):
            values = (f"{value:.5f}" for value in rng.normal(0, 1, 12))
            lines.append(",".join([str(subject), *values, WEAR.classes[row % 19].replace("NULL", "")]))
        path.write_text("\n".join(lines) + "\n")
    data = WEAR(str(tmp_path))
    assert (content(data.recordings()), data.fingerprint()[:8]) == ("9e9a1c8e", "1d35a151")
