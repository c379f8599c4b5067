"""A run's folder is data: what it may name, and that nothing else of it is imported, fetched, written or looked up."""

from __future__ import annotations

import copy
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper
from tests.conftest import Command
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names, refused

from qsense.experiment import trusted
from qsense.experiment.compose import compose, options
from qsense.experiment.errors import ConfigError
from qsense.experiment.load import _stay_here
from qsense.experiment.recorded import for_instantiate, walk
from qsense.experiment.schema import config_folder
from qsense.experiment.signatures import definition

Content = dict[str, Any]
EVIL = "evil_module_that_nobody_allowed"


@pytest.fixture(scope="module")
def good() -> Content:
    """A run's configuration, as it is recorded."""
    content = OmegaConf.to_container(compose(["hydra.runtime.output_dir=/somewhere"]), resolve=False)
    assert isinstance(content, dict)
    content = {str(key): value for key, value in content.items() if key != "hydra"}
    text = yaml.safe_dump(content).replace("${hydra:runtime.output_dir}", "/somewhere")
    resolved = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    assert isinstance(resolved, dict)
    for name in ("adc", "figures", "network_figures", "detection_figures"):  # five are as good as nine
        del resolved["callback"][name]
    return {str(key): value for key, value in resolved.items()}


@pytest.fixture
def written(good: Content, tmp_path: Path) -> Callable[..., Path]:
    """Writes that configuration, changed by a function or at a place."""

    def write(change: Callable[[Content], object] | None = None, **places: Any) -> Path:
        content = copy.deepcopy(good)
        if change:
            change(content)
        for place, value in places.items():
            *parents, key = place.split("__")
            node = content
            for parent in parents:
                node = node[parent]
            node[key] = value
        file = tmp_path / "config.yaml"
        file.write_text(yaml.dump(content, Dumper=get_omega_conf_dumper()), encoding="utf-8")
        return file

    return write


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a mark where it is imported; returns the mark's place."""
    mark = tmp_path / "imported"
    (tmp_path / f"{EVIL}.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\nimport os\nfrom os import system\n"
        "class Net:\n    def make(self): ...\ndef build(**settings): ...\n"
    )
    (tmp_path / "evil_package").mkdir()
    (tmp_path / "evil_package" / "__init__.py").write_text("from .inner import Net\n")
    (tmp_path / "evil_package" / "inner.py").write_text("class Net: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    return mark


def part(target: Any, **settings: Any) -> Content:
    return {"_target_": target, **settings}


def test_what_is_recorded_is_read(written: Callable[..., Path], good: Content) -> None:
    config = trusted.read(written())
    assert OmegaConf.to_container(config, resolve=True) == good
    assert trusted.to_allow(config) == []
    assert config.task.lr == good["task"]["lr"]
    assert isinstance(config.task.lr, float)


def test_numbers_and_texts_are_what_was_written(written: Callable[..., Path]) -> None:
    names = [*HOSTILE, "a ${ b", "\\${x}", "\\\\${x}", "${trainer.max_epochs}", "${${a}}", "1e-4", "yes", "0x10", "~"]
    config = trusted.read(written(data__dataset__axes=names, task__lr=1e-7))
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    assert container["data"]["dataset"]["axes"] == names
    assert config.task.lr == 1e-7


def test_parts_are_given_texts_as_they_are(written: Callable[..., Path]) -> None:
    names = [*HOSTILE, "${trainer.max_epochs}", "\\${x}", "a ${ b"]
    part_of = part("qsense.data.series.csv_har.CSVActivityDataset", root="/x", name="${HOME}", axes=names, labels=names,
                   rate_hz=50.0, subjects=2, unit="g")  # fmt: skip
    config = trusted.read(written(data__dataset=part_of))
    built = instantiate(for_instantiate(config.data.dataset), _convert_="all")
    assert (built.name, list(built.axes), list(built.classes)) == ("${HOME}", names, names)


TARGETS = (
    # programs of Python's, of Hydra's and of packages that are installed anyway
    "os.system", "posix.system", "nt.system", "subprocess.run", "subprocess.Popen", "builtins.eval", "builtins.exec",
    "builtins.__import__", "importlib.import_module", "runpy.run_path", "shutil.rmtree", "pathlib.Path.write_text",
    "pickle.loads", "code.interact", "ctypes.CDLL", "webbrowser.open", "functools.partial", "operator.methodcaller",
    "hydra.utils.get_method", "hydra.utils.get_class", "hydra.utils.call", "hydra.utils.instantiate",
    "omegaconf.OmegaConf.load", "yaml.unsafe_load", "pandas.read_pickle", "pandas.eval", "numpy.load",
    "torch.load", "torch.hub.load", "torch.utils.collect_env.run", "torch.serialization.load", "torch.ops.load_library",
    "logging.config.dictConfig", "lightning.pytorch.utilities.parsing.os.system",
    # qsense's own modules, through which others are reached, and what is no part of it
    "qsense.commands.train.subprocess.run", "qsense.runs.folder.shutil.rmtree", "qsense.runs.folder.subprocess.run",
    "qsense.data.download.download", "qsense.data.download.extract", "qsense.train.train_here", "qsense.load",
    "qsense.experiment.grids.sweeping.complete", "qsense.models.weights.load_weights",
    "qsense.models.weights.pickle.loads",
    "qsense.quant.sensor.gamma.torch.load", "qsense.quant.sensor.gamma.Gamma.forward",
    "qsense.data.images.cifar10.pickle", "qsense.data.images.cifar10._DataOnly", "qsense.study.index.gather",
    "qsense.chip.export.export",
    # somebody's module
    f"{EVIL}.Net", f"{EVIL}.build", f"{EVIL}.Net.make", f"{EVIL}.os.system", f"{EVIL}.system", "evil_package.Net",
    "evil_package.inner.Net", "nowhere.to.be.Found",
    # names that are none
    "", ".", "..", "os", "os..system", ".os.system", "os.system.", "os.system\n", " os.system", "../evil",
    "/tmp/evil.Net", "${oc.env:HOME}", "${init_from}", "${task._target_}", "\\${x}", "os.${x}", "qsense..Gamma",
    "lightning..Trainer", None, 7, 1.5, True, ["os.system"], {"_target_": "os.system"},
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: ascii(target)[:60])
def test_no_other_target_is_taken(target: Any, written: Callable[..., Path], evil: Path) -> None:
    before = set(sys.modules)
    with refused(ConfigError, "config.yaml", "quant.network._target_", *([target] if target else [])):
        trusted.read(written(quant__network=part(target, command="id")))
    assert not evil.exists()
    assert EVIL not in sys.modules
    assert not {name for name in set(sys.modules) - before if not name.startswith(("qsense", "hydra"))}


SYSTEM = part("os.system", command="id")
PLACES: dict[str, Callable[[Content], object]] = {
    "root": lambda c: c.update(part("os.system")),
    "an unknown group": lambda c: c.update(evil=SYSTEM),
    "quant": lambda c: c["quant"].update(part("os.system")),
    "sensor": lambda c: c["quant"].update(sensor=SYSTEM),
    "data": lambda c: c.update(data=SYSTEM),
    "data set": lambda c: c["data"].update(dataset=SYSTEM),
    "model": lambda c: c.update(model=SYSTEM),
    "task": lambda c: c.update(task=SYSTEM),
    "trainer": lambda c: c.update(trainer=SYSTEM),
    "sensing": lambda c: c.update(sensing=SYSTEM),
    "callback": lambda c: c["callback"].update(evil=SYSTEM),
    "logger": lambda c: c["logger"].update(evil=SYSTEM),
    "argument": lambda c: c["model"].update(filters=SYSTEM),
    "list": lambda c: c["model"].update(filters=[1, [2, SYSTEM]]),
    "deep": lambda c: c["data"]["dataset"].update(axes={"a": [{"b": [SYSTEM]}]}),
    "strategy": lambda c: c["trainer"].update(strategy=SYSTEM),
    "plugins": lambda c: c["trainer"].update(plugins=[SYSTEM]),
    "trainer's callbacks": lambda c: c["trainer"].update(callbacks=[SYSTEM]),
    "partial": lambda c: c["model"].update(filters=SYSTEM | {"_partial_": True}),
    "not recursive": lambda c: c["model"].update(_recursive_=False, filters=SYSTEM),
    "converted": lambda c: c["model"].update(_convert_="none", filters=SYSTEM),
    "positional": lambda c: c["model"].update(_args_=[SYSTEM]),
    "choices": lambda c: c.update(choices={"data": SYSTEM}),
    "another group's part": lambda c: c["quant"].update(network=part("lightning.Trainer")),
    "a logger as a plugin": lambda c: c["trainer"].update(strategy=part("lightning.pytorch.loggers.CometLogger")),
    "a callback as a model": lambda c: c.update(model=part("qsense.callbacks.figures.Figures", folder="/")),
    "a logger as a quantizer": lambda c: c["quant"].update(network=part("qsense.runs.loggers.RunWandbLogger")),
}


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_wherever_it_stands(place: str, written: Callable[..., Path]) -> None:
    with refused(ConfigError, "config.yaml") as caught:
        trusted.read(written(PLACES[place]))
    assert "_target_=" in str(caught.value)
    assert "--allow" not in str(caught.value) or "lightning" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: &a [*a]", "levels"),
        ("a: &a {b: *a}", "levels"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e]", "values"),
        ("model: !!python/object/apply:os.system [id]", "os.system"),
        ("model: !!python/name:os.system", "os.system"),
        ("x: &x {_target_: os.system, command: id}\nmodel: *x", "os.system"),
        ("x: &x {_target_: os.system}\nmodel: {<<: *x}", "model._target_=os.system"),
        ('model: {"\\x5ftarget_": os.system}', "model._target_=os.system"),
        ("model: {_target_: qsense.models.vgg_small.VGGSmall, _target_: os.system}", "duplicate"),
        ("model: {width: !!binary aGVsbG8=}", "bytes"),
        ("model: {width: !!set {a}}", "set"),
        ("model: {width: !!python/object/apply:pathlib.PosixPath [/tmp]}", "PosixPath"),
        ("model: {width: 2020-01-01 00:00:00}", "_target_"),
        ("- 1", "_target_"), ("", "_target_"), ("model: [", "cannot be read"), ("\x00", "cannot be read"),
        ("data: {_target_: 1", "cannot be read"),
        ("[" * 5000, "too deeply"), ("{a: " * 5000, "too deeply"), ("x: !!int abc", "abc"),
        ("x: !!float b", "cannot be read"),
        ("x: !!timestamp soon", "cannot be read"), ("? [a, b]\n: 1", "cannot be read"),
        ("x: !!bool maybe", "cannot be read"),
        ("<<: 3", "cannot be read"), ("x: !!int ''", "cannot be read"), ("x: !!pairs [1]", "cannot be read"),
    ],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_no_trick_of_yaml_is_fallen_for(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with refused(ConfigError, file, named):
        trusted.read(file)


def test_what_is_cut_off_or_missing_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    with refused(FileNotFoundError, file, "missing", "train") as refusal:
        trusted.read(file)
    assert "Errno" not in str(refusal.value)
    file.write_text("data:\n  window: 50\n  refr", encoding="utf-8")
    with refused(ConfigError, file, "line 3") as refusal:
        trusted.read(file)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("word", ["_partial_", "_recursive_", "_args_"])
@pytest.mark.parametrize("part", ["data", "data.dataset", "task", "model", "quant.sensor", "trainer"])
def test_a_part_is_made_whole(part: str, word: str, written: Callable[..., Path]) -> None:
    value = [1] if word == "_args_" else word == "_partial_"
    with refused(ConfigError, f"{part}.{word}", "config.yaml"):
        trusted.read(written(**{f"{part.replace('.', '__')}__{word}": value}))


@pytest.mark.parametrize("what", ["folder", "pipe", "device", "large", "loop"])
def test_only_a_small_file_is_read(what: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    if what == "folder":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "large":
        file.touch()
        os.truncate(file, 1 << 33)
    else:
        file.symlink_to("/dev/zero" if what == "device" else file)
    with refused(ConfigError, file, "cannot be read"):
        trusted.read(file)


@pytest.mark.parametrize(
    "value",
    ["${oc.env:SECRET}", "a ${oc.env:SECRET,b} c", "${ oc.env:SECRET}", "${oc.decode:${oc.env:SECRET}}", "${hydra:x}",
     "${oc.create:{_target_: os.system}}", "${run_name:}", "${x:${y}}"],
)  # fmt: skip
def test_nothing_of_this_machine_is_looked_up(
    value: str, written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with refused(ConfigError, "data.dataset.name", value) as caught:
        trusted.read(written(data__dataset__name=value))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "allow"),
    [(f"{EVIL}.Net", EVIL), (f"{EVIL}.build", EVIL), (f"{EVIL}.Net.make", f"{EVIL}.Net.make"),
     ("evil_package.Net", "evil_package.Net"), ("evil_package.inner.Net", "evil_package.inner"),
     ("evil_package.inner.Net", "evil_package"),
     ("nowhere.to.be.Found", "nowhere.to.be.Found")],
)  # fmt: skip
def test_the_user_may_name_modules_of_his_own(
    target: str, allow: str, written: Callable[..., Path], evil: Path
) -> None:
    file = written(quant__network=part(target, _args_=[1]), model__filters=part(target))
    assert trusted.read(file, [allow]).quant.network._target_ == target
    assert not evil.exists()
    with refused(ConfigError, "config.yaml", target) as caught:
        trusted.read(file, ["another"])
    words = str(caught.value).partition("--allow ")[2].partition(" ")[0]  # what it says to add is enough
    assert trusted.read(file, [words]).model.filters._target_ == target
    assert words == allow or target == "evil_package.inner.Net"


@pytest.mark.parametrize(
    "target", [f"{EVIL}.os.system", f"{EVIL}.system", f"{EVIL}x.Net", f"{EVIL}.Net.make", "os.system"]
)
def test_what_a_module_imports_is_not_its_own(target: str, written: Callable[..., Path], evil: Path) -> None:
    with refused(ConfigError, "config.yaml", target):
        trusted.read(written(quant__network=part(target)), [EVIL])
    assert not evil.exists()


@pytest.mark.parametrize("name", ["", "a b", "a..b", "/a", "a;b"])
def test_what_is_no_module_is_not_allowed(name: str, written: Callable[..., Path]) -> None:
    with refused(ConfigError, f"allow={name}"):
        trusted.read(written(), [name])


def test_parts_are_where_they_lie_today(written: Callable[..., Path], good: Content) -> None:
    def move(content: Content) -> None:
        for node in (content["model"], content["quant"]["sensor"], *content["callback"].values(), content["data"]):
            if node["_target_"].startswith("qsense."):
                node["_target_"] = f"qsense.once.here.{node['_target_'].rpartition('.')[2]}"

    assert OmegaConf.to_container(trusted.read(written(move)), resolve=True) == good


GROUPS = ("quant", "quant/sensor", "quant/network", "data", "model", "task", "trainer", "logger", "callback", "sensing",
          "experiment")  # fmt: skip
OPTIONS = [(group, option) for group in GROUPS for option in options(group)]


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=[f"{group}={option}" for group, option in OPTIONS])
def test_every_option_makes_runs_that_may_be_built(group: str, option: str) -> None:
    text = (config_folder() / group / f"{option}.yaml").read_text(encoding="utf-8")
    package = () if "# @package _global_" in text else tuple(group.split("/"))
    for path, value in walk(yaml.safe_load(text), package):
        if path and path[-1] == "_target_":
            assert trusted._today(path, value) == value


