"""Handwritten digits: real scans that come with scikit-learn, so that classification runs out of the box.

Open it for the data set of the shortest classification run.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from qsense.data.cache import digest
from qsense.data.errors import DataMissingError
from qsense.data.images.dataset import ImageDataset, Labels, StoredPictures
from qsense.data.splitting import stratified

TEST_SHARE = 0.2


class Digits(ImageDataset):
    """1 797 scanned digits of 43 writers, 8 × 8 pixels in 17 grey levels (Alpaydin and Kaynak, UCI 80, test part).

    The split depends on the labels alone: a fifth of every class is tested (359 images); of the other 1 438,
    `ImageDataModule` keeps its `validation` share (0.1: 143 images, so that 1 295 train). Both are stratified and the
    same for every seed of a run. Writers are not known, so one writer's digits may be on both sides.

    >>> Digits().signal.channels, Digits().num_folds
    (1, 1)
    """

    name = "Digits"
    classes = tuple("0123456789")
    colours = ("grey",)
    white = 16
    mean = (0.305,)
    std = (0.376,)

    def check(self) -> None:
        """See the base class."""
        if find_spec("sklearn") is None:
            raise DataMissingError(
                "data=digits are scikit-learn's scans, and it is not installed: pip install scikit-learn"
            )

    def fingerprint(self) -> str:
        """SHA-256 (hex) of what this is: scikit-learn has never changed the scans."""
        return digest("digits", TEST_SHARE)

    def train(self) -> StoredPictures:
        """See the base class."""
        return self._part(test=False)

    def test(self) -> StoredPictures:
        """See the base class."""
        return self._part(test=True)

    def _part(self, test: bool) -> StoredPictures:
        from sklearn.datasets import load_digits  # takes a second, which `check()` need not wait for

        flat, labels = load_digits(return_X_y=True)
        x = flat.astype(np.uint8).reshape(-1, 1, 8, 8)
        y: Labels = labels.astype(np.int64)
        use = stratified(y, TEST_SHARE) == test
        return StoredPictures(x[use], y[use])
