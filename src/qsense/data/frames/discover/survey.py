"""Look at a folder of raw files and annotations, say what it holds, and with which arguments `raw_coco` reads it.

Open it when a guess is wrong, or a problem is not said before training.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qsense.data.errors import DataError, DataMissingError
from qsense.data.findings import GUESS, SURE, Findings, counted, size_of
from qsense.data.frames.annotations.coco import Annotations, read_annotations
from qsense.data.frames.annotations.foreign import HEAD
from qsense.data.frames.annotations.values import printable
from qsense.data.frames.discover.cameras import Kind, kinds_of, one_in, sizes_in_words
from qsense.data.frames.files.headless import Layout
from qsense.data.frames.files.mosaic_files import CAMERAS, PICTURES, kind_of
from qsense.data.frames.files.raw_folder import RawFolder
from qsense.data.frames.raw_coco import RawCoco
from qsense.data.frames.raw_frames import RawFrames

MOST_LOOKED_AT = 20_000  # entries of a folder by which it is known
LARGE = 50 << 20  # bytes of annotations that are read once, and not again for each field
MOST_CONDITIONS = 12  # different values of a field that may name conditions
MOST_NAMED = 8  # kinds, classes, conditions, sizes in a line
PHOTOS = (".jpg", ".jpeg", ".webp", ".heic")
TEST_WORDS = ("test", "val", "valid", "validation")


@dataclass
class RawFindings(Findings):
    """What a folder of raw files holds.

    Args (the others are those of `Findings`):
        dataset: reads it; None where it cannot be read.
    """

    dataset: RawFrames | None = None


def holds_raw_files(folder: Path) -> bool:
    """Whether a folder is one of raw files and not of tables: a camera's files, or COCO annotations.

    Files of numbers without header may be anything; they need annotations beside them.
    """
    if not folder.is_dir():
        return folder.suffix.lower() in CAMERAS
    below = itertools.islice(folder.rglob("[!.]*"), MOST_LOOKED_AT)
    return any(path.suffix.lower() in CAMERAS for path in below) or bool(coco_files(folder))


def coco_files(folder: Path) -> list[Path]:
    """JSON files in a folder, or in one below it, that begin like COCO annotations, by name."""
    found = []
    for file in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        try:
            with file.open("rb") as content:
                head = content.read(HEAD)
                content.seek(max(0, file.stat().st_size - HEAD))
                ends = head + content.read(HEAD)
        except OSError:
            continue
        if sum(key in ends for key in (b'"images"', b'"annotations"', b'"categories"')) >= 2:
            found.append(file)
    return found


def survey(root: Path, given: Mapping[str, Any]) -> RawFindings:
    """What a folder holds.

    Args:
        root: the folder.
        given: arguments of `RawCoco` that the user states.

    Raises:
        DataMissingError: there is no such folder.
        ValueError: an argument out of its range.
    """
    if not root.is_dir():
        raise DataMissingError(f"{root} is no folder: name the folder of raw files and annotations")
    found = RawFindings({"root": str(root), **given})
    files = _annotation_files(root, found, given)
    stated = RawCoco(**found.arguments)
    folder = stated.raws(stated.images)
    if stated.images.is_dir():
        _say_files(folder, stated, found)
    if files is None:
        return found
    try:
        read = [read_annotations(file) for file in files]
    except (DataError, DataMissingError) as error:
        found.problems.append(str(error))
        return found
    _say_boxes(read, found)
    _propose_layout(folder, read, stated, found)
    if found.problems:
        return found
    _try(found, given, sum(len(one.category) for one in read))
    return found


def _annotation_files(root: Path, found: RawFindings, given: Mapping[str, Any]) -> list[Path] | None:
    """The files of annotations, stated or found: of training, and of testing where there is one."""
    if "annotations" in given or "test_annotations" in given:
        names = [given.get("annotations", "instances.json"), given.get("test_annotations")]
        stated = [root / name for name in names if name is not None]
        if missing := [file for file in stated if not file.is_file()]:
            there = ", ".join(file.relative_to(root).as_posix() for file in coco_files(root)[:MOST_NAMED])
            found.problems.append(f"{missing[0]} is no file; COCO annotations there: {printable(there) or 'none'}")
            return None
        return stated
    files = coco_files(root)
    names = [file.relative_to(root).as_posix() for file in files]
    if len(files) == 1:
        mark = SURE if names[0] == "instances.json" else GUESS
        found.arguments["annotations"] = names[0]
        found.say("boxes from", printable(names[0]), mark)
        return files
    tests = [name for name in names if any(word in Path(name).stem.lower() for word in TEST_WORDS)]
    trains = [name for name in names if name not in tests]
    preferred = sorted(tests, key=lambda name: "test" not in Path(name).stem.lower())
    if len(trains) == 1 and tests:
        found.arguments |= {"annotations": trains[0], "test_annotations": preferred[0]}
        others = f"; {', '.join(preferred[1:])} is not used" if preferred[1:] else ""
        found.say("boxes from", printable(f"{trains[0]} to train, {preferred[0]} to test{others}"), GUESS)
        return [root / trains[0], root / preferred[0]]
    if not files:
        found.problems.append(
            f"no COCO annotations in {root}: export them from your tool as COCO (one JSON file), and name it with "
            "--annotations FILE"
        )
    else:
        some = ", ".join(names[:MOST_NAMED])
        found.problems.append(f"several files may be the annotations: {printable(some)}. Name one: --annotations FILE")
    return None


def _say_files(folder: RawFolder, stated: RawCoco, found: RawFindings) -> None:
    files = _raw_files(folder)
    if not files:
        photos = any(file.suffix.lower() in PHOTOS for file in folder.folder.rglob("[!.]*"))
        found.problems.append(
            f"no raw file in {folder.folder}; headless files (.raw, .bin) need "
            "headless='{height: …, width: …}' beside the folder's name"
            + ("; photos become simulated raw frames with data=coco_raw" if photos else "")
        )
        return
    endings = Counter(file.suffix.lstrip(".").upper() for file in files)
    size = size_of(sum(file.stat().st_size for file in files))
    some = f"; headers of one in {step} were read" if (step := one_in(len(files))) > 1 else ""
    found.say("raw files", f"{', '.join(f'{count} {ending}' for ending, count in endings.most_common())}, {size}{some}")
    kinds, wrong = kinds_of([(file, stated.format) for file in files])
    _say_kinds(kinds, found)
    # Files that nobody annotated do no harm, so a file that cannot be read is not yet a problem.
    if wrong:
        found.say("", f"{counted(len(wrong), 'file')} cannot be read, first {wrong[0]}", GUESS)


def _say_kinds(kinds: Sequence[Kind], found: RawFindings, topic: str = "") -> None:
    """The cameras, what one file of each states, and why it cannot be decoded where that is so."""
    for number, kind in enumerate(kinds[:MOST_NAMED]):
        found.say("" if number else topic, kind.words)
        if kind.trouble:
            found.say("", kind.trouble, GUESS)
    if len(kinds) > MOST_NAMED:
        found.say("", f"… and {len(kinds) - MOST_NAMED} more kinds")


def _raw_files(folder: RawFolder) -> list[Path]:
    """All raw files; beside a camera's, pictures are previews, or a sheet that was drawn here."""
    files = folder.all()
    return [file for file in files if file.suffix.lower() not in PICTURES] or files


