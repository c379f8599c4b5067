"""Tables, messages and commands that fit a screen: columns that find no room go below, no name or number is broken.

Open it to change how a table is cut; what stands in it is said by whoever prints it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len
from rich.text import Text

GAP = 2  # blanks between columns
NARROWEST = 40  # columns of the narrowest screen that tables are fitted to
LONGEST = 24  # letters of a heading's word, where no cell is wider
FIXED = "\N{NO-BREAK SPACE}"  # stands for a blank where a sentence may not be broken, until it has been
INDENT = "  "  # of the further lines of a row's name
SEPARATOR = " · "  # of the parts of a row's name, or of facts in a line
STARTED = "(?:(?:pip|apt-get) install|qsense [a-z]+|python3? -m)"  # what a command to be copied begins with
COMMAND = re.compile(rf" *{STARTED} ")
# What is not broken: the first words of a command stay together, and those of an error, however long its path is.
# Of several blanks all but the first belong to the word behind them: a path may have them.
WORD = re.compile(rf"(?:^| )( *(?:[(`'\"]?(?:{STARTED}|(?:error|warning|note):) [^ ]+|[^ ]+))")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        heading: may be broken at its blanks.
        cells: the lines of each; only the first of a cell's lines is not dim.
        bold: which cells are.
    """

    heading: str
    cells: Sequence[Sequence[str]]
    bold: frozenset[int] = frozenset()


def fixed(name: str) -> str:
    """A name within a sentence, which is broken at most between its parts.

    >>> fixed("gamma 2 bit · lr=1").replace(FIXED, "_")
    'gamma_2_bit · lr=1'
    """
    return SEPARATOR.join(part.replace(" ", FIXED) for part in name.split(SEPARATOR))


def sentence(text: str, width: int, indent: str = "", hanging: str = "") -> str:
    """A sentence in lines of a width, broken at blanks, and not within what is `fixed`.

    >>> print(sentence("the best: " + fixed("gamma 2 bit"), 18))
    the best:
    gamma 2 bit
    """
    return "\n".join(_filled(text.split(" "), width, indent, hanging or indent)).replace(FIXED, " ")


def in_lines(message: str, width: int | None = None, hanging: str = "  ") -> str:
    """A message whose lines fit the screen, the further ones set in. A line that is a command stays whole, for whoever
    copies it.

    Args:
        message: of one line or several.
        width: of a line; None: `width_of` stdout.
        hanging: what is before a broken line's further lines, beside its own indent.

    >>> print(in_lines("error: there is no bit=2 (did you mean bits?)\\nallowed: bits", 30))
    error: there is no bit=2 (did
      you mean bits?)
    allowed: bits
    """
    columns = width_of(sys.stdout) if width is None else width
    return "\n".join(_broken(line, columns, hanging) for line in message.split("\n"))


def _broken(line: str, width: int, hanging: str) -> str:
    if cell_len(line) <= width or COMMAND.match(line):
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return "\n".join(_filled(WORD.findall(line.strip(" ")), width, indent, indent + hanging))


def width_of(stream: TextIO) -> int:
    """Columns that a line has on a stream: those of a terminal, or as COLUMNS says. In files and pipes lines stay
    whole, for programs that look for them."""
    return shutil.get_terminal_size().columns if stream.isatty() or "COLUMNS" in os.environ else sys.maxsize


def to_stderr(message: str) -> None:
    """Print a message to stderr, `in_lines` on a terminal."""
    print(in_lines(message, width_of(sys.stderr)), file=sys.stderr, flush=True)


def as_facts(line: str, width: int) -> str:
    """Facts on one line, as many as there is room for: those before the last one give way.

    >>> as_facts("epoch 3/30 · loss 0.512 · 2.3 s/epoch · 1 min left", 40)
    'epoch 3/30 · loss 0.512 · 1 min left'
    """
    facts = line.split(SEPARATOR)
    while len(facts) > 2 and cell_len(SEPARATOR.join(facts)) > width:
        del facts[-2]
    return SEPARATOR.join(facts)


