"""Every wrong configuration answers at once, in one screen, naming the key or value and what is allowed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from PIL import Image
from tests.refusal import assert_names, refused, unwrapped

from qsense.experiment.checks import check, without_effect
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import choices, data_fingerprint, namer, run_id, run_name
from qsense.experiment.schema import config_folder
from qsense.runs.settings import NEUTRAL, bits_of

if TYPE_CHECKING:
    from tests.conftest import Command, Done

Compose = Callable[..., DictConfig]

QUANT = ("quant", "quant/sensor", "quant/network")


# Converters with memory
TAKES = {"adpcm": "series", "dpcm": "series", "mipi": "frames", "pisp": "frames", "row_dpcm": "frames"}
GIVES = {"HARTask": "series", "ClassificationTask": "images", "DetectionTask": "frames"}


def options(group: str) -> list[str]:
    return [file.stem for file in sorted((config_folder() / group).glob("*.yaml"))]


WRONG = {
    "unknown group option": (
        ["quant=gama"],
        ["quant=gama", "gamma", "gamma", "gamma_per_axis", "gamma_per_condition", "linear"],
    ),
    "unknown sensor quantizer": (
        ["quant=gamma_fat", "quant/sensor=gama"],
        ["quant/sensor=gama", "gamma", "gamma", "lloyd_max", "log", "log_eps", "log_gamma", "none"],
    ),
    "unknown network quantizer": (
        ["quant/network=fta"],
        ["quant/network=fta", "fat", "fat", "integer", "log_weights", "none", "uniform_weights"],
    ),
    "unknown logger among several": (
        ["logger=[csv,wandbb]"],
        ["logger=wandbb", "wandb", "wandb", "csv", "none", "tensorboard"],
    ),
    "unknown experiment": (["experiment=fixed_gama"], ["experiment=fixed_gama", "fixed_gamma", "fixed_gamma"]),
    "data of another kind": (["data=digits"], ["ImageDataModule", "images", "HARTask", "series", "sbhar"]),
    "unknown root key": (["bit=2"], ["bit", "bits", "bits", "callback", "data"]),
    "unknown root key, appended": (["+bit=2"], ["bit", "bits", "bits", "seed", "fold"]),
    "unknown argument": (["quant.sensor.gama=1"], ["quant.sensor.gama", "gamma", "gamma", "rounding"]),
    "unknown argument, appended": (
        ["+quant.sensor.gama=1"],
        ["quant.sensor.gama", "gamma", "Gamma", "gamma", "rounding"],
    ),
    "unknown trainer argument": (
        ["+trainer.max_epoch=3"],
        ["trainer.max_epoch", "Trainer", "max_epochs", "max_epochs", "max_steps"],
    ),
    "unknown slot": (["+quant.sensr.lr=1"], ["quant.sensr", "sensor", "sensor", "network"]),
    "no part in a slot": (["quant.network=fat"], ["quant.network", "_target_", "quant/network=fat"]),
    "no part among callbacks": (["+callback.checkpont.x=2"], ["callback.checkpont", "_target_", "null"]),
    "unknown launcher": (["hydra/launcher=worker", "-m"], ["hydra/launcher=worker", "basic", "workers", "workers"]),
    "runs where none can be kept": (["runs=/proc/x"], ["runs=/proc/x", "/proc", "runs=FOLDER"]),
    "runs in no folder": (["runs="], ["runs", "runs=runs"]),
    "no test": (["trainer.limit_test_batches=0"], ["trainer.limit_test_batches=0", "trainer.limit_test_batches=1"]),
    "no share of a test": (["trainer.limit_test_batches=0.0"], ["trainer.limit_test_batches=0.0"]),
    "nothing to start from": (["init_from=nowhere"], ["init_from=nowhere", "nowhere/checkpoints/last.ckpt"]),
    "no weights to start from": (["init_from=conf/x.pth"], ["init_from=conf/x.pth", "file"]),
    "rounding": (["rounding=up"], ["rounding=up", "round", "floor"]),
    "frames for activities": (
        ["data=synthetic_raw"],
        ["DetectionDataModule", "frames", "HARTask", "series", "synthetic_imu"],
    ),
    "a classifier as a detector": (
        ["task=detection", "model=resnet18"],
        ["qsense.models.torchvision_nets.resnet18", "DetectionTask", "object_classes", "faster_rcnn", "paa_small"],
    ),
    "frozen stages of random weights": (
        ["task=detection", "data=synthetic_raw", "model=retinanet_small", "model.norm=group", "model.frozen_stages=1"],
        [
            "model.frozen_stages=1",
            "model.pretrained=null",
            "model.weights=null",
            "init_from=RUN",
            "model.frozen_stages=-1",
        ],
    ),
    "a converter with memory for images": (
        ["quant=dpcm", "task=classification"],
        ["DPCM", "ImageDataModule", "images", "series", "quant/sensor", "gamma", "lloyd_max", "none"],
    ),
    "a converter with memory for frames": (
        ["quant=adpcm", "task=detection", "data=synthetic_raw"],
        ["ADPCM", "DetectionDataModule", "frames", "series", "quant/sensor", "gamma", "row_dpcm", "none"],
    ),
    "a converter of rows for series": (
        ["quant=row_dpcm"],
        ["RowDPCM", "HARDataModule", "series", "frames", "quant/sensor", "gamma", "dpcm", "adpcm", "none"],
    ),
    "a converter of rows for images": (
        ["quant=row_dpcm", "task=classification"],
        ["RowDPCM", "ImageDataModule", "images", "frames", "quant/sensor", "gamma", "lloyd_max", "none"],
    ),
    "more bits than levels along a row have": (
        ["quant=row_dpcm", "task=detection", "bits=9"],
        ["bits=9", "RowDPCM", 1, 8],
    ),
    "other bits than a published format has": (
        ["quant=pisp", "task=detection", "quant.sensor.bits=4"],
        ["bits=4", "PiSP", 8],
    ),
    "bits of no mode of a published format": (
        ["quant=mipi", "task=detection", "quant.sensor.bits=9"],
        ["bits=9", "MipiDPCM", 6, 7, 8, 10, 12],
    ),
    "more bits than fixed levels have": (["quant=dpcm", "bits=9"], ["bits=9", "DPCM", 1, 8]),
    "more bits than a step has": (["quant=adpcm", "bits=6"], ["bits=6", "ADPCM", 1, 5]),
    "fewer native bits than bits": (
        ["quant=dpcm", "bits=4", "quant.sensor.native_bits=3"],
        ["native_bits=3", "DPCM", 4, 16],
    ),
    "a leak beyond its range": (["quant=adpcm", "bits=2", "quant.sensor.leak=16"], ["leak=16", "ADPCM", 0, 15]),
    "an argument of a curve for a converter with memory": (
        ["quant=dpcm", "bits=2", "+quant.sensor.output=code"],
        ["quant.sensor.output", "DPCM", "bits", "native_bits", "leak", "slope", "refresh"],
    ),
    "an argument of a converter with memory, mistyped": (
        ["quant=dpcm", "bits=2", "quant.sensor.leek=3"],
        ["quant.sensor.leek", "leak", "leak", "native_bits", "slope", "refresh"],
    ),
    "a network without a chain in integers": (
        ["task=classification", "model=resnet20", "quant=integer"],
        [
            "arithmetic=integer",
            "qsense.models.resnet_cifar.ResNetCIFAR",
            "chain",
            "deepconvlstm",
            "tiny_conv",
            "quant.network.arithmetic=float",
        ],
    ),
    "levels that are no integers": (
        ["quant=log_weights", "quant.network.arithmetic=integer"],
        ["quant.network.levels=log", "arithmetic=integer", "uniform"],
    ),
    "a layer in floats among integers": (
        ["quant=integer", "quant.network.skip=[lstm]"],
        ["quant.network.skip=", "lstm", "arithmetic=integer", "null"],
    ),
    "a regime that is none": (
        ["task=detection", "data.dataset.regime=hdr"],
        ["data.dataset.regime='hdr'", "SyntheticRaw", "hdr_low", "noise_floor", "high_key"],
    ),
    "raw data missing": (
        ["task=detection", "data=pascal_raw"],
        ["PASCAL RAW", "data/pascal_raw/original/raw", "data.dataset.root=…", "QSENSE_DATA"],
    ),
    "threads": (["threads=-3"], ["threads=-3", "1", "null"]),
    "figures": (["figures=jpg"], ["figures=jpg", "png", "pdf", "svg"]),
    "figures, listed": (["figures=[pdf,eps]"], ["figures=", "eps", "png", "pdf", "svg"]),
    "figures, none": (["figures=null"], ["figures=None", "png", "pdf", "svg"]),
    "bits in fractions": (["bits=2.5"], ["bits=2.5", "1", "16"]),
    "wrong choice": (
        ["quant.sensor.rounding=flor"],
        ["quant.sensor.rounding='flor'", "Gamma", "round", "floor"],
    ),
    "wrong choice, or gains": (
        ["task=detection", "task.white_balance=kamera"],
        ["task.white_balance='kamera'", "did you mean camera", "DetectionTask", "learned"],
    ),
    "data that refuse an argument": (["data.dataset.subjects=1"], ["SyntheticIMU", "subjects=1", "2"]),
    "wrong type": (["quant.sensor.gamma=much"], ["quant.sensor.gamma='much'", "Gamma", "float", "None"]),
    "wrong type of the model": (["model.filters=1.5"], ["model.filters=1.5", "DeepConvLSTM", "int"]),
    "no bits": (["bits=0"], ["bits=0", "1", "16"]),
    "too many bits": (["bits=17"], ["bits=17", "1", "16"]),
    "bits in words": (["bits=two"], ["bits=two", "1", "16"]),
    "fold out of range": (["fold=99"], ["fold=99", "Synthetic IMU", "6", "0", "5"]),
    "negative fold": (["fold=-1"], ["fold=-1", "0"]),
    "impossible constant": (["sensing.tx_ma=0"], ["sensing.tx_ma=0", "positive"]),
    "constant in words": (["sensing.tx_ma=much"], ["sensing.tx_ma='much'", "SensingModel", "float"]),
    "data missing": (
        ["data=sbhar"],
        ["SBHAR", "data/sbhar", "data.dataset.download=true", "data.dataset.root=FOLDER", "QSENSE_DATA=FOLDER"],
    ),
    "model that does not fit": (
        ["model._target_=torch.nn.modules.linear.Linear"],
        ["torch.nn.modules.linear.Linear", "HARTask", "channels, window, num_classes", "deepconvlstm"],
    ),
}


def message(done: Done) -> str:
    """The error alone: Hydra's echo of the command line names every key anyway."""
    return done.err.partition("error: ")[2]


