"""A detector's worst test frames on its run's page: pictures with boxes over them, to be filtered without a script.

Open it to show more of a frame, or to filter by something else. What a folder says is checked here and stays text: only
numbers reach a style, and a picture is shown if it is a JPEG.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qsense.runs.escapes import brief, html
from qsense.runs.reading import read_json
from qsense.study.bounds import MOST_CLASSES, DamageError, as_figure, as_group, as_text

FILE = "worst_frames.json"
HEAVIEST = 12 << 20  # bytes of the file: more than as many frames with as many boxes take
MOST_FRAMES, MOST_BOXES = 200, 100  # boxes of each kind in a frame
MOST_FILTERED = 100  # classes to choose from: those of most errors
JPEG = b"\xff\xd8\xff"
# What a prediction is, by the number that stands for it, and what a page says of it.
HIT, CROWD = 0, 1
KINDS = ("hit", "within a crowd", "on the background", "on another class", "in the wrong place", "found twice")
ERRORS: dict[str | int, str] = {"missed": "missed object"}
ERRORS |= {kind: f"false alarm {KINDS[kind]}" for kind in range(2, len(KINDS))}
MOST_TAGS = 3  # false alarms whose tag is shown without being pointed at, the best ones
STEP = 2  # stops of exposure that make a group


@dataclass(frozen=True)
class Box:
    """A box over a picture: left, top, right, bottom as shares of it, the class's number, and what it is.

    Args:
        sides: left, top, right, bottom, in [0, 1].
        label: of its class.
        error: "missed", the number of a kind of false alarm, or None.
        style: CSS classes of ours.
        tag: what it is called, in few words.
        text: the same with what it is taken for.
    """

    sides: tuple[float, float, float, float]
    label: int
    error: str | int | None
    style: str
    tag: str
    text: str


@dataclass(frozen=True)
class Sight:
    """A frame: its picture as base64, and what lies over it."""

    name: str
    width: int
    height: int
    condition: int
    exposure: int
    missed: int
    picture: str
    boxes: Sequence[Box]

    @property
    def errors(self) -> set[tuple[str | int, int]]:
        """What went wrong with which class."""
        return {(box.error, box.label) for box in self.boxes if box.error is not None}


@dataclass(frozen=True)
class WorstFrames:
    """What a run kept of its worst frames."""

    threshold: float
    overlap: float
    tested: int
    classes: Sequence[str]
    conditions: Sequence[str]
    frames: Sequence[Sight]


def read_worst_frames(folder: Path) -> WorstFrames | None:
    """What a run's folder says of its worst frames; None where it says nothing that can be used."""
    file = folder / FILE
    with suppress(OSError, ValueError, RecursionError):
        if not file.is_symlink():
            return _checked(read_json(file, HEAVIEST))
    return None


def _checked(content: Any) -> WorstFrames:
    """The file's content, of the right types and within bounds.

    Raises:
        DamageError: anything else.
    """
    whole = as_group(content, FILE)
    classes, conditions = (
        [as_text(name, key) for name in _list(whole.get(key), key, MOST_CLASSES)] for key in ("classes", "conditions")
    )
    frames = [_sight(each, classes) for each in _list(whole.get("frames"), "frames", MOST_FRAMES)]
    if any(frame.condition >= max(1, len(conditions)) for frame in frames):
        raise DamageError("frames: a condition that has no name")
    threshold, overlap = _number(whole.get("threshold")), _number(whole.get("overlap"))
    return WorstFrames(threshold, overlap, _whole(whole.get("tested")), classes, conditions, frames)


def _sight(content: Any, classes: Sequence[str]) -> Sight:
    frame = as_group(content, "a frame")
    width, height = (_whole(side, 1) for side in _list(frame.get("size"), "size", 2))
    picture = as_text(frame.get("picture"), "picture", HEAVIEST)
    try:
        start = base64.b64decode(picture, validate=True)[: len(JPEG)]
    except binascii.Error as error:
        raise DamageError("picture: no base64") from error
    if start != JPEG:
        raise DamageError("picture: no JPEG")
    boxes = [_object(each, classes) for each in _list(frame.get("objects"), "objects", MOST_BOXES)]
    boxes += [_prediction(each, classes) for each in _list(frame.get("predictions"), "predictions", MOST_BOXES)]
    numbers = (_whole(frame.get("condition")), _whole(frame.get("exposure"), -1), _whole(frame.get("missed")))
    return Sight(as_text(frame.get("name"), "name"), width, height, *numbers, picture, boxes)


