"""Labels and subjects of a data set: from columns, from files' names, or as blocks of time.

Open it when classes or folds are not what they should be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from qsense.data.findings import GUESS, SURE, counted
from qsense.data.series.discover.columns import Seen
from qsense.data.series.discover.finding import Finding, configured, lasting, quoted
from qsense.data.series.discover.gather import Gathered
from qsense.data.series.discover.glance import Content
from qsense.data.series.discover.names import Named, pattern_of
from qsense.data.series.tables.files import LABEL, SUBJECT, label_in, matching_files, natural
from qsense.data.series.tables.table import Table

BLOCKS = 5  # in which one person's recordings are cut


def say_owners(
    found: Finding,
    gathered: Gathered,
    table: Table,
    seen: Seen,
    contents: Sequence[Content],
    given: Mapping[str, Any],
    broken: Set[Path] = frozenset(),
) -> None:
    """Labels and subjects, as lines and arguments; `given` are those that the user states.

    Args:
        broken: files of the data set that could not be read, which has been said.
    """
    files = [content.path for content in contents]
    named = pattern_of(
        gathered.root, files, seen.label is None, seen.subject is None and not given.get("blocks")
    )  # fmt: skip
    if given.get("files"):
        named = replace(named, files=given["files"], subjects=(), labels=())
        found_owner = {path: owner for owner, path in matching_files(gathered.root, named.files)}
        contents = [content for content in contents if content.path in found_owner]
        if not contents:
            found.problems.append(f"--files {named.files}: no file below {gathered.root} has such a name")
            return
        if SUBJECT in named.files:
            named = replace(named, subjects=tuple(found_owner[content.path] for content in contents), certain=True)
        if LABEL in named.files:
            named = replace(named, labels=tuple(label_in(content.path, named.files) for content in contents))
    found.arguments["files"] = named.files
    matched = {path for _, path in matching_files(gathered.root, named.files)}
    strange = sorted(matched - set(files) - broken)
    owners = {owner for owner, path in matching_files(gathered.root, named.files) if path in strange}
    if strange and named.subjects and not owners & set(named.subjects):
        found.arguments["subjects"] = sorted(set(named.subjects), key=natural)
        found.say("left out", f"{', '.join(path.name for path in strange[:4])}: none of the subjects that are named")
    elif strange:
        found.problems.append(
            f"{named.files} also matches {counted(len(strange), 'file')} without such a table (as {strange[0].name}): "
            "move them elsewhere, or name those that are meant (--files PATTERN)"
        )
    rate = found.arguments.get("rate_hz") or math.nan
    pairs: Counter[tuple[str, str]] = Counter()
    for number, content in enumerate(contents):
        for (subject, label), count in content.pairs.items():
            subject = named.subjects[number] if named.subjects else subject or content.path.stem
            pairs[subject, named.labels[number] if named.labels else label] += round(count / content.share)
    sampled = any(content.share < 1 for content in contents)
    _labels(found, table, seen, named, pairs, rate, given, GUESS if sampled else SURE)
    _subjects(found, table, seen, named, pairs, contents, given)


def _labels(
    found: Finding,
    table: Table,
    seen: Seen,
    named: Named,
    pairs: Counter[tuple[str, str]],
    rate: float,
    given: Mapping[str, Any],
    mark: str,
) -> None:
    counts: Counter[str] = Counter()
    for (_, label), count in pairs.items():
        counts[label] += count
    if seen.label is None and not named.labels:
        found.say("labels", "none: no column tells them, nor do the files' names", GUESS)
        found.problems.append(
            "there are no labels: add a column (--label COLUMN), or name files by what they hold, as walking_1.csv "
            "(--files '{label}_*.csv')"
        )
        return
    if seen.label is not None:
        found.arguments["label"] = configured(table, seen.label)
    names = sorted((name for name in counts if name and name != "NULL"), key=natural)
    if counts.get("NULL") or counts.get(""):
        names = ["NULL", *names]
    found.arguments["labels"] = given["labels"] if given.get("labels") is not None else names
    where = quoted(table, seen.label) if seen.label is not None else f"names of files ({named.files})"
    shown = ", ".join(f"{name or 'NULL'} {lasting(counts[name], rate)}" for name in names[:12])
    found.say("labels", f"{len(names)} in {where}: {shown}{' …' * (len(names) > 12)}", mark)
    if len(names) < 2:
        found.problems.append(
            f"there is one class alone ({', '.join(names)}): record another activity, or name the column of labels "
            "(--label COLUMN)"
        )
    elif len(names) > 60:
        found.problems.append(f"{len(names)} different labels: is {where} the label? --label COLUMN names another")
    if few := [name for name in names if counts[name] < found.window]:
        found.say("", f"shorter than one window of {found.window} samples: {', '.join(few[:6])}", GUESS)


def _subjects(
    found: Finding,
    table: Table,
    seen: Seen,
    named: Named,
    pairs: Counter[tuple[str, str]],
    contents: Sequence[Content],
    given: Mapping[str, Any],
) -> None:
    names = sorted({subject for subject, _ in pairs}, key=natural)
    arguments = found.arguments
    shown = ", ".join(names[:10]) + " …" * (len(names) > 10)
    arguments["subject"] = False if seen.subject is None else configured(table, seen.subject)
    if given.get("subjects") is not None:
        arguments["subjects"] = given["subjects"]
    blocks = given.get("blocks")
    alone = len(names) < 2 or (seen.subject is None and not named.subjects and (named.labels or len(contents) == 1))
    if blocks or alone:
        arguments["blocks"] = found.subjects = int(blocks or BLOCKS)
        found.say(
            "subjects",
            ("" if blocks else "one, as it seems: ") + f"each recording is cut into {arguments['blocks']} blocks of "
            "time, and a fold holds one of them out. Scores are then higher than for a person whom the network has "
            "never seen",
            SURE if blocks else GUESS,
        )
        return
    found.subjects = len(names)
    if seen.subject is not None:
        found.say("subjects", f"{len(names)} in {quoted(table, seen.subject)}: {shown}")
    elif named.subjects:
        what = "" if named.certain else "; if they number one person's recordings, folds hold recordings out"
        mark = SURE if named.certain else GUESS
        found.say("subjects", f"{len(names)} in names of files ({named.files}): {shown}{what}", mark)
    else:
        found.say("subjects", f"each file is taken for one ({len(names)}): {shown}", GUESS)