def _say_boxes(read: Sequence[Annotations], found: RawFindings) -> None:
    for one in read:
        boxes = Counter(one.categories[category] for category in one.category.tolist())
        empty = len(one.images) - len(set(one.image.tolist()))
        parts = [f"{boxes[name]} {printable(name)}" for name in one.categories[:MOST_NAMED]]
        more = len(one.categories) - MOST_NAMED
        parts += [f"… and {more} more classes"] if more > 0 else []
        negatives = f"; {empty} without" if empty else ""
        found.say(
            "boxes",
            f"{printable(one.file.name)}: {counted(len(one.images), 'image')}, "
            f"{len(one.category)} box{'es' * (len(one.category) != 1)}: {', '.join(parts)}{negatives}",
        )
        scores = one.score[np.isfinite(one.score)]
        if len(scores):
            found.say("", f"scores {scores.min():.2g} to {scores.max():.2g}: min_score=… leaves out the low ones")
    sizes = Counter((image.width, image.height) for one in read for image in one.images)
    found.say("drawn on", sizes_in_words(sizes))


def _propose_layout(folder: RawFolder, read: Sequence[Annotations], stated: RawCoco, found: RawFindings) -> None:
    """Say how headless files may be read, where annotations name files that are none of a camera."""
    if stated.format.layout is not None or not read[0].images:
        return
    image = read[0].images[0]
    file = RawFolder(folder.folder, stated.extension, Layout(1, 1))(image.name)
    if file is None or kind_of(file, Layout(1, 1)) != "headless":
        return
    size = file.stat().st_size
    for sample in (1, 2, 3, 4):
        if image.width * image.height * sample == size:
            found.problems.append(
                f"{file.name} has {size} bytes = {image.width} × {image.height} × {sample}: if it is headless, add "
                f"headless='{{height: {image.height}, width: {image.width}, sample: {sample}}}' pattern=RGGB "
                "native_bits=… to this command"
            )


