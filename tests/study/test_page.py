"""The study page in a real browser, by clicking; its numbers are those of the tables in Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests import browser as chromium
from tests.browser import Browser
from tests.refusal import assert_names
from tests.study_folders import by_seed, make_cell, make_run, rates, running, sensing

from qsense.__main__ import main
from qsense.plots.pareto import front
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.log import Log
from qsense.signal import Signal
from qsense.study.page import contents, study_page, write_page
from qsense.study.summary import Summary, summarise

CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
TARGETS = {"none": "Identity", "linear": "Linear", "log": "Log", "gamma": "Gamma"}
NASTY = '</script><img src=x onerror="document.title=1">'


def more(folder: Path, **changes: Any) -> None:
    """Add to a run's result."""
    result = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(result | changes))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets, four quantizers, costs, classes, learned curves; a failed, a running and a missing run."""
    root = tmp_path_factory.mktemp("study")
    kinds = [
        ("none", None, 0.5),
        ("linear", 2, 0.3),
        ("linear", 4, 0.4),
        ("log", 2, 0.32),
        ("gamma", 2, 0.35),
        ("gamma", 4, 0.45),
    ]
    for data, gain in (("sbhar", 0.0), ("rwhar", 0.1)):
        for quant, bits, mean in kinds:
            cost = {"macs": 1e6, "bops": 1e8 * (bits or 32), "size_mb": 0.5}
            at = mean + gain
            scores = by_seed(at, at + 0.02, at + 0.01)
            make_cell(root, scores, quant=quant, bits=bits, data=data, cost=cost, sensing=sensing(bits))
    for folder in root.iterdir():
        config = yaml.safe_load((folder / "config.yaml").read_text())
        quant = config["choices"]["quant"]
        config["quant"]["sensor"]["_target_"] = f"qsense.quant.sensor.{quant}.{TARGETS[quant]}"
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        score = json.loads((folder / "metrics.json").read_text())["metrics"]["f1_sample"]
        learned = {"gamma": [0.3 + 0.01 * config["seed"]], "mu": [0.1]} if quant == "gamma" else {}
        more(folder, per_class={"f1_sample": {"walking": score + 0.1, NASTY: score - 0.1}}, quantizer=learned)
    make_run(root, None, quant="gamma_per_axis", failure="Traceback\nRuntimeError: loss is NaN")
    running(make_run(root, None, quant="gamma_per_axis", fold=1))
    gone = next(root.glob("rwhar-log-2bit-fold03-seed2-*"))
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    return root


@pytest.fixture(scope="module")
def summary(study: Path) -> Summary:
    return summarise([study])


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium.browser() as window:
        yield window


@pytest.fixture
def page(window: Browser, summary: Summary, tmp_path: Path) -> Iterator[Browser]:
    """The page, freshly opened; afterwards it must have complained about nothing."""
    window.open(write_page([summary], tmp_path))
    yield window
    assert window.errors() == []


def cells(page: Browser) -> dict[tuple[str, str], str]:
    """The first line of each cell of the table of scores, by row and column."""
    heads = page.texts("#table thead th")[1:]
    return {
        (row, head): texts[place].split("\n")[0]
        for row, texts in (
            (cell[0], cell[1:])
            for cell in page.run(
                "return [...document.querySelectorAll('#table tbody tr')].map((row) => "
                "[...row.children].map((cell) => cell.innerText))"
            )
        )
        for place, head in enumerate(heads)
    }


# ------------------------------------------------------------------------------------------------------------ the file


class Links(HTMLParser):
    """Every address that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]