def test_what_the_yaml_files_offer_is_made_in_its_groups_room() -> None:
    offered = {group: targets for group, targets in trusted._stated().items() if group != "hydra"}
    assert {"data", "model", "task", "trainer", "callback", "logger", "quant.sensor", "quant.network"} <= offered.keys()
    for group, targets in offered.items():
        for target in targets:
            if target.startswith("qsense."):
                rooms = tuple(room.removesuffix(".py").replace("/", ".") for room in trusted.ROOMS[group])
                assert target.removeprefix("qsense.").startswith(rooms), target
                assert definition(target) == target, "it is made there, and not only imported"
            else:
                assert target in {*trusted._lightnings(group), "lightning.Trainer"}, target


@pytest.mark.parametrize("overrides", [[], ["task=detection", "data=synthetic_raw"], ["task=classification"]])
def test_whole_configurations_need_no_permission(overrides: list[str], composed: Callable[..., DictConfig]) -> None:
    config = composed(*overrides, "logger=[csv,tensorboard,wandb,trackio]", "quant=gamma_fat")
    assert trusted.to_allow(config) == []
    assert len(trusted.named(config)) > 10


def test_recorded_runs_of_older_schemas_are_read() -> None:
    for file in sorted((Path(__file__).parents[1] / "study" / "runs").glob("*/config.yaml")):
        assert trusted.to_allow(trusted.read(file)) == []


