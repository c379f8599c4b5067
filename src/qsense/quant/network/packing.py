"""Codes of a few bits, packed into bytes.

Open it to read the codes of a frozen network elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def pack(codes: Tensor, bits: int, lowest: int) -> Tensor:
    """Integer codes from `lowest` on, any shape → uint8 [⌈count · bits / 8⌉], on the CPU.

    >>> pack(torch.tensor([-3, 0, 3]), bits=3, lowest=-3)
    tensor([152,   1], dtype=torch.uint8)
    """
    offset = (codes.flatten().cpu().numpy().astype(np.int16) - lowest).astype(np.uint8)
    stream = np.unpackbits(offset[:, None], axis=1, count=bits, bitorder="little")
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
    codes = np.packbits(stream, axis=1, bitorder="little")[:, 0] if count else np.empty(0, np.uint8)
    return torch.from_numpy(codes.astype(np.int16) + np.int16(lowest))
