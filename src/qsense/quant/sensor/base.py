"""A simulated analog-to-digital converter: a monotone transfer curve, then a uniform quantizer (γ-Quant, eqs. 1-2).

The curve is never evaluated on samples: it is inverted once, in float64, at the 2^bits - 1 points where the code
changes, and samples are compared with those *decision levels*, as the hardware would (`search.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from qsense.quant.sensor import estimators
from qsense.quant.sensor.bisection import bisect
from qsense.quant.sensor.codes import add_up, are_codes, evaluate, every_code, pays, units, values
from qsense.quant.sensor.search import Tables, blocks, positions, round_up, search_tree, snap
from qsense.quant.ste import differentiate, straight_through
from qsense.signal import Signal


class SensorQuantizer(nn.Module, ABC):
    """A sensor's ADC of `bits` bits over the signal's range; a subclass adds its transfer `curve` and its parameters.

    Samples `x` are first expressed in *unit coordinates* `u = (x - offset) / scale`, which run over [-1, 1] for a
    bipolar signal and over [0, 1] for a unipolar one; `z = curve(u)` covers the same interval, is cut off at its ends,
    and is rounded to one of 2^bits evenly spaced levels:

        v = L·z (unipolar) or L·(z + 1)/2 (bipolar),  L = 2^bits - 1,  code = floor(v + ½) or floor(v),

    and the network sees `decode(encode(x))`, the level in the sensor's own unit. Gradients pass the rounding by one of
    several estimators (`estimators.py`), and are zero where z was cut off.

    **Channels** are dimension 1 of a 4-D input (images, B×C×H×W) and the last dimension of any other (series, B×T×C).

    **Numbers.** Float16, bfloat16 and integer input is taken as float32, and the output is float32, also under
    autocast; float64 input is compared in float64 and gives float64. The result is contiguous.

    **Native codes.** Where the signal states `native_bits`, integer input is the sensor's own codes: `black` stands for
    the bottom of the range and `white` for its top, codes beyond for these, and comparisons are exact. Many samples of
    at most 16 bits are looked up in a table of all codes (`codes.py`), which no curve needs to know of.

    **A new curve** overrides `curve` and is done: `inverse` and `pullback` have general, slower defaults.

    Args:
        signal: what the sensor delivers; its range must be known.
        bits: resolution, 1 … 16.
        rounding: "round" (half up) or "floor" (γ-Quant's eq. 2: the top code appears only at the top of the range).
        surrogate: what training sees and how gradients pass the rounding, one of "ste", "noise", "soft", "ewgs",
            "rect" (`estimators.py`); evaluation is always quantized.
        output: "level": values in the sensor's unit; "code": the codes themselves, as floats.
        per_channel: one curve per channel instead of one for all.
        lr: own learning rate of the curve's parameters; None means the network's.

    Raises:
        ValueError: an argument outside what is listed, or a signal whose range nobody has stated.
    """

    # Whether the curve is placed by `fit` on training samples before anything else.
    wants_samples: ClassVar[bool] = False

    def __init__(
        self,
        signal: Signal,
        bits: int,
        rounding: Literal["round", "floor"] = "round",
        surrogate: Literal["ste", "noise", "soft", "ewgs", "rect"] = "ste",
        output: Literal["level", "code"] = "level",
        per_channel: bool = False,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
            raise ValueError(f"bits={bits!r}: {name} needs an integer from 1 to 16")
        for key, value, allowed in (
            ("rounding", rounding, ("round", "floor")),
            ("surrogate", surrogate, estimators.SURROGATES),
            ("output", output, ("level", "code")),
        ):
            if value not in allowed:
                raise ValueError(f"{key}={value!r}: {name} allows {' or '.join(allowed)}")
        if not isinstance(per_channel, bool):
            raise ValueError(f"per_channel={per_channel!r}: {name} allows true or false")
        if lr is not None and not 0 <= lr < float("inf"):
            raise ValueError(f"lr={lr!r}: {name} needs a learning rate of at least 0, or null for the network's")
        if signal.low is None or signal.high is None:
            raise ValueError(
                f"{name} needs the sensor's range, which this signal does not state (low=None, high=None): "
                "state the data set's range, or normalise the data to one (data.normalise=dataset, train or range)"
            )
        if per_channel and signal.channels << bits > 1 << 24:  # the search counts in float32, exact up to here
            raise ValueError(f"bits={bits}: {name} with {signal.channels} curves allows channels · 2^bits ≤ 2^24")
        self.signal = signal
        self.bits = bits
        self.rounding = rounding
        self.surrogate = surrogate
        self.output = output
        self.per_channel = per_channel
        self.lr = lr
        self.rows = signal.channels if per_channel else 1
        self.bottom = -1.0 if signal.bipolar else 0.0  # of the unit coordinates; their top is 1
        self.scale = (signal.high - signal.low) / (2 if signal.bipolar else 1)
        self.offset = signal.low / 2 + signal.high / 2 if signal.bipolar else signal.low
        # Look-up tables in use, each with what it was built for; not part of the state.
        self._tables: tuple[object, Tensor] | None = None
        self._search: tuple[object, Tensor, list[Tensor]] | None = None

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
            grad: gradient arriving at z, [rows, n]; not to be changed.
            wants_u: whether u's gradient is needed.
            wants: for each of `parameters()`, whether its gradient is needed.

        Returns:
            The gradient of u, [rows, n], and one of each parameter, in its shape; None where not needed.
        """

        def passed(v: Tensor) -> Tensor:
            z = self.curve(v)
            return torch.where((z >= self.bottom) & (z <= 1.0), z, z.detach())

        inside = u.clamp(self.bottom, 1.0)
        return differentiate(passed, inside, grad * (inside == u), list(self.parameters()), wants_u, wants)

    # The converter ---------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """What the network sees, in the shape of x: `decode(encode(x))`, or its noisy surrogate in training.

        NaN stays NaN. Infinities take the code at their end of the range.

        Args:
            x: samples, values or native codes.
            condition: of each sample of the batch, for quantizers that mind; an index into the signal's `conditions`.
        """
        with torch.autocast(x.device.type, enabled=False):
            return straight_through(x, self._value, self._gradients, list(self.parameters()))

    @torch.no_grad()
    def encode(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """Codes 0 … 2^bits - 1 of finite samples, int32 in the shape of x: how many thresholds are ≤ x.

        Args:
            x: samples, values or native codes.
            condition: as in `forward`.

        Raises:
            ValueError: x holds NaN or infinity; the message says how many and where the first one is.
        """
        finite = torch.isfinite(x) if x.is_floating_point() else None
        if finite is not None and not finite.all():
            where = (~finite).nonzero()
            first = tuple(where[0].tolist())
            raise ValueError(
                f"{len(where)} of {x.numel()} samples are not finite, the first is {x[first].item()} at {list(first)}: "
                "an ADC has no code for them; fill or reject them when loading the data"
            )
        samples = self._samples(x)
        codes = torch.empty(x.shape, dtype=torch.int32, device=x.device)
        evaluate(self._encoded, samples, codes, self.signal, self.rows)
        return codes

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """What the network sees for each code, float32 in the shape of `codes`.

        Raises:
            ValueError: codes that are not integers or not within 0 … 2^bits - 1.
        """
        if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
            raise ValueError(f"codes of dtype {codes.dtype}: decode needs integers")
        codes = codes.long()
        if codes.numel() and (codes.min() < 0 or codes.max() >= 1 << self.bits):
            raise ValueError(
                f"codes from {int(codes.min())} to {int(codes.max())}: "
                f"{self.bits} bits allow 0 to {(1 << self.bits) - 1}"
            )
        return self._values(codes.device).float()[codes]

    @torch.no_grad()
    def thresholds(self) -> Tensor:
        """Decision levels in the sensor's unit, float64 [rows, 2^bits - 1]; rows = channels where the curve is per
        channel, else 1. Code k begins at entry k - 1. Levels outside the range are those that no sample reaches.
        """
        return snap(self.offset + self.scale * self.inverse(self._cuts())).expand(self.rows, -1)

    @torch.no_grad()
    def levels(self) -> Tensor:
        """Reconstruction value of every code in the sensor's unit, float64 [2^bits]; the same for every channel."""
        steps = (1 << self.bits) - 1
        k = torch.arange(steps + 1, dtype=torch.float64, device=self._device())
        return snap(self.offset + self.scale * (k / steps if self.bottom == 0 else (2 * k - steps) / steps))

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

    # Training --------------------------------------------------------------------------------------------------------

    def fit(self, samples: Tensor) -> None:
        """Place the curve by samples of the training data; nothing to do for curves that do not want any.

        Args:
            samples: values or native codes [n, channels], as they will be converted.
        """

    def progress(self, share: float) -> None:
        """Told at each epoch's start how much of the training is over, 0 … 1; nothing to do by default."""

    def gradient_scale(self, samples: int) -> float:
        """What parameters' gradients are multiplied by, given how many samples of an example each curve converts."""
        return 1.0

    def clamp_(self) -> None:
        """Put parameters back where they make sense, after an optimiser step; nothing to do by default."""

    def trajectory(self) -> dict[str, list[float]]:
        """Current learned values in natural terms, for logging; empty without parameters."""
        return {}

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimiser groups: the curve's parameters at their own rate, without weight decay; empty without any.

        Args:
            lr: the network's learning rate, used where the quantizer has none of its own.
        """
        parameters = [p for p in self.parameters() if p.requires_grad]
        rate = lr if self.lr is None else self.lr
        return [{"params": parameters, "lr": rate, "weight_decay": 0.0}] if parameters else []

    def extra_repr(self) -> str:
        """Settings, as `print(module)` shows them."""
        signal = self.signal
        return (
            f"bits={self.bits}, range=[{signal.low:g}, {signal.high:g}] {signal.unit}, rounding={self.rounding}, "
            f"surrogate={self.surrogate}, output={self.output}, per_channel={self.per_channel}"
        )

    # How it is done --------------------------------------------------------------------------------------------------

    def _state(self) -> list[Tensor]:
        return [*self.parameters(), *self.buffers()]

    def _device(self) -> torch.device | None:
        return next((t.device for t in self._state()), None)

    def _cuts(self) -> Tensor:
        """z at which codes 1 … 2^bits - 1 begin, float64."""
        steps = (1 << self.bits) - 1
        k = torch.arange(1, steps + 1, dtype=torch.float64, device=self._device())
        half = 1 if self.rounding == "round" else 0
        # One division of exact integers, so that levels which are representable come out exactly.
        return (2 * k - half) / (2 * steps) if self.bottom == 0 else (2 * k - half - steps) / steps

    def _samples(self, x: Tensor) -> Tensor:
        """x as it is converted, contiguous: native codes as they are, values as float32, or as float64 if they were."""
        if self.per_channel:
            dim = 1 if x.dim() == 4 else -1
            found = x.shape[dim] if x.dim() else 0
            if found != self.rows:
                raise ValueError(
                    f"input of shape {list(x.shape)} has {found} channels on dimension {dim}, "
                    f"the signal has {self.rows}"
                )
        return (x if x.dtype == torch.float64 or are_codes(x, self.signal) else x.float()).contiguous()

    def _numbers(self, block: Tensor) -> Tensor:
        """Samples in the sensor's unit, contiguous, to be compared with thresholds; codes become float64."""
        return values(block, self.signal).contiguous() if are_codes(block, self.signal) else block.contiguous()

    def _units(self, block: Tensor) -> Tensor:
        """Samples in unit coordinates, contiguous, where the curve is evaluated."""
        if are_codes(block, self.signal):
            return units(block, self.signal).contiguous()
        return self.to_unit(block.contiguous())

    def _blocks(self, x: Tensor) -> list[Tensor]:
        return blocks(x, self.rows)

    def _values(self, device: torch.device) -> Tensor:
        """What each code stands for in the output, float64 [2^bits]."""
        if self.output == "code":
            return torch.arange(1 << self.bits, dtype=torch.float64, device=device)
        levels = self.levels().to(device)
        # Under floor a linear level *is* a decision level: rounded to float32 alike, it keeps its own code.
        return round_up(levels).double() if self.rounding == "floor" else levels

    @torch.no_grad()
    def _lookup(self, x: Tensor) -> Tables:
        """The tables for samples like x; what depends on the state is built again only when that has changed."""
        wide = x.dtype == torch.float64 or are_codes(x, self.signal)  # codes are compared exactly, as float64
        like = (torch.float64 if wide else torch.float32, x.device)
        if self._tables is None or self._tables[0] != like:
            self._tables = (like, self._values(x.device).to(like[0]).repeat(self.rows))
            self._search = None
        values = self._tables[1]
        state = self._state()
        # Comparing values needs them on the host; on other devices that would mean waiting for the device.
        current = [t.tolist() for t in state] if all(t.device.type == "cpu" for t in state) else None
        if self._search is None or current is None or self._search[0] != current:
            exact = self.thresholds().to(x.device)
            thresholds = exact if wide else round_up(exact)
            self._search = (current, thresholds.contiguous(), search_tree(thresholds, self.bits))
        return Tables(self._search[1], self._search[2], values)

    @staticmethod
    def _output_dtype(samples: Tensor) -> torch.dtype:
        return torch.float64 if samples.dtype == torch.float64 else torch.float32

    def _value(self, x: Tensor) -> Tensor:
        samples = self._samples(x)
        result = torch.empty(samples.shape, dtype=self._output_dtype(samples), device=x.device)
        self._write(samples, result)
        return result

    def _write(self, samples: Tensor, out: Tensor) -> None:
        """What the network sees for contiguous samples, into a contiguous tensor."""
        smooth = self.training and self.surrogate in estimators.SMOOTH
        evaluate(self._smooth if smooth else self._converted, samples, out, self.signal, self.rows)
        if smooth:
            _, gain = self._output_line()
            step = gain * (1.0 - self.bottom) / ((1 << self.bits) - 1)
            for block in self._blocks(out):
                estimators.blur_(block, step, self.rounding, self.surrogate)

    def _converted(self, samples: Tensor, out: Tensor) -> None:
        tables = self._lookup(samples)
        for block, to in zip(self._blocks(samples), self._blocks(out), strict=True):
            x = self._numbers(block)
            value = tables.values.index_select(0, positions(x, tables).view(-1)).view(x.shape)
            # On a CPU one look at the sum tells whether a NaN may be there; elsewhere looking would mean waiting.
            if x.device.type != "cpu" or x.sum().isnan():
                value = torch.where(x.isnan(), x, value)
            to.copy_(value)

    def _encoded(self, samples: Tensor, out: Tensor) -> None:
        tables = self._lookup(samples)
        rows = torch.arange(self.rows, device=out.device, dtype=torch.int32)[:, None] << self.bits
        for block, to in zip(self._blocks(samples), self._blocks(out), strict=True):
            to.copy_(positions(self._numbers(block), tables)).sub_(rows)

    def _smooth(self, samples: Tensor, out: Tensor) -> None:
        """The unrounded curve."""
        shift, gain = self._output_line()
        for block, to in zip(self._blocks(samples), self._blocks(out), strict=True):
            to.copy_(self.curve(self._units(block)).clamp(self.bottom, 1.0).mul_(gain).add_(shift))

    def _output_line(self) -> tuple[float, float]:
        """(shift, gain): the output is shift + gain · z."""
        if self.output == "level":
            return self.offset, self.scale
        gain = ((1 << self.bits) - 1) / (1.0 - self.bottom)
        return -self.bottom * gain, gain

    def _gradients(
        self, x: Tensor, grad: Tensor, wants_x: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        samples, grad = self._samples(x), grad.contiguous()
        scale = self.gradient_scale(samples.numel() // (self.rows * max(len(x), 1)))
        size = grad.abs() if self.surrogate == "ewgs" else None  # not linear in grad: taken before anything is added up
        if pays(samples, self.signal, self.rows):
            grad = add_up(grad, samples, self.signal, self.rows)
            size = None if size is None else add_up(size, samples, self.signal, self.rows)
            samples = every_code(self.signal, self.rows, x.device)
        _, gain = self._output_line()
        result = torch.empty_like(samples) if wants_x else None
        parameters = list(self.parameters())
        # Each block sums some 10^4 float32 terms; the blocks are added in float64.
        totals = [
            torch.zeros_like(p, dtype=torch.float64) if want else None
            for p, want in zip(parameters, wants, strict=True)
        ]
        of_samples = self._blocks(samples)
        outs = self._blocks(result) if result is not None else [None] * len(of_samples)
        sizes = self._blocks(size) if size is not None else [None] * len(of_samples)
        with torch.autocast(x.device.type, enabled=False):
            for block, arriving, of_size, out in zip(of_samples, self._blocks(grad), sizes, outs, strict=True):
                u = self._units(block)
                passed = self._estimated(u, arriving.contiguous(), of_size)
                of_u, of_parameters = self.pullback(u.to(grad.dtype), passed, wants_x, wants)
                if out is not None and of_u is not None:
                    torch.mul(of_u, gain / self.scale, out=out) if gain != self.scale else out.copy_(of_u)
                elif out is not None:
                    out.zero_()
                for total, found in zip(totals, of_parameters, strict=True):
                    if total is not None and found is not None:
                        total.add_(found)
        of_x = None if result is None else result.to(x.dtype)
        return of_x, [
            None if total is None else total.mul_(gain * scale).to(p.dtype)
            for total, p in zip(totals, parameters, strict=True)
        ]

    def _estimated(self, u: Tensor, grad: Tensor, size: Tensor | None) -> Tensor:
        """The gradient at z of samples in unit coordinates: what arrives at the code, passed through the rounding."""
        if self.surrogate not in estimators.SHAPED:
            return grad
        steps = (1 << self.bits) - 1
        z = self.curve(u).clamp(self.bottom, 1.0)
        t = (z - self.bottom) * (steps / (1.0 - self.bottom)) + (0.5 if self.rounding == "round" else 0.0)
        return (estimators.rect(t, grad, steps) if size is None else estimators.ewgs(t, grad, size)).to(grad.dtype)
