"""A run in integers from the command line on: trained, loaded, its cost, frozen, and what its export leaves out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.quick import NO_PICTURES
from tests.refusal import assert_names

import qsense
from qsense.chip.export import models
from qsense.quant.network.freeze import freeze
from qsense.quant.network.integer.extract import extract

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "trainer=smoke", "bits=1"]
MODELS = [
    ["model=deepconvlstm_small", "model.filters=4", "model.hidden=8"],
    ["model=tiny_conv", "model.width=8", "quant.network.state_bits=8"],
]


@pytest.mark.parametrize("model", MODELS, ids=["deepconvlstm", "tiny_conv"])
def test_a_run_in_integers(model: list[str], tmp_path: Path) -> None:
    quant = ["quant=adpcm", "quant/network=integer", "network_bits=4"]
    settings = [*quant, *SMALL, *NO_PICTURES, *model, "logger=none", "callback.progress=null", f"runs={tmp_path}"]
    run = qsense.load(str(qsense.train(settings).folder))
    cost = pd.read_csv(run.folder / "cost.csv").set_index("name")
    assert cost.activation_bits.iloc[:2].tolist() == [8, 4]
    if "lstm (states)" in cost.index:
        assert cost.activation_bits[["lstm (states)", "classifier"]].tolist() == [16, 16]
    network = run.task.network.eval()
    extract(network)
    x = torch.randn(5, 50, 3)
    with torch.no_grad():
        before = network(x)
        notes: list[str] = []
        assert "network.onnx" not in models(run, None, notes)
        assert_names(" ".join(notes), "ONNX", "format=firmware")
        freeze(network)
        assert torch.equal(network(x), before)
