"""The picture of a converter with memory: which stretches, which axes, in which unit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from qsense.callbacks.figures import Figures
from qsense.callbacks.stream import rank, snr, stream, stretches
from qsense.data.series.dataset import Recording
from qsense.data.series.module import HARDataModule
from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.dpcm import DPCM


def task(sensor: Any) -> Any:
    return SimpleNamespace(sensor=sensor, takes="series", network_quantizer=None)


def test_the_picture_shows_the_signal_in_its_own_unit(activities: HARDataModule) -> None:
    sensor = DPCM(activities.signal, 2, refresh=50)
    activities.fit(sensor)
    activities.convert(sensor)
    figure = stream(task(sensor), activities)
    assert figure is not None
    recording = next(r for r in activities.dataset.recordings() if r.subject == activities.fold)
    panels = np.array(figure.axes).reshape(3, 3, 2)
    time, moving = panels[0, 0, 0].lines[1].get_xydata().T
    assert len(time) == 150
    start = round(time[0] * 50)
    np.testing.assert_allclose(moving, recording.x[start : start + 150, 0], atol=1e-5)
    assert panels[0, 0, 0].get_ylabel() == "acc_x (g)"
    signal, made, _ = activities.test_stream()
    assert f"{snr(signal, made.values).mean():.1f} dB" in figure.get_suptitle()
    assert all(len(panels[axis, 1, 0].lines[1].get_xdata()) == 3 for axis in range(3))  # a refresh each second


def test_a_memory_has_a_stream_and_no_curve_and_others_the_reverse(activities: HARDataModule) -> None:
    sensor = ADPCM(activities.signal, 2)
    activities.fit(sensor)
    activities.convert(sensor)
    assert Figures("").transfer(task(sensor), activities) is None
    assert stream(task(sensor), activities) is not None
    assert stream(task(Identity(activities.signal)), activities) is None


class Short(SyntheticIMU):
    """The first samples of each recording."""

    def recordings(self) -> list[Recording]:
        return [Recording(r.subject, r.name, r.x[:60], r.y[:60]) for r in super().recordings()]


def test_short_recordings_are_drawn_whole(tmp_path: Path) -> None:
    data = HARDataModule(Short(subjects=2, sessions=1, minutes=2), cache=str(tmp_path))
    data.setup("fit")
    sensor = DPCM(data.signal, 1)
    data.fit(sensor)
    data.convert(sensor)
    figure = stream(task(sensor), data)
    assert figure is not None
    assert len(np.asarray(figure.axes[0].lines[0].get_xdata())) == 60


def test_stretches_lie_within_recordings() -> None:
    rng = np.random.default_rng(0)
    x, bounds = rng.normal(size=(500, 2)), np.array([0, 30, 180, 190, 500])
    x[200:240] *= 9
    x[90:130] /= 9
    moving, calm = stretches(x, bounds, 40)
    assert 190 <= moving <= 210
    assert 60 <= calm <= 120


def test_codes_are_ranked_by_what_they_stand_for(activities: HARDataModule) -> None:
    sensor = ADPCM(activities.signal, 3)
    activities.fit(sensor)
    codes = np.arange(8)
    firsts = sensor.decode(torch.from_numpy(codes)[:, None, None].expand(8, 1, 3).contiguous())[:, 0, 0]
    order = rank(codes, sensor)
    assert sorted(order) == list(range(8))
    assert (np.diff(firsts.numpy()[np.argsort(order)]) > 0).all()
