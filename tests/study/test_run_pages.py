"""A page for each run: what stands in it, which are written again, and that a hostile folder stays text."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests import browser as chromium
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names
from tests.study_folders import make_run, read_config, write_config

from qsense.__main__ import main
from qsense.experiment.compose import compose
from qsense.experiment.defaults import differences
from qsense.plots.style import save
from qsense.study.repeating import Repeat, repeat
from qsense.study.run import Run, read_run
from qsense.study.run_page import run_page
from qsense.study.run_pages import FOLDER, PNG, page_names, write_run_pages

CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
EVIL = ("javascript:alert(1)", 'https://x" onclick=alert(1)', "data:text/html,<script>", *HOSTILE)


class Page(HTMLParser):
    """The tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def a_picture(file: Path) -> Path:
    from matplotlib.figure import Figure

    file.parent.mkdir(exist_ok=True)
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    save(figure, file)
    return file


def record(folder: Path, **changes: Any) -> None:
    file = folder / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def shown(folder: Path) -> str:
    return run_page(read_run(folder))


def written(*folders: Path, out: Path) -> int:
    return write_run_pages([read_run(folder) for folder in folders], out)


# -------------------------------------------------------------------------------------------------------- what it tells


def test_scores_learned_values_and_when(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 0.4321, fold=1)
    record(folder, ended="2026-11-28T09:11:14+00:00", git_revision="c0ffee" * 6)
    adc = {"rows": ["x", "y"], "thresholds": [[-0.5], [0.25]], "unit": "g", "low": -2, "high": 2}
    (folder / "adc.json").write_text(json.dumps(adc))
    text = shown(folder)
    for said in ("43.21 %", "macro-F1, sample-wise", "gamma 2 bit", "fold 1 of 4", "2026-11-28 09:11 UTC", "c0ffeec0ff",
                 "Where codes begin (g)", "<th scope=\"col\">x", "<td>0.25", "<td>0.125"):  # fmt: skip
        assert said in text


