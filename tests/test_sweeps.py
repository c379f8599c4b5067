"""Every W&B grid file: its grid is the published table's, and its command is a configuration that exists."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import DictConfig

from qsense.checks import check
from qsense.config import ConfigError, run_id

FILES = sorted((Path(__file__).parents[1] / "sweeps").glob("*.yaml"))
FOLDS = {"wear": 18, "wetlab": 22, "hangtime": 24, "rwhar": 15, "sbhar": 30}


def grid(sweep: dict[str, Any]) -> list[list[str]]:
    """Command-line arguments of every grid point, as `${args_no_hyphens}` gives them."""
    axes = []
    for key, parameter in sweep["parameters"].items():
        values = parameter.get("values", [parameter.get("value")])
        axes.append([f"{key}={value}" for value in values])
    return [list(point) for point in itertools.product(*axes)]


class DataAbsent(Exception):
    """The configuration is right; its real data are not here."""


def check_here(config: DictConfig) -> None:
    try:
        check(config)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise DataAbsent from error
        raise


def test_there_is_one_file_per_table_and_data_set() -> None:
    expected = {f"gamma_quant_table{table}_{data}" for table in (2, 3) for data in FOLDS}
    assert {file.stem for file in FILES} >= expected | {f"gamma_quant_table2_{data}_raw" for data in FOLDS}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_is_the_one_a_user_types(file: Path) -> None:
    sweep = yaml.safe_load(file.read_text())
    assert sweep["method"] == "grid"
    assert sweep["command"][:4] == ["${env}", "python", "-m", "qsense.train"]
    assert sweep["command"][-1] == "${args_no_hyphens}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_grid_has_as_many_runs_as_it_says(file: Path, composed: Callable[..., DictConfig]) -> None:
    text = file.read_text()
    sweep = yaml.safe_load(text)
    data = file.stem.removesuffix("_raw").rpartition("_")[2]
    points = grid(sweep)
    one_fold = [point for point in points if "fold=0" in point and "seed=0" in point]
    identities = {}
    for point in one_fold:
        config = composed(*point)
        with contextlib.suppress(DataAbsent):
            check_here(config)
        identities[run_id(config)] = point
    claimed = re.search(r"(\d+) runs", text)
    assert claimed is not None
    assert len(identities) == len(one_fold)  # no grid point is another one again
    assert len(points) == len(one_fold) * FOLDS[data] * 3 == int(claimed[1])
