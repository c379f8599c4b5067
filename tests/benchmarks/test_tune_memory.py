"""The search for a converter's settings: on the built-in data, as small as it gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.tune_memory import built, configured, divided, main

from qsense.data.series.prepared import prepared
from qsense.experiment.compose import compose

SMALL = ["model=deepconvlstm_small", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "threads=1"]


def test_groups_of_subjects_are_apart() -> None:
    config = divided(compose(["quant=dpcm", "bits=2"]), test=[0, 1], spare=[2])
    data, _ = built(config)
    subject = prepared(data.dataset, data.cache)["subject"]
    used = {part: set(subject[data.part(part).recording].tolist()) for part in ("train", "test")}
    assert used["test"] == {0, 1}
    assert used["train"] == set(subject.tolist()) - {0, 1, 2}
    placing = data.training_recordings()[0]
    bounds = prepared(data.dataset, data.cache)["bounds"]
    assert len(placing) == sum(np.diff(bounds)[~np.isin(subject, [0, 1, 2])])


def test_a_candidate_becomes_settings_of_the_sensor() -> None:
    config = compose(["quant=adpcm", "bits=2"])
    sensor = configured(config, {"leak": 0, "slope": 2, "fall": 2, "rise": 3}).quant.sensor
    assert (sensor.leak, sensor.slope, list(sensor.moves)) == (0, 2, [-2, 6])
    assert config.quant.sensor.moves is None


@pytest.mark.parametrize(("quant", "bits"), [("adpcm", 1), pytest.param("dpcm", 2, marks=pytest.mark.slow)])
def test_search_is_resumed_and_confirmed(
    quant: str, bits: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = ["--tune", "0", "--folds", "1", "2", "--repeats", "1", "--margin", "99", "--journal", str(tmp_path)]
    words = [*SMALL, f"quant={quant}", f"bits={bits}", *groups]
    main([*words, "--trials", "2"])
    first = capsys.readouterr().out
    assert "unquantized" in first
    assert "\n  0 " in first
    main([*words, "--trials", "1", "--confirm", "1", "--seeds", "1"])
    again = capsys.readouterr().out
    assert "unquantized" not in again  # the network is kept
    assert "  0 " not in again
    assert "− shipped" in again
