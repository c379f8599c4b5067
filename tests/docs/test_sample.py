"""The sample of the tutorial "Your own CSV files" trains by the commands that the tutorial shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import ROOT, lines

if TYPE_CHECKING:
    from tests.conftest import Command

TUTORIAL = ROOT / "docs" / "tutorials" / "own_csv.md"
TRAINING = [words for words in lines(TUTORIAL) if words[1] == "train" and "docs/samples" in " ".join(words)]


def test_the_tutorial_trains_the_sample() -> None:
    assert len(TRAINING) == 2


@pytest.mark.parametrize("words", TRAINING, ids=["by arguments", "by a file"])
def test_the_sample_is_trained(words: list[str], command: Command, tmp_path: Path) -> None:
    small = ["trainer=smoke", "callback=none", "logger=none", f"runs={tmp_path}/runs", "fold=0"]
    one = [word.partition(",")[0] if word.startswith("quant=") else word for word in words[1:] if word != "-m"]
    done = command("qsense", *one, *small, cwd=ROOT)
    assert done.code == 0, done.err
    (result,) = (tmp_path / "runs").glob("*/metrics.json")
    found = json.loads(result.read_text(encoding="utf-8"))
    assert 0 <= found["metrics"]["f1_sample"] <= 1
