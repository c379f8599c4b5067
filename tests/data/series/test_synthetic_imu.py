"""The simulated wrist accelerometer: repeatable, a plausible sensor, and physics that makes levels near rest matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import refused

from qsense.data.series.dataset import Recording
from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.data.series.synthetic_motions import Wearer

Array = npt.NDArray[np.float64]

QUIET = ("lying", "sitting", "standing")
FINE = ("typing", "writing", "brushing")
VIGOROUS = ("walking", "running", "jumping")
GRAVITY = 1.0


@pytest.fixture(scope="module")
def data() -> SyntheticIMU:
    return SyntheticIMU()


@pytest.fixture(scope="module")
def recordings(data: SyntheticIMU) -> list[Recording]:
    return data.recordings()


@pytest.fixture(scope="module")
def windows(data: SyntheticIMU, recordings: list[Recording]) -> dict[str, Array]:
    """Per class, all one-second pieces that lie wholly in it: [pieces, 50, 3] in g."""
    found: dict[str, list[Array]] = {name: [] for name in data.classes}
    for recording in recordings:
        for start in range(0, len(recording.y) - 50, 50):
            y = recording.y[start : start + 50]
            if (y == y[0]).all():
                found[data.classes[y[0]]].append(recording.x[start : start + 50].astype(float))
    return {name: np.stack(pieces) for name, pieces in found.items()}


def movement(pieces: Array) -> Array:
    """Root mean square of what changes within each piece, over the three axes, g."""
    return np.asarray(np.sqrt(pieces.var(axis=1).sum(axis=-1)))


# --- the contract -----------------------------------------------------------------------------------------------------


def test_facts(data: SyntheticIMU) -> None:
    assert data.num_subjects == data.num_folds == 6
    assert data.classes[0] == "NULL"
    assert set(data.classes[1:]) == {*QUIET, *FINE, *VIGOROUS}
    assert data.axes == ("acc_x", "acc_y", "acc_z")
    assert (data.rate_hz, data.unit, data.range) == (50.0, "g", (-4.0, 4.0))
    data.check()


def test_recordings_are_well_formed(data: SyntheticIMU, recordings: list[Recording]) -> None:
    assert [(r.subject, r.name) for r in recordings[:3]] == [
        (0, "subject 0, session 0"),
        (0, "subject 0, session 1"),
        (1, "subject 1, session 0"),
    ]
    assert len(recordings) == 12
    for recording in recordings:
        assert recording.x.shape == (6 * 60 * 50, 3)
        assert recording.x.dtype == np.float32
        assert recording.y.shape == (6 * 60 * 50,)
        assert recording.y.dtype == np.int64
        assert np.isfinite(recording.x).all()


@pytest.mark.parametrize(("sessions", "minutes"), [(1, 2.0), (2, 4.0), (2, 12.0)])
def test_every_session_shows_every_class(sessions: int, minutes: float) -> None:
    data = SyntheticIMU(subjects=2, sessions=sessions, minutes=minutes)
    for recording in data.recordings():
        seconds = np.bincount(recording.y, minlength=len(data.classes)) / data.rate_hz
        assert len(seconds) == len(data.classes)
        assert seconds.min() > 2, recording.name


def test_same_seed_same_data_and_other_seed_other_data(recordings: list[Recording]) -> None:
    for first, again in zip(recordings, SyntheticIMU().recordings(), strict=True):
        np.testing.assert_array_equal(first.x, again.x)
        np.testing.assert_array_equal(first.y, again.y)
    other = SyntheticIMU(seed=1).recordings()[0]
    assert not np.array_equal(recordings[0].x, other.x)
    assert not np.array_equal(recordings[0].y, other.y)


def test_further_subjects_leave_the_others_alone(recordings: list[Recording]) -> None:
    fewer = SyntheticIMU(subjects=2).recordings()
    for few, many in zip(fewer, recordings[:4], strict=True):
        np.testing.assert_array_equal(few.x, many.x)


def test_fingerprint_follows_every_setting() -> None:
    base = SyntheticIMU()
    assert base.fingerprint() == SyntheticIMU(minutes=12).fingerprint()
    others = [
        SyntheticIMU(subjects=5),
        SyntheticIMU(minutes=13.0),
        SyntheticIMU(sessions=1),
        SyntheticIMU(full_scale=8.0),
        SyntheticIMU(adc_bits=10),
        SyntheticIMU(noise=0.004),
        SyntheticIMU(seed=1),
    ]
    prints = {data.fingerprint() for data in [base, *others]}
    assert len(prints) == 1 + len(others)
    assert all(len(text) == 64 for text in prints)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"subjects": 1}, ("subjects=1", 2)),
        ({"sessions": 0}, ("sessions=0", 1)),
        ({"minutes": 3.9}, ("minutes=3.9", 2, "4 min")),
        ({"minutes": float("nan")}, ("minutes=nan", 2, "4 min")),
        ({"full_scale": 0.0}, ("full_scale=0.0", 0)),
        ({"full_scale": float("inf")}, ("full_scale=inf", 0)),
        ({"adc_bits": 1}, ("adc_bits=1", "2…24")),
        ({"adc_bits": 25}, ("adc_bits=25", "2…24")),
        ({"noise": -0.1}, ("noise=-0.1", 0)),
        ({"seed": -1}, ("seed=-1", 0)),
    ],
)
def test_bad_arguments(arguments: dict[str, float], named: tuple[object, ...]) -> None:
    with refused(ValueError, "SyntheticIMU", *named):
        SyntheticIMU(**arguments)  # type: ignore[arg-type]


# --- the sensor -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("full_scale", "adc_bits"), [(4.0, 12), (8.0, 12), (2.0, 6)])
def test_samples_lie_on_the_adc_grid_within_full_scale(full_scale: float, adc_bits: int) -> None:
    lsb = full_scale / 2 ** (adc_bits - 1)
    for recording in SyntheticIMU(subjects=2, minutes=4.0, full_scale=full_scale, adc_bits=adc_bits).recordings():
        codes = recording.x / lsb
        np.testing.assert_array_equal(codes, np.rint(codes))
        assert recording.x.min() >= -full_scale
        assert recording.x.max() <= full_scale - lsb


def test_landings_saturate_and_little_else(data: SyntheticIMU, recordings: list[Recording]) -> None:
    x = np.concatenate([r.x for r in recordings])
    y = np.concatenate([r.y for r in recordings])
    lsb = 4.0 / 2**11
    saturated: npt.NDArray[np.bool_] = np.logical_or(x <= -4.0, x >= 4.0 - lsb).max(axis=1)
    assert 1e-4 < saturated.mean() < 0.02
    vigorous = np.isin(y, [data.classes.index(name) for name in ("running", "jumping")])
    assert saturated[vigorous].sum() > 0.95 * saturated.sum()


def test_white_noise_is_what_was_asked_for() -> None:
    noisy, silent = (SyntheticIMU(subjects=2, minutes=4.0, noise=n, adc_bits=20).recordings()[0].x for n in (0.05, 0.0))
    difference = (noisy - silent)[np.abs(noisy).max(axis=1) < 3.5]
    assert difference.std() == pytest.approx(0.05, rel=0.05)


# --- the people -------------------------------------------------------------------------------------------------------


def test_subjects_differ_in_orientation_tempo_and_strength(data: SyntheticIMU) -> None:
    people: list[Wearer] = [data.wearer(subject) for subject in range(6)]
    for person in people:
        np.testing.assert_allclose(person.mount @ person.mount.T, np.eye(3), atol=1e-12)
    for one in range(6):
        for other in range(one):
            turn = people[one].mount @ people[other].mount.T
            assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) > 2
    for trait in ([p.tempo for p in people], [p.strength for p in people], [p.tremor for p in people]):
        assert max(trait) / min(trait) > 1.2


def test_tempo_shows_in_the_steps(data: SyntheticIMU, recordings: list[Recording]) -> None:
    """The strongest rhythm of running is the step, 2.7 Hz times the subject's tempo, or a simple multiple of it."""
    running = data.classes.index("running")
    for recording in recordings[::2]:
        inside = recording.y == running
        edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
        start, end = edges[:2]
        magnitude = np.linalg.norm(recording.x[start:end], axis=1)
        power = np.abs(np.fft.rfft(magnitude - magnitude.mean())) ** 2
        hz = np.fft.rfftfreq(end - start, 1 / data.rate_hz)
        step = 2.7 * data.wearer(recording.subject).tempo
        ratio = hz[power.argmax()] / step
        assert min(abs(ratio - harmonic) for harmonic in (0.5, 1.0, 1.5, 2.0)) < 0.15