def test_it_leads_to_its_firmwares_page(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a study: 1")
    assert written(folder, out=tmp_path / "out") == 1
    (page,) = (tmp_path / "out" / FOLDER).glob("*.html")
    assert "firmware.html" not in page.read_text()
    made = folder / "export" / "firmware" / "firmware.html"
    made.parent.mkdir(parents=True)
    made.write_text("made")
    assert written(folder, out=tmp_path / "out") == 1
    (link,) = (each for each in Page(page.read_text()).links if each.endswith("firmware.html"))
    assert (page.parent / unquote(link)).read_text().endswith("made")
    assert written(folder, out=tmp_path / "out") == 0
    shutil.rmtree(made.parent)
    assert written(folder, out=tmp_path / "out") == 1
    assert "firmware.html" not in page.read_text()
    assert not list(page.parent.rglob("firmware.html"))


@pytest.mark.parametrize("link", ["export/firmware/firmware.html", "export/firmware", "export"])
def test_a_firmware_that_lies_elsewhere_does_not_come_along(link: str, tmp_path: Path) -> None:
    folder, elsewhere = make_run(tmp_path / "runs"), tmp_path / "elsewhere"
    target = elsewhere / Path("export/firmware/firmware.html").relative_to(link)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("SECRET")
    (folder / link).parent.mkdir(parents=True, exist_ok=True)
    (folder / link).symlink_to(target if link.endswith("html") else elsewhere)
    assert written(folder, out=tmp_path / "out") == 1
    assert not list((tmp_path / "out").rglob("firmware.html"))


def test_what_cannot_be_copied_beside_a_page_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_run(tmp_path / "runs")
    (folder / "export").symlink_to("export")  # a ring
    assert written(folder, out=tmp_path / "out") == 1
    assert_names(caplog.text, folder / "export" / "firmware" / "firmware.html")
    caplog.clear()
    (folder / "export").unlink()
    made = folder / "export" / "firmware" / "firmware.html"
    made.mkdir(parents=True)
    (folder / "results.png").write_bytes(PNG)
    (tmp_path / "out" / FOLDER / folder.name).write_text("no folder")
    assert written(folder, out=tmp_path / "out") == 1
    assert_names(caplog.text, made, folder / "results.png")


def test_a_run_without_firmware_needs_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert written(make_run(tmp_path / "runs"), out=tmp_path / "out") == 1
    assert not caplog.records


@CLICKING
def test_no_script_of_a_firmwares_page_runs(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs")
    made = folder / "export" / "firmware" / "firmware.html"
    made.parent.mkdir(parents=True)
    evil = "<script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"
    made.write_text(f"<!doctype html><html><head><title>good</title></head><body>{evil}</body></html>")
    written(folder, out=tmp_path / "out")
    (page,) = (tmp_path / "out").rglob("firmware.html")
    with chromium.browser() as window:
        window.open(page)
        window.open(page)  # by then the picture that is none has failed
        assert window.run("return document.title") == "good"


def test_thresholds_are_told_in_the_sensors_unit(tmp_path: Path) -> None:
    folder = make_run(tmp_path)

    def codes(**adc: object) -> list[Any]:
        content = {"unit": "g", "low": -1, "high": 1, **adc}
        (folder / "adc.json").write_text(json.dumps(content))
        section = shown(folder).partition("Where codes begin")[2].partition("</tbody>")[0]
        return [section.partition("</h3>")[0], *re.findall(r'<th scope="row">([^<]*)((?:<td>[^<]*)*)', section)]

    several = {"low": [-8, 0], "high": [8, 4]}  # of two axes
    assert codes(rows=["all"], thresholds=[[-0.5, 0.25]], statistics=several) == [
        " (g)", ("axis 0", "<td>-4<td>2\n"), ("axis 1", "<td>1<td>2.5\n"),
    ]  # fmt: skip
    assert codes(rows=["x", "y"], thresholds=[[0.5], [0.5]], statistics=several)[1:] == [
        ("x", "<td>4\n"), ("y", "<td>3\n"),
    ]  # fmt: skip
    same = {"low": [-8, -8], "high": [8, 8]}
    assert codes(rows=["all"], thresholds=[[0.5]], statistics=same)[1:] == [("all", "<td>4\n")]
    assert codes(rows=["day", "night"], thresholds=[[0.5], [0.25]], low=0, high=255, unit="DN")[0] == " (DN)"
    unclear = codes(rows=["a", "b", "c"], thresholds=[[0.5], [0.25], [0]], statistics=several)
    assert "(g)" not in unclear[0]
    assert unclear[1] == ("a", "<td>0.5\n")


def test_what_differs_from_the_options_stands_first(tmp_path: Path) -> None:
    folder = make_run(tmp_path, quant="log", sensor={"native_bits": 10})
    config = read_config(folder)
    config["data"]["batch_size"] = 7
    write_config(folder, config)
    found = {each.key: (each.value, each.default) for each in differences(config) or ()}
    assert found["quant.sensor.native_bits"][0] == 10
    assert found["data.batch_size"] == (7, 100)
    assert "quant.sensor.bits" not in found, "it follows bits"
    assert not [key for key in found if key.endswith("_target_")]
    text = shown(folder)
    assert text.index("data.batch_size") < text.index("<summary>config.yaml") < text.index("batch_size: 7")


def test_a_moved_class_is_no_difference(tmp_path: Path) -> None:
    folder = make_run(tmp_path, sensor={"_target_": "qsense.sensors.gamma.Gamma"})
    assert not [each for each in differences(read_config(folder)) or () if "_target_" in each.key]


def test_options_of_nobody_have_no_defaults(tmp_path: Path) -> None:
    folder = make_run(tmp_path, quant="mine", data="../../etc", name="x")
    assert differences(read_config(folder)) is None
    assert "not those of this installation" in shown(folder)


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    folder = make_run(tmp_path, None, failure="Traceback\n  <script>\nRuntimeError: loss is NaN")
    (folder / "mishaps.txt").write_text("the picture transfer failed\n")
    (folder / "train.log").write_text("\n".join(f"line {number}" for number in range(500)))
    text = shown(folder)
    for said in ("RuntimeError: loss is NaN", "&lt;script&gt;", "the picture transfer failed", "line 499"):
        assert said in text
    assert "line 12\n" not in text


def test_where_a_tracker_shows_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder / "wandb" / "offline-run-1").mkdir(parents=True)
    assert f"qsense sync {folder}" in shown(folder)
    record(folder, wandb="https://wandb.ai/me/qsense/runs/1")
    assert "https://wandb.ai/me/qsense/runs/1" in Page(shown(folder)).links


# --------------------------------------------------------------------------------------------------------- its command


def command_of(folder: Path, *overrides: str) -> Repeat:
    config = read_config(folder)
    given: dict[str, Any] = {"command": ["/usr/bin/python", "-m", "qsense.train", *overrides]} if overrides else {}
    return repeat(given, config, differences(config))


def test_the_recorded_command_is_quoted_for_a_shell(tmp_path: Path) -> None:
    overrides = ["quant=gamma", "bits=2", "data.dataset.axes=[acc x,'$HOME']", "data.dataset.files='a b`id`.csv'"]
    line, notes = command_of(make_run(tmp_path), *overrides, "hydra/launcher=slurm", "hydra.sweep.dir=/etc")
    assert shlex.split(line) == ["qsense", "train", *overrides]
    assert notes == []


@pytest.mark.parametrize(
    "override",
    ["model._target_=os.system", "+x='${oc.env:HOME}'", "--config-dir=/tmp/evil", "quant=../../evil", "-m"],
)
def test_what_could_run_a_program_is_left_out(override: str, tmp_path: Path) -> None:
    line, notes = command_of(make_run(tmp_path), "bits=2", override)
    assert line == "qsense train bits=2"
    assert "could run any program" in notes[0]


def test_a_command_of_another_program_is_none_of_ours(tmp_path: Path) -> None:
    folder = make_run(tmp_path, quant="linear", bits=3, seed=4, datamodule={"batch_size": 7})
    config = read_config(folder)
    for command in (["rm", "-rf", "/"], "rm -rf /", [1, 2], None, {"a": 1}):
        line, notes = repeat({"command": command}, config, differences(config))
        assert {"task=har", "quant=linear", "bits=3", "seed=4", "fold=0", "data.batch_size=7"} <= {*line.split()}
        assert "recorded no command" in notes[0]
    again = compose(shlex.split(line)[2:])
    assert (again.bits, again.data.batch_size, again.trainer.max_epochs, again.task.lr) == (3, 7, 30, 0.004)
    assert again.quant.sensor.bits == 3
    assert repeat({}, config, None).line == ""
    assert command_of(folder, "runs=a\nb").line == ""


# ---------------------------------------------------------------------------------------------------------- the folder


def test_only_what_changed_is_written_again(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / "runs", fold=fold) for fold in range(3)]
    out = tmp_path / "page"
    assert written(*folders, out=out) == 3
    (out / FOLDER / "notes.txt").write_text("mine")
    assert written(*folders, out=out) == 0
    a_picture(folders[1] / "figures" / "transfer.png")
    assert written(*folders, out=out) == 1
    record(folders[2], wandb="https://wandb.ai/1")
    (out / FOLDER / f"{folders[0].name}.html").unlink()
    assert written(*folders, out=out) == 2
    (folders[1] / "figures" / "transfer.png").unlink()
    assert written(*folders, out=out) == 1
    assert written(*folders[:2], out=out) == 0
    assert {file.name for file in (out / FOLDER).iterdir()} == {
        ".written.json", "notes.txt", *(f"{folder.name}.html" for folder in folders[:2]),
    }  # fmt: skip
    (out / FOLDER / ".written.json").write_text('{"schema": 3, "pages": {"../../x": {}, "y": 3}}')
    assert written(*folders, out=out) == 3


