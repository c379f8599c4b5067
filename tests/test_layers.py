"""Imports run one way, from each tier of rooms to those before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "qsense"
TIERS = (
    {"signal", "runs"},
    {"quant", "data", "models", "metrics"},
    {"tasks", "plots"},
    {"callbacks"},
    {"experiment"},
    {"study", "chip"},
    {"train", "stream"},
    {"design"},
    {"commands", "__init__", "__main__"},
)
ONLY_IN = {
    "hydra": {"experiment", "train", "commands"},
    "omegaconf": {"experiment", "train", "commands"},
    "wandb": {"runs"},
}


def imports(text: str) -> set[str]:
    """Whole names of all that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(text)))
    assert not any(node.level for node in nodes if isinstance(node, ast.ImportFrom)), (
        "relative imports hide where they lead"
    )
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {f"{node.module}.{a.name}" for node in nodes if isinstance(node, ast.ImportFrom) for a in node.names}


def violations(room: str, names: set[str]) -> list[str]:
    """Which of a module's imports break the rule; every room stands in a tier."""
    (tier,) = (number for number, rooms in enumerate(TIERS) if room in rooms)
    allowed = {room}.union(*TIERS[:tier])
    rooms = {name: name.split(".")[1] for name in names if name.startswith("qsense.")}
    wrong = [name for name, other in rooms.items() if other not in allowed and other in set().union(*TIERS)]
    return wrong + [name for name in names if room not in ONLY_IN.get(name.partition(".")[0], {room})]


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_run_one_way(file: Path) -> None:
    room = file.relative_to(SOURCE).with_suffix("").parts[0]
    assert violations(room, imports(file.read_text(encoding="utf-8"))) == []


def test_the_rule_sees_violations() -> None:
    bad = imports("from qsense.tasks.har import HARTask\nimport hydra.utils\nfrom qsense import plots\nimport wandb\n")
    assert len(violations("data", bad)) == 4
    assert violations("commands", bad) == ["wandb"]
    with pytest.raises(AssertionError, match="relative import"):
        imports("from . import har\n")
    with pytest.raises(ValueError, match="unpack"):
        violations("a_room_in_no_tier", bad)
