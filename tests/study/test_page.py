"""The study page in a real browser, by clicking; its numbers are those of the tables in Python."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
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
from qsense.quant.sensor.lloyd_max import LloydMax
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.record import as_record
from qsense.signal import Signal
from qsense.study.page import ASSETS, LIBRARY, contents, study_page, write_page
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


def show(window: Browser, file: Path) -> None:
    """Open a page, and wait until its charts are there."""
    window.open(file)
    settle(window)


def settle(window: Browser) -> None:
    """Wait for the charts, which follow a moment after the tables."""
    window.wait("document.documentElement.dataset.drawn === 'all'")


def drawn(page: Browser, section: str, place: int = 0) -> list[dict[str, Any]]:
    """The points of a chart, each with its text, and whether it is pale or hollow."""
    script = f"""
        const chart = echarts.getInstanceByDom(document.querySelectorAll('#{section} .canvas')[{place}]);
        return chart.getOption().series.filter((each) => each.type === 'line').flatMap((each) => each.data)
          .filter((each) => each.text && each.itemStyle)
          .map(({{text, itemStyle}}) => (
            {{text, pale: itemStyle.opacity < 1, hollow: itemStyle.color !== itemStyle.borderColor}}));
    """
    found: list[dict[str, Any]] = page.run(script)
    return found


def labels(page: Browser, section: str) -> list[str]:
    """What the charts of a section say that they are."""
    script = (
        f"return [...document.querySelectorAll('#{section} .canvas')].map((each) => each.getAttribute('aria-label'))"
    )
    return [text.split(".")[0] for text in page.run(script)]


def press(page: Browser, section: str, *keys: str) -> list[str]:
    """Press keys in a section's first chart; what is read aloud after each."""
    script = f"""
        const chart = document.querySelector('#{section} .canvas');
        return {json.dumps(keys)}.map((key) => {{
          chart.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true, cancelable: true }}));
          return chart.parentNode.querySelector('.reading').textContent;
        }});
    """
    texts: list[str] = page.run(script)
    return texts


@pytest.fixture
def page(window: Browser, summary: Summary, tmp_path: Path) -> Iterator[Browser]:
    """The page, freshly opened; afterwards it must have complained about nothing."""
    show(window, write_page([summary], tmp_path))
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
    assert f"Written to {out}/: index.html" in " ".join(capsys.readouterr().out.split())
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
    show(window, write_page([summarise([rated])], tmp_path))
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
    # 5 quantized rows on each data set, all with a spread over seeds; a level for the raw sensor.
    assert labels(page, "bits") == [f"macro-F1, sample-wise (%) over bits on {name}" for name in ("RWHAR", "SBHAR")]
    points = [drawn(page, "bits", place) for place in (0, 1)]
    assert [len(each) for each in points] == [5, 5]
    assert "gamma 4 bit, SBHAR: 46.00 ± 0.82" in [point["text"] for point in points[1]]
    hollow = [point["text"] for point in points[0] + points[1] if point["hollow"]]
    assert len(hollow) == 1
    assert hollow[0].startswith("log 2 bit, RWHAR")
    bars = """
        const chart = echarts.getInstanceByDom(document.querySelector('#bits .canvas'));
        return chart.getOption().series.filter((each) => each.type === 'custom').flatMap((each) => each.data).length;
    """
    assert page.run(bars) == 5
    shown = page.run("return [...document.querySelectorAll('#bits .canvas svg text')].map((each) => each.textContent)")
    assert {"linear", "log", "gamma", "none"} <= set(shown), "each line is named"


@CLICKING
def test_scores_against_another_cost(page: Browser, summary: Summary) -> None:
    assert page.texts("#axis option") == ["bit operations", "data rate", "power of sensing"]
    assert "macro-F1, sample-wise (%) over power of sensing on SBHAR" in labels(page, "cost")
    for place, name in enumerate(("RWHAR", "SBHAR")):
        points = drawn(page, "cost", place)
        assert len(points) == 6
        ahead = {point["text"] for point in points if ", on the front" in point["text"]}
        cells = [(row.name, cell) for (row, other), cell in summary.cells.items() if other == name and cell.comparable]
        best = front([cell.cost["uj_s"] for _, cell in cells], [cell.mean for _, cell in cells])
        names = {f"{cells[i][0]}, {name}" for i in best}
        assert {text.split(":")[0] for text in ahead} == names
        assert names == {f"{quant}, {name}" for quant in ("gamma 2 bit", "gamma 4 bit", "none")}
        assert all(point["pale"] or point["text"] in ahead for point in points)
    shown = page.run("return [...document.querySelectorAll('#cost .canvas svg text')].map((each) => each.textContent)")
    assert {"gamma 2 bit", "gamma 4 bit"} <= set(shown), "the front's members are named"
    page.click("#axis option", 0)
    assert page.run("return document.activeElement.id") == "axis", "one may go on with the arrow keys"
    assert "macro-F1, sample-wise (%) over bit operations on SBHAR" in labels(page, "cost")
    page.click("#metric option", 2)
    settle(page)
    assert page.run("return document.querySelector('#axis').value") == "0", "the choice stays"


