"""Which row of a table each run belongs to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qsense.runs.words import did_you_mean
from qsense.study.run import OWN_KEYS, ReportError, Run, quantizer_name, varying

PAPER_ORDER = ("none", "linear", "log", "gamma", "gamma_per_axis")  # others follow by name


@dataclass(frozen=True)
class Row:
    """One row of the table: a quantizer at some bits, and whatever else tells its runs from those of other rows.

    Where the user has said by which keys to group (`--by`), the fields that are not among them are empty.
    """

    quant: str
    bits: int | None
    network_bits: int | None
    task: str
    model: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """No quantizer first, then from many bits to few, quantizers in the papers' order."""
        known = PAPER_ORDER.index(self.quant) if self.quant in PAPER_ORDER else len(PAPER_ORDER)
        settings = tuple((key, _natural(value)) for key, value in self.settings)
        bits = (self.shown_bits is not None, -(self.shown_bits or 0), -(self.network_bits or 0))
        return self.task, self.model, *bits, known, self.quant, settings

    @property
    def name(self) -> str:
        """The quantizer with its bits: "gamma 2 bit"; empty where rows are not told apart by them."""
        return quantizer_name(self.quant, self.bits, self.network_bits)

    @property
    def shown_bits(self) -> int | None:
        """The number of bits that an axis shows: the sensor's, else the network's."""
        return self.network_bits if self.bits is None else self.bits

    @property
    def shown_bits_name(self) -> str:
        """The same by its own name: "2 bit", "network 4 bit"; empty where nothing is quantized."""
        return quantizer_name("", self.bits, self.network_bits if self.bits is None else None)

    @property
    def line(self) -> str:
        """The name without the bits that an axis shows: the rows of one line in a picture have it in common."""
        if self.bits is None and self.network_bits is not None:
            return f"{self.quant} (network bits)".strip()
        return quantizer_name(self.quant, None, self.network_bits)


Place = tuple[Row, str]  # a row and a data set
Kind = tuple[str, int | None, int | None, str, str]  # quantizer, its bits, the network's, task, model


def _natural(text: str) -> tuple[Any, ...]:
    """Numbers in their own order, before other texts; a list of numbers by its numbers."""
    try:
        return (0, tuple(float(number) for number in re.split(r"[^\w.+-]+", text.strip("[]"))), text)
    except ValueError:
        return (1, (), text)


def rows_of(scored: Sequence[Run]) -> dict[Path, Row]:
    """Each run's row. Runs that differ in more than seed and fold are told apart by the keys in which they differ.

    Data sets differ in many keys by nature, so keys are compared within a data set; one that varies within any of them
    is named in all. It is named in the other rows too, as far as they have one value of it (a quantizer's, model's or
    task's own keys: in those of the same kind), so that rows can be told apart by their names. Runs that have lost
    their configuration are a row of their own beside others.
    """
    groups: dict[Kind, list[Run]] = defaultdict(list)
    for run in scored:
        groups[run.quant, run.bits, run.network_bits, run.task, run.model].append(run)
    own: dict[Kind, set[str]] = {}
    named_keys: set[tuple[str, str]] = set()  # (key, the kind of rows that name it)
    for name, group in groups.items():
        datasets = {run.dataset for run in group}
        own[name] = set().union(*(varying(run for run in group if run.dataset == dataset) for dataset in datasets))
        named_keys.update((key, _kind(key, group[0])) for key in own[name])
    rows = {}
    for name, group in groups.items():
        differing = varying(group)
        known = any(run.settings for run in group)
        made: dict[int, Row] = {}  # runs that share their settings share their row
        for run in group:
            if id(run.settings) not in made:
                shared = {key for key in run.settings if (key, _kind(key, run)) in named_keys and key not in differing}
                keys = sorted(shared | own[name])
                named = [(key, run.settings[key]) for key in keys if key in run.settings]
                made[id(run.settings)] = Row(
                    *name, tuple(named) if run.settings or not known else (("config", "unknown"),)
                )
            rows[run.folder] = made[id(run.settings)]
    return rows


def _kind(key: str, run: Run) -> str:
    """Which rows have a key in the same meaning: those of the same quantizer, model or task; else all."""
    return {"quant": run.quant, "model": run.model, "task": run.task}.get(key.partition(".")[0], "")


def rows_by(scored: Sequence[Run], keys: Sequence[str]) -> dict[Path, Row]:
    """Each run's row where rows are told apart by these keys alone; runs without any of them have none.

    Args:
        scored: the runs.
        keys: as `full_keys` gives them.
    """
    rows = {}
    for run in scored:
        texts = [(key, run.key(key)) for key in keys if key not in OWN_KEYS[:-1]]
        rows[run.folder] = Row(
            run.quant if "quant" in keys else "",
            run.bits if "bits" in keys else None,
            run.network_bits if "network_bits" in keys else None,
            run.task if "task" in keys else "",
            run.model if "model" in keys else "",
            tuple((key, text) for key, text in texts if text is not None),
        )
    return {folder: row for folder, row in rows.items() if row != Row("", None, None, "", "")}


def full_keys(runs: Iterable[Run], keys: Sequence[str]) -> list[str]:
    """Keys by their whole names: "gamma" is quant.sensor.gamma where no other key ends so.

    Raises:
        ReportError: a key that no run has, or that several end in.
    """
    known = set(OWN_KEYS).union(*{id(run.settings): run.settings for run in runs}.values())
    return [_full(key, known) for key in keys]


def _full(key: str, known: set[str]) -> str:
    ends = sorted(name for name in known if name == key or name.endswith(f".{key}"))
    if key in known or len(ends) == 1:
        return key if key in known else ends[0]
    if ends:
        raise ReportError(f"--by {key} could be {', '.join(ends)}: write the one you mean")
    if Path(key).is_dir():
        raise ReportError(f"--by {key}: this is a folder and no key; folders of runs come first on the command line")
    ends_of = {name.rpartition(".")[2]: name for name in sorted(known, reverse=True)} | {name: name for name in known}
    raise ReportError(f"no run has a key {key}{did_you_mean(key, ends_of, most=3)}")


def pairs(rows: Iterable[Row], one: str, other: str) -> list[tuple[Row, Row]]:
    """Rows of one quantizer, each with every row of the other that differs from it in the quantizer and its settings
    alone; where one of the two is not quantized, in the bits, too."""

    def rest(row: Row) -> tuple[Any, ...]:
        settings = tuple(item for item in row.settings if not item[0].startswith("quant."))
        return row.task, row.model, settings

    def alike(first: Row, second: Row) -> bool:
        bits = (first.bits, first.network_bits), (second.bits, second.network_bits)
        return rest(first) == rest(second) and (bits[0] == bits[1] or (None, None) in bits)

    rows = list(rows)
    return [
        (first, second)
        for first in rows
        for second in rows
        if (first.quant, second.quant) == (one, other) and alike(first, second)
    ]
