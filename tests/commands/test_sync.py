"""Which offline runs are uploaded, which are left, and what is said about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.refusal import assert_names

from qsense.__main__ import main
from qsense.runs.lock import claim
from qsense.runs.offline import Offline, find


def attempt(run: Path, name: str = "offline-run-20250101_000000-abc") -> Path:
    """An offline attempt as W&B leaves it."""
    folder = run / "wandb" / name
    folder.mkdir(parents=True)
    (folder / f"run-{name.rpartition('-')[2]}.wandb").touch()
    latest = run / "wandb" / "latest-run"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder


def marked(folder: Path) -> Path:
    (file,) = folder.glob("run-*.wandb")
    file.with_suffix(".wandb.synced").touch()
    return folder


def test_every_attempt_is_found_once_wherever_its_run_lies(tmp_path: Path) -> None:
    first = attempt(tmp_path / "a")
    second = attempt(tmp_path / "a", "offline-run-20250102_000000-abd")
    mean = attempt(tmp_path / ".folds" / "m")
    before = marked(attempt(tmp_path / "b"))
    (tmp_path / "c" / "wandb" / "run-20250101_000000-abe").mkdir(parents=True)  # it was online
    assert find([tmp_path]) == Offline(waiting=[mean, first, second], uploaded=[before])


def test_a_run_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    folder = attempt(tmp_path / "a")
    with claim(tmp_path / "a"):
        assert find([tmp_path]).running == [folder]
    assert find([tmp_path]).waiting == [folder]


def run_main(*arguments: str) -> int:
    return main(["sync", *arguments])


def test_what_did_not_arrive_is_named_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = attempt(tmp_path / "a"), attempt(tmp_path / "b")
    commands = []

    def upload(command: list[str], **settings: object) -> None:
        commands.append(command[1:])
        marked(good) if str(good) in command else None

    monkeypatch.setattr("subprocess.run", upload)
    monkeypatch.setattr("qsense.runs.loggers.why_unreachable", lambda: None)
    assert run_main(str(tmp_path), "--project", "mine") == 1
    said = capsys.readouterr().out
    assert_names(said, bad)
    assert_names(said, "1 uploaded", "0 uploaded before", "0 still running", "1 failed")
    assert run_main(str(tmp_path)) == 1
    assert commands == [
        ["-m", "wandb", "sync", "--project", "mine", str(good), str(bad)],
        ["-m", "wandb", "sync", str(bad)],
    ]


def test_without_a_key_it_says_so_and_uploads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(tmp_path / "a")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("subprocess.run", lambda *arguments, **settings: pytest.fail("it was tried"))
    assert run_main(str(tmp_path)) == 1
    assert_names(capsys.readouterr().err, "WANDB_API_KEY", "wandb login", 1)


def test_a_dry_run_only_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = attempt(tmp_path / "a")
    monkeypatch.setattr("subprocess.run", lambda *arguments, **settings: pytest.fail("it was tried"))
    assert run_main(str(tmp_path), "--dry-run") == 0
    assert_names(capsys.readouterr().out, folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(str(tmp_path / "absent")) == 1
    assert_names(capsys.readouterr().err, tmp_path / "absent")
