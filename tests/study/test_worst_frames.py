"""A run page's worst frames: what is refused, that names stay text, and that filters work without a script."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import browser as chromium
from tests.hostile_names import HOSTILE
from tests.study_folders import make_run

from qsense.runs.escapes import html, one_line
from qsense.study.run import read_run
from qsense.study.run_page import run_page
from qsense.study.run_pages import FOLDER, write_run_pages
from qsense.study.worst_frames import FILE, MOST_BOXES, MOST_FRAMES, read_worst_frames

CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


def picture(form: str = "JPEG") -> str:
    content = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 120, dtype=np.uint8)).save(content, form)
    return base64.b64encode(content.getvalue()).decode()


def a_frame(
    name: str,
    missed: int = 0,
    false: tuple[int, ...] = (),
    label: int = 0,
    condition: int = 0,
    exposure: int = 4,
) -> dict[str, Any]:
    """A frame with one object that was found, some that were missed, and false alarms of these kinds; 150 × 100."""
    objects = [[0.1, 0.1, 0.3, 0.4, label, True, False]]
    objects += [[0.5, 0.1 * place, 0.6, 0.1 * place + 0.08, label, False, False] for place in range(missed)]
    found = [[0.1, 0.1, 0.3, 0.4, label, 0.9, 0]] + [[0.7, 0.5, 0.9, 0.9, label, 0.8, kind] for kind in false]
    return {
        "name": name, "size": [150, 100], "condition": condition, "exposure": exposure, "missed": missed,
        "objects": objects, "predictions": found, "picture": picture(),
    }  # fmt: skip


def content(*frames: dict[str, Any], classes: tuple[str, ...] = ("car", "person")) -> dict[str, Any]:
    return {
        "overlap": 0.5, "threshold": 0.42, "tested": 9, "classes": list(classes), "conditions": ["day", "night"],
        "frames": list(frames),
    }  # fmt: skip


FRAMES = (
    a_frame("a", missed=2),
    a_frame("b", missed=1, false=(2,), label=1, condition=1, exposure=8),
    a_frame("c", false=(3, 3), label=1),
    a_frame("d", exposure=-1),
)


def run_with(root: Path, worst: Any) -> Path:
    folder = make_run(root, data="raod", monitor="map")
    (folder / FILE).write_text(json.dumps(worst))
    return folder


def test_what_the_page_says_of_a_frame(tmp_path: Path) -> None:
    text = run_page(read_run(run_with(tmp_path, content(*FRAMES))))
    for said in (
        "4 of the 9 that were tested", "an overlap of 0.5 and a score of 0.42",
        "<b>1. a</b> day · 4–6 stops below white · 2 of 3 objects missed<",
        "night · 8–10 stops below white · 1 of 2 objects missed · false alarms: 1 on the background; best: person 0.80",
        "false alarms: 2 on another class; best: person 0.80", "<b>4. d</b> day · 0 of 1 objects missed<",
        "left:50.00%;top:0.00%;width:10.00%;height:8.00%", 'title="missed: car"', "aspect-ratio:150/100",
    ):  # fmt: skip
        assert said in text
    assert "<script" not in text


def test_without_frames_there_is_no_section(tmp_path: Path) -> None:
    assert "Worst frames" not in run_page(read_run(make_run(tmp_path)))
    assert "Worst frames" not in run_page(read_run(run_with(tmp_path, content())))


DAMAGED: dict[str, Any] = {
    "classes": [1],
    "conditions": [],
    "threshold": "0.5",
    "overlap": 7,
    "tested": -1,
    "frames": {},
    "frames.0": "frame",
    "frames.0.size": [0, 10],
    "frames.0.name": None,
    "frames.0.condition": 2,
    "frames.0.exposure": 0.5,
    "frames.0.missed": True,
    "frames.0.picture": '" onload="alert(1)',
    "frames.0.objects": [[0, 0, 1, 1, 2, True, False]],
    "frames.0.predictions": [[0, 0, 1, 1, 0, 0.5, 6]],
    "frames.0.objects.0": [0.1, 0.1, "1;background:url(x)", 0.4, 0, True, False],
    "frames.0.predictions.0": [0, 0, 1, 1, 0, float("nan"), 0],
}


@pytest.mark.parametrize("key", [*DAMAGED, "a PNG", "too many frames", "too many boxes"])
def test_what_no_run_writes_is_not_shown(tmp_path: Path, key: str) -> None:
    whole = content(a_frame("a", missed=1, condition=1))
    worst: Any = copy.deepcopy(whole)
    if key in DAMAGED:
        *path, last = key.split(".")
        at = worst
        for step in path:
            at = at[int(step) if isinstance(at, list) else step]
        at[int(last) if isinstance(at, list) else last] = DAMAGED[key]
    elif key == "a PNG":
        worst["frames"][0]["picture"] = picture("PNG")
    elif key == "too many frames":
        worst["frames"] *= MOST_FRAMES + 1
    else:
        worst["frames"][0]["objects"] *= MOST_BOXES
    assert read_worst_frames(run_with(tmp_path, whole)) is not None
    assert read_worst_frames(run_with(tmp_path, worst)) is None


def test_no_file_a_link_and_no_json(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert read_worst_frames(folder) is None
    (tmp_path / "secret").write_text(json.dumps(content(*FRAMES)))
    (folder / FILE).symlink_to(tmp_path / "secret")
    assert read_worst_frames(folder) is None
    (folder / FILE).unlink()
    (folder / FILE).write_text("[" * 100_000)
    assert read_worst_frames(folder) is None


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose classes, conditions and frames bear hostile names; its page."""
    root = tmp_path_factory.mktemp("hostile")
    frames = [a_frame(name, 1, (2, 3, 4, 5), place, place) for place, name in enumerate(HOSTILE)]
    worst = content(*frames, classes=HOSTILE) | {"conditions": list(HOSTILE)}
    folder = run_with(root / "runs", worst)
    write_run_pages([read_run(folder)], root / "page")
    return next((root / "page" / FOLDER).glob("*.html"))


