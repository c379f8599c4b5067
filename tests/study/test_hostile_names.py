"""Names of other people's making stay text in every form of a report: data sets, quantizers, classes, metrics, runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.hostile_names import HOSTILE
from tests.study.test_damaged import data_of, say
from tests.study_folders import make_run

from qsense.runs.escapes import csv_cell, latex, markdown, one_line
from qsense.study.audit.arms import trajectory
from qsense.study.files import write_report
from qsense.study.summary import Summary, summarise


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A run for each name, which its quantizer, data set, model, setting, metric, class and folder bear."""
    root = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(HOSTILE):
        plain = name.replace("/", "_").strip(".")[:100]
        folder = make_run(root, name=f"{number}{plain}", sensor={"gamma": name})
        content = json.loads((folder / "metrics.json").read_text())
        content |= {"quant": name, "dataset": name, "model": name, "per_class": {"f1_sample": {name: 0.5}}}
        content["metrics"][name] = float("nan")
        (folder / "metrics.json").write_text(json.dumps(content))
    return summarise([root])


def test_the_forms_hold_no_character_that_moves_or_hides_text(hostile: Summary) -> None:
    assert len(hostile.rows) == len(hostile.datasets) == len(HOSTILE)
    for form, text in say(hostile).items():
        lines = text.split("\n")
        assert [line for line in lines if one_line(line) != line] == [] or form == "page"
    assert "\x1b" not in text


def test_tables_keep_their_shape(hostile: Summary) -> None:
    forms = say(hostile)
    for form in ("cells", "runs"):
        rows = list(csv.DictReader(forms[form].splitlines()))
        assert len(rows) == len(HOSTILE)
        assert {row["dataset"] for row in rows} == {csv_cell(name) for name in HOSTILE}
        assert all(None not in row and None not in row.values() for row in rows)
    table = [line for line in forms["markdown"].splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert all(markdown(name) in table[0] for name in HOSTILE)
    assert "<script" not in forms["markdown"]
    assert "](javascript" not in forms["markdown"].replace("\\](", "")
    assert all(latex(name) in forms["latex"] for name in HOSTILE)
    assert "\\input{" not in forms["latex"]


def test_the_page_is_read_as_it_was_meant(hostile: Summary) -> None:
    page = say(hostile)["page"]
    data = data_of(page)
    assert [each["name"] for each in data["datasets"]] == sorted(map(one_line, HOSTILE))
    assert page.count("</script") == 3, "the page's own: its library, its data, its script"
    assert not {"\u2028", "\u2029", "\x1b"} & set(page)


def test_pictures_are_drawn(hostile: Summary, tmp_path: Path) -> None:
    few = summarise(
        [run.folder for run in hostile.runs if run.dataset in ("acc{x}", "${HOME} $(id) `id`", "γ 加速度 é")]
    )
    assert "scores.png" in {file.name for file in write_report(few, tmp_path)}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epoch,gamma_0\n0,0.4\n1\n", "line 3"),
        ("epoch,gamma_0\n0,high\n", "line 2, gamma_0=high"),
        ("epoch,gamma_0\n0,nan\n", "gamma_0=nan"),
        ("epoch,gamma_0\n0,\n", "line 2, gamma_0="),
        ("epoch,gamma_0\n0,0.4,0.5\n", "line 2 has 3"),
        ('epoch,"gamma\n', "CSV"),
        ("epoch\x00,gamma_0\n0,inf\n", "inf"),
        ('{"a": [1, 2]}\n3\n', "line 2"),
    ],
)
def test_a_record_of_learning_of_another_shape_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "learned.csv").write_text(text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 – its message is looked at
        trajectory(tmp_path)
    assert named in str(caught.value)
