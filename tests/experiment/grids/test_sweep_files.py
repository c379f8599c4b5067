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
from tests.refusal import assert_names, refused

from qsense.commands.sweep import arguments
from qsense.experiment import checks
from qsense.experiment.command_line.spelling import parse
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.grid import plan
from qsense.experiment.grids.sweep_files import SweepFile, read_sweep

FOLDER = Path(__file__).parents[3] / "sweeps"
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
        "fat_table3", "bayes_gamma", "one_bit", "one_bit_full",
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


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    return file


READ: dict[str, tuple[str, list[str]]] = {
    "null": ("a: {values: [null, ~, 0.01]}", ["a=null", "a=0.01"]),
    "truths": ("a: {values: [true, off]}", ["a=true", "a=false"]),
    "numbers": ("a: {values: [1_000, 0x10, 1e-3, 2.50]}", ["a=1000", "a=16", "a=0.001", "a=2.5"]),
    "numbers as texts": ("a: {values: ['1e-3', '2', '1_000']}", ['a="1e-3"', 'a="2"', 'a="1_000"']),
    "a date": ("a: {value: 2024-01-31}", ['a="2024-01-31"']),
    "an equals sign": ("a: {value: /x/a=b}", ['a="/x/a=b"']),
    "a comma": ("quant: {value: 'gamma,linear'}", ['quant="gamma,linear"']),
    "spaces, brackets, quotes": ("a: {value: '(a) [b] \"c\" d'}", ["a='(a) [b] \"c\" d'"]),
    "dollars": ("a: {value: $HOME}", ['a="$HOME"']),
    "a reference": ("a: {value: 'start${fold}'}", ['a="start${fold}"']),
    "another script": ("a: {value: γ加}", ['a="γ加"']),
    "an empty text": ("a: {value: ''}", ['a=""']),
    "lists": ("a: {values: [[x, y], []]}", ["a=[x,y]", "a=[]"]),
    "a mapping": ("a: {value: {b: 1, c: [null]}}", ["a={b:1,c:[null]}"]),
    "twice the same": ("a: {values: [2, 4, 2]}", ["a=2", "a=4"]),
    "one of each kind": ("a: {values: [1, true, 1.0, '1']}", ["a=1", "a=true", "a=1.0", 'a="1"']),
    "nested": ("a: {parameters: {b: {parameters: {c: {values: [1, 2]}}}}}", ["a.b.c=1", "a.b.c=2"]),
    "a nested group": ("quant: {parameters: {sensor: {value: log}}}", ["quant/sensor=log"]),
    "counted": ("a: {distribution: categorical, values: [1]}", ["a=1"]),
    "a cap that does not cut": ("a: {values: [1, 2]}\nrun_cap: 2", ["a=1", "a=2"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "settings"), READ.values(), ids=READ.keys())
def test_values_are_handed_on_as_values(tmp_path: Path, text: str, settings: list[str]) -> None:
    parameters, _, rest = text.partition("\n")
    sweep = read_sweep(written(tmp_path, f"method: grid\nparameters:\n  {parameters}\n{rest}\n"))
    assert [setting for (setting,) in sweep.points()] == settings
    (axis,) = sweep.overrides()
    parsed = parse(axis)
    assert parsed is not None
    assert parsed.is_sweep_override()


NO_GRID: dict[str, tuple[str, tuple[str, ...]]] = {
    "no values": ("bits: {values: []}", ("bits", "values: []")),
    "values that are one": ("bits: {values: 4}", ("bits", "values: 4")),
    "a mapping of values": ("bits: {values: {a: 1}}", ("bits", "values")),
    "both": ("bits: {value: 1, values: [2]}", ("bits", "`value`", "`values`")),
    "a plain value": ("bits: 4", ("bits: {value: 4}",)),
    "a plain list": ("bits: [2, 4]", ("bits: {values: [2, 4]}",)),
    "nothing": ("bits:", ("bits", "`value`", "`values`")),
    "a misspelt word": ("bits: {vales: [2]}", ("bits", "vales", "value")),
    "a distribution": ("lr: {distribution: log_uniform, min: 0, max: 1}", ("lr", "log_uniform", "values: […]")),
    "a normal one": ("lr: {distribution: normal, mu: 0, sigma: 1}", ("lr", "normal")),
    "mu without a distribution": ("lr: {mu: 0, sigma: 1}", ("lr", "mu")),
    "fractions": ("lr: {min: 0.1, max: 1}", ("lr", "0.1", "1")),
    "the wrong way round": ("bits: {min: 4, max: 2}", ("bits", "4", "2")),
    "twice": ("bits: {value: 1}\n  bits: {value: 2}", ("bits", "line 4")),
    "twice, once nested": ("a.b: {value: 1}\n  a: {parameters: {b: {value: 2}}}", ("a.b",)),
    "no key": ("'a b=': {value: 1}", ("'a b='",)),
    "no such value": ("a: {value: !!set {x}}", ("a", "{'x'}")),
    "a key that Hydra cannot write": ("a: {value: {é: 1}}", ("a", "'é'")),
    "too many numbers": ("seed: {min: 0, max: 1000000000000}", ("seed", "1000000000000", "100000")),
    "too many points": ("".join(f"x{n}: {{min: 0, max: 99}}\n  " for n in range(8)), (str(100**8), "100000")),
    "a tag that does not fit": ("seed: {value: !!int x}", ("'x'",)),
    "another one": ("seed: {value: !!bool x}", ("cannot be read",)),
    "too deep": ("seed: " + "[" * 5000, ("too deeply",)),
    "a cap": ("bits: {values: [2, 3, 4]}\nrun_cap: 2", ("run_cap: 2", "3")),
}


@pytest.mark.parametrize(("text", "named"), NO_GRID.values(), ids=NO_GRID.keys())
def test_parameters_that_are_no_grid_are_refused(tmp_path: Path, text: str, named: tuple[str, ...]) -> None:
    file = written(tmp_path, f"method: grid\nparameters:\n  {text}\n")
    with refused(ConfigError, file, *named):
        read_sweep(file)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("method: grid\nparameters: [bits]", ("`parameters`",)),
        ("method: grid\nparameters: {}", ("`parameters`",)),
        ("method: grid\nparametrs: {bits: {value: 1}}", ("`parameters`", "parametrs")),
        ("method: random\nparameters: {bits: {value: 1}}", ("random", "`wandb agent`")),
        ("method: grid\ncommand: python train.py\nparameters: {bits: {value: 1}}", ("`command`",)),
        ("- method: grid", ("`method`",)),
        ("", ("`method`",)),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path, text: str, named: tuple[str, ...]) -> None:
    file = written(tmp_path, text)
    with refused(ConfigError, file, *named):
        read_sweep(file)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_bytes("method: grid # größer".encode("latin-1"))
    with refused(ConfigError, file):
        read_sweep(file)
    file.write_bytes(b"\xef\xbb\xbfmethod: grid\nparameters: {bits: {value: 1}}")
    assert read_sweep(file).points() == [("bits=1",)]


