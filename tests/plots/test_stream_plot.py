"""Pictures of converters with memory: what a stream and a curve of losses show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.plots.loss import plot_loss
from qsense.plots.stream import Stretch, plot_stream

RATE = 50.0
SIGNAL = np.stack([np.sin(np.arange(100) / 9), np.arange(100) / 50], axis=1)


def stretch(label: str, start: float, factor: float = 1.0) -> Stretch:
    codes = np.tile([0.0, 3.0], (50, 2)).reshape(100, 2)
    return Stretch(label, start, factor * SIGNAL, factor * (SIGNAL + 0.25), codes)


def test_each_axis_shows_signal_codes_and_error_of_each_stretch() -> None:
    parts = [stretch("moving", 12.0), stretch("calm", 3.0, factor=0.01)]
    parts[1].codes[7, 1] = np.nan
    figure = plot_stream(parts, RATE, 2, names=("x", "y"), notes=("SNR 1 dB", "SNR 2 dB"), unit="g", title="DPCM")
    panels = np.array(figure.axes).reshape(2, 3, 2)  # axis, signal or codes or error, stretch
    for axis, column in np.ndindex(2, 2):
        signal, codes, error = panels[axis, :, column]
        part = parts[column]
        time = part.start + np.arange(100) / RATE
        np.testing.assert_allclose(signal.lines[1].get_xydata(), np.stack([time, part.signal[:, axis]], axis=1))
        np.testing.assert_allclose(signal.lines[0].get_ydata(), part.decoded[:, axis])
        np.testing.assert_array_equal(codes.lines[0].get_ydata(), part.codes[:, axis])
        np.testing.assert_allclose(error.lines[1].get_ydata(), 0.25 * (1.0, 0.01)[column])
        assert len(codes.lines[1].get_xdata()) == ((axis, column) == (1, 1))
        assert signal.get_xlim() == (time[0], time[-1])
    assert [panels[axis, 0, 0].get_ylabel() for axis in (0, 1)] == ["x (g)", "y (g)"]
    assert [panels[axis, 0, 1].get_title(loc="right") for axis in (0, 1)] == ["SNR 1 dB", "SNR 2 dB"]
    assert [panels[0, 0, column].get_title(loc="left") for column in (0, 1)] == ["moving", "calm"]
    assert [panels[0, row, 0].get_ylabel() for row in (1, 2)] == ["code\n(2 bits)", "error\n(g)"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    for name, word in zip(named, ("signal", "decode", "code", "error", "refresh"), strict=True):
        assert word in name


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"stretches": []}, ("stretches",)),
        ({"stretches": [stretch("", 0.0)._replace(codes=np.zeros((99, 2)))]}, ("signal", "codes")),
        ({"names": ("x",)}, (1, "2 axes")),
        ({"notes": ("", "", "")}, (3, "2 axes")),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        plot_stream(**{"stretches": [stretch("", 0.0)], "rate_hz": RATE, "bits": 2, **arguments})


def test_a_constant_signal_without_error_has_room() -> None:
    same = np.zeros((10, 1))
    figure = plot_stream([Stretch("still", 0.0, same, same, same)], RATE, 1)
    for ax in figure.axes:
        low, high = ax.get_ylim()
        assert low < 0 < high
    assert figure.axes[0].get_ylabel() == "axis 0"


def test_scores_over_losses() -> None:
    figure = plot_loss([0, 1, 10], [0.5, 0.4, 0.3], [None, 0.01, None], label="f1", title="run", note="packets")
    (ax,) = figure.axes
    line = max(ax.lines, key=lambda line: len(np.asarray(line.get_xdata())))
    np.testing.assert_allclose(np.asarray(line.get_xydata()), np.array([[0, 0.5], [1, 0.4], [10, 0.3]]))
    assert ax.get_ylim()[0] == 0
    assert (ax.get_ylabel(), ax.get_title(loc="right"), figure.get_suptitle()) == ("f1", "packets", "run")


@pytest.mark.parametrize("percents", [[], [1, 10], [0]])
def test_losses_begin_at_0_with_a_score_each(percents: list[float]) -> None:
    with refused(ValueError, f"{len(percents)} losses", "2 means", "0 %"):
        plot_loss(percents, [0.5, 0.4], [None, None], label="f1")


@pytest.mark.parametrize("count", [1, 2])
def test_the_legend_fits_the_picture(count: int) -> None:
    parts = [stretch("moving", 0.0) for _ in range(count)]
    parts[0].codes[7, 1] = np.nan
    figure = plot_stream(parts, RATE, 2)
    figure.draw_without_rendering()
    extent = figure.legends[0].get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.x1
