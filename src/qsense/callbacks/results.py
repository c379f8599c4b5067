"""Follow a run's loss and score, and draw them beside what it learned and confused: `results.png`.

Open it to change what that picture is made from; how it looks is in `plots/results.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.callbacks.pictures import Drawing, Pictures, heading
from qsense.callbacks.trajectory import Trajectory
from qsense.data.module import ExperimentData
from qsense.plots.results import plot_results
from qsense.runs.words import metric_name, percent
from qsense.tasks.base import Task

Row = dict[str, float]


class Results(Pictures):
    """Write `<folder>/results.png` after the test: loss, score and learned values over the epochs, and the confusion
    matrix, or average precision by class.

    The rows travel in the checkpoint, so a resumed run has all of them. The training loss is the mean over an epoch's
    batches, of the first process.
    """

    def __init__(self, folder: str, formats: Any = "png") -> None:
        super().__init__(folder, formats)
        self.rows: list[Row] = []
        self._total: Any = 0.0  # of the epoch's losses, where they are: nothing waits for the device
        self._batches = 0
        self._validated: Row = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._total, self._batches, self._validated = 0.0, 0, {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            # Lightning hands on each batch's share of a step's loss.
            self._total = self._total + loss.detach() * trainer.accumulate_grad_batches
            self._batches += 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and isinstance(pl_module, Task):
            found = {"val_loss": "val/loss", "val_score": f"val/{pl_module.monitor}"}
            known = trainer.callback_metrics
            self._validated = {key: float(known[name]) for key, name in found.items() if name in known}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        row: Row = {"epoch": trainer.current_epoch + 1, **self._validated}
        if self._batches:
            row["loss"] = float(self._total) / self._batches
        self.rows.append(row)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def drawings(self, trainer: Trainer) -> dict[str, Drawing]:
        learned = [row for c in trainer.callbacks if isinstance(c, Trajectory) for row in c.rows]  # type: ignore[attr-defined]
        return {"results": lambda task, data: self.results(task, data, learned)}

    def results(self, task: Task, data: ExperimentData, learned: list[Row]) -> Figure:
        """The picture of a tested task, with what it has learned, epoch by epoch."""
        tested = task.results()
        names = data.class_names
        scores: dict[str, float | None] = next(iter((tested.get("per_class") or {}).values()), {})
        return plot_results(
            self.rows,
            learned,
            metric_name(task.monitor),
            tested["metrics"][task.monitor],
            names,
            tested.get("confusion"),
            [scores.get(name) for name in names] if scores else (),
            percent(task.monitor),
            heading(task, data),
        )