def test_what_holds_for_agents_alone_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "method: grid\nearly_terminate: {type: hyperband}\nparameters: {bits: {value: 2}}"
    assert arguments(written(tmp_path, text), ["seed=0"]) == ["bits=choice(2)", "seed=0", "-m"]
    assert_names(capsys.readouterr().err, "sweep.yaml", "early_terminate")


def test_a_single_value_is_one_run_whatever_it_is(tmp_path: Path) -> None:
    text = "method: grid\nparameters: {quant.sensor.lr: {value: null}, data.cache: {value: 'a=b, c'}, fold: {value: 0}}"
    planned, config = plan([*read_sweep(written(tmp_path, text)).overrides(), "seed=0"])
    assert len(planned) == 1
    assert (config.quant.sensor.lr, config.data.cache) == (None, "a=b, c")


@pytest.mark.parametrize(
    "entry",
    [
        "model._target_=os.system", "+quant.network={_target_: os.system, command: id}", "++callback.x._target_=a.b",
        "callback={x: {_target_: a.b}}", "model={'_target_': a.b}", "--config-dir=/tmp/theirs", "-cd=/tmp/theirs",
        "--config-path=/tmp", "hydra.searchpath=[/tmp/theirs]", "hydra.launcher.setup=[id]", "hydra.run.dir=/tmp",
        "+hydra.job.env_set={PATH: /tmp}", "hydra/job_logging=theirs", "data.dataset.root=${oc.env:HOME}",
        "model=../../../tmp/theirs", "experiment=[a,../theirs]", "+task=..",
        "runs=/${${task.x}:HOME}", "runs=/${a${b}:HOME}", "runs=/${ ${x} : HOME}", "model=../my theirs", "quant=../a=b",
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
