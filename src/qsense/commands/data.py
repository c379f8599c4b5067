"""Look at your own tables or raw photos (check), and make them a data set for `data=` (import).

qsense data check recordings/
qsense data import recordings/ --name mine
qsense data check photos/ --annotations instances.json
qsense data check photos/ crop=centre condition=tag
qsense data check data=nod data.dataset.crop=[16,8]
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsense.experiment.errors import ConfigError
from qsense.experiment.own_files import FOLDER, VARIABLE, own_folder
from qsense.runs.escapes import one_line
from qsense.runs.layout import sentence
from qsense.runs.next_steps import say_next

if TYPE_CHECKING:
    from qsense.data.frames.raw_frames import RawFrames
    from qsense.data.series.discover.finding import Finding

TASKS = ("check", "import")
SHEET = 12  # frames of the contact sheet
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
    parser = argparse.ArgumentParser(
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
        "KEY=VALUE for any argument of data=raw_coco: crop=centre, headless='{height: 1856, width: 2880, sample: 3}'; "
        "or a known set of raw files, as in training: data=nod data.dataset.root=…",
    )
    parser.add_argument("--name", default="mine", help="import: name of the data set (default: mine)")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"import: the YAML file, or the folder of your own YAML files (default: ${VARIABLE}, else ./{FOLDER})",
    )
    frames = parser.add_argument_group("raw files (arguments of data=raw_coco)")
    frames.add_argument("--annotations", metavar="FILE", help="COCO annotations, in the folder (default: looked for)")
    frames.add_argument("--sheet", metavar="FILE", help="picture of frames with boxes (default: FOLDER-sheet.png here)")
    stated = parser.add_argument_group("what you know better (arguments of data=csv_har)")
    for key, (metavar, text) in OPTIONS.items():
        names = [f"--{key.replace('_', '-')}", *(["--rate"] if key == "rate_hz" else [])]
        stated.add_argument(*names, metavar=metavar, help=text, dest=key)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Check or import tables; 1 where something keeps them from training."""
    options = parser().parse_intermixed_args(_negative_numbers(arguments))
    target = _target(options.name, options.out) if options.task == "import" else None

    from qsense.data.findings import report
    from qsense.data.frames.discover.survey import holds_raw_files

    if options.task == "check" and any(path.startswith("data=") for path in options.paths):
        return _known(options.paths, options.sheet)
    folders = [path for path in options.paths if "=" not in path]
    if options.annotations or len(folders) < len(options.paths) or any(holds_raw_files(Path(path)) for path in folders):
        return _frames(folders, options, target, list(arguments))
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


def _frames(folders: Sequence[str], options: argparse.Namespace, target: Path | None, words: list[str]) -> int:
    """Check or import a folder of raw files; 1 where something keeps them from training."""
    from qsense.data.findings import entry, report
    from qsense.data.frames.discover.survey import survey

    if len(folders) != 1:
        raise ConfigError(f"{len(folders)} folders: name one, which holds raw files and annotations")
    root = Path(folders[0])
    given = raw_arguments([path for path in options.paths if "=" in path])
    if options.annotations is not None:
        given["annotations"] = _below(root, options.annotations)
    found = survey(root, given)
    print(report(found, "KEY=VALUE of data=raw_coco states what it is"))
    if found.dataset is not None:
        sheet = Path(options.sheet) if options.sheet else Path(f"{root.absolute().name}-sheet.png")
        print(f"\nSheet: {_draw(found.dataset, sheet)}")
    if found.problems:
        print(f"error: {len(found.problems)} to mend before these files train, see ! above", file=sys.stderr)
        return 1
    usual = {"root": root, "annotations": "instances.json"}
    arguments = {key: value for key, value in found.arguments.items() if usual.get(key) not in (root, value)}
    if target is None:
        overrides = [f"data.dataset.{key}={_override(value)}" for key, value in arguments.items()]
        choice = ["data=raw_coco", f"data.dataset.root={root}", *overrides]
        place = words.index(options.task)
        again = [*words[:place], "import", *words[place + 1 :]]
        say_next(
            (("train", "task=detection", *choice, "trainer=smoke"), "a few batches of everything"),
            (("data", *again), "write the YAML file of a data set, for data=mine"),
        )
        return 0
    lines = [
        "# @package _global_",
        f"# {one_line(shlex.join(['qsense', 'data', *words]))}",
        "defaults:",
        "  - raw_coco",
    ]
    lines += ["  - _self_", "data:", "  dataset:", entry(4, "root", str(root.absolute()), "")]
    lines += [entry(4, key, value, "") for key, value in {"name": options.name, **arguments}.items()]
    choice = _placed(target, "\n".join(lines) + "\n")
    say_next(
        (("train", "task=detection", *choice, "trainer=smoke"), "a few batches of everything"),
        (("train", "task=detection", *choice, "quant=gamma", "bits=4"), "a learned γ of 4 bits"),
    )
    return 0


