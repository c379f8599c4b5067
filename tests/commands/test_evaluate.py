"""`qsense evaluate RUN --lose`: a finished run tested while packets get lost."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.refusal import assert_names, refused

import qsense
from qsense.commands.evaluate import _print_groups, main
from qsense.experiment.packet_loss import packet_of
from qsense.signal import Signal

HAR = ["logger=none", "callback=[]", "bits=2", "model.filters=8", "model.hidden=16"]
HAR += ["trainer.max_epochs=4", "task.lr=0.01", "data.batch_size=10"]  # enough to learn something
HAR += ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, qsense.TrainedRun]:
    return {quant: qsense.train([*HAR, f"quant={quant}", f"runs={folder}"]) for quant in ("dpcm", "none", "linear")}


def evaluated(run: qsense.TrainedRun, *arguments: str) -> dict[str, Any]:
    assert main([str(run.folder), *arguments]) == 0
    content: dict[str, Any] = json.loads((run.folder / "lost.json").read_text())
    return content


@pytest.mark.parametrize("quant", ["dpcm", "none", "linear"])
def test_losses_cost_score_and_are_recorded(
    runs: dict[str, qsense.TrainedRun], quant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs[quant]
    before = (run.folder / "metrics.json").read_bytes()
    lost = evaluated(run, "--lose", "40,5,40", "--packet", "30", "--repeats", "2")
    printed = capsys.readouterr().out
    assert_names(
        printed,
        "reproduced exactly",
        "packets of 30 samples",
        "0.6 s",
        "0 %",
        "5 %",
        "40 %",
        "of 6,000",
        "f1_sample (%)",
    )
    assert (run.folder / "metrics.json").read_bytes() == before
    assert (lost["run"], lost["packet"], lost["repeats"]) == (run.result["run"], 30, 2)
    assert lost["score"] == run.metrics["f1_sample"]  # to the last bit
    assert [row["percent"] for row in lost["losses"]] == [5, 40]
    few, many = lost["losses"]
    for row in (few, many):
        assert row["mean"] == pytest.approx(sum(row["scores"]) / 2)
        assert all(
            count % 30 == 0 and count / 6000 == pytest.approx(row["percent"] / 100, abs=0.1)
            for count in row["samples_lost"]
        )
        assert f"{100 * (row['mean'] - lost['score']):+.2f}" in printed
    assert "\n\n" not in printed.partition("0 %")[2].partition("lost.json")[0]  # rows without bars between them
    assert many["mean"] < lost["score"]
    assert len(set(many["scores"])) == 2  # other packets
    assert (run.folder / "figures" / "lost.png").stat().st_size > 5000
    if quant == "dpcm":
        assert evaluated(run, "--lose", "5,40", "--packet", "30", "--repeats", "2") == lost


def test_all_converters_lose_the_same_packets_and_packets_last_a_second(runs: dict[str, qsense.TrainedRun]) -> None:
    lost = [evaluated(run, "--lose", "20") for run in runs.values()]
    assert all(each["packet"] == 50 and each["repeats"] == 3 for each in lost)
    assert len({str(each["losses"][0]["samples_lost"]) for each in lost}) == 1


def test_nothing_arrives(runs: dict[str, qsense.TrainedRun]) -> None:
    for run in runs.values():
        (row,) = evaluated(run, "--lose", "100", "--repeats", "1")["losses"]
        assert (row["samples_lost"], row["std"]) == ([6000], None)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--lose", "0"], ("--lose", 0, 100)),
        (["--lose", "101"], ("--lose", 101, 100)),
        (["--lose", "1,x"], ("--lose", "1,x")),
        (["--lose", "nan"], ("--lose", "nan")),
        (["--lose", "1", "--packet", "0"], ("--packet", 0, 1)),
        (["--lose", "1", "--repeats", "0"], ("--repeats", 0, 1)),
        (["--packet", "5"], ("--packet", "--lose")),
    ],
)
def test_arguments_are_checked_before_anything_is_read(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["nowhere", *arguments])
    assert stopped.value.code == 2
    assert_names(capsys.readouterr().err, *named)


def test_images_are_not_sent_in_packets() -> None:
    data = SimpleNamespace(signal=Signal(3, 0.0, 1.0, "full scale"), gives="images")
    with refused(ValueError, "--lose", "runs/cats", "images", "series"):
        packet_of(SimpleNamespace(data=data, folder=Path("runs/cats")), None)  # type: ignore[arg-type]


def test_a_detector_is_evaluated_by_parts_of_its_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["data.dataset.height=64", "data.dataset.width=64", "data.dataset.smallest=9", "data.dataset.largest=14"]
    size = [*small, "data.dataset.train_frames=4", "data.dataset.test_frames=4", "data.batch_size=2"]
    run = qsense.train(["task=detection", "quant=linear", "trainer=smoke", "logger=none", f"runs={tmp_path}", *size])
    groups = run.result["groups"]
    assert groups.keys() == {"exposure", "size"}
    assert sum(groups["size"]["boxes"].values()) == sum(groups["exposure"]["boxes"].values()) > 0
    assert (run.folder / "figures" / "groups.png").is_file()
    worst = json.loads((run.folder / "worst_frames.json").read_text())
    assert len(worst["frames"]) == worst["tested"] == sum(groups["exposure"]["frames"].values())
    capsys.readouterr()
    assert main([str(run.folder)]) == 0
    printed = capsys.readouterr().out
    assert_names(printed, "map by size", "ap50 by exposure", "frames", "boxes", "no value", "reproduced exactly")
    line = next(line for line in printed.partition("map by size")[2].splitlines() if line.startswith("small"))
    assert line.split()[-2:] == [str(groups["size"][what]["small"]) for what in ("frames", "boxes")]
    _print_groups("size", {}, groups["size"])  # of a run that was recorded before
    assert_names(capsys.readouterr().out, "small", "–")
