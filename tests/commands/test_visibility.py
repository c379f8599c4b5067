"""The table of what quantizers leave visible."""

from __future__ import annotations

from typing import Any

import pytest
from tests.refusal import assert_names

from qsense.__main__ import main
from qsense.commands.visibility import shares
from qsense.data.frames.synthetic_raw import SyntheticRaw


def test_fine_levels_in_the_dark_help_dark_scenes_and_cost_bright_ones() -> None:
    small: dict[str, Any] = {
        "height": 192,
        "width": 192,
        "test_frames": 25,
        "smallest": 9.0,
        "largest": 20.0,
        "most": 4,
    }
    dark = shares(SyntheticRaw("hdr_low", **small), 4, [0.35], "floor", frames=25)
    bright = shares(SyntheticRaw("high_key", **small), 4, [0.35], "floor", frames=25)
    assert dark["linear"] < 0.1
    assert dark["log"] > 0.4
    assert dark["γ = 0.35"] > 0.4
    assert bright["linear"] > bright["γ = 0.35"] > bright["log"]
    assert dark["none"] > dark["log"]


def test_the_table_names_regimes_and_curves(capsys: pytest.CaptureFixture[str]) -> None:
    main(["visibility", "--regimes", "high_key", "--frames", "3", "--gammas", "0.5"])
    out = capsys.readouterr().out
    assert "high_key" in out
    assert "γ = 0.5" in out
    assert "simulated" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--bits", "0"], ("bits=0", "Gamma", 1, 16)), (["--gammas", "-1"], ("gamma=-1.0", "Gamma"))],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["visibility", *arguments, "--frames", "1"]) == 1
    assert_names(capsys.readouterr().err, "error", *named)
