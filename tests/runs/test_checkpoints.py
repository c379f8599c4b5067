"""Checkpoints: a crash while one is written loses none, a damaged one is never used, and the one before it is."""

from __future__ import annotations

import errno
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusal import assert_names, refused

from qsense.runs.checkpoint_io import AtomicCheckpointIO, check_resumable, read_checkpoint, sound_checkpoint
from qsense.runs.checkpoints import CHECKPOINT, PREVIOUS, CheckpointError, checkpoint, drop_previous, verify

OWN = {"network.weight": torch.arange(6.0).reshape(2, 3), "sensor.gamma": torch.tensor([0.4])}
LOOPS = {"fit_loop": {"epoch_progress": {"current": {"completed": 1}}}}
IO = AtomicCheckpointIO()


def content(epoch: int = 0, **changes: Any) -> dict[str, Any]:
    """What Lightning hands over at the end of an epoch, with `changes`; None takes a key away."""
    whole = {
        "state_dict": OWN, "epoch": epoch, "global_step": epoch, "pytorch-lightning_version": "2.6.6",
        "loops": LOOPS, "callbacks": {}, "optimizer_states": [], "lr_schedulers": [], **changes,
    }  # fmt: skip
    return {key: value for key, value in whole.items() if value is not None}


def saved(file: Path, *arguments: Any, **changes: Any) -> bytes:
    """A checkpoint in a file, and its bytes."""
    IO.save_checkpoint(content(*arguments, **changes), file)
    return file.read_bytes()