# The commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(good: Content, tmp_path: Path) -> Path:
    """A finished run's folder whose network quantizer is a program."""
    folder = tmp_path / "run"
    shutil.copytree(Path(__file__).parents[1] / "study" / "runs" / "schema3", folder)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    content = copy.deepcopy(good)
    content["quant"]["network"] = part(f"{EVIL}.build", command="id")
    (folder / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "arguments", [["evaluate"], ["freeze"], ["export"], ["export", "--check"], ["report", "--figure", "gamma_quant/3"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_runs_what_a_folder_names(
    arguments: list[str], hostile: Path, evil: Path, light_command: Command
) -> None:
    done = light_command("qsense", arguments[0], str(hostile), *arguments[1:], PYTHONPATH=path_with(hostile.parent))
    assert done.code == 1
    assert_names(done.err, EVIL, "allow")
    assert not evil.exists()
    assert "Traceback" not in done.err
    assert "torch" not in done.heavy or arguments[0] == "report"


def test_the_library_takes_what_it_is_told(hostile: Path, evil: Path) -> None:
    import qsense

    with refused(qsense.ConfigError, EVIL, "quant.network._target_"):
        qsense.load(hostile)
    assert not evil.exists()


def test_a_folder_says_neither_what_is_fetched_nor_where_it_is_written(
    written: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QSENSE_CACHE", str(tmp_path / "mine"))
    profiler = part("lightning.pytorch.profilers.AdvancedProfiler", dirpath="/", filename="x")
    config = trusted.read(
        written(
            init_from="/elsewhere", data__cache=str(tmp_path), data__dataset__download=True, trainer__profiler=profiler,
            trainer__default_root_dir="/", trainer__logger=part("lightning.pytorch.loggers.CSVLogger", save_dir="/"),
            trainer__strategy="ddp", trainer__num_nodes=2, trainer__fast_dev_run=True, data__num_workers=10**9,
        )
    )  # fmt: skip
    _stay_here(config)
    assert (config.init_from, config.data.cache) == (None, str(tmp_path / "mine"))
    assert config.data.dataset.download is False
    assert config.data.num_workers == os.cpu_count()
    assert not {"profiler", "default_root_dir", "logger", "strategy", "fast_dev_run"} & set(config.trainer)
    (tmp_path / "fingerprints").mkdir()  # a cache of qsense's, which holds what this run was trained on
    config.data.cache = str(tmp_path)
    _stay_here(config)
    assert config.data.cache == str(tmp_path)


def test_a_run_is_built_without_the_weights_it_started_from() -> None:
    from qsense.models.resnet_cifar import ResNetCIFAR
    from qsense.models.weights import left_to_checkpoint

    with left_to_checkpoint():
        ResNetCIFAR(3, 10, depth=8, weights="http://127.0.0.1:9/weights.pth")
    with refused(FileNotFoundError, "nowhere.pth"):
        ResNetCIFAR(3, 10, depth=8, weights="nowhere.pth")


def path_with(folder: Path) -> str:
    """PYTHONPATH with one more folder."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
