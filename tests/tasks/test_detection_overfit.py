"""Each small detector learns eight simulated frames by heart, through a quantizer and the whole task."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lightning import Trainer
from omegaconf import DictConfig

from qsense.experiment.build import build

EIGHT = (
    *("task=detection", "quant=gamma", "bits=8", "quant.sensor.gamma=0.4", "task.lr=1e-3", "task.warmup=20"),
    *("data.dataset.regime=high_key", "data.dataset.train_frames=8", "data.flip=false"),
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["faster_rcnn_small", "retinanet_small", "paa_small", "fcos_small"])
def test_eight_frames_are_learned_by_heart(composed: Callable[..., DictConfig], model: str) -> None:
    data, task = build(composed(*EIGHT, f"model={model}"))
    data.setup("fit")
    data._parts["test"] = data._parts["train"]
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=150,  # of one batch
        gradient_clip_val=5.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    assert task.results()["metrics"]["map"] > 0.9
