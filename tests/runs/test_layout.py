"""Tables and sentences on narrow screens: nothing is wider than the screen, and no name or number is broken."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.study_folders import by_seed, make_cell, make_run, sensing

from qsense.__main__ import main
from qsense.runs.layout import (
    COMMAND,
    FIXED,
    NARROWEST,
    WORD,
    Column,
    command_in_lines,
    fixed,
    in_lines,
    sentence,
    table,
)
from qsense.study.screen import print_report
from qsense.study.summary import Summary, summarise

QUANTIZERS = ("linear", "log", "gamma", "gamma_per_axis", "lloyd_max", "quantizer_of_a_long_name", "加速度")
DATASETS = ("sbhar", "wear", "rwhar", "a set of many words in its name", "A" * 50)


def screen(summary: Summary, width: int) -> str:
    console = Console(width=width, color_system=None, record=True, file=io.StringIO())
    print_report(summary, console)
    return console.export_text()


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Seven quantizers at two numbers of bits on five data sets, two seeds, with costs; a few cells are missing."""
    root = tmp_path_factory.mktemp("wide")
    for place, data in enumerate(DATASETS):
        for number, quant in enumerate(QUANTIZERS):
            for bits in (2, 4):
                if (place + number) % 5:
                    for seed in (0, 1):
                        score = 0.4 + 0.01 * number + 0.02 * seed
                        make_run(root, score, quant, bits, data, seed, sensing=sensing(bits, 100.0 * (1 + place)))
    return summarise([root])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_name_or_score_is_broken(wide: Summary, width: int) -> None:
    text = screen(wide, width)
    tables = text[: text.index("\nMissing")]
    assert max(map(cell_len, tables.splitlines())) <= width
    for (row, _), cell in wide.cells.items():
        assert re.search(rf"^{wide.label(row)} ", tables, re.MULTILINE)
        assert f"{100 * cell.mean:.2f} ± {100 * cell.std:.2f}*" in tables  # type: ignore[operator]
    for dataset in wide.datasets[:-1]:
        assert all(word in tables for word in dataset.split())
    assert FIXED not in text


def test_a_pipe_has_80_columns_and_no_colour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for quant, score in (("gamma", 0.5), ("linear", 0.4)):
        make_cell(tmp_path / "runs", by_seed(score, score, score), quant=quant)
    assert main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "50.00 ± 0.00•" in said, "the best is marked where nothing is bold"


def test_columns_are_cut_between_groups_first() -> None:
    columns = [[Column(name, [["1.00"]]) for name in names] for names in (("one", "two"), ("three", "four"))]
    assert "three" in table("quantizer", ["row"], columns, 80).plain.splitlines()[0]
    narrow = table("quantizer", ["a row of a name so long"], [*columns, columns[0]], 42).plain
    assert [block.split()[1:3] for block in narrow.split("\n\n")] == [["one", "two"], ["three", "four"], ["one", "two"]]


def test_a_long_name_is_broken_between_its_parts() -> None:
    text = table("quantizer", ["gamma 2 bit · first=0.25 · second=0.125"], [[Column("A", [["1.00"]])]], 50).plain
    assert text.splitlines()[-2:] == ["gamma 2 bit · first=0.25  1.00", "  second=0.125"]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=90)


@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3).map(" · ".join), min_size=1, max_size=4),
    st.lists(st.lists(NAMES, min_size=1, max_size=4).map(" ".join), min_size=0, max_size=6),
    st.integers(NARROWEST, 120),
)
def test_tables_fit_whatever_names_there_are(names: list[str], headings: list[str], width: int) -> None:
    columns = [Column(heading, [["54.58 ± 0.22*†"]] * len(names)) for heading in headings]
    text = table("name", names, [columns[:2], columns[2:]], width).plain
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.count("54.58 ± 0.22*†") == len(names) * len(headings)


@given(st.lists(NAMES, min_size=1, max_size=30), st.integers(30, 100))
def test_sentences_break_at_blanks_alone(words: list[str], width: int) -> None:
    text = sentence(" ".join(words), width, hanging="  ")
    assert text.split() == " ".join(words).split()
    assert FIXED not in sentence(fixed("gamma 2 bit") + " is the best", width)


@given(st.lists(st.text("ab c'\\$", max_size=12), min_size=1, max_size=12), st.integers(12, 60))
def test_a_shell_takes_a_command_in_lines_as_one(words: list[str], width: int) -> None:
    said = command_in_lines(["qsense", *words], width)
    assert shlex.split(said.replace("\\\n", "")) == ["qsense", *words]
    assert max(map(len, said.splitlines())) <= max(width, max(map(len, map(shlex.quote, words))) + 4)


def test_a_message_keeps_its_lines_and_its_commands() -> None:
    command = "  python -m qsense.train quant=gamma bits=2 data=sbhar data.dataset.root=/a/folder/far/away -m"
    said = in_lines(f"error: what was tried is\n{command}\nand no more", 30)
    assert said == f"error: what was tried is\n{command}\nand no more"
    said = in_lines("error: ONNX is not there (pip install 'qsense[export]')\n  a line that is indented, and long", 30)
    assert said.splitlines() == [
        "error: ONNX is not there",
        "  (pip install 'qsense[export]')",
        "  a line that is indented, and",
        "    long",
    ]
    assert in_lines(f"error: {'d' * 40} is no folder", 30) == f"error: {'d' * 40}\n  is no folder"
    assert in_lines("error: there is no folder /data/my  own", 35) == "error: there is no folder /data/my\n   own"
    assert in_lines("  /data/my  own, which is no folder", 30) == "  /data/my  own, which is no\n    folder"


@given(
    st.lists(st.sampled_from(["a", "qsense report", "漢字", "error:", "`pip install", " "]), max_size=12),
    st.integers(1, 40),
)
def test_a_message_in_lines_has_all_its_words(words: list[str], width: int) -> None:
    """However narrow the screen is; only a line of one thing that is not broken is wider."""
    text = " ".join(words).strip(" ")
    said = in_lines(text, width)
    assert said.split() == text.split()
    for line in said.splitlines():
        assert cell_len(line) <= width or len(WORD.findall(line.strip(" "))) == 1 or COMMAND.match(text)


def test_lines_stay_whole_in_files_and_fit_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Written to design: " + ", ".join(f"file{number}.md" for number in range(20))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert in_lines(text) == text
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, in_lines(text).splitlines())) <= 40
