"""The μ-law ADC: the compander of telephony (ITU-T G.711), fixed or learned.

Open it for μ and its range; the curve itself is in `log_eps.py`.
"""

from __future__ import annotations

from typing import Unpack

from torch import nn

from qsense.quant.sensor.learned import for_logs
from qsense.quant.sensor.log_eps import LARGEST, SMALLEST, Logarithmic
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal


class MuLaw(Logarithmic):
    """z = s · ln(1 + μ|u|) / ln(1 + μ), s the sign of u: the continuous law that G.711 approximates, with μ = 255.

    It is the logarithmic curve of `LogEps` with ε = 1/μ. Where μ is learned, it is as exp(-`log_epsilon`); where it is
    not, `log_epsilon` is a buffer.

    Args:
        mu: of the law, 2^-10 … 2^24; larger is steeper at 0.
        learn: whether μ is learned from there.
        settings: as in `SensorQuantizer`.

    >>> law = MuLaw(Signal(channels=1, low=-1.0, high=1.0, unit=""), bits=2)
    >>> [round(t, 4) for t in law.thresholds()[0].tolist()]
    [-0.1542, 0.0, 0.1542]
    """

    def __init__(
        self, signal: Signal, bits: int, mu: float = 255.0, learn: bool = False, **settings: Unpack[LearnedSettings]
    ) -> None:
        if not 1 / LARGEST <= mu <= 1 / SMALLEST:
            raise ValueError(f"mu={mu!r}: MuLaw needs 2^-10 to 2^24; G.711 has 255")
        if not isinstance(learn, bool):
            raise ValueError(f"learn={learn!r}: MuLaw allows true or false")
        super().__init__(signal, bits, 1 / mu, "mu" if learn else None, **settings)

    def trajectory(self) -> dict[str, list[float]]:
        """The law's μ where it is learned or placed by `start`, one value per curve; elsewhere `mu` is a centre, hence
        another name."""
        if not isinstance(self.log_epsilon, nn.Parameter) and self.starts_at is None:
            return {}
        return {"mu_law": for_logs(self.log_epsilon.detach().double().neg().exp().float())}
