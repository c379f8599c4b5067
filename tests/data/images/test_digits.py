"""The bundled scans and their split."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataMissingError
from qsense.data.images import digits as module
from qsense.data.images.digits import Digits
from qsense.data.images.module import ImageDataModule


def test_the_split_is_the_one_its_docstring_states() -> None:
    data = ImageDataModule(Digits())
    data.setup()
    counts = [data.statistics[f"{part}_images"] for part in ("train", "validation", "test")]
    assert counts == [1295, 143, 359]
    assert min(data.statistics["test_images_per_class"]) >= 34
    for number in counts:
        assert f"{number // 1000} {number % 1000}" in (Digits.__doc__ or "") or str(number) in (Digits.__doc__ or "")


def test_codes_mean_and_deviation() -> None:
    train, test = Digits().train(), Digits().test()
    x = np.concatenate([train.x, test.x])
    assert x.dtype == np.uint8
    assert (x.shape, x.min(), x.max()) == ((1797, 1, 8, 8), 0, Digits.white)
    assert (x / Digits.white).mean() == pytest.approx(Digits.mean[0], abs=1e-3)
    assert (x / Digits.white).std() == pytest.approx(Digits.std[0], abs=1e-3)
    assert not {image.tobytes() for image in train.x} & {image.tobytes() for image in test.x}


def test_without_scikit_learn_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with refused(DataMissingError, "data=digits", "pip install scikit-learn"):
        Digits().check()


def test_the_check_imports_nothing_heavy() -> None:
    code = "import sys; from qsense.data.images.digits import Digits; Digits().check(); "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn', 'lightning')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
