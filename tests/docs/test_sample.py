"""The sample of the tutorial "Your own CSV files" is imported and trained by the commands that the tutorial shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from tests.docs.pages import ROOT, lines

if TYPE_CHECKING:
    from tests.conftest import Command

TUTORIAL = list(lines(ROOT / "docs" / "tutorials" / "own_csv.md"))
SMALL = ("trainer=smoke", "callback=none", "logger=none", "fold=0")


def shown(*start: str) -> list[str]:
    """The first command of the tutorial that begins so, without `qsense`."""
    return next(words[1:] for words in TUTORIAL if words[1 : len(start) + 1] == list(start))


def score(runs: Path) -> float:
    (result,) = runs.glob("*/metrics.json")
    return float(json.loads(result.read_text(encoding="utf-8"))["metrics"]["f1_sample"])


def test_the_sample_is_imported_and_trained(command: Command, tmp_path: Path) -> None:
    checked = command("qsense", *shown("data", "check"), cwd=ROOT)
    assert checked.code == 0, checked.out
    assert not [each for each in ("25 Hz", "m/s²", "walk", "P{subject}.csv") if each not in checked.out]
    imported = command("qsense", *shown("data", "import"), f"--out={tmp_path}/qsense_conf", cwd=ROOT)
    assert imported.code == 0, imported.out
    written = yaml.safe_load((tmp_path / "qsense_conf" / "data" / "wrist.yaml").read_text(encoding="utf-8"))
    kept = yaml.safe_load((ROOT / "docs/samples/qsense_conf/data/wrist.yaml").read_text(encoding="utf-8"))
    kept["data"]["dataset"]["root"] = str(ROOT / kept["data"]["dataset"]["root"])
    assert written == kept
    done = command("qsense", *shown("train", "data=wrist"), *SMALL, f"runs={tmp_path}/runs")
    assert done.code == 0, done.err
    assert 0 <= score(tmp_path / "runs") <= 1


def test_the_sample_is_trained_by_arguments_alone(command: Command, tmp_path: Path) -> None:
    done = command("qsense", *shown("train", "data=csv_har"), *SMALL, f"runs={tmp_path}/runs", cwd=ROOT)
    assert done.code == 0, done.err
    assert 0 <= score(tmp_path / "runs") <= 1
