"""Whole runs as a user starts them: what they leave, resuming, sweeping, failing, evaluating again."""

from __future__ import annotations

import json
import re
import runpy
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from omegaconf import DictConfig
from PIL import Image
from tests.quick import LITTLE, NO_PICTURES, ONE_STEP
from tests.refusal import assert_names, refused

from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.experiment.checks import check
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.grid import plan
from qsense.experiment.grids.sweeping import unfinished
from qsense.experiment.identity import run_id
from qsense.experiment.schema import config_folder
from qsense.train import train

if TYPE_CHECKING:
    from tests.conftest import Begin, Command

Compose = Callable[..., DictConfig]

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]
SMALL += ["model.filters=4", "model.hidden=8", "logger=none", "callback.progress=null"]
BRIEF = [*SMALL, *NO_PICTURES, "trainer.max_epochs=2"]
UNTIMED = "run.preflight=false"  # a dry run counts, and takes no second


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


@pytest.fixture(scope="module")
def fake_pascal_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs of noise, of the camera's own size, in PASCAL RAW's layout: one to train on, one to test."""
    write_dng = runpy.run_path(str(Path(__file__).parent / "data" / "frames" / "dng.py"))["write_dng"]
    folder = tmp_path_factory.mktemp("pascal") / "pascal_raw"
    for part in ("original/raw", "annotations", "trainval"):
        (folder / part).mkdir(parents=True)
    mosaic = np.random.default_rng(0).integers(0, 4096, (4012, 6034)).astype(np.uint16)
    box = "<bndbox><xmin>101</xmin><ymin>51</ymin><xmax>400</xmax><ymax>300</ymax></bndbox>"
    size = "<size><width>600</width><height>400</height><depth>1</depth></size>"
    for name, part in (("2014_000001", "train"), ("2014_000002", "val")):
        write_dng(folder / "original" / "raw" / f"{name}.dng", mosaic)
        text = f"<annotation>{size}<object><name>car</name>{box}</object></annotation>"
        (folder / "annotations" / f"{name}.xml").write_text(text)
        (folder / "trainval" / f"{part}.txt").write_text(f"{name}\n")
    return folder


@pytest.fixture
def fake_imagenet(tmp_path: Path) -> Path:
    """A few pictures of noise in ImageNet's layout."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for number in (1440764, 1443537):
            folder = tmp_path / "imagenet" / part / f"n{number:08d}"
            folder.mkdir(parents=True)
            for index in range(12):
                picture = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
                picture.save(folder / f"{folder.name}_{index}.JPEG")
    return tmp_path / "imagenet"


