"""How a wrist moves in each activity: one function per class, and the rhythms, impacts and noise they are made of.

Open it to change an activity of the simulated accelerometer, or to add one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RATE_HZ = 50.0


@dataclass(frozen=True)
class Wearer:
    """What distinguishes one subject from the next, drawn once per subject.

    Args:
        mount: rotation from the wrist's frame to the sensor's, [3, 3]: how this subject straps the device on.
        posture: habitual offset of forearm elevation and pronation, rad [2].
        tempo: multiplies every rhythm.
        strength: multiplies every voluntary acceleration.
        tremor: root mean square of the physiological tremor, g.
        bias: zero-g offset of the sensor, g [3].
    """

    mount: Array
    posture: Array
    tempo: float
    strength: float
    tremor: float
    bias: Array


@dataclass
class Motion:
    """One bout of an activity in the wrist's frame: x along the forearm to the hand, y to the thumb, z out of the back.

    Args:
        posture: forearm elevation (up positive) and pronation (0 = palm down, π/2 = thumb up) over time, rad [time, 2].
        heave: vertical acceleration of the whole arm, g [time]; −1 is free fall.
        force: acceleration of the wrist itself, g [time, 3].
    """

    posture: Array
    heave: Array
    force: Array


def _gestures(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """NULL: reaching, scratching, looking at the time; any posture, every size."""
    posture = _hold(n, rng.uniform(-80, 50), rng.uniform(-20, 100), rng) + 0.35 * band(n, 0.05, 0.5, rng, columns=2)
    vigour = 0.08 * who.strength * np.exp(0.8 * band(n, 0, 0.3, rng))
    return Motion(posture, np.zeros(n), vigour[:, None] * band(n, 0.3, 6, rng, columns=3))


def _lying(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """The arm beside the body, thumb up; the chest moves it with every breath."""
    return _quiet(n, 0, 75, breath=1.5, sway=0.3, who=who, rng=rng)


def _sitting(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """The forearm on a table or the lap, palm down."""
    return _quiet(n, -5, 12, breath=0.4, sway=0.5, who=who, rng=rng)


def _standing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """The arm hangs; the body sways."""
    return _quiet(n, -75, 55, breath=0.5, sway=1.5, who=who, rng=rng)


def _typing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """As sitting, with key strokes: short decaying knocks in bursts."""
    posture = _hold(n, -3, 5, rng) + np.radians(1.5) * band(n, 0.2, 2, rng, columns=2)
    burst = band(n, 0, 0.3, rng) > -0.7
    stroke = burst & (rng.random(n) < 5.5 * who.tempo / RATE_HZ)
    size = np.where(stroke, rng.lognormal(np.log(0.15 * who.strength), 0.35, n), 0.0)
    t = np.arange(8) / RATE_HZ
    knock = np.convolve(size, np.exp(-t / 0.035) * np.cos(2 * np.pi * 14 * t))[:n]
    return Motion(posture, np.zeros(n), knock[:, None] * np.array([0.4, 0.3, 1.0]))


def _writing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """As sitting, hand on its edge: pen strokes in the plane of the paper, and a return at the end of a line."""
    posture = _hold(n, 0, 28, rng)
    phase = _phase(n, 4.2 * who.tempo, rng)
    stroke = 0.10 * who.strength * np.exp(0.3 * band(n, 0, 1, rng)) * np.sin(phase)
    slant = 0.06 * who.strength * np.sin(phase / 2 + 1)
    line = (np.arange(n) / RATE_HZ * who.tempo / 5.0) % 1.0
    posture[:, 1] += np.radians(8) * (line - 0.5)  # The forearm turns slowly along the line and back at its end.
    back = 0.15 * np.exp(-(((line - 0.03) / 0.02) ** 2))
    return Motion(posture, np.zeros(n), np.stack([stroke, slant + back, 0.2 * stroke], 1))


def _brushing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """Brushing teeth: the hand raised, strokes along the forearm; every few seconds another side."""
    posture = _hold(n, 25, 35, rng) + np.radians(10) * band(n, 0, 0.2, rng, columns=2)
    phase = _phase(n, 4.6 * who.tempo, rng)
    size = 0.38 * who.strength * np.exp(0.25 * band(n, 0, 0.5, rng))
    return Motion(
        posture,
        np.zeros(n),
        size[:, None] * np.stack([np.sin(phase), 0.5 * np.sin(phase + 0.8), 0.2 * np.sin(2 * phase)], 1),
    )


def _walking(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """Two steps per swing of the hanging arm; the heel strike arrives damped."""
    step = _phase(n, 1.85 * who.tempo, rng)
    swing = np.radians(20) * who.strength * np.sin(step / 2)
    posture = _hold(n, -65, 55, rng)
    posture[:, 0] += swing
    outward = 0.25 * who.strength**2 * np.cos(step / 2) ** 2  # Centripetal, hence towards the shoulder: −x.
    heave = 0.25 * who.strength * np.sin(step) + 0.45 * who.strength * _ring(step, 1.85 * who.tempo)
    return Motion(posture, heave, np.stack([-outward, 0.2 * who.strength * np.cos(step / 2), np.zeros(n)], 1))


def _running(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """Elbow bent, thumb up; flight between the contacts, and impacts."""
    step = _phase(n, 2.7 * who.tempo, rng)
    posture = _hold(n, 10, 65, rng)
    posture[:, 0] += np.radians(25) * np.sin(step / 2)
    heave = _bounce(step, contact=0.6) + 2.2 * who.strength * _ring(step, 2.7 * who.tempo)
    swing = 1.6 * who.strength * np.stack([np.sin(step / 2 + 0.4), 0.3 * np.sin(step), 0.5 * np.cos(step / 2)], 1)
    return Motion(posture, heave, swing)


def _jumping(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """Rope skipping: hands low, half of the time in the air, hard landings."""
    hop = _phase(n, 2.1 * who.tempo, rng)
    posture = _hold(n, -40, 40, rng) + np.radians(10) * np.stack([np.sin(hop), np.cos(hop)], 1)
    heave = _bounce(hop, contact=0.38) + 7.0 * who.strength * _ring(hop, 2.1 * who.tempo)
    return Motion(posture, heave, 0.8 * who.strength * np.stack([np.cos(hop), np.sin(hop), np.sin(2 * hop)], 1))


ACTIVITIES: tuple[Callable[[int, Wearer, np.random.Generator], Motion], ...] = (
    _gestures,
    _lying,
    _sitting,
    _standing,
    _typing,
    _writing,
    _brushing,
    _walking,
    _running,
    _jumping,
)


def _quiet(
    n: int, elevation: float, pronation: float, breath: float, sway: float, who: Wearer, rng: np.random.Generator
) -> Motion:
    """A held posture (degrees) that breathing tilts by `breath` degrees and unrest by `sway` degrees."""
    breathing = np.radians(breath) * np.sin(_phase(n, 0.25 * who.tempo, rng))
    posture = _hold(n, elevation, pronation, rng) + np.radians(sway) * band(n, 0.05, 1, rng, columns=2)
    return Motion(posture + breathing[:, None], np.zeros(n), np.zeros((n, 3)))


def _hold(n: int, elevation: float, pronation: float, rng: np.random.Generator) -> Array:
    """A posture in degrees as this bout happens to take it, in rad [time, 2]."""
    taken = np.array([elevation, pronation]) + rng.normal(0, 8, 2)
    return np.tile(np.radians(taken), (n, 1))


def _bounce(phase: Array, contact: float) -> Array:
    """Vertical acceleration in g of a body that touches the ground for a share `contact` of each cycle.

    In flight it is −1. The push during contact is a half sine of height π/(2·contact): over a cycle it carries
    the weight exactly, so the mean is 0.
    """
    cycle = (phase / (2 * np.pi)) % 1.0
    push = np.pi / (2 * contact) * np.sin(np.pi * cycle / contact)
    return np.where(cycle < contact, push, 0.0) - 1.0


def _ring(phase: Array, hz: float) -> Array:
    """An impact of height 1 at the start of each cycle: the arm and the strap ring at 13 Hz and settle within 0.1 s."""
    t = (phase / (2 * np.pi)) % 1.0 / hz
    decay: Array = np.exp(-t / 0.035) * np.cos(2 * np.pi * 13 * t)
    return decay


def _phase(n: int, hz: float, rng: np.random.Generator) -> Array:
    """Phase in rad of a rhythm of `hz` whose tempo wanders by a few per cent, within a bout and between bouts."""
    rate = hz * np.exp(0.04 * rng.normal()) * (1 + 0.03 * band(n, 0, 0.5, rng))
    phase: Array = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(rate) / RATE_HZ
    return phase


def band(n: int, low: float, high: float, rng: np.random.Generator, columns: int = 0) -> Array:
    """Gaussian noise of unit expected root mean square between `low` and `high` Hz, [time] or [time, columns]."""
    spectrum = np.fft.rfft(rng.normal(0, 1, (n, max(columns, 1))), axis=0)
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    inside = (hz >= low) & (hz <= high) & (hz > 0)
    inside[1] |= not inside.any()  # A bout shorter than one cycle still wanders once.
    noise = np.fft.irfft(spectrum * inside[:, None], n, axis=0) * math.sqrt(n / (2 * inside.sum()))
    return noise if columns else noise[:, 0]
