"""Lines of text → samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusal import refused
from tests.stream.fakes import known

from qsense.chip.coding import Coding
from qsense.data.errors import DataError
from qsense.stream.counts import Counts
from qsense.stream.events import Bad, Event, Notice, Quiet, Sample
from qsense.stream.layout import Known, layout_of
from qsense.stream.reading import LONGEST, lines_of
from qsense.stream.sources import FEW, MOST, _live, from_file

ROWS = [(0.25, -1.5, 9.81), (1.0, 2.0, -3.0), (0.5, 0.125, 7.0), (4.0, 5.5, 6.25), (-1.0, 0.0, 1.5), (2.0, 3.0, 4.0)]


def samples(events: Iterator[Event]) -> list[Sample]:
    return [event for event in events if isinstance(event, Sample)]


def text(form: str, header: str = "", decimal: str = ".") -> str:
    """A line per row; the form is given the row's number, its time, and its values."""
    lines = [form.format(n, 20 * n, *row) for n, row in enumerate(ROWS)]
    lines = [line.replace(".", decimal) for line in lines]
    return "\n".join([header, *lines] if header else lines) + "\n"


FORMS = {
    "three numbers": text("{2},{3},{4}"),
    "blanks": text("{2}  {3}\t{4}"),
    "semicolons and decimal commas": text("{2};{3};{4}", decimal=","),
    "a separator at the end": text("{2},{3},{4},", header="x,y,z,").replace("x,y,z,", "x,y,z"),
    "names": text("{2},{3},{4}", header="x,y,z"),
    "another order": text("{4},{2},{3}", header="Z,X,Y"),
    "names of others": text("{2},{3},{4}", header="acc_x,acc_y,acc_z"),
    "time first": text("{1},{2},{3},{4}"),
    "time by name": text("{2},{3},{4},{1}", header="x,y,z,timestamp"),
    "time and label": text("{1},{2},{3},{4},walk", header="time,x,y,z,activity"),
    "label without names": text("{2},{3},{4},walk"),
    "further columns": text("{0},{2},99,{3},{4}", header="row,x,temperature,y,z"),
    "CRLF": text("{2},{3},{4}", header="x,y,z").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("live", [True, False], ids=["pipe", "file"])
def test_forms_of_lines(kind: str, live: bool, tmp_path: Path) -> None:
    if live:
        found = samples(_live(iter(FORMS[kind].encode().splitlines()), "-", known()))
    else:
        (tmp_path / "a.csv").write_bytes(FORMS[kind].encode())
        found = samples(from_file(tmp_path / "a.csv", known()))
    assert [tuple(each.values) for each in found] == ROWS
    stamps = [each.seconds for each in found]
    assert stamps == ([pytest.approx(0.02 * n) for n in range(6)] if "time" in kind else [None] * 6)
    assert {each.truth for each in found} == ({1} if "label" in kind else {None})


def test_columns_that_a_user_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text("{0},{2},{1},{4},{3}", header="a,b,c,d,e"))
    for axes in (("b", "e", "d"), (2, 5, 4)):
        found = samples(from_file(tmp_path / "a.csv", known(axes=axes, time="c")))
        assert [tuple(each.values) for each in found] == ROWS
        assert found[1].seconds == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("1,2\n3,4\n", ("x, y, z", "--axes")),
        ("1,2,3,4,5,6\n" * 3, ("x, y, z", "--axes", "1,2,3")),
        ("", ("empty",)),
        ("hello world\n" * 5, ("--axes",)),
    ],
)
def test_lines_without_the_axes_are_refused(lines: str, named: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(lines)
    with refused(DataError, str(tmp_path / "a.csv"), *named):
        list(from_file(tmp_path / "a.csv", known()))
    if lines:
        with refused(DataError, "standard input", "--axes"):
            list(_live(iter(lines.encode().splitlines() * MOST), "standard input", known()))


def test_counts_are_values_and_others_are_no_samples(tmp_path: Path) -> None:
    offset = Counts(Coding(4), np.full(3, -1.0), np.full(3, 2.0))
    layout = layout_of(b"0,15,5\n1,2,3\n4,5,6\n", "-", known(counts=offset))
    read = layout.read("0,15,5")
    assert isinstance(read, Sample)
    assert read.values.tolist() == pytest.approx([-1, 2, 0])
    for line in ("0,16,5", "0,-1,5", "0,1.5,5"):
        assert layout.read(line) == Bad("no counts 0 to 15", line)
    signed = layout_of(
        b"-8,7,-3\n1,2,3\n", "-", known(counts=Counts(Coding(4, True), np.full(3, -1.0), np.full(3, 2.0)))
    )
    read = signed.read("-8,7,-3")
    assert isinstance(read, Sample)
    assert read.values.tolist() == pytest.approx([-1, 2, 0])


def test_a_sensor_may_say_its_names_again_and_begin_with_noise() -> None:
    lines = [
        b"\xff\x00\x81~",
        b"booting...",
        b"2.5,9.8",
        b"x,y,z",
        *text("{2},{3},{4}").encode().splitlines(),
        b"x,y,z",
        b"1,2,3",
    ]
    events = list(_live(iter(lines), "-", known()))
    assert [tuple(each.values) for each in samples(iter(events))] == [*ROWS, (1, 2, 3)]
    assert sum(isinstance(event, Bad) for event in events) == 3


def test_another_form_in_the_middle_is_seen() -> None:
    lines = text("{2},{3},{4}").splitlines() + text("{1};{2};{3};{4}", decimal=",").splitlines() * 3
    found = samples(_live((line.encode() for line in lines), "-", known()))
    assert len(found) > 6 + 2 * 6
    assert found[-1].seconds is not None


def read_all(chunks: list[bytes]) -> list[bytes]:
    reading, writing = os.pipe()
    try:
        found = []
        source = lines_of(reading, wait_s=0.001)
        for chunk in chunks:
            os.write(writing, chunk)
            while (line := next(source)) is not None:
                found.append(line)
        os.close(writing)
        return found + [line for line in source if line is not None]
    finally:
        os.close(reading)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
@settings(max_examples=40)
def test_lines_do_not_depend_on_how_they_arrive(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = [line for line in whole.replace(b"\r", b"\n").split(b"\n") if line]
    assert read_all(chunks) == expected


def test_very_long_lines_are_cut_and_the_next_ones_read() -> None:
    lines = read_all([b"1" * 3000, b"2" * 3000, b"3" * 9000, b"\nnext\n", b"4" * (LONGEST + 5) + b"\n5\n"])
    assert [len(line) for line in lines] == [LONGEST + 1, 4, LONGEST + 1, 1]
    events = list(_live(iter([*text("{2},{3},{4}").encode().splitlines(), lines[0]]), "-", known()))
    assert isinstance(events[-1], Bad)
    assert str(LONGEST) in events[-1].why


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda line: line.encode(errors="replace"))),
        max_size=40,
    )
)
@settings(max_examples=100)
def test_garbage_is_never_a_crash(lines: list[bytes]) -> None:
    start = text("{2},{3},{4}").encode().splitlines()
    events = list(_live(iter([*start, *lines, b"7,8,9", b"7,8,9"]), "-", known()))
    assert all(isinstance(event, Sample | Bad | Quiet | Notice) for event in events)
    assert all(np.isfinite(each.values).all() or np.isnan(each.values).any() for each in samples(iter(events)))
    found = [event for event in events if isinstance(event, Bad)]
    assert all(len(each.line) <= 60 and len(each.why) < 60 for each in found)


