"""What a detector got wrong, box by box: objects that it missed, and false alarms by what they are; worst frames first.

Open it to change what counts as an error, or which frames are the worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_coco_eval.core import mask

from qsense.metrics.detection import Epoch, Floats, Ints, as_sides

OVERLAP = 0.5  # intersection over union from which on a box has found its object
NEAR = 0.1  # from which on it lies in the wrong place rather than on the background
# What a prediction is. The false alarms are Bolya et al.'s kinds (TIDE, ECCV 2020): on the background, on an object of
# another class, in the wrong place, on an object that a better one has found.
HIT, CROWD, BACKGROUND, OTHER_CLASS, WRONG_PLACE, TWICE = range(6)
FALSE = (BACKGROUND, OTHER_CLASS, WRONG_PLACE, TWICE)


@dataclass(frozen=True, eq=False)
class Errors:
    """An epoch judged at one overlap and one score.

    Args:
        threshold: predictions of at least this score count.
        counts: which predictions do, bool [n].
        kind: of each prediction, `HIT` … `TWICE`, int64 [n].
        found: which objects a prediction that counts has found; crowds need not be, bool [m].
    """

    threshold: float
    counts: npt.NDArray[np.bool_]
    kind: Ints
    found: npt.NDArray[np.bool_]


def errors_of(epoch: Epoch) -> Errors:
    """Judge an epoch at an overlap of `OVERLAP` and at the score at which F1 over all its frames is highest.

    Predictions take objects of their class as in COCO's protocol: the best score first, each the free object that it
    overlaps most. What a crowd explains is neither hit nor false.
    """
    predictions, objects = epoch.predictions, epoch.objects
    assert predictions.scores is not None
    kind = np.full(len(predictions.labels), BACKGROUND)
    taken = np.full(len(kind), -1)  # the object that each hit has found
    places = [_places(boxes.frame, len(epoch.ids)) for boxes in (predictions, objects)]
    for predictions_here, objects_here in zip(*places, strict=True):
        if not len(predictions_here) or not len(objects_here):
            continue
        order = predictions_here[np.argsort(-predictions.scores[predictions_here], kind="stable")]
        same = predictions.labels[order][:, None] == objects.labels[objects_here]
        crowd = objects.counted_out[objects_here]
        # Intersection over union; with a crowd: over the prediction's own area.
        overlap = mask.iou(as_sides(predictions.corners[order]), as_sides(objects.corners[objects_here]), crowd)
        free = ~crowd
        for row, index in enumerate(order):
            open_to = np.where(same[row] & free, overlap[row], 0.0)
            if open_to.max() >= OVERLAP:
                best = int(open_to.argmax())
                free[best] = False
                kind[index], taken[index] = HIT, objects_here[best]
                continue
            single = np.where(crowd, 0.0, overlap[row])
            if (same[row] & crowd & (overlap[row] >= OVERLAP)).any():
                kind[index] = CROWD
            elif (same[row] & (single >= OVERLAP)).any():
                kind[index] = TWICE
            elif (single >= OVERLAP).any():
                kind[index] = OTHER_CLASS
            elif (same[row] & (single >= NEAR)).any():
                kind[index] = WRONG_PLACE
    judged = kind != CROWD
    threshold = best_threshold(predictions.scores[judged], kind[judged] == HIT, int((~objects.counted_out).sum()))
    counts = predictions.scores >= threshold
    found = objects.counted_out.copy()
    found[taken[counts & (kind == HIT)]] = True
    return Errors(threshold, counts, kind, found)


def best_threshold(scores: Floats, hits: npt.NDArray[np.bool_], objects: int) -> float:
    """The score from which on predictions have the highest F1, the larger one of equals; 1 without predictions.

    Args:
        scores: of predictions, [n].
        hits: which of them are hits, [n].
        objects: how many there are to be found.

    >>> best_threshold(np.array([0.9, 0.6, 0.5, 0.1]), np.array([True, False, True, False]), 2)
    0.5
    """
    if not len(scores):
        return 1.0
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], hits[order].cumsum()
    last = np.append(scores[1:] != scores[:-1], True)  # equal scores count together
    f1 = 2 * right / (np.arange(1, len(scores) + 1) + objects)
    return float(scores[last][f1[last].argmax()])


def worst_first(epoch: Epoch, errors: Errors) -> Ints:
    """Frames by the number of objects that were missed, then by the score of their best false alarm, then by id: [F],
    the worst first."""
    assert epoch.predictions.scores is not None
    missed = np.bincount(epoch.objects.frame[~errors.found], minlength=len(epoch.ids))
    alarm = np.zeros(len(epoch.ids))
    false = errors.counts & np.isin(errors.kind, FALSE)
    np.maximum.at(alarm, epoch.predictions.frame[false], epoch.predictions.scores[false])
    return np.lexsort((epoch.ids, -alarm, -missed))


def _places(frame: Ints, frames: int) -> list[npt.NDArray[Any]]:
    """Of each frame the places of its boxes."""
    order = np.argsort(frame, kind="stable")
    return np.split(order, np.searchsorted(frame[order], np.arange(1, frames))) if frames else []
