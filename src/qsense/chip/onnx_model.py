"""Sensor quantizer and network as ONNX; the quantizer becomes one comparison per bit, against thresholds in a table."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qsense.chip.converter import Converter
from qsense.models.detector import Detector
from qsense.quant.sensor.codes import are_codes, values
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.search import round_up, search_tree
from qsense.tasks.base import Task

OPSET = 18


class Comparators(nn.Module):
    """x → (codes, what the network sees), by successive approximation: plain operations, which export, and exact.

    A NaN gets code 0.

    Args:
        thresholds: [rows, 2^bits − 1]: float32 for values, int64 for native counts, one of which ("never") may be too
            large for the samples' own type.
        values: what each code stands for, float32 [2^bits].
        dim: the dimension of x that the rows lie along, 1 or −1; None: one row, or one for each sample of a batch.
    """

    row: Tensor
    values: Tensor

    def __init__(self, thresholds: Tensor, values: Tensor, dim: int | None = None) -> None:
        super().__init__()
        self.bits = thresholds.shape[1].bit_length()
        for depth, level in enumerate(search_tree(thresholds, self.bits)):
            self.register_buffer(f"level_{depth}", level.contiguous())
        self.register_buffer("values", values)
        row = torch.arange(len(thresholds)) if dim is not None else torch.zeros(1, dtype=torch.int64)
        self.register_buffer("row", row.view(-1, 1, 1) if dim == 1 else row)

    def forward(self, x: Tensor, row: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Codes int32 and values float32, in the shape of x.

        Args:
            x: samples.
            row: of each sample of the batch, int64 [B], where rows are conditions.
        """
        x = x if x.is_floating_point() else x.long()
        start = self.row if row is None else row.view(-1, *[1] * (x.dim() - 1))
        place = start + torch.zeros_like(x, dtype=torch.int64)
        for depth in range(self.bits):
            place = 2 * place + (x >= getattr(self, f"level_{depth}")[place]).long()
        code = place - start * (1 << self.bits)
        return code.int(), self.values[code]


class Deployed(nn.Module):
    """The way from samples to predictions: quantizer → (white balance) → standardisation → normalisation → network.

    Args:
        sensor: the quantizer; None where the sensor is not quantized, or decodes with memory before.
        task: the run's task, for what lies between its converter and its network.
        network: the network, or a detector's backbone.
    """

    def __init__(self, sensor: Comparators | None, task: Task, network: nn.Module) -> None:
        super().__init__()
        self.sensor = sensor
        self.task = task
        self.network = network

    def forward(self, x: Tensor, row: Tensor | None = None, gains: Tensor | None = None) -> tuple[Tensor, ...]:
        """Codes where there are any, then the network's outputs.

        Args:
            x: samples.
            row: of each sample of the batch, where rows are conditions.
            gains: of each sample of the batch, where white balance is the camera's.
        """
        codes: tuple[Tensor, ...] = ()
        if isinstance(self.task.sensor, MemoryConverter):
            levels = self.task.sensor(x)
        elif self.sensor is None:  # not `input_of`: it converts block by block, for a batch of one size
            signal = self.task.sensor.signal
            levels = values(x, signal).float() if are_codes(x, signal) else x
        else:
            code, levels = self.sensor(x, row)
            codes = (code,)
        return *codes, *outputs(self.network(self.task.from_levels(levels, row, gains)))


def outputs(found: Tensor | dict[str, Tensor]) -> tuple[Tensor, ...]:
    """A network's logits, or a backbone's feature maps, finest first."""
    return tuple(found.values()) if isinstance(found, dict) else (found,)


def exported_part(task: Task) -> tuple[str, nn.Module]:
    """What of a task's network is exported, and its outputs' name: all of it, or of a detector what it names (mostly
    its backbone), since what follows there picks boxes by data-dependent loops.

    Raises:
        ValueError: the detector has no part of that name.
    """
    if not isinstance(task.network, Detector):
        return "logits", task.network
    name = task.network.exported
    if name not in dict(task.network.named_modules()):
        raise ValueError(f"{type(task.network).__name__} has no part {name}: name one in `Detector.exported`")
    return "features", task.network.get_submodule(name)


def sensor_by_counts(converter: Converter) -> bytes:
    """The quantizer alone, native counts as numbers [n, rows] → codes and values [n, rows]; a column per row."""
    kind = torch.int32 if converter.native.bits < 31 else torch.int64
    thresholds = torch.from_numpy(converter.native.coding.number(converter.counts))
    sensor = Comparators(thresholds, torch.from_numpy(converter.values), dim=-1)
    x = torch.zeros(2, len(converter.rows), dtype=kind)
    return _model(sensor, (x,), ["counts"], ["codes", "values"])


def sensor_by_values(converter: Converter) -> bytes:
    """The quantizer alone, on values as the run's data gives them, float32 [n, rows]."""
    sensor = Comparators(round_up(torch.from_numpy(converter.seen)), torch.from_numpy(converter.values), dim=-1)
    return _model(sensor, (torch.zeros(2, len(converter.rows)),), ["values"], ["codes", "levels"])


def network(task: Task, converter: Converter | None, x: Tensor) -> bytes:
    """Quantizer and network in one, from samples as the run's data gives them to codes and logits (or features).

    Args:
        task: trained, in evaluation mode; a quantized network is frozen.
        converter: the sensor's; None where it is not quantized.
        x: an example, a batch of at least one.
    """
    name, part = exported_part(task)
    quantizer = None if converter is None else comparators(task, converter, x)
    with torch.no_grad():
        count = len(outputs(part(task.input_of(x, [0] * len(x)))))
    names = [name] if count == 1 else [f"{name}_{level}" for level in range(count)]
    inputs: dict[str, Tensor | None] = {
        "x": x.repeat(2, *[1] * (x.dim() - 1))[:2],  # a batch of one would be taken for a fixed size
        "condition": torch.zeros(2, dtype=torch.int64) if has_conditions(task) else None,
        "gains": torch.ones(2, 3) if by_camera(task) else None,
    }
    given = [name for name, tensor in inputs.items() if tensor is not None]
    results = ["codes"] * (converter is not None) + names
    return _model(Deployed(quantizer, task, part).eval(), tuple(inputs.values()), given, results)


def has_conditions(task: Task) -> bool:
    """Whether the exported network is told each sample's condition."""
    return task.sensor.rows > 1 and not task.sensor.per_channel


def by_camera(task: Task) -> bool:
    """Whether the exported network is told each sample's white balance."""
    return task.white_balance is not None and task.white_balance.source == "camera"


def comparators(task: Task, converter: Converter, x: Tensor) -> Comparators:
    """The task's quantizer for samples like x: native counts, or values."""
    native = are_codes(x, task.sensor.signal)
    own = sorted(set(converter.source))
    first = [converter.source.index(row) for row in own]
    thresholds = torch.from_numpy((converter.counts if native else converter.seen)[first])
    thresholds = thresholds if native else round_up(thresholds)
    dim = (1 if x.dim() == 4 else -1) if task.sensor.per_channel and len(own) > 1 else None
    return Comparators(thresholds, torch.from_numpy(converter.values), dim)


def _model(module: nn.Module, inputs: tuple[Tensor | None, ...], names: Sequence[str], results: Sequence[str]) -> bytes:
    """A module as ONNX with any batch size: the same bytes each time, and no traces of where it was made."""
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            inputs,
            dynamo=True,
            input_names=list(names),
            output_names=list(results),
            dynamic_shapes=tuple(None if each is None else {0: batch} for each in inputs),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    content: bytes = model.SerializeToString(deterministic=True)
    return content
