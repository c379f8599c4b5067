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
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qsense.experiment import hydra_sources  # noqa: F401 – Hydra reads each file once
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.schema import config_folder

ROOT = "train"  # the root's YAML
SEARCH_PATH = "hydra.searchpath"


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
    with hydra():
        return hydra_compose(ROOT, _searching(overrides), return_hydra_config=True)


def options(group: str) -> list[str]:
    """The options of a group, by name."""
    with hydra() as loader:
        return list(loader.get_group_options(group, overrides=_searching([])))


def stated(overrides: Sequence[str], groups: Sequence[str]) -> DictConfig:
    """What the YAML files of some groups say in a configuration, with the files that they build on; nothing resolved.

    Args:
        overrides: which options are taken, as in `experiment=cifar10`; keys that they set do not count.
        groups: whose files; `quant` stands for quant/sensor and quant/network, too.

    Raises:
        HydraException: an option that does not exist.
    """
    with hydra() as loader:
        return _stated(loader, ROOT, overrides, groups)


def stated_by_options(group: str) -> dict[str, DictConfig]:
    """What each option of a group says, by its name; options that do not compose are left out."""
    found = {}
    with hydra() as loader:
        for option in options(group):
            # By itself in a tenth of the time; one that overrides the option of another group needs that one, too.
            for root, override in ((None, f"+{group}={option}"), (ROOT, f"{group}={option}")):
                try:
                    found[option] = _stated(loader, root, [override], [group])
                    break
                except (HydraException, OmegaConfBaseException, YAMLError):
                    continue  # perhaps a broken file of the user's, which may have nothing to do with what is asked
    return found


def places(name: str) -> list[str]:
    """Where keys of this name stand in the configuration that is taken if nothing is set, by their whole keys."""

    def walk(node: Any, path: str) -> Iterator[str]:
        for key, value in node.items() if isinstance(node, dict) else ():
            if key == name:
                yield f"{path}{key}"
            yield from walk(value, f"{path}{key}.")

    config = compose()
    found = walk({key: plain(config, resolve=False)[str(key)] for key in config if key != "hydra"}, "")
    return sorted(found, key=lambda key: (key.count("."), key))[:3]


def plain(config: DictConfig, resolve: bool = True) -> dict[str, Any]:
    """A configuration as plain dictionaries and lists."""
    found = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _stated(loader: ConfigLoader, root: str | None, overrides: Sequence[str], groups: Sequence[str]) -> DictConfig:
    assert isinstance(loader, ConfigLoaderImpl)
    parsed, files = loader._parse_overrides_and_create_caching_repo(root, _searching(overrides))
    entries = create_defaults_list(files, root, parsed, prepend_hydra=root is not None, skip_missing=False).defaults
    prefixes = tuple(f"{group}/" for group in groups)
    wanted = {entry.config_path for entry in entries if str(entry.config_path).startswith(prefixes)}
    while more := {entry.config_path for entry in entries if entry.parent in wanted} - wanted:
        wanted |= more
    return loader._compose_config_from_defaults_list([entry for entry in entries if entry.config_path in wanted], files)


def _searching(overrides: Sequence[str]) -> list[str]:
    """With the `hydra.searchpath=…` of the configuration at work, which Hydra has to be told anew for each."""
    own = [*HydraConfig.get().overrides.hydra] if HydraConfig.initialized() else []
    search = [entry for entry in own if key_of(entry) == SEARCH_PATH]
    return [*(search if SEARCH_PATH not in map(key_of, overrides) else ()), *overrides]