def _object(content: Any, classes: Sequence[str]) -> Box:
    *sides, label, found, crowd = _list(content, "an object", 7)
    style = "object crowd" if crowd is True else "object" if found is True else "object missed"
    name = classes[_whole(label, 0, len(classes) - 1)]
    text = {"object crowd": f"{name}, a crowd", "object": name}.get(style, f"missed: {name}")
    return Box(_sides(sides), label, "missed" if style == "object missed" else None, style, text, text)


def _prediction(content: Any, classes: Sequence[str]) -> Box:
    *sides, label, score, kind = _list(content, "a prediction", 7)
    name = classes[_whole(label, 0, len(classes) - 1)]
    _whole(kind, 0, len(KINDS) - 1)
    false = kind not in (HIT, CROWD)
    tag = f"{name} {_number(score):.2f}"
    text = f"{tag}, {KINDS[kind]}" if kind != HIT else tag
    return Box(_sides(sides), label, kind if false else None, "found false" if false else "found", tag, text)


def _list(value: Any, key: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise DamageError(f"{key}: a list of at most {most} entries expected")
    return value


def _whole(value: Any, low: int = 0, high: int = 1 << 31) -> int:
    if type(value) is not int or not low <= value <= high:
        raise DamageError(f"a whole number from {low} to {high} expected")
    return value


def _number(value: Any) -> float:
    figure = as_figure(value, FILE)
    if figure is None or not 0 <= figure <= 1:
        raise DamageError("a number in [0, 1] expected")
    return figure


def _sides(values: Sequence[Any]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (_number(value) for value in values)
    return left, top, right, bottom


# ------------------------------------------------------------------------------------------------------------- the page


def worst_frames_section(worst: WorstFrames) -> str:
    """The section's HTML: what is chosen in its lists hides frames by the page's style alone."""
    if not worst.frames:
        return ""
    errors = Counter(error for frame in worst.frames for error in frame.errors)
    intro = (
        f"Frames by objects missed, then by the score of their best false alarm: {len(worst.frames)} of the "
        f"{worst.tested} that were tested. An object is found by a prediction of its class with an overlap of "
        f"{worst.overlap:g} and a score of {worst.threshold:.2f}, at which F1 over the whole test is highest. Colours "
        f"are balanced for the screen."
    )
    kinds = [(str(kind), text) for kind, text in ERRORS.items() if any(each == kind for each, _ in errors)]
    of_class = Counter(label for _, label in errors.elements())
    labels = sorted(label for label, _ in of_class.most_common(MOST_FILTERED))
    classes = [(str(label), f"{brief(worst.classes[label], 60)} ({of_class[label]})") for label in labels]
    conditions = [(str(place), brief(name, 60)) for place, name in enumerate(worst.conditions)]
    conditions = [each for each in conditions if any(str(frame.condition) == each[0] for frame in worst.frames)]
    steps = sorted({frame.exposure for frame in worst.frames if frame.exposure >= 0})
    exposures = [(str(step), f"{step}–{step + STEP} stops below white") for step in steps]
    lists = [("kind", "What went wrong", kinds), ("class", "Class", classes), ("condition", "Condition", conditions),
             ("exposure", "Exposure", exposures)]  # fmt: skip
    chosen = "".join(_choice(name, title, options) for name, title, options in lists if len(options) > 1)
    switches = "".join(
        f'<label><input type="checkbox" id="worst-{name}"{" checked" * on}> {text}</label>'
        for name, text, on in (("objects", "objects", True), ("found", "predictions", True), ("tags", "names", True),
                               ("large", "large", False))
    )  # fmt: skip
    rules = "".join(_rules([kind for kind, _ in kinds], labels, [c for c, _ in conditions], steps))
    frames = "".join(_frame(place, frame, worst.conditions) for place, frame in enumerate(worst.frames, 1))
    return f"""<p class="note">{html(intro)}</p>
<style>{rules}</style>
<div class="worst">
<div class="filters">{chosen}<span class="switches">{switches}</span></div>
<p class="key"><span class="missed">missed object</span> <span class="object">object</span> <span class="found">prediction</span> <span class="false">false alarm</span></p>
<div class="sights">
{frames}<p class="count note">of {len(worst.frames)} frames</p>
</div>
</div>
"""  # noqa: E501


def _choice(name: str, title: str, options: Sequence[tuple[str, str]]) -> str:
    every = "".join(f'<option value="{value}">{html(text)}</option>' for value, text in [("", "any"), *options])
    return f'<label>{title} <select id="worst-{name}" autocomplete="off">{every}</select></label>'


def _rules(kinds: Sequence[str], labels: Sequence[int], conditions: Sequence[str], steps: Sequence[int]) -> list[str]:
    """What hides a frame that is not of the kind, class, condition and exposure that are chosen."""

    def rule(wanted: str, **chosen: object) -> str:
        when = "".join(f':has(#worst-{name} option[value="{value}"]:checked)' for name, value in chosen.items())
        return f".worst{when} .sight:not(.{wanted}){{display:none}}\n"

    return [
        *(rule(f"k{kind}", kind=kind) for kind in kinds),
        *(rule(f"c{label}", **{"class": label}) for label in labels),
        *(rule(f"k{kind}c{label}", kind=kind, **{"class": label}) for kind in kinds for label in labels),
        *(rule(f"l{condition}", condition=condition) for condition in conditions),
        *(rule(f"e{step}", exposure=step) for step in steps),
    ]


def _frame(place: int, frame: Sight, conditions: Sequence[str]) -> str:
    errors = sorted(frame.errors, key=str)
    marks = dict.fromkeys(
        [f"l{frame.condition}", f"e{frame.exposure}" if frame.exposure >= 0 else "e"]
        + [mark for kind, label in errors for mark in (f"k{kind}", f"c{label}", f"k{kind}c{label}")]
    )
    told = _told(frame, conditions)
    quiet = set([box for box in frame.boxes if box.style == "found false"][MOST_TAGS:])
    upwards = list(reversed(frame.boxes))  # the best of a kind on top, and the gravest kind on top of others
    upwards.sort(key=lambda box: (box.error is not None, box.error == "missed"))
    boxes = "".join(_box(box, box in quiet) for box in upwards)
    return (
        f'<figure class="sight {" ".join(marks)}"><div class="over" style="aspect-ratio:{frame.width}/{frame.height}">'
        f'<img src="data:image/jpeg;base64,{frame.picture}" alt="{html(f"{frame.name}: {told}")}">{boxes}</div>\n'
        f"<figcaption><b>{place}. {html(brief(frame.name, 80))}</b> {html(told)}</figcaption></figure>\n"
    )


def _told(frame: Sight, conditions: Sequence[str]) -> str:
    """What went wrong in a frame, in words."""
    objects = sum(box.style in ("object", "object missed") for box in frame.boxes)
    parts = [f"{frame.missed} of {max(objects, frame.missed)} objects missed"] * bool(objects)
    false = [box for box in frame.boxes if box.style == "found false"]
    if false:
        kinds = Counter(KINDS[box.error] for box in false if isinstance(box.error, int))
        parts.append(f"false alarms: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}; best: {false[0].tag}")
    where = [brief(conditions[frame.condition], 60)] if conditions else []
    where += [f"{frame.exposure}–{frame.exposure + STEP} stops below white"] * (frame.exposure >= 0)
    return " · ".join([*where, *(parts or ["nothing to find, and nothing found"])])


def _box(box: Box, quiet: bool) -> str:
    left, top, right, bottom = (100 * side for side in box.sides)
    place = f"left:{left:.2f}%;top:{top:.2f}%;width:{max(right - left, 0):.2f}%;height:{max(bottom - top, 0):.2f}%"
    style = box.style + " quiet" * quiet
    return f'<i class="{style}" style="{place}" title="{html(box.text)}"><b>{html(brief(box.tag, 24))}</b></i>'