def test_what_a_run_leaves(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "trainer=smoke", "bits=2", "model.filters=4")
    assert done.code == 0, done.err
    run = only_run(tmp_path)
    assert run.name.startswith("synthetic_imu-gamma-2bit-fold00-seed0-")
    result = metrics(run)
    assert result["bits"] == 2
    assert result["steps"] == 3
    assert set(result["metrics"]) >= {"f1_sample", "f1_window"}
    assert (result["sensing"]["kbit_s"], result["sensing"]["native"]["kbit_s"]) == (0.3, 1.8)  # 3 axes at 50 Hz
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["quant"]["sensor"]["bits"] == 2  # resolved
    assert config["choices"]["quant"] == "gamma"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert set(record["versions"]) >= {"torch", "lightning", "python"}
    learned = pd.read_csv(run / "learned.csv")
    assert list(learned.columns) == ["epoch", "gamma_0", "mu_0"]
    assert learned.epoch.tolist() == [0, 1]
    assert learned.gamma_0[0] == pytest.approx(0.4)
    assert learned.gamma_0[1] != learned.gamma_0[0]
    for picture in ("transfer", "trajectory", "confusion"):
        assert (run / "figures" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert "sensor.log_gamma" in checkpoint["state_dict"]
    assert list(run.glob("csv/*/metrics.csv"))
    assert list(run.glob("tensorboard/*/events*"))


def test_a_refresh_every_250_samples_counts_in_rate_and_radio(command: Command, tmp_path: Path) -> None:
    done = command(
        "qsense.train",
        "trainer=smoke",
        *NO_PICTURES,
        "quant=dpcm",
        "bits=2",
        "quant.sensor.refresh=250",
        "model.filters=4",
    )
    assert done.code == 0, done.err
    result = metrics(only_run(tmp_path))
    assert result["rates"]["nominal"] == 2 + 10 / 250
    assert result["sensing"]["kbit_s"] == pytest.approx(0.15 * 2.04)
    assert result["rates"]["entropy"] < 2.04
    assert result["sensing"]["adc_uj_s"] < result["sensing"]["behind"]["adc_uj_s"]
    assert result["rates"]["lossless"]["step"] == pytest.approx([1 / 512] * 3)


def test_a_finished_run_is_not_trained_again(command: Command, light_command: Command, tmp_path: Path) -> None:
    assert command("qsense.train", *BRIEF).code == 0
    result = only_run(tmp_path) / "metrics.json"
    before = result.stat().st_mtime_ns
    again = light_command("qsense.train", *BRIEF)
    assert again.code == 0
    assert_names(again.out, "finished", result.parent.name)
    assert not again.heavy
    assert result.stat().st_mtime_ns == before


def test_a_killed_run_resumes_to_the_same_result_bit_for_bit(command: Command, begin: Begin, tmp_path: Path) -> None:
    options = [*SMALL, *NO_PICTURES, "trainer.max_epochs=10", "quant=gamma_per_axis", "bits=3"]
    assert command("qsense.train", *options, "runs=whole").code == 0
    (whole,) = (tmp_path / "whole").iterdir()

    process = begin("qsense.train", *options, "runs=killed")
    learned = tmp_path / "killed" / whole.name / "learned.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if learned.is_file() and len(learned.read_text().splitlines()) >= 4:  # header, start, two epochs
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = tmp_path / "killed" / whole.name
    assert not (killed / "metrics.json").exists()
    resumed = command("qsense.train", *options, "runs=killed")
    assert resumed.code == 0, resumed.err
    assert_names(resumed.out, f"{killed.name}/checkpoints/last.ckpt")
    # A line for each epoch, from those of the attempt that was killed on, in the log and where there is no terminal.
    lines = [line for line in (killed / "train.log").read_text().splitlines() if "s/epoch" in line]
    assert [line.partition(" - ")[2].split()[1] for line in lines[-2:]] == ["9/10", "10/10"]
    assert re.search(
        r"epoch 9/10 · loss \d\.\d+ · val f1 \d+\.\d % · γ \d\.\d+ · μ -?\d\.\d+ · [\d.]+ s/epoch", lines[-2]
    )
    assert lines[-1].partition(" - ")[2] in resumed.out
    assert "\x1b" not in resumed.out
    assert (killed / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    assert (killed / "learned.csv").read_bytes() == (whole / "learned.csv").read_bytes()
    weights = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, killed)]
    for name, tensor in weights[0]["state_dict"].items():
        assert torch.equal(tensor, weights[1]["state_dict"][name]), name


def test_a_sweep_skips_what_is_finished_and_outlives_a_failure(command: Command, tmp_path: Path) -> None:
    options = ["-m", *BRIEF, "quant=linear,gamma", "bits=2", "seed=0", "fold=0,1"]
    options = [*options, "trainer=smoke", "trainer.max_epochs=2"]
    names = sorted(folder.name for folder in plan(options[1:])[0].values())
    assert len(names) == 4
    # A file where the second run's folder of checkpoints has to be: that run fails, the others must not.
    victim = next(name for name in names if "linear-2bit-fold01" in name)
    (tmp_path / "runs" / victim).mkdir(parents=True)
    (tmp_path / "runs" / victim / "checkpoints").write_text("in the way")

    broken = command("qsense.train", *options)
    assert broken.code == 1
    ended = (tmp_path / "runs" / "sweep.log").read_text().splitlines()
    assert len(ended) == 4
    assert_names(ended[1], "2/4 linear 2 bit fold 1 seed 0", "failed")
    assert re.search(r"4/4 gamma 2 bit fold 1 seed 0 · \d+\.\d % · \d+ s$", ended[3])
    assert all(line.partition("]: ")[2] in broken.out for line in ended)
    assert "Launching" not in broken.out
    assert broken.out.count("cost of one prediction") == 1
    assert_names(broken.err, "1 of 4", f"{victim}/failed.txt")

    assert "Traceback" in (tmp_path / "runs" / victim / "failed.txt").read_text()
    finished = sorted(f.parent.name for f in (tmp_path / "runs").glob("*/metrics.json"))
    assert finished == [name for name in names if name != victim]

    times = {name: (tmp_path / "runs" / name / "metrics.json").stat().st_mtime_ns for name in finished}
    (tmp_path / "runs" / victim / "checkpoints").unlink()
    mended = command("qsense.train", *options)
    assert mended.code == 0, mended.err
    assert_names(mended.out, "4 runs", "3 finished", "1 failed")
    assert "gamma" in mended.out  # the table
    assert times == {name: (tmp_path / "runs" / name / "metrics.json").stat().st_mtime_ns for name in finished}