def test_hostile_names_stay_text(hostile: Path) -> None:
    text = hostile.read_text()
    tags = Tags(text)
    assert not tags.tags & {"script", "iframe", "object", "svg", "form", "base", "a\\"}
    assert not [name for name in tags.attributes if name.startswith("on")]
    styles = text.partition('<div class="worst">')[0].rpartition("<style>")[2]
    assert all(line.startswith(".worst:has(#worst-") for line in styles.partition("</style>")[0].strip().splitlines())
    assert all(html(one_line(name)[:40]) in text for name in HOSTILE)


@pytest.fixture(scope="module")
def window() -> Iterator[chromium.Browser]:
    with chromium.browser() as window:
        yield window


def seen(window: chromium.Browser) -> list[str]:
    return [text[3:] for text in window.texts(".sight figcaption b") if text]


def choose(window: chromium.Browser, name: str, value: str) -> None:
    window.click(f'#worst-{name} option[value="{value}"]')


@CLICKING
def test_filters_hide_frames_without_a_script(window: chromium.Browser, tmp_path: Path) -> None:
    write_run_pages([read_run(run_with(tmp_path / "runs", content(*FRAMES)))], tmp_path)
    window.open(next((tmp_path / FOLDER).glob("*.html")))
    count = "return getComputedStyle(document.querySelector('.count'), '::before').content"
    assert seen(window) == ["a", "b", "c", "d"]
    choose(window, "kind", "missed")
    assert seen(window) == ["a", "b"]
    choose(window, "class", "1")
    assert seen(window) == ["b"], "a's missed object is a car"
    choose(window, "kind", "")
    assert seen(window) == ["b", "c"]
    choose(window, "condition", "1")
    assert seen(window) == ["b"]
    choose(window, "exposure", "4")
    assert seen(window) == []
    assert "counter(shown)" in window.run(count)
    for name in ("class", "condition", "exposure"):
        choose(window, name, "")
    assert seen(window) == ["a", "b", "c", "d"]
    window.run("document.querySelector('#worst-kind').focus()")
    window.write("#worst-kind", "false")  # as by the keyboard: the first option that begins so
    assert seen(window) == ["b"]
    assert window.run("return document.scripts.length") == 0
    assert window.errors() == []


@CLICKING
def test_boxes_names_and_size_are_switched(window: chromium.Browser, tmp_path: Path) -> None:
    write_run_pages([read_run(run_with(tmp_path / "runs", content(*FRAMES)))], tmp_path)
    window.open(next((tmp_path / FOLDER).glob("*.html")))

    def shown(selector: str) -> int:
        script = f"return [...document.querySelectorAll('{selector}')].filter((e) => e.offsetParent).length"
        number: int = window.run(script)
        return number

    assert (shown(".over .object"), shown(".over .found"), shown(".over .missed b")) == (7, 7, 3)
    for switch in ("objects", "found", "tags"):
        window.click(f"#worst-{switch}")
    assert (shown(".over .object"), shown(".over .found"), shown(".over b")) == (0, 0, 0)
    width = "return document.querySelector('.over').clientWidth"
    before = window.run(width)
    window.click("#worst-large")
    assert window.run(width) > 2 * before
    assert window.errors() == []


@CLICKING
@pytest.mark.parametrize("width", [390, 1280])
def test_a_hostile_page_fits_and_does_nothing(window: chromium.Browser, hostile: Path, width: int) -> None:
    window.resize(width)
    window.open(hostile)
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")
    choose(window, "class", "20")
    assert len(seen(window)) == 1
    assert window.errors() == []
