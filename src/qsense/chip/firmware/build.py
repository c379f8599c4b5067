"""From a finished run to its firmware's plan: converter, input codes, and the network in integers.

Open it to see which runs become a firmware, and what is done to a network that was not trained in integers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from qsense.chip.converter import Converter, Native, native_adc
from qsense.chip.firmware.inputs import Ends, input_codes
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.data.series.module import HARDataModule
from qsense.experiment.load import TrainedRun
from qsense.quant.network.integer import extract as integers
from qsense.quant.network.integer.chain import stages
from qsense.quant.network.integer.forward import Integer
from qsense.quant.network.integer.needs import misfits

MOST_RAW_BITS = 16  # of counts that no converter cuts down; all of them go through the task, one by one
CALIBRATION = 1024  # training windows, evenly spaced: they give activations their ranges after training
PLACED_STATE_BITS = 16  # of LSTM states that were not trained in integers
Arithmetic = Literal["integer", "quantized", "float"]
EXPLAINED: dict[Arithmetic, str] = {
    "integer": "trained in integers (quant.network.arithmetic=integer): the firmware computes what training saw",
    "quantized": "weights and activations are those that were trained; sums, gates and LSTM states become integers "
    f"({PLACED_STATE_BITS}-bit states) after training",
    "float": f"trained in floats: weights and activations of 8 bits, and states of {PLACED_STATE_BITS}, are placed "
    "after it",
}


@dataclass(frozen=True, eq=False)
class Built:
    """A run's firmware.

    Args:
        plan: all of its numbers.
        network: the same in torch, fed with what the task gives its network.
        arithmetic: in which the run was trained.
    """

    plan: Plan
    network: nn.Module
    arithmetic: Arithmetic


def check_suitable(run: TrainedRun, asked: str = "format=firmware") -> None:
    """Refuse a run that cannot become a firmware.

    Args:
        run: any.
        asked: what was asked for, as errors begin.

    Raises:
        ValueError: it works on images or frames, its network is of another kind, or has levels that are no integers.
    """
    kind = type(run.task.network).__name__
    if not isinstance(run.data, HARDataModule):
        raise ValueError(f"{asked}: {run.folder} works on {run.data.gives}, and a firmware takes series only: its "
                         "network leaves as ONNX (format=onnx)")  # fmt: skip
    if not callable(getattr(run.task.network, "chain", None)):
        raise ValueError(
            f"{asked}: {kind} is no chain of convolutions along time, an LSTM or a pool, and a classifier "
            "(DeepConvLSTM, TinyConv): it leaves as ONNX (format=onnx)"
        )
    try:
        listed = stages(run.task.network)
    except ValueError as error:
        reason = str(error).removeprefix("arithmetic=integer: ")
        raise ValueError(f"{asked}: {reason}; this network leaves as ONNX (format=onnx)") from error
    quantizer = run.task.network_quantizer
    if quantizer is None:
        return
    for key, value, needed in misfits(vars(quantizer)):
        raise ValueError(
            f"{asked}: quant.network.{key}={value}: a firmware's weights and activations are whole numbers "
            f"of one unit, so it needs {key}={needed}; this network leaves as ONNX (format=onnx)"
        )
    if any(stage.coder is not None and not hasattr(stage.coder, "input_quantizer") for stage in listed):
        raise ValueError(
            f"{asked}: quant.network.first_last_input_bits=null: what enters the last layer is in floats, and a "
            "firmware needs it in codes (auto); this network leaves as ONNX (format=onnx)"
        )


def native_of(
    run: TrainedRun,
    converter: Converter | Codec | None,
    native_bits: int | None = None,
    full_scale: Sequence[float] | None = None,
    twos_complement: bool = False,
) -> Native:
    """The sensor's own ADC, whose counts the firmware takes.

    Raises:
        ValueError: it has too many bits, or options contradict the sensor.
    """
    match converter:
        case Converter():
            native = converter.native
        case Codec():
            low, high = (end(c[i] for c in converter.limits) for i, end in enumerate((min, max)))
            native = Native(converter.native_bits, low, high, converter.black, converter.white)
        case None:
            signal, ends = run.task.sensor.signal, ends_of(run)
            pairs = [(signal.low, signal.high)] * signal.channels if ends is None else list(zip(*ends, strict=True))
            stated = getattr(run.data.dataset, "range", None)
            if full_scale is None and stated is None and ends is None:
                raise ValueError(
                    f"full_scale: nobody has stated the range of {run.data.dataset.name}: give full_scale=low,high in "
                    f"{signal.unit}"
                )
            native = native_adc(signal, pairs, full_scale, native_bits, stated, ends is not None)  # type: ignore[arg-type]
    if converter is None and native.bits > MOST_RAW_BITS:
        raise ValueError(f"native_bits={native.bits}: a firmware without a converter takes at most {MOST_RAW_BITS}")
    return replace(native, twos_complement=twos_complement)


def ends_of(run: TrainedRun) -> Ends | None:
    """What became −1 and 1 in training, for each channel."""
    statistics = run.result["statistics"]
    return None if statistics.get("low") is None else (statistics["low"], statistics["high"])


def build(run: TrainedRun, converter: Converter | Codec | None, native: Native, name: str) -> Built:
    """A run's firmware, in numbers.

    Args:
        run: suitable; its data set up, unless it was trained in integers.
        converter: its converter.
        native: the sensor's own ADC.
        name: an identifier.

    Raises:
        ValueError: a network that integers do not cover, or whose accumulators might not fit 32 bits.
    """
    task, data = run.task, run.data
    assert isinstance(data, HARDataModule)
    arithmetic = arithmetic_of(run)
    network = copy.deepcopy(task.network).eval()
    if arithmetic != "integer":
        integers.after_training(network, training_windows(run), PLACED_STATE_BITS)
    numbers = integers.extract(network)

    def code(seen: Tensor) -> Tensor:
        return integers.input_codes(network, seen[None])[0]

    given = input_codes(task, converter, native, ends_of(run), code, numbers.input_low, numbers.input_high)
    signal = data.signal
    plan = Plan(
        name=name, converter=converter, native=native, input=given, network=numbers, window=data.window,
        stride=data.stride, rate_hz=signal.rate_hz,
        channels=signal.names or tuple(f"channel_{c}" for c in range(signal.channels)),
        class_names=task.class_names,
    )  # fmt: skip
    return Built(plan, network, arithmetic)


def arithmetic_of(run: TrainedRun) -> Arithmetic:
    """In which a run was trained."""
    if isinstance(run.task.network, Integer):
        return "integer"
    return "float" if run.task.network_quantizer is None else "quantized"


@torch.no_grad()
def training_windows(run: TrainedRun) -> Tensor:
    """What the network is given of windows that are spread evenly over the training part, [n, window, channels]."""
    part = run.data.part("train")
    chosen = np.unique(np.linspace(0, len(part) - 1, min(CALIBRATION, len(part))).astype(np.int64))
    seen: Tensor = run.task.input_of(part.__getitems__(chosen).x)
    return seen
