"""Draw what a quantized network learned: spectra and masks, weights and levels, shifted codes, frequencies it needs.

Open it to change a quantized network's pictures, or which of its layers they show.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from qsense.callbacks.pictures import Drawing, Pictures, heading
from qsense.data.module import ExperimentData
from qsense.plots.bands import plot_bands
from qsense.plots.frequency import plot_frequency
from qsense.plots.shifted import plot_shifted
from qsense.plots.weights import plot_weights
from qsense.quant.network.inspection import WeightView, band_scaled, views
from qsense.tasks.base import Task


class NetworkFigures(Pictures):
    """Write `<folder>/{weights,frequency,shifted,bands}.png` after the test, each where it makes sense.

    Weights and levels are those of a quantized network; spectra and shifted codes belong to FAT's transform; bands are
    drawn, on request, for any network of a task whose examples have labels.

    Args (the others are those of `Pictures`):
        layers: whose weights and spectra are drawn, by name; None: three or fewer, spread over the network's depth.
        bands: into how many frequency bands to cut the weights, for the accuracy with each of them halved (32 in
            FAT): as many passes over test examples. 0: not drawn.
        band_examples: how many test examples each pass takes; 0: all.

    Raises:
        ValueError: a number below 0.
    """

    def __init__(
        self,
        folder: str,
        layers: list[str] | None = None,
        bands: int = 0,
        band_examples: int = 1000,
        formats: str | list[str] = "png",
    ) -> None:
        for name, value in (("bands", bands), ("band_examples", band_examples)):
            if value < 0:
                raise ValueError(f"{name}={value} must be 0 or more")
        super().__init__(folder, formats)
        self.layers = layers
        self.bands = bands
        self.band_examples = band_examples

    def begin(self, task: Task) -> None:
        chosen(views(task.network), self.layers)  # a wrong name is answered now
        if self.bands and task.takes == "frames":
            raise ValueError(
                f"bands={self.bands}: the accuracy with a band halved needs one label per example, and frames with "
                "boxes have none; set callback.network_figures.bands=0"
            )

    def drawings(self, trainer: Trainer) -> dict[str, Drawing]:
        return {
            "weights": self.weights,
            "frequency": self.frequency,
            "shifted": self.shifted,
            "bands": self.accuracy_by_band,
        }

    def weights(self, task: Task, data: ExperimentData) -> Figure | None:
        """Weights and levels of some layers; None for a network that is not quantized."""
        some = chosen(views(task.network), self.layers)
        if not some:
            return None
        names, rows, levels = zip(*((view.name, view.rows, view.levels) for view in some), strict=True)
        return plot_weights(names, rows, levels, heading(task, data))

    def frequency(self, task: Task, data: ExperimentData) -> Figure | None:
        """Spectra and masks of some layers; None without FAT's transform."""
        some = chosen(views(task.network), self.layers)
        magnitudes = [view.magnitudes for view in some if view.magnitudes is not None]
        masks = [view.mask for view in some if view.mask is not None]
        if not magnitudes:
            return None
        return plot_frequency([view.name for view in some], magnitudes, masks, heading(task, data))

    def shifted(self, task: Task, data: ExperimentData) -> Figure | None:
        """Share of codes that FAT's transform shifts, in every layer; None without it."""
        every = views(task.network)
        if all(view.magnitudes is None for view in chosen(every, self.layers)):
            return None
        return plot_shifted([view.name for view in every], [view.shifted for view in every], heading(task, data))

    def accuracy_by_band(self, task: Task, data: ExperimentData) -> Figure | None:
        """Accuracy in percent with each frequency band of the weights halved; None unless it was asked for."""
        if not self.bands:
            return None
        untouched = 100 * accuracy(task, data, self.band_examples)
        scores = []
        for band in range(self.bands):
            with band_scaled(task.network, band, self.bands):
                scores.append(100 * accuracy(task, data, self.band_examples))
        return plot_bands(scores, untouched, title=heading(task, data))


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
