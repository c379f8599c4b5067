"""Every W&B sweep file: the published grid, run by run the same through an agent and through Hydra."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from tests.refusal import refused

from qsense.commands.sweep import arguments
from qsense.experiment import checks
from qsense.experiment.errors import ConfigError
from qsense.experiment.grid import plan
from qsense.experiment.sweep_files import SweepFile, read_sweep

FOLDER = Path(__file__).parents[2] / "sweeps"
FILES = sorted(FOLDER.glob("*.yaml"))
GRIDS = [file for file in FILES if yaml.safe_load(file.read_text())["method"] == "grid"]


def name(file: Path) -> str:
    return file.stem


@pytest.fixture(autouse=True)
def without_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Checks as ever, but real data sets may be absent, and every run is a new one."""
    check_data = checks._check_data

    def check_data_if_there(config: Any) -> None:
        try:
            check_data(config)
        except ConfigError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "_check_data", check_data_if_there)
    yield
    GlobalHydra.instance().clear()


def names_of(overrides: list[str]) -> set[str]:
    """Names of a multirun's runs, which end in their identities."""
    planned, _ = plan(overrides)
    return {folder.name for folder in planned.values()}


def test_there_is_a_file_for_every_table_and_figure() -> None:
    assert {file.stem for file in FILES} == {
        "gamma_quant_table2", "gamma_quant_table3", "gamma_quant_fig4", "gamma_quant_fig6", "gamma_quant_day_night",
        "gamma_quant_srgb", "fixed_gamma", "fat_table1", "fat_table2", "fat_table2_log", "fat_table2_full_precision",
        "fat_table3", "bayes_gamma",
    }  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=name)
def test_the_command_is_the_one_a_user_types(file: Path) -> None:
    sweep = yaml.safe_load(file.read_text())
    assert sweep["program"] == "qsense"
    assert sweep["command"][:5] == ["${env}", "python", "-m", "qsense", "folds"]
    assert sweep["command"][-1] == "${args_no_hyphens}"
    assert sweep["metric"]["name"].startswith(("test/", "cost/"))


def corners(sweep: SweepFile) -> SweepFile:
    """One seed, the ends of the first and of the last axis, the start of the others: the whole takes minutes."""
    starts = {key: values[:1] for key, values in sweep.axes.items()}
    axes = [key for key, values in sweep.axes.items() if len(values) > 1 and key != "seed"]
    ends = {key: [sweep.axes[key][0], sweep.axes[key][-1]] for key in (axes[0], axes[-1])}
    return SweepFile(sweep.path, sweep.fixed, {**starts, **ends})


@pytest.mark.parametrize("file", GRIDS, ids=name)
def test_an_agent_and_hydra_do_the_same_runs(file: Path) -> None:
    sweep = corners(read_sweep(file))
    fixed = [entry for entry in sweep.fixed if not entry.startswith("logger")]
    by_agent = [names_of([*fixed, *point]) for point in sweep.points()]
    assert all(by_agent)
    assert set().union(*by_agent) == names_of(sweep.overrides())


@pytest.mark.slow
@pytest.mark.parametrize("file", GRIDS, ids=name)
def test_the_whole_grid_is_sound_and_as_large_as_it_says(file: Path) -> None:
    claimed = re.search(r"([\d ]+) runs", file.read_text())
    assert claimed is not None
    assert len(names_of(arguments(file, [])[:-1])) == int(claimed[1].replace(" ", ""))


def test_an_argument_replaces_the_files_own() -> None:
    own = arguments(FOLDER / "gamma_quant_table2.yaml", ["data=sbhar", "++seed=0", "run.dry_run=true"])
    assert own == [
        "experiment=choice(gamma_quant_har)", "quant=none,linear,gamma,gamma_per_axis", "bits=2,4",
        "data=sbhar", "++seed=0", "run.dry_run=true", "-m",
    ]  # fmt: skip


def test_what_the_command_fixes_holds_for_hydra_but_its_loggers_do_not() -> None:
    own = arguments(FOLDER / "fat_table2.yaml", [])
    assert "trainer=gpu" in own
    assert not [entry for entry in own if entry.startswith("logger")]
    assert "trainer=gpu" not in arguments(FOLDER / "fat_table2.yaml", ["trainer=cpu"])


def test_whole_numbers_from_low_to_high_are_an_axis(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("method: grid\nparameters: {fold: {min: 0, max: 2}, seed: {value: 1}, bits: {values: [2, 4]}}\n")
    points = read_sweep(file).points()
    assert points == [(f"fold={f}", "seed=1", f"bits={b}") for f, b in itertools.product(range(3), (2, 4))]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[", ("line 1",)),
        ("a: 1", ("`method`", "`parameters`")),
        ("method: bayes\nparameters: {a: {value: 1}}", ("bayes", "`wandb agent`", "`method: grid`")),
        ("method: grid\nparameters: {lr: {min: 0.1, max: 1.0}}", ("lr", "`value`", "`values`", "`min`", "`max`")),
        ("method: grid\nparameters: {lr: 3}", ("lr", "`value`", "`values`", "`min`", "`max`")),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path: Path, content: str, named: tuple[str, ...]) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(content)
    with refused(ConfigError, file, *named):
        read_sweep(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with refused(ConfigError, tmp_path / "absent.yaml", "sweeps/"):
        read_sweep(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "entry",
    [
        "model._target_=os.system", "+quant.network={_target_: os.system, command: id}", "++callback.x._target_=a.b",
        "callback={x: {_target_: a.b}}", "model={'_target_': a.b}", "--config-dir=/tmp/theirs", "-cd=/tmp/theirs",
        "--config-path=/tmp", "hydra.searchpath=[/tmp/theirs]", "hydra.launcher.setup=[id]", "hydra.run.dir=/tmp",
        "+hydra.job.env_set={PATH: /tmp}", "hydra/job_logging=theirs", "data.dataset.root=${oc.env:HOME}",
        "model=../../../tmp/theirs", "experiment=[a,../theirs]", "+task=..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["command", "parameters"])
def test_a_file_names_no_program(tmp_path: Path, entry: str, place: str) -> None:
    file = tmp_path / "theirs.yaml"
    key, _, value = entry.partition("=")
    content: dict[str, Any] = {"method": "grid", "parameters": {"bits": {"value": 2}}}
    content |= {"command": ["python", entry]} if place == "command" else {"parameters": {key: {"value": value}}}
    file.write_text(yaml.safe_dump(content))
    with refused(ConfigError, file):
        arguments(file, [])
    assert arguments(file, [entry])[-2:] == [entry, "-m"]  # on one's own command line everything may be said


@pytest.mark.parametrize(
    "entry", ["quant=gamma", "quant/sensor=log", "+experiment=cifar10", "hydra/launcher=workers", "runs=../elsewhere",
              "data.dataset.root=../data", "init_from=../runs/a/fold${fold}", "model.filters=16", "~callback.adc"],
)  # fmt: skip
def test_a_file_sets_options_and_values(tmp_path: Path, entry: str) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump({"method": "grid", "parameters": {"bits": {"value": 2}}, "command": [entry]}))
    assert (entry in arguments(file, [])) == ("=" in entry)
