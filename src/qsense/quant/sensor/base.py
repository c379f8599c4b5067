"""A simulated analog-to-digital converter: a monotone transfer curve, then a uniform quantizer (γ-Quant, eqs. 1-2).

Open it to see what every sensor quantizer does, or before you write a curve; `conversion.py` makes it fast.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from qsense.quant.sensor import conversion, histogram
from qsense.quant.sensor.bisection import bisect
from qsense.quant.sensor.histogram import Place
from qsense.quant.sensor.search import snap
from qsense.quant.sensor.sensor import Sensor
from qsense.quant.sensor.settings import Output, Rounding, Start, Surrogate, check
from qsense.quant.sensor.starting import RULES, nearest
from qsense.quant.ste import differentiate, straight_through
from qsense.signal import Signal


class SensorQuantizer(Sensor):
    """A sensor's ADC of `bits` bits over the signal's range; a subclass adds its transfer `curve` and its parameters.

    Samples `x` are first expressed in *unit coordinates* `u = (x - offset) / scale`, which run over [-1, 1] for a
    bipolar signal and over [0, 1] for a unipolar one; `z = curve(u)` covers the same interval, is cut off at its ends,
    and is rounded to one of 2^bits evenly spaced levels:

        v = L·z (unipolar) or L·(z + 1)/2 (bipolar),  L = 2^bits - 1,  code = floor(v + ½) or floor(v),

    and the network sees `decode(encode(x))`, the level in the sensor's own unit. Gradients pass the rounding by one of
    several estimators (`estimators.py`), and are zero where z was cut off.

    The curve is never evaluated on samples: it is inverted once, in float64, at the L points where the code changes,
    and samples are compared with those *decision levels*, as the hardware would.

    **Channels** are dimension 1 of a 4-D input (images, B×C×H×W) and the last dimension of any other (series, B×T×C).

    **Numbers.** Float16, bfloat16 and integer input is taken as float32, and the output is float32, also under
    autocast; float64 input is compared in float64 and gives float64. The result is contiguous.

    **Native codes.** Where the signal states `native_bits`, integer input is the sensor's own codes: `black` stands for
    the bottom of the range and `white` for its top, codes beyond for these, and comparisons are exact. Many samples of
    at most 16 bits are looked up in a table of all codes (`codes.py`), which no curve needs to know of.

    **A new curve** overrides `curve` and is done: `inverse` and `pullback` have general, slower defaults. If it has
    arguments of its own, its constructor takes them and hands `**settings: Unpack[LearnedSettings]` on.

    Args:
        signal: what the sensor delivers; its range must be known.
        bits: resolution, 1 … 16.
        rounding: "round" (half up) or "floor" (γ-Quant's eq. 2: the top code appears only at the top of the range).
        surrogate: what training sees and how gradients pass the rounding, one of "ste", "noise", "soft", "ewgs",
            "rect" (`estimators.py`); evaluation is always quantized.
        output: "level": values in the sensor's unit; "code": the codes themselves, as floats.
        per_channel: one curve per channel instead of one for all.
        lr: own learning rate of the curve's parameters; None means the network's.
        start: fitted levels that a learned curve begins with, those of `Quantile` ("quantile") or `LloydMax`
            ("lloyd_max") for the training data: `fit` takes them over before training, exactly where the curve has a
            free number for each and else as the nearest by least squares; None: begin where the other arguments say.

    Attributes:
        searched: for a curve of few numbers, by name what each row has one of, and between which ends `start` looks for
            it; empty for other curves.

    Raises:
        ValueError: an argument outside what is listed here or by the curve, or a signal without a range.
    """

    searched: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def __init__(
        self,
        signal: Signal,
        bits: int,
        *,
        rounding: Rounding = "round",
        surrogate: Surrogate = "ste",
        output: Output = "level",
        per_channel: bool = False,
        lr: float | None = None,
        start: Start | None = None,
    ) -> None:
        super().__init__(signal)
        name = type(self).__name__
        check(name, signal, bits, rounding, surrogate, output, per_channel, lr, start)
        if start and not self.searched and type(self).begin_at is SensorQuantizer.begin_at:
            raise ValueError(f"start={start!r}: {name} cannot start from fitted levels; it allows null")
        assert signal.low is not None
        assert signal.high is not None
        self.bits, self.steps = bits, (1 << bits) - 1  # L of the class
        self.rounding, self.surrogate, self.output = rounding, surrogate, output
        self.per_channel, self.lr, self.starts_at = per_channel, lr, start
        self.wants_samples = self.wants_samples or start is not None
        self.rows = signal.channels if per_channel else 1
        self.bottom = -1.0 if signal.bipolar else 0.0  # of the unit coordinates; their top is 1
        self.span = 1.0 - self.bottom
        self.scale = (signal.high - signal.low) / self.span
        self.offset = signal.low / 2 + signal.high / 2 if signal.bipolar else signal.low
        self.tables = conversion.TableCache()

    @property
    def device(self) -> torch.device | None:
        """Where the curve's parameters and buffers are; None if it has none."""
        return next((tensor.device for tensor in (*self.parameters(), *self.buffers())), None)

    # The curve -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def curve(self, u: Tensor) -> Tensor:
        """Transfer curve in unit coordinates, non-decreasing in u.

        Args:
            u: [n] or [rows, n], float32 or float64; rows = channels where the curve is per channel, else 1.

        Returns:
            z, [rows, n] or broadcastable to it, in the dtype of u.
        """

    def inverse(self, z: Tensor) -> Tensor:
        """Smallest u with curve(u) ≥ z: float64 [n] → float64 [rows, n] or broadcastable to it.

        This default bisects (`bisection.py`) and is exact to the last bit. It is +inf where the curve stays below z on
        the whole range and -inf where it starts at or above it. A closed form is faster: 64 evaluations of the curve
        become one.
        """
        return bisect(self.curve, z.expand(self.rows, -1), self.bottom, 1.0)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Gradients of Σ grad · z through z = curve(u), zero where z is cut off.

        This default evaluates the curve again under autograd; closed forms are several times faster.

        Args:
            u: samples in unit coordinates, [rows, n]; not to be changed.
            grad: gradient of z, [rows, n]; not to be changed.
            wants_u: whether u's gradient is needed.
            wants: for each of `parameters()`, whether its gradient is needed.

        Returns:
            The gradient of u, [rows, n], and one of each parameter, in its shape; None where not needed.
        """

        def cut_off(v: Tensor) -> Tensor:
            z = self.curve(v)
            return torch.where((z >= self.bottom) & (z <= 1.0), z, z.detach())

        inside = u.clamp(self.bottom, 1.0)
        return differentiate(cut_off, inside, grad * (inside == u), list(self.parameters()), wants_u, wants)

    def gradient_scale(self, samples: int) -> float:
        """What parameters' gradients are multiplied by, given how many samples of an example each curve converts."""
        return 1.0

    def fit(self, samples: Tensor) -> None:
        """Begin at the levels that `start` names, placed by these samples; see `Sensor`."""
        if self.starts_at is not None:
            place = partial(RULES[self.starts_at], cells=1 << self.bits, low=self.bottom, high=1.0)
            self.begin_at(self.levels_by(place, samples))

    @torch.no_grad()
    def levels_by(self, place: Place, samples: Tensor) -> Tensor:
        """Decision levels that `place` finds in the samples' histogram: unit coordinates, float32 [rows, 2^bits - 1].

        Raises:
            ValueError: samples of another shape than `fit` takes, none, or some that are not finite.
        """
        x = histogram.checked(samples, self.signal.channels, type(self).__name__)
        units = conversion.unit_coordinates(self, x).clamp(self.bottom, 1.0)
        return histogram.levels_by(place, units, self.per_channel).to(self.device)

    def begin_at(self, levels: Tensor) -> None:
        """Take over decision levels as well as the curve can: here, `searched` numbers of least squares on them.

        Args:
            levels: unit coordinates, ascending, float32 [rows, 2^bits - 1].
        """
        starts = self.code_starts().cpu()
        nearest(self, self.searched, lambda trial: trial.inverse(starts), levels)

    # The converter ---------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees, in the shape of x: `decode(encode(x))`, or its noisy surrogate in training.

        NaN stays NaN. Infinities take the code at their end of the range.
        """
        with torch.autocast(x.device.type, enabled=False):
            convert, gradients = partial(conversion.convert, self), partial(conversion.gradients, self)
            return straight_through(x, convert, gradients, list(self.parameters()))

    @torch.no_grad()
    def encode(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """Codes 0 … 2^bits - 1 of finite samples, int32 in the shape of x: how many thresholds are ≤ x.

        Args:
            x: samples, values or native codes.
            condition: as in `forward`.

        Raises:
            ValueError: x holds NaN or infinity; the message says how many and where the first one is.
        """
        return conversion.encode(self, x)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees for each code, float32 in the shape of `codes`.

        Raises:
            ValueError: codes that are not integers or not within 0 … 2^bits - 1.
        """
        if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
            raise ValueError(f"codes of dtype {codes.dtype}: decode needs integers")
        codes = codes.long()
        if codes.numel() and (codes.min() < 0 or codes.max() > self.steps):
            raise ValueError(
                f"codes from {int(codes.min())} to {int(codes.max())}: {self.bits} bits allow 0 to {self.steps}"
            )
        return conversion.code_values(self, codes.device).float()[codes]

    @torch.no_grad()
    def thresholds(self) -> Tensor:
        """Decision levels in the sensor's unit, float64 [rows, 2^bits - 1]; rows = channels where the curve is per
        channel, else 1. Code k begins at entry k - 1. Levels outside the range are those that no sample reaches.
        """
        return snap(self.offset + self.scale * self.inverse(self.code_starts())).expand(self.rows, -1)

    def code_starts(self) -> Tensor:
        """z at which codes 1 … 2^bits - 1 begin, float64 [2^bits - 1]."""
        k = torch.arange(1, self.steps + 1, dtype=torch.float64, device=self.device)
        half = 1 if self.rounding == "round" else 0
        # One division of exact integers, so that levels which are representable come out exactly.
        doubled = 2 * k - half
        return doubled / (2 * self.steps) if self.bottom == 0 else (doubled - self.steps) / self.steps

    @torch.no_grad()
    def levels(self) -> Tensor:
        """Reconstruction value of every code in the sensor's unit, float64 [2^bits]; the same for every channel."""
        k = torch.arange(self.steps + 1, dtype=torch.float64, device=self.device)
        z = k / self.steps if self.bottom == 0 else (2 * k - self.steps) / self.steps
        return snap(self.offset + self.scale * z)

    def to_unit(self, x: Tensor) -> Tensor:
        """Sensor's unit → unit coordinates; x itself where the two are the same."""
        if (self.offset, self.scale) == (0.0, 1.0):
            return x
        # In float64, or a saturated sample, exactly at the end of the range, might land just beyond it.
        return ((x.double() - self.offset) / self.scale).to(x.dtype)

    @torch.no_grad()
    def transfer(self, x: Tensor) -> Tensor:
        """The curve in the sensor's own unit, cut off at the ends of the range, for pictures: [n] → [rows, n]."""
        z = self.curve(self.to_unit(x)).clamp(self.bottom, 1.0)
        return (self.offset + self.scale * z).expand(self.rows, -1)

    def extra_repr(self) -> str:
        """Settings, as `print(module)` shows them."""
        signal = self.signal
        return (
            f"bits={self.bits}, range=[{signal.low:g}, {signal.high:g}] {signal.unit}, rounding={self.rounding}, "
            f"surrogate={self.surrogate}, output={self.output}, per_channel={self.per_channel}"
        )
