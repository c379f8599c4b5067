"""From one's own tables to a data set that `data=NAME` finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.data.series.discover import exports
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused

from qsense.__main__ import main as door
from qsense.commands.data import main, stated
from qsense.experiment import compose
from qsense.experiment.checks import folds
from qsense.experiment.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import Command


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two activities, each recorded twice; commands are started in the folder above."""
    for activity in ("walking", "sitting"):
        for number in (1, 2):
            exports.phyphox(
                tmp_path / "phone" / f"{activity}_{number}" / "Raw Data.csv", exports.motion(activity, seed=number)
            )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QSENSE_CONF", raising=False)
    return tmp_path / "phone"


def test_check_writes_nothing_and_says_what_comes_next(phone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(phone.parent.rglob("*"))
    assert main(["check", "phone"]) == 0
    assert sorted(phone.parent.rglob("*")) == before
    out, err = capsys.readouterr()
    assert_names(out, "50", "m/s²", "walking", "sitting", "{label}_{subject}/Raw")
    assert_names(err, "qsense data import phone")


def test_an_import_is_found_checked_and_never_overwritten(phone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "phone", "--unit", "m/s²", "--range", "-20,20"]) == 0
    assert_names(capsys.readouterr().err, "qsense train data=mine quant=lloyd_max bits=2 -m")
    file = Path("qsense_conf/data/mine.yaml")
    text = file.read_text()
    config = compose.compose(["data=mine", "quant=lloyd_max", "bits=2"])
    assert folds(config) == 2
    assert config.data.dataset.range == [-20, 20]
    assert config.data.dataset.root == str(phone)
    with refused(ConfigError, file.name.removesuffix(".yaml") + ".yaml", "--name"):
        main(["import", "phone"])
    assert file.read_text() == text


def test_an_import_elsewhere_is_found_by_that_folder(
    phone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["import", str(phone), "--name", "ours", "--out", "conf_of_mine"]) == 0
    folder = phone.parent / "conf_of_mine"
    assert_names(capsys.readouterr().err, f"--config-dir {folder} data=ours")
    assert "ours" not in compose.options("data")
    monkeypatch.setenv("QSENSE_CONF", str(folder))
    assert "ours" in compose.options("data")


@pytest.mark.slow
def test_an_imported_data_set_trains(command: Command, phone: Path) -> None:
    done = command("qsense", "data", "import", "phone")
    assert done.code == 0, done.err
    done = command(
        "qsense.train", "data=mine", "quant=lloyd_max", "bits=2", "trainer=smoke", "logger=none", *NO_PICTURES
    )
    assert done.code == 0, done.err
    assert len(list(phone.parent.glob("runs/mine-lloyd_max-*/metrics.json"))) == 1


def test_what_would_not_train_is_an_error(phone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "phone", "--label", "none", "--files", "*/Raw Data.csv"]) == 1
    assert_names(capsys.readouterr().out, "--label", "--files")
    assert not Path("qsense_conf").exists()


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        (["--name", "sbhar"], ["--name sbhar", "data=sbhar"]),
        (["--name", "1st set"], ["--name 1st set"]),
        (["--rate", "fast"], ["--rate fast", "HZ"]),
        (["--range", "1"], ["--range 1", "LOW,HIGH"]),
        (["--blocks", "few"], ["--blocks few"]),
        (["--resample", "maybe"], ["--resample maybe", "yes", "no"]),
    ],
)
def test_options_are_checked(phone: Path, options: list[str], tokens: list[str]) -> None:
    with refused(ConfigError, *tokens):
        main(["import", "phone", *options])


def test_a_column_that_is_not_there_is_named(phone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert door(["data", "check", "phone", "--subject", "who"]) == 1
    assert_names(capsys.readouterr().err, "--subject who", "Time (s)")


def test_options_become_arguments() -> None:
    given = stated({"labels": "0=NULL,1=walk", "axes": "ax,3", "missing": "-999", "label": "none", "subjects": "3"})
    assert {key: value for key, value in given.items() if value is not None} == {
        "labels": {"0": "NULL", "1": "walk"},
        "axes": ["ax", 3],
        "missing": [-999.0],
        "label": False,
        "subjects": 3,
    }
