"""Converters that take whole recordings or frames, before windows are cut out of them, or frames are resized.

Open it to see what data and tasks ask of them; `base.py` has those that predict, `pisp.py` and `mipi.py` formats of
cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.sensor import Sensor

Codes = npt.NDArray[np.integer]


class WholeConverter(Sensor):
    """What a sample becomes depends on samples beside it, so it goes through with them, and batches hold what the
    receiver decodes.

    Attributes:
        takes: "series" (whole recordings) or "frames" (at native size); like the `takes` of tasks.
        digital: whether it codes the samples of a native ADC in a published format: it saves no conversion, and there
            is nothing of it to export.
    """

    wants_recordings: ClassVar[bool] = True
    takes: ClassVar[str] = "series"
    digital: ClassVar[bool] = False

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """x, which its receiver has decoded before windows were cut, in float32; float64 stays float64."""
        return x if x.dtype == torch.float64 else x.float()

    def received(self, codes: Codes) -> npt.NDArray[np.uint16]:
        """Of a converter that takes frames: the native counts that a receiver decodes of one, or of several,
        [..., planes, h, w], in the same shape."""
        raise NotImplementedError

    def received_frames(self, x: Tensor) -> Tensor:
        """The same of a tensor of native codes.

        Raises:
            ValueError: x does not hold native codes.
        """
        if x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: {type(self).__name__} converts native codes, integers")
        return torch.from_numpy(self.received(x.cpu().numpy()).astype(np.int32))

    def channels(self) -> Sequence[Any]:
        """What decides its codes beside its settings, of each channel; nothing where all of it is stated."""
        return ()

    @property
    def settings(self) -> dict[str, object]:
        """The class, and all that its constructor was told: what decoded samples are kept by."""
        told = {key: value for key, value in vars(self).items() if not key.startswith("_") and key != "training"}
        return {"class": type(self).__name__, **told}
