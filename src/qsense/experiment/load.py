"""A finished run with everything it was made of, trained, from its folder.

Open it to see what a saved run needs to be used again: for evaluation, export, pictures, or predictions in Python.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from qsense.experiment import signatures, trusted
from qsense.experiment.errors import ConfigError
from qsense.experiment.recorded import for_instantiate
from qsense.quant.network.integer.needs import misfits
from qsense.runs import folder as run_folder
from qsense.runs.checkpoints import CHECKPOINT, checkpoint, verify
from qsense.runs.next_steps import say_next
from qsense.runs.settings import bits_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from lightning import Trainer
    from torch import Tensor

    from qsense.data.module import ExperimentData
    from qsense.quant.sensor.memory.base import MemoryConverter
    from qsense.quant.sensor.sensor import Sensor
    from qsense.tasks.base import Task


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A finished run.

    Args:
        folder: its folder.
        config: its configuration, resolved.
        result: what it recorded, its `metrics.json`.
        data: its data module; nothing is read before `setup()`.
        task: its trained task, in evaluation mode.
        trainer: its trainer, without loggers, and with no callback but a progress bar.
    """

    folder: Path
    config: DictConfig
    result: dict[str, Any]
    data: ExperimentData
    task: Task
    trainer: Trainer

    @property
    def metrics(self) -> dict[str, float]:
        """What the last test measured, by name."""
        metrics: dict[str, float] = self.result["metrics"]
        return metrics

    @property
    def converter(self) -> Sensor:
        """The sensor's learned quantizer: `encode`, `decode`; without memory `thresholds()`, `levels()`, too."""
        return self.task.sensor

    def predict(
        self,
        x: Tensor | npt.NDArray[Any],
        condition: str | None = None,
        gains: Sequence[float] | None = None,
    ) -> Any:
        """What the trained task makes of what its sensor delivers; data on disk is not needed.

        Args:
            x: one example or a batch of them. Series: [window, axes] or [B, window, axes] in the sensor's unit, before
                normalisation; they are normalised by the extremes that the run recorded (and cut off at them), as in
                training. For a converter with memory each window is a recording from its start: `predict_recording`
                lets it go through a longer one. Images: [C, H, W] or [B, C, H, W], integer codes 0 … white, or floats
                as shares of full scale. Frames: native integer codes [C, h, w] or [B, C, h, w], Bayer planes in the
                order of `PLANES`.
            condition: the circumstance of all frames of x, one of the signal's `conditions`, where its quantizer minds.
            gains: the camera's white balance for all frames of x, of red, green and blue, where the run's
                `task.white_balance` is the camera's; elsewhere None.

        Returns:
            Probabilities of the classes (`data.class_names`), float32 [K] or [B, K]. Of frames, for each a dictionary
            of `boxes` float32 [n, 4] (left, top, right, bottom in pixels of x), `scores` [n] and `labels` int64 [n],
            best first.

        Raises:
            ValueError: a shape or type that is not the sensor's, values that are not finite, an unknown condition, or
                gains where there should be none, or the other way round.
        """
        from qsense.quant.sensor.memory.whole import WholeConverter

        samples = _finite(x)
        by_camera = self.config.task.get("white_balance") == "camera"
        if by_camera != (gains is not None):
            needs = "the frames' own, gains=[red, green, blue]" if by_camera else "none, as it is not camera"
            raise ValueError(f"gains={gains}: task.white_balance of {self.folder} needs {needs}")
        conditions = self.data.signal.conditions
        if condition is not None and condition not in conditions:
            raise ValueError(f"condition={condition!r}: the signal's conditions are {', '.join(conditions) or 'none'}")
        one = samples.dim() == self.data.dimensions
        index = conditions.index(condition) if condition else 0
        sensor = self.converter
        if isinstance(sensor, WholeConverter) and sensor.takes == "frames":  # at native size, before any resize
            samples = sensor.received_frames(samples)
        batch = self.data.received(samples[None] if one else samples, self.result["statistics"], index)
        if gains is not None:
            red, green, blue = gains
            batch = replace(batch, frames=[replace(frame, gains=(red, green, blue)) for frame in batch.frames])
        if (memory := self._with_memory) is not None and memory.takes == "series":
            batch = memory.decode(memory.encode(batch))
        found = self.task.predict(batch.to(self.task.device))
        if self.data.gives == "frames":
            found = batch.unscaled(found)
        return found[0] if one else found

    def predict_recording(self, x: Tensor | npt.NDArray[Any]) -> Tensor:
        """What the trained task makes of a whole recording, window by window, as in its test.

        Args:
            x: samples [time, axes] of a series in the sensor's unit, before normalisation; a converter with memory
                begins at the first one and goes through all of them.

        Returns:
            Probabilities of the classes, float32 [windows, K]; window i begins at sample i · `data.stride`.

        Raises:
            ValueError: the run's data are no series, a shape that is not the sensor's, or values that are not finite.
        """
        from qsense.data.series.module import HARDataModule

        if not isinstance(self.data, HARDataModule):
            raise ValueError(f"{self.folder} works on {self.data.gives}, and series alone have recordings: use predict")
        windows = self.data.received_recording(_finite(x), self.result["statistics"], self._with_memory)
        probabilities: Tensor = self.task.predict(windows.to(self.task.device))
        return probabilities

    @property
    def _with_memory(self) -> MemoryConverter | None:
        """The sensor's converter, if it has memory: samples go through it before the task gets them."""
        from qsense.quant.sensor.memory.base import MemoryConverter

        return self.converter if isinstance(self.converter, MemoryConverter) else None

    def evaluate(self) -> dict[str, Any]:
        """Test the task again: its part of the result, as it is now.

        Raises:
            FileNotFoundError: the data is not there.
            ValueError: its trainer is told to test nothing.
        """
        self.trainer.test(self.task, datamodule=self.data, verbose=False)
        results: dict[str, Any] = self.task.results()
        if "metrics" not in results:
            limit = self.config.trainer.get("limit_test_batches")
            raise ValueError(
                f"{self.folder / run_folder.CONFIG}: trainer.limit_test_batches={limit} leaves nothing to test: give "
                "it what the run had"
            )
        return results

    def untrained(self) -> Task:
        """The task as it was before training."""
        return _build(self.config)[1]

    def say_next(self) -> None:
        """Print commands that go on from this run."""
        say_next(*next_steps(self.folder, self.config))


