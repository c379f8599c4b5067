"""Raspberry Pi's compressed raw: by a reference written from the documents, by hand, and by what it may lose."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tests.quant.sensor.memory.test_rows import BLACK, RAW, frames
from tests.refusal import refused

from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.quant.sensor.memory import pisp_words
from qsense.quant.sensor.memory.pisp import PiSP
from qsense.quant.sensor.memory.row_dpcm import RowDPCM
from qsense.signal import Signal

# -------------------------------------------------------- the format, sample by sample, as the kernel documents it

FULL_SCALE = 65536
LEVELS = (
    [k * FULL_SCALE // 4096 for k in range(321)] + [k * FULL_SCALE // 2048 for k in range(161, 2048)],
    [k * FULL_SCALE // 1024 for k in range(1024)],
    [k * FULL_SCALE // 512 for k in range(512)],
    [k * FULL_SCALE // 256 for k in range(95)] + [min(65535, k * FULL_SCALE // 128) for k in range(48, 129)],
)
PAIRS = {2816 * (a >> 4) + 16 * b + (a & 15): (a, b) for a, b in itertools.product(range(176), repeat=2)}
LEGAL = [word for word in range(1 << 15) if word in PAIRS]


def documented(word: int) -> list[int] | None:
    """The four samples of a word; None where it is no word of the format."""
    mode = word % 4
    if mode == 3:
        pairs = [PAIRS.get(word >> 2 & 32767), PAIRS.get(word >> 17)]
        levels = None if None in pairs else [level for pair in pairs for level in pair or ()]
    else:
        inner, other, left, right = word >> 2 & 511, word >> 11 & 127, word >> 18 & 127, word >> 25
        if mode == 2 and inner >= 384:
            q1, q2 = inner, 384 + other
        elif other >= 64:
            q1, q2 = inner, inner + other - 64
        else:
            q1, q2 = inner + 64 - other, inner
        from_left, from_right = (384 if mode == 2 and q in range(448, 512) else max(0, q - 64) for q in (q1, q2))
        levels = [left + from_left, q1, q2, right + from_right]
    return None if levels is None else [LEVELS[mode][level] for level in levels]


def documented_words(samples: list[int]) -> dict[int, int]:
    """By mode, the word of four samples where its fields hold their nearest levels."""
    words = {}
    for mode, table in enumerate(LEVELS):
        q = [len(table) - 1 - int(np.argmin(np.abs(np.array(table[::-1]) - sample))) for sample in samples]
        if mode == 3:
            fields = [2816 * (a >> 4) + 16 * b + (a & 15) for a, b in (q[:2], q[2:])]
            words[mode] = mode + (fields[0] << 2) + (fields[1] << 17)
            continue
        if mode == 2 and min(q[1], q[2]) >= 384:
            inner, other = q[1], q[2] & 127
        else:
            inner, other = min(q[1], q[2]), q[2] - q[1] + 64
        outer = [
            q[a] - (384 if mode == 2 and q[b] in range(448, 512) else max(0, q[b] - 64)) for a, b in ((0, 1), (3, 2))
        ]
        if inner in range(512) and all(field in range(128) for field in (other, *outer)):
            words[mode] = mode + (inner << 2) + (other << 11) + (outer[0] << 18) + (outer[1] << 25)
    return words


WORDS = st.one_of(
    st.builds(lambda mode, rest: mode + 4 * rest, st.integers(0, 2), st.integers(0, (1 << 30) - 1)),
    st.builds(lambda a, b: 3 + (a << 2) + (b << 17), st.sampled_from(LEGAL), st.sampled_from(LEGAL)),
)
NEAR = st.builds(  # four samples that are alike, more or less
    lambda middle, spread, away: [min(max(middle + spread * a // 8, 0), 65535) for a in away],
    st.integers(0, 65535), st.integers(0, 6000), st.tuples(*[st.integers(-8, 8)] * 4),
)  # fmt: skip
FOURS = st.one_of(NEAR, st.tuples(*[st.integers(0, 65535)] * 4).map(list))


def word_of(samples: list[int]) -> int:
    return int(pisp_words.encode(np.array([samples], np.uint16))[0])


def samples_of(word: int) -> list[int]:
    listed: list[int] = pisp_words.decode(np.array([word], np.uint32))[0].tolist()
    return listed


# -------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        ([0, 0, 0, 0], 64 << 11),  # mode 0: no difference between the inner two is 64
        ([16, 32, 48, 64], 0 + 2 * 4 + 65 * 2048 + 1 * 262144 + 4 * 33554432),
        ([5152, 5120, 5120, 5088], 0 + 320 * 4 + 64 * 2048 + (321 - 256) * 262144 + (318 - 256) * 33554432),
        ([19200, 19200, 19200, 19264], 1 + 300 * 4 + 64 * 2048 + 64 * 262144 + 65 * 33554432),  # above mode 0's reach
        ([49152, 49152, 49152, 49152], 2 + 384 * 4 + 0 * 2048 + 64 * 262144 + 64 * 33554432),
        ([65408, 65280, 57344, 49152], 2 + 510 * 4 + 64 * 2048 + 127 * 262144 + 0 * 33554432),
        ([65535, 65535, 65535, 65535], 3 + (2816 * 10 + 16 * 175 + 15) * (4 + 131072)),
        ([0, 65535, 24064, 24576], 3 + (16 * 175) * 4 + (2816 * 5 + 16 * 95 + 14) * 131072),
    ],
)  # fmt: skip
def test_words_by_hand(samples: list[int], word: int) -> None:
    assert word_of(samples) == word
    assert samples_of(word) == documented(word) == samples


@settings(max_examples=500, deadline=None)
@given(word=WORDS)
def test_a_receiver_decodes_what_is_documented(word: int) -> None:
    assert samples_of(word) == documented(word)


@settings(max_examples=300, deadline=None)
@given(word=WORDS)
def test_what_the_format_holds_is_lossless(word: int) -> None:
    samples = samples_of(word)
    assert samples_of(word_of(samples)) == samples


@settings(max_examples=500, deadline=None)
@given(samples=FOURS)
def test_the_word_that_leaves_the_least_error_is_sent(samples: list[int]) -> None:
    words = documented_words(samples)
    error = {
        mode: sum((a - b) ** 2 for a, b in zip(documented(word) or (), samples, strict=True))
        for mode, word in words.items()
    }
    assert word_of(samples) == words[min(error, key=lambda mode: (error[mode], mode))]
    if max(samples) <= 65408:
        assert word_of(samples) == words[min(words)], "the finest that fits"


@settings(max_examples=500, deadline=None)
@given(samples=FOURS)
def test_no_error_exceeds_half_a_step_of_its_mode(samples: list[int]) -> None:
    word = word_of(samples)
    for before, after in zip(samples, samples_of(word), strict=True):
        fine = before < (24064 if word % 4 == 3 else 5120)
        half = ((8 if fine else 16), 32, 64 if before <= 65408 else 127, 128 if fine else 256)[word % 4]
        assert abs(before - after) <= half


@settings(max_examples=100, deadline=None)
@given(bits_and_top=st.sampled_from([(8, 255), (9, 511), (10, 511), (11, 160), (12, 320)]), data=st.data())
def test_counts_that_are_alike_lose_nothing(bits_and_top: tuple[int, int], data: st.DataObject) -> None:
    bits, top = bits_and_top
    step = 4 if bits == 12 else 2
    middle = data.draw(st.integers(0, top))
    counts = [min(max(middle + data.draw(st.integers(-8 * step, 7 * step)), 0), top) for _ in range(4)]
    assert samples_of(word_of([count << (16 - bits) for count in counts])) == [count << (16 - bits) for count in counts]


def test_the_compiled_kernel_and_numpy_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    middle, spread = rng.integers(0, 65536, (60_000, 1)), rng.integers(0, 3000, (60_000, 1))
    alike = np.clip(middle + spread * rng.normal(size=(60_000, 4)), 0, 65535).astype(np.uint16)
    samples = np.concatenate([alike, rng.integers(0, 65536, (20_000, 4)).astype(np.uint16)])
    words = pisp_words.encode(samples)
    assert (np.bincount(words & 3) > 500).all()
    any_words = rng.integers(0, 1 << 32, 20_000).astype(np.uint32)
    any_words = any_words[any_words & 3 < 3]
    decoded = pisp_words.decode(np.concatenate([words, any_words]))
    assert np.array_equal(pisp_words.encode_in_numpy(samples), words)
    assert np.array_equal(pisp_words.decode_in_numpy(np.concatenate([words, any_words])), decoded)
    monkeypatch.setattr(pisp_words, "library", lambda: None)
    assert np.array_equal(pisp_words.encode(samples), words)
    assert np.array_equal(pisp_words.decode(words), decoded[: len(words)])


# ------------------------------------------------------------------------------------------------------------- frames

PI = Signal(4, 0.0, 1.0, "full scale", native_bits=12, black=256, bayer="BGGR")  # 4096 of 16 bits, as of their cameras
SIGNALS = {
    "8 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=8, bayer="RGGB"),
    "10 bits, black": BLACK,
    "12 bits": RAW,
    "12 bits, black": PI,
    "14 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=14, black=1024, white=16000, bayer="RGGB"),
    "16 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=16, bayer="RGGB"),
}
of_all_signals = pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)


def as_stored(converter: PiSP, codes: npt.NDArray[np.integer]) -> bytes:
    """A frame as it lies in a camera's memory: row by row of the mosaic, words of its two colours in turn."""
    rows = converter.words(codes).swapaxes(0, 1).reshape(codes.shape[1], 2, 2, -1)
    return rows.swapaxes(2, 3).astype("<u4").tobytes()


