"""What fails beside a result is one warning, kept in the run's folder, and forgotten when the run is trained again."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsense.runs.mishaps import has_mishaps, noted, noting, tolerated


def lose(what: str) -> None:
    with tolerated(what):
        raise RuntimeError(f"no {what}")


def test_each_thing_is_told_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with noting(tmp_path):
        for what in ("ink", "ink", "paper"):
            lose(what)
    assert len(caplog.records) == 2
    text = (tmp_path / "mishaps.txt").read_text()
    assert text.count("Traceback") == 2
    assert has_mishaps(tmp_path)
    assert not noted()
    with noting(tmp_path):
        pass
    assert not has_mishaps(tmp_path)


def test_outside_a_run_it_is_told_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lose("ink")
    lose("ink")
    assert len(caplog.records) == 2
    assert noted()
    with noting(tmp_path):
        assert not noted()
    assert not has_mishaps(tmp_path)


def test_a_stop_is_no_mishap(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), noting(tmp_path), tolerated("ink"):
        raise KeyboardInterrupt
    assert not noted()


def test_a_folder_that_takes_no_note_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "mishaps.txt").mkdir()
    with noting(tmp_path):
        lose("ink")
    assert not has_mishaps(tmp_path)
