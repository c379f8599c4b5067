"""The files of a design's answer: words, numbers, the Pareto picture, the study page and the winner's export.

Open it to add a file to what `qsense design` writes into its folder.
"""

from __future__ import annotations

import base64
import html
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qsense.design.judging import PARTLY
from qsense.design.plan import Design
from qsense.design.recommendation import Recommendation, as_record, headline, left_out, named, trust
from qsense.design.work import chosen_of, folders
from qsense.runs import folder as run_folder
from qsense.runs.escapes import markdown, one_line
from qsense.runs.reading import read_json
from qsense.runs.words import metric_name, percent
from qsense.study.writing import write_each

WORDS, NUMBERS, PICTURE, EXPORT = "design.md", "design.json", "pareto.png", "export"
EXPORTED, MOST_BYTES = "run.txt", 1 << 24  # in the export: which run it is of


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


def answer_on_file(design: Design) -> dict[str, Any] | None:
    """The record of a search that has come to its end, as it was written; None without one."""
    try:
        record = read_json(design.request.out / NUMBERS, MOST_BYTES)
    except (OSError, ValueError):
        return None
    same = isinstance(record, dict) and record.get("key") == design.key and record.get("finished") is True
    texts = ("headline", "trust", "others")
    whole = same and all(isinstance(record.get(key), list) for key in texts)
    exported = whole and (record.get("winner") is None or (design.request.out / EXPORT / EXPORTED).is_file())
    return record if exported and (design.request.out / WORDS).is_file() else None


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
    """The study page of a design's runs, which opens on its answer; what was tried on few folds is in words alone."""
    from qsense.study.page import PAGE, study_page
    from qsense.study.summary import summarise

    whole = [one.candidate for one in found.judged if one.stage != PARTLY]
    summary = summarise(folders(found.design, whole), found.design.monitor)
    # Fresh seeds are trained of the best alone, so a row is whole with its own seeds.
    own = {place: replace(cell, seeds=tuple(cell.folds)) for place, cell in summary.cells.items()}
    with tempfile.TemporaryDirectory() as folder:
        draw(found, picture := Path(folder) / PICTURE)
        answer = answer_section(found, base64.b64encode(picture.read_bytes()).decode())
    page = study_page([replace(summary, cells=own)], budget=found.design.request.budget, lead=answer)
    run_folder.write_atomically(out / PAGE, page)


def answer_section(found: Recommendation, picture: str) -> str:
    """The answer as a section of the page, with its picture, a PNG in base64."""
    first, *rest = map(_html, headline(found))
    lines = [f"<p>{line}</p>" for line in rest]
    small = [f'<p class="note">{_html(line)}</p>' for line in trust(found)]
    others = [f"<li>{_html(line)}</li>" for line in left_out(found)]
    return "\n".join(
        [
            f'<section id="design" style="margin-bottom: 1rem"><h2>{first}</h2>',
            *lines,
            f'<img src="data:image/png;base64,{picture}" alt="score against power" style="max-width: 100%">',
            *small,
            "<details><summary>The others, and why not</summary><ul>",
            *others,
            "</ul></details>",
            '<p class="note">Below: only the converters that were trained on all folds, with all of their seeds, also '
            "that of the search. The loss above is that of the fresh seeds where there are any. What was given up "
            "before is in the list above.</p></section>",
        ]
    )


def _html(text: str) -> str:
    return html.escape(one_line(text))


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
    mark = out / EXPORTED
    if mark.is_file() and mark.read_text(encoding="utf-8").strip() == folder.name:
        return out
    from qsense.chip.export import export
    from qsense.chip.origin import origin
    from qsense.experiment.load import load

    export(load(folder, allow=found.design.allowed), origin(folder), out)
    run_folder.write_atomically(mark, folder.name + "\n")
    return out