def read_as_documented(stored: bytes, height: int, width: int, offset: int) -> npt.NDArray[np.int64]:
    """The mosaic on the scale of 16 bits, by the reference above; `width` is one of eight samples' multiples."""
    blocks = [
        [documented(int.from_bytes(stored[at : at + 4], "little")) for at in (start, start + 4)]
        for start in range(0, len(stored), 8)
    ]
    pixels = [sample for even, odd in blocks for pair in zip(even or (), odd or (), strict=True) for sample in pair]
    mosaic: npt.NDArray[np.int64] = np.minimum(np.array(pixels).reshape(height, width) + offset, 65535)
    return mosaic


def test_a_frame_is_stored_as_cameras_do() -> None:
    converter, codes = PiSP(PI), frames(PI, count=1)[0]
    assert converter.offset << 4 == 2048, "what Raspberry Pi's software always takes"
    stored = as_stored(converter, codes)
    assert len(stored) == codes.size
    mosaic = read_as_documented(stored, 2 * codes.shape[1], 2 * codes.shape[2], 2048)
    planes = np.stack([mosaic[y::2, x::2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1))])
    assert np.array_equal(np.minimum((planes + 8) >> 4, 4095), converter.received(codes))


@of_all_signals
@pytest.mark.parametrize("width", [24, 23, 1])
def test_what_arrives_has_the_shape_and_stays_as_it_is(signal: Signal, width: int) -> None:
    converter, codes = PiSP(signal), frames(signal, width=width)
    codes[0, 0, 0] = 0
    codes[0, 1, 0] = signal.codes - 1
    arrived = converter.received(codes)
    assert arrived.dtype == np.uint16
    assert arrived.shape == codes.shape
    assert np.array_equal(converter.received(arrived), arrived)
    assert np.array_equal(converter.received(codes[2]), arrived[2])
    assert (arrived[0, 0, 0] == converter.offset).all(), "what lies below the offset is lost"
    assert (arrived[0, 1, 0] == signal.codes - 1).all(), "saturated samples stay so"
    error = np.abs(arrived.astype(int) - np.maximum(codes, converter.offset)) / signal.codes
    assert error.max() <= 1 / 256 + 1e-9


