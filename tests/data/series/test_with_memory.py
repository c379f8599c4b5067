"""Recordings through a converter with memory: who places its tables, what batches hold, and what gets lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.refusal import assert_names, refused

from qsense.data.series.dataset import Recording
from qsense.data.series.module import HARDataModule
from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.dpcm import DPCM

CONVERTERS = {"dpcm": DPCM, "adpcm": ADPCM}
Samples = npt.NDArray[np.float32]


class Altered(SyntheticIMU):
    """The simulated recordings, those of some subjects upside down and weaker."""

    def __init__(self, *subjects: int) -> None:
        super().__init__(subjects=3, sessions=1, minutes=2)
        self.altered = subjects

    def fingerprint(self) -> str:
        return f"{super().fingerprint()} {self.altered}"

    def recordings(self) -> list[Recording]:
        return [
            Recording(r.subject, r.name, -0.5 * r.x if r.subject in self.altered else r.x, r.y)
            for r in super().recordings()
        ]


def module(folder: Path, dataset: Any = None, **arguments: Any) -> HARDataModule:
    data = HARDataModule(dataset or Altered(), cache=str(folder), **{"normalise": "range", "fold": 1, **arguments})
    data.setup()
    return data


def tables(data: HARDataModule, kind: type[MemoryConverter], **arguments: Any) -> list[Any]:
    converter = kind(data.signal, 2, **arguments)
    data.fit(converter)
    return [value.tolist() for value in converter.state_dict().values()]


@pytest.mark.parametrize("kind", CONVERTERS.values(), ids=CONVERTERS)
@pytest.mark.parametrize("normalise", ["train", "range"])
def test_the_held_out_subject_places_no_table(kind: type[MemoryConverter], normalise: str, tmp_path: Path) -> None:
    usual, other, trained = (
        tables(module(tmp_path / str(n), Altered(*who), normalise=normalise), kind)
        for n, who in enumerate([(), (1,), (2,)])
    )
    assert other == usual
    assert trained != usual


@pytest.mark.parametrize("kind", CONVERTERS.values(), ids=CONVERTERS)
def test_tables_are_kept_and_taken_by_the_same_fold_and_settings(
    kind: type[MemoryConverter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "qsense")
    placed = []
    fit = MemoryConverter.fit_recordings

    def counted(converter: MemoryConverter, *recordings: Any) -> None:
        placed.append(converter)
        fit(converter, *recordings)

    monkeypatch.setattr(MemoryConverter, "fit_recordings", counted)
    first = tables(module(tmp_path), kind)
    assert_names(caplog.text, kind.__name__, "training recordings")
    assert tables(module(tmp_path, seed=5, window=20, stride=10), kind) == first
    assert len(placed) == 1
    tables(module(tmp_path, fold=2), kind)
    tables(module(tmp_path, normalise="train"), kind)
    tables(module(tmp_path), kind, leak=5)
    tables(module(tmp_path, Altered(0)), kind)
    assert len(placed) == 5
    if kind is ADPCM:
        tables(module(tmp_path), kind, moves=[-3, 3])
        assert len(placed) == 6
    entries = [entry for entry in tmp_path.iterdir() if "-fit-" in entry.name]
    assert len(entries) == len(placed)
    assert all(sum(file.stat().st_size for file in entry.iterdir()) < 5000 for entry in entries)


def test_a_damaged_entry_is_placed_again(tmp_path: Path) -> None:
    first = tables(module(tmp_path), DPCM)
    (entry,) = tmp_path.glob("*-fit-*")
    file = entry / "residual_levels.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    assert tables(module(tmp_path), DPCM) == first


def converted(data: HARDataModule, kind: type[MemoryConverter] = DPCM, **arguments: Any) -> MemoryConverter:
    converter = kind(data.signal, 2, **arguments)
    data.fit(converter)
    data.convert(converter)
    return converter


def recordings_of(data: HARDataModule, subject: int) -> list[Samples]:
    """Normalised by hand."""
    assert data.dataset.range is not None
    low, high = data.dataset.range
    return [(r.x - low) / (high - low) * 2 - 1 for r in data.dataset.recordings() if r.subject == subject]


@pytest.mark.parametrize("kind", CONVERTERS.values(), ids=CONVERTERS)
def test_batches_hold_what_is_decoded_of_whole_recordings(kind: type[MemoryConverter], tmp_path: Path) -> None:
    data = module(tmp_path, batch_size=1000)
    converter = converted(data, kind)
    (recording,) = recordings_of(data, 1)
    decoded = converter.decode(converter.encode(torch.from_numpy(recording)))
    batch = next(iter(data.test_dataloader()))
    assert torch.equal(batch.x[3], decoded[75:125])
    assert not torch.equal(batch.x[3], converter.decode(converter.encode(torch.from_numpy(recording[75:125]))))
    signal, stream, bounds = data.test_stream()
    np.testing.assert_allclose(signal, recording, atol=1e-6)
    assert torch.equal(torch.from_numpy(stream.values), decoded)
    assert bounds.tolist() == [0, len(recording)]
    assert set(np.unique(data.training_sample(1000))) <= set(np.unique(data.stream.values))
    assert torch.equal(data.example()[0], batch.x[0])


def test_recordings_are_converted_once_and_again_for_other_tables(tmp_path: Path) -> None:
    data = module(tmp_path)
    converter = converted(data)
    stream = data.stream
    data.convert(converter)
    assert data.stream is stream
    converter.get_buffer("residual_levels").add_(100)
    data.convert(converter)
    assert data.stream is not stream
    assert not np.array_equal(data.stream.values, stream.values)


def test_a_memory_decodes_on_after_a_loss_and_a_refresh_mends_it(tmp_path: Path) -> None:
    data = module(tmp_path)
    converter = converted(data, refresh=50, leak=0)
    whole = data.part("test").delivered.copy()
    lost, samples = data.lose(0.2, packet=25)
    assert 0 < lost < samples == 6000
    assert data.lost is not None
    received, (places,) = data.part("test").delivered, np.nonzero(data.lost)
    assert (received == converter.receive(data.stream.codes, np.array([0, 6000, 12000, 18000]), data.lost)).all()
    assert set(places // 6000) == {1}
    assert (data.part("train").delivered == whole).all()
    differs = (received != whole).any(axis=1)
    starts = np.arange(6000, 12000, 50)
    assert differs[~data.lost].any()  # it goes on from a wrong value
    assert not differs[starts[~data.lost[starts]]].any()  # until a refresh arrives
    assert data.lose(0) == (0, samples)
    assert (data.part("test").delivered == whole).all()


def test_without_memory_the_last_sample_is_held(tmp_path: Path) -> None:
    data = module(tmp_path)
    x, _ = data.training_recordings()
    (recording,) = recordings_of(data, 1)
    data.lose(0.3, packet=10, repeat=4)
    assert data.lost is not None
    lost, last = data.lost[6000:12000], x.mean(axis=0, dtype=np.float64).astype(np.float32)
    received = data.part("test").delivered[6000:12000]
    for time in range(300):
        last = last if lost[time] else recording[time]
        np.testing.assert_allclose(received[time], last, atol=1e-6)
    assert data.part("train").delivered is None
    data.lose(0.3, packet=10, repeat=4)
    assert data.lost is not None
    assert (data.lost[6000:12000] == lost).all()
    data.lose(0)
    assert data.part("test").delivered is None


def test_short_recordings_place_tables_and_give_no_window(memory: Any, tmp_path: Path) -> None:
    data = module(tmp_path, memory([[120, 20, 1], [100, 3], [51, 230]]), normalise="dataset", fold=1)
    x, bounds = data.training_recordings()
    assert (len(x), bounds.tolist()) == (422, [0, 120, 140, 141, 192, 422])
    converter = converted(data)
    assert len(data.stream.values) == 525
    assert len(data.part("test")) == 3
    signal, stream, bounds = data.test_stream()
    assert (len(signal), len(stream.codes), bounds.tolist()) == (103, 103, [0, 100, 103])
    assert data.lose(1.0, packet=1000) == (103, 103)
    centre = converter.receive(data.stream.codes[:1], np.array([0, 1]), np.array([True]))
    assert (data.part("test").delivered[141:244] == centre).all()


def test_no_stream_before_conversion(tmp_path: Path) -> None:
    with refused(RuntimeError, "convert(converter)"):
        module(tmp_path).test_stream()
