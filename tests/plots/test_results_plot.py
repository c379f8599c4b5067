"""A run at a glance, read back from the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.refusal import refused

from qsense.plots.results import MOST_NAMED, MOST_NUMBERED, plot_results
from qsense.plots.style import save

HISTORY = [
    {"epoch": 1, "loss": 1.0, "val_loss": 1.2, "val_score": 0.4},
    {"epoch": 2, "loss": 0.5, "val_loss": 0.9, "val_score": 0.6},
]
LEARNED = [{"epoch": epoch, "gamma_0": 0.4 + 0.1 * epoch, "mu_0": 0.0} for epoch in range(3)]
COUNTS = np.array([[3, 1], [0, 4]])
NAMES = ("rest", "walk")


def drawn(**changed: Any) -> Figure:
    settings: dict[str, Any] = {
        "history": HISTORY, "learned": LEARNED, "score": "macro-F1", "tested": 0.625, "class_names": NAMES,
        "confusion": COUNTS, "per_class": [0.5, None], "title": "SBHAR: Gamma, 2 bits",
    }  # fmt: skip
    return plot_results(**settings | changed)


def titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.axison]


def test_loss_score_learned_values_and_confusion_stand_in_one_picture(tmp_path: Path) -> None:
    figure = drawn()
    assert titles(figure) == ["loss", "macro-F1 (%)", "learned γ", "learned μ", "test: % of the true class"]
    loss, score, gamma, _, matrix = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[1.0, 0.5], [1.2, 0.9]]  # type: ignore[union-attr]
    assert score.lines[0].get_ydata() == pytest.approx([40, 60])
    assert score.get_title(loc="right") == "dashed: test, 62.5"
    assert gamma.lines[0].get_xdata() == pytest.approx([0, 1, 2])
    assert gamma.get_title(loc="right") == "at the end: 0.6"
    assert sorted(text.get_text() for text in matrix.texts) == ["100", "25", "75"]
    save(figure, tmp_path / "results.png")
    assert (tmp_path / "results.png").stat().st_size < 200_000


def test_where_nothing_is_learned_scores_by_class_take_its_place() -> None:
    figure = drawn(learned=[{"epoch": 0}])
    assert titles(figure)[2:] == ["macro-F1 by class (%)", "test: % of the true class"]
    assert [bar.get_height() for bar in figure.axes[2].patches] == [50, 0]  # type: ignore[attr-defined]


def test_a_detector_shows_precision_by_class() -> None:
    figure = drawn(confusion=None, score="COCO mAP")
    assert titles(figure)[-1] == "COCO mAP by class (%)"
    assert [text.get_text() for text in figure.axes[-1].texts] == ["50.0", "–"]
    assert titles(drawn(confusion=None, learned=(), score="COCO mAP")) == [
        "loss",
        "COCO mAP (%)",
        "COCO mAP by class (%)",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"history": []},
        {"history": [{"epoch": 1}]},
        {"history": [{"epoch": 1, "loss": 2.0}], "learned": LEARNED[:1]},
        {"confusion": None, "per_class": ()},
        {"confusion": np.zeros((2, 2), dtype=int)},
        {"percent": False},
    ],
)
def test_what_is_not_known_is_left_out(changed: dict[str, Any], tmp_path: Path) -> None:
    save(drawn(**changed), tmp_path / "results.png")


@pytest.mark.parametrize("classes", [MOST_NUMBERED + 1, MOST_NAMED + 1, 100])
def test_many_classes_stay_legible(classes: int, tmp_path: Path) -> None:
    names = [f"a class with a long name {i}" for i in range(classes)]
    figure = drawn(class_names=names, confusion=np.eye(classes, dtype=int), per_class=[0.5] * classes)
    assert not figure.axes[-1].texts
    labels = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert (len(labels) == classes and all(len(label) <= 14 for label in labels)) == (classes <= MOST_NAMED)
    save(figure, tmp_path / "results.png")
    assert (tmp_path / "results.png").stat().st_size < 200_000


def test_a_score_is_needed_for_each_class() -> None:
    with refused(ValueError, 1, "2 classes"):
        drawn(per_class=[0.5])


def test_a_value_that_hardly_moves_looks_so_and_no_score_is_below_zero() -> None:
    learned = [{"epoch": epoch, "gamma_0": 1 + 1e-7 * epoch} for epoch in range(4)]
    panels = {ax.get_title(loc="left"): ax for ax in drawn(learned=learned, tested=0.0).axes}
    low, high = panels["learned γ"].get_ylim()
    assert low < 1 < high
    assert high - low >= 0.02
    assert panels["macro-F1 (%)"].get_ylim()[0] == 0
    by_class = drawn(confusion=None, score="COCO mAP", per_class=[0.0, None]).axes[-1]
    assert by_class.get_xlim()[0] == 0
