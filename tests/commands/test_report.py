"""The report over made-up run folders whose averages are known by hand."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.refusal import assert_names, refused
from tests.study_folders import by_seed, make_cell, make_run, rates, sensing

from qsense.__main__ import main as door
from qsense.study.cell import Cell
from qsense.study.files import write_report
from qsense.study.rows import Row
from qsense.study.run import ReportError
from qsense.study.screen import print_report
from qsense.study.summary import Summary, summarise
from qsense.study.writing import UNWRITTEN


def main(arguments: list[str]) -> int:
    return door(["report", *arguments])


def screen(summary: Summary, width: int = 200) -> str:
    console = Console(width=width, color_system=None, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    print_report(summary, console)
    return console.export_text()


def labels(summary: Summary) -> list[str]:
    return [summary.label(row) for row in summary.rows]


# ------------------------------------------------------------------------------------------------------------ numbers


def test_mean_over_folds_then_mean_and_std_over_seeds(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4, 0.5, 0.6))
    summary = summarise([tmp_path])
    ((row, dataset), cell) = next(iter(summary.cells.items()))
    assert (row, dataset) == (Row("gamma", 2, None, "har", "deepconvlstm"), "SBHAR")
    assert cell.seed_means == pytest.approx({0: 0.4, 1: 0.5, 2: 0.6})
    assert cell.mean == pytest.approx(0.5)
    assert cell.std == pytest.approx((0.02 / 3) ** 0.5)  # ddof 0: √((0.1² + 0² + 0.1²)/3)
    assert (cell.expected, cell.complete, cell.comparable, cell.missing, cell.count) == (12, True, True, "", "4×3")
    text = screen(summary)
    assert "macro-F1, sample-wise (%): mean over folds, then mean ± std over seeds" in text
    assert "gamma 2 bit" in text
    assert "50.00 ± 8.16" in text
    assert "Missing" not in text
    assert "*" not in text


def test_seeds_count_alike_however_many_folds_they_have() -> None:
    cell = Cell({(0, 0): 0.0, (0, 1): 0.0, (0, 2): 0.0, (1, 0): 1.0}, num_folds=3, seeds=(0, 1))
    assert cell.mean == 0.5


def test_one_seed_has_no_std(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.5), seeds=1)
    summary = summarise([tmp_path])
    assert next(iter(summary.cells.values())).std is None
    text = screen(summary)
    assert "50.00\n" in text.replace(" ", "")
    assert "Without ±: a single seed." in text


def test_rows_and_columns_in_the_papers_order(tmp_path: Path) -> None:
    for quant, bits in (("gamma", 2), ("linear", 4), ("fancy", 4), ("none", None), ("gamma", 4), ("linear", 2)):
        make_run(tmp_path, quant=quant, bits=bits)
        make_run(tmp_path, quant=quant, bits=bits, data="rwhar")
    summary = summarise([tmp_path])
    assert labels(summary) == ["none", "linear 4 bit", "gamma 4 bit", "fancy 4 bit", "linear 2 bit", "gamma 2 bit"]
    assert summary.datasets == ["RWHAR", "SBHAR"]


def test_other_metrics(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5)
    assert next(iter(summarise([tmp_path], "f1_window").cells.values())).mean == 0.25
    text = screen(summarise([tmp_path], "loss"))
    assert "1.0000" in text
    assert "%" not in text


# ------------------------------------------------------------------------------------------------------- what is there


def test_missing_runs_are_counted_and_listed(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4, 0.5, 0.6))
    make_run(tmp_path, quant="linear", fold=1)
    make_run(tmp_path, quant="linear", fold=1, seed=1)
    summary = summarise([tmp_path])
    linear, gamma = summary.cells.values()
    assert linear.count == "1×2 of 4×3"
    assert linear.missing == "seeds 0, 1: folds 0, 2, 3; seed 2: all 4 folds"
    assert not linear.complete
    assert gamma.complete
    text = screen(summary)
    assert "50.00 ± 0.00*†" in text
    assert "* Runs are missing." in text
    assert "Missing\n  10 of 24 runs: linear 2 bit seeds 0, 1: folds 0, 2, 3; seed 2: all 4 folds\n" in text


def test_missing_folds_are_listed_compactly() -> None:
    cell = Cell({(0, fold): 0.5 for fold in range(4)}, num_folds=30, seeds=(0,))
    assert cell.missing == "seed 0: folds 4–29"
    assert cell.count == "4×1 of 30×1"


def test_the_same_few_folds_everywhere_are_incomplete_but_comparable(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4, 0.5), seeds=2, folds=2)
    make_cell(tmp_path, by_seed(0.3, 0.4), seeds=2, folds=2, quant="linear")
    summary = summarise([tmp_path])
    assert [(cell.complete, cell.comparable) for cell in summary.cells.values()] == [(False, True)] * 2
    assert "†" not in screen(summary)


def test_seeds_over_different_folds_are_marked(tmp_path: Path) -> None:
    make_run(tmp_path, seed=0, fold=0)
    make_run(tmp_path, seed=0, fold=1)
    make_run(tmp_path, seed=1, fold=0)
    summary = summarise([tmp_path])
    (cell,) = summary.cells.values()
    assert not cell.comparable
    assert cell.count == "3 of 4×2"
    assert "† Averages other folds than the rest of its column: not comparable." in screen(summary)


def test_unfinished_runs_are_named_with_their_logs(tmp_path: Path) -> None:
    make_run(tmp_path)
    chained = (
        "Traceback (most recent call last):\n  File\nKeyError: 'first'\n\nDuring handling …\n\n"
        "Traceback (most recent call last):\n  File\nRuntimeError: loss is NaN\n  in step 3\nsee above\n"
    )
    failed = make_run(tmp_path, None, seed=1, failure=chained)
    stopped = make_run(tmp_path, None, seed=2, fold=3)
    (stopped / "train.log").write_text("…")
    summary = summarise([tmp_path])
    assert [run.status for run in summary.unfinished] == ["failed", "interrupted"]
    text = screen(summary)
    assert f"failed: gamma 2 bit, sbhar, seed 1, fold 0: RuntimeError: loss is NaN\n    {failed / 'failed.txt'}" in text
    assert f"interrupted: gamma 2 bit, sbhar, seed 2, fold 3\n    {stopped / 'train.log'}" in text
    (cell,) = summary.cells.values()
    assert cell.seeds == (0, 1, 2), "a seed of which no run finished is still expected"
    assert cell.missing == "seed 0: folds 1–3; seeds 1, 2: all 4 folds"


def test_a_finished_run_that_once_failed_counts_as_finished(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5, failure="Traceback (most recent call last):\nOSError: disk full")
    assert summarise([tmp_path]).unfinished == []


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b'{"dataset": "SBHAR"}', b"\xff\xfe", b"damaged metrics"])
def test_an_unreadable_result_is_named_with_its_file(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "runs")
    file = folder / "metrics.json"
    if content == b"damaged metrics":
        content = json.dumps(json.loads(file.read_text()) | {"metrics": [0.5]}).encode()
    file.write_bytes(content)
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "report")]) == 1
    text = capsys.readouterr().out
    assert f"Could not be read\n  {file}: " in text
    assert "Not finished" not in text, "it is said once"
    assert "No run has finished yet." in text


def test_a_result_without_its_configuration_counts(tmp_path: Path) -> None:
    (make_run(tmp_path) / "config.yaml").unlink()
    assert labels(summarise([tmp_path])) == ["gamma 2 bit"]


# ------------------------------------------------------------------------------------------------------ what is alike


def test_a_grid_over_gamma_is_one_report(tmp_path: Path) -> None:
    for gamma in (1.0, 0.3, 10.0):
        make_run(tmp_path, sensor={"gamma": gamma})
    make_run(tmp_path, quant="linear")
    assert labels(summarise([tmp_path])) == [
        "linear 2 bit",
        "gamma 2 bit · quant.sensor.gamma=0.3",
        "gamma 2 bit · quant.sensor.gamma=1",
        "gamma 2 bit · quant.sensor.gamma=10",
    ]


def test_a_key_that_varies_on_one_data_set_is_named_on_all(tmp_path: Path) -> None:
    make_run(tmp_path, sensor={"gamma": 0.3})
    make_run(tmp_path, sensor={"gamma": 0.4})
    make_run(tmp_path, data="rwhar", sensor={"gamma": 0.4})
    summary = summarise([tmp_path])
    assert labels(summary) == ["gamma 2 bit · quant.sensor.gamma=0.3", "gamma 2 bit · quant.sensor.gamma=0.4"]
    assert {dataset for row, dataset in summary.cells if row == summary.rows[1]} == {"RWHAR", "SBHAR"}


def test_a_key_that_varies_in_some_rows_is_named_in_all_with_one_value(tmp_path: Path) -> None:
    make_run(tmp_path, trainer={"max_epochs": 5})
    make_run(tmp_path, trainer={"max_epochs": 30}, sensor={"gamma": 0.3})
    make_run(tmp_path, quant="none", bits=None)
    make_run(tmp_path, quant="linear")
    make_run(tmp_path, quant="log", trainer={"max_epochs": 3})
    make_run(tmp_path, quant="log", trainer={"max_epochs": 4}, data="rwhar")
    make_run(tmp_path, bits=4)
    assert labels(summarise([tmp_path])) == [
        "none · trainer.max_epochs=30",
        "gamma 4 bit · quant.sensor.gamma=0.4 · trainer.max_epochs=30",
        "linear 2 bit · trainer.max_epochs=30",
        "log 2 bit",  # its data sets are trained differently, which is no reason to part them
        "gamma 2 bit · quant.sensor.gamma=0.3 · trainer.max_epochs=30",
        "gamma 2 bit · quant.sensor.gamma=0.4 · trainer.max_epochs=5",
    ]


def test_a_run_without_its_configuration_beside_others_is_a_row_of_its_own(tmp_path: Path) -> None:
    make_run(tmp_path, fold=0)
    make_run(tmp_path, quant="none", bits=None)
    (make_run(tmp_path, fold=1) / "config.yaml").unlink()
    summary = summarise([tmp_path])
    assert labels(summary) == ["none", "gamma 2 bit", "gamma 2 bit · config=unknown"]
    assert summary.notes == []


def test_a_key_that_only_some_runs_have_splits_too(tmp_path: Path) -> None:
    make_run(tmp_path)
    make_run(tmp_path, task={"warm_up": 5})
    assert labels(summarise([tmp_path])) == ["gamma 2 bit", "gamma 2 bit · task.warm_up=5"]


def test_paths_devices_and_data_sets_split_nothing(tmp_path: Path) -> None:
    make_run(tmp_path, fold=0)
    make_run(tmp_path, fold=1, trainer={"accelerator": "gpu"}, datamodule={"cache": "/another", "num_workers": 2})
    make_run(tmp_path, fold=0, data="rwhar")
    summary = summarise([tmp_path])
    assert labels(summary) == ["gamma 2 bit"]
    assert summary.notes == []


def test_no_quantizer_is_one_row_at_any_number_of_bits(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5, quant="none", bits=None)
    again = make_run(tmp_path, 0.5, quant="none", bits=None)
    config = yaml.safe_load((again / "config.yaml").read_text())
    (again / "config.yaml").write_text(yaml.safe_dump(config | {"bits": 4}))
    summary = summarise([tmp_path])
    assert labels(summary) == ["none"]
    assert summary.notes == ["Folders of a run already counted, with the same score: 1."]


def test_of_a_run_done_twice_the_newer_counts(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, 0.5), make_run(tmp_path, 0.6)
    os.utime(old / "metrics.json", (1e9, 1e9))
    summary = summarise([tmp_path])
    (cell,) = summary.cells.values()
    assert cell.mean == 0.6
    assert summary.notes == [
        f"1 run has been done again with another score; the newest counts: {new} (0.6000), not {old} (0.5000)."
    ]


def test_notes_stay_short_however_much_there_is_to_say(tmp_path: Path) -> None:
    for number in range(6):
        data = f"set{number}"
        make_run(tmp_path, data=data)
        make_run(tmp_path, data=data, quant="linear", trainer={f"key{key}": key for key in range(5)})
        for again in range(4):
            make_run(tmp_path, 0.1 * again, data=data, quant="log")
    notes = summarise([tmp_path]).notes
    assert len(notes) == 6
    assert notes[0].startswith("18 runs have been done again with another score; the newest counts: ")
    assert notes[0].endswith(" … and 15 more.")
    assert notes[1] == (
        "Rows of SET0 also differ in 5 settings, see runs.csv: trainer.key0 (not set; 0), trainer.key1 (not set; 1), "
        "trainer.key2 (not set; 2) … and 2 more."
    )
    assert notes[-1] == "… and 2 more."


def test_rows_trained_differently_are_pointed_out(tmp_path: Path) -> None:
    make_run(tmp_path)
    make_run(tmp_path, quant="linear", trainer={"max_epochs": 5})
    assert summarise([tmp_path]).notes == [
        "Rows of SBHAR also differ in 1 setting, see runs.csv: trainer.max_epochs (30; 5)."
    ]
    write_report(summarise([tmp_path]), tmp_path / "report")
    rows = csv.DictReader((tmp_path / "report" / "runs.csv").open())
    assert {row["quant"]: row["trainer.max_epochs"] for row in rows} == {"gamma": "30", "linear": "5"}


def test_several_models_are_told_apart_by_name(tmp_path: Path) -> None:
    make_run(tmp_path)
    other = make_run(tmp_path, model={"filters": 3, "depth": 7})
    result = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(result | {"model": "tiny"}))
    summary = summarise([tmp_path])
    assert labels(summary) == ["gamma 2 bit · model=deepconvlstm", "gamma 2 bit · model=tiny"]
    assert summary.notes == []


# ------------------------------------------------------------------------------------------------------------- finding


def test_folders_are_searched_and_runs_counted_once(tmp_path: Path) -> None:
    make_run(tmp_path / "a" / "deep", fold=0)
    one = make_run(tmp_path / "b", fold=1)
    (one / "checkpoints").mkdir()
    make_run(tmp_path / ".hidden", fold=2)
    summary = summarise([tmp_path, one, tmp_path / "b", tmp_path / "a" / ".." / "b"])
    assert len(summary.runs) == 2


def test_no_runs_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "report")]) == 1
    said = capsys.readouterr().err
    assert_names(said, "error", tmp_path, "config.yaml", "metrics.json")
    assert said.count("\n") == 1
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("option", ["--out", "--html"])
@pytest.mark.parametrize("name", ["file", "file/deeper", "file/much/deeper", "nowhere", "nowhere/deeper"])
def test_an_unusable_folder_is_said_before_runs_are_read(
    tmp_path: Path, name: str, option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsense.commands.report.tables", lambda *_: pytest.fail("runs were read"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    out = tmp_path / name
    assert main([str(tmp_path / "runs"), option, str(out)]) == 1
    said = capsys.readouterr()
    assert_names(said.err, "error", out, tmp_path / name.split("/")[0], f"{option} FOLDER")
    assert said.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_the_right_to_write_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert main([str(tmp_path), "--out", str(tmp_path / "a" / "b")]) == 1
    assert_names(capsys.readouterr().err, "error", tmp_path / "a" / "b", tmp_path, "--out FOLDER")


@pytest.mark.parametrize("picture", ["scores.png", "report.tex", "runs.csv"])
def test_a_file_that_fails_costs_no_other(
    tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise {"scores.png": KeyError("font"), "report.tex": ValueError("no"), "runs.csv": OSError(28, "No space")}[
            picture
        ]

    drawn_by = {"scores.png": "scores_png", "report.tex": "latex_table", "runs.csv": "runs_csv"}[picture]
    make_run(tmp_path / "runs")
    monkeypatch.setattr(f"qsense.study.files.{drawn_by}", fail)
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "report")]) == UNWRITTEN
    said = capsys.readouterr()
    assert "gamma 2 bit" in said.out
    names = {"report.md", "report.csv", "runs.csv", "report.tex", "scores.png"} - {picture}
    assert {file.name for file in (tmp_path / "report").iterdir()} == names
    assert_names(said.err, "warning", tmp_path / "report", picture, "--out FOLDER")
    assert said.err.count("\n") == 1


def test_a_page_that_fails_costs_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    make_run(tmp_path / "runs")
    monkeypatch.setattr("qsense.study.page.write_atomically", full)
    assert main([str(tmp_path / "runs"), "--html", str(tmp_path / "page")]) == UNWRITTEN
    said = capsys.readouterr()
    assert "gamma 2 bit" in said.out
    assert_names(said.err, "warning", "index.html", "No space left on device", "--html FOLDER")
    assert said.err.count("\n") == 1


def test_no_such_folder(tmp_path: Path) -> None:
    with refused(ReportError, tmp_path / "absent"):
        summarise([tmp_path / "absent"])


def test_unknown_metric(tmp_path: Path) -> None:
    make_run(tmp_path)
    with refused(ReportError, "mAP", "f1_sample, f1_window, loss"):
        summarise([tmp_path], "mAP")


def test_tasks_with_different_metrics_need_a_choice(tmp_path: Path) -> None:
    make_run(tmp_path)
    make_run(tmp_path, monitor="map")
    with refused(ReportError, "f1_sample, map", "--metric"):
        summarise([tmp_path])
    assert summarise([tmp_path], "map").notes == ["Finished runs that did not measure map and are left out: 1."]


# --------------------------------------------------------------------------------------------------------------- files


@pytest.fixture
def report(tmp_path: Path) -> Path:
    make_cell(tmp_path / "runs", by_seed(0.4, 0.5, 0.6))
    make_run(tmp_path / "runs", 0.5, quant="none", bits=None)
    failed = make_run(tmp_path / "runs", None, quant="gamma_per_axis", failure="ValueError: no")
    (failed / "figures").mkdir()
    for name in ("transfer.png", "confusion.png"):
        (failed / "figures" / name).touch()
    write_report(summarise([tmp_path / "runs"]), tmp_path / "report")
    return tmp_path / "report"


def test_all_files_are_written_and_named(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(report.parent / "runs"), "--out", str(report)]) == 0
    names = {"report.md", "report.csv", "runs.csv", "report.tex", "scores.png"}
    assert {file.name for file in report.iterdir()} == names
    assert (report / "scores.png").read_bytes().startswith(b"\x89PNG")
    said = " ".join(capsys.readouterr().out.split())
    assert f"Written to {report}/: report.md, runs.csv, report.csv, report.tex, scores.png" in said
    assert f"Pictures {report.parent / 'runs'}/*/figures: confusion.png, transfer.png" in said


def test_markdown(report: Path) -> None:
    text = (report / "report.md").read_text()
    assert "| quantizer | SBHAR |\n|---|---:|\n" in text
    assert "| none | 50.00\\*†<br>1×1 of 4×3 |\n| gamma 2 bit | 50.00 ± 8.16 |\n" in text
    assert "Runs of each score, folds × seeds: 4×3; fewer below the score." in text
    assert "## Missing\n\n- 11 of 24 runs: none seed 0: folds 1–3; seeds 1, 2: all 4 folds\n" in text
    assert "## Not finished\n\n- failed: gamma_per_axis 2 bit, sbhar, seed 0, fold 0: ValueError: no\n" in text
    assert "![scores](scores.png)" in text


def test_csv_of_cells(report: Path) -> None:
    none, gamma = csv.DictReader((report / "report.csv").open())
    assert (none["quant"], none["bits"], none["std"], none["complete"]) == ("none", "", "", "False")
    assert (gamma["quant"], gamma["bits"], gamma["dataset"], gamma["metric"]) == ("gamma", "2", "SBHAR", "f1_sample")
    assert float(gamma["mean"]) == pytest.approx(50)
    assert float(gamma["std"]) == pytest.approx(8.1650, abs=1e-4)
    assert [gamma[key] for key in ("unit", "seeds", "runs", "expected")] == ["%", "3", "12", "12"]


def test_csv_of_runs(report: Path) -> None:
    rows = list(csv.DictReader((report / "runs.csv").open()))
    assert len(rows) == 14
    assert [row["status"] for row in rows].count("failed") == 1
    finished = next(row for row in rows if row["quant"] == "gamma" and row["seed"] == "1" and row["fold"] == "3")
    assert float(finished["f1_sample"]) == pytest.approx(0.56)
    assert (finished["bits"], finished["gamma"], finished["mu"]) == ("2", "0.25 0.5", "0.0 0.125")


def test_latex(report: Path) -> None:
    text = (report / "report.tex").read_text()
    assert "% * Runs are missing." in text
    assert "none & -- & $50.00^{*\\dagger}$ \\\\\n\\midrule\ngamma & 2 & $50.00 \\pm 8.16$ \\\\\n\\bottomrule" in text


def heading(text: str) -> str:
    """The words of a table's heading, line by line."""
    lines = text.splitlines()
    (last,) = (place for place, line in enumerate(lines) if line.startswith("quantizer"))
    return " ".join(" ".join(lines[last - 1 : last + 1]).split())


