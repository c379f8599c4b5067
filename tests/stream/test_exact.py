"""A stream gives the classes of the run's own test, by its task and by its firmware, from whatever source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.refusal import refused
from tests.stream.fakes import FakeClock

import qsense
from qsense.chip.firmware import reference
from qsense.chip.firmware.tested import native_counts
from qsense.data.errors import DataError
from qsense.data.series.batch import normalised_by
from qsense.data.series.prepared import prepared
from qsense.data.series.sbhar import SBHAR
from qsense.experiment.load import load
from qsense.stream.counts import counts_of
from qsense.stream.integers import IntegerPipeline, plan_of
from qsense.stream.named import Source
from qsense.stream.pace import paced
from qsense.stream.pipeline import TaskPipeline
from qsense.stream.playing import events_of, facts_of, known_of, stream
from qsense.stream.session import Session
from qsense.stream.sources import from_test, subject_of

HAR = ["logger=none", "callback=[]", "model.filters=8", "model.hidden=16", "trainer.max_epochs=3", "task.lr=0.01"]
HAR += ["data.batch_size=10", "data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2"]
CONVERTERS = {
    "memory": ["quant=dpcm", "bits=1"],
    "refreshed": ["quant=adpcm", "bits=2", "quant.sensor.refresh=64", "data.normalise=dataset"],
    "levels": ["quant=lloyd_max", "bits=2"],
    "none": ["quant=none", "data.normalise=none", "task.standardise=true"],
}


Runs = Callable[[str], qsense.TrainedRun]
Streams = Callable[[str], Session]


def all_but(*rarer: str) -> list[Any]:
    """All converters; of these the tests are slow, since lighter ones cover what they do."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in rarer else name for name in CONVERTERS]


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A trained run with a converter, trained where a test first asks for it."""
    folder = tmp_path_factory.mktemp("runs")
    return cache(lambda name: load(qsense.train([*HAR, *CONVERTERS[name], f"runs={folder}"]).folder))


@pytest.fixture(scope="module")
def played(run_of: Runs) -> Streams:
    """Its test recordings, streamed."""
    return cache(lambda name: streamed(run_of(name)))


def recordings(run: qsense.TrainedRun) -> list[np.ndarray[Any, Any]]:
    """Of the subject that is held out, in the sensor's unit."""
    data: Any = run.data
    arrays = prepared(data.dataset, data.cache)
    return [
        np.array(arrays["x"][start:end])
        for (start, end), subject in zip(pairwise(arrays["bounds"]), arrays["subject"], strict=True)
        if subject == data.fold
    ]


def streamed(run: qsense.TrainedRun, source: Source = Source("test"), integer: bool = False, **known: Any) -> Session:  # noqa: B008
    told = {"axes": None, "time": None, "counts": None} | known
    pipeline = IntegerPipeline(run) if integer else TaskPipeline(run)
    session = Session(pipeline, facts_of(run, source), now=FakeClock().now)
    for event in paced(events_of(run, source, known_of(run, **told)), None, FakeClock()):
        session.take(event)
    return session


def classes(session: Session) -> list[int]:
    return [window.prediction.winner for window in session.recent]


@pytest.mark.parametrize("converter", all_but("refreshed"))
def test_a_stream_gives_the_classes_of_the_test(run_of: Runs, played: Streams, converter: str) -> None:
    run, session = run_of(converter), played(converter)
    expected = [run.predict_recording(x) for x in recordings(run)]
    assert classes(session) == [int(row.argmax()) for each in expected for row in each]
    found = [window.prediction.probability for window in session.recent]
    assert found == pytest.approx([float(row.max()) for each in expected for row in each], abs=1e-5)
    assert len(set(classes(session))) > 1
    results = run.evaluate()
    assert session.confusion.tolist() == results["confusion"]
    assert session.f1 == pytest.approx(run.metrics["f1_window"], abs=1e-12)
    assert session.facts.score == run.metrics["f1_window"]


@pytest.mark.parametrize("converter", CONVERTERS)
def test_codes_are_those_of_whole_recordings(run_of: Runs, played: Streams, converter: str) -> None:
    run = run_of(converter)
    codes = [moment.codes for moment in played(converter).moments]
    if converter == "none":
        assert set(codes) == {None}
        return
    samples = [normalised_by(torch.from_numpy(x), run.result["statistics"]) for x in recordings(run)]
    converter_: Any = run.converter
    expected = np.concatenate([converter_.encode(x).numpy() for x in samples])
    assert np.array(codes).tolist() == expected.tolist()


