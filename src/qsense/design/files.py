"""The files of a design's answer: words, numbers, the Pareto picture, the study page and the winner's export.

Open it to add a file to what `qsense design` writes into its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from qsense.design.judging import PARTLY
from qsense.design.plan import Design
from qsense.design.recommendation import Recommendation, as_record, headline, left_out, named, trust
from qsense.design.work import chosen_of, folders
from qsense.runs import folder as run_folder
from qsense.runs.escapes import markdown
from qsense.runs.words import metric_name, percent
from qsense.study.writing import write_each

WORDS, NUMBERS, PICTURE, EXPORT = "design.md", "design.json", "pareto.png", "export"


def write_answer(found: Recommendation) -> list[Path]:
    """Write what can be written of an answer.

    Raises:
        NotWrittenError: some file could not be; the others are.
    """
    out = found.design.request.out
    files: dict[Path, Callable[[Path], object]] = {
        out / WORDS: partial(_write_words, found),
        out / NUMBERS: lambda file: run_folder.write_json(file, as_record(found)),
    }
    if found.judged:
        from qsense.study.page import PAGE

        files[out / PICTURE] = partial(draw, found)
        files[out / PAGE] = lambda file: write_page(found, file.parent)
    return write_each(files)


def _write_words(found: Recommendation, file: Path) -> None:
    run_folder.write_atomically(file, "\n".join(words(found)) + "\n")


def words(found: Recommendation) -> list[str]:
    """The answer in Markdown."""
    design = found.design
    text = [f"# A converter for {markdown(design.dataset)}", ""]
    text += [f"- {markdown(line)}" for line in headline(found)]
    text += ["", *(f"{markdown(line)}  " for line in trust(found)), "", "## The others", ""]
    return text + [f"- {markdown(line)}" for line in left_out(found)]


def draw(found: Recommendation, file: Path) -> None:
    """Score over power, with the Pareto front: what was trained on some folds alone is hollow."""
    from qsense.plots.style import save
    from qsense.plots.tradeoff import Point, plot_tradeoff

    design, native, sign = found.design, found.reference, 1 if found.design.less else -1
    points = [Point(design.dataset, "unquantized", f"{design.native_bits} bit", design.power, native)]
    for one in found.judged:  # where unquantized samples are on all folds, less what is lost on those that both have
        name, bits, whole = named(one.candidate), f"{one.candidate.bits} bit", one.stage != PARTLY
        at, score = one.candidate.power, native + sign * one.loss
        points.append(Point(design.dataset, name, bits, at, score, one.half, whole, whole))
    label = metric_name(design.monitor) + (" (%)" if percent(design.monitor) else "")
    title = "bars: 95 % interval of the loss"
    save(plot_tradeoff(points, label, "radio + converter, by model (µW)", title, design.less), file)


def write_page(found: Recommendation, out: Path) -> None:
    """The study page of all runs of a design, which opens on its answer."""
    from qsense.study.page import write_page as write
    from qsense.study.summary import summarise

    summary = summarise(runs(found.design), found.design.monitor)
    lines = [*headline(found), *trust(found), *left_out(found)]
    write([replace(summary, findings={"Design": lines, **summary.findings})], out)


def runs(design: Design) -> Sequence[Path]:
    """The folders of a design's runs that have begun."""
    return folders(design, [one for number in range(len(design.brackets)) for one in chosen_of(design, number)])


def export_winner(found: Recommendation) -> Path | None:
    """Write `qsense export`'s files of the winner's first run, unless they are there; their folder, or None."""
    if found.winner is None:
        return None
    own = found.design.runs_of(found.winner.candidate)
    folder = own[found.winner.seeds[0], found.design.folds[0]][1]
    out = found.design.request.out / EXPORT
    mark = out / "run.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8").strip() == folder.name:
        return out
    from qsense.chip.export import export
    from qsense.chip.origin import origin
    from qsense.experiment.load import load

    export(load(folder, allow=found.design.allowed), origin(folder), out)
    run_folder.write_atomically(mark, folder.name + "\n")
    return out
