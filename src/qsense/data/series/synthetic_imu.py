"""SyntheticIMU: simulated wrist accelerometer recordings, the built-in data set that needs no download.

Open it to change the simulated sensor, its wearers or the data set's arguments.
"""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import numpy.typing as npt

from qsense.data.series.dataset import ActivityDataset, Recording
from qsense.data.series.synthetic_motions import ACTIVITIES, RATE_HZ, Array, Wearer, band

VERSION = 1  # of the simulation: raise it with every change of what comes out, so that no stale cache is used
TRANSITION_S = 2.0
SHORTEST_SESSION_S = 120.0


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
        tilt = posture + who.posture + who.tremor * band(samples, 8, 12, rng, columns=2)
        specific = _up(tilt) * (1 + heave[:, None]) + force
        strap = _rotation(rng.normal(0, np.radians(4), 3)) @ who.mount
        specific = specific @ strap.T
        # The strap slips by about two degrees over a minute: f + ω × f is a small rotation by ω.
        specific += np.cross(np.radians(2) * band(samples, 0, 0.02, rng, columns=3), specific)
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


def _up(posture: Array) -> Array:
    """The vertical in the wrist's frame, [time, 3], from elevation and pronation, rad [time, 2]."""
    elevation, pronation = posture.T
    return np.stack(
        [np.sin(elevation), np.cos(elevation) * np.sin(pronation), np.cos(elevation) * np.cos(pronation)], axis=1
    )


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
