"""What a test of annotated frames begins with."""

from __future__ import annotations

import pytest

from qsense.data.frames.annotations import boxes


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process warns once of the same boxes; a test does not depend on those before it."""
    monkeypatch.setattr(boxes, "_told", set())
