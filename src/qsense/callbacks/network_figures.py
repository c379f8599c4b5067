"""Draw what a quantized network learned: spectra and masks, weights and levels, shifted codes, frequencies it needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.data.module import ExperimentData
from qsense.plots.bands import plot_bands
from qsense.plots.frequency import plot_frequency
from qsense.plots.shifted import plot_shifted
from qsense.plots.style import save
from qsense.plots.weights import plot_weights
from qsense.quant.network.inspection import WeightView, band_scaled, views
from qsense.runs.loggers import log_figure
from qsense.tasks.base import Task

log = logging.getLogger(__name__)


class NetworkFigures(Callback):
    """Write `<folder>/{weights,frequency,shifted,bands}.png` after the test, each where it makes sense.

    Weights and levels are those of a quantized network; spectra and shifted codes belong to FAT's transform; bands are
    drawn, on request, for any network of a task whose examples have labels.

    Args:
        folder: for the pictures.
        layers: whose weights and spectra are drawn, by name; None: three or fewer, spread over the network's depth.
        bands: into how many frequency bands to cut the weights, for the accuracy with each of them halved (32 in
            FAT): as many passes over test examples. 0: not drawn.
        band_examples: how many test examples each pass takes; 0: all.

    Raises:
        ValueError: a number below 0.
    """

    def __init__(self, folder: str, layers: list[str] | None = None, bands: int = 0, band_examples: int = 1000) -> None:
        for name, value in (("bands", bands), ("band_examples", band_examples)):
            if value < 0:
                raise ValueError(f"{name}={value} must be 0 or more")
        self.folder = Path(folder)
        self.layers = layers
        self.bands = bands
        self.band_examples = band_examples

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and isinstance(pl_module, Task):
            chosen(views(pl_module.network), self.layers)  # a wrong name is answered now
            if self.bands and pl_module.takes == "frames":
                raise ValueError(
                    f"bands={self.bands}: the accuracy with a band halved needs one label per example, and frames with "
                    "boxes have none; set callback.network_figures.bands=0"
                )

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, Task):
            return
        try:
            for name, figure in self.draw(pl_module, trainer.datamodule).items():  # type: ignore[attr-defined]
                save(figure, self.folder / f"{name}.png")
                log_figure(trainer.loggers, name, figure)
        except Exception:  # a picture must not cost a trained run its result
            log.exception("the pictures of the network could not be drawn")

    def draw(self, task: Task, data: ExperimentData) -> dict[str, Figure]:
        """The pictures by name."""
        every = views(task.network)
        some = chosen(every, self.layers)
        names = [view.name for view in some]
        figures = {}
        if some:
            figures["weights"] = plot_weights(names, [view.rows for view in some], [view.levels for view in some])
        magnitudes = [view.magnitudes for view in some if view.magnitudes is not None]
        masks = [view.mask for view in some if view.mask is not None]
        if magnitudes:
            figures["frequency"] = plot_frequency(names, magnitudes, masks)
            figures["shifted"] = plot_shifted([view.name for view in every], [view.shifted for view in every])
        if self.bands:
            untouched = 100 * accuracy(task, data, self.band_examples)
            scores = []
            for band in range(self.bands):
                with band_scaled(task.network, band, self.bands):
                    scores.append(100 * accuracy(task, data, self.band_examples))
            figures["bands"] = plot_bands(scores, untouched)
        return figures


def chosen(every: Sequence[WeightView], names: Sequence[str] | None) -> list[WeightView]:
    """Those with these names, or first, middle and last; none of none.

    Raises:
        ValueError: a name that none has.
    """
    if not every:
        return []
    if names is None:
        return [every[place] for place in sorted({0, len(every) // 2, len(every) - 1})]
    known = {view.name: view for view in every}
    for name in names:
        if name not in known:
            raise ValueError(f"layers: '{name}' has no learned levels; those that have: {', '.join(known)}")
    return [known[name] for name in names]


@torch.no_grad()
def accuracy(task: Task, data: ExperimentData, most: int = 0) -> float:
    """Share of the first `most` test examples (0: of all) that the task classifies correctly, in [0, 1]."""
    training = task.training
    task.eval()
    right = seen = 0
    for batch in data.test_dataloader():
        batch = data.on_after_batch_transfer(data.transfer_batch_to_device(batch, task.device, 0), 0)
        x, y = (part[: most - seen] if most else part for part in (batch.x, batch.y))
        right += int((task(x).argmax(dim=-1) == y).sum())
        seen += len(y)
        if most and seen >= most:
            break
    task.train(training)
    return right / seen
