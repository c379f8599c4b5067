"""Every argument of Lightning's Trainer may be set, and a wrong value is answered before anything is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import DictConfig, OmegaConf
from tests.refusal import assert_names, refused

from qsense.experiment.command_line.habits import understood
from qsense.experiment.compose import compose
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import run_id
from qsense.experiment.parts import check_arguments
from qsense.experiment.trainer import BATCHES, CHOICES, INSTEAD, check_machine, check_trainer
from qsense.runs.settings import NEUTRAL

if TYPE_CHECKING:
    from tests.conftest import Command

Compose = Callable[..., DictConfig]

ACCEPTED: dict[str, list[Any]] = {
    "deterministic": [True, "warn"],
    "profiler": ["simple", "Advanced"],
    "strategy": ["auto", "ddp", "DDP_spawn"],
    "precision": ["bf16-mixed", 64, "32"],
    "max_epochs": [0, 5, None],
    "max_steps": [-1, 7],
    "max_time": ["00:12:00:00", {"hours": 2}],
    "limit_train_batches": [0, 1, 0.5, 20, 20.0, None],
    "overfit_batches": [1, 0.25],
    "val_check_interval": [10, 0.5, "00:00:10:00"],
    "gradient_clip_val": [1, 0.5, None],
    "gradient_clip_algorithm": ["value"],
    "devices": [1, 4, "auto", "2"],
    "plugins": [{"_target_": "mine.Plugin"}],
    "benchmark": [True],
    "detect_anomaly": [True],
    "accumulate_grad_batches": [2],
    "num_sanity_val_steps": [-1, 2],
    "accelerator": ["auto", "gpu", "cuda"],
    "reload_dataloaders_every_n_epochs": [1],
}


@pytest.fixture(scope="module")
def trainer() -> dict[str, Any]:
    """What conf/trainer/cpu.yaml says."""
    found = OmegaConf.to_container(compose().trainer, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def look_at(trainer: dict[str, Any]) -> None:
    check_arguments("trainer", trainer)
    check_trainer(trainer)


def test_what_lightning_takes_is_accepted(trainer: dict[str, Any]) -> None:
    for key, values in ACCEPTED.items():
        for value in values:
            look_at({**trainer, key: value})


REFUSED: list[tuple[str, Any, list[Any]]] = [
    ("accelerator", "nonsense", ["trainer.accelerator=nonsense", "cpu", "gpu"]),
    ("accelerator", "GPU0", ["trainer.accelerator=GPU0", "gpu"]),
    ("strategy", "nonsense", ["trainer.strategy=nonsense", "ddp", "fsdp"]),
    ("strategy", "dpp", ["trainer.strategy=dpp", "ddp", "ddp"]),
    ("strategy", 5, ["trainer.strategy=5", "ddp"]),
    ("profiler", "fast", ["trainer.profiler=fast", "simple", "pytorch"]),
    ("profiler", True, ["trainer.profiler=True", "simple"]),
    ("precision", 15, ["trainer.precision=15", "'bf16-mixed'", 32]),
    ("precision", "32-mixed", ["'32-mixed'", "'32-true'"]),
    ("gradient_clip_val", "None", ["trainer.gradient_clip_val='None'", "trainer.gradient_clip_val=null"]),
    ("gradient_clip_val", "1,5", ["trainer.gradient_clip_val='1,5'", "float"]),
    ("gradient_clip_val", -1, ["trainer.gradient_clip_val=-1", 0]),
    ("gradient_clip_algorithm", "l2", ["trainer.gradient_clip_algorithm=l2", "norm", "value"]),
    ("limit_train_batches", 2.5, ["trainer.limit_train_batches=2.5", 0.0, 1.0]),
    ("limit_val_batches", -1, ["trainer.limit_val_batches=-1", 0.0]),
    ("limit_test_batches", 0, ["trainer.limit_test_batches=0", "trainer.limit_test_batches=1"]),
    ("limit_test_batches", "all", ["trainer.limit_test_batches='all'", "float"]),
    ("overfit_batches", 1.5, ["trainer.overfit_batches=1.5", 1.0]),
    ("val_check_interval", "often", ["trainer.val_check_interval=often", "DAYS:HOURS:MINUTES:SECONDS"]),
    ("max_epochs", 1e2, ["trainer.max_epochs=100.0", "trainer.max_epochs=100"]),
    ("max_epochs", -1, ["trainer.max_epochs=-1", "trainer.max_steps", "trainer.max_time"]),
    ("max_epochs", -2, ["trainer.max_epochs=-2", -1]),
    ("max_epochs", "ten", ["trainer.max_epochs='ten'", "int"]),
    ("max_steps", -2, ["trainer.max_steps=-2", -1]),
    ("max_time", 30, ["trainer.max_time=30", "DAYS:HOURS:MINUTES:SECONDS"]),
    ("max_time", "2h", ["trainer.max_time=2h", "DAYS:HOURS:MINUTES:SECONDS"]),
    ("check_val_every_n_epoch", 0, ["trainer.check_val_every_n_epoch=0", 1]),
    ("check_val_every_n_epoch", None, ["trainer.check_val_every_n_epoch=null", "trainer.val_check_interval"]),
    ("accumulate_grad_batches", 0, ["trainer.accumulate_grad_batches=0", 1]),
    ("accumulate_grad_batches", 1.5, ["trainer.accumulate_grad_batches=1.5", "int"]),
    ("num_nodes", 0, ["trainer.num_nodes=0", 1]),
    ("devices", 0, ["trainer.devices=0", 1, "auto"]),
    ("devices", -1, ["trainer.devices=-1", 1]),  # of processors there are no "all"
    ("devices", "two", ["trainer.devices=two", "auto"]),
    ("devices", [], ["trainer.devices=[]"]),
    ("devices", [0, 0], ["trainer.devices=[0, 0]"]),
    ("devices", [0, 1], ["trainer.devices=[0, 1]", "trainer.accelerator=cpu"]),
    ("deterministic", "strict", ["trainer.deterministic='strict'", "'warn'"]),
    ("benchmark", "yes", ["trainer.benchmark='yes'", "bool"]),
    ("detect_anomaly", 1, ["trainer.detect_anomaly=1", "bool"]),
    ("plugins", "amp", ["trainer.plugins=amp", "_target_"]),
    ("fast_dev_run", True, ["trainer.fast_dev_run=True", "trainer=smoke"]),
    ("fast_dev_run", 3, ["trainer.fast_dev_run=3", "trainer=smoke"]),
    ("logger", False, ["trainer.logger", "logger=none"]),
    ("callbacks", None, ["trainer.callbacks", "callback=none"]),
    ("max_epoch", 3, ["trainer.max_epoch", "max_epochs", "max_epochs"]),
]


@pytest.mark.parametrize(("key", "value", "named"), REFUSED, ids=[f"{key}={value}" for key, value, _ in REFUSED])
def test_what_lightning_refuses_is_answered(trainer: dict[str, Any], key: str, value: Any, named: list[Any]) -> None:
    with refused(ConfigError, *named):
        look_at({**trainer, key: value})


def test_a_users_own_trainer_has_rules_of_its_own() -> None:
    check_trainer({"_target_": "mine.Trainer", "strategy": "nonsense"})


def test_apples_gpu_is_looked_for_on_apples_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = {"_target_": "lightning.Trainer", "accelerator": "mps"}
    monkeypatch.setattr("sys.platform", "linux")
    with refused(ConfigError, "trainer.accelerator=mps", "cpu", "gpu"):
        check_trainer(trainer)
    monkeypatch.setattr("sys.platform", "darwin")
    check_trainer(trainer)


@pytest.mark.parametrize(
    ("accelerator", "gpus", "devices", "named"),
    [
        ("gpu", 0, 1, ["trainer.accelerator=gpu", "trainer=cpu"]),
        ("cuda", 0, 1, ["trainer.accelerator=cuda", "trainer=cpu"]),
        ("gpu", 1, 2, ["trainer.devices=2", 1]),
        ("gpu", 2, 2, []),
        ("gpu", 2, "auto", []),
        ("cpu", 0, 8, []),
        ("auto", 0, 1, []),
    ],
)
def test_a_run_asks_its_machine_for_the_accelerator(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, gpus: int, devices: Any, named: list[Any]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    trainer = {"accelerator": accelerator, "devices": devices}
    if named:
        with refused(ConfigError, *named):
            check_machine(trainer)
    else:
        check_machine(trainer)


def test_our_lists_are_lightnings(trainer: dict[str, Any]) -> None:
    from lightning import Trainer
    from lightning.pytorch.accelerators import AcceleratorRegistry
    from lightning.pytorch.strategies import StrategyRegistry

    arguments = inspect.signature(Trainer.__init__).parameters
    assert {*trainer, *INSTEAD} - {"_target_"} == {*arguments} - {"self"}, "conf/trainer/cpu.yaml names all"
    without_a_device = {each for each in StrategyRegistry.available_strategies() if not each.startswith("single_")}
    assert {*CHOICES["strategy"]} == {"auto", *without_a_device}
    assert {*CHOICES["accelerator"]} == {"auto", "gpu", *AcceleratorRegistry.available_accelerators()}
    for key, neutral in NEUTRAL["trainer"].items():
        assert trainer[key] == neutral, "as long as nobody sets it"
        assert arguments[key].default == neutral


def test_arguments_at_their_defaults_move_no_identity(composed: Compose) -> None:
    base = run_id(composed())
    assert base == run_id(composed("trainer.deterministic=null", "trainer.overfit_batches=0"))
    # How a run is done, and not what it computes.
    assert base == run_id(composed("trainer.profiler=simple", "trainer.strategy=ddp", "trainer.log_every_n_steps=1"))
    moving = ["trainer.deterministic=true", "trainer.overfit_batches=2", "trainer.max_time=00:00:01:00"]
    assert len({base, *(run_id(composed(each)) for each in moving)}) == 4


@pytest.mark.parametrize("key", [*BATCHES[1:], "overfit_batches"])
def test_one_batch_is_not_all_of_them(composed: Compose, key: str) -> None:
    runs = {value: run_id(composed(f"trainer.{key}={value}")) for value in ("1", "1.0", "2", "2.0", "0.5")}
    assert runs["1"] != runs["1.0"]
    assert runs["2"] == runs["2.0"]
    assert len(set(runs.values())) == 4


def test_a_run_of_some_batches_has_a_name_of_its_own(composed: Compose) -> None:
    some, smoke = (run_id(composed(*understood([each]))) for each in ("trainer.fast_dev_run=3", "trainer=smoke"))
    assert some == smoke != run_id(composed())


def test_an_argument_is_set_with_and_without_a_plus(composed: Compose) -> None:
    spellings = [f"{plus}trainer.deterministic=true" for plus in ("", "+", "++")]
    assert len({run_id(composed(*understood([each]))) for each in spellings}) == 1


def test_the_command_says_it_before_torch(light_command: Command) -> None:
    done = light_command("qsense.train", "trainer.devices=2.5", "trainer=smoke")
    assert done.code == 1
    assert_names(done.err, "trainer.devices=2.5")
    assert not done.heavy
