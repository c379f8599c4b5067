"""Where a data set's tables lie, and whose they are: the common layout, a pattern of file names, and folders nearby.

Open it when files that are there are not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from qsense.data.errors import DataError

INERTIAL = Path("raw", "inertial")
SUBJECT = "{subject}"
LABEL = "{label}"
ALL = "all"  # whose files are, where their names tell labels and no subjects
_COMMON = re.compile(r"sbj_(\d+)\.csv", re.IGNORECASE)


def common_files(root: Path, rate_hz: float) -> dict[int, Path]:
    """`raw/inertial/sbj_<i>.csv` by their i; where that folder has none, those of the one folder beneath that has.

    Of several, the one named by the rate is meant (`raw/inertial/50hz`).

    Raises:
        DataError: several folders hold such files, and it is not clear which one is meant.
    """
    if found := _numbered(root / INERTIAL):
        return found
    folders = {folder: files for folder in folders_in(root) if (files := _numbered(folder))}
    if len(folders) > 1:
        named = [folder for folder in folders if folder.name.lower() == f"{rate_hz:g}hz"]
        if len(named) != 1:
            names = ", ".join(str(folder.relative_to(root)) for folder in list(folders)[:8])
            raise DataError(
                f"{root}: {len(folders)} folders hold files like sbj_0.csv: {names}. Set data.dataset.root to a folder "
                f"that holds one of them, best as {INERTIAL}"
            )
        return folders[named[0]]
    return next(iter(folders.values()), {})


def matching_files(root: Path, pattern: str) -> list[tuple[str, Path]]:
    """Files by a pattern relative to `root`, each with what stands for {subject} in it, in natural order.

    `*` is any text within a name, `**` any folders; {label} is a class (`label_in`). A folder that was unpacked into a
    folder of its own is found, too, and one whose inner folders `root` names.

    >>> matching_files(Path("/nowhere"), "subject{subject}.dat")
    []
    """
    folders = Path(pattern).parts[:-1]
    above = root.absolute()
    bases = [above.parents[d - 1] for d in range(1, len(folders) + 1) if above.parts[-d:] == folders[:d]]
    for base, below in ((root, ""), (root, "*/"), *((base, "") for base in bases)):
        glob = re.sub(r"(?<=[^/])\*\*+|\*\*+(?=[^/])", "*", below + _any_text(pattern).replace("[", "[[]"))
        files = [path for path in base.glob(glob) if path.is_file() and not hidden(path.relative_to(base))]
        if files:
            break
    expression = _expression(pattern)
    found = []
    for path in files:
        match = expression.fullmatch(path.relative_to(base).as_posix())
        if match is not None:
            owner = match["subject"] if SUBJECT in pattern else ALL if LABEL in pattern else path.stem
            found.append((owner, path))
    return sorted(found, key=lambda item: (natural(item[0]), natural(str(item[1]))))


def label_in(path: Path, pattern: str) -> str:
    """What stands for {label} in a file's name: words rather than digits, and as many as there are.

    >>> label_in(Path("a/walking_upstairs_1.csv"), "{label}_{subject}.csv")
    'walking_upstairs'
    >>> label_in(Path("walking (2).csv"), "{label}*.csv")
    'walking'
    """
    match = _expression(pattern).fullmatch(path.as_posix())
    return match["label"] if match else ""


def _any_text(pattern: str) -> str:
    return pattern.replace(SUBJECT, "*").replace(LABEL, "*")


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of names as a regular expression, below any folder."""
    tail = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    for sign, name, texts in (
        (SUBJECT, "subject", r"\d+|[^/._\- ]+|[^/]+?"),
        (LABEL, "label", r"[^/\d]*[^/\d._\- (\[{]|[^/]+"),
    ):
        sign = re.escape(sign)
        tail = tail.replace(sign, f"(?P<{name}>{texts})", 1).replace(sign, f"(?P={name})")
    return re.compile(f"(?:.*/)?{tail}")


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts numbers in names by their size.

    >>> sorted(["P10", "P2", "10", "9"], key=natural)
    ['9', '10', 'P2', 'P10']
    """
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def nearby(root: Path, ending: str) -> str:
    """For messages: folders beneath `root` that hold such files, or what else is there."""
    if not root.is_dir():
        return "there is no such folder"
    for folder in folders_in(root):
        names = sorted(path.name for path in folder.glob(f"*{ending}") if not hidden(Path(path.name)))
        if names:
            return f"there are {len(names)} files in {folder.relative_to(root)}/: {', '.join(names[:3])} …"
    names = sorted(path.name for path in root.iterdir())
    return f"there are {', '.join(names[:6])}{' …' * (len(names) > 6)}" if names else "the folder is empty"


def _numbered(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    found = {int(match[1]): path for path in sorted(folder.iterdir()) if (match := _COMMON.fullmatch(path.name))}
    return dict(sorted(found.items()))


def folders_in(root: Path, depth: int = 4) -> Iterator[Path]:
    """`root` and the folders in it, but for hidden ones and those of other systems; a thousand at most."""
    level, seen = [root] if root.is_dir() else [], 0
    for _ in range(depth + 1):
        yield from level
        seen += len(level)
        if seen > 1000:
            return
        level = [
            path
            for folder in level
            for path in sorted(folder.iterdir())
            if path.is_dir() and not path.is_symlink() and not hidden(Path(path.name))
        ]


def hidden(path: Path) -> bool:
    """Whether a file or its folder is one that systems leave behind.

    >>> hidden(Path("__MACOSX/a.csv")), hidden(Path("._a.csv")), hidden(Path("a.csv"))
    (True, True, False)
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