def test_one_file_with_everything_in_it(summary: Summary, tmp_path: Path) -> None:
    file = write_page([summary], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    text = file.read_text()
    links = Links()
    links.feed(text)
    assert all(link.startswith(("#", "data:")) for link in links.found), links.found
    script = re.findall(r"<script>(.*)</script>", text, re.DOTALL)[0]
    style = re.findall(r"<style>(.*)</style>", text, re.DOTALL)[0]
    assert set(re.findall(r"https?://[^\s\"'`]+", script)) == {"http://www.w3.org/2000/svg"}, "a name, and no address"
    assert not re.search(r"fetch\(|XMLHttpRequest|import\s|WebSocket", script)
    assert "url(" not in style
    assert "@import" not in style


def test_only_curves_that_the_page_knows_are_drawn(tmp_path: Path) -> None:
    """A γ alone does not make a power law."""
    for module, name in (("gamma", "Gamma"), ("gamma_norm", "GammaNorm")):
        make_run(tmp_path, quant=module, sensor={"_target_": f"qsense.quant.sensor.{module}.{name}"})
    runs = contents([summarise([tmp_path])])["runs"]
    assert sorted(str(run["curve"] and run["curve"]["kind"]) for run in runs) == ["None", "power"]


@pytest.mark.parametrize(
    ("task", "stated", "native", "bits"),
    [("har", None, None, 12), ("har", 10, None, 10), ("detection", None, 24, 24), ("detection", 12, 24, 12)],
)
def test_a_logarithm_follows_the_bits_of_the_signal(
    task: str, stated: int | None, native: int | None, bits: int, tmp_path: Path
) -> None:
    sensor = {"_target_": "qsense.quant.sensor.log.Log", "native_bits": stated}
    cost = sensing(4, native_bits=16) if native is None else sensing(4, native_bits=native)
    more(make_run(tmp_path, quant="log", sensor=sensor, sensing=cost, choices={"task": task}), quantizer={})
    (run,) = contents([summarise([tmp_path])])["runs"]
    assert run["curve"] == {"kind": "log", "epsilon": 1 / (2**bits - 1)}


def test_names_cannot_break_out_of_the_data(summary: Summary) -> None:
    text = study_page([summary])
    assert NASTY not in text
    data = re.findall(r'<script type="application/json" id="study">(.*?)</script>', text, re.DOTALL)[0]
    assert json.loads(data) == json.loads(json.dumps(contents([summary])))


def test_on_the_command_line(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["report", str(study), "--html", str(out)]) == 0
    assert f"Written to {out}/: index.html" in capsys.readouterr().out
    assert not (tmp_path / "report").exists()
    (tmp_path / "file").touch()
    assert main(["report", str(study), "--html", str(tmp_path / "file")]) == 1
    assert_names(capsys.readouterr().err, tmp_path / "file", "--html FOLDER")


# --------------------------------------------------------------------------------------------------------- the numbers


@CLICKING
def test_scores_are_those_of_the_tables(page: Browser, summary: Summary) -> None:
    shown = cells(page)
    for (row, dataset), cell in summary.cells.items():
        marks = "*" * (not cell.complete) + "†" * (not cell.comparable)
        assert cell.std is not None
        assert shown[summary.label(row), dataset] == f"{100 * cell.mean:.2f} ± {100 * cell.std:.2f}{marks}"
    assert shown["none", "MB"] == "0.5"
    assert shown["gamma 2 bit", "GBOPs"] == "0.2"
    heads = ("kbit/s", "radio µW", "ADC nW", "saved %")
    assert [shown["gamma 2 bit", head] for head in heads] == ["1.2", "21.7", "0.78", "83.4"]
    assert [shown["none", head] for head in heads] == ["7.2", "130", "140", "0"]
    assert "by a model and not measured" in page.texts("#scores .note")[1]
    assert "11 of 12 runs" in page.texts("#table")[0]
    best = [text for (name, head), text in shown.items() if "gamma" in name and head in summary.datasets]
    assert sorted(page.texts("#table td.best")) == sorted(f"{text}\n12 runs" for text in best)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Unquantized and quantized runs that count what their codes need."""
    for quant, bits, score in (("none", None, 0.5), ("gamma", 2, 0.4)):
        priced = sensing(bits, entropy=None if bits is None else 0.6, lossless=6.6)
        make_cell(tmp_path / "runs", lambda *_, s=score: s, quant=quant, bits=bits, sensing=priced,
                  rates=rates(bits, 0.6, 6.6))  # fmt: skip
    return tmp_path / "runs"


def test_the_lossless_rival_is_a_row_without_runs(rated: Path) -> None:
    known = contents([summarise([rated])])
    assert [row["label"] for row in known["rows"]] == ["none", "lossless", "gamma 2 bit"]
    assert [row.get("like") for row in known["rows"]] == [None, 0, None]
    assert {run["row"] for run in known["runs"]} == {0, 2}
    assert known["costs"][1]["entropy_bits"] == 6.6
    assert {"bits", "entropy", "by entropy µW", "digital nW"} <= {column["heading"] for column in known["columns"]}


@CLICKING
def test_the_lossless_rival_scores_as_unquantized_data(window: Browser, rated: Path, tmp_path: Path) -> None:
    window.open(write_page([summarise([rated])], tmp_path))
    shown = cells(window)
    assert shown["lossless", "SBHAR"] == shown["none", "SBHAR"] == "50.00 ± 0.00"
    assert [shown[name, "entropy"] for name in ("none", "lossless", "gamma 2 bit")] == ["–", "6.6", "0.6"]
    assert shown["lossless", "kbit/s"] == "3.96"
    assert window.errors() == []


@CLICKING
def test_another_metric(page: Browser, study: Path) -> None:
    page.click("#metric option", 2)
    assert page.texts("#metric option")[2] == "loss"
    cell = next(
        cell for (row, name), cell in summarise([study], "loss").cells.items() if (row.quant, name) == ("none", "SBHAR")
    )
    assert cells(page)["none", "SBHAR"] == f"{cell.mean:.4f} ± {cell.std:.4f}"
    assert "No run recorded loss by class." in page.texts("#classes")[0]


@CLICKING
def test_filters_average_anew(page: Browser, summary: Summary) -> None:
    runs = "return document.querySelector('#runs .pager span').textContent"
    assert page.run(runs) == "143 runs, page 1 of 3"
    page.click("#filter-seed .chip", 0)
    cell = next(cell for (row, name), cell in summary.cells.items() if (row.quant, name) == ("none", "SBHAR"))
    without = [cell.seed_means[1], cell.seed_means[2]]
    mean, std = sum(without) / 2, abs(without[0] - without[1]) / 2
    assert cells(page)["none", "SBHAR"] == f"{100 * mean:.2f} ± {100 * std:.2f}"
    assert page.texts("#table td small")[0] == "8 runs"
    assert page.run(runs) == "95 runs, page 1 of 2"
    page.click("#filter-dataset .chip", 1)
    assert page.texts("#table thead th")[:4] == ["Quantizer", "RWHAR", "MB", "GBOPs"]
    page.click("#filter-line .chip", 0)
    page.click("#filter-bits .chip", 0)
    assert [row for row, name in cells(page) if name == "RWHAR"] == ["linear 4 bit", "gamma 4 bit"]
    page.write("#text", "gamma fold01")
    assert page.run(runs) == "2 runs, page 1 of 1"
    page.write("#text", "nowhere")
    assert "No run passes the filters." in page.texts("#scores")[0]
    assert page.texts("#progress .words")[0].startswith("71 of 72"), "progress is of the whole study"


# -------------------------------------------------------------------------------------------------------- the pictures


@CLICKING
def test_plots_have_a_point_per_cell_and_error_bars(page: Browser) -> None:
    def count(selector: str) -> int:
        return len(page.find(selector))

    # 5 quantized rows × 2 data sets, all with a spread over seeds; a level per data set for the raw sensor.
    assert count("#bits .panels .errorbar") == 10
    assert count("#bits .panels path.mark") == 12
    assert count("#cost .panels path.mark") == 12
    titles = page.run("return [...document.querySelectorAll('#bits .panels title')].map((each) => each.textContent)")
    assert "gamma 4 bit, SBHAR: 46.00 ± 0.82" in titles
    labels = page.run(
        "return [...document.querySelectorAll('.panels svg')].map((svg) => svg.getAttribute('aria-label'))"
    )
    assert "macro-F1, sample-wise (%) over bits on SBHAR" in labels
    assert all(labels)
    hollow = page.run(
        "return [...document.querySelectorAll('#bits path[fill=\"var(--paper)\"] title')].map((t) => t.textContent)"
    )
    assert len(hollow) == 1
    assert hollow[0].startswith("log 2 bit, RWHAR")


@CLICKING
def test_scores_against_another_cost(page: Browser, summary: Summary) -> None:
    script = "return [...document.querySelectorAll('#cost .panels svg')].map((svg) => svg.getAttribute('aria-label'))"
    assert page.texts("#axis option") == ["bit operations", "data rate", "power of sensing"]
    assert "macro-F1, sample-wise (%) over bit operations on SBHAR" in page.run(script)
    page.click("#axis option", 2)
    assert page.run("return document.activeElement.id") == "axis", "one may go on with the arrow keys"
    assert "macro-F1, sample-wise (%) over power of sensing on SBHAR" in page.run(script)
    assert page.texts("#cost .panels svg text")[-2] == "radio + ADC, by model (µW)"
    marks = page.run(
        "return [...document.querySelectorAll('#cost .panels path.mark')]"
        ".map((mark) => [mark.textContent, mark.getAttribute('opacity')])"
    )
    assert len(marks) == 12
    ahead = {text for text, opacity in marks if opacity is None}
    assert ahead == {text for text, _ in marks if text.endswith(", on the front")}
    for name in summary.datasets:
        cells = [(row.name, cell) for (row, other), cell in summary.cells.items() if other == name and cell.comparable]
        best = front([cell.cost["uj_s"] for _, cell in cells], [cell.mean for _, cell in cells])
        names = {f"{cells[i][0]}, {name}" for i in best}
        assert {text.split(":")[0] for text in ahead if f", {name}:" in text} == names
        assert names == {f"{quant}, {name}" for quant in ("gamma 2 bit", "gamma 4 bit", "none")}
    assert len(page.find("#cost path.front")) == 2
    page.click("#metric option", 2)
    assert page.run("return document.querySelector('#axis').value") == "2", "the choice stays"


@CLICKING
def test_the_front_is_that_of_the_pictures(page: Browser) -> None:
    points = [(1, 3), (1, 3), (2, 2), (2, 5), (3, 5), (4, 1), (4, 7), (0, 3)]
    given = [{"cost": cost, "mean": mean, "place": place} for place, (cost, mean) in enumerate(points)]
    for less in (False, True):
        found = page.run(f"return front({json.dumps(given)}, {json.dumps(less)}).map((point) => point.place)")
        assert found == front([cost for cost, _ in points], [mean for _, mean in points], less)


@CLICKING
def test_a_study_that_priced_nothing_has_no_axis(window: Browser, tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    window.open(write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert "None of these runs counted what a prediction or its sensor costs." in window.texts("#cost")[0]
    assert window.texts("#table thead th") == ["Quantizer", "SBHAR"]
    assert window.errors() == []


@CLICKING
def test_curves_are_the_quantizers_own(page: Browser) -> None:
    titles = page.run("return [...document.querySelectorAll('#curves .curve title')].map((each) => each.textContent)")
    # On each data set 2 × 12 runs that learned γ; linear and log are the same in all runs.
    assert len(titles) == 2 * (24 + 2)
    assert "gamma 2 bit, seed 1, fold 3, γ 0.310, μ 0.10" in titles
    assert "log: the same in every run" in titles
    u = torch.linspace(-1, 1, 41, dtype=torch.float64)
    signal = Signal(channels=1, low=-1.0, high=1.0, unit="g")
    image = Signal(channels=1, low=0.0, high=1.0, unit="")
    for quantizer, curve in (
        (Gamma(signal, 4, gamma=0.3, mu=0.1), {"kind": "power", "gamma": [0.3], "mu": [0.1], "epsilon": 1e-3}),
        (Gamma(image, 4, gamma=0.3), {"kind": "power", "gamma": [0.3], "mu": [], "epsilon": 1e-3}),
        (Log(signal, 4, native_bits=12), {"kind": "log", "epsilon": 1 / 4095}),
    ):
        drawn = page.run(f"return {u.tolist()}.map(transfer({json.dumps(curve)}, 0))")
        with torch.no_grad():
            expected = quantizer.curve(u).clamp(quantizer.bottom, 1.0).flatten()
        assert drawn == pytest.approx(expected.tolist(), abs=1e-6)


@CLICKING
def test_classes_and_folds(page: Browser, summary: Summary) -> None:
    heads = page.texts("#classes table:first-of-type thead th")
    assert heads[:3] == ["Quantizer", "walking", NASTY], "a name is text, whatever it holds"
    assert page.run("return document.title") == "qsense study"
    row = page.run(
        "return [...document.querySelectorAll('#classes table')[1].rows[1].cells].map((cell) => cell.innerText)"
    )
    assert row == ["none", "61.0", "41.0"]
    row = page.run(
        "return [...document.querySelectorAll('#folds table')[1].rows[1].cells].map((cell) => cell.innerText)"
    )
    assert row == ["none", "45.0", "49.0", "53.0", "57.0"]


# ------------------------------------------------------------------------------------------------------------- the use


@CLICKING
def test_progress(page: Browser) -> None:
    assert page.texts("#progress .words") == ["71 of 72", "72 of 74"]
    counts = ["143 finished", "1 running", "1 failed", "0 interrupted", "0 killed", "1 to do"]
    assert page.texts("#progress .key li") == counts
    failed = page.texts("#unfinished tbody tr")[0]
    assert failed.startswith("failed gamma_per_axis 2 bit SBHAR 0 0 RuntimeError: loss is NaN")
    assert failed.endswith("failed.txt")


@CLICKING
def test_bits_of_sensors_and_networks_are_filtered_by_their_own_names(window: Browser, tmp_path: Path) -> None:
    for quant, bits in (("none", None), ("gamma", 4), ("fat", 4), ("gamma_fat", 2)):
        make_run(tmp_path / "runs", quant=quant, bits=bits)
    window.open(write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert window.texts("#filter-bits .chip") == ["2 bit", "4 bit", "network 4 bit", "not quantized"]
    window.click("#filter-bits .chip", 1)
    rows = [row for row, name in cells(window) if name == "SBHAR"]
    assert rows == ["none", "fat network 4 bit", "gamma_fat 2 bit + network 4 bit"]
    assert window.texts("#bits .key li") == ["none", "fat (network bits)", "gamma_fat network 4 bit"]
    assert window.errors() == []


@CLICKING
def test_runs_are_sorted_and_paged_by_clicking(page: Browser) -> None:
    def column(place: int) -> list[str]:
        cells = f"document.querySelectorAll('#list tbody tr td:nth-child({place + 1})')"
        return list(page.run(f"return [...{cells}].map((cell) => cell.innerText)"))

    page.click("#list thead button", 4)
    scores = [float(text) for text in column(4)]
    assert scores == sorted(scores)
    assert page.texts("#list thead th")[4].endswith("↑")
    page.click("#list thead button", 4)
    assert float(column(4)[0]) == max(float(text) for text in column(4))
    assert page.run("return document.querySelectorAll('#list thead th')[4].getAttribute('aria-sort')") == "descending"
    first = column(7)
    page.click("#runs .pager button", 1)
    assert not set(first) & set(column(7))
    assert page.texts("#runs .pager span") == ["143 runs, page 2 of 3"]


@CLICKING
def test_dark_and_light(page: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    page.emulate_dark(True)
    dark = page.run(ground)
    page.emulate_dark(False)
    light = page.run(ground)
    assert dark != light
    page.click("#theme")
    assert page.run(ground) == dark
    assert page.texts("#theme") == ["Light"]
    page.click("#theme")
    assert page.run(ground) == light


@CLICKING
def test_every_field_has_a_name_and_every_colour_enough_contrast(page: Browser) -> None:
    unnamed = page.run(
        "return [...document.querySelectorAll('input, select, button')]"
        ".filter((each) => !each.labels?.[0]?.textContent.trim() && !each.textContent.trim()).length"
    )
    assert unnamed == 0
    contrast = """
        const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const light = (text) => {
          const [r, g, b] = text.match(/[0-9.]+/g).map(Number);
          return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        };
        const paper = light(getComputedStyle(document.querySelector('section')).backgroundColor);
        return [...document.querySelectorAll('td, th, td small, .note, h2, nav a, .words')].map((each) => {
          const ink = light(getComputedStyle(each).color);
          return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        });
    """
    for dark in (False, True):
        page.emulate_dark(dark)
        assert min(page.run(contrast)) >= 4.5, "WCAG AA"
    page.emulate_dark(False)


@CLICKING
def test_a_study_that_has_only_begun(window: Browser, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", None)
    window.open(write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert "No run has finished yet." in window.texts("#scores")[0]
    assert window.texts("#progress .key li")[3] == "1 interrupted"
    assert window.errors() == []
