"""What a test that trains says on the command line, so that its run takes a second.

Open it when you write such a test.
"""

from __future__ import annotations

import yaml

from qsense.experiment.schema import config_folder

# Drawing takes more than half of a short run, costs no result where it fails, and has tests of its own
# (`tests/plots`, `tests/callbacks`, `test_what_a_run_leaves`). A picture is what is written in several formats.
NO_PICTURES = [
    f"callback.{name}=null"
    for name, callback in yaml.safe_load((config_folder() / "callback" / "default.yaml").read_text()).items()
    if "formats" in callback
]
