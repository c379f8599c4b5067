"""Composing configurations: the one place that reads `conf/` and the user's own YAML files, always through Hydra.

Open it when something needs to know what a configuration, or an option of a group, says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qsense.experiment.overrides import key_of
from qsense.experiment.schema import config_folder

ROOT = "train"  # the root's YAML


@contextmanager
def hydra() -> Iterator[ConfigLoader]:
    """Within it, Hydra is initialised; yields its loader of YAML files.

    Inside a Hydra application it is the application's own, which finds the YAML files of its user, too (--config-dir).
    """
    if GlobalHydra.instance().is_initialized():
        yield GlobalHydra.instance().config_loader()
    else:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()


def compose(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration that `python -m qsense.train OVERRIDES` would have, with Hydra's own under `hydra`.

    Raises:
        HydraException: an option or key that does not exist.
    """
    search = _search_path()
    with hydra():
        return hydra_compose(ROOT, [*search, *overrides], return_hydra_config=True)


def stated(overrides: Sequence[str], groups: Sequence[str]) -> DictConfig:
    """What the YAML files of some groups say in a configuration, with the files that they build on; nothing resolved.

    Args:
        overrides: which options are taken, as in `experiment=cifar10`; keys that they set do not count.
        groups: whose files; `quant` stands for quant/sensor and quant/network, too.

    Raises:
        HydraException: an option that does not exist.
    """
    with _repository() as (loader, repository):
        return _stated(loader, repository, overrides, groups)


def plain(config: DictConfig, resolve: bool = True) -> dict[str, Any]:
    """A configuration as plain dictionaries and lists."""
    found = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def stated_by_options(group: str) -> dict[str, DictConfig]:
    """What each option of a group says, by its name; options that do not compose are left out.

    Much faster than composing a whole configuration for each.
    """
    found = {}
    with _repository() as (loader, repository):
        for option in repository.get_group_options(group, ObjectType.CONFIG):
            try:
                found[option] = _stated(loader, repository, [f"{group}={option}"], [group])
            except (HydraException, OmegaConfBaseException, YAMLError):
                continue  # a broken file of the user's, which may have nothing to do with what is asked
    return found


def _search_path() -> list[str]:
    """The `hydra.searchpath=…` of the running application, which each configuration has to be told anew."""
    if not (GlobalHydra.instance().is_initialized() and HydraConfig.initialized()):
        return []
    return [entry for entry in HydraConfig.get().overrides.hydra if key_of(entry) == "hydra.searchpath"]


@contextmanager
def _repository() -> Iterator[tuple[ConfigLoaderImpl, Any]]:
    """Hydra's loader and its files, each of which is read once."""
    search = _search_path()
    with hydra() as loader:
        assert isinstance(loader, ConfigLoaderImpl)
        yield loader, loader._parse_overrides_and_create_caching_repo(ROOT, search)[1]


def _stated(loader: ConfigLoaderImpl, repository: Any, overrides: Sequence[str], groups: Sequence[str]) -> DictConfig:
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    files = create_defaults_list(repository, ROOT, parsed, prepend_hydra=True, skip_missing=False).defaults
    wanted = {file.config_path for file in files if f"{file.config_path}".startswith(tuple(f"{g}/" for g in groups))}
    while more := {file.config_path for file in files if file.parent in wanted} - wanted:
        wanted |= more
    return loader._compose_config_from_defaults_list([file for file in files if file.config_path in wanted], repository)