def command_in_lines(words: Iterable[object], width: int, indent: str = "", start: str = "") -> str:
    """A command for a shell, in lines of a width: all but the last end with the sign that it goes on.

    Args:
        words: of the command.
        width: of the lines.
        indent: before it and, two blanks more, its further lines.
        start: stands in place of the first line's indent.

    >>> print(command_in_lines(["qsense", "export", "runs/a b", "--check"], 26))
    qsense export 'runs/a b' \\
      --check
    """
    quoted = [shlex.quote(str(word)) for word in words]
    lines = [start or indent]
    for place, word in enumerate(quoted):
        room = width if place == len(quoted) - 1 else width - len(" \\")
        if not lines[-1].strip(" ") or lines[-1] == start:
            lines[-1] += word
        elif cell_len(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{indent}  {word}")
    return " \\\n".join(lines)


def _filled(words: Iterable[str], width: int, indent: str = "", hanging: str = "") -> list[str]:
    """Words in lines; `textwrap` counts letters, and some take two columns."""
    lines: list[str] = []
    for word in filter(None, words):
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append((hanging if lines else indent) + word)
    return lines


def table(
    first: str,
    names: Sequence[str],
    groups: Sequence[Sequence[Column]],
    width: int,
    rules: frozenset[int] = frozenset(),
) -> Text:
    """A table, cut into several below one another where it is wider than the screen, each with the rows' names.

    It is cut between groups of columns, and within a group that is too wide by itself. A row's name that takes more
    than half of the width is broken between its parts; a part that leaves no room for any column, or such a word of a
    heading, loses its middle.

    Args:
        first: what heads the rows' names.
        names: of the rows.
        groups: the other columns.
        width: of the screen.
        rules: rows above which a line is drawn.
    """
    width = max(width, NARROWEST)
    cells = max((_cells(column) for group in groups for column in group), default=0)
    parts = max((cell_len(part) for name in names for part in name.split(SEPARATOR)), default=0)
    most = max(width // 2, min(parts + len(INDENT), width - GAP - cells))
    named = [[first], *(_name(name, most) for name in names)]
    room = max(cell_len(line) for lines in named for line in lines)
    sized = [[(column, _width(column, width - room - GAP)) for column in group] for group in groups]
    whole = [column for group in sized for column in group]
    blocks = (
        [whole] if _sum(whole) <= width - room else [block for group in sized for block in _cut(group, width - room)]
    )
    return Text("\n\n").join(_block(named, room, block, rules) for block in blocks)


def _sum(columns: Sequence[tuple[Column, int]]) -> int:
    return sum(GAP + own for _, own in columns)


def _cut(columns: Sequence[tuple[Column, int]], most: int) -> list[list[tuple[Column, int]]]:
    """As many columns as fit, then the next."""
    blocks: list[list[tuple[Column, int]]] = []
    for column in columns:
        if not blocks or _sum([*blocks[-1], column]) > most:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def _name(name: str, most: int) -> list[str]:
    if cell_len(name) <= most:
        return [name]
    lines: list[str] = []
    for part in (_short(part, most - len(INDENT)) for part in name.split(SEPARATOR)):
        if lines and cell_len(lines[-1] + SEPARATOR + part) <= most:
            lines[-1] += SEPARATOR + part
        else:
            lines.append(INDENT * bool(lines) + part)
    return lines


def _short(word: str, most: int) -> str:
    """A word without its middle, where it is too long for its place.

    >>> _short("abcdefghi", 5)
    'ab…hi'
    """
    if cell_len(word) <= most:
        return word
    half = (most - 1) // 2
    head, tail = "", ""
    for character in word:
        if cell_len(head + character) > half:
            break
        head += character
    for character in reversed(word):
        if cell_len(tail + character) > half:
            break
        tail = character + tail
    return f"{head}…{tail}"


def _cells(column: Column) -> int:
    return max((cell_len(line) for cell in column.cells for line in cell), default=0)


def _width(column: Column, most: int) -> int:
    """The widest cell, or word of the heading."""
    cells = _cells(column)
    words = [_short(word, max(cells, min(most, LONGEST))) for word in column.heading.split()]
    return max([cells, *map(cell_len, words)])


def _block(
    names: Sequence[Sequence[str]], room: int, columns: Sequence[tuple[Column, int]], rules: frozenset[int]
) -> Text:
    """One table that is known to fit."""
    rule = Text("─" * (room + _sum(columns)), "dim")
    first, *others = names
    headings = [_heading(column.heading, own) for column, own in columns]
    high = max(map(len, [first, *headings]))
    lines: list[Text] = []
    for number in range(-high, 0):  # they stand on the rule
        words = [heading[number] if -number <= len(heading) else "" for heading in [first, *headings]]
        titles = [([word], own, "bold") for word, (_, own) in zip(words[1:], columns, strict=True)]
        lines += _lines(words[:1], room, titles)
    lines.append(rule)
    for place, name in enumerate(others):
        if place in rules:
            lines.append(rule)
        cells = [(column.cells[place], own, "bold" * (place in column.bold)) for column, own in columns]
        lines += _lines(name, room, cells)
    return Text("\n").join(lines)


def _heading(text: str, width: int) -> list[str]:
    return _filled([_short(word, width) for word in text.split()], width)


def _lines(name: Sequence[str], room: int, cells: Sequence[tuple[Sequence[str], int, str]]) -> Iterator[Text]:
    """The lines of one row: its name, and of each cell the lines, the width, and the style of the first."""
    for number in range(max([len(name), *(len(lines) for lines, _, _ in cells)])):
        start = name[number] if number < len(name) else ""
        line = Text(start + " " * (room - cell_len(start)))
        for lines, own, style in cells:
            text = lines[number] if number < len(lines) else ""
            line.append(" " * (GAP + own - cell_len(text)))
            line.append(text, style if number == 0 else "dim")
        line.rstrip()
        yield line
