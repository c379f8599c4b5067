"""The networks that FAT's authors have released, by the names that they have here.

Open it when a network quantized by other people's code is to be loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from qsense.quant.network.activations import inverse_softplus

ALPHA = ".weight_quant.wgt_alpha"
MIXING = ".weight_quant.transform.weight"
ACTIVATION = ".act_alpha"
UNUSED = ".transform.weight"  # of the first and last layer: made, never multiplied with


def in_our_names(state: Mapping[str, Tensor], network: Iterable[str] = ()) -> dict[str, Tensor]:
    """A state of FAT's code (github.com/ChaofanTao/FAT_Quantization), plain or quantized, as a state of this project's.

    Clipping ranges α become softplus⁻¹(α); activations, always unsigned there, are marked as seen and unsigned;
    `downsample` is called `shortcut` here, except in torchvision's ResNets. What has other names is handed on as it is.

    Args:
        state: its tensors by name.
        network: the names of the tensors that are to be filled.

    Returns:
        What `transfer.load_weights` takes.

    Raises:
        ValueError: a clipping range that is not above 0.

    >>> names = ("module.a.weight", "module.a.weight_quant.wgt_alpha", "module.a.weight_quant.transform.weight")
    >>> list(in_our_names({name: torch.tensor(2.0) for name in names}))
    ['a.weight', 'a.parametrizations.weight.0.rho', 'a.parametrizations.weight.0.mixing']
    """
    ours: dict[str, Tensor] = {}
    shortcut = "downsample." if any("downsample." in name for name in network) else "shortcut."
    for theirs, tensor in state.items():
        name = theirs.removeprefix("module.").replace("downsample.", shortcut)
        layer = name.rpartition(".")[0]
        if name.endswith((ALPHA, ACTIVATION)) and not (tensor > 0).all():
            raise ValueError(f"{theirs} is {tensor.tolist()}, but a clipping range is above 0")
        if name.endswith(ALPHA):
            ours[f"{name.removesuffix(ALPHA)}.parametrizations.weight.0.rho"] = inverse_softplus(tensor)
        elif name.endswith(MIXING):
            ours[f"{name.removesuffix(MIXING)}.parametrizations.weight.0.mixing"] = tensor
        elif name.endswith(ACTIVATION):
            ours[f"{layer}.input_quantizer.rho"] = inverse_softplus(tensor)
            ours[f"{layer}.input_quantizer.signed_state"] = torch.tensor(0, dtype=torch.int8)
        elif not name.endswith(UNUSED):
            ours[name] = tensor
    return ours