# --- the physics of the classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*QUIET, *FINE])
def test_gravity_is_what_a_resting_arm_feels(windows: dict[str, Array], name: str) -> None:
    mean = np.linalg.norm(windows[name].mean(axis=1), axis=-1)
    assert np.abs(mean - GRAVITY).max() < 0.25
    assert abs(np.median(mean) - GRAVITY) < 0.08


def test_a_running_or_jumping_body_does_not_take_off(windows: dict[str, Array]) -> None:
    """Flight is weightless, but averaged over steps the ground carries the weight once."""
    for name in ("running", "jumping"):
        mean = np.linalg.norm(windows[name].mean(axis=1), axis=-1)
        assert np.median(mean) == pytest.approx(GRAVITY, abs=0.25)


def test_movement_grows_from_quiet_over_fine_to_vigorous(windows: dict[str, Array]) -> None:
    median = {name: float(np.median(movement(pieces))) for name, pieces in windows.items()}
    assert max(median[name] for name in QUIET) < 0.03
    assert all(0.03 < median[name] < 0.4 for name in FINE)
    assert median["typing"] < median["writing"] < median["brushing"]
    assert 0.2 < median["walking"] < 0.6
    assert min(median["running"], median["jumping"]) > 1.5


def test_rest_points_lie_within_one_g_and_differ_per_axis(windows: dict[str, Array]) -> None:
    rest = np.concatenate([windows[name].mean(axis=1) for name in (*QUIET, *FINE)])
    assert np.abs(rest).max() < 1.15
    assert (rest.std(axis=0) > 0.3).all()  # No axis rests at one place: posture turns gravity through all of them.


