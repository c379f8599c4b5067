"""Look at your own tables or raw photos (check), and make them a data set (import).

qsense data check recordings/
qsense data import recordings/ --name mine
qsense data check photos/ --annotations instances.json
qsense data check photos/ crop=centre condition=tag
qsense data check data=nod data.dataset.root=nod/
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsense.commands._parser import Parser
from qsense.commands._raw_data import add_raw_options, check_folder, is_raw, known_set, say_training, settings_file
from qsense.experiment.errors import ConfigError
from qsense.experiment.own_files import FOLDER, VARIABLE, own_folder
from qsense.runs.escapes import one_line
from qsense.runs.layout import to_stderr
from qsense.runs.next_steps import say_next

if TYPE_CHECKING:
    from qsense.data.series.discover.finding import Finding

TASKS = ("check", "import")
# Arguments of `data=csv_har` that the files may not tell, in the order of --help.
OPTIONS = {
    "axes": ("A,B,C", "columns of the axes in order, by name or number, or named: x=5,y=6,z=7"),
    "label": ("COLUMN", "column of the label; none: there is none"),
    "labels": ("A,B,…", "classes in order, NULL first if there is one; or what is written: 0=NULL,1=walk"),
    "subject": ("COLUMN", "column of the subject; none: there is none"),
    "subjects": ("A,B,…", "subjects that are used; or how many of them"),
    "session": ("COLUMN", "column whose changes begin a new recording"),
    "files": ("PATTERN", "names below the folder: '{label}_{subject}.csv'; * is any text"),
    "blocks": ("N", "folds hold out time: each recording is cut into N pieces"),
    "time": ("COLUMN", "column of the timestamps; none: they are not looked at"),
    "time_format": ("FORMAT", "s, ms, us, ns, or as '%%d.%%m.%%Y %%H:%%M:%%S.%%f'"),
    "rate_hz": ("HZ", "samples per second (also --rate)"),
    "resample": ("YES|NO", "interpolate samples at irregular timestamps"),
    "unit": ("UNIT", "of the samples: g, m/s², …"),
    "range": ("LOW,HIGH", "full scale of the sensor in that unit"),
    "missing": ("A,B,…", "numbers that stand for missing samples"),
    "delimiter": ("SIGN", "comma, semicolon, tab, pipe, space, or another sign"),
    "decimal": ("SIGN", "point or comma"),
    "encoding": ("NAME", "utf-8, utf-16, latin-1, …"),
    "header": ("ROW", "row of the columns' names; 0: there is none"),
}


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense data",
        description="check: say what tables of a phone's app, a logger or a spreadsheet hold (format, clock, axes, "
        "unit, range, labels, subjects), or a folder of raw files with COCO boxes (cameras, sizes, bits, levels, "
        "margins), and what would keep them from training; of raw files, draw a sheet of frames with their boxes. "
        "import: say so, and write the YAML file that makes them data=NAME. Nothing is asked: what a ? marks is a "
        "guess, and an option states it.",
    )
    parser.add_argument("task", choices=TASKS, help="what to do")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="FILES",
        help="folders, files or patterns of CSV, TSV or text files; or one folder of raw files, and beside it "
        "KEY=VALUE for any argument of data=raw_coco: crop=centre, headless='{height: 1856, width: 2880, sample: 3}'",
    )
    parser.add_argument("--name", default="mine", help="import: name of the data set (default: mine)")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"import: the YAML file, or the folder of your own YAML files (default: ${VARIABLE}, else ./{FOLDER})",
    )
    add_raw_options(parser)
    stated = parser.add_argument_group("what you know better (arguments of data=csv_har)")
    for key, (metavar, text) in OPTIONS.items():
        names = [f"--{key.replace('_', '-')}", *(["--rate"] if key == "rate_hz" else [])]
        stated.add_argument(*names, metavar=metavar, help=text, dest=key)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Check or import tables or raw files; 1 where something keeps them from training."""
    options = parser().parse_intermixed_args(_negative_numbers(arguments))
    target = _target(options.name, options.out) if options.task == "import" else None

    if is_raw(options):
        return _raw(options, target, list(arguments))

    from qsense.data.findings import report
    from qsense.data.series.discover.find import find

    given = stated(vars(options))
    found = find(options.paths, given)
    print(report(found))
    if found.problems:
        print(f"error: {len(found.problems)} to mend before these files train, see ! above", file=sys.stderr)
        return 1
    if target is None:
        place = list(arguments).index(options.task)
        words = [*arguments[:place], "import", *arguments[place + 1 :]]
        say_next((("data", *words), "write the YAML file of a data set"))
    else:
        _write(target, found, options.name, ["data", *arguments])
    return 0


def _raw(options: argparse.Namespace, target: Path | None, words: list[str]) -> int:
    """Check or import raw files; 1 where something keeps them from training."""
    known = known_set(options.paths)
    if target is not None and known is not None:
        raise ConfigError(f"{known} is a data set already: import takes a folder of raw files")
    found = check_folder(options)
    if found.problems:
        return 1
    if target is None:
        say_training(options, found, words)
        return 0
    choice = _save(target, settings_file(found, options.name, words))
    say_next(
        (("train", "task=detection", *choice, "trainer=smoke"), "a few batches of everything"),
        (("train", "task=detection", *choice, "quant=gamma", "bits=4"), "a learned γ of 4 bits"),
    )
    return 0


