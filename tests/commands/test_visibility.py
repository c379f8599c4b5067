"""The table of what quantizers leave visible."""

from __future__ import annotations

from typing import Any

import pytest
from tests.refusal import assert_names

from qsense.__main__ import main
from qsense.commands import visibility
from qsense.commands.visibility import fitted, shares
from qsense.data.frames.simulation.synthetic_scenes import REGIMES
from qsense.data.frames.synthetic_raw import SyntheticRaw

CAMERAS = ("pisp, 8 bits", *(f"mipi, {bits} bits" for bits in (6, 7, 8, 10)))


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
    for camera in CAMERAS:
        assert camera in out
    assert "simulated" in out
    assert_names(" ".join(out.split()), "3 frames of each regime")


@pytest.mark.parametrize("frames", ["0", "-3"])
def test_a_table_of_no_frames_is_refused(frames: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        visibility.main(["--frames", frames])
    assert left.value.code == 2
    assert_names(capsys.readouterr().err, f"--frames {frames}", 1)


def test_one_row_dpcm_serves_all_light_and_lloyd_max_does_not() -> None:
    size: dict[str, Any] = {"height": 96, "width": 96, "smallest": 9.0, "largest": 16.0}
    one = fitted(SyntheticRaw("mixed", train_frames=30, **size), 4, "floor")
    for regime in ("hdr_low", "high_key"):
        data = SyntheticRaw(regime, test_frames=12, **size)
        found = shares(data, 4, [0.35], "floor", frames=12, others=one)
        assert set(one) <= set(found)
        assert found["row_dpcm"] >= found["none"] - 0.1
        for camera in CAMERAS:
            assert found[camera] >= found["none"] - 0.1
        if regime == "hdr_low":
            assert found["lloyd_max"] < found["row_dpcm"] - 0.2
            assert found["row_dpcm, companding none"] < found["row_dpcm"]


@pytest.mark.parametrize(("fit", "mix"), [("each", False), ("mixed", True)])
def test_the_table_says_what_was_fitted_on(
    fit: str, mix: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility, "FITTED_ON", 2)
    monkeypatch.setenv("COLUMNS", "80")
    main(["visibility", "--fit", fit, "--frames", "2", "--gammas", "0.5"])
    out, said_next = capsys.readouterr()
    assert ("together" in out) == mix
    for name in (*REGIMES, "quantile", "lloyd_max", "row_dpcm", "row_dpcm, companding none"):
        assert name in out
    assert all(len(line.rstrip()) <= 80 for line in out.splitlines())
    assert ("data.dataset.regime=mixed" in said_next) == mix


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--bits", "0"], ("bits=0", "Gamma", 1, 16)), (["--gammas", "-1"], ("gamma=-1.0", "Gamma"))],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["visibility", *arguments, "--frames", "1"]) == 1
    assert_names(capsys.readouterr().err, "error", *named)
