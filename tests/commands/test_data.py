"""From one's own tables to a data set that `data=NAME` finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.data.frames.dng import write_dng
from tests.data.series.discover import exports
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused

from qsense.__main__ import main as door
from qsense.commands.data import main, stated
from qsense.data.errors import DataError
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


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four raw files with margins of 4 and 2, annotated on their JPEGs; commands are started in the folder above."""
    folder = tmp_path / "photos"
    folder.mkdir()
    images, boxes = [], []
    for number in range(4):
        counts = np.random.default_rng(number).integers(0, 4096, (44, 68)).astype(np.uint16)
        write_dng(folder / f"p{number}.dng", counts)
        images.append({"id": number, "file_name": f"p{number}.jpg", "width": 60, "height": 40})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [4, 4, 20, 10]})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "car"}]}
    (folder / "instances.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QSENSE_CONF", raising=False)
    return folder


def test_raw_files_are_checked_drawn_and_lead_to_training(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "photos"]) == 0
    out, err = capsys.readouterr()
    assert_names(out, "4 DNG", "68 × 44", "60 × 40", "crop=centre", "photos-sheet.png")
    assert_names(err, "qsense train task=detection data=raw_coco data.dataset.root=photos data.dataset.crop=centre")
    assert main(["check", "photos", "--annotations", "photos/instances.json"]) == 0
    assert capsys.readouterr().err == err.replace(
        "check photos", "check photos --annotations photos/instances.json"
    ).replace("import photos", "import photos --annotations photos/instances.json")
    with Image.open("photos-sheet.png") as sheet:
        assert sheet.width > 500
    assert (
        main(["check", "photos", "data.dataset.crop=[4,2]", "--sheet", "other.png", "--annotations", "boxes.json"]) == 1
    )
    out, err = capsys.readouterr()
    assert_names(out + err, "boxes.json", "instances.json", 1)
    assert not Path("other.png").exists()


def test_an_import_of_raw_files_is_found(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "photos", "--name", "street", "condition_pattern=p([0-9])"]) == 0
    assert_names(capsys.readouterr().err, "qsense train task=detection data=street")
    dataset = compose.compose(["task=detection", "data=street"]).data.dataset
    assert (dataset.root, dataset.crop, dataset.condition_pattern) == (str(photos), "centre", "p([0-9])")


def test_arguments_of_raw_files_are_checked(photos: Path) -> None:
    with refused(ConfigError, "crops=centre", "crops", "crop", "levels"):
        main(["check", "photos", "crops=centre"])
    with refused(ConfigError, "levels={black: 1"):
        main(["check", "photos", "levels={black: 1"])
    with refused(ValueError, "crop=middle", "centre"):
        main(["check", "photos", "crop=middle"])
    with refused(ConfigError, 2):
        main(["check", "photos", "others", "crop=centre"])
    with refused(ConfigError, "data=raw_coco", "import"):
        main(["import", "data=raw_coco", "--name", "other"])
    with refused(ConfigError, "photos", "data.dataset.root=photos"):
        main(["check", "photos", "data=raw_coco"])
    with refused(ConfigError, "--annotations", "data.dataset.annotations=boxes.json"):
        main(["check", "data=raw_coco", "data.dataset.root=photos", "--annotations", "boxes.json"])
    with refused(ConfigError, "data=synthetic_raw"):
        main(["check", "data=synthetic_raw"])


def test_a_set_of_raw_files_that_is_known_is_drawn(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = ["data=raw_coco", "data.dataset.root=photos", "data.dataset.crop=centre"]
    assert main(["check", *known]) == 0
    out, err = capsys.readouterr()
    assert_names(out, "qsense test", "4 car", "3 to train", "photos-sheet.png", "from sample 4 and row 2 on")
    assert_names(err, f"qsense train task=detection {' '.join(known)}")
    with refused(DataError, "60 × 40", "68 × 44"):
        main(["check", *known[:2]])
