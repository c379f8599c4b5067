"""Augmentation: each image its own, nothing but what is promised, repeatable."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qsense.data.images.augment import flip, jitter, shift


def images(count: int = 64, channels: int = 3, size: int = 6) -> Tensor:
    one = torch.randint(
        1, 255, (1, channels, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return one.expand(count, -1, -1, -1)


CHANGES: list[Callable[[Tensor], Tensor]] = [
    lambda x: shift(x, 2),
    flip,
    lambda x: jitter(x.float() / 255, 0.5),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_image_draws_its_own_and_torchs_seed_repeats_it(change: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(3)
    first = change(images())
    torch.manual_seed(3)
    assert torch.equal(change(images()), first)
    assert len(torch.unique(first.flatten(1), dim=0)) > 1
    assert first.shape == images().shape


def test_a_shift_is_a_window_into_the_padded_image() -> None:
    x = images(200)
    padded = torch.nn.functional.pad(x[0], (2, 2, 2, 2))
    allowed = {padded[:, i : i + 6, j : j + 6].numpy().tobytes() for i in range(5) for j in range(5)}
    torch.manual_seed(0)
    seen = {image.numpy().tobytes() for image in shift(x, 2)}
    assert seen == allowed
    assert shift(x, 0) is x


def test_a_flip_is_the_image_or_its_mirror() -> None:
    x = images(400)
    torch.manual_seed(0)
    mirrored = (flip(x) == x.flip(-1)).flatten(1).all(dim=1)
    kept = (flip(x) == x).flatten(1).all(dim=1)
    assert 0.4 < mirrored.float().mean() < 0.6
    assert 0.4 < kept.float().mean() < 0.6


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_stays_in_range_and_leaves_black_black(channels: int) -> None:
    x = images(50, channels).float() / 255
    changed = jitter(x, 1.0)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert jitter(x, 0.0) is x
    assert torch.equal(jitter(torch.zeros(2, channels, 4, 4), 1.0), torch.zeros(2, channels, 4, 4))
