"""Codes of a few bits, packed into bytes.

Open it to read the codes of a frozen network elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def pack(codes: Tensor, bits: int, lowest: int) -> Tensor:
    """Integer codes of up to 16 bits from `lowest` on, any shape → uint8 [⌈count · bits / 8⌉], on the CPU.

    >>> pack(torch.tensor([-3, 0, 3]), bits=3, lowest=-3)
    tensor([152,   1], dtype=torch.uint8)
    """
    offset = (codes.flatten().cpu().numpy().astype(np.int32) - lowest).astype("<u2")
    stream = np.unpackbits(offset[:, None].view(np.uint8), axis=1, count=bits, bitorder="little")
    return torch.from_numpy(np.packbits(stream, bitorder="little"))


def unpack(packed: Tensor, count: int, bits: int, lowest: int) -> Tensor:
    """The first `count` codes, int16: the inverse of `pack`.

    Raises:
        ValueError: too few or too many bytes for this many codes.

    >>> unpack(pack(torch.tensor([-3, 0, 3]), 3, -3), 3, 3, -3).tolist()
    [-3, 0, 3]
    """
    needed = -(-count * bits // 8)
    if packed.numel() != needed:
        raise ValueError(f"{count} codes of {bits} bits take {needed} bytes, not {packed.numel()}")
    stream = np.unpackbits(packed.cpu().numpy(), count=count * bits, bitorder="little").reshape(count, bits)
    offset = np.packbits(np.pad(stream, ((0, 0), (0, 16 - bits))), axis=1, bitorder="little").view("<u2")[:, 0]
    return torch.from_numpy((offset.astype(np.int32) + lowest).astype(np.int16))
