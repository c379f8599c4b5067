"""A published set of raw files is looked at before anything is trained: what it holds, and a sheet of boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.commands.data import main
from qsense.data.errors import DataMissingError
from qsense.experiment.errors import ConfigError


def test_a_known_set_is_counted_and_drawn(
    fake_rawdet7: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fake_rawdet7.parent)
    words = ["data=rawdet7", f"data.dataset.root={fake_rawdet7}", "data.dataset.sensor=ZURICH"]
    assert main(["check", *words]) == 0
    out, err = capsys.readouterr()
    assert_names(out, "RawDet-7 ZURICH", "1 frames to train on", "1 frames to test on", "car 1", "rawdet7-sheet.png")
    assert_names(err, "qsense train task=detection data=rawdet7", "data.dataset.sensor=ZURICH trainer=smoke")
    with Image.open("rawdet7-sheet.png") as sheet:
        assert min(sheet.size) > 200


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with refused(DataMissingError, "NOD", tmp_path / "nowhere", "data.dataset.root=…"):
        main(["check", "data=nod", f"data.dataset.root={tmp_path / 'nowhere'}"])
    with refused(ConfigError, "data=pascal_raw", "data=raw_coco", "nod"):
        main(["check", "data=pascal_raw"])
