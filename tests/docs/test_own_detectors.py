"""The detectors of the page "A detector of your own": they keep the contract, and go the page's way to a report."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from omegaconf import OmegaConf
from tests.docs.pages import ROOT
from torch import Tensor

from qsense.experiment.signatures import arguments
from qsense.models.detector import Detector
from qsense.quant.network.freeze import freeze
from qsense.quant.network.quantizer import NetworkQuantizer

if TYPE_CHECKING:
    from tests.conftest import Command

SAMPLES = ROOT / "docs" / "samples"
CLASSES = {"ssd": "SSD", "detr": "Detr"}
SMALL = ("trainer=smoke", "callback=none", "logger=none", "data.dataset.train_frames=8", "data.dataset.test_frames=4")
SIZES = [(64, 64), (48, 40)]
TARGETS = [
    {"boxes": torch.tensor([[8.0, 8, 24, 28], [30, 36, 60, 60]]), "labels": torch.tensor([0, 2])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that the page sets, here and for a command."""
    monkeypatch.syspath_prepend(SAMPLES / "detectors")
    path = os.pathsep.join([str(SAMPLES / "detectors"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "QSENSE_CONF": str(SAMPLES / "qsense_conf")}


@pytest.fixture(params=CLASSES)
def make(request: pytest.FixtureRequest, own: dict[str, str]) -> Callable[..., Detector]:
    """Makes a sample, and skips where its library is not installed."""
    if request.param == "detr":
        pytest.importorskip("transformers")
    kind = getattr(importlib.import_module(request.param), CLASSES[request.param])

    def seeded(**settings: float) -> Detector:
        torch.manual_seed(0)
        network: Detector = kind(3, **settings)
        return network

    return seeded


def images() -> Tensor:
    x = torch.zeros(2, 3, 64, 64)
    for own, (height, width) in zip(x, SIZES, strict=True):
        own[:, :height, :width] = torch.randn(3, height, width)
    return x


def test_losses_are_numbers_that_fall(make: Callable[..., Detector]) -> None:
    network, x = make().train(), images()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    history = []
    for _ in range(8):
        losses = network(x, SIZES, TARGETS)
        assert isinstance(losses, dict)
        assert all(loss.shape == () and loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert history[-1] < history[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert all(loss.dtype == torch.float32 for loss in network(x, SIZES, TARGETS).values())


@torch.no_grad()
def test_predictions_lie_within_their_frames(make: Callable[..., Detector]) -> None:
    network = make(score_threshold=0.0).eval()
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = network(images(), SIZES)
        for one, (height, width) in zip(found, SIZES, strict=True):
            count = len(one["scores"])
            assert count
            assert one["boxes"].shape == (count, 4)
            assert one["boxes"].dtype == one["scores"].dtype == torch.float32
            assert (one["boxes"] >= 0).all()
            assert (one["boxes"] <= torch.tensor([width, height, width, height])).all()
            assert ((one["labels"] >= 0) & (one["labels"] < 3)).all()
            assert (one["scores"].diff() <= 0).all()
    assert all(len(one["scores"]) == 0 for one in make(score_threshold=1.0).eval()(images(), SIZES))


@torch.no_grad()
def test_padding_is_not_looked_at(make: Callable[..., Detector]) -> None:
    """Each frame of a batch is found as it is alone; a transformer's backbone sees a little of the padding's edge."""
    network, x = make(score_threshold=0.0).eval(), images()
    together = network(x, SIZES)[0]
    alone = network(x[:1], SIZES[:1])[0]
    torch.testing.assert_close(together["boxes"], alone["boxes"], rtol=1e-3, atol=1e-2)


def test_four_bits_by_fat_train_and_freeze(make: Callable[..., Detector]) -> None:
    network, x = make(score_threshold=0.0), images()
    quantizer = NetworkQuantizer(bits=4, transform="fat")
    quantizer.apply(network)
    losses = network.train()(x, SIZES, TARGETS)
    assert isinstance(losses, dict)
    torch.stack(list(losses.values())).sum().backward()
    with torch.no_grad():
        before = network.eval()(x, SIZES)
        freeze(network)
        after = network(x, SIZES)
    assert all(torch.equal(a[key], b[key]) for a, b in zip(before, after, strict=True) for key in a)


@pytest.mark.parametrize("name", CLASSES)
def test_the_yaml_lists_all_arguments(name: str, own: dict[str, str]) -> None:
    stated = OmegaConf.load(SAMPLES / "qsense_conf" / "model" / f"{name}.yaml")
    known = arguments(f"{name}.{CLASSES[name]}")
    assert known is not None
    assert ["object_classes", *list(stated)[1:]] == list(known)


def test_from_a_file_to_a_report(command: Command, own: dict[str, str], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    settings = ("task=detection", "model=ssd", "quant=gamma", "bits=4", *SMALL)
    done = command("qsense", "train", *settings, f"runs={runs}", **own)
    assert done.code == 0, done.err
    (result,) = runs.glob("*/metrics.json")
    metrics = json.loads(result.read_text(encoding="utf-8"))
    assert metrics["model"] == "ssd"
    refused = command("qsense", "evaluate", str(result.parent), **own)
    assert refused.code != 0
    assert "--allow ssd" in refused.err
    evaluated = command("qsense", "evaluate", str(result.parent), "--allow", "ssd", **own)
    assert evaluated.code == 0, evaluated.err
    reported = command("qsense", "report", str(runs), **own)
    assert reported.code == 0, reported.err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "written"), [("ssd", "network.onnx"), ("detr", "Detector.exported")])
def test_four_bits_are_trained_and_exported(
    name: str, written: str, command: Command, own: dict[str, str], tmp_path: Path
) -> None:
    if name == "detr":
        pytest.importorskip("transformers")
    settings = ("task=detection", f"model={name}", "quant=fat", "bits=4", *SMALL)
    done = command("qsense", "train", *settings, f"runs={tmp_path}/runs", **own)
    assert done.code == 0, done.err
    (result,) = (tmp_path / "runs").glob("*/metrics.json")
    exported = command("qsense", "export", str(result.parent), "--allow", name, "--check", "--format=onnx", **own)
    assert exported.code == 0, exported.out
    assert written in exported.out


def test_what_python_does_not_find_is_said(light_command: Command, own: dict[str, str]) -> None:
    nowhere = own | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = light_command("qsense.train", "task=detection", "model=ssd", **nowhere)
    assert done.code == 1
    assert not [each for each in ("model._target_=ssd.SSD", "PYTHONPATH", "ssd.py") if each not in done.err], done.err
    assert not done.heavy


@pytest.mark.parametrize(("target", "reason"), [("lost.Nett", "Nett"), ("lost.Net", "no_such_library")])
def test_what_cannot_be_imported_is_said(
    target: str, reason: str, command: Command, own: dict[str, str], tmp_path: Path
) -> None:
    source = "import no_such_library\n\n\ndef Net(object_classes): ...\n" if target == "lost.Net" else ""
    (tmp_path / "lost.py").write_text(source, encoding="utf-8")
    own |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), own["PYTHONPATH"]])}
    yaml = tmp_path / "qsense_conf" / "model" / "lost.yaml"
    yaml.parent.mkdir(parents=True)
    yaml.write_text(f"_target_: {target}\n", encoding="utf-8")
    own |= {"QSENSE_CONF": str(tmp_path / "qsense_conf")}
    done = command("qsense", "train", "task=detection", "model=lost", *SMALL, f"runs={tmp_path}/runs", **own)
    assert done.code == 1
    assert not [each for each in (f"model._target_={target}", reason) if each not in done.err], done.err
    assert "Traceback" not in done.err