def _finite(x: Tensor | npt.NDArray[Any]) -> Tensor:
    """x as a tensor, refused where it is not finite."""
    import numpy as np
    import torch

    if isinstance(x, np.ndarray) and not x.flags.writeable:  # as a memory map is; torch warns of those
        x = x.copy()
    samples = torch.as_tensor(x)
    if samples.is_floating_point() and not samples.isfinite().all():
        raise ValueError("x holds NaN or infinity: fill or reject such samples first")
    return samples


def next_steps(folder: Path, config: DictConfig) -> list[tuple[tuple[object, ...], str]]:
    """Commands that go on from a finished run, each with what it does."""
    bits, network_bits = bits_of(config)
    own = bits and not signatures.constant(config.quant.sensor._target_, "digital")  # a converter that was made here
    allow = [word for module in trusted.to_allow(config) for word in ("--allow", module)]
    export = [(("export", folder, *allow, "--check"), "its ADC as tables, C, Verilog, ONNX and a datasheet")]
    freeze = [(("freeze", folder, *allow), "its network as integers and scales")]
    firmware = [(("export", folder, *allow, "format=firmware", "--check"), "a C99 program for a microcontroller")]
    suits = becomes_firmware(config)
    is_series = "window" in config.data
    pictures = f"beside other runs; pictures are in {folder / 'figures'}"
    return [
        *export * bool(own),
        *firmware * suits,
        *freeze * (bool(network_bits) and not suits),
        (("report", folder.parent), pictures),
        *[(("stream", folder, *allow), "its classes, live: of test recordings, a file, a sensor")] * is_series,
    ]


