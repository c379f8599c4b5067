"""F1 over all subjects at once, against scikit-learn on the predictions of all folds one after the other."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from tests.study_folders import FOLDS, make_run

from qsense.metrics.f1 import HARScore
from qsense.study.index import gather
from qsense.study.pooled import TITLE, by_seed
from qsense.study.screen import sections
from qsense.study.summary import summarise

CLASSES = 6


def fold(root: Path, seed: int, number: int) -> tuple[list[int], list[int]]:
    """A run's folder with what it counted, and its samples: truth and predictions."""
    rng = np.random.default_rng([seed, number])
    y = rng.integers(0, CLASSES - 1 - number % 2, 300 * (number + 1))  # the last class never; others in some subjects
    pred = np.where(rng.random(len(y)) < 0.7, y, rng.integers(0, CLASSES - 1, len(y)))
    score = HARScore(tuple(map(str, range(CLASSES))))
    score.update(torch.from_numpy(pred), torch.from_numpy(y), torch.from_numpy(y)[:, None])
    folder = make_run(root, score.compute()["f1_sample"], seed=seed, fold=number)
    result = json.loads((folder / "metrics.json").read_text())
    result["confusion_sample"] = score.sample_confusion.tolist()
    (folder / "metrics.json").write_text(json.dumps(result))
    return y.tolist(), pred.tolist()


def test_pooled_over_subjects_is_one_score_of_all_their_samples(tmp_path: Path) -> None:
    expected = []
    for seed in (0, 1):
        folds = [fold(tmp_path, seed, number) for number in range(FOLDS)]
        y, pred = (list(chain.from_iterable(samples)) for samples in zip(*folds, strict=True))
        expected.append(100 * f1_score(y, pred, labels=range(CLASSES), average="macro", zero_division=1))
    assert expected[0] > 100 / CLASSES  # the class that nobody has
    for _ in range(2):  # the second time from the index
        runs = gather([tmp_path])
        assert [100 * score for score in by_seed(runs).values()] == pytest.approx(expected, abs=1e-9)
    lists = sections(summarise([tmp_path]))
    assert lists[TITLE] == [f"gamma 2 bit, SBHAR: {np.mean(expected):.2f} ± {np.std(expected):.2f} (2 seeds)"]
    assert TITLE not in sections(summarise([tmp_path], "f1_window"))


def test_a_seed_without_all_its_folds_has_no_pooled_score(tmp_path: Path) -> None:
    for number in range(FOLDS):
        fold(tmp_path, 0, number)
    for number in range(FOLDS - 1):
        fold(tmp_path, 1, number)
    make_run(tmp_path, 0.5, seed=1, fold=FOLDS - 1)  # of a version that did not count samples
    for number in range(1, FOLDS):
        fold(tmp_path, 2, number)
    assert list(by_seed(gather([tmp_path]))) == [0]
    assert sections(summarise([tmp_path]))[TITLE][0].endswith("(1 seed)")


def test_runs_that_counted_no_samples_have_no_such_list(tmp_path: Path) -> None:
    for number in range(FOLDS):
        make_run(tmp_path, 0.5, fold=number)
    assert TITLE not in sections(summarise([tmp_path]))
