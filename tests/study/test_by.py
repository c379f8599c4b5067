"""Rows by keys of the user's choice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.refusal import refused
from tests.study_folders import by_seed, make_cell, make_run

from qsense.study.run import ReportError
from qsense.study.summary import Summary, summarise


def labels(summary: Summary) -> dict[str, float]:
    return {summary.label(row): round(100 * cell.mean, 6) for (row, _), cell in summary.cells.items()}


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """γ 0.3 and 0.4 × 2 and 4 bits, two seeds each: 0.1, 0.2, 0.3, 0.4; and linear, which has no γ."""
    for place, (gamma, bits) in enumerate([(0.3, 2), (0.3, 4), (0.4, 2), (0.4, 4)]):
        mean = 0.1 * (place + 1)
        make_cell(tmp_path, by_seed(mean - 0.01, mean + 0.01), seeds=2, bits=bits, sensor={"gamma": gamma})
    return tmp_path


def test_rows_by_one_key_average_over_the_others(grid: Path) -> None:
    summary = summarise([grid], by=["quant.sensor.gamma"])
    assert labels(summary) == {"quant.sensor.gamma=0.3": 15.0, "quant.sensor.gamma=0.4": 35.0}
    first = next(iter(summary.cells.values()))
    assert first.std == pytest.approx(0.01)
    assert (first.count, first.complete) == ("4×2", True)
    assert summary.notes == ["Rows average over bits (2, 4)."]


def test_rows_by_several_keys_and_short_names(grid: Path) -> None:
    expected = {
        "4 bit · quant.sensor.gamma=0.3": 20.0,
        "4 bit · quant.sensor.gamma=0.4": 40.0,
        "2 bit · quant.sensor.gamma=0.3": 10.0,
        "2 bit · quant.sensor.gamma=0.4": 30.0,
    }
    assert labels(summarise([grid], by=["sensor.gamma", "bits"])) == expected
    assert summarise([grid], by=["sensor.gamma", "bits"]).notes == []
    assert list(labels(summarise([grid], by=["quant"]))) == ["gamma"]


def test_runs_without_the_keys_are_left_out_and_said_so(grid: Path) -> None:
    folder = make_run(grid, quant="linear")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text("\n".join(line for line in config.splitlines() if "gamma:" not in line))
    summary = summarise([grid], by=["quant.sensor.gamma"])
    assert summary.notes[-1] == "Runs without any of these keys and left out: 1."
    assert len(summary.rows) == 2


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("gama", ("gama", "quant.sensor.gamma")),
        ("_target_", ("--by _target_", "quant.sensor._target_", "data._target_")),
    ],
)
def test_unknown_keys(grid: Path, key: str, named: tuple[str, ...]) -> None:
    make_run(grid, datamodule={"_target_": "x"})
    with refused(ReportError, *named):
        summarise([grid], by=[key])


def test_a_folder_taken_for_a_key(grid: Path) -> None:
    with refused(ReportError, f"--by {grid}"):
        summarise([grid], by=[str(grid)])


def test_keys_are_short_where_their_ends_tell_them_apart(tmp_path: Path) -> None:
    make_run(tmp_path, sensor={"gamma": 0.3}, task={"lr": 1}, model={"lr": 2, "depth": 3})
    make_run(tmp_path, sensor={"gamma": 0.4}, task={"lr": 2}, model={"lr": 3, "depth": 4})
    summary = summarise([tmp_path])
    first = summary.rows[0]
    assert summary.short_label(first) == "gamma 2 bit · depth=3 · model.lr=2 · gamma=0.3 · task.lr=1"
    assert summary.label(first) == "gamma 2 bit · model.depth=3 · model.lr=2 · quant.sensor.gamma=0.3 · task.lr=1"


def test_numbers_in_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    for layers in ("[10, 1]", "[9, 1]", "none"):
        make_run(tmp_path, model={"layers": layers})
    assert [row.settings[0][1] for row in summarise([tmp_path]).rows] == ["[9, 1]", "[10, 1]", "none"]


def test_where_a_run_started_from_tells_rows_apart(tmp_path: Path) -> None:
    for number, start in enumerate((None, "/a/five", "/b/five", "/a/four")):
        folder = make_run(tmp_path, 0.1 * number, fold=number)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump({**config, "init_from": start}))
    settings = [dict(row.settings).get("init_from") for row in summarise([tmp_path]).rows]
    assert sorted(map(str, settings)) == ["None", "five", "four"], "by name: where the folder lies does not matter"