def stated(options: dict[str, Any]) -> dict[str, Any]:
    """What the user states, as arguments of `data=csv_har`; None where something is to be seen.

    Raises:
        ConfigError: a value that its option does not allow.

    >>> {key: value for key, value in stated({"axes": "x=2,y=3", "rate_hz": "50", "time": "none"}).items() if value}
    {'axes': {'x': 2, 'y': 3}, 'rate_hz': 50.0}
    """
    given: dict[str, Any] = {key: options.get(key) for key in OPTIONS}
    for key in ("label", "subject", "time", "session"):
        given[key] = None if given[key] is None else False if given[key] == "none" else _number_or_text(given[key])
    for key in ("axes", "labels"):
        given[key] = _entries(given[key], numbers=key == "axes")
    if given["subjects"] is not None:
        text = given["subjects"]
        given["subjects"] = int(text) if text.isdigit() else _entries(text, numbers=False)
    for key, count in (("range", 2), ("missing", None), ("rate_hz", 1)):
        given[key] = _numbers(key, given[key], count)
    given["rate_hz"] = given["rate_hz"] and given["rate_hz"][0]
    for key in ("blocks", "header"):
        if given[key] is not None:
            if not given[key].isdigit():
                raise ConfigError(f"--{key} {given[key]}: a whole number")
            given[key] = int(given[key])
    if given["resample"] is not None:
        if given["resample"].lower() not in ("yes", "no", "true", "false"):
            raise ConfigError(f"--resample {given['resample']}: yes or no")
        given["resample"] = given["resample"].lower() in ("yes", "true")
    return given


def _negative_numbers(words: Sequence[str]) -> list[str]:
    """Options with a list that begins with a minus as one word, or argparse would take it for another option.

    >>> _negative_numbers(["check", "a", "--range", "-8,8"])
    ['check', 'a', '--range=-8,8']
    """
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in ("--range", "--missing") and re.match(r"-[\d.]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _entries(text: str | None, numbers: bool) -> list[str | int] | dict[str, str | int] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.strip("[]{} ").split(",") if word.strip()]
    if all("=" in word for word in words):
        pairs = [word.partition("=") for word in words]
        return {key: _number_or_text(value) if numbers else value for key, _, value in pairs}
    return [_number_or_text(word) if numbers else word for word in words]


def _number_or_text(word: str) -> str | int:
    return int(word) if word.isdigit() else word


def _numbers(key: str, text: str | None, count: int | None) -> list[float] | None:
    if text is None:
        return None
    try:
        numbers = [float(word) for word in text.strip("[] ").split(",") if word.strip()]
    except ValueError:
        numbers = []
    if not numbers or (count is not None and len(numbers) != count):
        name = "rate" if key == "rate_hz" else key
        unit = " in the samples' unit" * (key == "range")
        raise ConfigError(f"--{name} {text}: {OPTIONS[key][0]}, {count or 'some'} number{'s' * (count != 1)}{unit}")
    return numbers


def _target(name: str, out: str | None) -> Path:
    """The file to write; refused before any work if it is there.

    Raises:
        ConfigError: a name that no option of a group can have, or a file that is there.
    """
    if not re.fullmatch(r"[^\W\d][\w-]*", name):
        raise ConfigError(f"--name {name}: letters, digits, _ and -, a letter first, as in --name mine")
    from qsense.experiment.schema import config_folder

    folder = Path(out).expanduser() if out else own_folder()
    target = folder if folder.suffix in (".yaml", ".yml") else folder / "data" / f"{name}.yaml"
    if target.exists():
        raise ConfigError(f"{target} is there and is not overwritten: delete it, or take another --name")
    if (config_folder() / "data" / f"{target.stem}.yaml").exists():
        raise ConfigError(f"--name {target.stem}: qsense has data={target.stem} itself; take another name")
    return target


def _write(target: Path, found: Finding, name: str, words: Sequence[str]) -> None:
    from qsense.data.series.discover import told

    choice = _save(target, told.settings_file(found, name, f"qsense {shlex.join(words)}"))
    say_next(
        (("train", *choice, "trainer=smoke", "runs=smoke"), "a few batches of everything, in seconds"),
        (("train", *choice, "quant=lloyd_max", "bits=2", "-m"), "every fold × seeds 0, 1, 2: a table"),
        (("train", *choice, "quant=none,linear,lloyd_max", "bits=2,4", "-m"), "is it worth it? beside others"),
    )


def _save(target: Path, text: str) -> list[str]:
    """Write a YAML file; the words by which a command finds it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:  # never overwrites
        file.write(text)
    print(f"\nWritten: {one_line(str(target))}")
    choice = [f"data={target.stem}"]
    folder = target.absolute().parent
    if folder.name != "data":
        note = f"To be found by data={target.stem} it has to lie in a folder data/ of your own YAML files"
        to_stderr(note)
    elif folder.parent != own_folder():
        choice = ["--config-dir", str(folder.parent), *choice]
    return choice