def archive(name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Another program's zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        made.writestr(name, data)
    return buffer.getvalue()


class Runs:
    """What would run if it were unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("touch ran",)


def old_format() -> bytes:
    """A checkpoint as torch wrote them before it took to archives: without checksums."""
    buffer = io.BytesIO()
    torch.save(content(), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def torch_file(value: Any) -> bytes:
    """A whole file of torch's."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "one byte": lambda whole: b"\x80",
    "text": lambda whole: b"hello world\n",
    "half": lambda whole: whole[: len(whole) // 2],
    "without its last byte": lambda whole: whole[:-1],
    "without its first byte": lambda whole: whole[1:],
    "zeros, as after a power cut": lambda whole: bytes(len(whole)),
    "zeros at its end": lambda whole: whole[:-600] + bytes(600),
    "a bit flipped in a weight": lambda whole: flipped(whole, whole.index(OWN["network.weight"].numpy().tobytes())),
    "a page of a proxy": lambda whole: b"<html><body>502 Bad Gateway</body></html>",
    "another program's archive": lambda whole: archive("word/document", b"<xml/>"),
    "a compressed archive": lambda whole: archive("last/data.pkl", b"a" * 99, zipfile.ZIP_DEFLATED),
    "an archive like torch's": lambda whole: archive("last/data.pkl", b"hello"),
    "the format of before 1.6": lambda whole: old_format(),
    "an empty mapping": lambda whole: torch_file({}),
    "a list": lambda whole: torch_file([OWN]),
    "weights alone": lambda whole: torch_file(OWN),
    "a state that is no mapping": lambda whole: torch_file(content(state_dict=[1])),
    "a state without tensors": lambda whole: torch_file(content(state_dict={"network.weight": 1})),
    "an empty state": lambda whole: torch_file(content(state_dict={})),
    "what would run": lambda whole: torch_file(content(more=Runs())),
}
# Whole, and yet nothing to go on from: what is named, and what differs.
UNFIT: dict[str, dict[str, Any]] = {
    "loops": {"loops": None},
    "optimizer_states": {"optimizer_states": None},
    "lr_schedulers": {"lr_schedulers": None},
    "epoch": {"epoch": "3"},
    "global_step": {"global_step": None},
    "pytorch-lightning_version": {"pytorch-lightning_version": 2},
    "callbacks": {"callbacks": []},
    "'epoch_progress'": {"loops": {}},
    "no 'epoch_progress'": {"loops": {"fit_loop": {"epoch_progress": {"total": 3}}}},
    "new": {"pytorch-lightning_version": "new"},
    "[2, 4]": {"state_dict": {**OWN, "network.weight": torch.zeros(2, 4)}},
    "sensor.gamma": {"state_dict": {"network.weight": OWN["network.weight"]}},
    "network.bias": {"state_dict": {**OWN, "network.bias": torch.zeros(2)}},
}


def flipped(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_one_is_refused_whatever_is_in_it(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    latest, before = tmp_path / CHECKPOINT, tmp_path / PREVIOUS
    saved(latest, 1)
    whole = saved(latest, 2)
    damaged = DAMAGED[name](whole)
    latest.write_bytes(damaged)
    with refused(CheckpointError, latest):
        read_checkpoint(latest)
    assert sound_checkpoint(tmp_path, OWN) == before
    assert_names(caplog.text, latest, "last.ckpt.damaged", "previous.ckpt")
    assert latest.with_name("last.ckpt.damaged").read_bytes() == damaged
    assert read_checkpoint(before)["epoch"] == 1
    before.write_bytes(damaged)
    assert sound_checkpoint(tmp_path, OWN) is None
    assert "anew" in caplog.text
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("named", UNFIT)
def test_a_whole_one_that_cannot_be_gone_on_from(tmp_path: Path, named: str) -> None:
    file = tmp_path / CHECKPOINT
    saved(file, **UNFIT[named])
    with refused(CheckpointError, file, named):
        check_resumable(file, OWN)
    assert sound_checkpoint(tmp_path, OWN) is None


def test_every_flipped_byte_is_seen_or_harmless(tmp_path: Path) -> None:
    file = tmp_path / "some.ckpt"
    whole = saved(file)
    harmless = 0
    for place in range(0, len(whole), 7):
        file.unlink()  # another file, or a check might remember this one
        file.write_bytes(flipped(whole, place))
        try:
            found = read_checkpoint(file)
        except CheckpointError:
            continue
        harmless += 1
        assert all(torch.equal(found["state_dict"][name], value) for name, value in OWN.items())
        assert found["epoch"] == 0
    assert harmless < len(whole) / 7  # padding, times


@pytest.mark.parametrize("kind", ["folder", "link to nothing"])
def test_what_is_no_file_is_moved_aside(tmp_path: Path, kind: str) -> None:
    file = tmp_path / CHECKPOINT
    file.parent.mkdir()
    if kind == "folder":
        (file / "below").mkdir(parents=True)
    else:
        file.symlink_to(tmp_path / "nowhere")
    with refused(CheckpointError, file):
        verify(file)
    assert sound_checkpoint(tmp_path, OWN) is None
    saved(file)
    assert sound_checkpoint(tmp_path, OWN) == file


def test_two_are_kept_and_of_a_finished_run_one(tmp_path: Path) -> None:
    latest, before = tmp_path / CHECKPOINT, tmp_path / PREVIOUS
    assert checkpoint(tmp_path) is None
    for epoch in range(4):
        saved(latest, epoch)
    assert sorted(file.name for file in latest.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]
    assert [read_checkpoint(file)["epoch"] for file in (latest, before)] == [3, 2]
    drop_previous(tmp_path)
    assert [file.name for file in latest.parent.iterdir()] == ["last.ckpt"]
    IO.save_checkpoint(content(), latest.with_name("best.ckpt"))  # of a user's own callback
    IO.save_checkpoint(content(), latest.with_name("best.ckpt"))
    assert sorted(file.name for file in latest.parent.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_kill_between_two_renames_leaves_the_one_before(tmp_path: Path) -> None:
    latest, before = tmp_path / CHECKPOINT, tmp_path / PREVIOUS
    saved(latest, 1)
    latest.rename(before)
    assert checkpoint(tmp_path) == before
    assert sound_checkpoint(tmp_path, OWN) == before
    drop_previous(tmp_path)
    assert before.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_a_full_disk_keeps_the_one_before_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    latest = tmp_path / CHECKPOINT
    whole = saved(latest, 1)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with refused(CheckpointError, latest, os.strerror(number), "runs=FOLDER"):
        saved(latest, 2)
    assert [file.name for file in latest.parent.iterdir()] == ["last.ckpt"]
    assert latest.read_bytes() == whole


def test_nothing_is_copied_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Lightning's own goes by way of $TMPDIR, and across file systems a move is a copy.
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a checkpoint was copied")

    for name in ("move", "copyfile", "copyfileobj", "copy", "copy2"):
        monkeypatch.setattr(shutil, name, never)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    saved(tmp_path / CHECKPOINT)
    assert sound_checkpoint(tmp_path, OWN)