@pytest.mark.parametrize(("overrides", "named"), WRONG.values(), ids=WRONG.keys())
def test_wrong_configurations_are_answered_before_torch_is_imported(
    light_command: Command, tmp_path: Path, overrides: list[str], named: list[str]
) -> None:
    done = light_command("qsense.train", *overrides)
    assert done.code == 1
    assert_names(message(done), *named)
    assert not done.heavy
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) < 12
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_all_missing_arguments_are_named_at_once(composed: Compose) -> None:
    keys = [f"data.dataset.{key}" for key in ("axes", "labels", "rate_hz", "subjects")]
    with refused(ConfigError, *keys, *(f"{key}=…" for key in keys), "float"):
        check(composed("data=csv_har"))
    with refused(ConfigError, keys[2]) as caught:
        check(composed("data=csv_har", f"{keys[0]}=3", f"{keys[1]}=[a,b]", f"{keys[3]}=null"))
    assert keys[0] not in str(caught.value)


def test_what_csv_har_takes_since_leaves_runs_their_names(composed: Compose, tmp_path: Path) -> None:
    facts = [f"root={tmp_path}", "axes=2", "labels=[NULL,walk,run]", "rate_hz=50", "subjects=3"]
    config = composed("data=csv_har", *(f"data.dataset.{fact}" for fact in facts))
    name = run_id(config)
    later = ("files", "subject", "time", "label", "session", "delimiter", "decimal", "encoding", "header")
    with open_dict(config):
        for key in (*later, "time_format", "resample", "missing"):
            del config.data.dataset[key]
        assert run_id(config) == name
        config.data.dataset["resample"] = True
    assert run_id(config) != name


