"""All numbers of a firmware: converter, input codes, integer network, window and stride.

Open it to see what the reference, the C sources, the sizes and the datasheet are made from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.chip.converter import Converter, Native
from qsense.chip.memory.codec import Codec
from qsense.quant.network.integer.numbers import Codes, Convolution, IntegerNetwork


@dataclass(frozen=True, eq=False)
class InputCodes:
    """From what the sensor delivers to the first layer's input codes, channel by channel.

    Exactly one of both is given: a table where the converter has no memory and at most 8 bits, else thresholds.

    Args:
        table: input code of each of the converter's codes, [channels, 2^N].
        thresholds: smallest number (code or native count of a sensor without a quantizer, decoded value of one with
            memory) at which input codes `low + 1`, `low + 2`, … begin, ascending, [channels, high − low]; one that is
            never reached is 2^17.
        low: the input code below the first threshold.
    """

    table: Codes | None
    thresholds: npt.NDArray[np.int32] | None
    low: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A firmware in numbers.

    Args:
        name: an identifier for files and symbols' comments.
        converter: without memory (`Converter`), with memory (`Codec`), or None: the sensor's native counts are taken.
        native: the sensor's own ADC.
        input: from the converter to input codes.
        network: in integers.
        window: samples.
        stride: samples from one window's start to the next.
        rate_hz: samples per second; None where the data states none.
        channels: names of the sensor's axes.
        class_names: in the order of their index.
    """

    name: str
    converter: Converter | Codec | None
    native: Native
    input: InputCodes
    network: IntegerNetwork
    window: int
    stride: int
    rate_hz: float | None
    channels: tuple[str, ...]
    class_names: tuple[str, ...]

    @property
    def positions(self) -> list[int]:
        """Outputs of each convolution that a window takes, in order."""
        left, positions = self.window, []
        for layer in self.network.layers:
            if isinstance(layer, Convolution):
                left -= layer.reach - 1
                positions.append(left)
        return positions
