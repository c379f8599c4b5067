"""Labels and subjects in files' names."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsense.data.series.discover.names import pattern_of


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["walking_1", "walking_2", "sitting_1", "sitting_2"], "{label}_{subject}.csv"),
        (["walking upstairs 1", "walking upstairs 2", "sit 1", "sit 2"], "{label} {subject}.csv"),
        (["walk1", "walk2", "sit1", "sit2"], "{label}{subject}.csv"),
        (["walk", "walk (2)", "sit", "sit (2)"], "{label}*.csv"),
        (["walk_1", "sit_2", "run_3"], "{label}_*.csv"),
        (["P1_walk", "P2_walk", "P1_sit", "P2_sit"], "P{subject}_{label}.csv"),
        (["P1_walk_1", "P2_walk_1", "P1_sit_1", "P2_sit_2"], "P{subject}_{label}_*.csv"),
        (["s01/walk", "s01/sit", "s02/walk", "s02/sit"], "s{subject}/{label}.csv"),
        (["walk/1", "walk/2", "sit/1", "sit/2"], "{label}/{subject}.csv"),
        (["anna_walk", "anna_sit", "ben_walk", "ben_sit"], "{subject}_{label}.csv"),
        (["anna/walk", "anna/sit", "ben/walk", "ben/sit"], "{subject}/{label}.csv"),
        (["walk-2026-03-01_10-15-30", "sit-2026-03-01_11-15-30"], "{label}-*.csv"),
        (["walk_20260301_101530", "sit_20260302_111530"], "{label}_*.csv"),
        (["a", "b/c"], "**/*.csv"),
    ],
)
def test_a_pattern_is_found(tmp_path: Path, names: list[str], pattern: str) -> None:
    files = [tmp_path / f"{name}.csv" for name in names]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert pattern_of(tmp_path, files, wants_label=True, wants_subject=True).files == pattern


def test_with_a_column_of_labels_names_tell_the_subject(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("user_03.txt", "user_11.txt")]
    for file in files:
        file.touch()
    named = pattern_of(tmp_path, files, wants_label=False, wants_subject=True)
    assert (named.files, named.subjects, named.certain) == ("user_{subject}.txt", ("03", "11"), True)