@pytest.mark.parametrize("converter", all_but("refreshed", "levels"))
def test_integers_are_those_of_the_firmware(run_of: Runs, converter: str) -> None:
    run = run_of(converter)
    session = streamed(run, integer=True)
    plan = plan_of(run)
    expected = [reference.classify(plan, native_counts(run, plan.native, x)) for x in recordings(run)]
    assert classes(session) == np.concatenate([each.winner for each in expected]).tolist()
    margins = [window.prediction.margin for window in session.recent]
    assert margins == np.concatenate([each.margin for each in expected]).tolist()
    assert all(0 < window.prediction.probability <= 1 for window in session.recent)


@pytest.mark.parametrize("converter", [pytest.param("memory", marks=pytest.mark.slow), "levels"])
def test_a_file_of_the_recording_gives_the_same(run_of: Runs, played: Streams, converter: str, tmp_path: Path) -> None:
    run, expected = run_of(converter), classes(played(converter))
    (x,) = recordings(run)
    file = tmp_path / "walk.csv"
    rows = [";".join([f"{20 * n}", *(f"{value:.9g}".replace(".", ",") for value in row)]) for n, row in enumerate(x)]
    file.write_text("\n".join(["time;acc_x;acc_y;acc_z", *rows]) + "\r\n", encoding="utf-16")
    assert classes(streamed(run, Source("file", str(file)))) == expected
    rows = [",".join(["noise", *(f"{value:.9g}" for value in row[[2, 0, 1]])]) for row in x]
    rows[500:500] = ["\x00\x01\x02", "half,0.", "0.1,0.2,0.3,0.4,0.5,0.6", "n,1,2,x"]
    file.write_text("\n".join(rows) + "\n")
    session = streamed(run, Source("file", str(file)), axes=(3, 4, 2))
    assert classes(session) == expected
    assert session.bad.total() == 4


def test_counts_on_the_line_give_the_same(run_of: Runs, played: Streams, tmp_path: Path) -> None:
    run = run_of("memory")
    (x,) = recordings(run)
    sensor: Any = run.converter
    counts = sensor.counts(normalised_by(torch.from_numpy(x), run.result["statistics"]).numpy())
    for signed in (False, True):
        file = tmp_path / f"{signed}.csv"
        np.savetxt(file, counts.astype(int) - 2048 * signed, fmt="%d", delimiter=",")
        told = counts_of(run, None, None, signed)
        assert classes(streamed(run, Source("file", str(file)), counts=told)) == classes(played("memory"))
    assert counts_of(run, 8, (-4.0, 4.0), False).in_unit(np.array([0, 255, 255])).tolist() == [-4, 4, 4]


def test_what_was_kept_streams_again(run_of: Runs, tmp_path: Path) -> None:
    run, file = run_of("levels"), tmp_path / "kept.csv"
    first = stream(run, Source("test"), speed=None, record=file, html=tmp_path / "page.html")
    again = stream(run, Source("file", str(file)), speed=None)
    assert classes(first) == classes(again)
    assert first.confusion.tolist() == again.confusion.tolist()
    with refused(FileExistsError, "--record", str(file)):
        stream(run, Source("test"), speed=None, record=file)


def test_subjects(run_of: Runs) -> None:
    data = run_of("levels").data
    assert subject_of(data, "1") == 1
    for name in ("7", "x", "-1"):
        with refused(DataError, f"--source test:{name}", 0, 1):
            subject_of(data, name)
    other = next(iter(from_test(data, "1")))
    assert "trained" in getattr(other, "text", "")


def test_missing_data_are_said_with_the_option(run_of: Runs, tmp_path: Path) -> None:
    sbhar = SimpleNamespace(dataset=SBHAR(str(tmp_path)), cache=tmp_path / "cache", fold=0)
    with refused(DataError, "--source test", "--root", str(tmp_path)):
        next(iter(from_test(sbhar, "")))


def test_a_network_without_integers_is_refused(run_of: Runs) -> None:
    run = run_of("levels")
    task = type(run.task)(torch.nn.Flatten(), run.converter, run.task.class_names)
    with refused(ValueError, "--integer", "Flatten"):
        plan_of(replace(run, task=task))