def _known(overrides: Sequence[str], sheet: str | None) -> int:
    """Say what a set of raw files with a YAML of its own holds, and draw its sheet."""
    import numpy as np
    from hydra.utils import instantiate

    from qsense.data.frames.raw_frames import RawFrames
    from qsense.experiment.compose import compose

    config = compose(["task=detection", *overrides])
    name, dataset = config.hydra.runtime.choices.data, instantiate(config.data.dataset)
    if not isinstance(dataset, RawFrames):
        raise ConfigError(f"data={name} is no set of raw files whose boxes can be drawn here: data=raw_coco, nod, …")
    dataset.check()
    parts = {"to train on": dataset.frames("train"), "to test on": dataset.frames("test")}
    print(dataset.name)
    for part, frames in parts.items():
        labels = np.bincount(np.concatenate([frame.labels for frame in frames]), minlength=len(dataset.classes))
        boxes = ", ".join(f"{one_line(each)} {count}" for each, count in zip(dataset.classes, labels, strict=True))
        print(sentence(f"{len(frames)} frames {part}: {boxes}", shutil.get_terminal_size().columns, hanging="  "))
    for place, condition in enumerate(dataset.conditions):
        counts = [sum(frame.condition == place for frame in frames) for frames in parts.values()]
        print(f"{one_line(condition)}: {counts[0]} and {counts[1]} frames")
    print(f"Sheet: {_draw(dataset, Path(sheet or f'{name}-sheet.png'))}")
    say_next((("train", "task=detection", *overrides, "trainer=smoke"), "a few batches of everything"))
    return 0


def raw_arguments(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, or as in training data.dataset.KEY=VALUE, as arguments of `data=raw_coco`.

    Raises:
        ConfigError: a key that it does not have, or a value that is no YAML.

    >>> raw_arguments(["data.dataset.crop=[16,8]", "native_bits=14"])
    {'crop': [16, 8], 'native_bits': 14}
    """
    import yaml

    from qsense.experiment.signatures import arguments

    known = [key for key in arguments("qsense.data.frames.raw_coco.RawCoco") or () if key != "root"]
    found = {}
    for word in words:
        key, _, text = word.partition("=")
        key = key.removeprefix("data.dataset.")
        if key not in known:
            raise ConfigError(f"{word}: data=raw_coco has no argument {key}; it has {', '.join(known)}")
        try:
            found[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{word}: the value is no YAML, such as centre, [16,8] or '{{black: 512}}'") from error
    return found


def _below(root: Path, name: str) -> str:
    """A file as stated from here, or from the folder, as a path for the data set."""
    here = Path(name)
    if not (root / here).exists() and here.exists():
        return str(here.absolute())
    return name


def _override(value: Any) -> str:
    """A value as the command line of training takes it.

    >>> _override({"black": 512}), _override([1, 2]), _override(None), _override(True), _override("tag")
    ('{black:512}', '[1,2]', 'null', 'true', 'tag')
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_override(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_override, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if not isinstance(value, str) else value


def _draw(dataset: RawFrames, file: Path) -> Path:
    """Write the contact sheet of a data set."""
    from qsense.data.frames.discover.shown import choose, show
    from qsense.plots.contact_sheet import plot_contact_sheet
    from qsense.plots.style import save

    frames = [show(dataset, frame) for frame in choose(dataset, SHEET)]
    save(plot_contact_sheet(frames, dataset.classes, f"{dataset.root.absolute().name}: boxes over frames"), file)
    return file


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
    from qsense.data.series.discover.told import settings_file

    choice = _placed(target, settings_file(found, name, f"qsense {shlex.join(words)}"))
    say_next(
        (("train", *choice, "trainer=smoke", "runs=smoke"), "a few batches of everything, in seconds"),
        (("train", *choice, "quant=lloyd_max", "bits=2", "-m"), "every fold × seeds 0, 1, 2: a table"),
        (("train", *choice, "quant=none,linear,lloyd_max", "bits=2,4", "-m"), "is it worth it? beside others"),
    )


def _placed(target: Path, text: str) -> list[str]:
    """Write a YAML file; the words by which a command finds it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:  # never overwrites
        file.write(text)
    print(f"\nWritten: {one_line(str(target))}")
    choice = [f"data={target.stem}"]
    folder = target.absolute().parent
    if folder.name != "data":
        print(
            f"To be found by data={target.stem} it has to lie in a folder data/ of your own YAML files", file=sys.stderr
        )
    elif folder.parent != own_folder():
        choice = ["--config-dir", str(folder.parent), *choice]
    return choice
