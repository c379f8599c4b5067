"""Tables by parts of a test: their numbers, order and counts in every form, and divisions that nobody recorded."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests import browser as chromium
from tests.hostile_names import HOSTILE
from tests.refusal import refused
from tests.study.test_damaged import data_of
from tests.study_folders import make_run

from qsense.commands.report import main
from qsense.runs.escapes import html, latex, markdown, one_line
from qsense.study.groups import DIVISIONS, divisions_of, group_names, telling_divisions, with_groups
from qsense.study.page import study_page, write_page
from qsense.study.run import ReportError, read_run
from qsense.study.run_page import run_page
from qsense.study.summary import Summary, summarise

EXPOSURES = ("2–4 stops", "4–6 stops", "10–12 stops")


def division(scores: dict[str, float | None], boxes: int = 7) -> dict[str, dict[str, Any]]:
    """Groups of 3 frames and `boxes` boxes, those without a score of none."""
    counts = {name: 0 if score is None else boxes for name, score in scores.items()}
    twice = {name: None if score is None else score + 0.125 for name, score in scores.items()}
    return {"map": scores, "ap50": twice, "frames": dict.fromkeys(scores, 3), "boxes": counts}


def detection_run(root: Path, score: float, groups: dict[str, Any] | None = None, **kind: Any) -> Path:
    """A run whose night is .25 worse than its day, and which has seen no fog."""
    folder = make_run(root, score, data="raod", monitor="map", **kind)
    result = json.loads((folder / "metrics.json").read_text())
    groups = groups or {
        "condition": division({"day": score, "night": score - 0.25, "fog": None}),
        "exposure": division(dict(zip(EXPOSURES, (score, score, score - 0.25), strict=True))),
        "size": division({"small": score - 0.125, "medium": score, "large": None}),
    }
    (folder / "metrics.json").write_text(json.dumps({**result, "num_folds": 1, "groups": groups}))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        detection_run(root, 0.5 + 0.125 * seed, quant="none", bits=None, seed=seed)
        detection_run(root, 0.375, quant="gamma", bits=4, seed=seed)
    return root


@pytest.fixture(scope="module")
def summary(study: Path) -> Summary:
    return with_groups([summarise([study])], ["condition", "exposure", "size"])[0]


def test_scores_are_means_over_runs_of_each_group(summary: Summary) -> None:
    condition, exposure, size = summary.divided
    found = {(row.name, group): (cell.mean, cell.std) for (row, group), cell in condition.cells.items()}
    assert found == {
        ("none", "day"): (0.5625, 0.0625),
        ("none", "night"): (0.3125, 0.0625),
        ("gamma 4 bit", "day"): (0.375, 0.0),
        ("gamma 4 bit", "night"): (0.125, 0.0),
    }
    assert (condition.datasets, exposure.datasets) == (["day", "night"], list(EXPOSURES)), "in their order"
    assert size.datasets == ["small", "medium"], "no object is large"
    assert all(cell.complete for cell in condition.cells.values())


def test_every_form_has_scores_and_what_stands_behind_them(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "Frames, boxes: day 3, 7; night 3, 7. Without a score: fog 3, 0."
    assert main([str(study), "--per", "condition", "size", "--out", str(tmp_path)]) == 0
    screen = capsys.readouterr().out
    assert "by condition on RAOD" in screen
    assert said in " ".join(screen.split())
    assert "small up to 32², medium up to 96²" in " ".join(screen.split())
    assert max(map(len, screen.splitlines())) <= 80
    assert "| none | 56.25 ± 6.25 | 31.25 ± 6.25 |" in (tmp_path / "report.md").read_text()
    assert said in (tmp_path / "report.md").read_text()
    tables = (tmp_path / "report.tex").read_text()
    assert "none & -- & $56.25 \\pm 6.25$ & $31.25 \\pm 6.25$" in tables
    assert f"% {said}" in tables
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text().splitlines()))
    assert [row["mean"] for row in rows if (row["group"], row["quant"]) == ("night", "none")] == ["31.25"]
    assert {row["dataset"] for row in rows} == {"RAOD"}


def test_without_being_asked_for_it_is_offered(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(study), "--html", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "by condition" not in said.out
    assert "--per condition exposure size" in said.err


def test_other_metrics_have_tables_of_their_own(study: Path) -> None:
    (each,) = with_groups([summarise([study], "map")], ["size"])
    assert [table.metric for table in each.divided] == ["map"]
    with refused(ReportError, "--per condition", "f1_window", "condition: map, ap50"):
        with_groups([summarise([study], "f1_window")], ["condition"])


def test_runs_without_groups_and_groups_of_one(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, 0.5, data="raod", monitor="map"), detection_run(tmp_path, 0.5, seed=1)
    with refused(ReportError, "--per size", "map", "0.2"):
        with_groups([summarise([old])], ["size"])
    (table,) = with_groups([summarise([tmp_path])], ["size"])[0].divided
    assert not any(cell.complete for cell in table.cells.values()), "the old run knows nothing of it"
    assert telling_divisions([read_run(new)]) == ["condition", "exposure", "size"]
    one = detection_run(tmp_path, 0.5, {"size": division({"small": 0.5, "medium": None})}, seed=2)
    assert telling_divisions([read_run(one), read_run(old)]) == []
    assert divisions_of([read_run(one)]) == {"size": ["map", "ap50"]}


def test_exposures_are_ordered_by_stops_over_all_runs(tmp_path: Path) -> None:
    first = detection_run(tmp_path, 0.5, {"exposure": division({"10–12 stops": 0.5, "12–14 stops": 0.5})})
    other = detection_run(tmp_path, 0.5, {"exposure": division({"2–4 stops": 0.5})}, seed=1)
    names = group_names([read_run(first), read_run(other)], "exposure")
    assert names == ["2–4 stops", "10–12 stops", "12–14 stops"]


def test_the_page_has_the_same_numbers(summary: Summary) -> None:
    data = data_of(study_page([summary]))
    assert data["divisions"] == list(DIVISIONS)
    groups = data["datasets"][0]["groups"]["condition"]
    assert (groups["names"], groups["boxes"]) == (["day", "night", "fog"], ["7", "7", "0"])
    nights = [run["groups"]["condition"]["map"][1] for run in data["runs"]]
    assert sorted(nights) == [0.125, 0.125, 0.25, 0.375]
    assert {run["groups"]["condition"]["map"][2] for run in data["runs"]} == {None}


def test_a_run_page_has_a_table_for_each_division(study: Path) -> None:
    text = run_page(read_run(next(study.glob("*none*seed0*"))))
    assert '<th scope="row">night<td>25.00 %<td>37.50 %<td>3<td>7' in text
    assert '<th scope="row">fog<td>–<td>–<td>3<td>0' in text
    assert text.index("By condition") < text.index("By exposure") < text.index("By size")


def test_hostile_groups_stay_text(tmp_path: Path) -> None:
    names = {name: 0.5 for name in HOSTILE if name.strip()}
    folder = detection_run(tmp_path, 0.5, {"condition": division(dict(names)), "<b>": division({"a": 0.5})})
    (summary,) = with_groups([summarise([tmp_path])], ["condition"])
    from qsense.study.tables import latex_table, markdown_report

    (table,) = summary.divided
    assert all(latex(one_line(name)) in latex_table(table) for name in names)
    assert all(markdown(one_line(name)) in markdown_report([summary]) for name in names)
    page = study_page([summary])
    assert page.count("</script") == 3
    assert data_of(page)["datasets"][0]["groups"].keys() == {"condition"}
    text = run_page(read_run(folder))
    assert all(html(one_line(name)) in text for name in names)
    assert "<script" not in text


@pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
def test_the_page_shows_each_division(summary: Summary, tmp_path: Path) -> None:
    def table() -> list[list[str]]:
        rows = window.run("return [...document.querySelectorAll('#groups tr')].map((r) => r.innerText)")
        return [row.split("\t") for row in rows]

    def label() -> str:
        name: str = window.run("return document.querySelector('#groups .canvas').getAttribute('aria-label')")
        return name.split(".")[0]

    with chromium.browser() as window:
        window.open(write_page([summary], tmp_path))
        window.wait("document.documentElement.dataset.drawn === 'all'")
        assert label() == "COCO mAP (%) by condition on RAOD"
        head, *rows = table()
        assert [" ".join(cell.split()) for cell in head] == [
            "Quantizer", "day 3 frames 7 boxes", "night 3 frames 7 boxes", "fog 3 frames 0 boxes",
        ]  # fmt: skip
        assert rows == [["none", "56.3", "31.3", "–"], ["gamma 4 bit", "37.5", "12.5", "–"]]
        window.click('#division option[value="size"]')
        assert label() == "COCO mAP (%) by size on RAOD"
        assert "small up to 32²" in window.texts("#groups")[0]
        read = window.run("""
            const chart = document.querySelector('#groups .canvas');
            chart.dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', bubbles: true }));
            return chart.parentNode.querySelector('.reading').textContent;
        """)
        assert read == "none, small: 43.75 ± 6.25 (3 frames, 7 boxes)"
        window.run("scrollTo(0, 0)")
        window.click('#filter-seed input[data-value="1"]')  # leaves seed 0
        window.wait("document.documentElement.dataset.drawn === 'all'")
        assert table()[1] == ["none", "37.5", "50.0", "–"]
        window.run("scrollTo(0, 0)")
        window.click('#metric option[value="1"]')
        window.wait("document.documentElement.dataset.drawn === 'all'")
        assert "No run that passes the filters recorded" in window.texts("#groups")[0]
        assert window.errors() == []


@pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
def test_a_study_without_such_runs_has_no_such_section(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    with chromium.browser() as window:
        window.open(write_page([summarise([tmp_path / "runs"])], tmp_path))
        window.wait("document.documentElement.dataset.drawn === 'all'")
        assert "By light and size" not in window.texts("nav")[0]
        assert window.errors() == []
