"""`qsense stream RUN`: its arguments, what it prints, and what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.refusal import assert_names

import qsense
from qsense.__main__ import main
from qsense.commands import stream
from qsense.runs import folder as run_folder

HAR = ["logger=none", "callback=[]", "model.filters=8", "model.hidden=16", "trainer.max_epochs=1", "quant=dpcm"]
HAR += ["bits=1", "data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qsense.train([*HAR, f"runs={tmp_path_factory.mktemp('runs')}"]).folder


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--speed", "0"], ("--speed", 0)),
        (["--speed", "fast"], ("--speed", "fast")),
        (["--speed", "2", "--source", "-"], ("--speed", "-")),
        (["--majority", "2"], ("--majority", 2, 1, 99)),
        (["--gap", "-1"], ("--gap",)),
        (["--axes", "0,1"], ("--axes", "0,1")),
        (["--axes", "1,2,3"], ("--axes", "--source test")),
        (["--counts"], ("--counts", "--source test")),
        (["--coding", "offset"], ("--coding", "--counts")),
        (["--full-scale", "2,1", "--counts"], ("--full-scale", "2,1")),
    ],
)
def test_arguments_are_checked_before_anything_is_read(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        stream.main(["nowhere", *arguments])
    assert stopped.value.code == 2
    assert_names(capsys.readouterr().err, *named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], ("nowhere", "metrics.json")),
        (["--source", "none.csv"], ("--source", "none.csv", "serial:DEVICE")),
        (["--source", "serial:/dev/ttyNONE7"], ("serial:/dev/ttyNONE7",)),
        (["--source", "serial:"], ("serial:/dev/ttyUSB0",)),
        (["--html", "/dev/null/page.html"], ("--html", "/dev/null")),
        (["--record", "/dev/null/kept.csv"], ("--record", "/dev/null")),
        (["--source", "/etc/hostname", "--html", "/etc/hostname"], ("--html", "/etc/hostname", "--source")),
        (["--html", "both.csv", "--record", "./both.csv"], ("--html", "both.csv", "--record")),
        (["--html", "/etc"], ("--html", "/etc", "folder")),
        (["--record", "/etc/hostname"], ("--record", "/etc/hostname", "overwritten")),
    ],
)
def test_what_is_not_there_is_said_before_torch(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "nowhere", *arguments]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert_names(said, *named)


def test_refusals_import_nothing_heavy(tmp_path: Path) -> None:
    program = "import sys; from qsense.__main__ import main; main(['stream', 'nowhere']); "
    program += "print({'torch', 'lightning', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "set()\n"


def test_a_run_on_pictures_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run_folder, "result", lambda _: {"statistics": {"mean": [0.5]}})
    assert main(["stream", "runs/cats"]) == 1
    assert_names(capsys.readouterr().err, "runs/cats", "task=har")


def test_a_session_of_test_recordings(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    html, record = tmp_path / "live.html", tmp_path / "kept.csv"
    arguments = ["stream", str(run), "--speed", "max", "--jsonl", "--majority", "3"]
    assert main([*arguments, "--html", str(html), "--record", str(record)]) == 0
    printed = capsys.readouterr()
    *windows, last = map(json.loads, printed.out.splitlines())
    assert len(windows) == last["summary"]["windows"] == 239
    assert last["summary"]["samples"] == len(record.read_text().splitlines()) - 1 == 6000
    assert "ended" in html.read_text()
    assert_names(printed.err, str(html), str(record), "next:", "macro-F1")
    assert main([*arguments, "--record", str(record)]) == 1
    assert_names(capsys.readouterr().err, "--record", str(record))


def piped(run: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Its exit code, with a file as standard input."""
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        return main(["stream", str(run), "--source", "-"])


def test_lines_from_a_pipe(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["0.1,0.2,0.98\r", "\x1b]0;title\x07", *["0.1,0.2,0.98"] * 110, "nan,0,0", "1,2"]
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(lines))
    assert piped(run, file, monkeypatch) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert "\x1b" not in printed.out + printed.err
    assert_names(printed.err, "111 samples", "3 lines")


def test_nothing_came(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").touch()
    assert piped(run, tmp_path / "empty", monkeypatch) == 1
    assert_names(capsys.readouterr().err, "no sample came")


@pytest.mark.parametrize("text", ["", "0.1,0.2\n0.3,0.4\n"])
def test_a_source_without_samples_leaves_no_record(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file, kept = tmp_path / "lines.csv", tmp_path / "kept.csv"
    file.write_text(text)
    assert main(["stream", str(run), "--source", str(file), "--record", str(kept)]) == 1
    assert_names(capsys.readouterr().err, file, *([] if text else ["empty"]))
    assert not kept.exists()  # so that the same command may be given again


@pytest.mark.parametrize("command", ["stream RUN --integer", "export RUN format=firmware"])
def test_without_data_a_run_in_floats_is_refused_in_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for module in ("qsense.stream.integers", "qsense.chip.export"):
        monkeypatch.setattr(f"{module}.data_at_hand", lambda _: "it is not in /none.\nTo get it: data.dataset.x=1")
    assert main([str(run) if word == "RUN" else word for word in command.split()]) == 1
    said = capsys.readouterr().err
    assert_names(said, "/none.", "--root")
    assert "data.dataset.x" not in said


def test_axes_are_as_many_as_the_runs(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.csv"
    file.write_text("1,2,3\n" * 9)
    assert main(["stream", str(run), "--source", str(file), "--axes", "1,2"]) == 1
    assert_names(capsys.readouterr().err, "--axes", 2, 3, "acc_x, acc_y, acc_z")
