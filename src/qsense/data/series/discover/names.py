"""What files' names tell: the class, the subject, or neither; as the pattern that `csv_har` takes.

Open it when a label or a subject is read from the wrong part of a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.data.series.tables.files import LABEL, SUBJECT, label_in, matching_files

DATES = re.compile(
    r"\d{4}[-_.]\d\d?[-_.]\d\d?(?:[-_ T]+\d\d?[-_:.h]?\d\d(?:[-_:.m]?\d\d)?(?:[.,_]\d+)?Z?)?"
    r"|\d{8}[-_T ]?\d{4,6}|20\d{6}|1[5-9]\d{8}(?:\d{3})?(?:\d{6})?"
)
PERSONS = {"p", "s", "sub", "subj", "sbj", "subject", "user", "u", "id", "person", "participant", "proband", "vp",
           "volunteer", "teilnehmer", "pid", "patient"}  # fmt: skip
ACTIVITIES = re.compile(
    r"walk|run|jog|sit|stand|lie|lying|lay|stair|cycl|bik|jump|hop|rest|idle|still|fall|driv|car|bus|train|squat|push|"
    r"climb|up|down|gehen|lauf|renn|sitz|steh|lieg|trepp|fahr|spring|ruhe|marche|cours|assis|debout|null|other",
    re.IGNORECASE,
)
TOKEN = re.compile(r"\*|\d+|[^\W\d_]+|[\W_]")


@dataclass(frozen=True)
class Named:
    """What a pattern of names tells.

    Args:
        files: the pattern, relative to the root.
        subjects: of each file; empty where names tell none.
        labels: of each file; empty where names tell none.
        certain: whether the subjects are called so.
    """

    files: str
    subjects: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    certain: bool = True


@dataclass
class Segment:
    """A part of the names that differs among files: words, a number, or a date."""

    kind: str
    values: list[str]
    before: str  # the constant text in front of it
    folder: bool


def pattern_of(root: Path, files: Sequence[Path], wants_label: bool, wants_subject: bool) -> Named:
    """The pattern that matches these files and tells what is wanted, as far as their names do.

    Args:
        root: the folder of which names are relative.
        files: below it.
        wants_label: no column is the label.
        wants_subject: no column is the subject.
    """
    paths = [file.relative_to(root).as_posix() for file in files]
    parts = _parts(paths)
    plain = _plain(paths)
    if parts is None or not (wants_label or wants_subject):
        return Named(plain)
    segments = [part for part in parts if isinstance(part, Segment)]
    label, subject, certain = _roles(segments, wants_label, wants_subject)
    pattern = "".join(
        part if isinstance(part, str) else LABEL if part is label else SUBJECT if part is subject else "*"
        for part in parts
    )
    pattern = re.sub(r"\*+(?=\*)", "", pattern)
    matched = {path: owner for owner, path in matching_files(root, pattern)}
    if not set(files) <= set(matched):
        return Named(plain)
    subjects = tuple(matched[file] for file in files) if subject else ()
    labels = tuple(label_in(file, pattern) for file in files) if label else ()
    return Named(pattern, subjects, labels, certain)


def _plain(paths: Sequence[str]) -> str:
    """A pattern that matches all of them and tells nothing."""
    if len(paths) == 1:
        return paths[0]
    names = {path.rpartition("/")[2] for path in paths}
    depths = {path.count("/") for path in paths}
    name = names.pop() if len(names) == 1 else f"*{Path(paths[0]).suffix}"
    return ("*/" * depths.pop() if len(depths) == 1 else "**/") + name


def _parts(paths: Sequence[str]) -> list[str | Segment] | None:
    """Constant text and segments that all names have in this order; None where names differ in their build."""
    levels = [path.split("/") for path in paths]
    if len({len(level) for level in levels}) > 1:
        return None
    parts: list[str | Segment] = []
    for number, names in enumerate(zip(*levels, strict=True)):
        last = number == len(levels[0]) - 1
        found = _of_level(list(names), folder=not last)
        if found is None:
            return None
        parts += [*found, *([] if last else ["/"])]
    return parts


def _of_level(names: list[str], folder: bool) -> list[str | Segment] | None:
    if len(set(names)) == 1:
        stem = names[0] if folder else names[0].rpartition(".")[0]
        words = [word for word in re.split(r"[\W\d_]+", stem) if word]
        if len(words) == 1 and ACTIVITIES.search(words[0]) and not folder:  # all of one class, whose name stands there
            start = names[0].find(words[0])
            return [names[0][:start], Segment("word", [words[0]] * len(names), "", folder),
                    names[0][start + len(words[0]) :]]  # fmt: skip
        return [names[0]]
    ending = "" if folder else f".{names[0].rpartition('.')[2]}"
    stems = [name.removesuffix(ending) for name in names]
    rows = [TOKEN.findall(DATES.sub("*", stem)) for stem in stems]
    head = _common(rows)
    tail = _common([row[len(head) :][::-1] for row in rows])[::-1]
    middles = [row[len(head) : len(row) - len(tail)] for row in rows]
    if not all(middles):  # one name is the beginning of another: "walk" and "walk 2"
        head, tail, middles = [], [], rows
    shapes = [_shape(row) for row in middles]
    if len({tuple(kind for kind, _ in shape) for shape in shapes}) > 1:
        shapes = [_shape(_merged(row)) for row in middles]
    kinds = {tuple(kind for kind, _ in shape) for shape in shapes}
    if len(kinds) > 1:
        shapes = _with_any_end(shapes)
        kinds = {tuple(kind for kind, _ in shape) for shape in shapes}
        if len(kinds) > 1:
            return None
    found: list[str | Segment] = ["".join(head)]
    before = "".join(head)
    for column in zip(*shapes, strict=True):
        kind, values = column[0][0], [value for _, value in column]
        if kind == "sign" or (len(set(values)) == 1 and kind != "date"):
            if len(set(values)) > 1:  # signs that differ
                return None
            found.append(values[0])
            before = before + values[0] if kind != "sign" else values[0]
        else:
            found.append(Segment(kind, values, before, folder))
            before = ""
    return [*found, "".join(tail), ending]


def _common(rows: Sequence[Sequence[str]]) -> list[str]:
    """Tokens with which all rows begin."""
    common = []
    for tokens in zip(*rows, strict=False):
        if len(set(tokens)) > 1 or tokens[0] == "*":
            break
        common.append(tokens[0])
    return common


def _shape(tokens: Sequence[str]) -> list[tuple[str, str]]:
    """Kind and text of each token."""

    def kind(token: str) -> str:
        return "date" if token == "*" else "number" if token.isdigit() else "word" if token[0].isalpha() else "sign"

    return [(kind(token), token) for token in tokens]


def _merged(tokens: Sequence[str]) -> list[str]:
    """Words with the signs between them as one: walking, _, upstairs → walking_upstairs."""
    return re.findall(r"\*|\d+|[^\W\d_]+(?:[\W_]+?[^\W\d_]+)*|[\W_]", "".join(tokens))


def _with_any_end(shapes: list[list[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
    """What all names begin with, and a star for the rest: as phones number copies, "walk" and "walk (2)"."""
    shared = 0
    while all(len(shape) > shared for shape in shapes) and len({shape[shared][0] for shape in shapes}) == 1:
        shared += 1
    while shared and shapes[0][shared - 1][0] == "sign":
        shared -= 1
    return [[*shape[:shared], ("date", "*")] for shape in shapes] if shared else shapes


def _roles(
    segments: Sequence[Segment], wants_label: bool, wants_subject: bool
) -> tuple[Segment | None, Segment | None, bool]:
    """Which segment is the label and which the subject, and whether the subjects are called so."""
    words = [part for part in segments if part.kind == "word"]
    label = None
    if wants_label and words:
        label = max(words, key=lambda part: (_active(part), len(set(part.values)) > 1, not part.folder))
    left = [part for part in segments if part is not label and part.kind in ("number", "word")]
    left = [part for part in left if len(set(part.values)) > 1]
    if label is not None:  # what counts the files, and has each label once, is no subject
        left = [part for part in left if _shares_labels(part, label)]
    if not (wants_subject and left):
        return label, None, True

    def called(part: Segment) -> bool:
        return re.sub(r"[\W\d_]+$", "", part.before).lower().rpartition("_")[2] in PERSONS

    subject = max(left, key=lambda part: (called(part), part.kind == "word", part.folder))
    return label, subject, called(subject) or subject.kind == "word"


def _active(part: Segment) -> float:
    """Share of its values that sound like activities."""
    values = set(part.values)
    return sum(bool(ACTIVITIES.search(value)) for value in values) / len(values)


def _shares_labels(part: Segment, label: Segment) -> bool:
    """Whether most of its values come with several labels."""
    several: Counter[str] = Counter()
    for value, _ in set(zip(part.values, label.values, strict=True)):
        several[value] += 1
    return sum(count > 1 for count in several.values()) * 2 > len(several) and len(several) > 1