def test_a_sweep_is_checked_whole_before_anything_is_trained(cold_command: Command, tmp_path: Path) -> None:
    done = cold_command("qsense.train", "-m", "bits=2,17", "fold=0", "seed=0")
    assert done.code == 1
    assert_names(message(done), "bits=17", 1, 16)
    assert not done.heavy
    assert not list(tmp_path.glob("runs/*/config.yaml"))


def test_a_sweep_over_converters_with_memory_is_checked_whole(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense.train", "-m", "quant=dpcm,adpcm", "bits=2,7", "fold=0", "seed=0")
    assert done.code == 1
    assert_names(message(done), "bits=7", "ADPCM", 1, 5)
    assert not done.heavy
    assert not list(tmp_path.glob("runs/*/config.yaml"))


@pytest.mark.parametrize("runs", ["/dev/null/runs", "", "dangling", "a/" + "d" * 300])
def test_a_sweep_into_no_folder_is_refused(light_command: Command, tmp_path: Path, runs: str) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    done = light_command("qsense.train", f"runs={runs}", "fold=0", "seed=0", "-m")
    assert done.code == 1
    assert_names(message(done), "runs")
    assert not done.heavy
    assert len(unwrapped(done.err).splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["dangling"]


def test_a_key_mistyped_inside_an_experiment_is_refused(light_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "typo.yaml").write_text("# @package _global_\nbit: 2\n")
    done = light_command("qsense.train", f"hydra.searchpath=[file://{tmp_path}/mine]", "experiment=typo")
    assert done.code == 1
    assert_names(message(done), "experiment/typo.yaml", "bit", "bits", "bits", "fold")
    assert "Traceback" not in done.err
    assert not done.heavy


def test_an_argument_mistyped_inside_an_experiment_is_refused(light_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nquant:\n  sensor:\n    roundin: floor\n"
    (tmp_path / "mine" / "experiment" / "typo.yaml").write_text(text)
    done = light_command("qsense.train", f"hydra.searchpath=[file://{tmp_path}/mine]", "experiment=typo")
    assert done.code == 1
    assert_names(message(done), "quant.sensor.roundin", "Gamma", "rounding", "rounding")


@pytest.mark.parametrize("quant", ["gamma", "dpcm"])
def test_unknown_range_is_refused_for_quantizers_that_need_it(
    light_command: Command, tmp_path: Path, quant: str
) -> None:
    (tmp_path / "raw" / "inertial").mkdir(parents=True)
    for subject in range(2):
        (tmp_path / "raw" / "inertial" / f"sbj_{subject}.csv").write_text(f"sbj_id,x,label\n{subject},0.5,null\n")
    facts = {"name": "mine", "root": tmp_path, "axes": "[x]", "labels": "[NULL,walk]", "rate_hz": 50, "subjects": 2}
    overrides = [f"data.dataset.{key}={value}" for key, value in facts.items()]
    done = light_command(
        "qsense.train",
        f"quant={quant}",
        "data=csv_har",
        *overrides,
        "data.dataset.unit=g",
        "data.normalise=none",
        "data.dataset.range=null",
    )
    assert done.code == 1
    assert_names(
        message(done),
        {"gamma": "Gamma", "dpcm": "DPCM"}[quant],
        "mine",
        "data.dataset.range=[low,high]",
        "data.normalise=dataset",
    )
    assert not done.heavy


def test_help_lists_groups_and_options_without_torch(cold_command: Command) -> None:
    done = cold_command("qsense.train", "--help")
    assert done.code == 0
    assert not done.heavy
    assert max(map(len, done.out.splitlines())) <= 160, "as wide as COLUMNS says"
    for group in (*QUANT, "data", "model", "task", "trainer", "logger", "callback", "sensing", "experiment"):
        (line,) = [line for line in unwrapped(done.out).splitlines() if line.startswith(f"{group}: ")]
        assert line == f"{group}: {', '.join(options(group))}"
    assert not [line for line in done.out.splitlines() if line.startswith(("data/", "base", "series", "conf"))]
    assert "hydra/launcher: basic, workers" in done.out


def test_help_that_cannot_be_given_prints_nothing_else(light_command: Command) -> None:
    done = light_command("qsense.train", "--help", "nonsense=1")
    assert done.code == 1
    assert not done.out
    assert_names(done.err, "nonsense")


def test_identity_is_the_science_alone(composed: Compose) -> None:
    base = run_id(composed())
    same = ["runs=/elsewhere", "logger=none", "trainer=gpu trainer.precision=32-true", "data.cache=/x", "callback={}"]
    same += ["sensing.walden_fj=5 sensing.native_bits=16", "~sensing"]
    for override in same:
        assert run_id(composed(*override.split(" "))) == base, override
    different = ["seed=1", "fold=1", "bits=3", "quant=linear", "quant.sensor.gamma=0.3", "model.filters=32"]
    different += ["task.lr=0.1", "trainer.max_epochs=1", "data.window=60"]
    assert len({run_id(composed(override)) for override in different} | {base}) == len(different) + 1
    assert run_id(composed("quant=none", "bits=2")) == run_id(composed("quant=none", "bits=5"))


def test_moving_a_class_changes_no_identity(composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = run_id(composed())
    assert run_id(composed("quant.sensor._target_=qsense.another.room.Gamma")) == base
    (tmp_path / "reexporting.py").write_text("from qsense.quant.sensor.gamma import Gamma\n")
    (tmp_path / "mine.py").write_text("class Gamma:\n    def __init__(self, signal, bits): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run_id(composed("quant.sensor._target_=reexporting.Gamma")) == base
    assert run_id(composed("quant.sensor._target_=mine.Gamma")) != base, "a user's own class of the same name"


def test_qsenses_parts_have_different_names() -> None:
    """Or two of them would be one in an identity."""
    named: dict[str, str] = {}
    for file in config_folder().rglob("*.yaml"):
        for target in re.findall(r"_target_: (qsense\.\S+)", file.read_text(encoding="utf-8")):
            assert named.setdefault(target.rpartition(".")[2], target) == target


def test_the_batch_over_all_devices_counts(composed: Compose) -> None:
    one = run_id(composed("data.batch_size=100"))
    two = [run_id(composed("data.batch_size=100", more)) for more in ("trainer.devices=2", "trainer.num_nodes=2")]
    assert two == [run_id(composed("data.batch_size=200"))] * 2
    assert one not in two
    assert run_id(composed("data.batch_size=50", "trainer.devices=[0,1]")) == one


def test_identity_does_not_depend_on_spelling(composed: Compose) -> None:
    spellings = ["quant.sensor.gamma=1", "quant.sensor.gamma=1.0", "++quant.sensor.gamma=1.00"]
    assert len({run_id(composed(spelling)) for spelling in spellings}) == 1


def test_a_callback_that_changes_training_changes_identity(composed: Compose) -> None:
    stop = "+callback.stop._target_=lightning.pytorch.callbacks.EarlyStopping"
    assert run_id(composed(stop, "+callback.stop.monitor=val/f1")) != run_id(composed())
    assert run_id(composed("callback.figures=null", "callback.progress=null")) == run_id(composed())


def test_identity_knows_the_datas_bytes(composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(root: Path) -> tuple[str | None, str]:
        monkeypatch.setattr("qsense.experiment.identity._looked_at", {})
        config = composed("data=folder", f"data.dataset.root={root}", "task=classification")
        return data_fingerprint(config), run_id(config)

    monkeypatch.setenv("QSENSE_CACHE", str(tmp_path / "cache"))
    missing = look(tmp_path / "a")
    assert missing[0] is None
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "a" / part / name).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(tmp_path / "a" / part / name / "1.png")
    there = look(tmp_path / "a")
    assert there[0] is not None
    assert there[1] != missing[1]
    assert there == look(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert look(tmp_path / "b") == there, "where they lie is not part of it"
    Image.new("RGB", (40, 40), "red").save(tmp_path / "b" / "train" / "cat" / "2.png")
    assert look(tmp_path / "b")[1] != there[1]
    assert (tmp_path / "cache" / "fingerprints").is_dir(), "remembered, and not where one stands"


@pytest.mark.parametrize(("data", "task"), [("folder", "classification"), ("coco_raw", "detection")])
def test_how_pictures_are_read_names_a_run_only_where_it_is_said(composed: Compose, data: str, task: str) -> None:
    base = ["data=" + data, "task=" + task, "data.dataset.root=nowhere"]
    older = composed(*base)  # as a run was recorded before there were such keys
    OmegaConf.set_struct(older, False)
    for key in ("orientation", "full_scale"):
        del older.data.dataset[key]
    before = run_id(older)
    assert run_id(composed(*base)) == before
    others = {run_id(composed(*base, f"data.dataset.{key}")) for key in ("orientation=stored", "full_scale=4095")}
    assert len(others | {before}) == 3


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ("coco_raw", {"strict": "true", "bbox": "xyxy"}),
        ("pascal_raw", {"strict": "true"}),
        ("raod", {"strict": "true", "min_box": "16"}),
    ],
)
def test_how_boxes_are_read_names_a_run_only_where_it_is_said(
    composed: Compose, data: str, keys: dict[str, str]
) -> None:
    base = ["data=" + data, "task=detection", "data.dataset.root=nowhere"]
    older = composed(*base)  # as a run was recorded before there were such keys
    OmegaConf.set_struct(older, False)
    for key in keys:
        del older.data.dataset[key]
    before = run_id(older)
    assert run_id(composed(*base)) == before
    others = {run_id(composed(*base, f"data.dataset.{key}={value}")) for key, value in keys.items()}
    assert len(others | {before}) == 1 + len(keys)


@pytest.mark.parametrize("quant", ["fat", "uniform_weights", "log_weights"])
def test_what_fat_s_authors_do_names_a_run_only_where_it_is_said(composed: Compose, quant: str) -> None:
    base = ["data=cifar10", "task=classification", f"quant={quant}"]
    older = composed(*base)  # as a run was recorded before there were such keys
    OmegaConf.set_struct(older, False)
    keys = {
        "first_last_input_bits": "null",
        "first_last_range": "max",
        "transform_layers": "[conv1]",
        "untransformed": "centred",
        "activation_alpha_grad": "pact",
        "transform_lr": "0.1",
    }
    for key in keys:
        del older.quant.network[key]
    del older.data.dataset.mean_std
    before = run_id(older)
    assert run_id(composed(*base, "quant.network.transform_lr=same")) == before
    # With its own default an LSTM computes something else.
    assert (run_id(composed(*base)) == before) == (quant != "fat")
    changed = [f"quant.network.{key}={value}" for key, value in keys.items()] + ["data.dataset.mean_std=cifar10"]
    assert len({run_id(composed(*base, change)) for change in changed} | {before}) == 1 + len(changed)


def test_integers_name_a_run_only_where_they_are_said(composed: Compose) -> None:
    older = composed("quant=fat")  # as a run was recorded before there were such keys
    OmegaConf.set_struct(older, False)
    del older.quant.network.arithmetic, older.quant.network.state_bits
    before = run_id(older)
    assert run_id(composed("quant=fat")) == before
    integer = ["quant=fat", "quant.network.arithmetic=integer"]
    assert len({before, run_id(composed(*integer)), run_id(composed(*integer, "quant.network.state_bits=8"))}) == 3


@pytest.mark.parametrize("name", ["fat_cifar10_resnet20", "fat_imagenet_resnet18"])
def test_the_paper_s_experiments_keep_their_names(composed: Compose, name: str) -> None:
    network = composed(f"experiment={name}").quant.network
    own = set(network) & set(NEUTRAL["quant"])  # the others are the sensor's
    assert len(own) >= 6
    assert {key: network[key] for key in own} == {key: NEUTRAL["quant"][key] for key in own}


def test_identity_knows_the_schema(composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_id(composed())
    monkeypatch.setattr("qsense.experiment.identity.SCHEMA", 999)
    assert run_id(composed()) != before


@pytest.mark.parametrize("data", options("data"))
def test_every_data_set_has_a_fingerprint(composed: Compose, data: str) -> None:
    config = composed(f"data={data}")
    try:
        instantiate(config.data.dataset, _convert_="all").check()
    except Exception as error:
        pytest.skip(f"the data are not there: {str(error).splitlines()[0]}")
    found = data_fingerprint(config)
    assert found is not None
    assert len(found) == 64


def test_a_runs_folder_is_named_readably(composed: Compose) -> None:
    config = composed("bits=2", "fold=3", "seed=1")
    assert run_name(config) == f"synthetic_imu-gamma-2bit-fold03-seed1-{run_id(config)}"


def test_check_is_silent_on_what_can_run(composed: Compose) -> None:
    check(composed())
    check(composed("~sensing"))


@pytest.mark.parametrize("group", [*QUANT, "trainer", "logger", "callback", "task", "sensing"])
def test_every_option_of_a_group_passes_the_checks(composed: Compose, group: str) -> None:
    for option in options(group):
        for_frames = group in QUANT and TAKES.get(option) == "frames"
        check(composed(f"{group}={option}", *["task=detection"] * for_frames))


def test_quantizers_of_sensor_and_network_serve_every_task_together(composed: Compose) -> None:
    """Every sensor's beside no network quantizer and integers; every network's behind each kind of sensor."""
    bits = ["bits=3", "network_bits=5"]
    tasks = [composed(f"task={task}", *bits) for task in options("task")]
    pairs = {*itertools.product(options("quant/sensor"), ("none", "integer"))}
    pairs |= {*itertools.product(("none", "gamma", "dpcm"), options("quant/network"))}
    for sensor, network in sorted(pairs):
        quant = composed(f"quant/sensor={sensor}", f"quant/network={network}", *bits).quant
        for config in tasks:
            config.quant = quant
            takes = TAKES.get(sensor)
            if takes not in (None, GIVES[config.task._target_.rpartition(".")[2]]):
                with refused(ConfigError, takes, quant.sensor._target_.rpartition(".")[2]):
                    check(config)
            elif network == "integer" and "HARTask" not in config.task._target_:
                with refused(ConfigError, "arithmetic=integer", "chain", "deepconvlstm", "tiny_conv"):
                    check(config)
            else:
                check(config)
        of_sensor, of_network = {"none": None, "mipi": 8, "pisp": 8}.get(sensor, 3), 5 if sensor != "none" else 3
        assert bits_of(config) == (of_sensor, None if network == "none" else of_network)
        if network != "none":
            coded = sensor == "none" or config.quant.network.arithmetic == "integer"
            assert config.quant.network.input_bits == (8 if coded else None)


@pytest.mark.parametrize(
    ("overrides", "bits", "name"),
    [
        (["quant=fat"], (None, 3), "fat"),
        (["quant=fat", "quant/sensor=gamma"], (3, 5), "gamma_fat"),
        (["quant=gamma", "quant/network=fat"], (3, 5), "gamma_fat"),
        (["quant=gamma_fat", "quant/sensor=none"], (None, 3), "fat"),
        (["quant=gamma_fat", "quant/sensor=lloyd_max"], (3, 5), "lloyd_max_fat"),
        (["quant=gamma", "quant/sensor=log"], (3, None), "log"),
        (["quant=gamma", "quant/sensor=none"], (None, None), "none"),
    ],
)
def test_one_of_the_two_quantizers_may_be_changed(
    composed: Compose, overrides: list[str], bits: tuple[int | None, int | None], name: str
) -> None:
    config = composed(*overrides, "bits=3", "network_bits=5")
    assert bits_of(config) == bits
    assert choices(config.hydra)["quant"] == name
    if name in options("quant"):  # one run, however it is asked for
        assert run_name(config) == run_name(composed(f"quant={name}", "bits=3", "network_bits=5"))


def refusal(config: DictConfig) -> ConfigError | None:
    try:
        check(config)
    except ConfigError as error:
        return error
    return None


def test_every_model_fits_a_task(composed: Compose) -> None:
    tasks = [composed(f"task={task}") for task in options("task")]
    for model in options("model"):
        misfits = 0
        own = composed(f"model={model}").model
        for config in tasks:
            config.model = own
            if error := refusal(config):
                assert_names(str(error), config.model._target_, config.task._target_.rpartition(".")[2])
                misfits += 1
        assert misfits < len(tasks), model


def test_every_experiment_passes_the_checks(composed: Compose) -> None:
    for experiment in options("experiment"):
        error = refusal(composed(f"experiment={experiment}"))
        # The configuration is right; its real data or weights may not be here.
        assert error is None or isinstance(error.__cause__, FileNotFoundError), error


def test_a_missing_argument_is_named(composed: Compose) -> None:
    config = composed("trainer.max_epochs=???")
    with refused((ConfigError, CompactHydraException), "trainer.max_epochs"):
        check(config)


@pytest.mark.parametrize(
    "extra", [[], ["quant=none"], ["data.dataset.seed=${seed}"], ["hydra.sweep.subdir=x-${seed}-${fold}"]]
)
def test_runs_of_many_seeds_and_folds_are_named_as_one_by_one(composed: Compose, extra: list[str]) -> None:
    config = composed(*extra)
    name = namer(config)
    for seed, fold in ((0, 0), (1, 0), (1, 5)):
        config.seed, config.fold = seed, fold
        assert name() == config.hydra.sweep.subdir


def test_an_interpolation_that_does_not_end_is_named(light_command: Command, tmp_path: Path) -> None:
    (tmp_path / "own" / "quant").mkdir(parents=True)
    (tmp_path / "own" / "quant" / "broken.yaml").write_text("sensor:\n  bits: ${bits\nnetwork: null\n")
    done = light_command("qsense.train", "--config-dir", str(tmp_path / "own"), "quant=broken")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert_names(done.err, "${bits")


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["quant=pisp", "task=detection", "bits=4"], ["bits=4", "PiSP", "quant.sensor.bits=8"]),
        (["quant=mipi", "task=detection", "bits=6"], ["bits=6", "MipiDPCM", "quant.sensor.bits=8"]),
        (["quant=none", "bits=2"], ["bits=2", "nothing"]),
        (["quant=gamma", "bits=2", "quant.sensor.bits=3"], ["bits=2", "Gamma", "quant.sensor.bits=3"]),
        (["quant=gamma", "bits=2", "network_bits=5"], ["network_bits=5", "Gamma", "quant.sensor.bits=2"]),
        (["quant=fat", "bits=3", "network_bits=5"], ["network_bits=5", "network", 3]),
        (["quant=none", "bits=2", "network_bits=5"], ["bits=2", "network_bits=5", "nothing"]),
        (["quant=pisp", "task=detection", "bits=8"], []),
        (["quant=pisp", "task=detection"], []),
        (["quant=none"], []),
        (["quant=gamma", "bits=2"], []),
        (["quant=fat", "bits=3"], []),
        (["quant=gamma_fat", "bits=3", "network_bits=5"], []),
    ],
)
def test_bits_that_nothing_goes_by_are_said(composed: Compose, typed: list[str], named: list[str]) -> None:
    said = without_effect(composed(*typed), typed)
    assert bool(said) == bool(named)
    if named:
        assert_names(said, *named)


def test_bits_without_effect_are_said_before_training(light_command: Command) -> None:
    done = light_command("qsense.train", "quant=none", "bits=2", "run.dry_run=true")
    assert done.code == 0, done.err
    assert_names(done.out, "bits=2", "no effect")
    assert "2bit" not in done.out
