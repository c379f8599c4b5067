"""Random changes of whole image batches where they lie; every image of a batch draws its own.

Open it to change how training images are varied.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F


def shift(x: Tensor, pad: int) -> Tensor:
    """Each image moved by −pad … pad pixels both ways, what comes in is black ("pad and crop at random").

    Args:
        x: images [B, C, H, W] of any type.
        pad: pixels, 0 or more.

    >>> shift(torch.ones(2, 1, 4, 4), pad=1).shape
    torch.Size([2, 1, 4, 4])
    """
    if pad == 0:
        return x
    batch, channels, height, width = x.shape
    top, left = torch.randint(2 * pad + 1, (2, batch, 1), device=x.device)
    rows = (top + torch.arange(height, device=x.device))[:, None, :, None]
    columns = (left + torch.arange(width, device=x.device))[:, None, None, :]
    image = torch.arange(batch, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    padded: Tensor = F.pad(x, [pad])
    return padded[image, channel, rows, columns]


def flip(x: Tensor) -> Tensor:
    """Each image [B, C, H, W] mirrored left to right, or not, with equal chance."""
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return torch.where(mirrored, F.horizontal_flip(x), x)


def jitter(x: Tensor, amount: float) -> Tensor:
    """Brightness, contrast and saturation of each image times factors from 1 − amount … 1 + amount, in this order.

    Args:
        x: images [B, C, H, W] in [0, 1]; saturation needs three channels.
        amount: 0 … 1.

    Returns:
        Images in [0, 1].
    """
    if amount == 0:
        return x
    factors = 1 + amount * (2 * torch.rand(3, len(x), 1, 1, 1, device=x.device) - 1)
    x = (x * factors[0]).clamp(0, 1)
    mean = _grey(x).mean(dim=(1, 2, 3), keepdim=True)
    x = (mean + factors[1] * (x - mean)).clamp(0, 1)
    grey = _grey(x)
    return (grey + factors[2] * (x - grey)).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    grey: Tensor = F.rgb_to_grayscale(x) if x.shape[1] == 3 else x
    return grey