def test_pictures_come_along_without_the_runs(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs")
    for name in ("figures/weights.png", "figures/transfer.png", "results.png"):
        a_picture(folder / name)
    (folder / "figures" / "no.png").write_text("<svg onload=alert(1)>")
    (folder / "figures" / "transfer.svg").write_text("<svg/>")
    written(folder, out=tmp_path / "page")
    shutil.rmtree(tmp_path / "runs")
    page = (tmp_path / "page" / FOLDER / f"{folder.name}.html").read_text()
    shown = [link for link in Page(page).links if link.endswith(".png")][::2]
    assert shown == [f"{folder.name}/{name}.png" for name in ("results", "transfer", "weights")]
    assert all((tmp_path / "page" / FOLDER / link).read_bytes().startswith(PNG) for link in shown)


def test_names_are_plain_and_nobody_elses(tmp_path: Path) -> None:
    def a_run(path: str) -> Run:
        (tmp_path / path).mkdir(parents=True)
        return read_run(tmp_path / path)

    names = page_names([a_run(path) for path in ("a/run-1", "b/run-1", "b/run-2", "b/RUN-2", "b/..x", "b/γ", "b/a b")])
    assert len(set(map(str.casefold, names.values()))) == 7
    assert all(name.isascii() and not name.startswith(".") for name in names.values())
    assert page_names([read_run(tmp_path / "b" / "run-2")]) == {tmp_path / "b" / "run-2": "run-2"}


def test_links_and_pipes_lead_nowhere(tmp_path: Path) -> None:
    secret = a_picture(tmp_path / "secret.png")
    (tmp_path / "secret.txt").write_text("SECRET")
    one, other = make_run(tmp_path / "runs", None), make_run(tmp_path / "runs", fold=1)
    (one / "results.png").symlink_to(secret)
    (one / "figures").mkdir()
    (one / "figures" / "a.png").symlink_to(secret)
    os.mkfifo(one / "figures" / "b.png")
    (one / "failed.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(one / "mishaps.txt")
    (other / "figures").symlink_to(tmp_path)
    written(one, other, out=tmp_path / "page")
    pages = [file.read_text() for file in (tmp_path / "page" / FOLDER).glob("*.html")]
    assert len(pages) == 2
    assert not any("SECRET" in page or ".png" in page for page in pages)
    assert not list((tmp_path / "page").rglob("*.png"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run for each name, which all that it can name bears; the pages in `page`."""
    root = tmp_path_factory.mktemp("hostile")
    folders = []
    for number, name in enumerate(EVIL):
        plain = name.replace("/", "_").replace("\x00", "").strip(".")[:100]
        folder = make_run(root / "runs", name=f"{number}{plain}", sensor={"gamma": name, name: [name]})
        result = json.loads((folder / "metrics.json").read_text())
        result |= {"quant": name, "dataset": name, "model": name, "per_class": {"f1_sample": {name: 0.5}}}
        result["metrics"][name], result["quantizer"] = 0.5, {name: [0.25]}
        (folder / "metrics.json").write_text(json.dumps(result))
        (folder / "adc.json").write_text(json.dumps({"rows": [name], "thresholds": [[0.5, 1e400]], "unit": name}))
        (folder / "mishaps.txt").write_text(f"{name}\n</pre>{name}", errors="replace")
        record(folder, wandb=name, ended=name, git_revision=name, command=["x", "-m", "qsense.train", f"x={name}"])
        (folder / "figures").mkdir()
        shutil.copy(a_picture(root / "p.png"), folder / "figures" / f"{plain[:80]}.png")
        folders.append(folder)
    write_run_pages([read_run(folder) for folder in folders], root / "page")
    return root / "page"


def test_a_hostile_folder_stays_text(hostile: Path) -> None:
    pages = list((hostile / FOLDER).glob("*.html"))
    assert len(pages) == len(EVIL)
    for file in pages:
        page = Page(file.read_text())
        assert not page.tags & {"script", "iframe", "object", "svg", "form", "base", "b\\"}
        assert not [name for name in page.attributes if name.startswith("on")]
        for link in page.links:
            local = (file.parent / unescape(link)).resolve()
            assert link == "data:," or link == "../index.html" or local.is_relative_to(hostile / FOLDER), link
    assert all(file.is_relative_to(hostile) for file in hostile.rglob("*"))


def sees_a_picture(window: chromium.Browser) -> bool:
    """Pictures are loaded as they come into view."""
    for _ in range(600):
        if window.run("return document.images[0].naturalWidth") > 0:
            return True
        time.sleep(0.05)
    return False


@CLICKING
def test_hostile_pages_do_nothing_in_a_browser(hostile: Path) -> None:
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    with chromium.browser() as window:
        chromium.call(
            f"{window.address}/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}
        )
        for file in (hostile / FOLDER).glob("*.html"):
            window.open(file)
            assert sees_a_picture(window)
            assert window.run("return document.scripts.length") == 0
            assert window.run("return document.documentElement.scrollWidth <= innerWidth")
            assert window.errors() == []


@CLICKING
def test_from_the_study_to_a_run_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "runs")
    failed = make_run(tmp_path / "runs", None, fold=1, failure="RuntimeError: loss is NaN")
    a_picture(folder / "results.png")
    assert main(["report", str(tmp_path / "runs"), "--html", str(tmp_path / "page")]) == 0
    assert FOLDER in capsys.readouterr().out
    with chromium.browser() as window:
        window.open(tmp_path / "page" / "index.html")
        window.click("#list tbody a")
        assert window.texts("h1") == [folder.name]
        assert sees_a_picture(window)
        window.click("header a")
        window.click("#unfinished tbody a")
        window.wait(f"document.querySelector('h1')?.textContent === {json.dumps(failed.name)}")
        assert "loss is NaN" in window.texts("main")[0]
        assert window.errors() == []
