"""The screen, the page, lines and files that show a session."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console
from tests import browser
from tests.hostile_names import HOSTILE
from tests.refusal import refused
from tests.stream.fakes import CLASSES, FakeClock, FakePipeline, facts, sample, session

from qsense.stream.events import Bad, Event, Notice
from qsense.stream.keep import Keeper
from qsense.stream.letters import SHAPES, large
from qsense.stream.page import page
from qsense.stream.pipeline import Ints, Prediction
from qsense.stream.playing import play
from qsense.stream.session import Session
from qsense.stream.showing import Lines, Page, Record, Terminal
from qsense.stream.view import screen


def streamed(count: int = 60, votes: int = 1, **changed: object) -> Session:
    clock = FakeClock()
    one = session(clock, votes, **changed)
    for n in range(count):
        clock.time += 0.1
        one.take(sample(n // 7 % 3, truth=n // 9 % 3 if n % 2 else None, channels=len(one.facts.names)))
    return one


def hostile(name: str) -> Session:
    names = (name, f"{name}2")
    return streamed(run=name, source=name, names=names, unit=name, classes=(name, f"{name}b", f"{name}c"))


def shown(one: Session, width: int = 80, height: int = 40, said: tuple[str, ...] = ()) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO(), color_system=None)
    console.print(screen(one, width, height, said))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_screen_fits(width: int) -> None:
    for one in (session(), streamed(2), streamed(), streamed(votes=3), streamed(names=tuple("abcdefghi"))):
        lines = shown(one, width, said=("x" * 300, "y"))
        assert max(map(len, lines)) <= min(width, 80)


def test_the_screen_fits_a_terminal_of_24_lines() -> None:
    assert len(shown(streamed(votes=3), height=24, said=("one", "two"))) <= 24


def test_the_screen_says_what_there_is_to_say() -> None:
    text = "\n".join(shown(streamed(votes=3), said=("a notice",)))
    sent = ("trained at 10 Hz", "40 bit/s at 2 bits", "240 bit/s at 12 bits")
    for part in ("a-run", "a source", "codes", "majority of 3", "75 %", "truth", "A NULL", "B walk", "a notice", *sent):
        assert part in text
    assert "waiting" in "\n".join(shown(session()))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_reaches_the_screen_as_a_control(name: str) -> None:
    one = hostile(name)
    lines = shown(one, said=(name,))
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", ["a-run", "\x1b]0;title\x07", "\x1b[2J", "[bold red]x[/]", "\x9b31m"])
def test_a_terminal_gets_no_controls_but_its_own(name: str) -> None:
    out, clock = io.StringIO(), FakeClock()
    told = facts(run=name, source=name, names=(name, "y"), classes=(name, "b", "c"))
    one = Session(FakePipeline(), told, now=clock.now)

    def events() -> Iterator[Event]:
        for n in range(40):
            clock.time += 0.1
            yield sample(n // 9 % 3, truth=n % 3)
            if n % 10 == 0:
                yield Bad("no", name)
        yield Notice(name)

    play(events(), one, [Terminal(Console(file=out, force_terminal=True, width=80, height=40))])
    text = out.getvalue()
    assert text.count("trained at") > 10  # it was drawn anew and anew
    plain = re.sub(r"\x1b\[(\?25[lh]|[0-9;]*m|[0-9]*[AK])", "", text)  # style, and places of the cursor
    assert re.sub(r"[\r\n]", "", plain).isprintable()
    assert "40 samples" in plain
    if name.startswith("[bold"):
        assert name in plain


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_reaches_the_page_as_html(name: str) -> None:
    text = page(hostile(name), [name], running=False)
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert text.count("<svg") == 2


def test_large_letters_are_three_lines_of_one_width() -> None:
    lines = large("".join(SHAPES), 10_000)
    assert [len(line) for line in lines] == [4 * len(SHAPES) - 1] * 3
    assert large("stand-to-sit", 80)
    assert large("a_very_long_name_of_a_class", 80) == large("größer", 80) == large("", 80) == []


def test_a_page_loads_itself_anew_as_long_as_more_comes(tmp_path: Path) -> None:
    assert 'http-equiv="refresh"' in page(streamed(), [], running=True)
    assert 'http-equiv="refresh"' not in page(streamed(), [], running=False)
    for one in (session(), streamed(1), streamed(5)):
        assert page(one, [], running=True).endswith("</html>\n")


def test_a_page_is_written_every_second_and_at_the_end(tmp_path: Path) -> None:
    clock, file = FakeClock(), tmp_path / "live.html"
    one = Session(FakePipeline(), facts(), now=clock.now)
    seen = []

    def events() -> Iterator[Event]:
        for _ in range(100):
            clock.time += 0.1
            seen.append(file.stat().st_mtime_ns if file.exists() else 0)
            yield sample(1.0)

    play(events(), one, [Page(file)])
    assert 8 <= sum(a != b for a, b in pairwise(seen)) <= 10
    assert "ended" in file.read_text()


def test_lines_of_json_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    one = session(classes=("a\nb", "\x1b[31m", "c"))
    events: list[Event] = [*(sample(n // 7 % 3, truth=1) for n in range(20)), Bad("no", "\x1b]0;x\x07")]
    play(events, one, [Lines(jsonl=True)])
    printed = capsys.readouterr()
    *windows, last = map(json.loads, printed.out.splitlines())
    assert [window["window"] for window in windows] == list(range(9))
    assert {window["class"] for window in windows} <= {"a\nb", "\x1b[31m", "c"}
    assert all(window["truth"] == 1 for window in windows)
    assert last["summary"]["bad_lines"] == {"no": 1}
    assert "\x1b" not in printed.out + printed.err


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    play([sample(1.0, truth=2), *[sample(1.0)] * 9, Notice("unplugged")], session(), [Lines()])
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 4
    assert "walk" in printed.out
    assert "unplugged" in printed.err
    assert "walk 100 %" in printed.err


def test_ctrl_c_ends_it_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Iterator[Event]:
        yield from [sample(1.0)] * 6
        raise KeyboardInterrupt

    one = session()
    play(events(), one, [Lines()])
    assert one.windows == 2
    assert "6 samples" in capsys.readouterr().err


def test_what_is_kept_is_what_came(tmp_path: Path) -> None:
    path, clock = tmp_path / "kept.csv", FakeClock()
    one = session(clock, names=("=1+1", "y"))
    keeper = Keeper(path, one.facts.names, CLASSES)
    events: list[Event] = [*[sample(1.0, truth=1)] * 5, Bad("no", "x"), *[sample(2.0)] * 4, Notice("gone", True)]
    events.append(sample(0.0))
    play(events, one, [Record(keeper, path)])
    rows = list(csv.reader(path.open(encoding="utf-8")))
    assert rows[0] == ["time", "'=1+1", "y", "label", "predicted"]
    assert [row[1] for row in rows[1:]] == ["1"] * 5 + ["2"] * 4 + ["0"]
    assert [row[3] for row in rows[1:]] == ["walk"] * 5 + [""] * 5
    assert [row[4] for row in rows[1:]] == [""] * 3 + ["walk"] * 2 + ["run"] * 4 + [""]
    stamps = [float(row[0]) for row in rows[1:]]
    assert stamps[-1] - stamps[-2] > 2  # played again, a recording begins there, too
    with refused(FileExistsError, "--record", str(path)):
        Keeper(path, one.facts.names, CLASSES)


class _Interrupted(FakePipeline):
    def push(self, sample: npt.NDArray[np.float32]) -> tuple[Ints | None, Prediction | None]:
        if sample[0] == 2:
            raise KeyboardInterrupt
        return super().push(sample)


def test_ctrl_c_within_a_sample_leaves_counts_that_agree(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    one = session()
    one.pipeline = _Interrupted()
    play([*[sample(1.0)] * 5, sample(2.0)], one, [Record(Keeper(path, one.facts.names, CLASSES), path)])
    assert one.samples == one.pushed == len(path.read_text().splitlines()) - 1 == 5


@pytest.mark.skipif(bool(browser.MISSING), reason=browser.MISSING or "-")
@pytest.mark.slow
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "live.html"
    file.write_text(page(streamed(votes=3), ["a <b>notice</b>"], running=False), encoding="utf-8")
    with browser.browser() as window:
        for width in (380, 1100):
            window.resize(width)
            window.open(file)
            assert window.errors() == []
            assert window.run("return document.documentElement.scrollWidth") <= width
            assert window.run("return document.querySelectorAll('svg path.signal').length") == 4
            assert window.run("return document.querySelectorAll('svg path.codes').length") == 2
        assert "a <b>notice</b>" in window.texts("li")
