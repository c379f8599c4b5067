"""What stands between the data and the network, quantized or not: all that a task knows of a sensor.

Open it to see what training calls, and when. Converters are in `base.py`; a sensor without one is in `identity.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from qsense.signal import Signal


class Sensor(nn.Module, ABC):
    """Hands samples on to the network, and takes part in its training if it has something to learn.

    Args:
        signal: what the sensor delivers.

    Attributes:
        wants_samples: whether `fit` places the curve by samples of the training data.
        wants_recordings: whether it converts whole recordings, before windows are cut (`memory/base.py`).
        bits: resolution of its ADC; 0 where samples are not quantized.
        per_channel: whether each channel has a curve of its own.
        rows: how many curves there are.
        lr: own learning rate of what it learns; None means the network's.
        decays: whether the network's weight decay acts on what it learns.
    """

    wants_samples: bool = False
    wants_recordings: ClassVar[bool] = False
    bits: int = 0
    per_channel: bool = False
    rows: int = 1
    lr: float | None = None
    decays: bool = False

    def __init__(self, signal: Signal) -> None:
        super().__init__()
        self.signal = signal

    @abstractmethod
    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees, in the shape of x.

        Args:
            x: samples, values or native codes.
            condition: of each sample of the batch, an index into the signal's `conditions`; most sensors ignore it.
        """

    def power(self, condition: Sequence[int] | Tensor | None = None) -> float | Tensor | None:
        """p, where light times a gain g makes its levels times g^p (within the range, of a signal from 0): for each
        channel or one for all; None where no p does, as behind a logarithm.

        Args:
            condition: of each sample of a batch, as in `forward`; the first dimension of p is the batch's, then.
        """
        return None

    def fit(self, samples: Tensor) -> None:
        """Before training, where the sensor `wants_samples`: place the curve by them.

        Args:
            samples: values or native codes [n, channels] of the training data, as they will be converted.
        """

    def progress(self, share: float) -> None:
        """At each epoch's start: how much of the training is over, 0 … 1."""

    def clamp_(self) -> None:
        """After each optimiser step: put parameters back into their ranges."""

    def trajectory(self) -> dict[str, list[float]]:
        """For logs: the current learned values in natural terms, by name; empty where nothing is learned."""
        return {}

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimiser groups: all parameters at their own rate, without weight decay (but where the sensor `decays`);
        empty without any.

        Args:
            lr: the network's learning rate, used where the sensor has none of its own.
        """
        parameters = [p for p in self.parameters() if p.requires_grad]
        rate = lr if self.lr is None else self.lr
        group = {"params": parameters, "lr": rate} | ({} if self.decays else {"weight_decay": 0.0})
        return [group] if parameters else []
