"""A published set of raw files is looked at before anything is trained: what it holds, and a sheet of boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.commands.data import main
from qsense.data.errors import DataMissingError
from qsense.experiment.errors import ConfigError


def test_a_published_set_is_counted_and_drawn(
    fake_rawdet7: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fake_rawdet7.parent)
    words = ["data=rawdet7", f"data.dataset.root={fake_rawdet7}", "data.dataset.sensor=ZURICH"]
    assert main(["check", *words]) == 0
    out, err = capsys.readouterr()
    assert_names(
        out, "192 × 128", "2 car", "1 to train", "1 to test", "10 bits", "RGGB", "white 1023", "rawdet7-sheet.png"
    )
    assert_names(err, "qsense train task=detection data=rawdet7", "data.dataset.sensor=ZURICH trainer=smoke")
    with Image.open("rawdet7-sheet.png") as sheet:
        assert min(sheet.size) > 200


@pytest.mark.parametrize(
    ("name", "known"), [("nod", "NOD"), ("lod", "LOD"), ("aodraw", "AODRaw"), ("rawdet7", "RawDet-7")]
)
def test_a_set_that_is_not_there_says_where_to_get_it(tmp_path: Path, name: str, known: str) -> None:
    with refused(DataMissingError, known, tmp_path / "nowhere", "data.dataset.root=…") as caught:
        main(["check", f"data={name}", f"data.dataset.root={tmp_path / 'nowhere'}"])
    assert "https://" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("natve_bits=12", ("natve_bits", "native_bits", "levels")),
        ("native_bits=twelve", ("native_bits=twelve", "int | None")),
        ("min_score=nan", ("min_score=nan", "float")),
        ("classes=car", ("classes=car", "Sequence[str]")),
    ],
)
def test_an_argument_of_another_type_is_refused(tmp_path: Path, word: str, tokens: tuple[str, ...]) -> None:
    with refused(ConfigError, *tokens):
        main(["check", str(tmp_path), word])
