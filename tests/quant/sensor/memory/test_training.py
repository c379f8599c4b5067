"""Whole runs with a converter with memory, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.refusal import assert_names

if TYPE_CHECKING:
    from tests.conftest import Command

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "trainer=smoke", "bits=2"]
SMALL += ["model.filters=4", "model.hidden=8", "logger=none", "callback={}", "fold=0", "seed=0"]


def scores(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*/metrics.json")
    metrics = json.loads(file.read_text())
    return {key: metrics[key] for key in ("confusion", "standardised", "quantizer")}


@pytest.mark.slow
def test_a_run_without_a_compiler_has_the_same_scores(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "quant=dpcm", *SMALL, "runs=with")
    assert done.code == 0, done.err
    nowhere = {"PATH": str(tmp_path), "QSENSE_CACHE": str(tmp_path / "another cache")}
    nowhere["TORCH_EXTENSIONS_DIR"] = str(tmp_path / "extensions")
    done = command("qsense.train", "quant=dpcm", *SMALL, "runs=without", **nowhere)
    assert done.code == 0, done.err
    assert "no C compiler" in done.out + done.err
    assert scores(tmp_path / "without") == scores(tmp_path / "with")


def test_an_audit_of_what_learns_nothing_names_what_learns(command: Command) -> None:
    done = command("qsense", "audit", "quant=dpcm", *SMALL)
    assert done.code == 1
    assert_names(done.err, "DPCM", "gamma", "thresholds")
    assert "Traceback" not in done.err
