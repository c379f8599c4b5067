"""An audit as files: Markdown, CSV, JSON and pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qsense.runs import folder as run_folder
from qsense.runs.escapes import csv_cell, one_line
from qsense.runs.words import metric_name
from qsense.study.audit.arms import moved
from qsense.study.audit.audited import Audited, lines
from qsense.study.audit.verdict import CRITERION, seed_means
from qsense.study.writing import write_each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qsense.plots.audit import LossCurve
    from qsense.study.audit.tangents import Tangents

POWERS = ("Gamma", "GammaPerCondition")


def write_audit(audited: Audited, out: Path) -> list[Path]:
    """Write audit.md, audit.csv (one line per quantizer), audit.json (everything), audit.png and, where gradients were
    compared, gradients.png into `out`: the same bytes for the same runs.

    Args:
        audited: the findings.
        out: a folder, made if it is not there.

    Raises:
        NotWrittenError: some could not be written; one that fails costs no other.
    """
    from qsense.plots.audit import plot_tangents
    from qsense.plots.style import save

    def tangents(file: Path) -> None:
        save(plot_tangents([_loss_curve(each) for each in audited.slopes], audited.title), file)

    pictures = ["![scores](audit.png)", *(["![gradients](gradients.png)"] if audited.slopes else [])]
    files: dict[str, Callable[[Path], object]] = {
        "audit.md": lambda file: run_folder.write_atomically(file, "\n".join([*lines(audited), *pictures, ""])),
        "audit.csv": lambda file: run_folder.write_atomically(file, _csv(audited)),
        "audit.json": lambda file: run_folder.write_json(file, _json(audited)),
        "audit.png": lambda file: save(_picture(audited), file),
    }
    if audited.slopes:
        files["gradients.png"] = tangents
    else:
        (out / "gradients.png").unlink(missing_ok=True)  # of an audit before this one
    return write_each({out / name: write for name, write in files.items()})


def _csv(audited: Audited) -> str:
    text = io.StringIO()
    columns = ["kind", "quantizer", "gamma", "mu", "runs", "planned", "seeds", "mean", "std", "hindsight", "honest"]
    writer = csv.DictWriter(text, [*columns, "noise", "verdict", "best", "chosen"], lineterminator="\n")
    writer.writeheader()
    for arm in audited.arms:
        means, verdict = seed_means(arm.scores), audited.verdicts.get(arm.name)
        gamma, mu = arm.place or (None, None)
        row: dict[str, Any] = {
            "kind": arm.kind, "quantizer": arm.name, "gamma": gamma, "mu": mu, "runs": len(arm.runs),
            "planned": arm.planned, "seeds": len(means), "mean": float(np.mean(means)),
            "std": float(np.std(means)) if len(means) > 1 else None,
        }  # fmt: skip
        if verdict is not None:
            row |= {
                "hindsight": verdict.hindsight, "honest": verdict.honest, "noise": verdict.noise,
                "verdict": verdict.words, "best": verdict.best, "chosen": "; ".join(verdict.chosen),
            }  # fmt: skip
        writer.writerow({key: csv_cell(value) if isinstance(value, str) else value for key, value in row.items()})
    return text.getvalue()


def _json(audited: Audited) -> dict[str, Any]:
    run = audited.any_run
    return {
        "schema": 1,
        "dataset": run.dataset,
        "task": run.task,
        "model": run.model,
        "bits": audited.learned_run.bits,
        "network_bits": audited.learned_run.network_bits,
        "metric": run.monitor,
        "criterion": CRITERION,
        "quantizers": [
            {
                "kind": arm.kind,
                "name": arm.name,
                "place": arm.place,
                "planned": arm.planned,
                "runs": [
                    {
                        "seed": seed,
                        "fold": fold,
                        "score": arm.scores[seed, fold],
                        "run": one_line(arm.runs[seed, fold].folder.name),
                    }
                    for seed, fold in sorted(arm.runs)
                ],
                "learned": {
                    name: {"start": start, "end": end, "end_std": std} for name, (start, end, std) in moved(arm).items()
                },
                "verdict": {**vars(verdict), "words": verdict.words}
                if (verdict := audited.verdicts.get(arm.name)) is not None
                else None,
            }
            for arm in audited.arms
        ],
        "gradients": _slopes_json(audited),
    }


def _slopes_json(audited: Audited) -> dict[str, Any] | None:
    if not audited.slopes or audited.slopes_of is None:
        return None
    from qsense.study.audit.tangents import agreements

    return {
        "run": one_line(audited.slopes_of.folder.name),
        "batches": audited.slopes[0].differences.shape[-1],
        "agreement": [
            {"step": float(step), **vars(each)}
            for step in audited.slopes[0].steps
            for each in agreements(audited.slopes, step)
        ],
        "entries": [
            {
                "name": each.name,
                "value": each.value,
                "at": each.at.tolist(),
                "steps": each.steps.tolist(),
                "differences": each.differences.mean(axis=-1).tolist(),
                "slopes": {name: values.mean(axis=-1).tolist() for name, values in each.slopes.items()},
            }
            for each in audited.slopes
        ],
    }


def _loss_curve(slopes: Tangents) -> LossCurve:
    from qsense.plots.audit import LossCurve, Slope

    differences = Slope(
        f"finite difference, h = {slopes.steps[-1]:g}", slopes.differences[:, -1].mean(axis=-1).tolist()
    )
    own = [Slope(name, values.mean(axis=-1).tolist()) for name, values in slopes.slopes.items()]
    return LossCurve(
        slopes.name,
        (slopes.value + slopes.x).tolist(),
        slopes.loss.tolist(),
        (slopes.value + slopes.at).tolist(),
        slopes.levels.tolist(),
        [differences, *own],
    )


def _fold_shift(audited: Audited) -> dict[int, float]:
    """What takes the difference between subjects out of a single run's score, by its fold: the grid's mean over all
    folds − that over this fold."""
    scores = [(fold, score) for arm in audited.fixed for (_, fold), score in arm.scores.items()]
    whole = np.mean([score for _, score in scores])
    folds = {fold for arm in audited.arms for _, fold in arm.runs}
    here = {one: [score for fold, score in scores if fold == one] for one in folds}
    return {fold: float(whole - np.mean(scores_here)) if scores_here else 0.0 for fold, scores_here in here.items()}


def _picture(audited: Audited) -> Figure:
    from qsense.plots.audit import Bar, Track, plot_audit

    scale = audited.scale
    points = [(*arm.place, scale * float(np.mean(seed_means(arm.scores)))) for arm in audited.fixed if arm.place]
    spreads = [scale * float(np.std(seed_means(arm.scores))) for arm in audited.fixed]
    learned = [arm for arm in audited.arms if arm.kind == "learned"]
    shift = _fold_shift(audited)
    tracks = []
    for order, arm in enumerate(learned):
        for (seed, fold), path in sorted(arm.trajectories.items()):
            if arm.runs[seed, fold].settings.get("quant.sensor._target_") not in POWERS:
                continue  # another curve's γ is no place on this grid
            for name in (name for name in path if name.rpartition("_")[0] == "gamma"):
                mu = path.get(f"mu_{name.rpartition('_')[2]}", [0.0] * len(path[name]))
                tracks.append(Track(order, path[name], mu, scale * (arm.scores[seed, fold] + shift[fold])))
    best = next(arm for arm in audited.fixed if arm.name == next(iter(audited.verdicts.values())).best)
    bars = [
        Bar(arm.name, arm.kind, [scale * mean for mean in seed_means(arm.scores)])
        for arm in (*learned, best, *(arm for arm in audited.arms if arm.kind == "baseline"))
    ]
    label = f"{metric_name(audited.any_run.monitor)}{' (%)' if scale == 100 else ''}"
    return plot_audit(points, spreads, tracks, bars, label, audited.title)
