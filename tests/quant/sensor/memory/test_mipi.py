"""MIPI's compressed raw: by a receiver written from the sources' words, by hand, and by what it may lose."""

from __future__ import annotations

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
from qsense.quant.sensor.memory import mipi_codes
from qsense.quant.sensor.memory.mipi import MipiDPCM
from qsense.quant.sensor.memory.row_dpcm import RowDPCM
from qsense.signal import Signal

# ------------------------------------------------------- the format, code by code, as each source has it for its mode

WORDS = {  # of 10-8-10 by the Verilog decoder, of 12-10-12 by Sophgo's: bits, step, first magnitude
    8: {"00sxxxxx": (1, 0), "010sxxxx": (2, 32), "011sxxxx": (4, 65), "1xxxxxxx": (8, None)},
    10: {"00sxxxxxxx": (1, 0), "010sxxxxxx": (2, 128), "011sxxxxxx": (4, 257), "1xxxxxxxxx": (8, None)},
}
of_both_modes = pytest.mark.parametrize("bits", WORDS)


def documented(code: int, before: int | None, bits: int) -> int:
    """What a code stands for behind a decoded sample; None: it is a row's first."""
    if before is None:
        return 4 * code + 2
    word = f"{code:0{bits}b}"
    for pattern, (step, first) in WORDS[bits].items():
        if all(expected in "sx" or expected == found for expected, found in zip(pattern, word, strict=True)):
            value = step * int("".join(found for kind, found in zip(pattern, word, strict=True) if kind == "x"), 2)
            if first is None:
                return value + (3 if value > before else 4)
            negative = word[pattern.index("s")] == "1"
            size = first + value
            return min(max(before - size if negative else before + size, 0), (4 << bits) - 1)
    raise AssertionError(word)


def row_of(codes: list[int], bits: int) -> list[int]:
    """The samples of one row, by the receiver above."""
    samples: list[int] = []
    for code in codes:
        samples.append(documented(code, samples[-1] if samples else None, bits))
    return samples


def encoded(samples: list[int], bits: int) -> list[int]:
    listed: list[int] = mipi_codes.encode(np.array([samples], np.uint16), bits)[0].tolist()
    return listed


def decoded(codes: list[int], bits: int) -> list[int]:
    listed: list[int] = mipi_codes.decode(np.array([codes], np.uint16), bits)[0].tolist()
    return listed


