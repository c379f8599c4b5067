"""Lets Hydra find a user's own YAML files, as `qsense data import` writes them, beside qsense's."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from qsense.experiment.own_files import own_folder


class OwnFiles(SearchPathPlugin):
    """Adds the folder of `own_folder` behind qsense's own, where there is one."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """See `SearchPathPlugin`."""
        folder = own_folder()
        if folder.is_dir():
            search_path.append(provider="qsense-own-files", path=f"file://{folder}")
