from __future__ import annotations

from functools import partial

import torch
from tests.refusal import assert_names, refused
from torch import nn

from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.network.transfer import load_weights

FAT = partial(NetworkQuantizer, transform="fat")


def network(classes: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.LSTM(8, 4), nn.Linear(4, classes))


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in module.state_dict().items():
        plain = name.replace("parametrizations.", "").replace(".original", "")
        found[plain] = tensor
    return found


def test_full_precision_to_five_to_four_bits_and_back() -> None:
    full, five, four, back = network(), network(), network(), network()
    FAT(bits=5).apply(five)
    FAT(bits=4).apply(four)
    told = load_weights(five, full.state_dict())
    assert told.left_out == []
    assert told.mismatched == []
    assert all("rho" in n or "mixing" in n or "signed_state" in n for n in told.kept)
    for module in five.modules():  # as if trained: α moved, activations calibrated
        if hasattr(module, "rho"):
            nn.init.constant_(module.rho, 1.5)  # type: ignore[arg-type]
        if hasattr(module, "signed_state"):
            module.calibrate(torch.tensor([-1.0, 1.0]))  # type: ignore[operator]
    told = load_weights(four, five.state_dict())
    assert (told.kept, told.left_out, told.mismatched) == ([], [], [])
    for name, tensor in four.state_dict().items():
        assert torch.equal(tensor, five.state_dict()[name]), name
    assert four[2].input_quantizer.levels is not None  # type: ignore[union-attr]
    told = load_weights(back, four.state_dict())
    assert told.kept == []
    assert all("rho" in n or "mixing" in n or "signed_state" in n for n in told.left_out)
    for name, tensor in full.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[name]), name


def test_what_does_not_fit_is_told() -> None:
    source, target = network(classes=3), network()
    FAT(bits=4).apply(source)
    NetworkQuantizer(bits=4).apply(target)
    told = load_weights(
        target, {f"network.{k}": v for k, v in source.state_dict().items()} | {"loss.w": torch.ones(1)}, "network."
    )
    assert [name for name, _, _ in told.mismatched] == ["4.bias", "4.parametrizations.weight.original"]
    assert all("mixing" in name for name in told.left_out)
    assert len(told.left_out) == 3
    assert told.kept == []
    assert_names(str(told), "4.bias", "network [2]", "state [3]")

    with refused(ValueError, "prefix=''", "other"):
        load_weights(target, {"other": torch.ones(1)})