@given(st.lists(st.binary(max_size=30), min_size=FEW, max_size=30))
@settings(max_examples=60)
def test_garbage_alone_is_refused_or_read(lines: list[bytes]) -> None:
    with suppress(DataError):
        assert all(isinstance(event, Sample | Bad | Quiet) for event in _live(iter(lines), "-", known()))


@pytest.mark.parametrize("field", ["inf", "1e999", "-Infinity", "0x10", "1_000", "1.2.3", "١", "$$"])
def test_what_is_no_number_is_no_sample(field: str) -> None:
    layout = layout_of(text("{2},{3},{4}").encode(), "-", known())
    assert isinstance(layout.read(f"1,{field},2"), Bad | Sample)
    if field != "١":  # Python takes digits of all scripts for numbers
        assert isinstance(layout.read(f"1,{field},2"), Bad)


@pytest.mark.parametrize("field", ["", "nan", "NaN", "NA", "null"])
def test_a_missing_value_keeps_its_place(field: str) -> None:
    read = layout_of(text("{2},{3},{4}").encode(), "-", known()).read(f"1,{field},2")
    assert isinstance(read, Sample)
    assert np.isnan(read.values).tolist() == [False, True, False]


def test_stamps_of_several_kinds() -> None:
    for form, step in (("{1}", 0.02), ("2026-04-14 08:00:00.{1:03d}", 0.02), ("08:00:00.{1:03d}", 0.02)):
        body = text(form + ",{2},{3},{4}", header="time,x,y,z")
        layout = layout_of(body.encode(), "-", known())
        first, second = (layout.read(line) for line in body.splitlines()[1:3])
        assert isinstance(first, Sample)
        assert isinstance(second, Sample)
        assert first.seconds is not None
        assert second.seconds is not None
        assert second.seconds - first.seconds == pytest.approx(step, abs=1e-5)
        assert isinstance(layout.read("yesterday,1,2,3"), Bad)


def test_the_runs_own_columns_and_codes_are_known(tmp_path: Path) -> None:
    from qsense.data.series.tables.columns import Wanted
    from qsense.data.series.tables.format import TableFormat

    own = Known(
        ("x", "y", "z"), 50.0, ("NULL", "walk"), codes={"4": "walk"}, form=TableFormat(delimiter=";"),
        wanted=Wanted((3, 4, 5), subject=1, label=6, by_place=True), missing=(-999.0,),
    )  # fmt: skip
    (tmp_path / "a.csv").write_text("".join(f"7;{n};{n};-999;{n};4\n" for n in range(5)))
    found = samples(from_file(tmp_path / "a.csv", own))
    assert [each.truth for each in found] == [1] * 5
    assert np.isnan(found[0].values).tolist() == [False, True, False]
