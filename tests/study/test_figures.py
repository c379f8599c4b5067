"""The papers' figures by name, from runs that were trained here for a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused
from tests.study_folders import by_seed, make_cell, make_run

from qsense.__main__ import main
from qsense.study.figures import FIGURES, MOST_DRAWN, draw
from qsense.study.index import gather
from qsense.study.run import ReportError

if TYPE_CHECKING:
    from tests.conftest import Command

PNG = b"\x89PNG"


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--figure", "list", "--out", "/dev/null"]) == 0  # nothing is written for it
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)
    assert {"gamma_quant/3", "gamma_quant/4", "gamma_quant/6", "fat/6", "fat/7"} <= set(FIGURES)


def test_no_such_figure_and_no_such_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs", quant="linear")
    assert main(["report", str(tmp_path / "runs"), "--figure", "gamma_quant/33"]) == 1
    assert_names(capsys.readouterr().err, "gamma_quant/33", "gamma_quant/3", "fat/6")
    assert main(["report", str(tmp_path / "runs"), "--figure", "gamma_quant/4"]) == 1
    assert_names(capsys.readouterr().err, "gamma_quant/4", "PASCAL RAW")


@pytest.mark.parametrize(("name", "dataset"), [("gamma_quant/4", "PASCAL RAW"), ("gamma_quant/6", "RAOD")])
def test_scores_against_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dataset: str) -> None:
    from qsense.plots import scores

    drawn: list[scores.Score] = []
    plot = scores.plot_scores

    def remember(points: list[scores.Score], label: str, title: str) -> Any:
        drawn.extend(points)
        return plot(points, label, title)

    monkeypatch.setattr(scores, "plot_scores", remember)
    make_cell(tmp_path / "runs", by_seed(0.3, 0.4), seeds=2, monitor="map")
    for folder in (tmp_path / "runs").iterdir():
        result = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(result | {"dataset": dataset}))
    for model, quant, bits in (("paa", "linear", 4), ("paa", "gamma", 8), ("retinanet", "gamma", 8)):
        folder = make_run(tmp_path / "runs", 0.5, quant=quant, bits=bits, monitor="map")
        result = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(result | {"dataset": dataset, "model": model}))
    make_run(tmp_path / "runs", 0.9)  # activity recognition has no place in it
    (file,) = draw(name, gather([tmp_path / "runs"]), tmp_path / "out")
    assert file == tmp_path / "out" / f"{name.replace('/', '_')}.png"
    assert file.read_bytes().startswith(PNG)
    assert {(score.panel, score.line, score.bits) for score in drawn} == {
        (f"{dataset}, deepconvlstm", "gamma", 2),
        (f"{dataset}, paa", "linear", 4),
        (f"{dataset}, paa", "gamma", 8),
        (f"{dataset}, retinanet", "gamma", 8),
    }


def test_runs_of_one_name_in_two_folders_are_both_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qsense.study import figures

    drawn: list[tuple[str, str]] = []
    monkeypatch.setattr(
        figures, "_draw_run", lambda _, run, path, allow: drawn.append((run.folder.parent.name, path.name))
    )
    for place in ("one", "other"):
        make_run(tmp_path / place, name="run")
    draw("gamma_quant/3", gather([tmp_path]), tmp_path / "out")
    assert drawn == [("one", "gamma_quant_3-run.png"), ("other", "gamma_quant_3-run-2.png")]


def test_of_many_runs_a_few_of_each_kind_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qsense.study import figures

    made: list[str] = []

    def remember(of_run: object, run: Any, path: Path, allow: object) -> Path:
        made.append(f"{run.quant} {run.bits}")
        return path

    monkeypatch.setattr(figures, "_draw_run", remember)
    for bits in (2, 3, 4):
        make_cell(tmp_path, by_seed(0.4, 0.5, 0.6), bits=bits)
    draw("gamma_quant/3", gather([tmp_path]), tmp_path / "out")
    assert len(made) == MOST_DRAWN
    assert {kind: made.count(kind) for kind in made} == {"gamma 2": 4, "gamma 3": 4, "gamma 4": 4}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["quant=gamma", "bits=2"], ["gamma_quant/3"]),
        (["task=detection", "quant=gamma"], ["gamma_quant/3", "gamma_quant/5"]),
        (["task=classification", "quant=fat"], ["fat/6", "fat/7", "fat/supplement_4"]),
    ],
)
def test_from_trained_runs(tmp_path: Path, command: Command, overrides: list[str], names: list[str]) -> None:
    done = command("qsense.train", *overrides, *NO_PICTURES, "trainer=smoke", "logger=none", f"runs={tmp_path}/runs")
    assert done.code == 0, done.err
    (run,) = (tmp_path / "runs").iterdir()
    for name in names:
        (file,) = draw(name, gather([tmp_path / "runs"]), tmp_path / "out")
        assert file.name == f"{name.replace('/', '_')}-{run.name}.png"
        assert file.read_bytes().startswith(PNG)
    (run / "checkpoints" / "last.ckpt").unlink()
    with refused(ReportError, run, run / "checkpoints" / "last.ckpt"):
        draw(names[0], gather([tmp_path / "runs"]), tmp_path / "out")


def test_a_run_that_learned_nothing_is_passed_over(tmp_path: Path) -> None:
    folder = make_run(tmp_path, quant="linear")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["choices"]["quant"] == "linear"
    result = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(result | {"quantizer": {}}))
    with refused(ReportError, "gamma_quant/3", "γ", "quant=gamma", "gamma_per_axis", 1):
        draw("gamma_quant/3", gather([tmp_path]), tmp_path / "out")
