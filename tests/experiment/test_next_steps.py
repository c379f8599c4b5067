"""Which commands a finished run says come next: a firmware's where the run becomes one, and not elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsense.experiment.compose import compose
from qsense.experiment.load import next_steps
from qsense.runs.next_steps import MOST


def said(*overrides: str) -> list[str]:
    """The commands that are shown, without their folders."""
    steps = next_steps(Path("runs/a"), compose(overrides))[:MOST]
    return [" ".join(word for word in map(str, words) if "runs" not in word) for words, _ in steps]


FIRMWARE = "export format=firmware --check"


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=tiny_conv", "quant=adpcm", "bits=1"],
        ["model=deepconvlstm", "quant=none"],
        ["model=deepconvlstm_small", "quant=integer"],
        ["model=tiny_conv", "quant=gamma_fat"],
    ],
)
def test_a_run_that_becomes_a_firmware_says_so_once(overrides: list[str]) -> None:
    steps = said("data=synthetic_imu", *overrides)
    assert steps.count(FIRMWARE) == 1
    assert "report" in steps
    assert "freeze" not in steps


@pytest.mark.parametrize(
    "overrides",
    [
        ["data=synthetic_imu", "quant=log_weights"],
        ["data=synthetic_imu", "quant=uniform_weights", "quant.network.skip=[lstm]"],
        ["data=synthetic_imu", "quant=uniform_weights", "quant.network.first_last_range=max"],
        ["data=synthetic_imu", "model=tiny_conv", "quant=fat", "quant.network.first_last_input_bits=null"],
        ["data=digits", "quant=gamma"],
        ["task=detection", "data=synthetic_raw", "quant=gamma"],
    ],
)
def test_another_run_does_not(overrides: list[str]) -> None:
    assert not [step for step in said(*overrides) if "firmware" in step]