def becomes_firmware(config: DictConfig) -> bool:
    """Whether `qsense export RUN format=firmware` takes a run, as far as its configuration tells."""
    if "window" not in config.data or not signatures.has_method(config.model._target_, "chain"):
        return False
    network = config.quant.network
    # null: what enters a classifier behind a pool is in floats
    return network is None or (network.get("first_last_input_bits", "auto") is not None and not list(misfits(network)))


def load(
    folder: str | Path, root: str | None = None, accelerator: str = "cpu", allow: Sequence[str] = ()
) -> TrainedRun:
    """A finished run, trained; torch's, NumPy's and Python's random numbers go on as if nothing had happened.

    The folder is data: it may name the parts that qsense offers and no others, fetches nothing, and runs nothing.

    Args:
        folder: the run's folder.
        root: where the data lies now, if not where it lay then.
        accelerator: of the trainer, Lightning's name of the device.
        allow: your own modules, such as "mylab.adc", whose classes it may name, too; or single classes.

    Raises:
        FileNotFoundError: no run, an unfinished one, one without its checkpoint, or data that is not there.
        ValueError: a damaged run, or data that it cannot use (`ResultError`, `CheckpointError`, `DataError`).
        ConfigError: a part that refuses its arguments, or that nobody here has offered or allowed.
    """
    folder = Path(folder)
    result = run_folder.result(folder)
    file = checkpoint(folder)
    if file is None:
        raise FileNotFoundError(f"{folder / CHECKPOINT} is missing: there are no weights to rebuild the run from")
    config = trusted.read(folder / run_folder.CONFIG, allow)
    verify(file)
    _stay_here(config)
    if root is not None:
        if "root" not in config.data.dataset:
            raise ValueError(f"--root: {config.data.dataset._target_} is computed and reads no folder")
        config.data.dataset.root = root

    from hydra.utils import instantiate

    from qsense.callbacks.progress import Bar
    from qsense.runs.checkpoint_io import check_fit, read_checkpoint

    data, task = _build(config)
    state = read_checkpoint(file)["state_dict"]
    check_fit(file, state, task.state_dict())
    task.load_state_dict(state)
    make_trainer = instantiate(for_instantiate(config.trainer), _partial_=True, _convert_="all")
    trainer = make_trainer(
        accelerator=accelerator, devices=1, num_nodes=1, logger=False, enable_checkpointing=False, callbacks=[Bar()]
    )  # fmt: skip
    return TrainedRun(folder, config, result, data, task.eval(), trainer)


def _stay_here(config: DictConfig) -> None:
    """Fetch nothing, write nowhere and wait for no other machine that a run's file says: none is needed to build it."""
    config.init_from = config.resume_from = None  # the checkpoint holds the weights
    for key in ("callbacks", "logger", "profiler", "default_root_dir", "strategy", "fast_dev_run", "plugins"):
        config.trainer.pop(key, None)
    if "download" in config.data.dataset:
        config.data.dataset.download = False
    workers = config.data.get("num_workers")
    if isinstance(workers, int):  # a file may ask for any number of processes
        config.data.num_workers = min(workers, os.cpu_count() or 1)
    # A cache is known by its fingerprints; any other folder is not written to.
    if config.data.get("cache") and not (Path(config.data.cache).expanduser() / "fingerprints").is_dir():
        config.data.cache = os.environ.get("QSENSE_CACHE") or "~/.cache/qsense"


def _build(config: DictConfig) -> tuple[ExperimentData, Task]:
    from lightning.pytorch.utilities.seed import isolate_rng

    from qsense.experiment.build import build
    from qsense.models.weights import left_to_checkpoint

    with isolate_rng(), left_to_checkpoint():
        try:
            return build(for_instantiate(config))
        except TypeError as error:  # an argument too many, or too few
            raise ConfigError(f"a part of {run_folder.CONFIG} refuses its arguments: {error}") from error
