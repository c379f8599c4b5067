"""Every conf/data/*.yaml of images fits its classes and brings a recipe that its task understands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from qsense.experiment import signatures
from qsense.experiment.compose import stated
from qsense.experiment.schema import config_folder

Compose = Callable[..., DictConfig]
IMAGES = ("digits", "cifar10", "imagenet", "folder")
MODELS = ("resnet20", "resnet56", "vgg_small", "resnet18", "resnet34", "mobilenet_v2")
RECIPES = {"cifar10": (0.04, [150, 225], 300, 256, 5e-4, 0.0), "imagenet": (0.01, [30, 60, 90], 120, 512, 1e-4, 0.01)}
TRAINED = [
    "fat_cifar10_resnet20",
    "fat_cifar10_resnet56",
    "fat_imagenet_resnet18",
    "fat_imagenet_resnet34",
    "fat_imagenet_mobilenet_v2",
]


def spelled(path: Path, node: Mapping[str, object] | DictConfig, supplied: set[str]) -> None:
    known = signatures.arguments(str(node["_target_"]))
    assert known is not None, path
    assert set(node) - {"_target_"} == set(known) - supplied, path


@pytest.mark.parametrize("name", IMAGES)
def test_data_spells_out_every_argument(composed: Compose, name: str) -> None:
    path = config_folder() / "data" / f"{name}.yaml"
    assert path.read_text().startswith("# @package _global_\n")
    data = stated([f"data={name}"], ["data"]).data
    spelled(path, data, {"fold", "seed"})
    spelled(path, data.dataset, set())
    given = ["data.dataset.root=."] if name == "folder" else []
    params = composed("task=classification", f"data={name}", *given).hydra.sweeper.params
    assert dict(params) == {"seed": "0,1,2", "fold": "range(1)"}


@pytest.mark.parametrize("name", MODELS)
def test_models_spell_out_every_argument(name: str) -> None:
    path = config_folder() / "model" / f"{name}.yaml"
    spelled(path, yaml.safe_load(path.read_text()), {"channels", "num_classes"})


def test_the_task_spells_out_every_argument() -> None:
    path = config_folder() / "task" / "classification.yaml"
    supplied = {"network", "sensor", "network_quantizer", *signatures.constant(TASK, "task_facts")}
    spelled(path, yaml.safe_load(path.read_text())["task"], supplied)


TASK = "qsense.tasks.classification.ClassificationTask"


@pytest.mark.parametrize("data", IMAGES)
@pytest.mark.parametrize("model", MODELS)
def test_every_network_goes_with_every_data_set(composed: Compose, data: str, model: str) -> None:
    config = composed("task=classification", f"data={data}", f"model={model}")
    facts = signatures.constant(config.task._target_, "network_facts")
    assert set(facts) <= set(signatures.arguments(config.model._target_) or {})
    known = signatures.arguments(TASK) or {}
    assert set(config.task) - {"_target_"} <= set(known)


@pytest.mark.parametrize("name", ["cifar10", "imagenet", "fat_cifar10", "fat_imagenet", *TRAINED])
def test_experiments_pin_the_recipes(composed: Compose, name: str) -> None:
    config = composed(f"experiment={name}")
    task, trainer = config.task, config.trainer
    assert task._target_ == TASK
    recipe = (task.lr, list(task.milestones), trainer.max_epochs, config.data.batch_size)
    assert (*recipe, task.weight_decay, task.label_smoothing) == RECIPES["cifar10" if "cifar10" in name else "imagenet"]
    plain = OmegaConf.to_container(config.quant, resolve=True)
    assert isinstance(plain, dict)
    network = plain["network"]
    if name.startswith("fat"):
        spelled(Path(name), network, set())
        assert network["activation_alpha"] == (5 if "cifar10" in name else 8)
    else:
        assert network is None


@pytest.mark.parametrize("name", TRAINED)
def test_experiments_start_from_the_weights_of_their_network(composed: Compose, name: str) -> None:
    config = composed(f"experiment={name}")
    model = config.hydra.runtime.choices.model
    assert name.endswith(model)
    assert model in OmegaConf.to_container(config.model, resolve=True)["weights"]  # type: ignore[call-overload, index]


def test_the_model_of_an_experiment_can_be_changed(composed: Compose) -> None:
    assert composed("experiment=fat_cifar10", "model=vgg_small").model._target_.endswith("VGGSmall")


def test_an_experiment_may_train_nothing(composed: Compose) -> None:
    config = composed("experiment=pretrained_cifar10_resnet20")
    assert config.trainer.max_epochs == 0
    assert config.model.weights.endswith("resnet20-12fca82f.th")
    for name, bits, file in (
        ("released_cifar10_resnet20", 4, "resnet20_optionB_32bit.pth"),
        ("released_fat_cifar10_resnet20", 3, "resnet20_optionB_3bit.pth"),
    ):
        config = composed(f"experiment={name}", f"bits={bits}")
        assert (config.trainer.max_epochs, config.model.shortcut) == (0, "B")
        assert config.init_from.endswith(file)
        assert config.data.dataset.mean_std == "cifar10"


def test_defaults_in_yaml_are_those_of_the_class() -> None:
    from qsense.tasks.classification import ClassificationTask

    node = yaml.safe_load((config_folder() / "task" / "classification.yaml").read_text())["task"]
    for name, parameter in inspect.signature(ClassificationTask).parameters.items():
        if name in node and name != "standardise":  # on, where runs without the key had none
            default = parameter.default
            assert node[name] == (list(default) if isinstance(default, tuple) else default), name