def cost(bops: float, size_mb: float) -> dict[str, Any]:
    return {"macs": 10, "bops": bops, "size_mb": size_mb, "full_precision": {"bops": 1e12, "size_mb": 40.0}}


def test_costs_are_columns_and_a_picture(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", quant="none", bits=None, cost=cost(1857.6e9, 46.7156))
    make_run(tmp_path / "runs", quant="fat", bits=4, cost=cost(34.7144e9, 6.10016))
    make_run(tmp_path / "runs", quant="fat", bits=4, data="rwhar", cost=cost(35.91e9, 6.104))
    make_run(tmp_path / "runs", quant="gamma", bits=2)
    summary = summarise([tmp_path / "runs"])
    text = screen(summary)
    heading = next(line for line in text.splitlines() if "quantizer" in line)
    assert heading.split() == ["quantizer", "RWHAR", "SBHAR", "MB", "GBOPs"]
    table = text[: text.index("Missing")]
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert lines["none"][-2:] == ["46.7", "1858"]
    assert lines["fat"][-2:] == ["6.10", "34.7–35.9"], "one number where data sets hardly differ, else a range"
    assert lines["gamma"][-2:] == ["–", "–"]
    assert "MB, GBOPs: the network's weights, and 10⁹ bit operations per prediction." in text

    written = write_report(summary, tmp_path / "report")
    assert "tradeoff.png" in {file.name for file in written}
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "| quantizer | RWHAR | SBHAR | MB | GBOPs |\n|---|---:|---:|---:|---:|\n" in markdown
    assert "| 46.7 | 1858 |" in markdown
    assert "(tradeoff.png)" in markdown
    latex = (tmp_path / "report" / "report.tex").read_text()
    assert "\\begin{tabular}{lcccccc}" in latex
    assert "& 6.10 & 34.7--35.9 \\\\" in latex
    cells = list(csv.DictReader((tmp_path / "report" / "report.csv").open()))
    assert [(row["quant"], row["bops"], row["size_mb"]) for row in cells] == [
        ("none", "1857600000000.0", "46.7156"),
        ("fat", "35910000000.0", "6.104"),
        ("fat", "34714400000.0", "6.10016"),
        ("gamma", "", ""),
    ]
    assert {row["bops"] for row in csv.DictReader((tmp_path / "report" / "runs.csv").open())} >= {"1857600000000.0", ""}


def test_what_sensing_costs_is_columns_and_pictures(tmp_path: Path) -> None:
    network = cost(2e9, 0.5)
    make_run(tmp_path / "runs", 0.5, quant="none", bits=None, cost=network, sensing=sensing(None))
    make_run(tmp_path / "runs", 0.4, quant="gamma", bits=2, cost=network, sensing=sensing(2))
    make_run(tmp_path / "runs", 0.4, quant="gamma", bits=2, data="rwhar", cost=network, sensing=sensing(2, 1050.0))
    make_run(tmp_path / "runs", 0.3, quant="log", bits=2, cost=network)  # of a time when nobody priced sensors
    summary = summarise([tmp_path / "runs"])
    text = screen(summary)
    assert heading(text) == "saved quantizer RWHAR SBHAR kbit/s radio µW %"
    assert "In every row: MB 0.500, GBOPs 2.00." in text
    table = text[: text.index("Missing")]
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert lines["none"][-3:] == ["7.20", "130", "0"]
    assert lines["gamma"][-3:] == ["1.20–2.10", "21.7–38.0", "83.4"]
    assert lines["log"][-3:] == ["–", "–", "–"]
    assert "by a model and not measured" in text
    assert "of radio + ADC, against its native 12 bits" in " ".join(text.split())
    assert "more than one radio link" not in text

    written = {file.name for file in write_report(summary, tmp_path / "report")}
    assert {"tradeoff.png", "tradeoff_rate.png", "tradeoff_power.png"} <= written
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "![score against data rate](tradeoff_rate.png)" in markdown
    assert "![score against power of sensing](tradeoff_power.png)" in markdown
    assert "radio $\\mu$W & saved \\% " in (tmp_path / "report" / "report.tex").read_text()
    cells = {(row["quant"], row["dataset"]): row for row in csv.DictReader((tmp_path / "report" / "report.csv").open())}
    gamma = cells["gamma", "SBHAR"]
    assert (gamma["kbit_s"], gamma["native_kbit_s"], gamma["native_bits"]) == ("1.2", "7.2", "12.0")
    assert float(gamma["saved"]) == pytest.approx(1 - float(gamma["uj_s"]) / float(gamma["native_uj_s"]))
    assert cells["log", "SBHAR"]["kbit_s"] == ""
    assert cells["log", "SBHAR"]["bops"] == "2000000000.0"


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Runs that count what their codes need, on two folds, beside one of a time when nobody did."""
    for fold, (entropy, lossless) in enumerate([(0.5, 6.4), (0.7, 6.8)]):
        for quant, bits, score in (("none", None, 0.5), ("gamma", 2, 0.4)):
            own = None if bits is None else entropy
            make_run(
                tmp_path / "runs", score, quant=quant, bits=bits, fold=fold, cost=cost(2e9, 0.5),
                sensing=sensing(bits, entropy=own, lossless=lossless), rates=rates(bits, entropy, lossless),
            )  # fmt: skip
    make_run(tmp_path / "runs", 0.4, quant="log", bits=2, cost=cost(2e9, 0.5), sensing=sensing(2))
    return tmp_path / "runs"


def test_honest_rates_and_the_lossless_rival_stand_in_tables(rated: Path, tmp_path: Path) -> None:
    summary = summarise([rated])
    text = screen(summary)
    assert heading(text) == "radio saved quantizer SBHAR kbit/s entropy µW %"
    table = text[: text.index("Missing")]
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert lines["gamma"][-4:] == ["1.20", "0.600", "21.7", "83.4"], "the mean over folds"
    assert lines["none"][-4:] == ["7.20", "–", "130", "0"]
    assert lines["log"][-4:] == ["1.20", "–", "21.7", "83.4"]
    assert lines["lossless"][-4:] == ["3.96", "6.60", "71.6", "45.0"]
    assert lines["lossless"][1:3] == ["as", "none"], "it has no score of its own"
    assert "no coder is built" in " ".join(text.split())
    assert text.count("lossless: first differences") == 1
    assert "lossless" not in text[text.index("Missing") : text.index("Which to take")], "no run of it is expected"

    written = {file.name for file in write_report(summary, tmp_path / "report")}
    assert {"report.md", "report.tex", "report.csv", "tradeoff_rate.png", "tradeoff_entropy.png"} <= written
    assert "| lossless | as none |" in (tmp_path / "report" / "report.md").read_text()
    assert "lossless & -- & as none &" in (tmp_path / "report" / "report.tex").read_text()
    cells = {row["quant"]: row for row in csv.DictReader((tmp_path / "report" / "report.csv").open())}
    assert set(cells) == {"none", "gamma", "log"}, "no run is lossless"
    assert float(cells["none"]["lossless_bits"]) == pytest.approx(6.6)
    gamma = cells["gamma"]
    assert float(gamma["entropy_bits"]) == pytest.approx(0.6)
    assert (gamma["nominal_bits"], gamma["adc_uj_s"]) == ("2.0", "0.00078")
    assert float(gamma["behind_adc_uj_s"]) == pytest.approx(0.14, abs=0.001)
    assert float(gamma["lossless_bits"]) == pytest.approx(6.6)
    runs = {(row["quant"], row["fold"]): row for row in csv.DictReader((tmp_path / "report" / "runs.csv").open())}
    assert float(runs["gamma", "1"]["entropy_bits"]) == 0.7
    assert len(runs) == 5, "no run stands for what no run is"


def test_tables_are_no_wider_than_before(rated: Path) -> None:
    lines = screen(summarise([rated]), width=80).splitlines()
    assert max(map(len, lines[: lines.index("Missing")])) <= 80
    assert sum("entropy" in line for line in lines) >= 1


def test_no_rival_where_no_run_is_unquantized(rated: Path) -> None:
    for by in (["quant"], ["model"], ["bits"]):
        labels = [row.quant for row in summarise([rated], by=by).shown_rows]
        assert ("lossless" in labels) == (by == ["quant"])
    for folder in list(rated.glob("*none*")):
        shutil.rmtree(folder)
    assert "lossless" not in screen(summarise([rated])), "its score is not known"


def test_reports_of_runs_that_priced_no_sensor_say_nothing_of_it(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", cost=cost(2e9, 0.5))
    summary = summarise([tmp_path / "runs"])
    written = {file.name for file in write_report(summary, tmp_path / "report")}
    assert "tradeoff.png" in written
    assert not {"tradeoff_rate.png", "tradeoff_power.png"} & written
    assert "kbit/s" not in screen(summary)
    make_run(tmp_path / "other", sensing=sensing(2))  # and of those that counted no network
    summary = summarise([tmp_path / "other"])
    assert {"tradeoff_rate.png"} <= {file.name for file in write_report(summary, tmp_path / "report")}
    assert "GBOPs" not in screen(summary)


def test_other_constants_and_too_much_for_a_link_are_said(tmp_path: Path) -> None:
    make_run(tmp_path, quant="linear", sensing=sensing(2, 1e6))
    make_run(tmp_path, quant="linear", bits=1, sensing=sensing(1, 1e4))
    make_run(tmp_path, quant="gamma", sensing=sensing(2, 1e6, walden_fj=5))
    text = " ".join(screen(summarise([tmp_path])).split())
    assert "What sensing costs was counted with different constants: walden_fj (5, 57)." in text
    assert "gamma 2 bit 50.00* 2000 2.53 links" in text
    assert "n × what one radio link carries, 791 kbit/s" in text


def test_a_row_over_several_costs_shows_none_of_them(tmp_path: Path) -> None:
    make_run(tmp_path, bits=2, cost=cost(2e9, 0.5), sensing=sensing(2))
    make_run(tmp_path, bits=4, cost=cost(2e9, 0.5), seed=1, sensing=sensing(4))
    (cell,) = summarise([tmp_path], by=["quant"]).cells.values()
    assert cell.cost["bops"] == 2e9
    assert "kbit_s" not in cell.cost
    assert cell.cost["native_kbit_s"] == 7.2


def test_only_unfinished_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs", None)
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "report")]) == 1
    assert "No run has finished yet." in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "report").iterdir()} == {"report.md", "runs.csv"}


def test_writing_again_replaces(report: Path) -> None:
    before = {file.name: file.read_bytes() for file in report.iterdir()}
    write_report(summarise([report.parent / "runs"]), report)
    assert {file.name: file.read_bytes() for file in report.iterdir()} == before


def test_names_with_markup_characters_survive(tmp_path: Path) -> None:
    make_run(tmp_path, sensor={"gamma": "[red]a|b_c[/red]"})
    make_run(tmp_path, sensor={"gamma": "[/]"})
    summary = summarise([tmp_path])
    assert "gamma 2 bit · gamma=[red]a|b_c[/red]" in screen(summary)
    write_report(summary, tmp_path / "report")
    assert "gamma=\\[red\\]a\\|b_c\\[/red\\] |" in (tmp_path / "report" / "report.md").read_text()
    latex = "gamma={[}red]a\\textbar{}b\\_c{[}/red] & 2"
    assert latex in (tmp_path / "report" / "report.tex").read_text()


def test_help_is_quick_and_a_report_needs_no_torch(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    program = (
        "import sys; from qsense.commands.report import main; "
        f"main([{str(tmp_path / 'runs')!r}, '--out', {str(tmp_path / 'report')!r}]); "
        "print(sorted({'torch', 'lightning', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    program = "import sys, qsense.commands.report; "
    program += "print(sorted({'pandas', 'matplotlib', 'hydra', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_many_runs_in_seconds(tmp_path: Path) -> None:
    for seed in range(3):
        for fold in range(10):
            for bits in range(1, 12):
                make_run(tmp_path / f"{bits}", 0.5, bits=bits, seed=seed, fold=fold, name=f"{seed}-{fold}")
    began = time.process_time()  # whatever else the machine does
    summary = summarise([tmp_path])
    assert len(summary.runs) == 330
    assert time.process_time() - began < 3.3, "0.7 s on an idle machine"


# ------------------------------------------------------------------------------------------------------ command line


def test_several_metrics_are_several_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_cell(tmp_path / "runs", by_seed(0.4, 0.5, 0.6))
    out = tmp_path / "report"
    assert main([str(tmp_path / "runs"), "--metric", "f1_window", "f1_sample", "loss", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.index("macro-F1, window-wise") < said.index("macro-F1, sample-wise") < said.index("loss: mean over")
    assert "25.00 ± 4.08" in said
    assert "1.0000 ± 0.1633" in said
    rows = list(csv.DictReader((out / "report.csv").open()))
    assert [row["metric"] for row in rows] == ["f1_window", "f1_sample", "loss"]
    assert (out / "report.md").read_text().count("| quantizer | SBHAR |") == 3
    assert (out / "report.tex").read_text().count("\\begin{tabular}") == 3


def test_folders_come_before_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs")
    assert main([str(tmp_path / "runs"), "--metric", "f1_window", str(tmp_path)]) == 1
    assert_names(capsys.readouterr().err, "error", tmp_path, "f1_window")


def test_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_cell(tmp_path / "runs", by_seed(0.4, 0.5, 0.6))
    command = [str(tmp_path / "runs"), "--out", str(tmp_path / "report"), "--strict"]
    assert main(command) == 0
    failed = make_run(tmp_path / "runs", None, quant="linear", failure="ValueError: no")
    assert main(command) == 1
    assert_names(capsys.readouterr().err, "error", "--strict")
    assert main(command[:-1]) == 0
    for file in failed.iterdir():
        file.unlink()
    make_run(tmp_path / "runs", quant="linear")
    assert main(command) == 1


def test_a_cell_without_any_run_is_missing_where_its_kind_was_tried(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4), seeds=1)
    make_cell(tmp_path, by_seed(0.4), seeds=1, data="rwhar", quant="linear")
    summary = summarise([tmp_path])
    assert [(row.quant, dataset) for row, dataset in summary.empty] == [("linear", "SBHAR"), ("gamma", "RWHAR")]
    assert not summary.complete
    assert "Missing\n  8 of 16 runs: linear 2 bit, SBHAR no run; gamma 2 bit, RWHAR no run\n" in screen(summary)


def test_a_trial_on_a_few_batches_makes_no_row_beside_whole_tests(tmp_path: Path) -> None:
    few = {"limit_test_batches": 3}
    make_run(tmp_path / "runs", 0.1, trainer=few)
    assert len(summarise([tmp_path / "runs"]).rows) == 1, "alone it is shown"
    make_run(tmp_path / "runs", 0.2, trainer={"limit_test_batches": 1})  # one batch; 1.0 is all
    make_run(tmp_path / "runs", 0.5, trainer={"limit_test_batches": 1.0})
    summary = summarise([tmp_path / "runs"])
    assert [summary.label(row) for row in summary.rows] == ["gamma 2 bit"]
    assert [cell.mean for cell in summary.cells.values()] == [0.5]
    assert any("trainer=smoke" in note and note.endswith("left out: 2.") for note in summary.notes)
    assert len(summary.runs) == 3


def test_runs_is_the_folder_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert (tmp_path / "report" / "report.md").is_file()


def proposed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The commands that a report says come next."""
    lines = capsys.readouterr().err.splitlines()
    return [shlex.split(line.removeprefix("next:"), comments=True) for line in lines]


def test_what_comes_next_keeps_the_metric_and_compares_what_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, out = tmp_path / "runs", ["--out", str(tmp_path / "report")]
    make_cell(runs, by_seed(0.4, 0.5, 0.6), quant="gamma", bits=2)
    make_cell(runs, by_seed(0.4, 0.5, 0.6), quant="linear", bits=4)
    assert main([str(runs), "--metric", "f1_window", *out]) == 0
    steps = proposed(capsys)
    assert steps[0][:5] == ["qsense", "report", str(runs), "--metric", "f1_window"]
    assert not [words for words in steps if "--compare" in words], "they have no number of bits in common"
    make_cell(runs, by_seed(0.5, 0.5, 0.7), quant="quantile", bits=4)
    assert main([str(runs), *out]) == 0
    (compare,) = [words for words in proposed(capsys) if "--compare" in words]
    assert sorted(compare[-2:]) == ["linear", "quantile"]
    assert main([*compare[2:], *out]) == 0


def test_the_row_that_a_budget_asks_for_ends_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for quant, bits, score in (("none", None, 0.5), ("gamma", 4, 0.495), ("gamma", 2, 0.45)):
        make_cell(tmp_path / "runs", lambda *at, s=score: s + at[1] / 10, quant=quant, bits=bits)
    arguments = [str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    screen = capsys.readouterr().out
    assert "Which to take within 1 point of unquantized" in screen
    assert "SBHAR: gamma 4 bit, 0.5 points below unquantized" in screen
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.split("\n## ")[-1].startswith("Which to take within 1 point of unquantized\n\n- SBHAR: gamma 4 bit,")
    assert main([*arguments, "--max-loss", "6"]) == 0
    assert "SBHAR: gamma 2 bit, 5.0 points below unquantized" in capsys.readouterr().out
    assert main([*arguments, "--max-uw", "6"]) == 0
    assert "no row is within 6 µW" in capsys.readouterr().out, "nobody priced these sensors"


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_a_limit_that_is_none(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--max-loss", value])
    assert_names(capsys.readouterr().err, "--max-loss", value)
