"""What Hydra would read and copy anew for each configuration is read once: each after the first takes 0.6 of the time.

Hydra parses some twenty YAML files for every configuration that it composes, and copies all that is registered with it;
a command composes two, the plan of a sweep or an audit one for each grid point. A file that was written since it was
read is read again, and so is one that had just been written. Importing this module is enough. Open it when a
configuration does not show what a file says.
"""

from __future__ import annotations

import os
import pickle
import time
from typing import Any

from hydra._internal.core_plugins import file_config_source, structured_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.plugins.config_source import ConfigResult

SETTLED_NS = 3_000_000_000  # file systems' clocks step by up to 2 s: what is younger may change within its time stamp

_read: dict[tuple[str, str, str], tuple[tuple[int, int, int], bytes]] = {}  # by source and file: its state, content


# Both have the names of Hydra's own, which then leaves them in its registry.
class FileConfigSource(file_config_source.FileConfigSource):
    """A folder of YAML files; who asks for one gets a copy of it, and may change that."""

    def load_config(self, config_path: str) -> ConfigResult:
        """What a file says.

        Raises:
            ConfigLoadError: there is none.
        """
        try:
            state = os.stat(os.path.join(self.path, self._normalize_file_name(config_path)))  # noqa: PTH116, PTH118
        except OSError:
            return super().load_config(config_path)
        key, written = (self.provider, self.path, config_path), (state.st_mtime_ns, state.st_size, state.st_ino)
        before, content = _read.get(key, (None, b""))
        if before != written:
            now = time.time_ns()
            found = super().load_config(config_path)
            if now - state.st_mtime_ns > SETTLED_NS:
                _read[key] = written, pickle.dumps(found)
            return found
        copy: ConfigResult = pickle.loads(content)
        return copy

    def __deepcopy__(self, memo: dict[int, Any]) -> FileConfigSource:
        return self


class StructuredConfigSource(structured_config_source.StructuredConfigSource):
    """What is registered with Hydra; it gives copies, and is itself never changed."""

    def __deepcopy__(self, memo: dict[int, Any]) -> StructuredConfigSource:
        return self


for source in (FileConfigSource, StructuredConfigSource):
    SourcesRegistry.instance().register(source)
