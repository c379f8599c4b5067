"""Checkpoints as they are written, so that a crash loses none, and read, so that a damaged one is never used.

Open it to change what a checkpoint must hold to be gone on from.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from packaging.version import InvalidVersion, Version
from torch import Tensor

from qsense.runs.checkpoints import CHECKPOINT, PREVIOUS, CheckpointError, checkpoints, verify
from qsense.runs.folder import write_bytes_atomically
from qsense.runs.result import set_aside

log = logging.getLogger(__name__)

# What training needs to go on, and what it is.
TO_RESUME: dict[str, type] = {
    "state_dict": dict, "epoch": int, "global_step": int, "pytorch-lightning_version": str, "loops": dict,
    "callbacks": dict, "optimizer_states": list, "lr_schedulers": list,
}  # fmt: skip


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's, but each file is written beside its place, forced to the disk and renamed into it.

    Lightning itself writes to $TMPDIR and moves the file, which across file systems is a copy: a kill in it, or a full
    disk, would cost the good checkpoint in its place. Of `last.ckpt`, the one before stays as `previous.ckpt`.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            CheckpointError: it cannot be written; what was there before is still whole.
        """
        if "://" in str(path):  # not a file of this machine's
            return super().save_checkpoint(checkpoint, path, storage_options)
        file = Path(path)
        content = io.BytesIO()
        torch.save(checkpoint, content)
        before = file.with_name(PREVIOUS.name) if file.name == CHECKPOINT.name else None
        try:
            write_bytes_atomically(file, content.getbuffer(), before)
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint {file} cannot be written ({error.strerror or error}): make room, or choose another "
                "folder with runs=FOLDER; the same command then goes on from the last checkpoint that was written"
            ) from error
        return None


def read_checkpoint(file: Path) -> dict[str, Any]:
    """A checkpoint whose every byte is as it was written, on the CPU; nothing in it is run.

    Raises:
        CheckpointError: it is damaged, or no checkpoint of a run.
    """
    verify(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whole, and yet of a torch, or a program, that writes other things
        text = str(error)
        found = re.search(r"WeightsUnpickler error: ([^\n]*)", text)
        reason = (found[1] if found else (text.splitlines() or [type(error).__name__])[0])[:200]
        raise CheckpointError(
            f"{file} cannot be used: torch {torch.__version__} does not load it ({reason})"
        ) from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{file} cannot be used: it holds no trained task (no 'state_dict' of tensors)")
    return dict(content)


def check_fit(file: Path, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Refuse a task's state where another task's is needed.

    Args:
        file: where the state is from.
        state: what it holds.
        own: what the task that is to take it over holds.

    Raises:
        CheckpointError: names or shapes differ.
    """
    differ = [
        f"{name}: {_shape(state.get(name))} there, {_shape(own.get(name))} here"
        for name in [*own, *(name for name in state if name not in own)]
        if _shape(state.get(name)) != _shape(own.get(name))
    ]
    if differ:
        more = f"; and {len(differ) - 3} more" if len(differ) > 3 else ""
        raise CheckpointError(f"{file} is of another task or network: {'; '.join(differ[:3])}{more}")


def _shape(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else str(list(tensor.shape))


def check_resumable(file: Path, own: Mapping[str, Tensor]) -> dict[str, Any]:
    """A checkpoint from which the training of a task can go on.

    Args:
        file: the checkpoint.
        own: the task's state.

    Raises:
        CheckpointError: it cannot.
    """
    content = read_checkpoint(file)
    for key, kind in TO_RESUME.items():
        if not isinstance(content.get(key), kind):
            raise CheckpointError(f"{file} cannot be used: it has no '{key}' to go on with")
    try:  # Lightning would begin at epoch 0 without it, and say nothing
        int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["completed"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be used: it has no 'epoch_progress' to go on with") from error
    try:
        Version(content["pytorch-lightning_version"])
    except InvalidVersion as error:
        raise CheckpointError(f"{file} cannot be used: pytorch-lightning_version: {error}") from error
    check_fit(file, content["state_dict"], own)
    return content


def sound_checkpoint(run: Path, own: Mapping[str, Tensor]) -> Path | None:
    """The checkpoint to go on from: the latest that is whole and the task's own; None: training starts anew.

    Any other is kept under another name, and said.

    Args:
        run: the run's folder.
        own: the task's state.
    """
    for file in checkpoints(run):
        try:
            check_resumable(file, own)
        except CheckpointError as error:
            with suppress(OSError):  # one of them is enough to look at
                file.with_name(f"{file.name}.damaged").unlink()
            aside = set_aside(file)
            left = checkpoints(run)
            then = f"goes on from {left[0].name}, the one before it" if left else "starts anew"
            log.warning("%s: kept as %s, training %s", error, aside.name, then)
            continue
        return file
    return None
