"""Every conf/data/*.yaml of activities fits its classes, and the published data sets state consistent facts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from tests.refusal import refused

from qsense.data.errors import DataMissingError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.dataset import ActivityDataset
from qsense.data.series.hangtime import HangTime
from qsense.data.series.rwhar import RWHAR
from qsense.data.series.sbhar import SBHAR
from qsense.data.series.wear import WEAR
from qsense.data.series.wetlab import Wetlab
from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.experiment.schema import config_folder

SERIES = {
    name: said.data for name, said in stated_by_options("data").items() if said.data._target_.endswith("HARDataModule")
}
GIVEN = {  # what csv_har leaves to its user
    "axes": 3,
    "labels": ["NULL", "walking"],
    "rate_hz": 50.0,
    "subjects": 5,
}


def part(node: DictConfig) -> tuple[type, dict[str, Any]]:
    """A node's class and arguments, with environment variables filled in."""
    arguments = OmegaConf.to_container(node, resolve=True)
    assert isinstance(arguments, dict)
    module, name = arguments.pop("_target_").rsplit(".", 1)
    known = {str(key): GIVEN[str(key)] if value == "???" else value for key, value in arguments.items()}
    return getattr(importlib.import_module(module), name), known


def build(name: str) -> ActivityDataset:
    cls, arguments = part(SERIES[name].dataset)
    made = cls(**arguments)
    assert isinstance(made, ActivityDataset)
    return made


def test_all_data_sets_are_there() -> None:
    assert set(SERIES) >= {"sbhar", "wear", "wetlab", "hangtime", "rwhar", "csv_har"}
    assert set(SERIES) >= {"pamap2", "mhealth", "wisdm", "wisdm2019", "uci_har", "opportunity"}


@pytest.mark.parametrize("name", SERIES)
def test_every_argument_is_spelled_out(name: str) -> None:
    assert (config_folder() / "data" / f"{name}.yaml").read_text().startswith("# @package _global_\n")
    for node, supplied in ((SERIES[name], {"fold", "seed"}), (SERIES[name].dataset, set())):
        assert set(part(node)[1]) == set(signatures.arguments(node._target_) or ()) - supplied


@pytest.mark.parametrize("name", SERIES)
def test_facts_are_consistent_and_the_sweep_takes_every_fold(composed: Callable[..., DictConfig], name: str) -> None:
    data = build(name)
    assert len(data.axes) == len(set(data.axes))
    assert len(data.classes) == len(set(data.classes))
    assert "NULL" not in data.classes[1:]
    assert 1 <= SERIES[name].window / data.rate_hz <= 4  # seconds
    assert SERIES[name].window > 32  # what four convolutions of the default network need
    assert SERIES[name].stride * 2 == SERIES[name].window
    assert data.num_folds == data.num_subjects
    given = [f"data.dataset.{key}={value}" for key, value in GIVEN.items()] if name == "csv_har" else []
    params = composed(f"data={name}", *given).hydra.sweeper.params
    assert dict(params) == {"seed": "0,1,2", "fold": f"range({data.num_folds})"}


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
    facts = {"axes": 2, "labels": ["NULL", "walk", "run"], "rate_hz": 50.0, "subjects": 3, "root": str(bundle)}
    node = OmegaConf.merge(SERIES["csv_har"].dataset, facts)
    assert isinstance(node, DictConfig)
    cls, arguments = part(node)
    assert cls is CSVActivityDataset
    assert len(cls(**arguments).recordings()) == 3
