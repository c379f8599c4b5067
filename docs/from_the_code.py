"""Sphinx directives that write pages from the code: each option of a group, each command's help.

Open it to change how the configuration's or the commands' reference looks.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from qsense.__main__ import command, commands
from qsense.experiment.schema import beside_package, config_folder

WIDTH = 86  # columns of a page's blocks of code
SWEEPS = beside_package("sweeps")


class Written(SphinxDirective):
    """A directive whose Markdown is written by `markdown` and read as if it stood on the page."""

    required_arguments = 0

    def markdown(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.markdown(), allow_section_headings=True)


class Options(Written):
    """Every YAML of a group of `conf/`, or of the sweeps: its name, its first sentence, the file."""

    required_arguments = 1

    def markdown(self) -> str:
        group = self.arguments[0]
        folder = SWEEPS if group == "sweeps" else config_folder() / group
        for file in files(folder):
            self.env.note_dependency(str(file))
        return "\n\n".join(option(group, file) for file in files(folder))


class Root(Written):
    """The root of the configuration, without Hydra's own part."""

    def markdown(self) -> str:
        text = (config_folder() / "train.yaml").read_text(encoding="utf-8")
        return fenced("yaml", text.partition("\nhydra:\n")[0])


class Helps(Written):
    """What each command says to `--help`."""

    def markdown(self) -> str:
        return "\n\n".join(helped(name, line) for name, line in commands().items())


def files(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order of their names."""
    return sorted(folder.glob("*.yaml"))


def option(group: str, file: Path) -> str:
    """The section of one YAML file, which links find as conf-GROUP-OPTION."""
    title = file.stem if group == "sweeps" else f"{group}={file.stem}"
    target = f"conf-{group}-{file.stem}".replace("/", "-").replace("_", "-")
    return f"({target})=\n### {title}\n\n" + fenced("yaml", file.read_text(encoding="utf-8"))


def helped(name: str, line: str) -> str:
    """The section of one command."""
    parser = command(name).parser()
    assert isinstance(parser, argparse.ArgumentParser)
    parser.formatter_class = narrow(parser.formatter_class)
    return f"## qsense {name}\n\n{line}{'' if line.endswith('?') else '.'}\n\n" + fenced("text", parser.format_help())


def narrow(formatter: Any) -> Any:
    """The same formatter of help at a page's width, whatever the terminal has."""
    return lambda prog: formatter(prog, width=WIDTH)


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"````{language}\n{text.strip()}\n````"


def escape_bars(app: Sphinx, what: str, name: str, about: Any, options: Any, lines: list[str]) -> None:
    """Docstrings write |x|, which reStructuredText takes for a reference; what stands in `…` is left alone."""
    lines[:] = [re.sub(r"(`[^`]*`)|[|]", lambda found: found[1] or r"\|", line) for line in lines]


def keep_sentences(app: Sphinx, what: str, name: str, about: Any, options: Any, lines: list[str]) -> None:
    """Where a docstring says "the result: more of it", napoleon takes what comes before the colon for a type."""
    firsts = [number + 1 for number, line in enumerate(lines[:-1]) if line.strip() in ("Returns:", "Yields:")]
    for number in [*firsts, *([0] if what in ("attribute", "property") else [])]:
        lines[number] = lines[number].replace(": ", " – ")


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_directive("options", Options)
    app.add_directive("root", Root)
    app.add_directive("helps", Helps)
    app.connect("autodoc-process-docstring", keep_sentences, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
