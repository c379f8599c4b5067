"""The page's budget box answers as Python does: the same rows, in the same words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests import browser as chromium
from tests.browser import Browser
from tests.study.test_budget import ROW, cell
from tests.study.test_page import show
from tests.study_folders import make_cell, make_run, rates, sensing

from qsense.study.answers import answers
from qsense.study.budget import Budget, Offer, choice
from qsense.study.page import write_page
from qsense.study.summary import Summary, summarise

pytestmark = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
BUDGETS = [
    Budget(loss, microwatts, rate)
    for loss in (None, 0.0, 0.3, 1.0, 1.5, 7.0, 20.0)
    for microwatts in (None, 1.0, 33.0)
    for rate in (None, 1200.0)
]


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium.browser() as window:
        yield window


def said(window: Browser, budget: Budget) -> list[str]:
    """What the page answers."""
    limits = {"loss": budget.loss, "microwatts": budget.microwatts, "bitsPerSecond": budget.bits_per_second}
    found: list[str] = window.run(
        f"state.budget = {json.dumps(limits)};"
        "return currentAnswers().map((each) => `${each.contest.name}: ${wordsOf(each)}`)"
    )
    return found


def check(window: Browser, folder: Path, summary: Summary) -> None:
    show(window, write_page([summary], folder))
    for budget in BUDGETS:
        assert said(window, budget) == [answer.words for answer in answers(summary, budget)], budget
    assert window.errors() == []


def test_over_several_data_sets_seeds_and_contests(window: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for data in ("sbhar", "rwhar"):
        for quant, bits, mean in (("none", None, 0.5), ("gamma", 4, 0.49), ("gamma", 2, 0.44), ("linear", 2, 0.3)):
            make_cell(tmp_path / "runs", lambda *_, m=mean: m + 0.02 * rng.normal(), quant=quant, bits=bits, data=data,
                      sensing=sensing(bits))  # fmt: skip
    for quant, bits in (("none", None), ("gamma", 2)):
        make_cell(tmp_path / "runs", lambda *_: 0.6 + 0.01 * rng.normal(), quant=quant, bits=bits, folds=2,
                  trainer={"max_epochs": 3})  # fmt: skip
    check(window, tmp_path, summarise([tmp_path / "runs"]))


def test_with_few_folds_and_rows_that_are_not_yet_judged(window: Browser, tmp_path: Path) -> None:
    for quant, bits, lost, folds in (
        ("none", None, 0, 8),
        ("gamma", 2, 0.002, 8),
        ("linear", 2, 0.05, 7),
        ("log", 3, 0, 2),
    ):
        cell(tmp_path / "runs", quant, bits, lost, folds=folds)
    check(window, tmp_path, summarise([tmp_path / "runs"]))


def test_without_prices_and_without_unquantized_runs(window: Browser, tmp_path: Path) -> None:
    for bits, lost in ((8, 0), (4, 0.004), (2, 0.03)):
        cell(tmp_path / "runs", "gamma", bits, lost, folds=1, priced=False)
    check(window, tmp_path, summarise([tmp_path / "runs"]))


def test_with_the_lossless_rival(window: Browser, tmp_path: Path) -> None:
    for quant, bits, score in (("none", None, 0.5), ("gamma", 2, 0.4)):
        priced = sensing(bits, entropy=None if bits is None else 0.6, lossless=6.6)
        make_cell(tmp_path / "runs", lambda *_, s=score: s, quant=quant, bits=bits, sensing=priced,
                  rates=rates(bits, 0.6, 6.6))  # fmt: skip
    check(window, tmp_path, summarise([tmp_path / "runs"]))


def test_by_a_loss(window: Browser, tmp_path: Path) -> None:
    for bits, lost in ((None, 0), (4, 0.004), (2, 0.03)):
        cell(tmp_path / "runs", "gamma" if bits else "none", bits, lost)
    check(window, tmp_path, summarise([tmp_path / "runs"], "loss"))


def test_the_rule_over_random_offers(window: Browser, tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    rng = np.random.default_rng(1)
    for _ in range(200):
        offers, given = [], []
        for place in range(rng.integers(1, 8)):
            difference, half = float(rng.integers(-8, 3)) / 2, float(rng.integers(0, 4))
            low, high = (None, None) if rng.random() < 0.2 else (difference - half, difference + half)
            price = float(rng.choice([1, 1.005, 2, 3, 3.02]))
            offers.append(
                Offer(ROW, str(place), difference, low, high, 3, price, {"uj_s": price, "kbit_s": price / 1000})
            )
            given.append({"row": place, "difference": difference, "low": low, "high": high, "count": 3,
                          "price": price, "power": price, "rate": price})  # fmt: skip
        loss, power, rate = (None if rng.random() < 0.3 else float(rng.integers(0, 4)) for _ in range(3))
        limits = {"loss": loss, "microwatts": power, "bitsPerSecond": rate}
        found = window.run(
            f"const found = Object.entries(choice({json.dumps(given)}, {json.dumps(limits)}));"
            "return Object.fromEntries(found.map(([name, each]) => [name, each?.row ?? null]))"
        )
        expected = choice(offers, Budget(loss, power, rate))
        assert {name: found.get(name) for name in expected} == {
            name: None if each is None else int(each.label) for name, each in expected.items()
        }


def test_by_typing_and_with_filters(window: Browser, tmp_path: Path) -> None:
    for quant, bits, lost in (("none", None, 0), ("gamma", 4, 0.002), ("gamma", 2, 0.05), ("linear", 4, 0.003)):
        cell(tmp_path / "runs", quant, bits, lost)
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path, budget=Budget(6)))
    (sentence,) = window.texts("#answers p")
    assert sentence.startswith("SBHAR: gamma 2 bit, 5.0 points below unquantized")
    window.run("document.getElementById('loss').value = ''")
    window.write("#loss", "1")
    assert window.texts("#answers p")[0].startswith("SBHAR: gamma 4 bit, 0.2 points below unquantized")
    assert window.run("return document.activeElement.id") == "loss", "one goes on typing"
    window.write("#microwatts", "30")
    assert "no row is within 1 point of unquantized and 30 µW" in window.texts("#answers p")[0]
    window.run("document.getElementById('microwatts').value = ''")
    window.write("#microwatts", "50")
    window.click("#filter-line .chip", 0)  # none: still what others are measured against
    assert window.texts("#filter-line .chip")[0] == "none"
    assert window.texts("#answers p")[0].startswith("SBHAR: gamma 4 bit, 0.2 points below unquantized")
    window.click("#filter-line .chip", window.texts("#filter-line .chip").index("gamma"))
    assert window.texts("#answers p")[0].startswith("SBHAR: linear 4 bit")
    assert window.errors() == []
