"""Imports run one way: signal ← quant, data, models, metrics ← tasks, plots ← callbacks ← entry points."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "qsense"
LEAVES = {"quant", "data", "models", "metrics"}
ALLOWED = {
    "signal": set(),
    "static": set(),
    "seeding": set(),
    "runs": set(),
    **{leaf: {"signal"} for leaf in LEAVES},
    "tasks": {"signal", *LEAVES},
    "plots": {"signal", *LEAVES},
    "callbacks": {"signal", "runs", "seeding", "loggers", "tasks", "plots", *LEAVES},
}
ONLY_IN = {
    "hydra": {"config", "train", "evaluate", "build"},
    "omegaconf": {"config", "train", "evaluate", "build"},
    "wandb": {"loggers"},
}


def imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def room(file: Path) -> str:
    return file.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_run_one_way(file: Path) -> None:
    here = room(file)
    for name in imports(file):
        top, *rest = name.split(".")
        if top == "qsense" and rest and here in ALLOWED and rest[0] != here:
            assert rest[0] in ALLOWED[here], f"{file}: {here} must not import {name}"
        if top in ONLY_IN:
            assert here in ONLY_IN[top], f"{file}: {top} stays out of {here}"


def test_the_rule_sees_a_violation(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("from qsense.tasks.har import HARTask\nimport hydra.utils\n")
    assert imports(file) == {"qsense.tasks.har.HARTask", "hydra.utils"}
