"""Names of other people's making, written so that they stay text in every form that an experiment is told in.

A channel, a class, a data set or a run may be called anything: its name comes from a file's head, a folder, a
configuration. Each function takes plain text and returns what stands for it in one form. Open it to add a form.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's controls, formats, lone surrogates and separators of lines
JOINERS = "\u200c\u200d"  # formats that words of many languages need
FORMULA = "=+-@＝＋－＠"  # what a cell of a spreadsheet calculates begins with
LATEX = {
    **{c: f"\\{c}" for c in "_%&#${}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "`": "\\textasciigrave{}",
    "[": "{[}",  # at a row's start it would be an option of the line break before, as would a star
    "*": "{*}",
    "·": "$\\cdot$",
    "µ": "$\\mu$",
}


def one_line(text: str) -> str:
    """Text on one line, with every character that moves, hides or turns other text written out; for screens and logs.

    >>> one_line("a\\nb"), one_line("\\x1b[31mred"), one_line("γ 加速度")
    ('a\\\\nb', '\\\\x1b[31mred', 'γ 加速度')
    """
    if text.isprintable():  # nearly all of it is, and pages hold megabytes
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in INVISIBLE and c not in JOINERS else c
        for c in text
    )


def comment(text: str) -> str:
    """A line of a comment in C, Verilog or a table for `$readmemh`: it neither ends the comment nor joins two lines.

    >>> comment("a/*b*/"), comment("x \\\\"), comment("int\\nevil;")
    ('a/ *b* /', 'x \\\\ .', 'int\\\\nevil;')
    """
    line = one_line(text).rstrip().replace("*/", "* /").replace("/*", "/ *")
    return f"{line} ." if line.endswith(("\\", "??/")) else line  # ??/ is a backslash in C99


def csv_cell(text: str) -> str:
    """A cell of a CSV file that no spreadsheet calculates; the writer of the file quotes it. Not for numbers.

    >>> csv_cell("=1+1"), csv_cell("-1"), csv_cell("acc_x"), csv_cell("a;=b")
    ("'=1+1", "'-1", 'acc_x', "a;'=b")
    """
    # where a comma is the decimal sign, spreadsheets part cells at semicolons
    return re.sub(rf"(^|;)(?=\s*[{FORMULA}])", r"\1'", one_line(text))


def html(text: str) -> str:
    """Text or an attribute's value in HTML.

    >>> html("<b> & 'c'")
    '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return escape(one_line(text))


def in_script(json: str) -> str:
    """JSON within a page's `<script>`, where nothing in it can end the script.

    >>> in_script('{"a": "</script>"}')
    '{"a": "\\\\u003c/script>"}'
    """
    return json.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def markdown(text: str) -> str:
    """Text in Markdown, in a table's cell, too.

    >>> markdown("gamma_per_axis"), markdown("*a*|[b](c)"), markdown("<img>"), markdown("# 1")
    ('gamma_per_axis', '\\\\*a\\\\*\\\\|\\\\[b\\\\](c)', '&lt;img&gt;', '\\\\# 1')
    """
    text = re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", one_line(text))
    text = re.sub(r"&(?=[#\w])", "&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<=:)/(?=/)|(?<=\bwww)\.", r"\\\g<0>", text)  # no address becomes a link
    return re.sub(r"^(\s*\d*)([#+\-=.)])", r"\1\\\2", text)  # nor a first character a heading or a list


def latex(text: str) -> str:
    """Text in LaTeX, in a table's cell, too.

    >>> latex("gamma_per_axis · lr=1 %"), latex("\\\\input{x}")
    ('gamma\\\\_per\\\\_axis $\\\\cdot$ lr=1 \\\\%', '\\\\textbackslash{}input\\\\{x\\\\}')
    """
    return re.sub("-(?=-)", "-{}", "".join(LATEX.get(c, c) for c in one_line(text)))


def brief(text: str, longest: int) -> str:
    """One line of at most so many characters.

    >>> brief("a" * 9, 5)
    'aaaa…'
    """
    line = one_line(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def figure_text(text: str, longest: int = 60) -> str:
    """Text in a figure: no mathematics, one line, and no longer than a figure has room for.

    >>> figure_text("$x$ 1"), figure_text("_x"), figure_text("a" * 9, longest=5)
    ('\\\\$x\\\\$ 1', ' _x', 'aaaa…')
    """
    line = brief(text, longest).replace("$", "\\$")
    return f" {line}" if line.startswith("_") else line  # Matplotlib leaves labels that begin with _ out of legends
