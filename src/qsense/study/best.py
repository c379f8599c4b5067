"""Which quantizer is best at a number of bits: what screen, Markdown, LaTeX and page print in bold, and say first.

Open it to change what counts as best, or the sentences that a report begins with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from qsense.runs.words import lower_is_better
from qsense.study.cell import Cell
from qsense.study.rows import Place, Row

Group = tuple[str, str]  # a data set, and a number of bits by its name


def best(metric: str, cells: Mapping[Place, Cell]) -> dict[Group, Place]:
    """The best cell of each data set at each number of bits, the first of equals.

    Only cells over all folds that their column averages take part: another's mean may be better for its easy folds.

    Args:
        metric: which metric the cells are of: less of a loss is better.
        cells: as `Summary.cells` has them.
    """
    return {group: _better(metric, several) for group, several in _groups(cells).items()}


def marked(metric: str, cells: Mapping[Place, Cell]) -> set[Place]:
    """Those of `best` that are better than something: the only one at its bits is not marked."""
    groups = _groups(cells)
    return {place for group, place in best(metric, cells).items() if len(groups[group]) > 1}


def _groups(cells: Mapping[Place, Cell]) -> dict[Group, dict[Place, Cell]]:
    groups: dict[Group, dict[Place, Cell]] = defaultdict(dict)
    for (row, dataset), cell in cells.items():
        if cell.comparable:
            groups[dataset, row.shown_bits_name][row, dataset] = cell
    return groups


def _better(metric: str, cells: Mapping[Place, Cell]) -> Place:
    sign = -1 if lower_is_better(metric) else 1
    return max(cells, key=lambda place: sign * cells[place].mean)


def fewer_bits(metric: str, cells: Mapping[Place, Cell], dataset: str) -> tuple[Row | None, list[Row]]:
    """On a data set: the best row that is not quantized, None without any; and the best at each number of bits, from
    many to few."""
    rows = [place[0] for (name, _), place in best(metric, cells).items() if name == dataset]
    whole = next((row for row in rows if row.shown_bits is None), None)
    return whole, sorted((row for row in rows if row.shown_bits is not None), key=lambda row: row.order)
