"""Does the exported network compute what the run's own does? On a batch of its test data.

Open it to see how near the outputs must be, and why those of a quantized network are compared in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qsense.chip.conformance import Check, Codes, compared, session
from qsense.chip.onnx_model import by_camera, exported_part, has_conditions, outputs
from qsense.data.module import ExperimentData
from qsense.quant.sensor.base import SensorQuantizer
from qsense.tasks.base import Task

FEW = 4  # test examples that a network is evaluated on in float64
TOLERANCE = 1e-5  # of a network's outputs


def check_network(file: Path, task: Task, data: ExperimentData) -> list[Check]:
    """The exported network against the run's own, on a batch of its test data.

    A network of quantized activations is compared in float64: in float32 sums in another order differ by their last
    bits, an activation near a rounding boundary then falls to its other side, and that shows in the logits. PyTorch
    does not agree with itself there, between a whole batch and one example at a time; both shares are reported.

    Args:
        file: `network.onnx`.
        task: as it was exported.
        data: set up.
    """
    if find_spec("onnxruntime") is None:
        return [Check("ONNX, network", None, "onnxruntime is not installed (pip install 'qsense[export]')")]
    name, part = exported_part(task)
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    x = sized(batch.x, data.example().shape[1:])
    condition, gains = getattr(batch, "condition", None), getattr(batch, "gains", None)
    inputs = [x.numpy()]
    if has_conditions(task):
        inputs.append(np.array(condition))
    if by_camera(task):
        inputs.append(np.array(gains))
    found = session(file)(*inputs)
    checks = []
    if isinstance(task.sensor, SensorQuantizer):
        codes = task.sensor.encode(x, condition).long().numpy()
        checks.append(compared("ONNX, codes of a test batch", found.pop(0).astype(np.int64), codes))
    with torch.no_grad():
        seen = task.input_of(x, condition, gains)
        expected = outputs(part(seen))
        if task.network_quantizer is None:
            return [*checks, _close(name, "of a test batch", found, expected, len(x))]
        exact = copy.deepcopy(task).double()
        levels = task.sensor(x, condition).double()
        reference = outputs(exported_part(exact)[1](exact.from_levels(levels, condition, gains)))
        alone = torch.cat([outputs(part(seen[i : i + 1]))[0] for i in range(len(x))])
    in_double = wide(file)(*(each[:FEW] for each in inputs))[isinstance(task.sensor, SensorQuantizer) :]
    check = _close(
        name, "of the quantized network in float64", in_double, [each[:FEW] for each in reference], min(FEW, len(x))
    )
    limit = TOLERANCE * _largest(name, expected)
    theirs = expected[0].numpy()
    mine = _within(found[0], theirs, limit)
    own = min(_within(alone.numpy(), theirs, limit), _within(reference[0].numpy(), theirs, limit))
    in_single = Check(
        f"ONNX, {name} of the quantized network in float32",
        own - mine <= margin(len(x)),
        f"{mine} of {len(x)} examples within {limit:.1e}; PyTorch against itself {own}, and at most "
        f"{margin(len(x))} fewer are chance",
    )
    return [*checks, check, in_single]


def sized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Samples cut, or padded with 0, to the size that the exported network takes: batches of frames differ in theirs.

    >>> sized(torch.ones(1, 1, 2, 3), (1, 3, 2)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]]]
    """
    if x.shape[1:] == tuple(size):
        return x
    resized = x.new_zeros(len(x), *size)
    common = (slice(None), *(slice(min(sides)) for sides in zip(x.shape[1:], size, strict=True)))
    resized[common] = x[common]
    return resized


def margin(examples: int) -> int:
    """How many examples fewer may agree: a quarter of them, or three standard deviations of the difference of two
    counts, 3·√(n/2) at most, where that is more.

    >>> margin(8), margin(100)
    (6, 25)
    """
    return int(max(examples / 4, 3 * (examples / 2) ** 0.5))


def _within(found: npt.NDArray[Any], expected: npt.NDArray[Any], limit: float) -> int:
    """Examples that differ nowhere by more than the limit."""
    return int((np.abs(found - expected).reshape(len(expected), -1).max(axis=1) <= limit).sum())


def _largest(name: str, expected: Sequence[torch.Tensor]) -> float:
    """What differences are relative to: logits count as they are, feature maps, which have no natural size, do not."""
    return max(float(theirs.abs().max()) for theirs in expected) if name == "features" else 1.0


def _close(name: str, of: str, found: Sequence[Codes], expected: Sequence[torch.Tensor], examples: int) -> Check:
    error = max(float(np.abs(mine - theirs.numpy()).max()) for mine, theirs in zip(found, expected, strict=True))
    limit = TOLERANCE * _largest(name, expected)
    detail = f"{examples} test examples, largest difference {error:.1e} of at most {limit:.1e}"
    return Check(f"ONNX, {name} {of}", error <= limit, detail)


def wide(file: Path) -> Callable[..., list[Codes]]:
    """A model file's own graph and numbers, evaluated in float64 by ONNX's reference implementation."""
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(file)

    def widened(tensor: onnx.TensorProto) -> onnx.TensorProto:
        array = numpy_helper.to_array(tensor)
        return numpy_helper.from_array(array.astype(np.float64) if array.dtype == np.float32 else array, tensor.name)

    for tensor in model.graph.initializer:
        tensor.CopyFrom(widened(tensor))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(widened(attribute.t))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.DOUBLE
    evaluator = ReferenceEvaluator(model)

    def run(*inputs: Codes) -> list[Codes]:
        doubles = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
        return list(evaluator.run(None, dict(zip(evaluator.input_names, doubles, strict=True))))

    return run
