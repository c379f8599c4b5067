"""MIPI's compressed raw: by a receiver written from the sources' words, by hand, and by what it may lose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tests.quant.sensor.memory.test_rows import BLACK, RAW, frames
from tests.refusal import refused

from qsense.data.frames.geometry.bayer import pack, unpack
from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.quant.sensor.memory import mipi_codes
from qsense.quant.sensor.memory.mipi import MipiDPCM
from qsense.quant.sensor.memory.mipi_codes import MODES
from qsense.quant.sensor.memory.row_dpcm import RowDPCM
from qsense.signal import BAYER, Signal

# ------------------------------------------------------- the format, code by code, as each source has it for its mode

Sizes = tuple[int, int]  # of a sample and of a code, in bits
Words = dict[str, tuple[int, int | None]]  # step, first magnitude
WORDS: dict[Sizes, Words] = {  # of 10-8-10 by the Verilog decoder, of the others by Sophgo's
    (10, 8): {"00sxxxxx": (1, 0), "010sxxxx": (2, 32), "011sxxxx": (4, 65), "1xxxxxxx": (8, None)},
    (12, 10): {"00sxxxxxxx": (1, 0), "010sxxxxxx": (2, 128), "011sxxxxxx": (4, 257), "1xxxxxxxxx": (8, None)},
    (12, 8): {
        "0000sxxx": (1, 0),
        "011sxxxx": (2, 8),
        "010sxxxx": (4, 41),
        "001sxxxx": (8, 107),
        "0001sxxx": (16, 239),
        "1xxxxxxx": (32, None),
    },
    (12, 7): {
        "0000sxx": (1, 0),
        "0001sxx": (2, 4),
        "0010sxx": (4, 13),
        "010sxxx": (8, 31),
        "011sxxx": (16, 99),
        "0011sxx": (32, 235),
        "1xxxxxx": (64, None),
    },
    (12, 6): {
        "0000sx": (1, 0),
        "0001sx": (4, 3),
        "010sxx": (8, 13),
        "0010sx": (16, 49),
        "011sxx": (32, 89),
        "0011sx": (64, 233),
        "1xxxxx": (128, None),
    },
}
BY_FOUR = ((12, 7), (12, 6))  # predictor 2
of_all_modes = pytest.mark.parametrize("sizes", WORDS, ids="{0[0]}-{0[1]}".format)


def fits(word: str, pattern: str) -> bool:
    return all(expected in "sx" or expected == found for expected, found in zip(pattern, word, strict=True))


def predicted(line: Sequence[int], sizes: Sizes) -> int | None:
    """Of the sample behind those decoded of a line, which takes two colours in turn; None: nothing predicts it."""
    if sizes not in BY_FOUR:
        return line[-2] if len(line) > 1 else None
    if len(line) < 2:
        return line[-1] if line else None
    other, same = line[-1], line[-2]
    if len(line) > 2 and sorted(line[-3:])[1] == same:
        return other
    if len(line) < 4 or (other - line[-3]) * (same - line[-4]) >= 0:
        return same
    return (same + line[-4] + 1) // 2


def documented(code: int, prediction: int | None, sizes: Sizes) -> int:
    """What a code stands for behind a prediction."""
    sample_bits, bits = sizes
    if prediction is None:
        step = 1 << (sample_bits - bits)
        return step * code + step // 2
    word = f"{code:0{bits}b}"
    for pattern, (step, first) in WORDS[sizes].items():
        if fits(word, pattern):
            value = step * int("".join(found for kind, found in zip(pattern, word, strict=True) if kind == "x"), 2)
            if first is None:
                return value + (step // 2 - 1 if value > prediction else step // 2)
            negative = word[pattern.index("s")] == "1"
            size = first + value
            return min(max(prediction - size if negative else prediction + size, 0), (1 << sample_bits) - 1)
    raise AssertionError(word)


def line_of(codes: Sequence[int], sizes: Sizes) -> list[int]:
    """The samples of one line, by the receiver above."""
    samples: list[int] = []
    for code in codes:
        samples.append(documented(code, predicted(samples, sizes), sizes))
    return samples


def encoded(samples: Sequence[int], sizes: Sizes) -> list[int]:
    listed: list[int] = mipi_codes.encode(np.array([samples], np.uint16), MODES[sizes])[0].tolist()
    return listed


def decoded(codes: Sequence[int], sizes: Sizes) -> list[int]:
    listed: list[int] = mipi_codes.decode(np.array([codes], np.uint16), MODES[sizes])[0].tolist()
    return listed


@st.composite
def lines(draw: st.DrawFn, sizes: Sizes) -> list[int]:
    """A line of samples of two colours: slow and fast, within what their bits hold."""
    top = 2 ** sizes[0] - 1
    colours, line = [draw(st.integers(0, top)), draw(st.integers(0, top))], []
    for reach in draw(st.lists(st.sampled_from([2, 20, 2 ** sizes[1], 400, top]), min_size=1, max_size=30)):
        line.append(colours[0])
        colours = [colours[1], min(max(colours[0] + draw(st.integers(-reach, reach)), 0), top)]
    return line


# -------------------------------------------------------------------------------------------------------------- codes


def test_the_tables_are_those_of_the_sources() -> None:
    assert set(MODES) == set(WORDS)
    assert [(bits, code) for bits, codes in MipiDPCM.modes.items() for code in codes] == sorted(MODES)
    for sizes, mode in MODES.items():
        rows = {row.prefix + "s" + "x" * row.bits: (row.step, row.first) for row in mode.rows}
        absolute = "1" + "x" * (mode.bits - 1)
        assert {**rows, absolute: (2 * mode.coarse, None)} == WORDS[sizes]
        assert mode.predictor == (2 if sizes in BY_FOUR else 1)


@of_all_modes
def test_each_code_is_one_of_the_formats(sizes: Sizes) -> None:
    """Every number of so many bits is a code, in one way only, and magnitudes go on without a gap."""
    for code in range(2 ** sizes[1]):
        assert sum(fits(f"{code:0{sizes[1]}b}", pattern) for pattern in WORDS[sizes]) == 1
    reached = 0
    for pattern, (step, first) in WORDS[sizes].items():
        if first is not None:
            assert first == reached + max(step // 2 - 1, 0), "in the middle of what the first value stands for"
            reached += step * 2 ** pattern.count("x")
    assert reached == {(10, 8): 128, (12, 10): 512, (12, 8): 360, (12, 7): 348, (12, 6): 330}[sizes]


@pytest.mark.parametrize(
    ("sizes", "samples", "codes"),
    [
        ((10, 8), [512, 520], [0b10000000, 0b00000110]),  # 514 is decoded: 6 more
        ((10, 8), [512, 514, 514], [0b10000000, 0b00000000, 0b00000000]),
        ((10, 8), [512, 481], [0b10000000, 0b01010000]),  # 33 less: as 32
        ((10, 8), [512, 577, 640], [0b10000000, 0b01001111, 0b01100000]),  # 63 more: as 62; from 576, 64 more: as 65
        ((10, 8), [0, 520, 527], [0b00000000, 0b11000001, 0b00000100]),  # 520 … 527 is 1 1000001 in Nokia's patent
        ((10, 8), [1023, 520], [0b11111111, 0b11000001]),
        ((10, 8), [1023, 1023, 1023], [0b11111111, 0b00000001, 0b00000000]),
        ((12, 10), [2048, 2175, 2048], [0b1000000000, 0b0001111101, 0b0011111111]),
        ((12, 10), [2048, 2306, 4095], [0b1000000000, 0b0110000000, 0b1111111111]),
    ],
)  # fmt: skip
def test_lines_of_two_like_colours_by_hand(sizes: Sizes, samples: list[int], codes: list[int]) -> None:
    assert encoded(np.repeat(samples, 2).tolist(), sizes) == np.repeat(codes, 2).tolist()


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ((12, 8), [  # sample, prediction, code, decoded
            (2048, None, "10000000", 2056),
            (1000, None, "00111110", 1000),
            (2049, 2056, "0000" "1" "111", 2049),
            (1009, 1000, "011" "0" "0000", 1008),
            (2090, 2049, "010" "0" "0000", 2090),
            (900, 1008, "001" "1" "0000", 901),
            (1800, 2090, "0001" "1" "011", 1803),
            (4095, 901, "1" "1111111", 4079),
        ]),
        ((12, 7), [
            (2048, None, "1000000", 2064),
            (2067, 2064, "0000" "0" "11", 2067),  # the first
            (2055, 2064, "0001" "1" "10", 2056),  # the first: of its colour
            (2087, 2067, "0010" "0" "10", 2088),  # 2056, 2067, 2064: the middle one lies outside
            (2100, 2060, "010" "0" "001", 2099),  # the mean of 2056 and 2064
            (2000, 2099, "011" "1" "000", 2000),  # 2088 lies between 2099 and 2056
            (2300, 2078, "0011" "0" "00", 2313),  # the mean of 2099 and 2056, rounded up
            (100, 2044, "1" "000001", 96),
        ]),
        ((12, 6), [
            (2048, None, "100000", 2080),
            (2085, 2080, "0001" "0" "0", 2083),
            (2098, 2080, "010" "0" "01", 2101),
            (2100, 2101, "0000" "1" "1", 2100),  # 2083 lies between 2101 and 2080
            (2144, 2101, "0010" "0" "0", 2150),  # both colours have risen
            (2000, 2100, "011" "1" "00", 2011),  # again
            (2400, 2126, "0011" "0" "1", 2423),  # the mean of 2150 and 2101, rounded up
            (4095, 2056, "1" "11111", 4031),
        ]),
    ],
    ids=["12-8", "12-7", "12-6"],
)  # fmt: skip
def test_lines_by_hand(sizes: Sizes, steps: list[tuple[int, int | None, str, int]]) -> None:
    samples, predictions, words, found = zip(*steps, strict=True)
    codes = [int(word, 2) for word in words]
    assert encoded(samples, sizes) == codes
    assert decoded(codes, sizes) == list(found)
    assert [predicted(found[:k], sizes) for k in range(len(found))] == list(predictions)
    assert line_of(codes, sizes) == list(found)


def test_what_the_patent_gives_as_an_example() -> None:
    """Its receiver takes the middle, 8·65 + 4; both decoders go one nearer where the prediction lies below."""
    assert decoded([255, 255, 0b11000001], (10, 8))[2] == 8 * 65 + 4
    assert decoded([1, 1, 0b11000001], (10, 8))[2] == 8 * 65 + 3


@of_all_modes
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_receiver_decodes_what_is_documented(sizes: Sizes, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(0, 2 ** sizes[1] - 1), min_size=1, max_size=30))
    assert decoded(codes, sizes) == line_of(codes, sizes)


@of_all_modes
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_code_is_that_of_the_differences_interval(sizes: Sizes, data: st.DataObject) -> None:
    """By what a receiver has decoded so far; and no more is lost than half a step."""
    line = data.draw(lines(sizes))
    codes = encoded(line, sizes)
    found = line_of(codes, sizes)
    coarse = 2 ** (sizes[0] - sizes[1])
    for k, (sample, code, arrived) in enumerate(zip(line, codes, found, strict=True)):
        prediction = predicted(found[:k], sizes)
        if prediction is None:
            assert code == sample // coarse
            assert abs(sample - arrived) <= coarse // 2
            continue
        away, reached = abs(sample - prediction), 0
        for pattern, (step, first) in WORDS[sizes].items():
            place, values = (away - reached) // step, 2 ** pattern.count("x")
            if first is None:
                place = sample // step
            reached += values * step
            if first is None or away < reached:
                break
        digits = f"{place:0{pattern.count('x')}b}"
        prefix = pattern[: len(pattern) - len(digits)].replace("s", "1" if sample < prediction else "0")
        assert f"{code:0{sizes[1]}b}" == prefix + digits
        assert abs(sample - arrived) <= step // 2


@of_all_modes
def test_the_compiled_kernel_and_numpy_agree(sizes: Sizes, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, mode, top = np.random.default_rng(0), MODES[sizes], 2 ** sizes[0] - 1
    walk = rng.integers(0, top + 1, (2000, 1)) + rng.normal(0, rng.choice([1, 5, 40, 400], (2000, 1)), (2000, 40))
    samples = np.clip(walk, 0, top).astype(np.uint16)
    any_codes = rng.integers(0, mode.half * 2, (2000, 40)).astype(np.uint16)
    codes = mipi_codes.encode(samples, mode)
    counts = np.bincount(codes[:, 2:].ravel(), minlength=2 * mode.half).tolist()
    for pattern in WORDS[sizes]:
        used = [count for code, count in enumerate(counts) if fits(f"{code:0{mode.bits}b}", pattern)]
        assert sum(used) > 100, "all kinds"
    assert np.array_equal(mipi_codes.encode_in_numpy(samples, mode), codes)
    for some in (codes, any_codes):
        found = mipi_codes.decode(some, mode)
        assert np.array_equal(mipi_codes.decode_in_numpy(some, mode), found)
        assert found[:20].tolist() == [line_of(line, sizes) for line in some[:20].tolist()]
    for width in range(1, 6):
        cut = samples[:, :width]
        assert np.array_equal(mipi_codes.encode(cut, mode), mipi_codes.encode_in_numpy(cut, mode))
        assert np.array_equal(mipi_codes.encode(cut, mode), codes[:, :width])
    monkeypatch.setattr(mipi_codes, "library", lambda: None)
    assert np.array_equal(mipi_codes.encode(samples, mode), codes)
    assert np.array_equal(mipi_codes.decode(codes, mode), mipi_codes.decode_in_numpy(codes, mode))


# ------------------------------------------------------------------------------------------------------------- frames

SIGNALS = {
    "8 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=8, bayer="RGGB"),
    "10 bits, black": BLACK,
    "12 bits": RAW,
    "14 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=14, black=1024, white=16000, bayer="RGGB"),
    "16 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=16, bayer="RGGB"),
}


LARGEST = {(10, 8): 4, (12, 10): 4, (12, 8): 16, (12, 7): 32, (12, 6): 64}  # error, in counts of the mode


@of_all_modes
@pytest.mark.parametrize("pattern", BAYER)
def test_a_frame_is_sent_as_cameras_do(sizes: Sizes, pattern: str) -> None:
    """Line by line of the mosaic, of whatever pattern."""
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=sizes[0], bayer=pattern)
    converter, mosaic = MipiDPCM(signal, sizes[1]), unpack(frames(RAW, count=1)[0] >> (12 - sizes[0]), pattern)
    codes = unpack(converter.sent(pack(mosaic, pattern)), pattern)
    found = np.array([line_of(line, sizes) for line in codes.tolist()])
    assert np.array_equal(pack(found, pattern), converter.received(pack(mosaic, pattern)))
    assert np.array_equal(codes, [encoded(line, sizes) for line in mosaic.tolist()])
    assert np.abs(found - mosaic).max() <= LARGEST[sizes]


def test_planes_of_no_bayer_sensor_are_lines_of_their_own() -> None:
    converter, planes = MipiDPCM(Signal(3, 0.0, 1.0, "full scale", native_bits=12), 6), frames()[:, :3]
    assert converter.sent(planes)[2, 1, 5].tolist() == encoded(planes[2, 1, 5].tolist(), (12, 6))
    assert np.array_equal(converter.received(planes)[1:2], converter.received(planes[1:2]))


@pytest.mark.parametrize("bits", [6, 7, 8, 10])
@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_what_arrives_has_the_shape_and_lies_near(signal: Signal, bits: int) -> None:
    native = signal.native_bits or 0
    if native <= 10 and bits != 8:
        with refused(ValueError, "MipiDPCM", f"bits={bits}", 8, native):
            MipiDPCM(signal, bits)
        return
    converter, codes = MipiDPCM(signal, bits), frames(signal, width=23)
    sizes = converter.sample_bits, bits
    assert sizes == (10 if native <= 10 else 12, bits)
    arrived = converter.received(codes)
    assert arrived.dtype == np.uint16
    assert arrived.shape == codes.shape
    assert np.array_equal(converter.received(codes[2]), arrived[2])
    dropped = 2 ** max(native - sizes[0], 0)
    error = np.abs(arrived.astype(int) - codes)
    assert error.max() <= LARGEST[sizes] * dropped + dropped // 2
    dark, half_a_step = np.zeros((4, 2, 5), np.uint16), 2 ** (sizes[0] - bits) // 2
    assert converter.received(dark).max() <= half_a_step * dropped + dropped // 2
    assert converter.received(dark + (signal.codes - 1)).min() >= signal.codes - 1 - half_a_step * dropped


@pytest.mark.parametrize("bits", [6, 8])
def test_each_line_is_on_its_own(bits: int) -> None:
    converter, codes = MipiDPCM(RAW, bits), frames()
    other = codes.copy()
    other[:, 1, 3, 4] = 4095 - other[:, 1, 3, 4]
    changed = converter.received(other) != converter.received(codes)
    assert changed[:, 1, 3, 4:].any()
    assert changed[:, 0, 3, 5:].any() == (bits == 6), "the line's other colour, where both predict"
    changed[:, 1, 3, 4:] = changed[:, 0, 3, 5:] = False
    assert not changed.any()


@pytest.mark.parametrize("output", ["linear", "companded"])
@pytest.mark.parametrize(("signal", "bits"), [(BLACK, 8), (RAW, 10), (RAW, 6)])
def test_codes_are_those_of_a_link_and_the_network_sees_light(signal: Signal, bits: int, output: Any) -> None:
    converter, codes = MipiDPCM(signal, bits, output=output), frames(signal)
    x = torch.from_numpy(codes.astype(np.int32))
    sent = converter.encode(x)
    assert sent.dtype == torch.int32
    assert sent.shape == x.shape
    assert 0 <= sent.min() <= sent.max() < 2**bits
    seen = converter.decode(sent)
    assert seen.dtype == torch.float32
    assert torch.equal(seen, converter(converter.received_frames(x)))
    assert torch.equal(converter.seen, RowDPCM(signal, 4, output=output).seen)
    assert converter(torch.tensor([signal.black, signal.top])).tolist() == [0, 1]
    values = torch.rand(3)
    assert torch.equal(converter(values), values)


def test_the_yaml_states_every_argument() -> None:
    stated: Any = OmegaConf.to_container(stated_by_options("quant/sensor")["mipi"].quant.sensor)
    target = stated.pop("_target_")
    assert set(stated) == set(signatures.arguments(target) or {}) - {"signal"}
    assert MipiDPCM(RAW, **stated).settings == MipiDPCM(RAW).settings


def test_it_has_no_state_and_says_what_it_is() -> None:
    converter = MipiDPCM(RAW)
    assert not converter.state_dict()
    assert not list(converter.parameters())
    assert not converter.channels()
    assert "native_bits=12" in repr(converter)
    assert "12-8-12" in repr(converter)
    assert converter.settings != MipiDPCM(RAW, 10).settings


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bits": 4}, ("bits=4", 6, 7, 8, 10, 12)),
        ({"bits": 9}, ("bits=9", 6, 7, 8, 10, 12)),
        ({"bits": 8.0}, ("bits=8.0", 6, 7, 8, 10, 12)),
        ({"bits": 10, "signal": BLACK}, ("bits=10", 8, 10)),
        ({"output": "code"}, ("output='code'", "linear", "companded")),
        ({"signal": Signal(3, -1.0, 1.0, "g", rate_hz=50.0)}, ("native codes", "lloyd_max")),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=6)}, ("native_bits=6", 8, 16)),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=24)}, ("native_bits=24", 8, 16)),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, "MipiDPCM", *named):
        MipiDPCM(**{"signal": RAW, **arguments})


def test_frames_have_their_planes_and_codes_are_integers() -> None:
    converter = MipiDPCM(RAW)
    for shape in ((4, 4), (3, 4, 4)):
        with refused(ValueError, list(shape), 4, "planes"):
            converter.received(np.zeros(shape, np.uint16))
        with refused(ValueError, list(shape), 4, "planes"):
            converter.decode(torch.zeros(shape, dtype=torch.int32))
    for take in (converter.encode, converter.received_frames, converter.decode):
        with refused(ValueError, "torch.float32", "MipiDPCM"):
            take(torch.rand(4, 2, 2))
    with refused(ValueError, "MipiDPCM", 0, 255):
        converter.decode(torch.full((4, 2, 2), 256))