# --- why the levels matter --------------------------------------------------------------------------------------------


def two_bit_codes(x: Array, gamma: float) -> npt.NDArray[np.int64]:
    """Codes of the bipolar curve sign(x)·|x|^γ at 2 bits over ±4 g; γ = 1 is the linear ADC."""
    edge = 4.0 * (2 / 3) ** (1 / gamma)
    return np.digitize(x, [-edge, 0.0, edge])


def test_a_linear_two_bit_adc_has_one_threshold_but_for_vigorous_movement(windows: dict[str, Array]) -> None:
    for name in (*QUIET, *FINE, "walking"):
        linear, curved = two_bit_codes(windows[name], 1.0), two_bit_codes(windows[name], 0.2)
        assert np.isin(linear, (1, 2)).all()  # The sign of each axis, nothing more.
        assert (curved[..., 0].min(), curved[..., 2].max()) == (0, 3) or len(np.unique(curved)) >= 3, name


def test_a_curve_sees_fine_movements_that_a_linear_one_does_not(windows: dict[str, Array]) -> None:
    def still(gamma: float) -> float:
        """Share of fine one-second pieces and axes in which no code ever changes."""
        return float(np.mean([(np.ptp(two_bit_codes(windows[name], gamma), axis=1) == 0).mean() for name in FINE]))

    assert still(1.0) > 0.75
    assert still(0.2) < still(1.0) - 0.15


def test_linear_codes_tell_quiet_and_fine_classes_apart_worse(windows: dict[str, Array]) -> None:
    """Mutual information, in bits, of the six quiet and fine classes and a piece's median codes (64 words)."""

    def information(gamma: float) -> float:
        joint = np.zeros((6, 64))
        for row, name in enumerate((*QUIET, *FINE)):
            words = np.median(two_bit_codes(windows[name], gamma), axis=1).astype(int) @ [16, 4, 1]
            joint[row] = np.bincount(words, minlength=64) / len(words) / 6
        expected = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        inside = joint > 0
        return float((joint[inside] * np.log2(joint[inside] / expected[inside])).sum())

    bits = {gamma: information(gamma) for gamma in (0.05, 0.2, 0.4, 1.0)}
    assert bits[0.2] > bits[1.0] + 0.4
    assert bits[0.2] > bits[0.05]
    assert bits[0.2] > bits[0.4]
