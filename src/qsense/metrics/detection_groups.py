"""COCO's figures of parts of a test: frames by their condition, frames by their exposure, objects by their size.

Open it to change what a group is, or to divide the test in another way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qsense.metrics.detection import Boxes, Epoch, Evaluation, Ints, evaluate

FIGURES = ("map", "ap50")  # that each group has
AREAS = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, math.inf)}  # pixels², COCO's
STOPS = 2  # of exposure that make a group
UNKNOWN = -1  # the group of a frame of which nobody has said it
Groups = dict[str, dict[str, float | int | None]]  # {"map", "ap50", "frames" or "boxes": {group: value}}


def groups_of(epoch: Epoch, evaluation: Evaluation, classes: int, conditions: Sequence[str] = ()) -> dict[str, Groups]:
    """All that a test can be divided by, {"condition", "exposure", "size": groups}.

    A group of frames is evaluated as if there were no others, so its figures are those of a test on it alone. `frames`
    and `boxes` say how many stand behind them; crowds do not count. A group without boxes has no figure: None.

    Args:
        epoch: what was found and what is there.
        evaluation: of all of it.
        classes: K.
        conditions: names of the frames' conditions; without any there is no division by them. Nor is there one by
            exposure where no frame's is known.
    """
    divided: dict[str, Groups] = {}
    if conditions:
        divided["condition"] = by_frames(epoch, epoch.condition, conditions, classes)
    if (epoch.exposure != UNKNOWN).any():
        steps = np.unique(epoch.exposure[epoch.exposure != UNKNOWN])
        places = np.where(epoch.exposure == UNKNOWN, UNKNOWN, np.searchsorted(steps, epoch.exposure))
        divided["exposure"] = by_frames(epoch, places, [exposure_name(int(step)) for step in steps], classes)
    return divided | {"size": by_size(evaluation, epoch.objects)}


def by_frames(epoch: Epoch, group: Ints, names: Sequence[str], classes: int) -> Groups:
    """Figures over each group of frames alone.

    Args:
        epoch: what was found and what is there.
        group: of each frame, an index into `names`, [F]; frames of other numbers are in none.
        names: of the groups.
        classes: K.
    """
    found: Groups = {name: {} for name in (*FIGURES, "frames", "boxes")}
    for place, name in enumerate(names):
        frames = np.flatnonzero(group == place)
        objects = epoch.objects.of(frames)
        boxes = int((~objects.counted_out).sum())
        found["frames"][name], found["boxes"][name] = len(frames), boxes
        whole = evaluate(len(frames), epoch.predictions.of(frames), objects, classes) if boxes else None
        for figure in FIGURES:
            found[figure][name] = None if whole is None else whole.figure(figure)
    return found


def by_size(evaluation: Evaluation, objects: Boxes) -> Groups:
    """Figures of small, medium and large objects, as COCO divides them: by area up to 32², up to 96² and above, in the
    frame's own pixels²; `frames` are those with such an object."""
    assert objects.area is not None
    found: Groups = {name: {} for name in (*FIGURES, "frames", "boxes")}
    for name, (least, most) in AREAS.items():
        here = (objects.area >= least) & (objects.area <= most) & ~objects.counted_out  # one on a border is in both
        found["frames"][name], found["boxes"][name] = len(np.unique(objects.frame[here])), int(here.sum())
        for figure, overlap in zip(FIGURES, (None, 0.5), strict=True):
            value = evaluation.average("precision", overlap, name, 100)
            found[figure][name] = value if here.any() and not math.isnan(value) else None
    return found


def exposure_step(stops: float) -> int:
    """The group of a frame whose median sample lies so many stops below white, by its first stop; `UNKNOWN` for NaN.

    >>> exposure_step(0.0), exposure_step(3.99), exposure_step(4.0), exposure_step(float("nan"))
    (0, 2, 4, -1)
    """
    return UNKNOWN if math.isnan(stops) else STOPS * int(stops // STOPS)


def exposure_name(step: int) -> str:
    """What a group of `exposure_step` is called: stops below white.

    >>> exposure_name(4)
    '4–6 stops'
    """
    return f"{step}–{step + STOPS} stops"
