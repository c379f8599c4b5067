"""What counts as best, the same in every form of a report; and what is said first and once."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from tests.study_folders import FOLDS, by_seed, make_cell, make_run, sensing

from qsense.study.best import best, marked
from qsense.study.screen import headlines, print_report
from qsense.study.summary import Summary, summarise
from qsense.study.tables import latex_table, markdown_report


@pytest.fixture
def study(tmp_path: Path) -> Summary:
    """Unquantized, two quantizers at 2 bits, one at 4; and one of the best score, on the easy fold alone."""
    for quant, bits, score in (("none", None, 0.6), ("gamma", 2, 0.5), ("linear", 2, 0.4), ("gamma", 4, 0.55)):
        make_cell(tmp_path, by_seed(score - 0.01, score + 0.01), seeds=2, quant=quant, bits=bits)
    make_run(tmp_path, 0.9, quant="log", bits=2)
    return summarise([tmp_path])


def names(places: object) -> set[str]:
    assert isinstance(places, set)
    return {row.name for row, _ in places}


def test_the_best_is_among_those_over_the_same_folds(study: Summary) -> None:
    assert names(set(best("f1_sample", study.cells).values())) == {"none", "gamma 4 bit", "gamma 2 bit"}
    assert names(marked("f1_sample", study.cells)) == {"gamma 2 bit"}, "the only one of its bits is no best"
    assert names(marked("loss", study.cells)) == {"linear 2 bit"}, "less of a loss is better"


def test_it_is_marked_alike_in_every_form(study: Summary) -> None:
    console = Console(width=80, force_terminal=True, color_system="standard", file=io.StringIO())
    print_report(study, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.findall(r"\x1b\[1m(\d\d\.\d\d ± \d\.\d\d•)", text) == ["50.00 ± 1.00•"]
    assert re.findall(r"\*\*(\d.*?)\*\*", markdown_report([study])) == ["50.00 ± 1.00"]
    assert re.findall(r"\\mathbf\{(.*?)\}", latex_table(study)) == ["50.00 \\pm 1.00"]


def test_the_answer_comes_first(study: Summary) -> None:
    (text,) = headlines(study)
    assert text.replace("\N{NO-BREAK SPACE}", " ") == (
        "SBHAR: unquantized 60.00 ± 1.00; best with fewer bits: gamma 4 bit 55.00 ± 1.00 (−5.00), "
        "gamma 2 bit 50.00 ± 1.00 (−10.00)."
    )
    assert markdown_report([study]).splitlines()[2].startswith("- SBHAR: unquantized 60.00 ± 1.00; best")


def test_a_single_row_needs_no_answer(tmp_path: Path) -> None:
    make_run(tmp_path)
    assert headlines(summarise([tmp_path])) == []


def test_what_all_rows_have_in_common_is_said_once(tmp_path: Path) -> None:
    cost = {"macs": 10, "bops": 2e9, "size_mb": 0.5, "full_precision": {"bops": 1e12, "size_mb": 40.0}}
    for quant, bits in (("gamma", 2), ("linear", 2), ("linear", 4)):
        make_run(tmp_path, quant=quant, bits=bits, cost=cost, sensing=sensing(bits))
    summary = summarise([tmp_path])
    for text in (markdown_report([summary]), latex_table(summary)):
        assert text.count("In every row: MB 0.500, GBOPs 2.00.") == 1
        assert text.count("0.500") == text.count("GBOPs 2.00") == 1
        assert "radio µW" in text or "radio $\\mu$W" in text
    assert "floor reached at 4 bits" in markdown_report([summary])


@pytest.mark.parametrize("costs", [True, False])
def test_a_latex_table_is_well_formed(tmp_path: Path, costs: bool) -> None:
    for quant in ("none", "gamma_per_axis", "a&b%c$d#e{f}~g^h\\i", "[x]*"):
        for data in ("sbhar", "wear_outdoor"):
            bits = None if quant == "none" else 2
            make_run(tmp_path, 0.5, quant, bits, data, sensing=sensing(bits) if costs else None)
    text = latex_table(summarise([tmp_path]))
    body = [line for line in text.splitlines() if not line.startswith("%")]
    spec = re.fullmatch(r"\\begin\{tabular\}\{(l?c+)\}", body[0])
    assert spec
    assert body[-1] == "\\end{tabular}"
    rules = [line for line in body[1:-1] if line.startswith("\\") and line.endswith("rule")]
    assert (rules[0], rules[-1]) == ("\\toprule", "\\bottomrule")
    for line in body[1:-1]:
        if line in rules:
            continue
        plain = re.sub(r"\\[&%$#{}_]", "", line.removesuffix(" \\\\"))
        assert line.endswith(" \\\\")
        assert plain.count("&") == len(spec[1]) - 1, "as many cells as columns"
        assert plain.count("$") % 2 == 0, "mathematics ends where it began"
        assert not re.search(r"[%#~]", plain)
        depth = 0
        for character in plain:
            depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0
        assert depth == 0
        assert "_" not in re.sub(r"\$.*?\$", "", plain)
    assert text.isascii() or all(ord(c) < 128 for line in body for c in line), "compiles without more packages"


def test_missing_runs_are_one_line(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.5), seeds=1)
    for bits in (1, 3, 4, 5, 6):
        make_run(tmp_path, bits=bits)
    console = Console(width=200, color_system=None, file=io.StringIO(), record=True)
    print_report(summarise([tmp_path]), console)
    (line,) = re.findall(r"\nMissing\n  (.*)\n", console.export_text())
    assert line == (
        f"15 of {6 * FOLDS} runs: gamma 6 bit folds 1–3; gamma 5 bit folds 1–3; gamma 4 bit folds 1–3 … and 2 more"
    )
