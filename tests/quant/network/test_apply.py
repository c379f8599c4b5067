"""Rewriting whole networks: which layers, which bits, which parameters, and what is refused."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
import torch
import torchvision
from hydra.utils import instantiate
from omegaconf import DictConfig
from tests.refusal import refused
from torch import Tensor, nn

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.network.activations import ActivationQuantizer
from qsense.quant.network.inspection import views
from qsense.quant.network.layers import layers, quantizers
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.network.weights import AbsMaxWeight, LearnedWeight, MaxWeight

FAT = partial(NetworkQuantizer, transform="fat")
LogWeights = partial(NetworkQuantizer, levels="log")

QUANTIZERS: list[NetworkQuantizer] = [FAT(bits=4), NetworkQuantizer(bits=3), LogWeights(bits=3)]


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU6(),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 4, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 16, 5),
    )


def step(network: nn.Module, x: Tensor) -> None:
    network.train()
    network(x).square().mean().backward()


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda q: type(q).__name__)
@pytest.mark.parametrize(
    ("network", "x"),
    [
        (small(), torch.rand(2, 3, 8, 8)),
        (DeepConvLSTM(3, 50, 5, filters=4, hidden=8, layers=2), torch.randn(2, 50, 3)),
        (torchvision.models.mobilenet_v2(num_classes=3, width_mult=0.25), torch.randn(2, 3, 32, 32)),
    ],
    ids=["small", "lstm", "mobilenet"],
)
def test_every_parameter_exists_after_apply_and_gets_a_gradient(
    quantizer: NetworkQuantizer, network: nn.Module, x: Tensor
) -> None:
    network = copy.deepcopy(network)
    quantizer.apply(network)
    before = {name: id(p) for name, p in network.named_parameters()}
    step(network, x)
    assert before == {name: id(p) for name, p in network.named_parameters()}
    learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert [name for name, p in learned.items() if p.grad is None or not p.grad.isfinite().all()] == []
    first = quantizer.layers(network)[0].name
    assert before.keys() - learned.keys() == {f"{first}.input_quantizer.rho"}
    for layer in quantizer.layers(network):
        for name, _, weight in quantizers(layer.module):
            values = getattr(layer.module, name).unique()
            assert len(values) <= 2**weight.levels.bits - 1, layer.name


def test_signs_follow_the_data_not_the_order_of_layers() -> None:
    network = small()
    FAT(bits=4).apply(network)
    step(network, torch.rand(2, 3, 8, 8))
    signs = {
        n.split(".")[0]: int(m.signed_state) for n, m in network.named_modules() if isinstance(m, ActivationQuantizer)
    }
    assert signs == {"0": 0, "3": 0, "4": 1, "7": 0}  # 4 follows a convolution without ReLU


def test_the_network_s_input_has_the_range_of_the_first_batch_and_keeps_it() -> None:
    network = small()
    FAT(bits=4, activation_alpha=5.0).apply(network)
    x = 3 * torch.rand(2, 3, 8, 8)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    step(network, x)
    optimizer.step()
    alphas = [m.alpha.item() for m in network.modules() if isinstance(m, ActivationQuantizer)]
    assert alphas[0] == pytest.approx(x.max().item(), rel=1e-6)
    assert all(alpha == pytest.approx(5.0, rel=0.2) and alpha != 5.0 for alpha in alphas[1:])


def test_layers_report_true_bits() -> None:
    network = nn.Sequential(small(), nn.ConvTranspose1d(2, 2, 3), nn.MultiheadAttention(4, 2))
    assert {layer.weight_bits for layer in layers(network)} == {32}
    q = FAT(bits=4, activation_bits=3, skip=["0.4"], last=["0.7"])
    q.apply(network)
    assert [(x.name, x.kind, x.weight_bits, x.activation_bits, x.role) for x in q.layers(network)] == [
        ("0.0", "Conv2d", 8, 8, "end"),
        ("0.3", "Conv2d", 4, 3, "inner"),
        ("0.4", "Conv2d", 32, 32, "float"),
        ("0.7", "Linear", 8, 8, "end"),
        ("1", "ConvTranspose1d", 32, 32, "float"),
        ("2.out_proj", "Linear", 32, 32, "float"),
    ]


def test_a_sensor_quantizer_s_levels_are_left_alone() -> None:
    network = small()
    FAT(bits=4, input_bits=None).apply(network)
    assert not hasattr(network[0], "input_quantizer")
    assert layers(network)[0].activation_bits == 32
    network = small()
    FAT(bits=4, first_last_bits=None).apply(network)
    assert [(x.weight_bits, x.activation_bits) for x in layers(network)] == [(4, 8), (4, 4), (4, 4), (4, 4)]


def test_detectors_have_several_last_layers() -> None:
    network = nn.ModuleDict({"body": nn.Conv2d(3, 4, 3), "scores": nn.Linear(4, 2), "boxes": nn.Linear(4, 8)})
    FAT(bits=4, first=["body"], last=["scores", "box*"]).apply(network)
    assert all(isinstance(q, AbsMaxWeight) for m in network.children() for _, _, q in quantizers(m))


def test_a_torchvision_detector_trains() -> None:
    torch.manual_seed(0)
    network = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=64
    )
    FAT(bits=4, last=["roi_heads.box_predictor.*"]).apply(network)
    network.train()
    target = {"boxes": torch.tensor([[4.0, 4, 40, 40]]), "labels": torch.tensor([1])}
    sum(network([torch.rand(3, 64, 64)], [target]).values()).backward()
    assert [layer.name for layer in layers(network) if layer.role == "end"] == [
        "backbone.body.0.0",
        "roi_heads.box_predictor.cls_score",
        "roi_heads.box_predictor.bbox_pred",
    ]
    network.eval()
    with torch.no_grad():
        assert set(network([torch.rand(3, 64, 64)])[0]) == {"boxes", "labels", "scores"}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_weights_are_all_quantized_and_computed_once_per_forward(
    bidirectional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=bidirectional)
    NetworkQuantizer(bits=4, first_last_bits=None).apply(lstm)
    assert len(list(quantizers(lstm))) == (8 if bidirectional else 4)
    x = torch.randn(2, 5, 3)
    calls: list[Tensor] = []
    quantize = LearnedWeight.quantize

    def counting(self: LearnedWeight, weight: Tensor) -> Tensor:
        calls.append(weight)
        return quantize(self, weight)

    monkeypatch.setattr(LearnedWeight, "quantize", counting)
    lstm(x)[0].sum().backward()
    assert len(calls) == len(list(quantizers(lstm)))
    assert all(p.grad is not None for p in lstm.parameters() if p.requires_grad)
    # The same numbers as a plain LSTM with these weights.
    plain = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=bidirectional)
    plain.load_state_dict({name: getattr(lstm, name).detach() for name in plain.state_dict()})
    lstm.eval()
    assert torch.equal(lstm(x)[0], plain(lstm.input_quantizer(x))[0])  # type: ignore[operator]
    copied = copy.deepcopy(lstm).double().float()
    assert torch.equal(copied(x)[0], lstm(x)[0])


def test_copies_are_independent() -> None:
    network = small()
    FAT(bits=4).apply(network)
    x = torch.rand(2, 3, 8, 8)
    step(network, x)
    copied = copy.deepcopy(network)
    with torch.no_grad():
        for p in copied.parameters():
            p.mul_(1.5)
    network.eval()
    before = network(x)
    copied.eval()(x)
    assert torch.equal(network(x), before)
    assert not torch.equal(copied(x), before)


def test_parameter_groups_hold_the_quantizer_s_own_parameters_once() -> None:
    network = small()
    q = FAT(bits=4, activation_lr=0.1, weight_lr=0.02)
    assert q.parameter_groups(network, 0.04) == []
    q.apply(network)
    groups = q.parameter_groups(network, 0.04)
    names = {id(p): name for name, p in network.named_parameters()}
    assert [(g["lr"], g["weight_decay"], sorted(names[id(p)] for p in g["params"])) for g in groups] == [
        (0.1, 1e-4, [f"{i}.input_quantizer.rho" for i in (0, 3, 4, 7)]),
        (0.02, 1e-4, [f"{i}.parametrizations.weight.0.{p}" for i in (3, 4) for p in ("mixing", "rho")]),
    ]
    assert [g["lr"] for g in FAT(bits=4).parameter_groups(network, 0.04)] == [0.04, 0.04]
    assert [len(v) for v in q.trajectory(network).values()] == [4, 2]


def test_an_lstm_s_masks_are_learned_by_its_rows_more_slowly() -> None:
    def rates(**settings: Any) -> dict[str, float]:
        lstm = nn.Sequential(nn.LSTM(3, 5, batch_first=True))
        q = FAT(bits=4, first_last_bits=None, weight_lr=0.02, **settings)
        q.apply(lstm)
        names = {id(p): name for name, p in lstm.named_parameters()}
        groups = q.parameter_groups(lstm, 0.1)
        return {names[id(p)].rpartition("weight_ih_l0.0.")[2]: g["lr"] for g in groups for p in g["params"]}

    assert rates()["rho"] == 0.02
    assert rates()["mixing"] == 0.02 / 20  # four gates of five units
    assert rates(transform_lr="same")["mixing"] == 0.02
    assert rates(transform_lr=0.003)["mixing"] == 0.003
    network = small()
    fat = FAT(bits=4, transform_lr=0.003)
    fat.apply(network)
    assert [(g["lr"], len(g["params"])) for g in fat.parameter_groups(network, 0.04)] == [
        (0.04, 4),
        (0.04, 2),
        (0.003, 2),
    ]


@pytest.mark.parametrize(("transform_lr", "saturates"), [(None, False), ("same", True)])
def test_adam_at_the_network_s_rate_saturates_an_lstm_s_masks(
    transform_lr: Literal["same"] | None, saturates: bool
) -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(96, 64, batch_first=True)
    q = FAT(bits=4, first_last_bits=None, input_bits=None, transform_lr=transform_lr)
    q.apply(lstm)
    own = q.parameter_groups(lstm, 1e-3)
    grouped = {id(p) for group in own for p in group["params"]}
    optimizer = torch.optim.Adam([*own, {"params": [p for p in lstm.parameters() if id(p) not in grouped]}], lr=1e-3)
    x, y = torch.randn(16, 10, 96), torch.randn(16, 64)
    for _ in range(20):
        optimizer.zero_grad()
        (lstm(x)[0][:, -1] - y).square().mean().backward()
        optimizer.step()
    masks = torch.cat([mask.flatten() for view in views(lstm) if (mask := view.mask) is not None])
    assert (masks.min().item() < 0.01) == saturates
    assert (masks.min().item() > 0.9) != saturates


def test_both_ends_may_take_their_input_as_it_comes() -> None:
    def bits(**settings: Any) -> list[tuple[int, int]]:
        network = small()
        q = FAT(bits=4, **settings)
        q.apply(network)
        return [(layer.weight_bits, layer.activation_bits) for layer in q.layers(network)]

    inner = [(4, 4), (4, 4)]
    assert bits() == bits(first_last_input_bits="auto") == [(8, 8), *inner, (8, 8)]
    assert bits(first_last_input_bits=None) == [(8, 32), *inner, (8, 32)]
    assert bits(first_last_input_bits=6) == [(8, 6), *inner, (8, 6)]
    assert bits(first_last_input_bits="auto", first_last_bits=5, input_bits=None) == [(5, 32), *inner, (5, 5)]
    assert bits(first_last_input_bits=None, first_last_bits=None) == [(4, 32), *inner, (4, 32)]


@pytest.mark.parametrize(
    ("settings", "activations", "weights"),
    [({}, False, False), ({"activation_alpha_grad": "pact"}, True, False), ({"alpha_grad": "pact"}, True, True)],
)
def test_alphas_of_weights_and_activations_have_gradients_of_their_own(
    settings: dict[str, Any], activations: bool, weights: bool
) -> None:
    network = small()
    FAT(bits=4, **settings).apply(network)
    inputs = [module.pact for module in network.modules() if isinstance(module, ActivationQuantizer)]
    learned = [module.recipe.pact for module in network.modules() if isinstance(module, LearnedWeight)]
    assert (inputs, learned) == ([activations] * 4, [weights] * 2)


def test_mobilenet_is_transformed_where_the_authors_do(composed: Callable[..., DictConfig]) -> None:
    network = torchvision.models.mobilenet_v2(num_classes=3, width_mult=0.25)
    instantiate(composed("experiment=fat_imagenet_mobilenet_v2_as_released").quant.network).apply(network)
    blocks = {
        name.rpartition(".conv.")[0]: name  # the last convolution of each block, its only one without an activation
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and ".conv." in name
    }
    assert len(blocks) == 17
    weights = {name: quantizer for name, module in network.named_modules() for _, _, quantizer in quantizers(module)}
    learned = {name: weight for name, weight in weights.items() if isinstance(weight, LearnedWeight)}
    assert {
        name for name, weight in weights.items() if isinstance(weight, MaxWeight)
    } == weights.keys() - learned.keys()
    assert weights.keys() - learned.keys() == {"features.0.0", "classifier.1"}
    assert {name for name, weight in learned.items() if weight.mixing is not None} == {*blocks.values()}
    assert {name for name, weight in learned.items() if weight.recipe.divide} == {*blocks.values()}


def test_calibrate_without_training() -> None:
    network = small()
    q = FAT(bits=8)
    q.apply(network)
    x = torch.rand(4, 3, 8, 8)
    statistics = copy.deepcopy(network[1].state_dict())
    q.calibrate(network, x)
    assert network.training
    assert all(torch.equal(v, statistics[k]) for k, v in network[1].state_dict().items())
    network.eval()(x)
    unused = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    unused.forward = lambda x: unused[0](x)
    q.apply(unused)
    with refused(ValueError, 1, "forward", "skip"):
        q.calibrate(unused, torch.ones(1, 2))


def test_the_compiler_sees_one_graph_with_the_same_numbers() -> None:
    torch.manual_seed(0)
    network = small().double()  # in float64 no code flips because of another order of summation
    q = FAT(bits=4, transform="fat_scaled")
    q.apply(network)
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    q.calibrate(network, x)
    compiled = copy.deepcopy(network)
    ours, theirs = torch.compile(compiled, backend="aot_eager", fullgraph=True)(x), network(x)
    torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for (name, a), b in zip(compiled.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-7, atol=1e-9, msg=name)
    with torch.no_grad():  # the compiled network keeps its weights in evaluation, too
        network.eval()
        compiled.eval()
        forward = torch.compile(compiled, backend="aot_eager")
        for _ in range(3):
            torch.testing.assert_close(forward(x), network(x))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bits": 1}, ("bits=1", "uniform", 2, 8)),
        ({"bits": 12}, ("bits=12", 2, 8)),
        ({"bits": 4, "weight_bits": 9}, ("weight_bits=9", 2, 8)),
        ({"bits": 8, "levels": "log"}, ("bits=8", "logarithmic", 2, 7)),
        ({"bits": 4, "first_last_bits": 16}, ("first_last_bits=16", 2, 8)),
        ({"bits": 4, "input_bits": 0}, ("input_bits=0", 2, 8)),
        ({"bits": 4, "first_last_input_bits": 9}, ("first_last_input_bits=9", 2, 8)),
        ({"bits": 4, "first_last_range": "min"}, ("first_last_range='min'", "abs_max", "max")),
        ({"bits": 4, "untransformed": "raw"}, ("untransformed='raw'", "standardised", "centred")),
        ({"bits": 4, "activation_alpha_grad": "lsq"}, ("activation_alpha_grad='lsq'", "full", "pact")),
        ({"bits": 4, "transform_lr": "low"}, ("transform_lr='low'", "same")),
        ({"bits": 4, "transform_lr": -1.0}, ("transform_lr=-1.0", 0)),
        ({"bits": 4, "transform": "wavelet"}, ("transform='wavelet'", "none", "fat", "fat_scaled")),
        ({"bits": 4, "levels": "apot"}, ("levels='apot'", "uniform", "log")),
        ({"bits": 4, "alpha_grad": "lsq"}, ("alpha_grad='lsq'", "full", "pact")),
        ({"bits": 4, "weight_alpha": 0.0}, ("weight_alpha=0.0", 0)),
        ({"bits": 4, "activation_alpha": float("nan")}, ("activation_alpha=nan", 0)),
        ({"bits": 4, "weight_decay": -1.0}, ("weight_decay=-1.0", 0)),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, "NetworkQuantizer", *named):
        FAT(**arguments)


def test_networks_that_cannot_be_quantized_are_refused() -> None:
    q = FAT(bits=4)
    with refused(ValueError, "ReLU"):
        q.apply(nn.ReLU())
    network = small()
    with refused(ValueError, "last", "'fc'", "0, 3, 4, 7"):
        FAT(bits=4, last=["fc"]).apply(network)
    q.apply(network)
    with refused(ValueError, "Sequential"):
        q.apply(network)


def test_an_input_that_is_not_finite_names_its_layer() -> None:
    first = nn.Linear(2, 2)
    network = nn.Sequential(first, nn.Linear(2, 2))
    FAT(bits=4).apply(network)
    nn.init.constant_(first.bias, math.inf)
    with refused(ValueError, "layer 1's"):
        network(torch.ones(1, 2))
