"""Which row a budget asks for: cases known by hand, and the rule against all rows of random tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from tests.study_folders import make_cell, make_run, rates, sensing

from qsense.study.answers import Answer, answers, sentences
from qsense.study.budget import BY_MEAN, NO, PERHAPS, SURELY, Budget, Offer, choice, offer
from qsense.study.contest import BITS, contests
from qsense.study.rows import Row
from qsense.study.summary import summarise

ROW = Row("gamma", 2, None, "har", "deepconvlstm")


def cell(root: Path, quant: str, bits: int | None, lost: float, folds: int = 8, priced: bool = True) -> None:
    """Unquantized scores differ by fold; the others lose the same in each fold, ± 0.01 by turns."""
    wobble: Callable[[int], float] = lambda fold: 0.0 if bits is None else 0.01 * (-1) ** fold  # noqa: E731
    for fold in range(folds):
        folder = make_run(root, 0.5 + 0.02 * fold - lost + wobble(fold), quant=quant, bits=bits, fold=fold,
                          sensing=sensing(bits) if priced else None)  # fmt: skip
        result = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(result | {"num_folds": 8}))


def only(root: Path, budget: Budget | None = None, metric: str | None = None, more: Path | None = None) -> Answer:
    (answer,) = answers(summarise([root, *([more] if more else [])], metric), budget)
    return answer


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Losses of 0.2, 1 and 5 points at 4, 3 and 2 bits; linear always loses 5 more."""
    root = tmp_path_factory.mktemp("runs")
    cell(root, "none", None, 0)
    for bits, lost in ((4, 0.002), (3, 0.01), (2, 0.05)):
        cell(root, "gamma", bits, lost)
        cell(root, "linear", bits, lost + 0.05)
    return root


def label(offered: Offer | None) -> str | None:
    return None if offered is None else offered.label


def test_the_cheapest_row_that_holds_by_its_mean_and_the_one_that_does_surely(table: Path) -> None:
    answer = only(table, Budget(1.5))
    assert (label(answer.chosen), label(answer.surely), label(answer.cheaper)) == (
        "gamma 3 bit", "gamma 4 bit", "gamma 2 bit",
    )  # fmt: skip
    assert answer.chosen is not None
    assert answer.chosen.difference == pytest.approx(-1.0)
    half = stats.t.ppf(0.975, 7) * (8 / 7) ** 0.5 / 8**0.5  # each fold ± 1 point
    assert answer.chosen.low == pytest.approx(-1 - half)
    assert answer.chosen.high == pytest.approx(-1 + half)
    assert answer.chosen.holds(1.5) == BY_MEAN
    assert answer.words == (
        "SBHAR: gamma 3 bit, 1.0 points below unquantized (95 %: −1.9 … −0.1, 8 folds); within 1.5 points by its mean, "
        "not surely; surely: gamma 4 bit at 43.4 µW; radio + ADC 32.6 instead of 130 µW; "
        "next cheaper: gamma 2 bit, 5.0 points below"
    )


def test_with_more_to_lose_it_is_sure(table: Path) -> None:
    answer = only(table, Budget(7))
    assert label(answer.chosen) == "gamma 2 bit"
    assert answer.surely is None
    assert "surely within 7 points" in answer.words
    assert answer.words.endswith("nothing cheaper was tried")


def test_nothing_holds(table: Path) -> None:
    answer = only(table, Budget(0))
    assert answer.chosen is answer.cheaper is answer.dearer is None
    assert answer.words.startswith("SBHAR: no row is within 0 points of unquantized; nearest: gamma 4 bit, 0.2 points")


