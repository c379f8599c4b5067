"""Tables as tools write them: any delimiter, decimal sign, encoding, quotes, line ends and order of columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.dataset import Recording
from qsense.data.series.tables.files import matching_files
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.table import open_table

NAMES = ["NULL", "sit, down", "gehen – schräg", "run"]
ROWS = 60


def cells(subject: int = 0, subjects: int = 1, seed: int = 0) -> dict[str, list[str]]:
    """A table's columns: time in ms, three axes, a label."""
    rng = np.random.default_rng(seed + subject)
    rows = ROWS * subjects
    columns = {"subject": [str(subject + row // ROWS) for row in range(rows)]}
    columns["time"] = [str(1_600_000_000_000 + 20 * (row % ROWS)) for row in range(rows)]
    columns |= {axis: [f"{value:.4f}" for value in rng.normal(0, 2, rows)] for axis in ("ax", "ay", "az")}
    columns["label"] = [NAMES[row // 15 % 4] for row in range(rows)]
    return columns


def text(
    columns: dict[str, list[str]],
    delimiter: str = ",",
    decimal: str = ".",
    quoting: str = "needed",
    eol: str = "\n",
    order: Sequence[str] | None = None,
    head: Sequence[str] = (),
    header: bool = True,
    end: str = "",
) -> str:
    def cell(word: str, numeric: bool) -> str:
        word = word.replace(".", decimal) if numeric else word
        needed = delimiter in word or (delimiter == " " and not word)
        return f'"{word}"' if quoting == "all" or needed or (quoting == "words" and not numeric) else word

    order = order or list(columns)
    lines = [delimiter.join(cell(name, False) for name in order)] if header else []
    for row in range(len(columns["label"])):
        lines.append(delimiter.join(cell(columns[name][row], name != "label") for name in order))
    return eol.join([*head, *(line + end for line in lines)]) + eol


def read(folder: Path, content: bytes, **arguments: Any) -> list[Recording]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all.csv").write_bytes(content)
    usual = {"axes": ["ax", "ay", "az"], "labels": NAMES, "rate_hz": 50.0, "subjects": None, "files": "all.csv"}
    return CSVActivityDataset(str(folder), "Fake", **{"unit": "g", **usual, **arguments}).recordings()


def same(one: list[Recording], other: list[Recording]) -> None:
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert (a.subject, a.filled, a.lost) == (b.subject, b.filled, b.lost)
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.y, b.y)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    delimiter=st.sampled_from([",", ";", "\t", "|", " "]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"]),
    quoting=st.sampled_from(["needed", "all", "words"]),
    eol=st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"]),
    order=st.permutations(["subject", "time", "ax", "ay", "az", "label"]),
    head=st.sampled_from([(), ("# made by a logger",), ("Device: AX3", "Rate; 50 Hz, about", ""), ("", "")]),
    seed=st.integers(0, 5),
)
@example(",", ".", "utf-8", "needed", "\n", ["label", "az", "ay", "ax", "time", "subject"], (), 0)
@example(" ", ",", "utf-16-be", "needed", "\r", ["time", "ax", "ay", "az", "label", "subject"], ("", ""), 0)
def test_any_way_to_write_a_table_reads_back_the_same(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str, quoting: str, eol: str, order: list[str],
    head: tuple[str, ...], seed: int,
) -> None:  # fmt: skip
    columns = cells(subjects=2, seed=seed)
    expected = read(tmp_path / "plain", text(columns).encode())
    written = text(columns, delimiter, decimal, quoting, eol, order, head)
    same(read(tmp_path / "other", written.encode(encoding)), expected)


def gained(word: str) -> dict[str, list[str]]:
    """A further column of this word."""
    return {**cells(subjects=2), "more": [word] * 2 * ROWS}


@pytest.mark.parametrize(
    "written",
    [
        text(cells(subjects=2), end=","),  # a delimiter after the last field, as loggers write it
        text(cells(subjects=2), ";", end=";"),
        text(cells(subjects=2), end=";"),  # closed by a semicolon, as WISDM is
        "sep=;\n" + text(cells(subjects=2), ";", ","),  # as Excel writes it
        text(cells(subjects=2)).replace("\n", "\n,ms,g,g,g,\n", 1),  # a row of units
        text(cells(subjects=2)).replace("\n", "\n-,[ms],[g],[g],[g],-\n", 1),
        text(cells(subjects=2)).replace("\n", "\n\n", 1),  # an empty row below the header
        text(cells(subjects=2)) + "\n \n\n",
        text(cells(subjects=2)) + ",,,,,\n" * 300,  # empty rows, as spreadsheets write them
        text(cells(subjects=2)).rstrip("\n"),
        text(cells(subjects=2)).replace("subject", "# subject", 1),  # as numpy writes a header
        text(cells(subjects=2)).replace(",", " , ").replace("sit , ", "sit,"),
        text(cells(subjects=2), " ")
        .replace(" ", "   ")
        .replace("sit,   ", "sit, ")
        .replace("–   ", "– ")
        .replace("   –", " –"),
        text(gained("")),
        text(gained("g")),
        text(gained("3.5"), order=["more", "subject", "az", "ay", "ax", "time", "label"]),
        text(
            {"": [str(row) for row in range(2 * ROWS)], **cells(subjects=2)}
        ),  # the rows' numbers, as pandas writes them
        text(cells(subjects=2)).replace("subject", "Subject", 1).replace("label", "LABEL", 1).replace("ax", "AX", 1),
        text(cells(subjects=2)).replace("subject", "participant", 1).replace("label", "activity", 1),
        "".join(f"preamble {row}\n" for row in range(20)) + text(cells(subjects=2), "\t"),
    ],
)
def test_what_tools_add_does_not_matter(tmp_path: Path, written: str) -> None:
    same(read(tmp_path, written.encode()), read(tmp_path / "plain", text(cells(subjects=2)).encode()))


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (text(cells(subjects=2), header=False), {"subject": 1, "time": 2, "axes": [3, 4, 5], "label": 6}),
        (text(cells(subjects=2), " ", header=False), {"subject": 1, "time": 2, "axes": {"a": 3, "b": 4, "c": 5}}),
        (text(cells(subjects=2)), {"axes": 3}),
        (text(cells(subjects=2)), {"axes": [3, 4, "az"], "label": "label"}),
        (text(cells(subjects=2)), {"axes": {"w": "az", "u": 3, "v": 4}}),
        (text(cells(subjects=2)), {"time": False}),
        (text(cells(subjects=2)), {"time": "time", "time_format": "ms", "delimiter": "comma", "decimal": "point"}),
        (text(cells(subjects=2), "^"), {"delimiter": "^"}),
        (text(cells(subjects=2), ";", ","), {"delimiter": "semicolon", "decimal": "comma", "header": 1}),
        (text(cells(subjects=2)).replace("subject", "2021", 1), {"subject": 1, "header": 1}),
        (text(cells(subjects=2)).replace("label", "what", 1), {"label": "what"}),
    ],
)
def test_columns_may_be_named(tmp_path: Path, written: str, arguments: dict[str, Any]) -> None:
    same(read(tmp_path, written.encode(), **arguments), read(tmp_path / "plain", text(cells(subjects=2)).encode()))


@pytest.mark.parametrize(
    ("subjects", "rows"),
    [(None, [0, 1, 2]), (2, [0, 1]), (["0", "1"], [0, 1]), (["0", "2"], [0, 2]), (["2", "0"], [2, 0]), (3, [0, 1, 2])],
)
def test_subjects_are_counted_or_named(tmp_path: Path, subjects: Any, rows: list[int]) -> None:
    everyone = read(tmp_path, text(cells(subjects=3)).encode())
    chosen = {one.subject: one.x for one in read(tmp_path, text(cells(subjects=3)).encode(), subjects=subjects)}
    assert sorted(chosen) == list(range(len(rows)))
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(chosen[index], everyone[row].x)


def test_other_subjects_and_another_order_are_other_data(tmp_path: Path) -> None:
    def fingerprint(subjects: Any) -> str:
        axes = ["ax", "ay", "az"]
        data = CSVActivityDataset(str(tmp_path), "Fake", axes, NAMES, 50.0, subjects, "g", files="all.csv")
        return data.fingerprint()

    (tmp_path / "all.csv").write_text(text(cells(subjects=3)))
    assert len({fingerprint(subjects) for subjects in (2, ["0", "2"], ["2", "0"], ["1", "2"])}) == 4


def with_units(*units: str, names: bool = False) -> bytes:
    """A table whose axes have these units, in a row of their own or behind their names."""
    words = [unit if unit else "-" for unit in (*units, *units, *units)[:3]]
    if not names:
        return text(cells(subjects=2), ";").replace("\n", f"\n;ms;{';'.join(words)};\n", 1).encode()
    written = text(cells(subjects=2))
    for axis, word in zip(("ax", "ay", "az"), words, strict=True):
        written = written.replace(axis, f"{axis} {word}", 1)
    return written.encode()


@pytest.mark.parametrize(
    ("content", "unit", "named"),
    [
        (with_units("m/s²"), "g", ("m/s²", "g")),
        (with_units("[m/s^2]"), "mg", ("m/s²", "mg")),
        (with_units("g"), "m/s²", ("g", "m/s²")),
        (with_units("mg"), "g", ("mg", "g")),
        (with_units("rad/s"), "dps", ("rad/s", "dps")),
        (with_units("deg/s"), "rad/s", ("°/s", "rad/s")),
        (with_units("m/s²", "-", "-"), "g", ("m/s²", "g")),
        (with_units("(m/s2)", names=True), "g", ("m/s²", "g")),
        (with_units("[mg]", names=True), "g", ("mg", "g")),
        (with_units("g"), "g", ()),
        (with_units("m/s**2"), "m/s²", ()),
        (with_units("dps"), "°/s", ()),
        (with_units("g", "°/s"), "g", ()),  # there is one unit to state
        (with_units("V"), "g", ()),
        (with_units("g"), "counts", ()),
        (with_units("-"), "g", ()),
        (with_units("(raw)", names=True), "g", ()),
        (with_units("[g]", names=True), "g", ()),
    ],
)
def test_another_unit_in_the_head_is_told_once(
    tmp_path: Path, content: bytes, unit: str, named: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="qsense.data"):
        found = read(tmp_path, content, unit=unit, axes=3)
    same(found, read(tmp_path / "plain", text(cells(subjects=2)).encode()))
    assert len(caplog.records) == bool(named)
    for record in caplog.records:
        assert_names(record.getMessage(), "Fake", "data.dataset.unit", *named)


def test_a_file_that_moves_to_another_subjects_folder_is_other_data(tmp_path: Path) -> None:
    for number, place in enumerate(("A/1", "A/2", "B/1")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "data.csv").write_text(text(cells(number)))
    pattern = "{subject}/*/data.csv"
    data = CSVActivityDataset(str(tmp_path), "Fake", ["ax", "ay", "az"], NAMES, 50.0, None, "g", files=pattern)
    subjects, before = [one.subject for one in data.recordings()], data.fingerprint()
    (tmp_path / "A" / "2").rename(tmp_path / "B" / "0")
    assert ([one.subject for one in data.recordings()], subjects) == ([0, 1, 1], [0, 0, 1])
    assert data.fingerprint() != before


@pytest.mark.parametrize("end", ["\u2028", "\x0c", "\x1e", "\x85"])
def test_only_line_feeds_end_a_row(tmp_path: Path, end: str) -> None:
    columns = cells(subjects=2)
    columns["label"] = [label.replace("run", f"r{end}un") for label in columns["label"]]
    labels = [*NAMES[:3], f"r{end}un"]
    same(read(tmp_path, text(columns).encode(), labels=labels), read(tmp_path, text(cells(subjects=2)).encode()))


def test_an_axis_is_not_taken_for_the_time(tmp_path: Path) -> None:
    columns = {"t" if name == "ax" else name: column for name, column in cells(subjects=2).items() if name != "time"}
    found = read(tmp_path, text(columns).encode(), axes=["t", "ay", "az"])
    same(found, read(tmp_path / "plain", text(cells(subjects=2)).encode()))


@pytest.mark.parametrize("pattern", ["P[1] {subject}.csv", "P[1]*.csv"])
def test_brackets_in_a_file_name_are_brackets(tmp_path: Path, pattern: str) -> None:
    for name in ("P[1] 2.csv", "P[1] 3.csv", "P1 4.csv", "P1.csv"):
        (tmp_path / name).touch()
    assert [path.name for _, path in matching_files(tmp_path, pattern)] == ["P[1] 2.csv", "P[1] 3.csv"]


@pytest.mark.parametrize("pattern", ["P{subject}.txt", "*/P{subject}.txt", "**/P{subject}*", "in/P{subject}.txt"])
def test_files_may_have_any_names(tmp_path: Path, pattern: str) -> None:
    for subject in (2, 10, 1):
        path = tmp_path / "in" / f"P{subject:03d}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text({"time": cells(subject)["time"], **cells(subject)}, "\t"))
    for name in ("in/._P002.txt", "__MACOSX/in/P002.txt", ".git/P009.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"\0\1")
    root = tmp_path / "in" if pattern == "P{subject}.txt" else tmp_path
    data = CSVActivityDataset(str(root), "Fake", ["ax", "ay", "az"], NAMES, 50.0, None, "g", files=pattern)
    data.check()
    assert data.subject_names() == ["001", "002", "010"]
    assert data.num_folds == data.num_subjects == 3
    assert [recording.name for recording in data.recordings()] == ["P001.txt", "P002.txt", "P010.txt"]


def test_a_folder_unpacked_into_itself_is_found(tmp_path: Path) -> None:
    for subject in range(2):
        path = tmp_path / "set" / "data" / f"{subject}.csv"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text(cells(subject)))
    data = CSVActivityDataset(str(tmp_path), "Fake", 3, NAMES, 50.0, None, "g", files="data/{subject}.csv")
    assert data.subject_names() == ["0", "1"]


def test_several_files_of_a_subject_are_recordings_of_their_own(tmp_path: Path) -> None:
    for subject in ("S1", "S2"):
        for run in (1, 2):
            (tmp_path / f"{subject}-ADL{run}.dat").write_text(text(cells(run), " "))
    data = CSVActivityDataset(str(tmp_path), "F", 3, NAMES, 50.0, None, "g", files="{subject}-ADL*.dat", label="label")
    assert [(r.subject, r.name) for r in data.recordings()] == [
        (0, "S1-ADL1.dat"), (0, "S1-ADL2.dat"), (1, "S2-ADL1.dat"), (1, "S2-ADL2.dat")
    ]  # fmt: skip


def test_a_session_begins_a_new_recording(tmp_path: Path) -> None:
    columns = cells(subjects=2)
    columns["trial"] = ["a"] * 30 + ["b"] * 30 + ["a"] * 60
    found = read(tmp_path, text(columns).encode(), session="trial")
    assert [(one.subject, len(one.x)) for one in found] == [(0, 30), (0, 30), (1, 60)]


@pytest.mark.parametrize(
    ("labels", "written", "y"),
    [
        (["NULL", "walk", "run"], ["0", "1", "2"], [0, 1, 2]),
        (["walk", "run", "hop"], ["0", "1", "2"], [0, 1, 2]),
        (["NULL", "walk", "run"], ["0.0", "1.0", "2.0"], [0, 1, 2]),
        ([None, "1", "2"], ["", "1", "2"], [0, 1, 2]),
        (["1", "2", "3"], ["3", "1", "2"], [2, 0, 1]),
        ({"1": "walk", "2": "run", "7": "hop"}, ["1", "2", "7"], [0, 1, 2]),
        ({1: "walk", 2: "run", 0: None}, ["0", "1", "2"], [0, 1, 2]),
        ({1: "walk", 2: "run", 3: "walk"}, ["1", "2", "3"], [0, 1, 0]),
        ({"A": "walk", "B": "run"}, ["A", "B", "walk"], [0, 1, 0]),
        (["NULL", "None", "nan"], ["NULL", "None", "nan"], [0, 1, 2]),
        (["NA", "n/a", "<NA>"], ["NA", "n/a", "<NA>"], [0, 1, 2]),
        (["null", "N/A", "#N/A"], ["null", "N/A", "#N/A"], [0, 1, 2]),
        (["NULL", "None", "run"], ["", "null", "None"], [0, 0, 1]),
        (["NULL", "walk", "run"], ["None", "NA", "walk"], [0, 0, 1]),
        (["TRUE", "FALSE", "Inf"], ["TRUE", "FALSE", "Inf"], [0, 1, 2]),
        (["1e3", "0x1", "007"], ["007", "0x1", "1e3"], [2, 1, 0]),
        (["über", "-", "a|b"], ["über", "-", "a|b"], [0, 1, 2]),
    ],
)
def test_labels_are_text(tmp_path: Path, labels: Any, written: list[str], y: list[int]) -> None:
    columns = cells(subjects=2)
    columns["label"] = [written[row // 20 % 3] for row in range(2 * ROWS)]
    assert read(tmp_path, text(columns).encode(), labels=labels)[0].y[::20].tolist() == y


@pytest.mark.parametrize(
    ("labels", "word", "named"),
    [
        (["NULL", "walk"], "hop", ("row 9", "'hop'", "NULL", "walk")),
        (["NULL", "walk"], "2", ("row 9", "'2'", "walk")),
        (["NULL", "walk"], "0.5", ("row 9", "'0.5'")),
        (["sit", "walk"], "None", ("row 9", "'None'", "sit")),
        ({0: "sit", 1: "walk"}, "2", ("row 9", "'2'", "0", "sit", "1", "walk")),
        (["sit", "walk"], "x" * 5000, ("row 9", "sit")),
    ],
)
def test_an_unknown_label_is_named(tmp_path: Path, labels: Any, word: str, named: tuple[object, ...]) -> None:
    columns = cells(subjects=2)
    columns["label"] = (["0"] * 7 + [word] + ["1"] * 52) * 2
    with refused(DataError, "all.csv", *named) as caught:
        read(tmp_path, text(columns).encode(), labels=labels)
    assert len(str(caught.value)) < 600


def test_numbers_that_may_count_from_one_are_refused(tmp_path: Path) -> None:
    columns = cells(subjects=2)
    columns["label"] = ["1"] * 2 * ROWS
    with refused(DataError, "Fake", "data.dataset.labels", "1", "0"):
        read(tmp_path, text(columns).encode(), labels=["walk", "run"])


@pytest.mark.parametrize(
    ("content", "arguments", "named"),
    [
        (b"PK\x03\x04 and more", {}, ("Excel",)),
        (b"\x1f\x8b and more", {}, ("gzip",)),
        (b"", {}, ()),
        (b"\n\n", {}, ()),
        (b"just words\nand more\n", {}, ("data.dataset.axes", "'just words'")),
        (text(cells()).encode().replace(b"label", b"mark", 1), {}, ("row 1", "data.dataset.label", "mark")),
        (text(cells()).encode().replace(b"ay", b"gy", 1), {}, ("row 1", "ay", "data.dataset.axes")),
        (text(cells()).encode().replace(b"ay", b"ax", 1), {}, ("row 1", "ax", 2)),
        (text(cells()).encode().replace(b"label", b"mark", 1), {"axes": 3}, ("row 1", "data.dataset.label")),
        (b"1;2;3\n" * 9, {"axes": [1, 2]}, ("row 1", "data.dataset.label", "one activity")),  # one file per activity
        (b"1;2;3\n" * 9, {"axes": 2}, ("row 1", "data.dataset.label", "one activity")),
        (text(cells()).encode(), {"label": "kind"}, ("label=kind",)),
        (text(cells()).encode(), {"label": 9}, ("label=9", 1, 6)),
        (text(cells(subjects=2)).encode(), {"axes": 4}, (4, 3, "ax, ay, az")),
        (text(cells()).encode(), {"axes": [3, 3, 4]}, ("data.dataset.axes",)),
        (text(cells()).encode(), {"header": 7}, ("header=7",)),
        (text(cells()).encode(), {"subjects": ["x", "y"]}, ("x, y", "0")),
        (text(cells()).encode(), {}, ("data.dataset.subject", "data.dataset.files", "{subject}")),
        (text(cells(subjects=2)).encode(), {"subjects": 5}, (5, 2, "0, 1")),
        (
            text(cells(subjects=2), "^", ",").replace('"', "").replace("^", ",").encode(),
            {},
            ("data.dataset.axes", "decimal"),
        ),
        (text(cells(subjects=2)).encode("utf-16"), {"encoding": "utf-8"}, ("utf-8",)),
        (text(cells(subjects=2)).replace("\n", "\n\n", 5).encode(), {}, ("row 4", 0, 6)),
        (text(cells(subjects=2)).replace("label", "la\x1bbel\t", 1).encode(), {}, ("data.dataset.label",)),
        (
            text(cells(subjects=2)).replace(",NULL\n", "\n", 1).replace(",run", ",1,run", 1).encode(),
            {},
            ("row 2", 5, 6),
        ),
    ],
)
def test_what_cannot_be_read_is_shown_in_short(
    tmp_path: Path, content: bytes, arguments: dict[str, Any], named: tuple[object, ...]
) -> None:
    with refused(
        DataError, "Fake" if "subjects" in arguments and 5 in named else tmp_path, *named or ("all.csv",)
    ) as caught:
        read(tmp_path, content, **arguments)
    message = str(caught.value).replace(str(tmp_path), "")
    assert len(message) < 700
    assert message.isprintable() or message.replace("\n", "").isprintable()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from([(",", ".", "utf-8"), (";", ",", "utf-16"), (" ", ".", "utf-8"), ("\t", ",", "cp1252")]),
    changes=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 60),
            st.sampled_from([b"", b'"', b",", b"\n", b"\0", b"NaN", b"inf", b"\xff", b" ", b"-", b"1e999", b"0,0,0"]),
        ),
        min_size=1,
        max_size=5,
    ),
    resample=st.booleans(),
)
def test_a_damaged_table_is_read_or_refused_in_short(
    tmp_path: Path, form: tuple[str, str, str], changes: list[tuple[float, int, bytes]], resample: bool
) -> None:
    content = text(cells(subjects=2), *form[:2]).encode(form[2])
    for place, cut, put in changes:
        start = int(len(content) * place**3)  # more often near the header
        content = content[:start] + put + content[start + cut :]
    message = ""
    try:
        read(tmp_path, content, resample=resample)
    except DataError as error:
        message = str(error).replace(str(tmp_path), "")
    assert len(message) < 700
    assert message.replace("\n", "").isprintable()


