"""Results as runs record them, for tests that need one and care for little in it."""

from __future__ import annotations

from typing import Any


def whole_result(**changes: Any) -> dict[str, Any]:
    """What every result has, with `changes`."""
    return {
        "task": "har", "data": "sbhar", "quant": "gamma", "model": "deepconvlstm", "dataset": "SBHAR", "bits": 2,
        "network_bits": None, "seed": 0, "fold": 0, "num_folds": 30, "monitor": "f1", "metrics": {"f1": 0.5},
        **changes,
    }  # fmt: skip
