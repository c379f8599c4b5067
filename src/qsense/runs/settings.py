"""Which part of a run's configuration decides its numbers: for its identity, and for what a report tells runs apart by.

Open it when a new key of the configuration does, or does not, move results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

# The parts of a configuration that decide a run's numbers.
GROUPS = ("quant", "data", "model", "task", "trainer")
# Where a run happens and what it shows, not what it computes: changing these gives the same run.
NOT_DECISIVE = {
    "trainer": {"_target_", "accelerator", "devices", "num_nodes", "strategy", "num_sanity_val_steps", "profiler",
                "log_every_n_steps", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"},
    "data": {"cache", "num_workers", "root", "download", "url", "sha256"},
    "callback": {"checkpoint", "trajectory", "figures", "adc", "progress", "cost", "network_figures",
                 "detection_figures", "results", "first_batch", "worst_frames"},
}  # fmt: skip
# Keys that came after runs of this schema had been recorded, each with the value at which it computes what such a run
# computed without it: there it does not count, so that those runs keep their names. By group, or by the group's part.
NEUTRAL: dict[str, dict[str, Any]] = {
    "quant": {"first_last_input_bits": "auto", "first_last_range": "abs_max", "transform_layers": None,
              "untransformed": "standardised", "activation_alpha_grad": None, "transform_lr": "same",
              "arithmetic": "float", "state_bits": 16,
              "start": None, "parametrization": "exp", "step_leak": 0},
    "trainer": {  # Lightning's own defaults
        "min_epochs": None, "min_steps": None, "max_time": None, "gradient_clip_algorithm": None,
        "limit_predict_batches": None, "overfit_batches": 0.0, "fast_dev_run": False, "val_check_interval": None,
        "enable_autolog_hparams": True, "deterministic": None, "benchmark": None, "detect_anomaly": False,
        "inference_mode": True, "use_distributed_sampler": True, "sync_batchnorm": False,
        "reload_dataloaders_every_n_epochs": 0, "plugins": None, "model_registry": None,
    },
    "model": {"lstm_bias": "uniform", "frozen_stages": -1, "proposals_kept": None, "box_loss": "smooth_l1",
              "low_quality_iou": 0.0, "aligned": False, "loss_average": "frame", "extra_from": "P5"},
    "data": {"files": None, "subject": None, "time": None, "label": None, "session": None, "delimiter": None,
             "decimal": None, "encoding": None, "header": None, "time_format": None, "resample": False,
             "missing": None, "blocks": None, "orientation": "exif", "full_scale": None, "strict": False,
             "bbox": "xywh", "mean_std": "imagenet", "stored": None, "cache_gb": None,
             "min_box": 0},
    "task": {"standardise": False, "white_balance": None},
    # Of one task alone: runs of detection have always recorded theirs.
    "HARTask": {"sensor_delay": 0},
    "ClassificationTask": {"sensor_delay": 0},
}  # fmt: skip
# What pictures may be written as: PNG always, the others beside it on request (figures=pdf).
FORMATS = ("png", "pdf", "svg")
# Where 1 is one batch, and 1.0 all of them.
PARTIAL = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches", "val_check_interval")
ONE_BATCH = "one batch"  # what stands for that 1, as 1.0 is written 1, too


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved configuration that decides a run's numbers, but for seed and fold.

    Parts are named by `part_name`, not by where their code lies. The root's `bits` is left out because it acts through
    the quantizer alone: `quant=none` is one run at any number of bits. Batch sizes are per process, and what moves the
    numbers is the batch of one optimiser step: `data.batch_size` counts over all processes.
    """
    parts = {
        group: _named(config[group], NOT_DECISIVE.get(group, set()), _neutral(group, config[group]))
        for group in GROUPS
        if config.get(group) is not None
    }
    data, model, trainer = parts.get("data", {}), parts.get("model", {}), config.get("trainer") or {}
    parts.get("trainer", {}).update({key: ONE_BATCH for key in PARTIAL if _is_one(trainer.get(key))})
    if isinstance(data.get("batch_size"), int):
        data["batch_size"] *= processes(config)
    if pretrained(config):  # there the map is not applied
        parts.get("task", {}).pop("standardise", None)
    # Where weights start from counts by name, as it is the file or run that matters and not its folder.
    if model.get("weights"):
        model["weights"] = Path(str(model["weights"])).name
    for key in ("init_from", "resume_from"):
        if config.get(key):
            parts[key] = Path(str(config[key])).name
    callbacks = config.get("callback") or {}
    others = {name: _named(callbacks[name], set()) for name in callbacks if name not in NOT_DECISIVE["callback"]}
    if others:  # one that stops early or averages weights makes another experiment
        parts["callback"] = others
    return parts


