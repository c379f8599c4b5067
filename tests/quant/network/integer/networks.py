"""Small networks that integers cover, and windows for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.models.tiny_conv import TinyConv
from qsense.quant.network.quantizer import NetworkQuantizer

NETWORKS = {
    "deepconvlstm": lambda: DeepConvLSTM(3, 20, 5, filters=4, kernel=3, hidden=6),
    "two LSTMs": lambda: DeepConvLSTM(2, 20, 5, filters=4, kernel=3, hidden=6, layers=2),
    "tiny_conv": lambda: TinyConv(3, 20, 5, width=8, kernel=3, dilations=(1, 2)),
}


def plain(name: str, seed: int = 0, loud: float = 1) -> nn.Module:
    """A network of random weights and biases."""
    torch.manual_seed(seed)
    network: nn.Module = NETWORKS[name]()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1).mul_(loud)
    return network


def calibrated(name: str, x: Tensor, seed: int = 0, loud: float = 1, **options: Any) -> nn.Module:
    """The same in integers, its ranges filled by x."""
    network = plain(name, seed, loud)
    quantizer = NetworkQuantizer(**{"bits": 4, "arithmetic": "integer", **options})
    quantizer.apply(network)
    quantizer.calibrate(network, x)
    return network.eval()


def windows(name: str, count: int = 6, seed: int = 0) -> Tensor:
    """Noise."""
    return torch.randn(count, 20, 2 if name == "two LSTMs" else 3, generator=torch.Generator().manual_seed(seed))