def test_limits_on_power_and_rate(table: Path) -> None:
    best = only(table, Budget(None, microwatts=33))
    assert (label(best.chosen), label(best.cheaper)) == ("gamma 3 bit", "gamma 2 bit")
    assert label(only(table, Budget(None, bits_per_second=1200)).chosen) == "gamma 2 bit"
    answer = only(table, Budget(0.5, microwatts=33))
    assert (answer.chosen, label(answer.nearest), label(answer.dearer)) == (None, "gamma 3 bit", "gamma 4 bit")
    assert "no row is within 0.5 points of unquantized and 33 µW; nearest: gamma 3 bit" in answer.words
    assert answer.words.endswith("within 0.5 points: gamma 4 bit at 43.4 µW")
    none = only(table, Budget(None, microwatts=1))
    assert label(none.nearest) == "gamma 2 bit", "the cheapest, where nothing is cheap enough"


@pytest.mark.parametrize("limits", [{"loss": -1.0}, {"microwatts": float("nan")}, {"bits_per_second": float("inf")}])
def test_a_limit_is_a_number_from_0_on(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        Budget(**limits)


def test_rows_of_few_folds_are_not_judged_beside_others(table: Path, tmp_path: Path) -> None:
    cell(tmp_path, "log", 2, -0.1, folds=3)
    answer = only(table, Budget(7), more=tmp_path)
    assert (label(answer.chosen), answer.early) == ("gamma 2 bit", ("log 2 bit",))
    assert answer.words.endswith("too few folds yet to judge log 2 bit")


def test_few_folds_everywhere_are_said_to_be_few(tmp_path: Path) -> None:
    cell(tmp_path, "none", None, 0, folds=3)
    cell(tmp_path, "gamma", 2, 0.005, folds=3)
    words = only(tmp_path).words
    assert "3 of 8 folds, which are few" in words
    assert "not surely (more folds or seeds would tell)" in words, "the interval is wider than the point asked for"


def test_a_single_fold_has_no_interval(tmp_path: Path) -> None:
    cell(tmp_path, "none", None, 0, folds=1)
    cell(tmp_path, "gamma", 2, 0.02, folds=1)
    answer = only(tmp_path, Budget(2))
    assert answer.chosen is not None
    assert (answer.chosen.low, answer.chosen.holds(2), answer.chosen.holds(0.5)) == (None, BY_MEAN, NO)
    assert "nobody knows the spread" in answer.words


def test_without_unquantized_runs_most_bits_are_the_reference(tmp_path: Path) -> None:
    cell(tmp_path, "gamma", 8, 0, priced=False)
    cell(tmp_path, "linear", 8, 0.01, priced=False)
    cell(tmp_path, "gamma", 2, 0.004, priced=False)
    answer = only(tmp_path)
    assert answer.contest.unit is BITS
    assert answer.words == (
        "SBHAR: gamma 2 bit, 0.4 points below gamma 8 bit (95 %: −0.4 … −0.4, 8 folds); surely within 1 point; "
        "nothing cheaper was tried"
    )


def test_a_quantized_network_is_priced_by_its_operations(tmp_path: Path) -> None:
    for quant, bits, lost in (("none", None, 0.0), ("fat", 4, 0.002), ("fat", 2, 0.04)):
        cost = {"macs": 1e6, "bops": 1e8 * (bits or 32), "size_mb": 0.5}
        make_cell(tmp_path, lambda *at, low=lost: 0.5 + at[1] / 10 - low, quant=quant, bits=bits, cost=cost,
                  sensing=sensing(None))  # fmt: skip
    words = only(tmp_path).words
    assert "fat network 4 bit, 0.2 points below unquantized" in words
    assert "; network 0.400 instead of 3.20 GBOPs; next cheaper: fat network 2 bit" in words


@pytest.mark.parametrize(("values_per_s", "price"), [(6e5, "21.7 instead of 130 mW"), (2.0, "72.4 instead of 435 nW")])
def test_power_is_told_in_the_unit_that_fits(tmp_path: Path, values_per_s: float, price: str) -> None:
    for quant, bits in (("none", None), ("gamma", 2)):
        make_cell(tmp_path, lambda *at: 0.5 + at[1] / 10, quant=quant, bits=bits, sensing=sensing(bits, values_per_s))
    assert price in only(tmp_path).words


def test_the_lossless_rival_competes_as_a_bound(tmp_path: Path) -> None:
    make_cell(tmp_path, lambda _, fold: 0.5 + fold / 10, quant="none", bits=None,
              sensing=sensing(None, lossless=6.6), rates=rates(None, 0.6, 6.6))  # fmt: skip
    make_cell(tmp_path, lambda _, fold: 0.3 + fold / 20, sensing=sensing(2, entropy=0.6, lossless=6.6))
    answer = only(tmp_path)
    assert label(answer.chosen) == "lossless"
    assert "lossless: native samples by an ideal coder (a bound: none is built); radio + ADC 71" in answer.words
    assert "next cheaper: gamma 2 bit" in answer.words


def test_a_converter_is_taken_before_the_bound(tmp_path: Path) -> None:
    make_cell(tmp_path, lambda _, fold: 0.5 + fold / 10, quant="none", bits=None,
              sensing=sensing(None, lossless=6.6), rates=rates(None, 0.6, 6.6))  # fmt: skip
    make_cell(tmp_path, lambda _, fold: 0.5 + fold / 10, bits=8, sensing=sensing(8, entropy=6.0, lossless=6.6))
    answer = only(tmp_path)
    assert (label(answer.chosen), label(answer.cheaper)) == ("gamma 8 bit", "lossless")
    assert "next cheaper: lossless (a bound), level with unquantized" in answer.words
    assert label(only(tmp_path, Budget(None, 1000)).chosen) == "gamma 8 bit"


def test_less_loss_is_better(table: Path) -> None:
    answer = only(table, Budget(0.25), "loss")
    assert label(answer.chosen) == "linear 2 bit", "a loss that falls is a gain"
    assert "0.200 loss above unquantized" in answer.words


def test_tasks_models_and_settings_of_training_are_contests_of_their_own(table: Path, tmp_path: Path) -> None:
    for quant, bits in (("none", None), ("gamma", 2)):
        for fold in range(2):
            make_run(tmp_path, 0.5, quant=quant, bits=bits, fold=fold, trainer={"max_epochs": 3})
    names = [contest.name for contest in contests(summarise([table, tmp_path]))]
    assert names == ["SBHAR, max_epochs=3", "SBHAR, max_epochs=30"]


def test_rows_without_bits_have_no_answer(tmp_path: Path) -> None:
    make_run(tmp_path, quant="none", bits=None)
    assert answers(summarise([tmp_path])) == []
    assert sentences(summarise([tmp_path])) == []
    make_run(tmp_path / "other", quant="gamma", data="rwhar")
    (hint,) = sentences(summarise([tmp_path / "other"]))
    assert "quant=none" in hint


offers = st.lists(
    st.builds(
        lambda points, price: offer(ROW, f"{price}", points, price, {"uj_s": price}),
        st.lists(st.integers(-8, 2).map(float), min_size=1, max_size=8),
        st.integers(1, 5).map(float),
    ),
    min_size=1,
    max_size=6,
)


@given(offers, st.integers(0, 8).map(float), st.none() | st.integers(1, 5).map(float))
def test_nothing_cheaper_holds(tried: list[Offer], loss: float, most: float | None) -> None:
    budget = Budget(loss, most)
    found = choice(tried, budget)
    holding = [each for each in tried if each.holds(loss) in (SURELY, BY_MEAN) and (most is None or each.price <= most)]
    if not holding:
        assert found["chosen"] is None
        assert found["nearest"] is not None
        return
    chosen, surely, cheaper = found["chosen"], found["surely"], found["cheaper"]
    assert chosen is not None
    assert chosen.price == min(each.price for each in holding)
    assert chosen.difference == max(each.difference for each in holding if each.price == chosen.price)
    sure = [each.price for each in holding if each.holds(loss) == SURELY]
    assert (surely or chosen).price == (min(sure) if surely or chosen.holds(loss) == SURELY else chosen.price)
    assert cheaper is None or (cheaper.price < chosen.price and cheaper.holds(loss) in (PERHAPS, NO))
