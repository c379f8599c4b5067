"""Every conf/data/*.yaml of activities fits its classes, and the published data sets state consistent facts."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.refusal import refused

from qsense.data.errors import DataMissingError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.dataset import ActivityDataset
from qsense.data.series.hangtime import HangTime
from qsense.data.series.rwhar import RWHAR
from qsense.data.series.sbhar import SBHAR
from qsense.data.series.wear import WEAR
from qsense.data.series.wetlab import Wetlab

FOLDER = Path(__file__).parents[2] / "conf" / "data"
FILES = sorted(file for file in FOLDER.glob("*.yaml") if "HARDataModule" in file.read_text())
GIVEN = {  # what csv_har leaves to its user
    "axes": 3,
    "labels": ["NULL", "walking"],
    "rate_hz": 50.0,
    "subjects": 5,
}


def part(node: dict[str, Any]) -> tuple[type, dict[str, Any]]:
    """A node's class and arguments, with environment variables filled in."""
    module, name = node["_target_"].rsplit(".", 1)
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    for key, value in arguments.items():
        if isinstance(value, str) and value != "???":
            arguments[key] = re.sub(
                r"\$\{oc\.env:(\w+),'?([^'}]*)'?\}", lambda match: os.environ.get(match[1], match[2]), value
            )
        elif value == "???":
            arguments[key] = GIVEN[key]
    return getattr(importlib.import_module(module), name), arguments


def build(file: Path) -> ActivityDataset:
    cls, arguments = part(yaml.safe_load(file.read_text())["data"]["dataset"])
    made = cls(**arguments)
    assert isinstance(made, ActivityDataset)
    return made


def test_all_data_sets_are_there() -> None:
    assert {file.stem for file in FILES} >= {"sbhar", "wear", "wetlab", "hangtime", "rwhar", "csv_har"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_argument_is_spelled_out(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    assert file.read_text().startswith("# @package _global_\n")
    assert {"data", "hydra"} <= set(content)
    for node, supplied in ((content["data"], {"fold", "seed"}), (content["data"]["dataset"], set())):
        cls, arguments = part(node)
        expected = set(inspect.signature(cls).parameters) - supplied
        assert set(arguments) == expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_facts_are_consistent_and_the_sweep_takes_every_fold(file: Path) -> None:
    data = build(file)
    assert len(data.axes) == len(set(data.axes))
    assert len(data.classes) == len(set(data.classes))
    assert "NULL" not in data.classes[1:]
    assert data.rate_hz == 50
    assert data.num_folds == data.num_subjects
    params = yaml.safe_load(file.read_text())["hydra"]["sweeper"]["params"]
    assert params["seed"] == "0,1,2"
    if file.stem == "csv_har":
        assert params["fold"] == "range(${data.dataset.subjects})"
    else:
        assert params["fold"] == f"range({data.num_folds})"


@pytest.mark.parametrize(
    ("cls", "name", "subjects", "classes", "axes", "null"),
    [
        (WEAR, "WEAR", 18, 19, 12, True),
        (Wetlab, "Wetlab", 22, 9, 3, True),
        (HangTime, "Hang-Time", 24, 6, 3, True),
        (RWHAR, "RWHAR", 15, 8, 21, False),
        (SBHAR, "SBHAR", 30, 13, 3, True),
    ],
)
def test_facts_are_those_of_table_1(
    cls: type[WEAR], name: str, subjects: int, classes: int, axes: int, null: bool, tmp_path: Path
) -> None:
    data = cls(str(tmp_path))
    assert (data.name, data.num_subjects, len(data.classes), len(data.axes)) == (name, subjects, classes, axes)
    assert ("NULL" in data.classes) == null
    assert cls(str(tmp_path), range=[-4, 4]).range == (-4.0, 4.0)
    assert data.range == cls.range
    with refused(ValueError, "range=[4, -4]", "[low,high]"):
        cls(str(tmp_path), range=[4, -4])
    with refused(
        DataMissingError,
        name,
        tmp_path,
        "data.dataset.download=true",
        cls.url,
        "data.dataset.root=FOLDER",
        "QSENSE_DATA=FOLDER",
    ):
        data.check()
    cls(str(tmp_path), download=True).check()


@pytest.mark.parametrize("cls", [WEAR, Wetlab, HangTime, RWHAR])
def test_the_common_layout_is_read_and_fetched(
    cls: type[WEAR], tmp_path: Path, bundle_writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    import numpy as np

    rng = np.random.default_rng(0)
    classes, axes, subjects = cls.classes, cls.axes, cls.num_subjects
    content = [(rng.normal(size=(60, len(axes))), rng.integers(0, len(classes), 60)) for _ in range(subjects)]
    name = tmp_path.name
    bundle = bundle_writer(tmp_path / "server" / name, classes, axes, content)
    expected = cls(str(bundle)).recordings()
    assert [recording.y.tolist() for recording in expected] == [y.tolist() for _, y in content]
    for recording, (x, _) in zip(expected, content, strict=True):
        np.testing.assert_allclose(recording.x, x, rtol=1e-6)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "server")
    monkeypatch.setattr(cls, "url", Path(archive).as_uri())
    fetched = cls(str(tmp_path / "new" / "data"), download=True)
    fetched.check()
    assert fetched.fingerprint() == cls(str(bundle)).fingerprint()
    assert len(fetched.recordings()) == subjects
    assert (tmp_path / "new" / "data.zip").is_file()


def test_a_yaml_alone_describes_a_further_data_set(bundle: Path) -> None:
    text = (FOLDER / "csv_har.yaml").read_text()
    for key, value in {"axes": "2", "labels": "[NULL, walk, run]", "rate_hz": "50.0", "subjects": "3"}.items():
        text = re.sub(rf"(    {key}: )\?\?\?", rf"\g<1>{value}", text)
    node = yaml.safe_load(text)["data"]["dataset"]
    cls, arguments = part({**node, "root": str(bundle)})
    assert cls is CSVActivityDataset
    assert len(cls(**arguments).recordings()) == 3
