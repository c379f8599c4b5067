"""A run's firmware in place of its task, sample by sample: native counts → codes → integer network → class.

Open it to see that a stream gives the classes of the exported C: `chip/firmware/reference.py` is what both equal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qsense.chip.converter import Converter, convert
from qsense.chip.export import data_at_hand
from qsense.chip.firmware import reference
from qsense.chip.firmware.build import arithmetic_of, build, check_suitable, native_of
from qsense.chip.firmware.inputs import counted
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec, codec
from qsense.data.series.batch import normalise_
from qsense.experiment.load import TrainedRun
from qsense.quant.network.integer.numbers import Linear
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.stream.pipeline import Ints, LiveConverter, Prediction, ends_of

NAME = "stream"  # of a plan that is not written


def plan_of(run: TrainedRun) -> Plan:
    """The run's firmware in numbers.

    Raises:
        ValueError: it cannot be one, or has no data to place its ranges by.
    """
    check_suitable(run, "--integer")
    if arithmetic_of(run) != "integer" and (missing := data_at_hand(run)):
        first = missing.partition("\n")[0]  # what follows it are settings of training
        raise ValueError(
            f"--integer: {run.folder} was not trained in integers, and ranges of activations are placed by its "
            f"training windows: {first} Give --root FOLDER, or leave --integer out"
        )
    sensor, statistics = run.task.sensor, run.result["statistics"]
    converter: Converter | Codec | None = None
    if isinstance(sensor, MemoryConverter):
        converter = codec(sensor, NAME, statistics)
    elif isinstance(sensor, SensorQuantizer):
        converter = convert(sensor, NAME, statistics, stated=getattr(run.data.dataset, "range", None))
    return build(run, converter, native_of(run, converter), NAME).plan


class IntegerPipeline:
    """The run's firmware.

    Args:
        run: on series.

    Raises:
        ValueError: see `plan_of`.
    """

    name = "integers, as its firmware computes"

    def __init__(self, run: TrainedRun) -> None:
        self.plan = plan_of(run)
        self.sensor, self.ends = run.task.sensor, ends_of(run)
        self.bits = self.sensor.bits
        self.memory = LiveConverter(self.sensor) if isinstance(self.sensor, MemoryConverter) else None
        self.network = reference.Stream(self.plan)
        classifier = self.plan.network.layers[-1]
        assert isinstance(classifier, Linear)
        self.unit = classifier.unit

    def reset(self) -> None:
        """See `Pipeline`."""
        self.network.reset()
        if self.memory:
            self.memory.reset()

    def push(self, sample: npt.NDArray[np.float32]) -> tuple[Ints | None, Prediction | None]:
        """See `Pipeline`."""
        x = sample.astype(np.float32)
        if self.memory:  # its counts are those that training placed its tables by
            seen = x if self.ends is None else normalise_(x, *self.ends)
            codes, numbers = self.memory.send(self.memory.converter.counts(seen))
        else:
            numbers = reference.converted(self.plan, counted(x, self.plan.native)[None])[0]
            codes = numbers
        logits = self.network.push(reference.input_codes(self.plan, numbers[None])[0])
        return None if self.plan.converter is None else codes, None if logits is None else self.decided(logits)

    def decided(self, logits: Ints) -> Prediction:
        """The class of the largest logit, of equal ones the first; its margin as a firmware states it."""
        winner = int(logits.argmax())
        behind = (logits - logits[winner]) * self.unit
        others = np.delete(logits, winner)
        return Prediction(winner, float(1 / np.exp(behind).sum()), int(logits[winner] - others.max()))
