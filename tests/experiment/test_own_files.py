"""A user's own YAML files, in a folder of the user's: quantizers, presets and data sets of a few lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from omegaconf import DictConfig
from tests.quick import NO_PICTURES

from qsense.experiment.grids.grid import plan
from qsense.experiment.identity import choices

if TYPE_CHECKING:
    from tests.conftest import Command

Compose = Callable[..., DictConfig]
CURVE = """
from qsense.quant.sensor.base import SensorQuantizer

class Root(SensorQuantizer):
    def curve(self, u):
        return u.sign() * u.abs().sqrt()
"""
SECTION = """
sensor:
  _target_: qsense.quant.sensor.linear.Linear
  bits: ${bits}
network: null
"""
FACTS = "{root: %s, name: mine, axes: [x, y], labels: [NULL, walk, run], rate_hz: 50, subjects: 3, range: [-4, 4]}"
SMALL = [*NO_PICTURES, "trainer=smoke", "logger=none", "model=deepconvlstm_small", "model.kernel=3"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of YAML files, and beside it a module with a curve and a data set of three subjects."""
    folder, recordings = tmp_path / "mine", tmp_path / "data" / "raw" / "inertial"
    recordings.mkdir(parents=True)
    for subject in range(3):
        rows = [f"{subject},{row % 7 / 7},{row % 5 - 2},{('null', 'walk', 'run')[row // 40]}" for row in range(120)]
        (recordings / f"sbj_{subject}.csv").write_text("\n".join(["sbj_id,x,y,label", *rows]) + "\n")
    facts = FACTS % (tmp_path / "data")
    files = {
        "quant/sensor/root.yaml": "_target_: curves.Root\nbits: ${bits}\nrounding: ${rounding}\n",
        "quant/steep.yaml": "defaults:\n  - sensor: gamma\n  - network: none\n  - _self_\nsensor:\n  gamma: 0.2\n",
        "quant/whole.yaml": SECTION,
        "data/mine.yaml": f"defaults: [csv_har, _self_]\ndataset: {facts}\nwindow: 20\nstride: 10\n",
        "data/two_folds.yaml": "# @package _global_\ndefaults: [csv_har, _self_]\n"
        f"data: {{window: 20, stride: 10, dataset: {facts}}}\nhydra: {{sweeper: {{params: {{fold: '0,1'}}}}}}\n",
        "data/broken.yaml": "defaults: [no_such_file]\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "curves.py").write_text(CURVE)
    return folder


def test_a_quantizer_and_a_data_set_of_a_few_lines_run(command: Command, mine: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    options = ["quant=fat", "quant/sensor=root", "data=mine", *SMALL]
    done = command("qsense.train", "--config-dir", str(mine), *options, PYTHONPATH=path)
    assert done.code == 0, done.err
    (file,) = tmp_path.glob("runs/*/metrics.json")
    result = json.loads(file.read_text())
    expected = {"quant": "root_fat", "bits": 4, "network_bits": 4, "data": "mine", "dataset": "mine", "num_folds": 3}
    assert {key: result[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["quant=whole"], "whole"),
        (["quant=steep"], "steep"),
        (["quant=steep", "quant/network=fat"], "gamma_fat"),
        (["quant=gamma", "quant/sensor=root"], "root"),
    ],
)
def test_runs_are_named_by_their_quantizers(composed: Compose, mine: Path, overrides: list[str], name: str) -> None:
    config = composed(f"hydra.searchpath=[file://{mine}]", *overrides)
    assert choices(config.hydra)["quant"] == name
    assert config.quant.sensor.bits == 4


@pytest.mark.parametrize(("data", "runs"), [("mine", 9), ("two_folds", 6)])
def test_a_sweep_takes_every_fold_unless_the_file_names_some(mine: Path, data: str, runs: int) -> None:
    folders, config = plan([f"hydra.searchpath=[file://{mine}]", f"data={data}"])
    assert len(folders) == runs
    assert (config.data.dataset.name, config.data.window, config.data.batch_size) == ("mine", 20, 100)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data=digits"], ["ImageDataModule does not fit task HARTask", "csv_har", "mine", "two_folds"]),
        (["data=mine", "data.dataset.axs=3"], ["data.dataset.axs", "did you mean axes?"]),
        (["data=mine", "data.dataset.subjects=1", "-m"], ["subjects=1"]),
        (["data=mien"], ["there is no data=mien", "did you mean mine?"]),
        (["quant/sensor=rot"], ["there is no quant/sensor=rot", "did you mean root?"]),
    ],
)
def test_mistakes_are_answered_with_ones_own_files_among_the_names(
    light_command: Command, mine: Path, overrides: list[str], said: list[str]
) -> None:
    done = light_command("qsense.train", "--config-dir", str(mine), *overrides)
    assert done.code == 1
    for words in said:
        assert words in done.err, done.err
    assert "broken" not in done.err.partition("fit: ")[2]
    assert "Traceback" not in done.err
    assert not done.heavy
