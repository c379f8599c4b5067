"""Every command that README and the documentation show is one that qsense takes; nothing is trained here."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from tests.docs.pages import PAGES, ROOT, shown

from qsense.__main__ import command, commands
from qsense.data.errors import DataError
from qsense.experiment.checks import check
from qsense.experiment.command_line.habits import understood
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.sweep_files import packaged

COMMANDS = sorted({shlex.join(words) for _, words in shown()})
OTHERS = {"conda", "docker", "export", "pip", "python3", "source", "tensorboard", "trackio", "wandb"}
FILES = re.compile(r"(init_from|resume_from|model\.weights)=")  # files that this machine need not have


def trains(words: list[str]) -> list[str] | None:
    """The settings of a command that trains; None if it is another one."""
    for start in (["qsense", "train"], ["python", "-m", "qsense.train"]):
        if words[: len(start)] == start:
            return words[len(start) :]
    return None


TRAINING = [line for line in COMMANDS if trains(shlex.split(line)) is not None]
REST = [line for line in COMMANDS if line not in TRAINING]


def test_pages_show_commands() -> None:
    assert len(PAGES) > 15
    assert len(TRAINING) > 50
    assert len(REST) > 20
    assert {name for name in commands() if any(line.startswith(f"qsense {name}") for line in COMMANDS)} >= {
        "train", "report", "export", "evaluate", "audit", "scenes", "visibility", "sweep", "freeze",
    }  # fmt: skip


@pytest.fixture
def own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout, with the data set that the tutorial imports, and the detectors of the page about these."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT / "docs" / "samples" / "detectors")
    monkeypatch.setenv("QSENSE_CONF", str(ROOT / "docs" / "samples" / "qsense_conf"))


@pytest.mark.parametrize("line", TRAINING)
def test_a_command_that_trains_is_composed_and_checked(
    line: str, own_files: None, composed: Callable[..., DictConfig]
) -> None:
    words = trains(shlex.split(line))
    assert words is not None
    if "--help" in words:
        return
    options = [word for word in words if word.startswith("-")]
    settings = understood([word for word in words if word not in options], multirun="-m" in options)
    assert set(options) <= {"-m"}
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    points = list(BasicSweeper.split_arguments(parser.parse_overrides(settings), None)[0])
    assert len(points) == 1 or "-m" in options
    for point in each_value_once(points):
        config = composed(*point)
        try:
            check(config)
        except ConfigError as error:  # of data or weights that this machine does not have
            if not isinstance(error.__cause__, DataError | FileNotFoundError) and not FILES.match(str(error)):
                raise


def each_value_once(points: list[list[str]]) -> list[list[str]]:
    """So many points of a grid that each value is among them: as many as the longest axis has."""
    seen: set[str] = set()
    chosen = []
    for point in points:
        if not seen.issuperset(point):
            seen.update(point)
            chosen.append(point)
    return chosen


@pytest.mark.parametrize("line", REST)
def test_any_other_command_takes_its_arguments(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first, *words = shlex.split(line)
    if first == "make":
        makefile = ROOT / "Makefile"
        if words[:2] == ["-C", "runs/RUN/export/firmware"]:
            makefile, words = ROOT / "src/qsense/chip/firmware/c/Makefile", words[2:]
        targets = set(re.findall(r"^([a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))
        assert set(words) <= targets
    elif first == "qsense":
        if words:
            takes(words[0], words[1:])
    elif first == "python":
        assert (ROOT / words[0]).is_file() or words[0] == "-m"
    else:
        assert first in OTHERS


def takes(name: str, words: list[str]) -> None:
    """Whether the parser of a command takes these words."""
    module: Any = command(name)
    parser: argparse.ArgumentParser = module.parser()
    options = parser.parse_args(module.as_options(words) if name == "export" else words)
    if name == "sweep" and options.sweep:
        assert options.sweep in packaged()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if target.startswith(("http", "#")):
            continue
        file = (page.parent / target.partition("#")[0]).resolve()
        assert file.exists(), target
