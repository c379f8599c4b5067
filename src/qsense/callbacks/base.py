"""What is done once with a finished run, after its test.

Open it to write a callback that looks at a trained task: it needs one method, `finish`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.runs.mishaps import tolerated
from qsense.tasks.base import Task


class AfterTest(Callback):
    """Calls `finish` after the test, in the first process alone; leaves tasks alone that it does not work on.

    An error in it is a warning: the run's result is recorded before.

    Attributes:
        works_on: the class of its tasks.
    """

    works_on: ClassVar[type[Task]] = Task

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and isinstance(pl_module, self.works_on):
            with tolerated(type(self).__name__):  # the result is recorded already, and must not be lost
                self.finish(trainer, pl_module, trainer.datamodule)  # type: ignore[attr-defined]

    def finish(self, trainer: Trainer, task: Any, data: Any) -> None:
        """Do what the callback is for; each callback overrides this.

        Args:
            trainer: the run's, with its loggers and callbacks.
            task: tested, one of `works_on`.
            data: the run's data module, set up for the test.
        """
        raise NotImplementedError