def test_each_word_is_on_its_own() -> None:
    converter, codes = PiSP(RAW), frames()
    arrived = converter.received(codes)
    other = codes.copy()
    other[:, 1, 3, 4:8] = 4095 - other[:, 1, 3, 4:8]
    changed = converter.received(other) != arrived
    assert changed[:, 1, 3, 4:8].any()
    changed[:, 1, 3, 4:8] = False
    assert not changed.any()


@pytest.mark.parametrize("output", ["linear", "companded"])
@pytest.mark.parametrize("signal", [RAW, PI], ids=["12 bits", "12 bits, black"])
def test_codes_are_words_and_the_network_sees_light(signal: Signal, output: Any) -> None:
    converter, codes = PiSP(signal, output=output), frames(signal)
    x = torch.from_numpy(codes.astype(np.int32))
    words = converter.encode(x)
    assert words.dtype == torch.int64
    assert words.shape == (6, 4, 10, 6)
    seen = converter.decode(words)
    assert seen.dtype == torch.float32
    assert torch.equal(seen, converter(converter.received_frames(x)))
    rows = RowDPCM(signal, 4, output=output)
    assert torch.equal(converter.seen, rows.seen)
    assert converter(torch.tensor([signal.black, signal.top])).tolist() == [0, 1]
    values = torch.rand(3)
    assert torch.equal(converter(values), values)


def test_the_yaml_states_every_argument() -> None:
    stated: Any = OmegaConf.to_container(stated_by_options("quant/sensor")["pisp"].quant.sensor)
    target = stated.pop("_target_")
    assert set(stated) == set(signatures.arguments(target) or {}) - {"signal"}
    assert PiSP(RAW, **stated).settings == PiSP(RAW).settings


def test_it_has_no_state_and_says_what_it_is() -> None:
    converter = PiSP(PI)
    assert not converter.state_dict()
    assert not list(converter.parameters())
    assert not converter.channels()
    assert "offset=128" in repr(converter)
    assert converter.settings != PiSP(PI, offset=0).settings


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bits": 4}, ("bits=4", 8)),
        ({"bits": 9}, ("bits=9", 8)),
        ({"output": "code"}, ("output='code'", "linear", "companded")),
        ({"offset": -1}, ("offset=-1", 0, 4095)),
        ({"offset": 4096}, ("offset=4096", 0, 4095)),
        ({"signal": Signal(3, -1.0, 1.0, "g", rate_hz=50.0)}, ("native codes", "lloyd_max")),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=6)}, ("native_bits=6", 8, 16)),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=24)}, ("native_bits=24", 8, 16)),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, "PiSP", *named):
        PiSP(**{"signal": RAW, **arguments})


def test_frames_have_three_dimensions_and_codes_are_integers() -> None:
    converter = PiSP(RAW)
    with refused(ValueError, "[4, 4]", "planes"):
        converter.received(np.zeros((4, 4), np.uint16))
    for take in (converter.encode, converter.received_frames, converter.decode):
        with refused(ValueError, "torch.float32", "PiSP"):
            take(torch.rand(4, 2, 2))
    with refused(ValueError, "2^32"):
        converter.decode(torch.full((4, 2, 2), 1 << 32))