@CLICKING
def test_the_page_opens_on_an_axis_that_tells_rows_apart(window: Browser, tmp_path: Path) -> None:
    for bits in (None, 2):
        cost = {"macs": 1e6, "bops": 1e9, "size_mb": 0.5}
        make_cell(tmp_path / "runs", by_seed(0.4, 0.5, 0.5), quant="gamma" if bits else "none", bits=bits, cost=cost,
                  sensing=sensing(bits))  # fmt: skip
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert window.texts("#axis option") == ["data rate", "power of sensing"], "both networks are the same"
    assert window.run("return document.querySelector('#axis').selectedOptions[0].text") == "power of sensing"
    assert "The same for all rows" in window.texts("#cost")[0]


@CLICKING
def test_charts_are_used_by_keyboard(page: Browser) -> None:
    right = press(page, "cost", *["ArrowRight"] * 6)
    assert len(set(right)) == 6, "from point to point"
    assert right[0].startswith("gamma 2 bit, RWHAR") or right[0].startswith("linear 2 bit, RWHAR"), "the cheapest first"
    assert press(page, "cost", "End", "Home", "Escape") == [right[-1], right[0], ""]
    whole = shown_part(page, "cost")
    press(page, "cost", "+")
    low, high = shown_part(page, "cost")
    assert low / whole[0] == pytest.approx(whole[1] / high, rel=0.01), "the middle of a logarithmic axis"
    assert low > whole[0]
    page.click("#theme")
    assert shown_part(page, "cost") == pytest.approx([low, high]), "a new theme shows the same part"
    page.click("#theme")
    page.click("#cost .zoom button", 2)
    assert shown_part(page, "cost") == pytest.approx(whole)
    names = page.run("return [...document.querySelectorAll('.zoom button')].map((each) => each.ariaLabel)")
    assert names[:3] == ["Zoom in: RWHAR", "Zoom out: RWHAR", "Show all: RWHAR"]


def shown_part(page: Browser, section: str) -> list[float]:
    """Between which values a chart's horizontal axis runs."""
    script = f"""
        const chart = echarts.getInstanceByDom(document.querySelector('#{section} .canvas'));
        return [GRID.left, chart.getWidth() - GRID.right].map((x) => chart.convertFromPixel({{xAxisIndex: 0}}, x));
    """
    low, high = page.run(script)
    return [low, high]


@CLICKING
def test_a_chart_is_zoomed_by_dragging_and_names_what_is_pointed_at(page: Browser) -> None:
    whole = shown_part(page, "cost")
    page.run("document.querySelector('#cost .canvas').scrollIntoView({block: 'center'})")
    left, top = page.run(
        "const box = document.querySelector('#cost .canvas').getBoundingClientRect(); return [box.x, box.y]"
    )
    text, x, y = page.run("""
        const chart = echarts.getInstanceByDom(document.querySelector('#cost .canvas'));
        const point = chart.getOption().series.find((each) => each.type === 'line').data[0];
        return [point.text, ...chart.convertToPixel({gridIndex: 0}, point.value)];
    """)
    page.drag((left + x - 20, top + y), (left + x, top + y), press=False)
    page.wait(f"document.querySelector('#cost .reading').textContent === {json.dumps(text)}")
    page.drag((left + 150, top + 60), (left + 450, top + 210))
    page.wait(
        "echarts.getInstanceByDom(document.querySelector('#cost .canvas')).getOption()"
        ".dataZoom.find((each) => each.id === 'x').start > 0"
    )
    low, high = shown_part(page, "cost")
    assert whole[0] < low < high < whole[1]


@CLICKING
@pytest.mark.parametrize("width", [400, 900, 1400])
def test_the_page_is_as_wide_as_the_window_and_charts_are_as_wide_as_the_page(page: Browser, width: int) -> None:
    page.resize(width)
    page.wait("[...document.querySelectorAll('.canvas')].every((each) => "
              "Math.abs(each.querySelector('svg').clientWidth - each.clientWidth) < 2)")  # fmt: skip
    assert page.run("return document.documentElement.scrollWidth") == width
    chart, section = page.run(
        "return ['#cost .canvas', '#cost'].map((each) => document.querySelector(each).clientWidth)"
    )
    assert chart > section - 60
    page.resize(1360)


@CLICKING
def test_names_are_text_in_charts(window: Browser, tmp_path: Path) -> None:
    for bits in (2, 4):
        folder = make_run(tmp_path / "runs", bits=bits, sensing=sensing(bits))
        more(folder, quant=NASTY, dataset=NASTY)
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    read = press(window, "cost", "ArrowRight")[0] + press(window, "bits", "ArrowRight")[0]
    assert read.count(NASTY) == 4
    assert window.find("img") == []
    assert window.run("return document.title") == "qsense study"
    assert window.errors() == []


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
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert "None of these runs counted what a prediction or its sensor costs." in window.texts("#cost")[0]
    assert window.texts("#table thead th") == ["Quantizer", "SBHAR"]
    assert window.errors() == []


