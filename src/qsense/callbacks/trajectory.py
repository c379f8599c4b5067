"""Follow what the sensor quantizer and a white balance learn, epoch by epoch.

Open it to change `learned.csv`, or what of it is logged while training runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.runs.folder import write_atomically
from qsense.runs.mishaps import tolerated
from qsense.tasks.base import Task


class Trajectory(Callback):
    """Write what quantizer (γ, μ, …) and white balance have learned to `<folder>/learned.csv`, one row per epoch, and
    log it.

    Row 0 holds the initial values. The rows travel in the checkpoint, so a resumed run has all of them.
    """

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / "learned.csv"
        self.rows: list[dict[str, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.rows:
            self._append(0, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._append(trainer.current_epoch + 1, pl_module)
        for key, value in self.rows[-1].items():
            if key != "epoch":
                # A progress bar has room for one γ and one μ; the loggers take all of them.
                pl_module.log(f"learned/{key}", value, rank_zero_only=True)
        for name, values in self._learned(pl_module).items():
            pl_module.log(name, sum(values) / len(values), prog_bar=True, logger=False, rank_zero_only=True)
        if trainer.is_global_zero:
            self._write()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def _append(self, epoch: int, module: LightningModule) -> None:
        values = {
            f"{name}_{i}": value for name, series in self._learned(module).items() for i, value in enumerate(series)
        }
        self.rows.append({"epoch": epoch, **values})

    @staticmethod
    def _learned(module: LightningModule) -> dict[str, list[float]]:
        assert isinstance(module, Task)
        return module.trajectory()

    def _write(self) -> None:
        columns = list(self.rows[0])
        if len(columns) > 1:
            lines = [",".join(columns), *(",".join(repr(row[c]) for c in columns) for row in self.rows)]
            with tolerated(self.file.name):  # the rows are in the checkpoint, too, and the next epoch tries again
                write_atomically(self.file, "\n".join(lines) + "\n")
