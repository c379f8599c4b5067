"""The script for a GPU runs where there is none: every way of running a detector, with its quantizer."""

from __future__ import annotations

import pytest
from benchmarks.gpu_detectors import WAYS, main


@pytest.mark.slow
def test_every_way_of_running_a_detector_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--device", "cpu", "--networks", "RetinaNet"])
    rows = {
        line.strip("│ ").split("│")[0].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line
    }
    assert set(rows) >= set(WAYS)
    for way, how in WAYS.items():
        graphs = rows[way].strip("│ ").split("│")[-1].strip()
        assert graphs.isdigit() == ("compiled" in how)
        assert "compiled" not in how or 1 <= int(graphs) <= 3  # and not one for each of eleven sizes