def test_without_axes_a_sweep_takes_the_data_sets_folds_and_three_seeds(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense.train", "-m", "run.dry_run=true", UNTIMED, "quant=none,gamma")
    assert done.code == 0, done.err
    count = 2 * 3 * SyntheticIMU().num_folds
    assert_names(done.out, f"{count} runs", "0 finished", f"{count} to do")
    assert not done.heavy


def test_evaluate_reproduces_exactly_and_says_when_it_cannot(command: Command, tmp_path: Path) -> None:
    assert command("qsense.train", *BRIEF, "bits=2").code == 0
    run = only_run(tmp_path)
    done = command("qsense", "evaluate", str(run))
    assert done.code == 0, done.err
    assert "reproduced exactly" in done.out
    result = metrics(run)
    result["metrics"]["f1_sample"] += 1e-9
    (run / "metrics.json").write_text(json.dumps(result))
    done = command("qsense", "evaluate", str(run))
    assert done.code == 1
    assert "not reproduced exactly" in done.err


def test_evaluate_names_what_is_missing(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense", "evaluate", str(tmp_path))
    assert done.code == 1
    assert_names(done.err, tmp_path, "metrics.json")
    assert not done.heavy


def test_a_part_that_refuses_its_arguments_is_shown_without_a_traceback(command: Command) -> None:
    done = command("qsense.train", "model.kernel=20", *BRIEF)
    assert done.code == 1
    assert_names(done.err, "window=50", "kernel=20", 77)
    assert "Traceback" not in done.err


def test_wandb_offline_is_closed_run_by_run(command: Command, tmp_path: Path) -> None:
    options = [*SMALL, "trainer=smoke", "trainer.max_epochs=2", "logger=[csv,wandb]", "seed=0", "fold=0,1", "bits=2"]
    options += [entry for entry in NO_PICTURES if entry != "callback.figures=null"]
    done = command("qsense.train", "-m", *options)
    assert done.code == 0, done.err
    files = sorted((tmp_path / "runs").glob("*/wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert len({file.parents[2] for file in files}) == 2
    for file in files:
        content = file.read_bytes()
        assert b"synthetic_imu-gamma-2bit" in content  # group
        assert b"figures/transfer" in content
        assert b"f1_sample" in content


QUANTS = [file.stem for file in sorted((config_folder() / "quant").glob("*.yaml"))]


@pytest.mark.parametrize("task", ["har", "classification", "detection"])
@pytest.mark.parametrize("quant", QUANTS)
def test_every_quantizer_serves_every_task(composed: Compose, tmp_path: Path, quant: str, task: str) -> None:
    brief = [*ONE_STEP, "logger=none", "callback.progress=null", *NO_PICTURES, *LITTLE[task]]
    config = composed(f"task={task}", f"quant={quant}", *brief)
    memory = ".memory." in config.quant.sensor._target_
    if memory and task != ("detection" if quant in ("mipi", "pisp", "row_dpcm") else "har"):
        pytest.skip("memory goes by recordings, or by rows; how others are refused is tested in test_checks.py")
    if quant == "integer" and task != "har":
        with refused(ConfigError, "arithmetic=integer", "chain"):
            train(config)
        return
    train(config)
    result = metrics(tmp_path / "runs" / "run")
    assert result["steps"] == 1
    assert result["quant"] == quant
    bits = {"none": set(), "mipi": {8}, "pisp": {8}}.get(quant, {4})
    assert {result["bits"], result["network_bits"]} - {None} == bits


# Of these the data, the network and the recipe each run in other experiments, too, and they take seconds.
LARGE = {"fat_cifar10_resnet56", "fat_imagenet_resnet34", "pascal_raw_faster_rcnn", "pascal_raw_paa_mmdet",
         "pascal_raw_retinanet", "pascal_raw_retinanet_mmdet", "rawdet7_faster_rcnn", "rawdet7_paa"}  # fmt: skip
EXPERIMENTS = [
    pytest.param(file.stem, marks=pytest.mark.slow) if file.stem in LARGE else file.stem
    for file in sorted((config_folder() / "experiment").glob("*.yaml"))
]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_runs(
    composed: Compose, tmp_path: Path, experiment: str, request: pytest.FixtureRequest
) -> None:
    options = [f"experiment={experiment}", *ONE_STEP, "logger=none", *NO_PICTURES, "fold=0"]
    config = composed(*options)
    if config.hydra.runtime.choices.data == "imagenet":  # the recipe and its network on smaller pictures
        small = {"root": str(request.getfixturevalue("fake_imagenet")), "size": 64, "resize": 72}
        config.data.dataset = {**config.data.dataset, **small}
        config.data.num_workers = 0
        config.model.weights = None
    smaller = {"pascal_raw": {"extension": "dng"}, "rawdet7": {"sensor": "ZURICH"}}
    if (name := config.hydra.runtime.choices.data) in smaller:  # the recipe and its network on smaller frames
        photographs = request.getfixturevalue(f"fake_{name}")
        config.data.dataset = {**config.data.dataset, "root": str(photographs), **smaller[name]}
        config.data = {**config.data, "batch_size": 1, "train_sizes": [64], "test_size": 64, "num_workers": 0}
        config.data.cache = str(photographs.parent / "cache")
        config.model = {**config.model, "pretrained": None, "norm": "group"}
        if "frozen_stages" in config.model:  # random ones are refused
            config.model.frozen_stages = -1
    if config.init_from and not Path(config.init_from).exists():
        pytest.skip(f"needs released weights: {config.init_from}")
    try:
        check(config)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            pytest.skip(f"needs real data, point QSENSE_DATA at it: {str(error).splitlines()[0]}")
        raise
    if config.model.get("weights") and not Path(config.model.weights).is_file():
        pytest.skip(f"needs pretrained weights: {config.model.weights}")
    if config.data.get("batch_size", 0) > 100:
        config.data.batch_size = 4
    train(config)
    assert (tmp_path / "runs" / "run" / "metrics.json").is_file()


def test_fewer_bits_start_from_a_run_with_more(composed: Compose, tmp_path: Path) -> None:
    brief = ["task=classification", "quant=fat", "trainer=smoke", "logger=none", "callback.progress=null", *NO_PICTURES]
    train(composed(*brief, "bits=5"))
    first = tmp_path / "runs" / "five"
    (tmp_path / "runs" / "run").rename(first)
    config = composed(*brief, "bits=3", f"init_from={first}")
    assert run_id(config) != run_id(composed(*brief, "bits=3"))
    train(composed(*brief, "bits=3", f"init_from={first}", "trainer.max_epochs=0"))
    before, after = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (first, tmp_path / "runs" / "run")
    )
    names = [name for name in before if name.startswith("network.") and name.endswith("original")]
    assert names
    assert all(torch.equal(before[name], after[name]) for name in names)
    (tmp_path / "runs" / "run").rename(tmp_path / "runs" / "three")
    with refused(ConfigError, f"init_from={tmp_path}", tmp_path / "checkpoints" / "last.ckpt"):
        train(composed(*brief, "bits=2", f"init_from={tmp_path}", "seed=1"))


@pytest.mark.parametrize(
    ("setting", "named"),
    [("data.cache_gb=0", ["cache_gb=0", "null"]), ("task.white_balance=[1,2]", ["white_balance=[1, 2]", "red"])],
)
def test_an_argument_refused_while_building_leaves_no_folder(
    command: Command, tmp_path: Path, setting: str, named: list[str]
) -> None:
    done = command("qsense.train", "task=detection", "bits=4", *NO_PICTURES, setting)
    assert done.code == 1
    assert_names(done.err, *named)
    assert not list((tmp_path / "runs").iterdir())


def test_a_file_of_weights_is_data(composed: Compose, tmp_path: Path) -> None:
    brief = ["task=classification", "quant=fat", "trainer=smoke", "logger=none", "callback.progress=null", *NO_PICTURES]
    file, made = tmp_path / "from_elsewhere.pth", tmp_path / "made by the file"
    evil = type("Evil", (), {"__reduce__": lambda self: (Path.touch, (made,))})()
    torch.save({"state_dict": {"conv1.weight": evil}}, file)
    with refused(ConfigError, f"init_from={file}", "weights"):
        train(composed(*brief, f"init_from={file}"))
    assert not made.exists()
    content = bytearray(file.read_bytes())
    content[content.index(made.name.encode())] ^= 255  # within what is read, wherever that lies
    file.write_bytes(content)
    with refused(ConfigError, f"init_from={file}", file):
        check(composed(*brief, f"init_from={file}"))
    torch.save({"nothing": torch.ones(3)}, file)
    with refused(ConfigError, f"init_from={file}", "nothing"):
        train(composed(*brief, f"init_from={file}"))


def test_a_frozen_run_gives_the_same_results(command: Command, tmp_path: Path) -> None:
    options = ["task=classification", "quant=fat", "bits=3", "trainer=smoke", "logger=none", "callback={}"]
    assert command("qsense.train", *options).code == 0
    run = only_run(tmp_path)
    done = command("qsense", "freeze", str(run))
    assert done.code == 0, done.err
    assert "identical results" in done.out
    state = torch.load(run / "frozen.pt", weights_only=True)
    assert {entry["bits"] for entry in state["weights"].values()} == {3, 8}
    assert not any("parametrizations" in name for name in state["rest"])
    trained = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert set(state["standardise"]) == {"mean", "scale"}
    assert all(torch.equal(tensor, trained[f"standardise.{name}"]) for name, tensor in state["standardise"].items())


def test_nothing_to_freeze_is_said(command: Command, tmp_path: Path) -> None:
    assert command("qsense.train", "trainer=smoke", "logger=none", "callback={}", *SMALL[3:5]).code == 0
    done = command("qsense", "freeze", str(only_run(tmp_path)))
    assert done.code == 1
    assert_names(done.err, "error", only_run(tmp_path).name, "quant.network", "null")


def test_amp_and_gradient_clipping_come_from_lightning(command: Command, tmp_path: Path) -> None:
    done = command(
        "qsense.train", *BRIEF, "trainer=smoke", "trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.5"
    )
    assert done.code == 0, done.err
    assert metrics(only_run(tmp_path))["steps"] == 3


def test_two_processes_train_one_run(command: Command, tmp_path: Path) -> None:
    # Lightning's own data-parallel strategy, on two CPU processes.
    done = command("qsense.train", *BRIEF, "trainer=smoke", "trainer.devices=2", "+trainer.strategy=ddp")
    assert done.code == 0, done.err
    result = metrics(only_run(tmp_path))
    assert result["steps"] == 3
    counted = sum(map(sum, result["confusion"]))
    assert counted == result["statistics"]["held_out_windows"]  # none twice, though their number is odd
    assert counted % 2 == 1


def test_a_signal_to_stop_is_no_success_and_the_run_resumes(begin: Begin, tmp_path: Path) -> None:
    process = begin("qsense.train", *SMALL, *NO_PICTURES, "trainer.max_epochs=200")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(tmp_path.glob("runs/*/checkpoints/last.ckpt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143
    run = only_run(tmp_path)
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert not (run / "metrics.json").exists()


def test_ctrl_c_ends_as_a_shell_expects(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from lightning import Callback\n"
        "class Stop(Callback):\n"
        "    def on_train_batch_end(self, *_):\n"
        "        raise KeyboardInterrupt\n"
    )
    done = command("qsense.train", *BRIEF, "trainer=smoke", "+callback.stop={_target_: mine.Stop}")
    assert done.code == 130
    assert_names(done.out + done.err, "interrupted", "resumes")
    assert json.loads((only_run(tmp_path) / "run.json").read_text())["status"] == "interrupted"


def test_divergence_is_a_failure_not_a_result(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", *BRIEF, "task.lr=1e30")
    assert done.code == 1
    assert_names(done.err, "diverged", "quant.sensor.lr", "trainer.gradient_clip_val=1")

    assert not (only_run(tmp_path) / "metrics.json").exists()


def test_a_picture_that_cannot_be_drawn_costs_no_result(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr("qsense.callbacks.figures.plot_sensor", broken)
    train(composed(*SMALL, "trainer=smoke"))
    run = tmp_path / "runs" / "run"
    assert (run / "metrics.json").is_file()
    assert_names(caplog.text, "transfer", "no ink")
    assert (run / "figures" / "confusion.png").is_file()


def test_a_sweep_that_lost_only_pictures_says_so_by_its_exit_code(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from qsense.callbacks.pictures import Pictures\n"
        "class Mine(Pictures):\n"
        "    def drawings(self, trainer):\n"
        "        return {'mine': lambda *_: 1 / 0}\n"
    )
    options = ["-m", *BRIEF, "trainer=smoke", "fold=0", "seed=0", "+callback.mine={_target_: mine.Mine, folder: .}"]
    done = command("qsense.train", *options)
    assert done.code == 3
    (file,) = tmp_path.glob("runs/*/mishaps.txt")
    assert_names(done.err, file, 1)
    assert "ZeroDivisionError" in file.read_text()


def test_a_damaged_result_is_completed_again(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = [*BRIEF, "trainer=smoke"]
    train(composed(*options))
    run = tmp_path / "runs" / "run"
    whole = (run / "metrics.json").read_bytes()
    (run / "metrics.json").write_bytes(whole[:100])
    assert unfinished({("seed=0",): run})
    train(composed(*options))
    assert_names(caplog.text, run / "metrics.json", "metrics.json.damaged")
    assert (run / "metrics.json").read_bytes() == whole  # from its last checkpoint, without training
    assert (run / "metrics.json.damaged").read_bytes() == whole[:100]


def test_a_damaged_checkpoint_is_named_and_the_run_starts_anew(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = BRIEF
    train(composed(*options))
    run = tmp_path / "runs" / "run"
    whole = (run / "metrics.json").read_bytes()
    (run / "metrics.json").unlink()
    (run / "checkpoints" / "last.ckpt").write_bytes(b"damaged")
    train(composed(*options))
    assert_names(caplog.text, run / "checkpoints" / "last.ckpt")
    assert (run / "metrics.json").read_bytes() == whole


def test_a_plus_does_not_hide_a_key_from_the_sweep(light_command: Command) -> None:
    done = light_command("qsense.train", "-m", "run.dry_run=all", UNTIMED, "++seed=7", "fold=0,1")
    assert_names(done.out, "2 runs")
    assert "seed7" in done.out
    assert "seed0" not in done.out


def test_a_grid_point_that_is_another_one_again_runs_once(light_command: Command) -> None:
    axes = ["quant=none,gamma", "bits=2,4", "fold=0", "seed=0"]
    done = light_command("qsense.train", "-m", "run.dry_run=true", UNTIMED, *axes)
    assert_names(done.out, "3 runs")


def test_each_data_set_of_a_sweep_has_its_own_folds(light_command: Command, tmp_path: Path) -> None:
    axes = "data.dataset.subjects=2,3"
    done = light_command("qsense.train", "-m", "run.dry_run=true", UNTIMED, axes, "fold=0,1", "seed=0")
    assert_names(done.out, "4 runs")
    done = light_command("qsense.train", "-m", "run.dry_run=true", UNTIMED, axes, "fold=2", "seed=0")
    assert done.code == 1
    assert_names(done.err.partition("error: ")[2], "fold=2", "Synthetic IMU", 2)
