"""SyntheticIMU: simulated wrist accelerometer recordings, the built-in data set that needs no download."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.series.dataset import ActivityDataset, Recording

Array = npt.NDArray[np.float64]

VERSION = 1  # Of the simulation: raise it with every change of what comes out, so that no stale cache is used.
RATE_HZ = 50.0
TRANSITION_S = 2.0
SHORTEST_SESSION_S = 120.0


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


class SyntheticIMU(ActivityDataset):
    """Simulated recordings of a wrist-worn accelerometer: 10 classes, 3 axes, 50 Hz, in g. **No person was recorded.**

    An accelerometer measures specific force. With `up` the vertical seen from the wrist (elevation θ, pronation φ),

        up = (sin θ, cos θ sin φ, cos θ cos φ)
        f = mount · (up · (1 + heave) + force)
        sample = clip(round((f + bias + noise) / LSB), −2^(n−1), 2^(n−1) − 1) · LSB,  LSB = full_scale / 2^(n−1).

    - Quiet (lying, sitting, standing): a posture, breathing (0.25 Hz tilt), sway, 8–12 Hz physiological tremor.
    - Fine (typing, writing, brushing teeth): the same postures as quiet ones or close to them, and small movements: key
      strokes of about 0.1 g, pen strokes of about 0.1 g at 4 Hz, brush strokes of about 0.4 g at 4–5 Hz.
    - Vigorous (walking, running, jumping): heave from contact and flight, −1 g in flight and 0 on average over a step
      (nobody takes off); an impact that rings at each contact; the arm's swing. Hard landings saturate the sensor.
    - NULL: moving from one posture to the next, and gestures of every size in any posture.

    Subjects differ in how the sensor sits, in habitual posture, tempo, strength, tremor and the sensor's zero-g offset;
    each session puts the device on anew, and the strap slips slowly. At rest an axis shows its share of gravity,
    anywhere in ±1 g. Quiet and fine activities stay below about 1.6 g, where a uniform 2-bit ADC of ±4 g has a single
    threshold, at 0; its other two, at ±2.7 g, only vigorous activities cross.

    Each subject and each session has its own random generator, so adding subjects changes none of the others.

    Args:
        subjects: people simulated, each one fold; at least 2.
        minutes: simulated time per subject, split evenly over the sessions; at least 2 min per session.
        sessions: recordings per subject.
        full_scale: the sensor saturates at ± this many g.
        adc_bits: the sensor's own resolution, 2–24 bits over the full scale.
        noise: root mean square of the white sensor noise, g.
        seed: of the simulation; independent of the training's seed.

    Raises:
        ValueError: an argument is out of its range.

    >>> data = SyntheticIMU(subjects=2, minutes=4.0)
    >>> recording = data.recordings()[0]
    >>> recording.name, recording.x.shape, data.classes[recording.y[0]]
    ('subject 0, session 0', (6000, 3), 'NULL')
    """

    name = "Synthetic IMU"
    classes = (
        "NULL",
        "lying",
        "sitting",
        "standing",
        "typing",
        "writing",
        "brushing",
        "walking",
        "running",
        "jumping",
    )
    axes = ("acc_x", "acc_y", "acc_z")
    rate_hz = RATE_HZ
    unit = "g"

    def __init__(
        self,
        subjects: int = 6,
        minutes: float = 12.0,
        sessions: int = 2,
        full_scale: float = 4.0,
        adc_bits: int = 12,
        noise: float = 0.003,
        seed: int = 0,
    ) -> None:
        _require(subjects >= 2, f"subjects={subjects}: leave-one-subject-out needs at least 2")
        _require(sessions >= 1, f"sessions={sessions}: at least 1 recording per subject is needed")
        _require(full_scale > 0 and math.isfinite(full_scale), f"full_scale={full_scale}: must be above 0 g")
        _require(2 <= adc_bits <= 24, f"adc_bits={adc_bits}: must be in 2…24")
        _require(noise >= 0 and math.isfinite(noise), f"noise={noise}: must be 0 g or more")
        _require(seed >= 0, f"seed={seed}: must be 0 or more")
        shortest = sessions * SHORTEST_SESSION_S / 60
        _require(
            minutes >= shortest and math.isfinite(minutes),
            f"minutes={minutes}: {sessions} session(s) that each show every class take at least {shortest:g} min",
        )
        self.num_subjects = subjects
        self.minutes = minutes
        self.sessions = sessions
        self.full_scale = full_scale
        self.adc_bits = adc_bits
        self.noise = noise
        self.seed = seed
        self.range = (-full_scale, full_scale)

    def check(self) -> None:
        """Nothing to look for: the data are computed."""

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the simulation's version and settings."""
        settings = {
            "dataset": "synthetic_imu",
            "version": VERSION,
            "subjects": self.num_subjects,
            "minutes": float(self.minutes),
            "sessions": self.sessions,
            "full_scale": float(self.full_scale),
            "adc_bits": self.adc_bits,
            "noise": float(self.noise),
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def recordings(self) -> list[Recording]:
        """Simulate every session of every subject, subject by subject."""
        return [
            self._session(subject, session) for subject in range(self.num_subjects) for session in range(self.sessions)
        ]

    def wearer(self, subject: int) -> Wearer:
        """The traits of one subject, the same in all of their sessions."""
        rng = np.random.default_rng([self.seed, subject])
        return Wearer(
            mount=_rotation(rng.normal(0, np.radians(12), 3)),
            posture=rng.normal(0, np.radians(8), 2),
            tempo=float(np.exp(rng.normal(0, 0.08))),
            strength=float(np.exp(rng.normal(0, 0.18))),
            tremor=float(0.006 * np.exp(rng.normal(0, 0.3))),
            bias=rng.normal(0, 0.02, 3),
        )

    def _session(self, subject: int, session: int) -> Recording:
        rng = np.random.default_rng([self.seed, subject, 1 + session])  # The subject's own traits use [seed, subject].
        who = self.wearer(subject)
        samples = round(self.minutes * 60 * RATE_HZ / self.sessions)
        posture, heave, force, y = _day(samples, who, rng)
        tilt = posture + who.posture + who.tremor * _band(samples, 8, 12, rng, columns=2)
        specific = _up(tilt) * (1 + heave[:, None]) + force
        strap = _rotation(rng.normal(0, np.radians(4), 3)) @ who.mount
        specific = specific @ strap.T
        # The strap slips by about two degrees over a minute: f + ω × f is a small rotation by ω.
        specific += np.cross(np.radians(2) * _band(samples, 0, 0.02, rng, columns=3), specific)
        specific += who.bias + rng.normal(0, self.noise, specific.shape)
        return Recording(subject, f"subject {subject}, session {session}", self._convert(specific), y)

    def _convert(self, force: Array) -> npt.NDArray[np.float32]:
        """The sensor's own ADC: saturate, and round to its grid."""
        half = 2 ** (self.adc_bits - 1)
        codes = np.clip(np.rint(force * (half / self.full_scale)), -half, half - 1)
        return np.asarray(codes * (self.full_scale / half), dtype=np.float32)


def _day(samples: int, who: Wearer, rng: np.random.Generator) -> tuple[Array, Array, Array, npt.NDArray[np.int64]]:
    """All bouts of a session joined: posture [time, 2], heave [time], force [time, 3] and the class of every sample.

    A session is rounds of about three minutes; in each, every activity has one bout of random length, in random order,
    that starts with a transition from the one before.
    """
    rounds = max(1, round(samples / RATE_HZ / 180.0))
    plan = np.concatenate([rng.permutation(len(ACTIVITIES)) for _ in range(rounds)])
    edge = round(TRANSITION_S * RATE_HZ)
    share = rng.uniform(0.6, 1.4, len(plan))
    ends = np.rint(np.cumsum(share) / share.sum() * samples).astype(int)
    starts = np.concatenate([[0], ends[:-1]])

    posture, heave, force = np.zeros((samples, 2)), np.zeros(samples), np.zeros((samples, 3))
    y = np.zeros(samples, dtype=np.int64)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    last = np.array([0.0, 0.5])
    for activity, start, end in zip(plan, starts, ends, strict=True):
        bout = ACTIVITIES[activity](end - start, who, rng)
        # The arm moves from where it was to the new posture, while the new movement sets in.
        fade = np.ones(end - start)
        fade[:edge] = ramp
        posture[start:end] = last + fade[:, None] * (bout.posture - last)
        heave[start:end] = fade * bout.heave
        force[start:end] = fade[:, None] * bout.force
        # Moving there takes a push and a brake, in some direction.
        force[start : start + edge] += 0.15 * np.sin(2 * np.pi * ramp)[:, None] * rng.normal(0, 1, 3)
        y[start + edge : end] = activity
        last = posture[end - 1]
    return posture, heave, force, y


# --- the activities: one function per class, in the order of SyntheticIMU.classes -------------------------------------


def _gestures(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """NULL: reaching, scratching, looking at the time; any posture, every size."""
    posture = _hold(n, rng.uniform(-80, 50), rng.uniform(-20, 100), rng) + 0.35 * _band(n, 0.05, 0.5, rng, columns=2)
    vigour = 0.08 * who.strength * np.exp(0.8 * _band(n, 0, 0.3, rng))
    return Motion(posture, np.zeros(n), vigour[:, None] * _band(n, 0.3, 6, rng, columns=3))


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
    posture = _hold(n, -3, 5, rng) + np.radians(1.5) * _band(n, 0.2, 2, rng, columns=2)
    burst = _band(n, 0, 0.3, rng) > -0.7
    stroke = burst & (rng.random(n) < 5.5 * who.tempo / RATE_HZ)
    size = np.where(stroke, rng.lognormal(np.log(0.15 * who.strength), 0.35, n), 0.0)
    t = np.arange(8) / RATE_HZ
    knock = np.convolve(size, np.exp(-t / 0.035) * np.cos(2 * np.pi * 14 * t))[:n]
    return Motion(posture, np.zeros(n), knock[:, None] * np.array([0.4, 0.3, 1.0]))


def _writing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """As sitting, hand on its edge: pen strokes in the plane of the paper, and a return at the end of a line."""
    posture = _hold(n, 0, 28, rng)
    phase = _phase(n, 4.2 * who.tempo, rng)
    stroke = 0.10 * who.strength * np.exp(0.3 * _band(n, 0, 1, rng)) * np.sin(phase)
    slant = 0.06 * who.strength * np.sin(phase / 2 + 1)
    line = (np.arange(n) / RATE_HZ * who.tempo / 5.0) % 1.0
    posture[:, 1] += np.radians(8) * (line - 0.5)  # The forearm turns slowly along the line and back at its end.
    back = 0.15 * np.exp(-(((line - 0.03) / 0.02) ** 2))
    return Motion(posture, np.zeros(n), np.stack([stroke, slant + back, 0.2 * stroke], 1))


def _brushing(n: int, who: Wearer, rng: np.random.Generator) -> Motion:
    """Brushing teeth: the hand raised, strokes along the forearm; every few seconds another side."""
    posture = _hold(n, 25, 35, rng) + np.radians(10) * _band(n, 0, 0.2, rng, columns=2)
    phase = _phase(n, 4.6 * who.tempo, rng)
    size = 0.38 * who.strength * np.exp(0.25 * _band(n, 0, 0.5, rng))
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


# --- what they are made of --------------------------------------------------------------------------------------------


def _quiet(
    n: int, elevation: float, pronation: float, breath: float, sway: float, who: Wearer, rng: np.random.Generator
) -> Motion:
    """A held posture (degrees) that breathing tilts by `breath` degrees and unrest by `sway` degrees."""
    breathing = np.radians(breath) * np.sin(_phase(n, 0.25 * who.tempo, rng))
    posture = _hold(n, elevation, pronation, rng) + np.radians(sway) * _band(n, 0.05, 1, rng, columns=2)
    return Motion(posture + breathing[:, None], np.zeros(n), np.zeros((n, 3)))


def _hold(n: int, elevation: float, pronation: float, rng: np.random.Generator) -> Array:
    """A posture in degrees as this bout happens to take it, in rad [time, 2]."""
    taken = np.array([elevation, pronation]) + rng.normal(0, 8, 2)
    return np.tile(np.radians(taken), (n, 1))


def _up(posture: Array) -> Array:
    """The vertical in the wrist's frame, [time, 3], from elevation and pronation, rad [time, 2]."""
    elevation, pronation = posture.T
    return np.stack(
        [np.sin(elevation), np.cos(elevation) * np.sin(pronation), np.cos(elevation) * np.cos(pronation)], axis=1
    )


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
    rate = hz * np.exp(0.04 * rng.normal()) * (1 + 0.03 * _band(n, 0, 0.5, rng))
    phase: Array = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(rate) / RATE_HZ
    return phase


def _band(n: int, low: float, high: float, rng: np.random.Generator, columns: int = 0) -> Array:
    """Gaussian noise of unit expected root mean square between `low` and `high` Hz, [time] or [time, columns]."""
    spectrum = np.fft.rfft(rng.normal(0, 1, (n, max(columns, 1))), axis=0)
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    inside = (hz >= low) & (hz <= high) & (hz > 0)
    inside[1] |= not inside.any()  # A bout shorter than one cycle still wanders once.
    noise = np.fft.irfft(spectrum * inside[:, None], n, axis=0) * math.sqrt(n / (2 * inside.sum()))
    return noise if columns else noise[:, 0]


def _rotation(vector: Array) -> Array:
    """Rotation matrix [3, 3] about `vector` by its length in rad (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: Array = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return turn


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(f"SyntheticIMU: {message}")