def pretrained(config: Mapping[str, Any]) -> bool:
    """Whether the network starts from published weights, which expect their input on the scale that they were made on.

    >>> pretrained({"model": {"pretrained": "resnet50.pth", "weights": None}}), pretrained({"model": {"depth": 18}})
    (True, False)
    """
    model = config.get("model") or {}
    return bool(model.get("weights") or model.get("pretrained"))


def processes(config: Mapping[str, Any]) -> int:
    """Over how many processes a step's batch is spread: devices × nodes.

    A run records it as `processes`, since only its own machine knows what `devices=auto` meant there.

    >>> processes({"trainer": {"devices": 2, "num_nodes": 3}}), processes({"trainer": {"devices": [0, 5]}})
    (6, 2)
    >>> processes({"trainer": {"devices": "auto"}, "processes": 4}), processes({})
    (4, 1)
    """
    if "processes" in config:
        return int(config["processes"])
    trainer = config.get("trainer") or {}
    return (count_devices(trainer.get("devices")) or 1) * int(trainer.get("num_nodes") or 1)


def count_devices(devices: Any) -> int | None:
    """How many devices Lightning's `devices` names; None where that depends on the machine ("auto", -1).

    >>> [count_devices(devices) for devices in (2, "3", [0, 1], "0,1", "3,", "auto", -1, None)]
    [2, 3, 2, 2, 1, None, None, None]
    """
    if isinstance(devices, str) and "," in devices:
        devices = [index for index in devices.split(",") if index.strip()]
    if isinstance(devices, list | tuple):
        return len(devices)
    text = str(devices)
    return int(text) if text.isdigit() else None


def bits_of(config: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Bits of the sensor and of the network, by the quantizers' own settings; None where one is not quantized.

    >>> bits_of({"bits": 4, "quant": {"sensor": {"bits": 3}, "network": None}})
    (3, None)
    """
    quant = config.get("quant") or {}
    parts = (quant.get("sensor"), quant.get("network"))
    sensor, network = (None if part is None or isinstance(part, str) else part.get("bits") for part in parts)
    return sensor, network


def part_name(target: str) -> str:
    """A part's stable name: its class's for qsense's own, wherever that lies; for anybody else's the full path.

    >>> part_name("qsense.quant.sensor.gamma.Gamma"), part_name("mine.adc.Gamma")
    ('Gamma', 'mine.adc.Gamma')
    """
    return target.rpartition(".")[2] if target.startswith("qsense.") else target


def _is_one(value: Any) -> bool:
    return type(value) is int and value == 1


def _neutral(group: str, node: Any) -> dict[str, Any]:
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return NEUTRAL.get(group, {}) | NEUTRAL.get(part_name(str(target)), {})


def _named(node: Any, dropped: set[str], neutral: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Without the dropped and the neutral keys, parts by their stable names, and 1.0 as 1, whoever spells it."""
    if isinstance(node, Mapping):
        named = {
            key: _named(value, dropped, neutral)
            for key, value in node.items()
            if key not in dropped and not (key in neutral and neutral[key] == value)
        }
        if isinstance(named.get("_target_"), str):
            named["_target_"] = part_name(named["_target_"])
        return named
    if isinstance(node, list | tuple):
        return [_named(value, dropped, neutral) for value in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    return node
