"""The picture of scores by parts of a test: which bars there are, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

from tests.hostile_names import HOSTILE
from tests.refusal import refused

from qsense.plots.groups import MOST, Groups, plot_groups
from qsense.plots.style import save


def groups(*names: str, empty: str = "") -> Groups:
    def of(value: float) -> dict[str, float | None]:
        return {name: None if name == empty else value for name in names}

    return {"map": of(0.25), "ap50": of(0.5), "frames": dict.fromkeys(names, 3), "boxes": dict.fromkeys(names, 7)}


def test_a_panel_for_each_division_and_a_pair_of_bars_for_each_group() -> None:
    figure = plot_groups({"condition": groups("day", "night", empty="night"), "size": groups("small")}, "title")
    left, right = figure.axes
    assert [bar.get_height() for bar in left.patches] == [25, 50]  # type: ignore[attr-defined]
    assert len(right.patches) == 2
    assert [label.get_text() for label in left.get_xticklabels()] == ["day\n3\n7", "night\n3\n7"]
    assert left.get_ylim() == right.get_ylim()


def test_no_score_many_groups_and_hostile_names(tmp_path: Path) -> None:
    many = groups(*(f"{name}{place}" for place, name in enumerate(HOSTILE)))
    figure = plot_groups({"condition": many, "exposure": groups("0–2 stops", empty="0–2 stops")})
    assert len(figure.axes[0].patches) == 2 * MOST
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        f"by condition, {MOST} of {len(HOSTILE)}", "by exposure (stops below white)",
    ]  # fmt: skip
    save(figure, tmp_path / "groups.png")
    with refused(ValueError, "divisions"):
        plot_groups({})
