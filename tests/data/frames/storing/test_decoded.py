"""Frames through a converter with memory: at native size, before they are resized, by tables of training frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.frames.test_module import Memory
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.geometry.nearest import resize
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.storing import decoded
from qsense.quant.sensor.memory.mipi import MipiDPCM
from qsense.quant.sensor.memory.pisp import PiSP
from qsense.quant.sensor.memory.row_dpcm import RowDPCM


class Shrinking(Memory):
    """Gives its frames at a short side of 32 unless native ones were asked for."""

    def codes(self, frame: Any) -> Any:
        codes = super().codes(frame)
        native = self.prepared and self.prepared[-1][1] is None
        return codes if native else resize(codes, (32, 56))


def module(folder: Path, data: Memory | None = None, whole: bool = True, **arguments: Any) -> DetectionDataModule:
    made = DetectionDataModule(data or Memory(), batch_size=4, cache=str(folder), **arguments)
    made.whole = whole
    made.setup()
    return made


def converter(data: DetectionDataModule, bits: int = 3) -> RowDPCM:
    made = RowDPCM(data.signal, bits)
    data.fit(made)
    return made


@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "in the cache"])
def test_batches_hold_what_is_decoded_before_frames_are_resized(
    stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "SMALL", 0 if stored else decoded.SMALL)
    data = module(tmp_path, Memory(train=4, test=3), test_size=32)
    raw = data.part("test")[0].x
    sensor = converter(data)
    data.convert(sensor)
    for part in ("train", "test"):
        for index, frame in enumerate(data.part(part).frames):
            native = sensor.received(data.dataset.codes(frame))
            batch = data.part(part)[index]
            height, width = batch.sizes[0]
            assert batch.x.dtype == raw.dtype
            assert np.array_equal(batch.x[0, :, :height, :width].numpy(), resize(native, (height, width)))
            assert (height, width) == (32, 56)
    assert len(list(tmp_path.glob("*-decoded-*/*.npy"))) == (7 if stored else 0)
    assert np.array_equal(data.unconverted(data.part("test")[0]).x, raw)
    assert not np.array_equal(data.part("test")[0].x, raw)
    data.convert(None)
    assert np.array_equal(data.part("test")[0].x, raw)


@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "in the cache"])
def test_a_published_format_is_placed_by_nothing(stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "SMALL", 0 if stored else decoded.SMALL)
    data = module(tmp_path, Memory(train=2, test=1), test_size=None, train_sizes=None)
    for sensor in (PiSP(data.signal), PiSP(data.signal, offset=200), MipiDPCM(data.signal), MipiDPCM(data.signal, 10)):
        data.convert(sensor)
        (frame,) = data.part("test").frames
        batch = data.part("test")[0]
        assert np.array_equal(batch.x[0, :, :40, :70].numpy(), sensor.received(data.dataset.codes(frame)))
    assert len(list(tmp_path.glob("*-decoded-*/*.npy"))) == (4 * 3 if stored else 0), "for each setting on its own"


@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "in the cache"])
def test_decoded_frames_of_several_sizes_are_resized_once(
    stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "SMALL", 0 if stored else decoded.SMALL)
    data = module(tmp_path, Memory(train=4, test=3), train_sizes=[32, 34, 38], test_size=36, stored="sizes")
    sensor = converter(data)
    data.convert(sensor)
    for part in ("train", "test"):
        for batch in (data.part(part)[index] for index in range(3)):
            received = sensor.received(data.dataset.codes(batch.frames[0]))
            height, width = batch.sizes[0]
            assert np.array_equal(batch.x[0, :, :height, :width].numpy(), resize(received, (height, width)))
            raw = data.unconverted(batch).x[0, :, :height, :width].numpy()
            assert np.array_equal(raw, resize(data.dataset.codes(batch.frames[0]), (height, width)))


def test_positions_are_those_without_a_converter(tmp_path: Path) -> None:
    plain = module(tmp_path, Shrinking(train=2, test=1), whole=False, test_size=32)
    whole = module(tmp_path, Shrinking(train=2, test=1), test_size=32)
    assert np.array_equal(plain.part("test")[0].x, whole.part("test")[0].x)


def test_frames_that_were_stored_smaller_are_refused(tmp_path: Path) -> None:
    data = module(tmp_path, Shrinking(train=2, test=1), whole=False, test_size=32)
    with refused(DataError, "32 × 56", "40 × 70", "native"):
        converter(data)


def test_tables_are_placed_by_training_frames_alone_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "qsense")
    data = module(tmp_path, validation=0.2)
    x, bounds = data.training_recordings()
    shown = [frame.id for frame in data.part("train").frames]
    assert x.dtype == np.uint16
    assert len(bounds) - 1 == 40 * len(shown)
    assert set(np.diff(bounds)) == {70}
    assert np.array_equal(x[: 40 * 70], data.dataset.codes(data.part("train").frames[0]).reshape(4, -1).T)
    first = converter(data)
    assert_names(caplog.text, "RowDPCM", f"{40 * len(shown)} training rows")
    monkeypatch.setattr(RowDPCM, "fit_recordings", None)  # a second run takes them from the cache
    again = converter(module(tmp_path, validation=0.2, seed=5))
    assert again.residual_levels.equal(first.residual_levels)


def test_large_sets_are_sampled_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsense.data.frames.samples.FITTED_ON", 10 * 4 * 70 * 3)
    monkeypatch.setattr("qsense.data.frames.samples.FITTED_FRAMES", 10)
    x, bounds = module(tmp_path).training_recordings()
    assert x.shape == (10 * 70 * 3, 4)
    assert len(bounds) == 31


def test_a_map_behind_the_converter_is_fitted_to_what_it_delivers(tmp_path: Path) -> None:
    data = module(tmp_path)
    before = data.sensor_sample(2000)
    sensor = converter(data, bits=1)
    data.convert(sensor)
    after = data.sensor_sample(2000)
    assert before.shape == after.shape
    assert not before.equal(after)
