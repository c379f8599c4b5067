"""The detectors' YAML files: the published sizes are the classes' defaults, the small ones fit the built-in scenes."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from qsense.models.detector import PyramidDetector
from qsense.models.fpn import FrozenBatchNorm2d

DETECTORS = ("faster_rcnn", "retinanet", "paa", "fcos")


@pytest.mark.parametrize("name", DETECTORS)
def test_published_values_are_the_defaults(name: str, composed: Callable[..., DictConfig]) -> None:
    values = OmegaConf.to_container(composed(f"model={name}").model)
    assert isinstance(values, dict)
    detector = get_class(values.pop("_target_"))
    parameters = {**inspect.signature(PyramidDetector).parameters, **inspect.signature(detector).parameters}
    expected = {key: p.default for key, p in parameters.items() if key not in ("shared", "object_classes")}
    expected["pretrained"] = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    if "aspect_ratios" in expected:
        expected["aspect_ratios"] = list(expected["aspect_ratios"])
    assert values == expected


@pytest.mark.parametrize("name", DETECTORS)
def test_small_ones_need_no_weights_and_see_small_objects(name: str, composed: Callable[..., DictConfig]) -> None:
    network = instantiate(composed(f"model={name}_small").model, object_classes=3, _convert_="all")
    assert network.backbone.strides == [4, 8, 16]
    anchors = network.rpn.anchor_generator if name == "faster_rcnn" else network.anchors
    widths = [float(cell[:, 2].sub(cell[:, 0]).min()) for cell in anchors.cell_anchors]
    assert widths == {"faster_rcnn": [6, 12, 22], "fcos": [4, 8, 16]}.get(name, [8, 16, 32])  # FCOS: of a place
    assert not any(isinstance(module, FrozenBatchNorm2d) for module in network.modules())
    assert sum(p.numel() for p in network.parameters()) < 1_200_000
