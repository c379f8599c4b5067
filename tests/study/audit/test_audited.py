"""An audit's table and files, from made-up runs whose answer is known."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.refusal import assert_names, refused
from tests.study_folders import make_run

from qsense.experiment.errors import ConfigError
from qsense.study.audit.arms import Arm
from qsense.study.audit.audited import Audited, compare, lines, with_slopes
from qsense.study.audit.files import POWERS, write_audit
from qsense.study.audit.tangents import Tangents
from qsense.study.run import ReportError, read_run

FOLDS = (0, 2)
Score = Callable[[int, int], float]


def arm(root: Path, kind: Any, name: str, score: Score, place: Any = None, seeds: int = 2, **run: Any) -> Arm:
    """An arm of two folds with scores as given."""
    found = {}
    for seed in range(seeds):
        for fold in FOLDS:
            folder = make_run(root / name, score(seed, fold), seed=seed, fold=fold, **run)
            if kind == "learned":
                (folder / "learned.csv").write_text("epoch,gamma_0,mu_0\n0,0.4,0.0\n1,0.38,0.01\n2,0.3,0.02\n")
            found[seed, fold] = read_run(folder)
    return Arm(kind, name, place, 4, found)


def arms(root: Path, learned: Score = lambda seed, fold: 0.5 + 0.01 * seed) -> list[Arm]:
    return [
        arm(root, "learned", "gamma · lr=0.01", learned),
        arm(root, "fixed", "γ 0.2", lambda seed, fold: 0.40 + 0.01 * (seed == fold), (0.2, 0.0)),
        arm(root, "fixed", "γ 0.4", lambda seed, fold: 0.50 + 0.01 * (seed == fold), (0.4, 0.0)),
        arm(root, "fixed", "γ 0.2, μ 0.1", lambda seed, fold: 0.30, (0.2, 0.1)),
        arm(root, "fixed", "γ 0.4, μ 0.1", lambda seed, fold: 0.35, (0.4, 0.1)),
        arm(root, "baseline", "linear", lambda seed, fold: 0.2, quant="linear"),
    ]


def test_the_table_says_what_learning_reached(tmp_path: Path) -> None:
    text = "\n".join(lines(compare(arms(tmp_path))))
    assert "# Audit: SBHAR, 2 bit, deepconvlstm" in text
    assert "macro-F1, sample-wise (%): mean over 2 folds and 2 seeds" in text
    learned = next(line for line in text.splitlines() if line.startswith("| gamma · lr=0.01"))
    assert [cell.strip() for cell in learned.strip("|").split("|")] == [
        "gamma · lr=0.01", "50.50 ± 0.50", "+0.25", "+0.25", "0.47",
    ]  # fmt: skip
    assert "- gamma · lr=0.01: as good, within noise" in text
    assert "- linear (baseline): worse" in text
    assert "**50.25 ± 0.25**" in text  # the best fixed point
    assert "| γ 0.2 | " in text
    assert "μ 0.1" in text
    assert "Chosen with each seed left out: γ 0.4; γ 0.4." in text
    (moved,) = [line for line in text.splitlines() if "gamma_0" in line]
    assert "0.4000" in moved
    assert "0.3000 ± 0.0000" in moved
    assert "-0.1000" in moved
    assert "missing" not in text


def test_every_table_fits_a_screen(tmp_path: Path) -> None:
    wide = [
        arm(tmp_path, "fixed", f"γ 0.3, μ {mu:g}", lambda seed, fold: 0.3, (0.3, mu)) for mu in np.arange(1, 9) / 10
    ]
    tables = [line for line in lines(compare([*arms(tmp_path), *wide])) if line.startswith("|")]
    assert max(map(len, tables)) < 80
    headings = [line for line in tables if line.startswith("| fixed")]
    assert len(headings) > 1
    assert_names(" ".join(headings), *(f"μ {mu:g}" for mu in np.arange(9) / 10))


def test_missing_runs_are_said_and_other_runs_compared(tmp_path: Path) -> None:
    there = arms(tmp_path)
    first = {pair: run for pair, run in there[1].runs.items() if pair != (1, 2)}
    there[1] = Arm("fixed", "γ 0.2", (0.2, 0.0), 4, first)
    there.append(Arm("baseline", "log", None, 4, {}))  # not one run
    audited = compare(there)
    assert audited.verdicts["gamma · lr=0.01"].pairs == 3
    assert "log" not in audited.verdicts
    text = "\n".join(lines(audited))
    assert "Runs are missing: γ 0.2 (3 of 4). Comparisons use the (seed, fold) that all have." in text


def test_what_has_no_run_in_common_is_refused(tmp_path: Path) -> None:
    there = arms(tmp_path)
    other = {(7, 7): next(iter(there[0].runs.values()))}
    with refused(ReportError, "gamma · lr=0.01", "(seed, fold)"):
        compare([Arm("learned", there[0].name, None, 4, other), *there[1:]])


def slopes() -> list[Tangents]:
    x = np.linspace(-0.4, 0.4, 5)
    differences = np.array([[[1.0, 1.1]], [[-0.1, 0.2]], [[-1.0, -1.1]]])
    estimators = {"ste": differences[:, 0] * 2, "noise": -differences[:, 0]}
    return [
        Tangents("log_gamma", -1.0, np.array([-0.2, 0, 0.2]), np.array([0.1]), differences, estimators, x, x**2, x[1:4])
    ]


def test_files_hold_the_findings_and_are_the_same_each_time(tmp_path: Path) -> None:
    found = compare(arms(tmp_path / "runs"))
    audited = Audited(found.arms, found.verdicts, slopes(), found.arms[0].runs[0, 0])
    one, other = write_audit(audited, tmp_path / "one"), write_audit(audited, tmp_path / "other")
    assert [file.name for file in one] == ["audit.md", "audit.csv", "audit.json", "audit.png", "gradients.png"]
    for first, second in zip(one, other, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name

    rows = list(csv.DictReader((tmp_path / "one" / "audit.csv").open()))
    assert [row["kind"] for row in rows] == ["learned", *["fixed"] * 4, "baseline"]
    assert float(rows[0]["mean"]) == pytest.approx(0.505)
    assert float(rows[0]["honest"]) == pytest.approx(0.0025)
    assert rows[0]["verdict"] == "reached"
    assert (rows[4]["gamma"], rows[4]["mu"], rows[4]["verdict"]) == ("0.4", "0.1", "")
    content = json.loads((tmp_path / "one" / "audit.json").read_text())
    assert content["quantizers"][0]["learned"]["gamma_0"] == {"start": 0.4, "end": 0.3, "end_std": 0.0}
    assert len(content["quantizers"][0]["runs"]) == 4
    assert str(tmp_path) not in json.dumps(content)
    (ste, noise) = content["gradients"]["agreement"]
    assert (ste["cosine"], ste["right"], ste["sure"], ste["ratio"]) == pytest.approx((1, 2, 2, 2))
    assert (noise["cosine"], noise["right"], noise["ratio"]) == pytest.approx((-1, 0, -1))
    text = (tmp_path / "one" / "audit.md").read_text()
    assert "![gradients](gradients.png)" in text
    assert "| ste      |  +1.00 |     2 of 2 | +2.00 |" in text

    write_audit(found, tmp_path / "one")  # without gradients: their old picture goes
    assert not (tmp_path / "one" / "gradients.png").exists()
    assert "gradients.png" not in (tmp_path / "one" / "audit.md").read_text()


def test_gradients_that_cannot_be_compared_are_explained(tmp_path: Path) -> None:
    audited = with_slopes(compare(arms(tmp_path)), examples=100)  # made-up runs have no checkpoint
    assert audited.slopes == []
    assert_names(audited.silent, "last.ckpt")
    assert "Gradients were not compared: sbhar-gamma-2bit-fold00-seed0" in "\n".join(lines(audited))


@pytest.mark.parametrize(
    "error", [ConfigError("mine.Gamma is not allowed"), PermissionError(13, "denied"), ValueError("no slopes")]
)
def test_a_run_that_cannot_be_built_costs_the_gradients_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("qsense.study.audit.tangents.of_run", fail)
    audited = with_slopes(compare(arms(tmp_path)), examples=100)
    assert_names(audited.silent, str(error))


def test_runs_stand_on_the_curve_without_what_subjects_differ_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def catch(points: Any, spreads: Any, tracks: Any, *rest: Any) -> Figure:
        drawn.update(points=points, tracks=tracks)
        return Figure()

    monkeypatch.setattr("qsense.plots.audit.plot_audit", catch)
    subjects = {0: 0.2, 2: 0.6}
    there = [
        arm(
            tmp_path,
            "learned",
            "gamma",
            lambda _, fold: subjects[fold] + 0.1,
            sensor={"_target_": f"qsense.a.room.{POWERS[0]}"},
        ),
        arm(
            tmp_path, "learned", "gamma_norm", lambda _, fold: subjects[fold], quant="gamma_norm"
        ),  # its γ is another one
        arm(tmp_path, "fixed", "γ 0.4", lambda _, fold: subjects[fold], (0.4, 0.0)),
    ]
    write_audit(compare(there), tmp_path / "out")
    assert drawn["points"] == [(0.4, 0.0, pytest.approx(40))]
    assert [track.score for track in drawn["tracks"]] == [pytest.approx(50)] * 4
    assert {tuple(track.gamma) for track in drawn["tracks"]} == {(0.4, 0.38, 0.3)}