def _try(found: RawFindings, given: Mapping[str, Any], annotated: int) -> None:
    """Build the data set; where its margins are all that is wrong, with the middle of the frames. Of the boxes that are
    annotated it may leave some out."""
    dataset = RawCoco(**found.arguments)
    try:
        dataset.check()
        _ = dataset.bits
    except (DataError, DataMissingError) as error:
        if "crop" in given:
            found.problems.append(str(error))
            return
        try:
            dataset = RawCoco(**found.arguments, crop="centre")
            with _silence():
                dataset.check()
                _ = dataset.bits
        except (DataError, DataMissingError):
            found.problems.append(str(error))
            return
        found.arguments["crop"] = "centre"
    _say_frames(dataset, found, guessed="crop" in found.arguments and "crop" not in given)
    boxes = sum(len(picture.boxes) for picture in dataset.pictures)
    if boxes < annotated:
        why = "others lie outside their images or have no area, or are of other images, other classes or a low score"
        found.say("", f"{boxes} of {annotated} boxes are used: {why}")
    used = {picture.file for picture in dataset.pictures}
    if unused := [file for file in _raw_files(dataset.raws(dataset.images)) if file not in used]:
        found.say("", f"{counted(len(unused), 'raw file')} without annotations left out, first {unused[0].name}")
    if not dataset.conditions:
        _propose_conditions(dataset, found)


@contextmanager
def _silence() -> Iterator[None]:
    """No warnings: the same annotations are read again, and what is odd about them was said."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def survey_set(dataset: RawFrames) -> RawFindings:
    """What a set holds that says by itself how it is read.

    Raises:
        DataMissingError: it is not there.
        DataError: it cannot be read.
    """
    dataset.check()
    found = RawFindings()
    kinds, _ = kinds_of([(picture.file, dataset.format_of(picture)) for picture in dataset.pictures])
    _say_kinds(kinds, found, "raw files")
    labels = Counter(label for picture in dataset.pictures for label in picture.labels.tolist())
    parts = [f"{labels[label]} {name}" for label, name in enumerate(dataset.classes)]
    found.say("boxes", f"{labels.total()}: {', '.join(parts)}")
    _say_frames(dataset, found)
    return found


def _say_frames(dataset: RawFrames, found: RawFindings, guessed: bool = False) -> None:
    """How many frames there are, of which conditions, and where the annotated pictures lie in them."""
    found.dataset = dataset
    _say_places(dataset, found, guessed)
    if dataset.conditions:
        counts = Counter(dataset.conditions[picture.condition] for picture in dataset.pictures)
        found.say("conditions", ", ".join(f"{printable(name)}: {count}" for name, count in counts.most_common()))
    bits = dataset.bits
    train, test = dataset.frames("train"), dataset.frames("test")
    parts = "the same to train and test" if dataset.same else f"{len(train)} to train, {len(test)} to test"
    depths = sorted({source.bits for source in dataset.raw_sources})
    aligned = f" ({', '.join(map(str, depths))}, left-aligned)" if len(depths) > 1 else ""
    found.say("frames", f"{parts}; codes of {bits} bits{aligned}")


def _say_places(dataset: RawFrames, found: RawFindings, guessed: bool) -> None:
    """Margins, scales and turns."""
    starts: dict[str, Counter[tuple[int, int]]] = {}
    scaled = 0
    for source in dataset.raw_sources:
        place = source.place
        scaled += place.resized
        if (place.left, place.top) != (0, 0):
            where = f"from sample {place.left} and row {place.top} on"
            starts.setdefault(where, Counter())[place.width, place.height] += 1
    for where, sizes in sorted(starts.items(), key=lambda item: -item[1].total())[:MOST_NAMED]:
        crop = "crop=centre: " if guessed else ""
        text = f"{crop}{where}: {sizes_in_words(sizes)}"
        found.say("annotated", text, GUESS if guessed else SURE)
    turned = sum(source.orientation != 1 for source in dataset.raw_sources)
    if scaled:
        one = next(index for index, source in enumerate(dataset.raw_sources) if source.place.resized)
        picture, place = dataset.pictures[one], dataset.raw_sources[one].place
        found.say(
            "scaled",
            f"boxes of {counted(scaled, 'frame')}, first from {picture.width} × {picture.height} pixels to "
            f"{place.width} × {place.height} samples",
        )
    if guessed:
        found.say("", "look at the sheet: do the boxes lie on their objects? Else crop=[left,top]", GUESS)
    if turned:
        found.say("turned", f"{counted(turned, 'frame')} as the files say (orientation=stored: none)")


def _propose_conditions(dataset: RawCoco, found: RawFindings) -> None:
    """What could tell conditions."""
    if dataset.annotations.stat().st_size > LARGE:
        return
    proposals = []
    for field in ("camera", *dataset.fields[:MOST_NAMED]):
        candidate = RawCoco(**{**found.arguments, "condition": field})
        try:
            with _silence():
                names = candidate.conditions
        except DataError:
            continue
        if 1 < len(names) <= MOST_CONDITIONS:
            proposals.append(f"condition={field} would tell {', '.join(map(printable, names[:MOST_NAMED]))}")
    if proposals:
        found.say("conditions", "; ".join(proposals))
