"""Hydra reads each YAML file once, and configurations are what they would be without."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.core_plugins import file_config_source, structured_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from qsense.experiment import hydra_sources
from qsense.experiment.compose import compose, hydra, stated_by_options
from qsense.experiment.schema import config_folder


@pytest.fixture(autouse=True)
def no_hydra() -> Iterator[None]:
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it for Hydra's own sources in place of ours."""

    def use() -> None:
        registry = SourcesRegistry.instance()
        monkeypatch.setitem(registry.types, "file", file_config_source.FileConfigSource)
        monkeypatch.setitem(registry.types, "structured", structured_config_source.StructuredConfigSource)

    return use


def own(folder: Path) -> DictConfig:
    """What a folder of one's own says."""
    with initialize_config_dir(str(folder), version_base="1.3"):
        return hydra_compose("mine", ["+part=one"])


def write(file: Path, text: str, at: int) -> None:
    """Write a file at a time, in ns."""
    file.write_text(text)
    os.utime(file, ns=(at, at))


def nodes(config: DictConfig) -> list[Any]:
    """Each node's kind, value as written, flags and type, in order."""
    found: list[Any] = []

    def walk(node: Any) -> None:
        found.append((type(node), node._metadata.flags, node._metadata.ref_type, node._metadata.object_type))
        value = node._content if isinstance(node, DictConfig) or OmegaConf.is_list(node) else node._value()
        if isinstance(value, dict):
            for key, child in value.items():
                found.append(key)
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)
        else:
            found.append(value)

    walk(config)
    return found


def test_hydra_takes_them() -> None:
    compose()
    with hydra() as loader:
        kinds = {type(source) for source in loader.get_sources()}
    assert {hydra_sources.FileConfigSource, hydra_sources.StructuredConfigSource} <= kinds


@pytest.mark.parametrize(
    "overrides", [[], ["task=detection", "bits=2"], ["experiment=cifar10"], ["quant=fat", "hydra/launcher=workers"]]
)
def test_configurations_are_what_they_would_be_without(overrides: list[str], plain: Any) -> None:
    found = [nodes(compose(overrides)) for _ in range(2)]  # of what was read, and of what was kept
    stated = [nodes(said) for said in stated_by_options("callback").values()]
    GlobalHydra.instance().clear()
    plain()
    expected = nodes(compose(overrides))
    assert found == [expected, expected]
    assert stated == [nodes(said) for said in stated_by_options("callback").values()]


def test_who_changes_a_configuration_changes_no_other() -> None:
    first, before = compose(), nodes(compose())
    first.model.kernel = 99
    first.hydra.job.name = "another"
    assert nodes(compose()) == before


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    root, part = tmp_path / "mine.yaml", tmp_path / "part" / "one.yaml"
    write(root, "defaults: [_self_]\nvalue: 1\n", at=1)
    write(part, "# @package _global_\nother: 1\n", at=1)
    assert own(tmp_path) == {"value": 1, "other": 1}
    write(part, "# @package mine\nother: 1\n", at=1)
    assert own(tmp_path) == {"value": 1, "mine": {"other": 1}}
    write(root, "value: [\n", at=1)
    with pytest.raises(YAMLError):
        own(tmp_path)
    write(root, "value: 3\n", at=1)
    assert own(tmp_path)["value"] == 3
    write(root, "value: 4\n", at=2)
    assert own(tmp_path)["value"] == 4
    part.unlink()
    with pytest.raises(HydraException, match="part/one"):
        own(tmp_path)


def test_a_file_that_had_just_been_written_is_read_again(tmp_path: Path) -> None:
    """It may have been written again since, in as many bytes and within one step of the file system's clock."""
    (tmp_path / "part").mkdir()
    root, part = tmp_path / "mine.yaml", tmp_path / "part" / "one.yaml"
    now = time.time_ns()
    write(part, "other: 1\n", at=now)
    for value in (1, 2):
        write(root, f"value: {value}\n", at=now)
        assert own(tmp_path)["value"] == value


def test_each_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compose(["quant=log", "bits=2"])
    read: list[str] = []
    load = OmegaConf.load

    def noted(file: Any) -> Any:
        read.append(file.name)
        return load(file)

    monkeypatch.setattr(OmegaConf, "load", noted)
    ours = str(config_folder() / "quant" / "log.yaml")
    assert compose(["quant=log", "bits=3"]).bits == 3
    assert ours not in read
    monkeypatch.setattr(hydra_sources, "_read", {})
    compose(["quant=log"])
    assert read.count(ours) == 1
