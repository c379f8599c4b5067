"""Hostile names stay text in every form: what another program makes of each is looked at where there is one."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re

import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from tests.hostile_names import HOSTILE

from qsense.runs import escapes

MORE = (
    "a\x00b", "\udcff.jpg", "x\u2029y\x85z\x0b\x0c", "\ufeffname", "*/", "/*", "tail\\", "tail\\ ", "tail??/",
    "＝1+1", "a;=1+1", " =1+1", "--", "1. x", "# x", "> x", "- x", "+ x", "_x_", "__x__", "~~x~~", "`x`", "![x](y)",
    "<http://x.y>", "http://x.y", "www.x.y", "&lt;", "&#60;", "[x]: y", "*x", "[x", "$x$", "\\$x$", "\\(x\\)", "$", "_",
    "", " ", "a  b", "|", "\\|", "%", "\\end{tabular}", "'", "'=1", "ﷺ", "नमस्\u200dते",
)  # fmt: skip
NAMES = (*HOSTILE, *MORE)
each_name = pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])


@each_name
def test_one_line_is_seen_whole(name: str) -> None:
    line = escapes.one_line(name)
    assert len(line.splitlines()) <= 1
    line.encode()  # no half characters
    assert re.sub(r"[\u200c\u200d]", "", line).isprintable()
    assert not set(line) & set("\u202e\u2066\ufeff")
    assert escapes.one_line(line) == line
    if name.isprintable():
        assert line == name


@each_name
def test_a_comment_holds_its_line(name: str) -> None:
    line = escapes.comment(name)
    assert "\n" not in line
    assert "*/" not in line
    assert "/*" not in line
    assert not line.rstrip().endswith(("\\", "??/"))


@each_name
def test_a_spreadsheet_calculates_no_name(name: str) -> None:
    cell = escapes.csv_cell(name)
    assert not cell.lstrip().startswith(tuple("=+-@\t\r＝＋－＠"))
    assert not re.search(r";\s*[=+\-@]", cell)
    text = io.StringIO()
    csv.writer(text).writerow([cell, 1.5])
    assert list(csv.reader(io.StringIO(text.getvalue()))) == [[cell, "1.5"]]
    assert cell.replace("'", "") == escapes.one_line(name).replace("'", "")


class Texts(html.parser.HTMLParser):
    """All text of a page, its tags, and its attributes' values."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags, self.values = "", [], []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@each_name
def test_html_shows_the_name(name: str) -> None:
    page = Texts()
    page.feed(f"<p title='{escapes.html(name)}'>{escapes.html(name)}</p>")
    page.close()
    assert (page.tags, page.text, page.values) == (["p"], escapes.one_line(name), [escapes.one_line(name)])


@each_name
def test_a_script_holds_the_name(name: str) -> None:
    text = escapes.in_script(json.dumps({"name": name}, ensure_ascii=False))
    assert "<" not in text
    assert json.loads(text) == {"name": name}


@each_name
def test_markdown_shows_the_name(name: str) -> None:
    for around in ("{}", "- {}", "# {}", "| head |\n|---|\n| {} |"):
        page = Texts()
        page.feed(MarkdownIt("commonmark").enable("table").render(around.format(escapes.markdown(name))))
        page.close()
        assert page.text.strip().removeprefix("head").strip() == escapes.one_line(name).strip()
        assert set(page.tags) <= {"p", "ul", "li", "h1", "table", "thead", "tbody", "tr", "th", "td"}


@each_name
def test_latex_has_no_command_of_the_name(name: str) -> None:
    text = escapes.latex(name)
    known = "|".join(re.escape(each) for each in sorted(escapes.LATEX.values(), key=len, reverse=True))
    rest = re.sub(known, "", text.replace("-{}-", "--"))
    assert not set(rest) & set("\\{}$&#^_%~\n<>|`[*")


@each_name
def test_a_figure_shows_the_name(name: str) -> None:
    label = Figure().text(0.5, 0.5, f"{escapes.figure_text(name)} | {escapes.figure_text(name)}")
    shown, mathematics = label._preprocess_math(label.get_text())  # type: ignore[attr-defined]
    assert not mathematics
    whole = escapes.one_line(name)
    shown = [part.strip() for part in shown.split(" | ")] if " | " not in whole else [whole.strip()]
    assert set(shown) == {whole.strip() if len(whole) <= 60 else f"{whole[:59]}…"}


def test_a_legend_shows_every_name() -> None:
    figure = Figure()
    names = [name or "x" for name in NAMES]
    axes = figure.subplots()
    figure.legend(handles=[axes.plot([1], label=escapes.figure_text(name))[0] for name in names])
    assert len(figure.legends[0].get_texts()) == len(names)
