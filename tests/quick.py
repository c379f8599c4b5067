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

# As few frames and recordings as can be learned from, by task, for tests that ask no score of what is learned.
LITTLE = {
    "har": [
        *("data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"),
        *("model.filters=4", "model.hidden=8"),
    ],
    "classification": ["data.batch_size=16"],
    "detection": [
        *("data.dataset.train_frames=24", "data.dataset.test_frames=12"),
        *("data.dataset.height=96", "data.dataset.width=96"),
    ],
}

# One step of training, one batch each of validation and test.
ONE_STEP = [
    *("trainer=smoke", "trainer.max_steps=1"),
    *(f"trainer.limit_{part}_batches=1" for part in ("train", "val", "test")),
]
