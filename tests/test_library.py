"""qsense as a library: what an import offers and costs, training and loading from Python, predictions."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from tests.refusal import refused
from torch import Tensor, nn

import qsense
from qsense.experiment.schema import config_folder

SMALL = ["trainer=smoke", "logger=none", "callback=[]", "bits=2"]
HAR = [*SMALL, "model.filters=4", "data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]
TASKS = {
    "har": HAR,
    "classification": [*SMALL, "task=classification", "quant=gamma_fat"],
    "detection": [*SMALL, "task=detection", "quant=gamma_per_condition"],
}


def python(program: str, cwd: Path | None = None) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, qsense.TrainedRun]:
    """A run of every task."""
    folder = tmp_path_factory.mktemp("library")
    return {task: qsense.train([*own, f"runs={folder}"]) for task, own in TASKS.items()}


def test_an_import_loads_nothing_heavy_and_offers_every_name() -> None:
    heavy = "{'hydra', 'omegaconf', 'torch', 'lightning', 'pandas', 'numpy'} & set(sys.modules)"
    assert python(f"import sys, qsense; print({heavy}, set(qsense.__all__) <= set(dir(qsense)))") == "set() True\n"
    for name in qsense.__all__:
        assert getattr(qsense, name) is getattr(qsense, name)
    with pytest.raises(AttributeError, match="Gama"):
        qsense.Gama  # type: ignore[attr-defined]  # noqa: B018


def test_every_configured_quantizer_is_offered() -> None:
    parts: set[str] = set()
    for file in (config_folder() / "quant").rglob("*.yaml"):
        texts = [line.partition("_target_:")[2].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        parts |= {text for text in texts if text}
    assert len(parts) > 10
    for part in parts:
        module, _, name = part.rpartition(".")
        assert name in qsense.__all__
        assert getattr(qsense, name).__module__ == module


@pytest.mark.parametrize(
    "imports",
    [
        "import qsense; f = qsense.train",
        "import qsense.train; f = qsense.train",
        "from qsense import train as f",
        "from qsense.train import train, train_here; from qsense import train as f",
        "import qsense; from qsense.train import train; f = qsense.train",
        "import qsense.commands.folds; import qsense; f = qsense.train",
        "import qsense, pickle; f = pickle.loads(pickle.dumps(qsense.train))",
        "import qsense, cloudpickle; f = cloudpickle.loads(cloudpickle.dumps(qsense.train))",
    ],
)
def test_train_is_a_function_in_whatever_order_it_is_imported(imports: str) -> None:
    program = f"{imports}\nimport qsense\ntry: f(['bits=99'])\nexcept qsense.ConfigError as error: print(error)"
    assert python(program).startswith("bits=99: bits must be")


def test_training_gives_what_the_command_line_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "qsense.train", *HAR, "runs=there"]
    subprocess.run(command, check=True, capture_output=True)
    (there,) = (tmp_path / "there").iterdir()
    run = qsense.train([*HAR, "runs=here"])
    assert run.folder == tmp_path / "here" / there.name
    assert (run.folder / "metrics.json").read_bytes() == (there / "metrics.json").read_bytes()
    assert {file.name for file in run.folder.iterdir()} == {file.name for file in there.iterdir()}
    assert f"{run.task.monitor} " in (run.folder / "train.log").read_text()
    written = (run.folder / "metrics.json").stat().st_mtime_ns
    again = qsense.train([*HAR, "runs=here"])
    assert (again.folder, again.metrics) == (run.folder, run.metrics)
    assert (run.folder / "metrics.json").stat().st_mtime_ns == written
    assert again.evaluate()["metrics"] == run.metrics


@pytest.mark.parametrize(
    ("overrides", "named"),
    [(["quant=gama"], "gamma"), (["bits=2,4"], "bits=2,4"), (["bit=2"], "bits"), (["run.dry_run=true"], "dry_run")],
)
def test_what_cannot_run_raises(overrides: list[str], named: str, tmp_path: Path) -> None:
    with pytest.raises(qsense.ConfigError, match=named):
        qsense.train([*overrides, f"runs={tmp_path}"])
    assert not list(tmp_path.iterdir())


def test_training_leaves_hydra_and_logging_as_they_were(tmp_path: Path) -> None:
    handlers = logging.getLogger().handlers[:], logging.getLogger("qsense").handlers[:]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        with pytest.raises(qsense.ConfigError):
            qsense.train(["bits=99", f"runs={tmp_path}"])
        assert GlobalHydra.instance().hydra is before
        assert compose("train", ["bits=3"]).bits == 3
    assert (logging.getLogger().handlers, logging.getLogger("qsense").handlers) == handlers


def test_loading_leaves_random_numbers_alone(runs: dict[str, qsense.TrainedRun]) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run = qsense.load(str(runs["har"].folder))
    assert torch.equal(torch.rand(3), expected)
    assert run.metrics == runs["har"].metrics
    assert not run.task.training
    assert run.converter is run.task.sensor
    weights = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(tensor, weights[name]) for name, tensor in run.task.state_dict().items())


def test_a_run_whose_modules_have_moved_is_loaded(runs: dict[str, qsense.TrainedRun], tmp_path: Path) -> None:
    for run in runs.values():
        old = Path(shutil.copytree(run.folder, tmp_path / run.folder.name))
        text = (old / "config.yaml").read_text(encoding="utf-8")
        moved = re.sub(r"_target_: qsense\.\S+\.(\w+)", r"_target_: qsense.a.room.of.the.past.\1", text)
        assert moved != text
        (old / "config.yaml").write_text(moved, encoding="utf-8")
        again = qsense.load(old)
        assert type(again.task) is type(run.task)
        assert all(torch.equal(tensor, again.task.state_dict()[name]) for name, tensor in run.task.state_dict().items())


@pytest.mark.parametrize("output", ["centroid", "thermometer"])
def test_an_output_of_the_past_is_refused_in_one_line(
    output: str, runs: dict[str, qsense.TrainedRun], tmp_path: Path
) -> None:
    old = Path(shutil.copytree(runs["har"].folder, tmp_path / "old"))
    text = (old / "config.yaml").read_text(encoding="utf-8")
    assert "output: level" in text
    (old / "config.yaml").write_text(text.replace("output: level", f"output: {output}"), encoding="utf-8")
    with refused(qsense.ConfigError, f"output='{output}'", "level", "code") as caught:
        qsense.load(old)
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):
        qsense.load(tmp_path)


def test_predictions_for_windows_of_samples(runs: dict[str, qsense.TrainedRun]) -> None:
    run = qsense.load(runs["har"].folder)
    data: Any = runs["har"].data
    data.prepare_data()
    data.setup("test")
    seen = next(iter(data.test_dataloader()))
    windows = data.test_dataloader().dataset
    raw = windows.samples[windows.start[: len(seen.x), None] + windows.window]  # in g, before normalisation
    expected = runs["har"].task.predict(seen.x)
    assert torch.equal(run.predict(raw), expected)
    assert torch.equal(run.predict(torch.from_numpy(raw[0])), run.predict(raw[:1])[0])
    assert expected.sum(dim=1).allclose(torch.ones(len(raw)))
    read_only = raw.copy()
    read_only.flags.writeable = False
    with warnings.catch_warnings(action="error"):
        assert torch.equal(run.predict(read_only), expected)
    untouched = raw.copy()
    run.predict(raw)
    assert np.array_equal(raw, untouched)
    with pytest.raises(ValueError, match=r"50, 3"):
        run.predict(raw[:, :10])
    with pytest.raises(ValueError, match="NaN"):
        run.predict(np.full_like(raw, np.nan))
    with pytest.raises(ValueError, match="condition='night'"):
        run.predict(raw, "night")


def test_predictions_for_images(runs: dict[str, qsense.TrainedRun]) -> None:
    run = runs["classification"]
    data: Any = run.data
    data.prepare_data()
    data.setup("test")
    batch = next(iter(data.test_dataloader()))  # still codes
    found = run.predict(batch.x.numpy())
    assert found.shape == (len(batch.x), data.num_classes)
    assert torch.equal(found, run.predict(data.scaled(batch.x)))
    assert torch.equal(found, run.task.predict(data.on_after_batch_transfer(batch, 0).x))
    with pytest.raises(ValueError, match=r"\[B, 1, H, W\]"):
        run.predict(np.zeros((2, 3, 8, 8), dtype=np.uint8))


def test_predictions_for_frames(runs: dict[str, qsense.TrainedRun]) -> None:
    run = runs["detection"]
    data: Any = run.data
    frame = data.dataset.frames("test")[0]
    codes = np.asarray(data.dataset.codes(frame))
    (found,) = run.predict(codes[None])
    assert {name: tuple(tensor.shape[1:]) for name, tensor in found.items()} == {
        "boxes": (4,), "scores": (), "labels": (),
    }  # fmt: skip
    assert torch.equal(run.predict(codes)["boxes"], found["boxes"])
    data.prepare_data()
    data.setup("test")
    batch = data.on_after_batch_transfer(data.test_dataloader().dataset[0], 0)
    assert torch.equal(run.task.predict(batch)[0]["scores"], found["scores"])
    assert not len(found["boxes"]) or float(found["boxes"].max()) <= max(codes.shape[1:])
    with pytest.raises(ValueError, match="integer codes"):
        run.predict(codes.astype(np.float32))


def test_any_network_is_quantized_in_place() -> None:
    network = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6, 2))
    quantizer = qsense.quantize_network(network, bits=3, transform="fat", first_last_bits=None)
    assert isinstance(quantizer, qsense.NetworkQuantizer)
    quantizer.calibrate(network, torch.rand(16, 3, 10))
    weight = network[3].weight
    assert isinstance(weight, Tensor)
    assert weight.unique().numel() <= 8
    assert network(torch.rand(2, 3, 10)).isfinite().all()
    with pytest.raises(ValueError, match="bits=0"):
        qsense.quantize_network(nn.Linear(2, 2), bits=0)


EXAMPLE = """
import qsense
run = qsense.train({overrides})
again = qsense.load(run.folder)
assert again.metrics == run.metrics
print(tuple(again.predict(again.data.dataset.test().gather([0, 1], None)[0]).shape), flush=True)
"""
OVERRIDES = [*SMALL, "task=classification", "quant=gamma"]


@pytest.mark.slow  # as in a notebook, whose kernel is a fresh interpreter, too
def test_the_example_in_a_fresh_interpreter(tmp_path: Path) -> None:
    assert python(EXAMPLE.format(overrides=OVERRIDES), tmp_path).endswith("(2, 10)\n")


def test_the_example_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat.v4")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(Path(qsense.__file__).parents[1]))
    cells = [EXAMPLE.format(overrides=OVERRIDES), "print(qsense.train(" + repr(OVERRIDES) + ").folder == run.folder)"]
    notebook = nbformat.new_notebook(cells=[nbformat.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    printed = ["".join(o["text"] for o in cell.outputs if o.get("name") == "stdout") for cell in notebook.cells]
    assert [text.splitlines()[-1] for text in printed] == ["(2, 10)", "True"]
