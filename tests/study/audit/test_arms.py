"""Planned runs as quantizers with names, scores and trajectories."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.study_folders import make_run

from qsense.study.audit.arms import Arm, arms, moved, trajectory

LEARNED = "epoch,gamma_0,mu_0\n0,0.4,0.0\n1,0.35,0.02\n2,{end},0.05\n"


def planned(root: Path, *sciences: tuple[str, ...], seeds: int = 2) -> dict[tuple[str, ...], Path]:
    return {
        (*science, f"seed={seed}", "fold=0"): root / f"{'-'.join(science)}-{seed}".replace("/", "")
        for science in sciences
        for seed in range(seeds)
    }


def test_learned_quantizers_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    alike = ("bits=2", "quant=gamma", "quant.sensor.mu=0")
    found = arms("learned", planned(tmp_path, (*alike, "quant.sensor.lr=0.01"), (*alike, "quant.sensor.lr=0.1")))
    assert [arm.name for arm in found] == ["gamma · lr=0.01", "gamma · lr=0.1"]
    assert [(arm.place, arm.planned, arm.scores) for arm in found] == [(None, 2, {})] * 2
    (alone,) = arms("learned", planned(tmp_path, alike))
    assert alone.name == "gamma"


def test_fixed_points_stand_on_the_grid_and_baselines_go_by_their_option(tmp_path: Path) -> None:
    fixed = ("quant=gamma", "quant.sensor.lr=0", "quant.sensor.gamma=0.4")
    found = arms("fixed", planned(tmp_path, (*fixed, "quant.sensor.mu=-0.1"), fixed))
    assert [(arm.name, arm.place) for arm in found] == [("γ 0.4, μ -0.1", (0.4, -0.1)), ("γ 0.4", (0.4, 0.0))]
    assert [arm.name for arm in arms("baseline", planned(tmp_path, ("quant=linear",)))] == ["linear"]


def arm_of(tmp_path: Path) -> Arm:
    folders = planned(tmp_path, ("quant=gamma",), seeds=3)
    for seed, end in ((0, 0.2), (1, 0.3)):
        folder = folders["quant=gamma", f"seed={seed}", "fold=0"]
        make_run(tmp_path, 0.5 + seed / 10, seed=seed, name=folder.name)
        (folder / "learned.csv").write_text(LEARNED.format(end=end))
    (arm,) = arms("learned", folders)
    return arm


def test_only_finished_runs_count_and_what_they_learned_is_followed(tmp_path: Path) -> None:
    arm = arm_of(tmp_path)
    assert arm.planned == 3
    assert arm.scores == {(0, 0): 0.5, (1, 0): 0.6}
    assert arm.trajectories[1, 0] == {"gamma_0": [0.4, 0.35, 0.3], "mu_0": [0.0, 0.02, 0.05]}
    start, end, std = moved(arm)["gamma_0"]
    assert (start, end, std) == pytest.approx((0.4, 0.25, 0.05))


def test_a_run_without_a_record_of_learning_has_no_trajectory(tmp_path: Path) -> None:
    assert trajectory(tmp_path) == {}
    (tmp_path / "learned.csv").write_text("epoch\n")
    assert trajectory(tmp_path) == {}
