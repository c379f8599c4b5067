"""Habits of other tools on the command line: each is taken, or answered with the way to write it here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from omegaconf import DictConfig
from tests.refusal import assert_names, refused

from qsense.experiment.command_line.agents import AGENT_FILE
from qsense.experiment.command_line.habits import understood
from qsense.experiment.command_line.spelling import parse
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.grid import plan

if TYPE_CHECKING:
    from tests.conftest import Command

Compose = Callable[..., DictConfig]

SOME = ("max_steps", "limit_train_batches", "limit_val_batches", "limit_test_batches")
TAKEN: dict[str, tuple[list[str], list[str]]] = {
    "as it is": (["bits=2", "+data.x=1", "~sensing", "quant/sensor=log"],) * 2,
    "hyphens": (["--bits=2", "--quant/sensor=log"], ["bits=2", "quant/sensor=log"]),
    "hyphens without equals": (["--bits", "2", "--fold", "-1"], ["bits=2", "fold=-1"]),
    "a flag": (["--run.dry_run", "--bits=2"], ["run.dry_run=true", "bits=2"]),
    "a flag of what is asked": (["--dry-run", "preflight=false"], ["run.dry_run=true", "run.preflight=false"]),
    "what is asked as a word": (["dry_run", "bits=2"], ["run.dry_run=true", "bits=2"]),
    "-m in the middle": (["bits=2,4", "-m", "fold=0"], ["-m", "bits=2,4", "fold=0"]),
    "an option with its value": (["bits=2", "--cfg", "job", "fold=1"], ["--cfg", "job", "bits=2", "fold=1"]),
    "an option with an equals sign": (["bits=2", "--config-dir=a=b"], ["--config-dir=a=b", "bits=2"]),
    "an abbreviated option": (["bits=2,3", "--multi"], ["--multirun", "bits=2,3"]),
    "spaces": (["bits", "=", "2", "fold=", "1", "seed", "=3"], ["bits=2", "fold=1", "seed=3"]),
    "spaces in a word": (["bits = 2"], ["bits=2"]),
    "a list with spaces": (["logger=[csv,", "tensorboard]"], ["logger=[csv,tensorboard]"]),
    "values with spaces": (["bits=2,", "4", "-m"], ["-m", "bits=2,4"]),
    "no callbacks": (["callback=null"], ["callback=none"]),
    "an empty mapping of callbacks": (["callback={}"], ["callback=none"]),
    "no logger, in Python": (["logger=None"], ["logger=none"]),
    "no quantizer": (["quant=null", "quant/network=null"], ["quant=none", "quant/network=none"]),
    "no experiment": (["experiment=null", "sensing={}"], ["~experiment", "~sensing"]),
    "several loggers": (["logger=csv,tensorboard"], ["logger=[csv,tensorboard]"]),
    "a file's ending": (["quant=gamma.yaml", "experiment=cifar10.yml"], ["quant=gamma", "experiment=cifar10"]),
    "a path with an equals sign": (["runs=/a=b"], ['runs="/a=b"']),
    "a path with parentheses": (["runs=/a(1)"], ['runs="/a(1)"']),
    "a path with spaces": (["runs=/my runs"], ["runs=/my runs"]),
    "a path in Greek": (["runs=/γ"], ['runs="/γ"']),
    "an ampersand": (["runs=a&b;c"], ['runs="a&b;c"']),
    "a drive": ([r"runs=C:\a\b"], [r"runs=C:\a\b"]),
    "a network share": ([r"runs=\\host\a"], [r'runs="\\host\a"']),
    "a list in Python": (["data.x=['a', None, True]"], ["data.x=['a', None, True]"]),
    "a mapping in Python": (["data.x={'a': None, 'b': [1.5]}"], ["data.x={a:null,b:[1.5]}"]),
    "JSON": (['{"bits": 2, "quant": {"sensor": {"lr": null}}}'], ["bits=2", "quant.sensor.lr=null"]),
    "a + before an argument": (["+trainer.profiler=simple"], ["++trainer.profiler=simple"]),
    "some batches": (["trainer.fast_dev_run=2"], [f"++trainer.{key}=2" for key in SOME]),
    "no fast_dev_run": (["trainer.fast_dev_run=False"], []),
}  # fmt: skip


@pytest.mark.parametrize(("words", "taken"), TAKEN.values(), ids=TAKEN.keys())
def test_a_habit_is_taken(words: list[str], taken: list[str]) -> None:
    assert understood(words) == taken
    assert understood(taken) == taken, "what a process hands on to another stays"
    for word in taken:
        assert word.startswith("-") or word in ("job",) or parse(word) is not None


REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "a comma at the end": (["bits=2,"], ["bits=2,", "bits=2"]),
    "a list for a sweep": (["data.axes=x,y"], ["data.axes=x,y -m", "'data.axes=[x,y]'", "'data.axes=\"x,y\"'"]),
    "a range without -m": (["seed=range(5)"], ["'seed=range(5)' -m"]),
    "a choice without -m": (["bits=choice(2,4)"], ["'bits=choice(2,4)' -m"]),
    "a decimal comma": (["task.lr=0,5"], ["task.lr=0,5", "'task.lr=[0,5]'"]),
    "an option as a word": (["gamma"], ["gamma", "key=value", "quant=gamma"]),
    "a colon": (["bits:2"], ["bits:2", "bits=2"]),
    "a word": (["whatever"], ["whatever", "key=value", "'runs=my runs'"]),
    "a path cut at its space": (["runs=/my", "runs"], ["runs", "'runs=my runs'"]),
    "a flag that there is not": (["--mutirun"], ["--mutirun", "--multirun"]),
    "a flag that is misspelt": (["--bit=2"], ["--bit", "bits"]),
    "a flag of another name": (["--max-epochs"], ["--max-epochs", "trainer.max_epochs", "trainer.max_epochs=VALUE"]),
    "an argument by its last name": (["--max_epochs=3"], ["--max_epochs", "trainer.max_epochs"]),
    "JSON that is none": (["{bits: 2}"], ["{bits: 2}", "JSON"]),
    "no data": (["data=null"], ["data=null", "synthetic_imu"]),
    "no trainer": (["trainer={}"], ["trainer", "cpu", "smoke"]),
    "an open bracket": (["logger=[csv"], ["logger=[csv", "'logger=\"[csv\"'"]),
    "an open quote": (['runs="a'], ['runs="a', "runs"]),
    "both = and a comma": (["runs=/a=b,c"], ["runs=/a=b,c", "'runs=\"/a=b,c\"'"]),
    "a key that is none": (["2bits!=3"], ["2bits!=3", "key=value"]),
    "the Trainer's loggers": (["trainer.logger=false"], ["trainer.logger", "logger=none"]),
    "the Trainer's callbacks": (["+trainer.callbacks=null"], ["trainer.callbacks", "callback=none"]),
    "the Trainer's folder": (["trainer.default_root_dir=/x"], ["trainer.default_root_dir", "runs=FOLDER"]),
    "the Trainer's bar": (["trainer.enable_progress_bar=false"], ["callback.progress=null"]),
    "the Trainer's checkpoint": (["trainer.enable_checkpointing=false"], ["callback.checkpoint=null"]),
    "fast_dev_run in words": (["trainer.fast_dev_run=yes"], ["trainer.fast_dev_run=yes", "trainer=smoke"]),
}  # fmt: skip


@pytest.mark.parametrize(("words", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_what_may_be_meant_in_several_ways_is_answered(words: list[str], named: list[str]) -> None:
    with refused(ConfigError, *named) as caught:
        understood(words)
    assert len(str(caught.value)) < 500


def test_a_home_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert understood(["data.cache=~/my cache"]) == ['data.cache="/home/me/my cache"']


def test_a_file_of_json_is_read(tmp_path: Path) -> None:
    file = tmp_path / "args.json"
    file.write_text(json.dumps({"bits": 2, "data.dataset.axes": ["x", "y,z"]}))
    assert understood([str(file)]) == ["bits=2", 'data.dataset.axes=[x,"y,z"]']


VALUES: list[Any] = [None, True, 2, 1e-5, "gamma", "a=b", "x, y", "", "None", [1, None, "a b"], "it's", '"', "1e-3x"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("form", ["--{}", "{}", "++{}"])
def test_what_an_agent_spells_in_python_is_the_files_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, form: str
) -> None:
    file = tmp_path / "config-1.yaml"
    file.write_text(yaml.safe_dump({"wandb_version": 1, "data.key": {"value": value}}))
    monkeypatch.setenv(AGENT_FILE, str(file))
    (word,) = understood([form.format(f"data.key={value}")], multirun=True)
    setting = parse(word)
    assert setting is not None
    assert setting.value() == value


def test_an_agents_nested_parameters_are_dotted_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config-1.yaml"
    file.write_text(yaml.safe_dump({"quant": {"value": {"sensor": {"gamma": 0.3, "lr": None}}}}))
    monkeypatch.setenv(AGENT_FILE, str(file))
    words = ["quant={'sensor': {'gamma': 0.3, 'lr': None}}", "seed=0"]
    assert understood(words) == ["quant.sensor.gamma=0.3", "quant.sensor.lr=null", "seed=0"]


def test_the_command_says_it_before_torch(light_command: Command) -> None:
    done = light_command("qsense.train", "--bits=2", "run.dry_run=true", "callback=null", "runs=a=b")
    assert done.code == 0, done.err
    assert "a=b/synthetic_imu-gamma-2bit" in done.out
    done = light_command("qsense.train", "threads=None")
    assert_names(done.err.partition("error: ")[2], "threads", "threads=null")
    done = light_command("qsense.train", "lr=1e-3")
    assert done.code == 1
    assert_names(done.err.partition("error: ")[2], "lr", "task.lr", "quant.sensor.lr")
    assert not done.heavy


def test_a_sweep_over_no_callbacks_and_no_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    planned, _ = plan(["callback=null,default", "experiment=null,recommended", "seed=0", "fold=0"])
    assert len(planned) == 2  # callbacks move no numbers


@pytest.mark.parametrize(
    ("subdir", "folders"),
    [
        ("${hydra.job.override_dirname}", ["bits=2,fold=0,seed=0", "bits=2,fold=1,seed=0"]),
        ("mine/${bits}-${fold}", ["mine/2-0", "mine/2-1"]),
        ("x${run_name:}", None),
    ],
)
def test_a_folders_name_of_ones_own_tells_folds_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subdir: str, folders: list[str] | None
) -> None:
    monkeypatch.chdir(tmp_path)
    planned, _ = plan([f"hydra.sweep.subdir={subdir}", "bits=2", "fold=0,1", "seed=0", "run.dry_run=true"])
    assert len(set(planned.values())) == 2
    if folders:
        assert [str(folder.relative_to(tmp_path / "runs")) for folder in planned.values()] == folders


@pytest.mark.parametrize(
    ("subdir", "named"),
    [("${bits}", ["fold=0", "fold=1", "${run_name:}"]), ("${hydra.job.num}", ["hydra.sweep.subdir=${hydra.job.num}"])],
)
def test_a_folders_name_that_is_no_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subdir: str, named: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(ConfigError, *named):
        plan([f"hydra.sweep.subdir={subdir}", "bits=2", "fold=0,1", "seed=0"])