@pytest.mark.parametrize("eol", ["\r", "\u2028", "\t"])
def test_a_message_never_holds_the_whole_file(tmp_path: Path, eol: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, ("a b c" + eol).encode() * 5000)
    assert len(str(caught.value)) < 700


def test_no_file_of_that_name_is_answered_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "P1.TXT").touch()
    data = CSVActivityDataset(str(tmp_path), "Fake", 3, NAMES, 50.0, None, "g", files="P{subject}.csv")
    with refused(DataMissingError, "Fake", "P{subject}.csv", "in", "data.dataset.files"):
        data.check()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"delimiter": "ab"}, ("delimiter='ab'", "comma, semicolon, tab, pipe, space")),
        ({"decimal": "x"}, ("decimal='x'", "point, comma")),
        ({"encoding": "utf-99"}, ("encoding='utf-99'", "utf-8")),
        ({"encoding": "base64"}, ("encoding='base64'", "utf-8")),
        ({"header": -1}, ("header=-1", 0, 1)),
    ],
)
def test_a_format_is_checked(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        TableFormat(**arguments)


def test_the_way_a_file_was_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(("# note\n" + text(cells(), ";", ",")).encode("utf-16"))
    assert_names(open_table(path).describe(), "semicolon", "decimal=','", "utf-16", "header=2")


def marked(values: Sequence[float], form: str, mark: str, delimiter: str = ";") -> bytes:
    """A table whose `ax` has its thousands set apart."""
    other = {",": ".", ".": ","}[mark]
    columns = cells(subjects=2)
    swap = str.maketrans({",": mark, ".": other})
    columns["ax"] = [format(values[row % len(values)], form).translate(swap) for row in range(2 * ROWS)]
    for axis in ("ay", "az"):  # as whole as the first, so that nothing else tells the sign
        columns[axis] = ["7"] * 2 * ROWS if form == ",d" else [word.replace(".", other) for word in columns[axis]]
    return text(columns, delimiter).encode()


@pytest.mark.parametrize(
    ("values", "form", "mark", "named"),
    [
        ([0.61, 1000, 3], ",g", ".", ("row 3", "'1.000'")),  # the others have a decimal comma
        ([0.61, -12345, 3], ",g", ".", ("row 3", "'-12.345'")),
        ([0.5, 1000.25], ",.2f", ".", ("row 3", "'1.000,25'")),
        ([0.5, 1000.25], ",.2f", ",", ("row 3", "'1,000.25'")),
        ([1024, 12, 982], ",d", ".", ("'1.024'",)),  # all are whole
        ([-1024, 12, 982], ",d", ".", ("'-1.024'",)),
        ([1024, 12, 982], ",d", ",", ("'1,024'",)),
        ([2000, 1001, 104, 3], ",d", ",", ("'1,001'",)),
    ],
)
def test_thousands_set_apart_are_not_decimals(
    tmp_path: Path, values: list[float], form: str, mark: str, named: tuple[str, ...]
) -> None:
    with refused(DataError, tmp_path / "all.csv", "ax", *named):
        read(tmp_path, marked(values, form, mark))


@pytest.mark.parametrize("words", [["1.024", "0.982", "100"], ["1.024", "982.5", "3"], ["1.024", "2", "3"], ["9.810"]])
def test_decimals_of_three_digits_stay_decimals(tmp_path: Path, words: list[str]) -> None:
    columns = cells(subjects=2)
    columns["ax"] = (words * 2 * ROWS)[: 2 * ROWS]
    x = read(tmp_path, text(columns).encode())[0].x[:, 0]
    np.testing.assert_array_equal(x[: len(words)], np.array(words, dtype=np.float32))


@pytest.mark.parametrize("files", ["{who}/s{subject}.csv", "{activity}*.csv", "{}.csv"])
def test_only_the_subject_stands_in_file_names(tmp_path: Path, files: str) -> None:
    with refused(ValueError, "files", files[: files.index("}") + 1], "{subject}"):
        read(tmp_path, text(cells(subjects=2)).encode(), files=files)


@pytest.mark.parametrize(("one", "other"), [("007", "7"), ("01", "1"), ("00", "0"), ("1e3", "1000"), ("1", "1.5")])
def test_numbers_as_subjects_and_labels_are_text(tmp_path: Path, one: str, other: str) -> None:
    columns = cells(subjects=2)
    columns["subject"] = [one] * ROWS + [other] * ROWS
    columns["label"] = [one, other] * ROWS
    found = read(tmp_path, text(columns).encode(), labels={one: "a", other: "b"})
    assert [len(each.x) for each in found] == [ROWS, ROWS]
    first = found[0].y[:2].tolist()
    assert sorted(first) == [0, 1]


@pytest.mark.parametrize("form", ["{}", "{}.0", "{}.00", "{}.0000000e+00", "+{}.0"])
def test_one_number_written_in_any_way_is_one_subject(tmp_path: Path, form: str) -> None:
    columns = cells(subjects=2)
    columns["subject"] = ["1"] * (ROWS // 2) + [form.format(1)] * (ROWS // 2) + [form.format(2)] * ROWS
    found = read(tmp_path, text(columns).encode(), subjects=["1", "2"])
    assert sorted({each.subject for each in found}) == [0, 1]
