"""What every data set asks of annotated boxes, in one place, and how it says once what it left out.

Open it when a box is cut off, left out or refused wrongly.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.errors import MOST_LISTED, DataError, listed

log = logging.getLogger(__name__)
_told: set[str] = set()  # warnings of this process

Flags = npt.NDArray[np.bool_]

TOLERANCE = 2.0  # pixels; annotators count from 0 or from 1, and round
MANY = 10  # boxes from which on a rule without exceptions is no accident

NOT_FINITE = "has a side that is no number"
REVERSED = "is reversed: its right or bottom side comes before its left or top one"
NO_AREA = "has no area"


class BoxCheck:
    """Boxes of one or many images, all checked before any is complained of.

    Boxes that stick out of their images are cut; those without area or wholly outside are left out; `finish` says in
    one warning how many. If `strict`, they are refused instead, but for what sticks out by no more than rounding. Boxes
    that are not finite or reversed are always refused: there the file is wrong, and not a box.

    Args:
        strict: refuse what would else be left out, or cut by more than `tolerance`.
        tolerance: pixels by which a box may stick out by rounding.
    """

    def __init__(self, strict: bool = False, tolerance: float = TOLERANCE) -> None:
        self.strict = strict
        self.tolerance = tolerance
        self.total = 0
        self._refused = 0
        self._refusals: list[str] = []
        self._left_out: Counter[str] = Counter()
        self._cut = 0
        self._images: dict[str, set[object]] = {"left out": set(), "cut": set(), "refused": set()}
        self._first: str | None = None
        self._misfits = 0
        self._reach = 0.0  # furthest side, as a share of its image's
        self._furthest = 0.0  # likewise in pixels
        self._fractions = False

    def fit(
        self,
        boxes: npt.ArrayLike,
        sizes: npt.ArrayLike,
        describe: Callable[[int], str],
        image: Callable[[int], object],
    ) -> tuple[npt.NDArray[np.float32], Flags]:
        """The boxes inside their images, and which of them to keep.

        Args:
            boxes: left, top, right, bottom in pixels, [n, 4]; n may be 0.
            sizes: width and height of every box's image, [n, 2], or of the one image, [2].
            describe: what messages call a box, by its place in `boxes`.
            image: what its image is known by.

        Returns:
            float32 [n, 4], of which those to keep have an area; bool [n].
        """
        given = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        limits = np.tile(np.broadcast_to(np.asarray(sizes, dtype=np.float64), (len(given), 2)), 2)
        with np.errstate(invalid="ignore", over="ignore"):
            inside = np.clip(given, 0, limits)
            finite: Flags = np.logical_and.reduce(np.isfinite(given), axis=1)
            backwards: Flags = finite & (given[:, 2:] < given[:, :2]).any(1)
            proper: Flags = finite & ~backwards
            single = given.astype(np.float32)
            empty: Flags = proper & (single[:, 2:] <= single[:, :2]).any(1)
            found = inside.astype(np.float32)
            outside: Flags = proper & ~empty & (found[:, 2:] <= found[:, :2]).any(1)
            excess = np.abs(given - inside).max(1, initial=0.0)
        over: Flags = proper & ~empty & ~outside & (excess > 0)
        far: Flags = over & (excess > self.tolerance)
        self.total += len(given)
        self._misfits += int((outside | far).sum())
        if proper.any():
            self._reach = max(self._reach, float((given[proper] / limits[proper]).max()))
            self._furthest = max(self._furthest, float(np.abs(given[proper]).max()))
            self._fractions |= bool((given[proper] % 1 != 0).any())
        for i in np.flatnonzero(~finite | backwards | empty | outside | over).tolist():
            size = " × ".join(f"{side:g}" for side in limits[i, :2])
            if not finite[i]:
                self.refuse(describe(i), NOT_FINITE, image(i))
            elif backwards[i]:
                self.refuse(describe(i), REVERSED, image(i))
            elif empty[i]:
                self.leave_out(describe(i), NO_AREA, image(i), "without area")
            elif outside[i]:
                self.leave_out(describe(i), f"lies outside its image of {size}", image(i), "outside")
            elif far[i] and self.strict:
                wrong = f"sticks out of its image of {size} by more than {self.tolerance:g} pixels"
                self.refuse(describe(i), wrong, image(i))
            else:
                self._cut += 1
                self._images["cut"].add(image(i))
                self._first = self._first or f"{describe(i)} sticks out of its image of {size}"
        keep: Flags = proper & ~empty & ~outside
        return found, keep

    def refuse(self, what: str, wrong: str, image: object) -> None:
        """Note an object that cannot be used, whatever the user allows."""
        self._refused += 1
        self._images["refused"].add(image)
        if len(self._refusals) < MOST_LISTED:
            self._refusals.append(f"{what} {wrong}")

    def leave_out(self, what: str, wrong: str, image: object, kind: str) -> None:
        """Note an object to do without; `wrong` tells of this one, `kind` of all that are like it."""
        if self.strict:
            self.refuse(what, wrong, image)
            return
        self._left_out[kind] += 1
        self._images["left out"].add(image)
        self._first = self._first or f"{what} {wrong}"

    def finish(self, source: str, shares: str = "multiply them by their images' width and height") -> None:
        """Refuse what is to be refused, all in one message; else warn, once per process, of what was left out or cut.

        Args:
            source: the file or folder of the annotations.
            shares: what to do about boxes that are shares of their images.

        Raises:
            DataError: boxes that cannot be used, or that are no pixels of these images.
        """
        if self.total and self._fractions and self._furthest <= 1.01 and self._reach < 1:
            raise DataError(
                f"{source}: no side of the {self.total} boxes is beyond {self._furthest:g}, so they are shares of "
                f"their images (0 … 1) and not pixels: {shares}"
            )
        if self._misfits >= MANY and 2 * self._misfits > self.total:
            raise DataError(
                f"{source}: {self._misfits} of {self.total} boxes do not lie within their images; the furthest reaches "
                f"{self._reach:.3g} times its image's side. They belong to images of another size, or their four "
                "numbers mean something else: correct the annotations" + listed(self._refusals, len(self._refusals), 3)
            )
        if self._refused:
            strict = " (data.dataset.strict=false leaves out what has no area or lies outside)" if self.strict else ""
            raise DataError(
                f"{source}: {self._refused} of {self.total} boxes, in {_images(self._images['refused'])}, cannot be "
                f"used; correct or remove them{strict}:" + listed(self._refusals, self._refused)
            )
        parts = []
        if count := self._left_out.total():
            kinds = ", ".join(f"{number} {kind}" for kind, number in self._left_out.items())
            parts.append(f"left out: {count} in {_images(self._images['left out'])} ({kinds})")
        if self._cut:
            parts.append(f"cut at the edge: {self._cut} in {_images(self._images['cut'])}")
        if parts:
            words = (
                f"{source}: {self.total} boxes; {'; '.join(parts)}. First: {self._first}. data.dataset.strict=true "
                "refuses such boxes and lists them."
            )
            if words not in _told:  # checking, planning and training each read the annotations
                _told.add(words)
                log.warning("%s", words)


def _images(found: set[Any]) -> str:
    return f"{len(found)} image{'' if len(found) == 1 else 's'}"
