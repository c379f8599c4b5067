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
    "settings": set(),
    "claims": set(),
    "loggers": set(),
    "__init__": set(),
    **{leaf: {"signal"} for leaf in LEAVES},
    "tasks": {"signal", *LEAVES},
    "plots": {"signal", *LEAVES},
    "callbacks": {"signal", "runs", "seeding", "loggers", "tasks", "plots", *LEAVES},
}
ENTRY_POINTS = {"config", "checks", "cli", "build", "rebuild", "train", "evaluate", "freeze", "report", "study"}
ENTRY_POINTS |= {"scenes", "visibility", "sweep_files", "sweep", "folds", "sync", "standing", "plans", "preflight"}
ENTRY_POINTS |= {"chip", "export", "audit"}
ONLY_IN = {
    "hydra": {"config", "checks", "cli", "train", "build", "rebuild", "scenes", "folds"},
    "omegaconf": {"config", "checks", "cli", "train", "build", "rebuild", "folds", "audit"},
    "wandb": {"loggers"},
}


def imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative, f"{file}: a relative import hides where it leads"
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def room(file: Path) -> str:
    return file.relative_to(SOURCE).with_suffix("").parts[0]


def violations(here: str, names: set[str]) -> list[str]:
    """Which of a module's imports break the rule; a room that the rule does not know may not import any other."""
    found = []
    for name in names:
        top, *rest = name.split(".")
        if top == "qsense" and rest and here not in ENTRY_POINTS and rest[0] not in {here, *ALLOWED.get(here, set())}:
            found.append(f"{here} must not import {name}")
        if top in ONLY_IN and here not in ONLY_IN[top]:
            found.append(f"{top} stays out of {here}")
    return found


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_run_one_way(file: Path) -> None:
    assert violations(room(file), imports(file)) == []


def test_the_rule_sees_violations(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("from qsense.tasks.har import HARTask\nimport hydra.utils\nfrom qsense import plots\n")
    assert len(violations("data", imports(file))) == 3
    assert len(violations("a_new_room", imports(file))) == 3
    file.write_text("from . import har\n")
    with pytest.raises(AssertionError, match="relative"):
        imports(file)
