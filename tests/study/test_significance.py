"""Two quantizers over the same folds, against SciPy's own answers and cases known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.refusal import refused
from tests.study_folders import make_cell, make_run

from qsense.__main__ import main
from qsense.runs.layout import FIXED
from qsense.study.run import ReportError
from qsense.study.significance import Comparison, answer, bootstrap, compare, fewest, holm, smallest_p, wilcoxon
from qsense.study.summary import summarise


def said(found: list[Comparison], metric: str = "f1_sample") -> list[str]:
    return [text.replace(FIXED, " ") for text in answer(found, metric)]


def comparison(differences: tuple[float, ...], p_holm: float, low: float = 0.0, high: float = 0.0) -> Comparison:
    return Comparison("A", "b", "c", "b", "c", "folds", differences, low, high, p_holm, p_holm)


def test_folds_are_paired_and_averaged_over_shared_seeds(tmp_path: Path) -> None:
    make_cell(tmp_path, lambda seed, fold: 0.5 + 0.1 * fold + 0.02 * seed, seeds=2)
    make_cell(tmp_path, lambda seed, fold: 0.4 + 0.1 * fold - 0.01 * fold, seeds=2, quant="linear")
    make_run(tmp_path, 0.9, quant="linear", seed=7, fold=0)  # a seed that gamma has not
    (found,) = compare(summarise([tmp_path]), "gamma", "linear")
    assert (found.dataset, found.one, found.other, found.unit) == ("SBHAR", "gamma 2 bit", "linear 2 bit", "folds")
    assert found.differences == pytest.approx([0.11, 0.12, 0.13, 0.14])
    assert found.mean == pytest.approx(0.125)
    assert 0.11 <= found.low < found.mean < found.high <= 0.14
    assert found.p == pytest.approx(2 / 2**4), "all four differ in one direction"
    assert found.p_holm == found.p
    (text,) = said([found])
    assert text.startswith("SBHAR: no difference shown; gamma 2 bit − linear 2 bit = +12.50 points (95 % interval +1")
    assert "better in 4 of 4 folds; Wilcoxon's p = 0.12." in text
    assert text.endswith("4 folds cannot show one: the smallest p is 0.125; at least 6 folds are needed.")


def test_the_other_way_round(tmp_path: Path) -> None:
    make_cell(tmp_path, lambda seed, fold: 0.5 + 0.1 * fold, seeds=1)
    make_cell(tmp_path, lambda seed, fold: 0.4 + 0.09 * fold, seeds=1, quant="linear")
    summary = summarise([tmp_path])
    (one,), (other,) = compare(summary, "gamma", "linear"), compare(summary, "linear", "gamma")
    assert one.mean == -other.mean
    assert one.p == other.p


def test_bits_are_compared_apart_and_corrected_together(tmp_path: Path) -> None:
    for bits in (2, 4):
        make_cell(tmp_path, lambda seed, fold: 0.5 + 0.1 * fold, seeds=1, bits=bits)
        make_cell(tmp_path, lambda seed, fold: 0.4 + 0.09 * fold, seeds=1, bits=bits, quant="linear")
    found = compare(summarise([tmp_path]), "gamma", "linear")
    assert [c.one for c in found] == ["gamma 4 bit", "gamma 2 bit"]
    assert [c.p_holm for c in found] == [2 * found[0].p] * 2
    first, *sentences = said(found)
    assert (
        first == "gamma against linear: no difference shown in 2 of 2 comparisons (p < 0.05 after Holm's correction)."
    )
    assert "0.25 after Holm" in sentences[0]
    assert sentences[0].endswith("the smallest p is 0.25 after Holm; at least 7 folds are needed.")


@pytest.mark.parametrize(
    ("sign", "metric", "verdict"),
    [(1, "f1_sample", "better"), (-1, "f1_sample", "worse"), (1, "loss", "worse"), (-1, "loss", "better")],
)
def test_the_answer_is_one_sentence_with_everything(sign: int, metric: str, verdict: str) -> None:
    differences = tuple(0.01 * sign * (fold + 1) for fold in range(8))
    found = comparison(differences, p_holm=0.008, low=min(differences), high=max(differences))
    (text,) = said([found], metric)
    by = "0.0450 (95 % interval 0.0100 to 0.0800)" if metric == "loss" else "4.50 points (95 % interval 1.00 to 8.00)"
    better = 8 if verdict == "better" else 0
    assert text == f"A: b is {verdict} than c by {by}, better in {better} of 8 folds; Wilcoxon's p = 0.008."


def test_folds_that_do_not_differ_tell_nothing() -> None:
    (text,) = said([comparison((0.0,) * 8, p_holm=1.0)])
    assert text == "A: b and c score the same in 8 folds."
    (text,) = said([comparison((0.0,) * 4 + (0.1, 0.2, 0.3, 0.4), p_holm=0.125)])
    assert "8 folds, 4 of which differ, cannot show one: the smallest p is 0.125" in text
    (text,) = said([comparison((0.1,), p_holm=1.0)])
    assert "95 %" not in text, "one fold has no interval"


def test_the_smallest_p_is_what_the_test_gives() -> None:
    for pairs in range(1, 12):
        assert smallest_p(pairs) == pytest.approx(wilcoxon(np.arange(1.0, pairs + 1)))
    assert all(m * smallest_p(fewest(m)) < 0.05 <= m * smallest_p(fewest(m) - 1) for m in range(1, 40))


def test_what_is_not_quantized_is_compared_at_any_bits(tmp_path: Path) -> None:
    make_cell(tmp_path, lambda seed, fold: 0.5 + 0.1 * fold, seeds=1, quant="none", bits=None)
    for bits in (2, 4):
        make_cell(tmp_path, lambda seed, fold: 0.4 + 0.1 * fold, seeds=1, bits=bits)
    assert [c.other for c in compare(summarise([tmp_path]), "none", "gamma")] == ["gamma 4 bit", "gamma 2 bit"]


def test_a_data_set_of_one_fold_is_paired_over_seeds(tmp_path: Path) -> None:
    import json

    for quant, score in (("gamma", 0.5), ("linear", 0.4)):
        for seed in range(3):
            folder = make_run(tmp_path, score + 0.01 * seed * seed, quant=quant, seed=seed)
            result = json.loads((folder / "metrics.json").read_text())
            (folder / "metrics.json").write_text(json.dumps(result | {"num_folds": 1}))
    (found,) = compare(summarise([tmp_path]), "gamma", "linear")
    assert (found.unit, len(found.differences)) == ("seeds", 3)


def test_nothing_to_compare(tmp_path: Path) -> None:
    make_run(tmp_path)
    make_run(tmp_path, quant="linear", bits=4)
    with refused(ReportError, "--compare gama linear", "quant=gama", "gamma, linear"):
        compare(summarise([tmp_path]), "gama", "linear")
    with refused(ReportError, "--compare gamma linear", "bits"):
        compare(summarise([tmp_path]), "gamma", "linear")


def test_a_difference_by_chance_and_one_that_is_none() -> None:
    noise = np.random.default_rng(1).normal(size=200)
    low, high = bootstrap(noise - noise.mean())
    assert low < 0 < high
    assert (high - low) / 2 == pytest.approx(1.96 * noise.std() / np.sqrt(200), rel=0.05), "the normal interval"
    assert wilcoxon(noise - np.median(noise)) > 0.3
    assert wilcoxon(noise + 1) < 1e-10
    assert wilcoxon(np.zeros(5)) == 1.0


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for quant, score in (("gamma", 0.5), ("linear", 0.4)):
        make_cell(tmp_path / "runs", lambda seed, fold, s=score: s + 0.1 * fold * s, quant=quant)  # type: ignore[misc]
    out = tmp_path / "report"
    assert main(["report", str(tmp_path / "runs"), "--compare", "gamma", "linear", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    title = "gamma against linear, f1_sample"
    assert shown.startswith(f"\n{title}\n  SBHAR: no difference shown; gamma 2 bit − linear 2 bit = +11.50 points")
    text = (out / "report.md").read_text()
    assert text.startswith(f"# {title}\n\n- SBHAR: no difference shown; gamma 2 bit − linear")
    assert FIXED not in shown + text