@CLICKING
def test_curves_are_the_quantizers_own(page: Browser) -> None:
    # On each data set 2 × 12 runs that learned γ; linear and log are the same in all runs.
    assert page.texts("#curve-bits option") == ["2 bit", "4 bit", "all bits"]
    assert len(set(press(page, "curves", *["ArrowRight"] * 30))) == 12 + 2, "those of the bits that a budget asks for"
    page.click("#curve-bits option", 2)
    assert page.run("return document.activeElement.id") == "curve-bits"
    titles = press(page, "curves", *["ArrowRight"] * (24 + 2))
    assert len(set(titles)) == 24 + 2
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


def as_it_was_recorded(sensor: Any, **more: Any) -> str:
    return json.dumps({**as_record(sensor), **more})


@CLICKING
def test_fitted_levels_are_drawn_in_the_sensor_s_unit(window: Browser, tmp_path: Path) -> None:
    signal = Signal(channels=3, low=-1.0, high=1.0, unit="g")
    fitted = LloydMax(signal, 2, per_channel=True)
    fitted.fit(torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)).mul(0.2).clamp(-1, 1))
    measured = {"statistics": {"low": [-2.0] * 3, "high": [1.0, 2.0, 3.0]}}
    sensor = {"_target_": "qsense.quant.sensor.lloyd_max.LloydMax"}
    (make_run(tmp_path / "runs", quant="lloyd_max", sensor=sensor) / "adc.json").write_text(
        as_it_was_recorded(fitted, **measured)
    )
    memory = make_run(tmp_path / "runs", quant="dpcm")
    more(memory, quantizer={})
    more(make_run(tmp_path / "runs", quant="quantile", sensor={"_target_": "a.b.Quantile"}), quantizer={})
    known = contents([summarise([tmp_path / "runs"])])
    curves = {known["rows"][run["row"]]["quant"]: run["curve"] for run in known["runs"]}
    assert curves["dpcm"] == {"kind": "memory"}
    assert curves["quantile"] is None
    assert curves["lloyd_max"]["range"] == [[-2, 1], [-2, 2], [-2, 3]]
    assert np.array(curves["lloyd_max"]["cuts"]) == pytest.approx(fitted.thresholds().numpy(), abs=1e-5)
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    notes = window.texts("#curves .note")
    assert any(note.startswith("dpcm: a converter with memory has no curve") for note in notes)
    assert any(note.startswith("quantile: these runs did not record their levels") for note in notes)
    option = "echarts.getInstanceByDom(document.querySelector('#curves .canvas')).getOption()"
    assert window.run(f"return {option}.xAxis[0].name") == "signal (g)"
    ends = window.run(f"return {option}.series.map((each) => [each.data[0], each.data[each.data.length - 1]])")
    assert ends == [[[-2, -1], [1, 1]], [[-2, -1], [2, 1]], [[-2, -1], [3, 1]]]


@pytest.mark.parametrize(
    "damage",
    [
        "no JSON", "[]", "{}", '{"low": -1, "high": 1, "thresholds": [["a"]]}',
        '{"low": 1, "high": 1, "thresholds": [[0]]}',
        '{"low": -1, "high": 1, "thresholds": [[0.5, 0.2]]}', '{"low": -1, "high": 1, "thresholds": [[]]}',
        '{"low": [], "high": {}, "thresholds": 3}',
    ],
)  # fmt: skip
def test_a_record_of_another_kind_is_no_curve(damage: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path, quant="lloyd_max", sensor={"_target_": "a.LloydMax"})
    more(folder, quantizer={})
    (folder / "adc.json").write_text(damage)
    (run,) = contents([summarise([tmp_path])])["runs"]
    assert run["curve"] is None


def test_without_scripts_the_tables_are_there(summary: Summary) -> None:
    text = re.findall(r"<noscript>(.*)</noscript>", study_page([summary]), re.DOTALL)[0]
    (line,) = [line for line in re.findall(r"<tr>(.*?)</tr>", text) if ">gamma 2 bit<" in line]
    cell = next(cell for (row, name), cell in summary.cells.items() if (row.name, name) == ("gamma 2 bit", "SBHAR"))
    assert f"{100 * cell.mean:.2f}" in line
    assert "<p>SBHAR: " in text, "what to take"


def test_the_library_is_the_one_that_was_published() -> None:
    published = gzip.decompress((ASSETS / LIBRARY).read_bytes())
    assert hashlib.sha256(published).hexdigest() == "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"
    assert b'"6.1.0"' in published


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
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert window.texts("#filter-bits .chip") == ["2 bit", "4 bit", "network 4 bit", "not quantized"]
    window.click("#filter-bits .chip", 1)
    settle(window)
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
    show(window, write_page([summarise([tmp_path / "runs"])], tmp_path))
    assert "No run has finished yet." in window.texts("#scores")[0]
    assert window.texts("#progress .key li")[3] == "1 interrupted"
    assert window.errors() == []
