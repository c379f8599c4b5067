"""Each test that asks for a board runs on all of them."""

from __future__ import annotations

import pytest
from tests.device.emulator import BOARDS, Board


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    """A board whose compiler and emulator are there."""
    board = BOARDS[request.param]
    if board.missing:
        pytest.skip(f"there is no {', no '.join(board.missing)}: make test-device installs them")
    return board
