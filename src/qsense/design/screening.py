"""Screening: the network of each unquantized run, tested behind every candidate without any more training.

Open it to change what is measured of a candidate before it is trained, or which candidates are worth training.
A network that has not learned behind a converter loses more than one that has, most at few bits: this ranks
converters of the same number of bits, and says nothing of what they cost.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from qsense.design.plan import SEARCH, Candidate, Design
from qsense.runs import folder as run_folder
from qsense.runs.reading import read_json

log = logging.getLogger(__name__)
MOST_BYTES = 1 << 24
Scores = Mapping[str, float | None]  # by the candidate's name; None: it cannot be built


def file_of(design: Design, fold: int) -> Path:
    """Where the scores of a fold are kept, for designs of other limits, too."""
    return design.request.out / SEARCH / f"screening-{design.reference[design.search_seed, fold][1].name}.json"


def read_scores(design: Design, fold: int) -> Scores | None:
    """The scores of a fold; None before all candidates have been screened there."""
    known = _read(file_of(design, fold))
    whole = all(one.key in known for one in design.candidates)
    return {one.name: known[one.key] for one in design.candidates} if whole else None


def _read(file: Path) -> dict[str, float | None]:
    """Scores by the candidates' keys; empty where nothing was screened, or the file is damaged."""
    try:
        content = read_json(file, MOST_BYTES)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def screen(design: Design, fold: int) -> None:
    """Test the unquantized run of a fold behind every candidate, and keep the scores.

    Args:
        design: its runs of the first seed are finished.
        fold: which.
    """
    from qsense.experiment.load import load

    run = load(design.reference[design.search_seed, fold][1], allow=design.allowed)
    run.data.prepare_data()
    run.data.setup("fit")
    if (bar := run.trainer.progress_bar_callback) is not None:  # one for each of many tests
        run.trainer.callbacks.remove(bar)  # type: ignore[attr-defined]
    scores, by_levels = _read(file_of(design, fold)), dict[bytes, float | None]()
    for candidate in design.candidates:
        if candidate.key not in scores:
            scores[candidate.key] = score_behind(run, candidate, by_levels)
    run_folder.write_json(file_of(design, fold), scores)


def score_behind(run: Any, candidate: Candidate, known: dict[bytes, float | None]) -> float | None:
    """The score of a trained network behind a converter that it has not been trained with; None where that cannot be.

    Levels are placed by the training data, and so is the map behind them, as before a training.

    Args:
        run: unquantized; its data are set up.
        candidate: the converter.
        known: scores by levels: most learned converters start with those of another one.
    """
    from qsense.experiment.converters import build_sensor

    try:
        run.task.sensor = build_sensor(candidate.settings, run.data.signal)
        run.data.convert(None)
        run.task.calibrate(run.data)
    except ValueError as error:
        log.warning("%s: %s", candidate.name, error)
        return None
    levels = levels_of(run.task.sensor) + str(candidate.settings.get("output")).encode()
    if levels in known:
        return known[levels]
    score: float | None = run.evaluate()["metrics"][run.task.monitor]
    found = score if score is not None and math.isfinite(score) else None
    known[levels] = found
    return found


def levels_of(sensor: Any) -> bytes:
    """What tells converters without memory apart: their decision levels, of each channel; others by themselves."""
    from qsense.quant.sensor.base import SensorQuantizer

    thresholds = sensor.thresholds() if isinstance(sensor, SensorQuantizer) else None
    if thresholds is None or len(thresholds) not in (1, sensor.signal.channels):
        return uuid.uuid4().bytes
    return thresholds.expand(sensor.signal.channels, -1).double().numpy(force=True).tobytes()


def losses(design: Design, every: Mapping[int, Scores], references: Mapping[int, float]) -> dict[str, float]:
    """Mean loss of each candidate over folds, in points, without those that have no score."""
    found = {}
    for candidate in design.candidates:
        own = {fold: scores[candidate.name] for fold, scores in every.items()}
        values = [design.points(references[fold] - score) for fold, score in own.items() if score is not None]
        if len(values) == len(own):
            found[candidate.name] = fmean(values)
    return found


def promising(candidates: Sequence[Candidate], loss: Mapping[str, float], keep: int) -> list[Candidate]:
    """The candidates worth training, the best first; of equal ones that learn nothing first."""
    able = [one for one in candidates if one.name in loss]
    return sorted(able, key=lambda one: (round(loss[one.name], 9), one.learns))[:keep]