@st.composite
def rows(draw: st.DrawFn, bits: int) -> list[int]:
    """A row of samples: slow and fast, within what bits + 2 bits hold."""
    top = 4 * 2**bits - 1
    sample, row = draw(st.integers(0, top)), []
    for reach in draw(st.lists(st.sampled_from([2, 2**bits // 4, 2**bits, top]), min_size=1, max_size=20)):
        row.append(sample)
        sample = min(max(sample + draw(st.integers(-reach, reach)), 0), top)
    return row


# -------------------------------------------------------------------------------------------------------------- codes


@of_both_modes
def test_each_code_is_one_of_the_formats(bits: int) -> None:
    """Every number of so many bits is a code, in one way only, and magnitudes go on without a gap."""
    words = [f"{code:0{bits}b}" for code in range(2**bits)]
    for word in words:
        kinds = [p for p in WORDS[bits] if all(a in "sx" or a == b for a, b in zip(p, word, strict=True))]
        assert len(kinds) == 1
    reached = 0
    for pattern, (step, first) in WORDS[bits].items():
        if first is not None:
            assert first == reached + max(step // 2 - 1, 0), "in the middle of what the first value stands for"
            reached += step * 2 ** pattern.count("x")
    assert reached == 2**bits // 2


@pytest.mark.parametrize(
    ("bits", "samples", "codes"),
    [
        (8, [512, 520], [0b10000000, 0b00000110]),  # 514 is decoded: 6 more
        (8, [512, 514, 514], [0b10000000, 0b00100000, 0b00100000]),  # no difference is negative
        (8, [512, 481], [0b10000000, 0b01010000]),  # 33 less: as 32
        (8, [512, 577, 640], [0b10000000, 0b01001111, 0b01100000]),  # 63 more: as 62; from 576, 64 more: as 65
        (8, [0, 520, 527], [0b00000001, 0b11000001, 0b00000100]),  # 520 … 527 is 1 1000001 in Nokia's patent
        (8, [1023, 520], [0b11111111, 0b11000001]),
        (8, [1023, 1023, 1023], [0b11111111, 0b00000001, 0b00100000]),
        (10, [2048, 2175, 2048], [0b1000000000, 0b0001111101, 0b0011111111]),
        (10, [2048, 2306, 4095], [0b1000000000, 0b0110000000, 0b1111111111]),
    ],
)  # fmt: skip
def test_rows_by_hand(bits: int, samples: list[int], codes: list[int]) -> None:
    assert encoded(samples, bits) == codes
    assert decoded(codes, bits) == row_of(codes, bits)


def test_what_the_patent_gives_as_an_example() -> None:
    """Its receiver takes the middle, 8·65 + 4; both decoders go one nearer where the prediction lies below."""
    assert decoded([255, 0b11000001], 8)[1] == 8 * 65 + 4
    assert decoded([1, 0b11000001], 8)[1] == 8 * 65 + 3


@of_both_modes
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_receiver_decodes_what_is_documented(bits: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=30))
    assert decoded(codes, bits) == row_of(codes, bits)


@of_both_modes
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_more_is_lost_than_half_a_step(bits: int, data: st.DataObject) -> None:
    row = data.draw(rows(bits))
    codes = encoded(row, bits)
    assert min(codes) > 0, "no code is 0"
    found = row_of(codes, bits)
    assert abs(found[0] - row[0]) <= (2 if row[0] > 3 else 6)
    fine = 2**bits // 8
    for before, sample, after in zip(found, row[1:], found[1:], strict=False):
        away = abs(sample - before)
        assert abs(sample - after) <= (0 if away < fine else 1 if away < 2 * fine else 2 if away < 4 * fine else 4)


@of_both_modes
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_the_code_is_that_of_the_differences_interval(bits: int, data: st.DataObject) -> None:
    row = data.draw(rows(bits))
    codes = encoded(row, bits)
    found = row_of(codes, bits)
    assert codes[0] == max(row[0] // 4, 1)
    fine = 2**bits // 8
    for sample, before, code in zip(row[1:], found, codes[1:], strict=False):
        away, sign = abs(sample - before), "1" if sample <= before else "0"
        if away < fine:
            word = f"00{sign}{away:0{bits - 3}b}"
        elif away < 2 * fine:
            word = f"010{sign}{(away - fine) // 2:0{bits - 4}b}"
        elif away < 4 * fine:
            word = f"011{sign}{(away - 2 * fine) // 4:0{bits - 4}b}"
        else:
            word = f"1{sample // 8:0{bits - 1}b}"
        assert f"{code:0{bits}b}" == word


def test_the_compiled_kernel_and_numpy_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for bits in WORDS:
        top = 4 * 2**bits - 1
        walk = rng.integers(0, top + 1, (2000, 1)) + rng.normal(0, rng.choice([3, 40, 400], (2000, 1)), (2000, 40))
        samples = np.clip(walk, 0, top).astype(np.uint16)
        any_codes = rng.integers(0, 2**bits, (2000, 40)).astype(np.uint16)
        codes = mipi_codes.encode(samples, bits)
        assert (np.bincount(codes[:, 1:].ravel() >> (bits - 3), minlength=8) > 100).all(), "all kinds"
        assert np.array_equal(mipi_codes.encode_in_numpy(samples, bits), codes)
        for some in (codes, any_codes):
            found = mipi_codes.decode(some, bits)
            assert np.array_equal(mipi_codes.decode_in_numpy(some, bits), found)
            assert found[:20].tolist() == [row_of(row, bits) for row in some[:20].tolist()]
        with monkeypatch.context() as patch:
            patch.setattr(mipi_codes, "library", lambda: None)
            assert np.array_equal(mipi_codes.encode(samples, bits), codes)
            assert np.array_equal(mipi_codes.decode(codes, bits), mipi_codes.decode_in_numpy(codes, bits))


# ------------------------------------------------------------------------------------------------------------- frames

SIGNALS = {
    "8 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=8, bayer="RGGB"),
    "10 bits, black": BLACK,
    "12 bits": RAW,
    "14 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=14, black=1024, white=16000, bayer="RGGB"),
    "16 bits": Signal(4, 0.0, 1.0, "full scale", native_bits=16, bayer="RGGB"),
}


def sent_as_documented(converter: MipiDPCM, mosaic: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """What a receiver makes of the mosaic's rows: colours take turns, and each is predicted two samples back."""
    codes = converter.sent(np.stack([mosaic[y::2, x::2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1))]))
    rows: Any = codes.reshape(2, 2, *codes.shape[1:]).transpose(2, 0, 3, 1).reshape(mosaic.shape).tolist()
    found: list[list[int]] = []
    for line in rows:
        row: list[int] = []
        for code in line:
            row.append(documented(code, row[-2] if len(row) > 1 else None, converter.bits))
        found.append(row)
    return np.array(found)


@pytest.mark.parametrize(("bits", "native"), [(8, 10), (10, 12)])
def test_a_frame_is_sent_as_cameras_do(bits: int, native: int) -> None:
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=native, bayer="RGGB")
    converter, planes = MipiDPCM(signal, bits), frames(signal, count=1)[0]
    height, width = planes.shape[1:]
    mosaic = planes.reshape(2, 2, height, width).transpose(2, 0, 3, 1).reshape(2 * height, 2 * width)
    found = sent_as_documented(converter, mosaic)
    arrived = converter.received(planes)
    assert np.array_equal(np.stack([found[y::2, x::2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1))]), arrived)
    assert np.abs(arrived[..., 1:].astype(int) - planes[..., 1:]).max() <= 4


@pytest.mark.parametrize("bits", WORDS)
@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_what_arrives_has_the_shape_and_lies_near(signal: Signal, bits: int) -> None:
    if (signal.native_bits or 0) < bits:
        with refused(ValueError, "MipiDPCM", f"native_bits={signal.native_bits}", bits, 16):
            MipiDPCM(signal, bits)
        return
    converter, codes = MipiDPCM(signal, bits), frames(signal, width=23)
    arrived = converter.received(codes)
    assert arrived.dtype == np.uint16
    assert arrived.shape == codes.shape
    assert np.array_equal(converter.received(codes[2]), arrived[2])
    dropped = 2 ** max((signal.native_bits or 0) - bits - 2, 0)
    error = np.abs(arrived.astype(int) - codes)
    assert error[..., 1:].max() <= 4 * dropped + dropped // 2
    assert error[..., 0].max() <= 6 * dropped + dropped // 2
    dark = np.zeros((4, 2, 5), np.uint16)
    assert converter.received(dark).max() <= 6 * dropped + dropped // 2
    assert converter.received(dark + (signal.codes - 1)).min() >= signal.codes - 1 - 2 * dropped


def test_each_row_is_on_its_own() -> None:
    converter, codes = MipiDPCM(RAW), frames()
    other = codes.copy()
    other[:, 1, 3, 4] = 4095 - other[:, 1, 3, 4]
    changed = converter.received(other) != converter.received(codes)
    assert changed[:, 1, 3, 4:].any()
    changed[:, 1, 3, 4:] = False
    assert not changed.any()


@pytest.mark.parametrize("output", ["linear", "companded"])
@pytest.mark.parametrize("bits", WORDS)
def test_codes_are_those_of_a_link_and_the_network_sees_light(bits: int, output: Any) -> None:
    converter, codes = MipiDPCM(BLACK, bits, output=output), frames(BLACK)
    x = torch.from_numpy(codes.astype(np.int32))
    sent = converter.encode(x)
    assert sent.dtype == torch.int32
    assert sent.shape == x.shape
    assert 0 < sent.min() <= sent.max() < 2**bits
    seen = converter.decode(sent)
    assert seen.dtype == torch.float32
    assert torch.equal(seen, converter(converter.received_frames(x)))
    assert torch.equal(converter.seen, RowDPCM(BLACK, 4, output=output).seen)
    assert converter(torch.tensor([BLACK.black, BLACK.top])).tolist() == [0, 1]
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
    assert converter.settings != MipiDPCM(RAW, 10).settings


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bits": 4}, ("bits=4", 8, 10)),
        ({"bits": 9}, ("bits=9", 8, 10)),
        ({"bits": 8.0}, ("bits=8.0", 8, 10)),
        ({"output": "code"}, ("output='code'", "linear", "companded")),
        ({"signal": Signal(3, -1.0, 1.0, "g", rate_hz=50.0)}, ("native codes", "lloyd_max")),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=6)}, ("native_bits=6", 8, 16)),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=24)}, ("native_bits=24", 8, 16)),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, "MipiDPCM", *named):
        MipiDPCM(**{"signal": RAW, **arguments})


def test_frames_have_three_dimensions_and_codes_are_integers() -> None:
    converter = MipiDPCM(RAW)
    with refused(ValueError, "[4, 4]", "planes"):
        converter.received(np.zeros((4, 4), np.uint16))
    for take in (converter.encode, converter.received_frames, converter.decode):
        with refused(ValueError, "torch.float32", "MipiDPCM"):
            take(torch.rand(4, 2, 2))
    with refused(ValueError, "MipiDPCM", 0, 255):
        converter.decode(torch.full((4, 2, 2), 256))
