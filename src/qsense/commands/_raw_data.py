"""What `qsense data` does with raw files: a folder of one's own, or a set that `data=` knows."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsense.experiment.errors import ConfigError
from qsense.runs.escapes import one_line
from qsense.runs.next_steps import say_next
from qsense.runs.words import did_you_mean

if TYPE_CHECKING:
    from qsense.data.frames.discover.survey import RawFindings
    from qsense.data.frames.raw_frames import RawFrames

SHEET = 12  # frames of the contact sheet
PLAIN = re.compile(r"[\w./+-]+")  # what needs no quotes on the command line of training


def add_raw_options(parser: argparse.ArgumentParser) -> None:
    """The options for raw files."""
    frames = parser.add_argument_group("raw files (every argument of data=raw_coco may be given as KEY=VALUE, too)")
    frames.add_argument("--annotations", metavar="FILE", help="COCO annotations, in the folder (default: looked for)")
    frames.add_argument("--sheet", metavar="FILE", help="picture of frames with boxes (default: FOLDER-sheet.png here)")


def is_raw(options: argparse.Namespace) -> bool:
    """Whether the command is about raw files."""
    from qsense.data.frames.discover.survey import holds_raw_files

    words = options.paths
    return bool(options.annotations) or any("=" in word or holds_raw_files(Path(word)) for word in words)


def check_folder(options: argparse.Namespace) -> RawFindings:
    """Say what a folder of raw files holds, or what a set known by `data=NAME` does, and draw its sheet.

    Raises:
        ConfigError: not one folder, an argument that there is not, or a set of something else or with an option that is
            for folders.
        DataError: a set that cannot be read.
        ValueError: an argument out of its range.
    """
    from qsense.data.findings import report
    from qsense.data.frames.discover.survey import survey

    folders = [Path(word) for word in options.paths if "=" not in word]
    words = [word for word in options.paths if "=" in word]
    if known_set(words) is not None:
        if options.annotations is not None:
            raise ConfigError(f"--annotations: beside data=… it is data.dataset.annotations={options.annotations}")
        found = _check_set(folders, words)
    else:
        if len(folders) != 1:
            raise ConfigError(f"{len(folders)} folders: name one, which holds raw files and annotations")
        given = raw_arguments(words)
        if options.annotations is not None:
            given["annotations"] = _below(folders[0], options.annotations)
        found = survey(folders[0], given)
    print(report(found, "KEY=VALUE states what it is (arguments of data=raw_coco)"))
    if found.dataset is not None:
        name = found.dataset.root.absolute().name
        file = Path(options.sheet) if options.sheet else Path(f"{name}-sheet.png")
        _draw(found.dataset, file, f"{name}: boxes over frames")
        print(f"\nSheet: {one_line(str(file))}")
    if found.problems:
        print(f"error: {len(found.problems)} to mend before these files train, see ! above", file=sys.stderr)
    return found


def say_training(options: argparse.Namespace, found: RawFindings, words: Sequence[str]) -> None:
    """Print the commands that come after a check."""
    known = known_set(options.paths)
    if known is not None:
        choice = [word for word in options.paths if "=" in word]
        say_next((("train", "task=detection", *choice, "trainer=smoke"), "a few batches of everything"))
        return
    root = found.arguments["root"]
    overrides = [f"data.dataset.{key}={as_override(value)}" for key, value in _stated(found).items()]
    choice = ["task=detection", "data=raw_coco", f"data.dataset.root={as_override(root)}", *overrides]
    place = list(words).index("check")
    say_next(
        (("train", *choice, "trainer=smoke"), "a few batches of everything"),
        (("data", *words[:place], "import", *words[place + 1 :]), "write it down as data=mine"),
    )


def settings_file(found: RawFindings, name: str, words: Sequence[str]) -> str:
    """A configuration of the folder: an option of the group data."""
    from qsense.data.findings import GUESS, entry

    lines = ["# @package _global_", f"# {one_line(shlex.join(['qsense', 'data', *words]))}"]
    lines += [f"# ? {one_line(line.text)[:110]}" for line in found.lines if line.mark == GUESS]
    lines += ["defaults:", "  - raw_coco", "  - _self_", "data:", "  dataset:"]
    arguments = {"root": str(Path(found.arguments["root"]).absolute()), "name": name, **_stated(found)}
    return "\n".join([*lines, *(entry(4, key, value, "") for key, value in arguments.items())]) + "\n"


def known_set(words: Sequence[str]) -> str | None:
    """The word data=NAME, which names a set by itself; None where a folder is stated instead."""
    return next((word for word in words if word.startswith("data=")), None)


def raw_arguments(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, or as in training data.dataset.KEY=VALUE, as arguments of `data=raw_coco`.

    Raises:
        ConfigError: a key that it does not have, or a value that is no YAML or of another type.

    >>> raw_arguments(["data.dataset.crop=[16,8]", "native_bits=14"])
    {'crop': [16, 8], 'native_bits': 14}
    """
    import yaml

    from qsense.experiment.signatures import arguments

    known = {
        key: taken for key, taken in (arguments("qsense.data.frames.raw_coco.RawCoco") or {}).items() if key != "root"
    }
    found = {}
    for word in words:
        key, _, text = word.partition("=")
        key = key.removeprefix("data.dataset.")
        if key not in known:
            near = did_you_mean(key, known.keys())
            raise ConfigError(f"{word}: data=raw_coco has no argument {key}{near}; it has {', '.join(known)}")
        try:
            found[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{word}: the value is no YAML, such as centre, [16,8] or '{{black: 512}}'") from error
        if not known[key].accepts(found[key]):
            raise ConfigError(f"{key}={text} is not allowed: data=raw_coco takes {key}: {known[key]}")
    return found


def as_override(value: Any) -> str:
    """A value as the command line of training takes it.

    >>> as_override({"black": 512}), as_override([1, 2]), as_override(None), as_override(True), as_override("a(b)")
    ('{black:512}', '[1,2]', 'null', 'true', "'a(b)'")
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_override(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(as_override, value)) + "]"
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) else "'" + value.replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_set(folders: Sequence[Path], words: Sequence[str]) -> RawFindings:
    """What a set that `data=` knows holds."""
    from hydra.utils import instantiate

    from qsense.data.frames.discover.survey import survey_set
    from qsense.data.frames.raw_frames import RawFrames
    from qsense.experiment.compose import compose

    if folders:
        raise ConfigError(f"{folders[0]}: beside data=… the folder is data.dataset.root={folders[0]}")
    config = compose(["task=detection", *words])
    dataset = instantiate(config.data.dataset, _convert_="all")
    if not isinstance(dataset, RawFrames):
        raise ConfigError(f"{known_set(words)}: its frames are no raw files with boxes of their own")
    return survey_set(dataset)


def _stated(found: RawFindings) -> dict[str, Any]:
    """The arguments that are not the usual ones."""
    usual = {"annotations": "instances.json", "root": found.arguments["root"]}
    return {key: value for key, value in found.arguments.items() if usual.get(key) != value}


def _below(root: Path, name: str) -> str:
    """A file as stated from here, or from the folder, as a path for the data set."""
    here, folder = Path(name).absolute(), root.absolute()
    if (root / name).exists() or not here.exists():
        return name
    return here.relative_to(folder).as_posix() if here.is_relative_to(folder) else str(here)


def _draw(dataset: RawFrames, file: Path, title: str) -> None:
    """Write the contact sheet of a data set."""
    from qsense.data.frames.discover.shown import choose, show
    from qsense.plots.contact_sheet import plot_contact_sheet
    from qsense.plots.style import save

    frames = [show(dataset, frame) for frame in choose(dataset, SHEET)]
    save(plot_contact_sheet(frames, dataset.classes, title), file)
