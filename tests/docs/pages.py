"""The pages of the documentation, README among them, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ *```bash\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def lines(page: Path) -> Iterator[list[str]]:
    """The words of each command in the page's blocks, as a shell splits them; a backslash joins lines."""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                if words := shlex.split(part, comments=True):
                    yield words


def shown() -> Iterator[tuple[str, list[str]]]:
    """Every command with the page that shows it."""
    for page in PAGES:
        for words in lines(page):
            yield page.relative_to(ROOT).as_posix(), words
