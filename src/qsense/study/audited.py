"""An audit as a table, files and pictures: which curve is best, and did learning find it?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qsense import runs
from qsense.study.arms import Arm, moved
from qsense.study.run import ReportError, Run
from qsense.study.verdict import CRITERION, Verdict, against, seed_means
from qsense.study.words import metric_name, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qsense.plots.audit import LossCurve
    from qsense.study.tangents import Tangents

WORDS = {
    "reached": "as good as the grid's best, within noise",
    "above": "better than the grid's best",
    "short": "worse than the grid's best",
    "open": "a single seed cannot tell",
}
POWERS = ("qsense.quant.sensor.gamma.Gamma", "qsense.quant.sensor.gamma_per_condition.GammaPerCondition")
FILES = ("audit.md", "audit.csv", "audit.json", "audit.png", "gradients.png")


@dataclass(frozen=True)
class Audited:
    """An audit's findings.

    Args:
        arms: learned quantizers, then the grid's points, then baselines, each with a run at least.
        verdicts: of learned quantizers and baselines against the grid, by the arm's name.
        slopes: estimators and finite differences on one run, see `tangents.py`; empty if not asked for.
        slopes_of: that run.
        silent: why there are no slopes although they were asked for.
    """

    arms: Sequence[Arm]
    verdicts: dict[str, Verdict]
    slopes: Sequence[Tangents] = field(default_factory=list)
    slopes_of: Run | None = None
    silent: str = ""

    @property
    def any_run(self) -> Run:
        """One of its runs: they are all of one data set, task and model."""
        return next(run for arm in self.arms for run in arm.runs.values())

    @property
    def fixed(self) -> list[Arm]:
        """The grid."""
        return [arm for arm in self.arms if arm.kind == "fixed"]

    @property
    def scale(self) -> float:
        """What scores are shown times."""
        return 100.0 if percent(self.any_run.monitor) else 1.0

    @property
    def title(self) -> str:
        """What was audited."""
        run = next(run for arm in self.arms if arm.kind == "learned" for run in arm.runs.values())
        return f"{run.dataset}, {run.bits} bits, {run.model}"


def compare(arms: Sequence[Arm]) -> Audited:
    """Hold every learned quantizer and baseline against the grid.

    Args:
        arms: of all three kinds; those without a finished run are left out.

    Raises:
        ReportError: no fixed point, or one quantizer shares no (seed, fold) with all of the grid.
    """
    there = [arm for arm in arms if arm.runs]
    grid = {arm.name: arm.scores for arm in there if arm.kind == "fixed"}
    verdicts = {}
    for arm in there:
        if arm.kind != "fixed":
            try:
                verdicts[arm.name] = against(arm.scores, grid)
            except ValueError as error:
                raise ReportError(f"{arm.name}: {error}") from error
    return Audited(there, verdicts)


def with_slopes(audited: Audited, examples: int) -> Audited:
    """The same with gradients compared on the first run of the first learned quantizer.

    Args:
        audited: the findings.
        examples: training examples for it.
    """
    from qsense.study.tangents import of_run

    learned = next(arm for arm in audited.arms if arm.kind == "learned")
    run = learned.runs[min(learned.runs)]
    try:
        return replace(audited, slopes=of_run(run.folder, examples), slopes_of=run)
    except (FileNotFoundError, ValueError) as error:
        return replace(audited, silent=f"{run.folder.name}: {error}")


def lines(audited: Audited) -> list[str]:
    """The audit in Markdown, which reads well on a screen, too."""
    run = audited.any_run
    unit = " (%)" if audited.scale == 100 else ""
    incomplete = [
        f"{arm.name} ({len(arm.runs)} of {arm.planned})" for arm in audited.arms if len(arm.runs) < arm.planned
    ]
    seeds, folds = ({pair[i] for arm in audited.arms for pair in arm.runs} for i in (0, 1))
    found = [
        f"# Audit: {audited.title}",
        "",
        f"{metric_name(run.monitor)}{unit}: mean over {len(folds)} folds and {len(seeds)} seeds ± std of seeds' means. "
        f"{CRITERION}",
        "",
        *_table(
            ["quantizer", "score", "− best in hindsight", "− best chosen on other seeds", "noise", "against the grid"],
            [_row(audited, arm) for arm in audited.arms if arm.kind != "fixed"],
        ),
        "",
        *_grid(audited),
        "",
    ]
    learned = [(arm, moved(arm)) for arm in audited.arms if arm.kind == "learned"]
    rows = [
        [arm.name, name, f"{start:.4f}", f"{end:.4f} ± {std:.4f}", f"{end - start:+.4f}"]
        for arm, values in learned
        for name, (start, end, std) in values.items()
    ]
    if rows:
        found += ["How far learning moved (± over runs):", ""]
        found += [*_table(["quantizer", "value", "start", "end", "moved"], rows), ""]
    if incomplete:
        found += [f"Runs are missing: {', '.join(incomplete)}. Comparisons use the (seed, fold) that all have.", ""]
    return found + _slopes(audited)


def _row(audited: Audited, arm: Arm) -> list[str]:
    verdict, scale = audited.verdicts[arm.name], audited.scale
    honest = "–" if verdict.honest is None else f"{scale * verdict.honest:+.2f}"
    noise = "–" if verdict.noise is None else f"{scale * verdict.noise:.2f}"
    return [
        arm.name if arm.kind == "learned" else f"{arm.name} (baseline)",
        _score(arm, scale), f"{scale * verdict.hindsight:+.2f}", honest, noise, WORDS[verdict.words],
    ]  # fmt: skip


def _score(arm: Arm, scale: float) -> str:
    means = seed_means(arm.scores)
    spread = f" ± {scale * np.std(means):.2f}" if len(means) > 1 else ""
    return f"{scale * np.mean(means):.2f}{spread}"


def _grid(audited: Audited) -> list[str]:
    """The fixed curves: γ down, μ across."""
    places = {arm.place: arm for arm in audited.fixed if arm.place is not None}
    gammas, mus = (sorted({place[i] for place in places}) for i in (0, 1))
    best = next(iter(audited.verdicts.values())).best
    rows = []
    for gamma in gammas:
        texts = []
        for mu in mus:
            arm = places.get((gamma, mu))
            text = "–" if arm is None else _score(arm, audited.scale)
            texts.append(f"**{text}**" if arm is not None and arm.name == best else text)
        rows.append([f"γ {gamma:g}", *texts])
    chosen = next(iter(audited.verdicts.values())).chosen
    said = f" Chosen with each seed left out: {'; '.join(chosen)}." if chosen else ""
    return [
        f"The grid of fixed curves, the best in bold.{said}", "",
        *_table(["fixed", *(f"μ {mu:g}" for mu in mus)], rows),
    ]  # fmt: skip


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns line up."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.replace("|", "\\|") for cell in cells)
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(headings), line(rule), *map(line, rows)]


def _slopes(audited: Audited) -> list[str]:
    if audited.silent:
        return [f"Gradients were not compared: {audited.silent}", ""]
    if not audited.slopes:
        return []
    from qsense.study.tangents import agreements

    run, first = audited.slopes_of, audited.slopes[0]
    assert run is not None
    text = (
        f"Gradient estimators against finite differences of the true loss, on {run.quant} seed {run.seed} fold "
        f"{run.fold} ({first.differences.shape[-1]} training batches, {len(audited.slopes)} learned entries, each at "
        f"{', '.join(f'{d:+g}' if d else '0' for d in first.at)} from what was learned). Right sign: at places whose "
        "finite difference exceeds twice its standard error. Ratio: estimator ÷ difference, median over those."
    )
    found = ["## Gradients", "", text, ""]
    for step in first.steps:
        rows = [
            [
                a.estimator,
                "–" if np.isnan(a.cosine) else f"{a.cosine:+.2f}",
                f"{a.right} of {a.sure}",
                "–" if np.isnan(a.ratio) else f"{a.ratio:+.2f}",
                f"{100 * a.batches:.0f} %",
            ]
            for a in agreements(audited.slopes, step)
        ]
        headings = [f"step {step:g}", "cosine", "right sign", "ratio", "same sign in single batches"]
        found += [*_table(headings, rows), ""]
    return found


def write_audit(audited: Audited, out: Path) -> list[Path]:
    """Write audit.md, audit.csv (one line per quantizer), audit.json (everything), audit.png and, where gradients were
    compared, gradients.png into `out`: the same bytes for the same runs.

    Args:
        audited: the findings.
        out: a folder, made if it is not there.
    """
    from qsense.plots.audit import plot_tangents
    from qsense.plots.style import save

    pictures = ["![scores](audit.png)", *(["![gradients](gradients.png)"] if audited.slopes else [])]
    runs.write_atomically(out / "audit.md", "\n".join([*lines(audited), *pictures, ""]))
    runs.write_atomically(out / "audit.csv", _csv(audited))
    runs.write_json(out / "audit.json", _json(audited))
    save(_picture(audited), out / "audit.png")
    if audited.slopes:
        save(plot_tangents([_loss_curve(each) for each in audited.slopes], audited.title), out / "gradients.png")
    else:
        (out / "gradients.png").unlink(missing_ok=True)  # of an audit before this one
    return [out / name for name in FILES if (out / name).is_file()]


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
        writer.writerow(row)
    return text.getvalue()


def _json(audited: Audited) -> dict[str, Any]:
    run = audited.any_run
    return {
        "schema": 1,
        "dataset": run.dataset,
        "task": run.task,
        "model": run.model,
        "bits": next(run.bits for arm in audited.arms if arm.kind == "learned" for run in arm.runs.values()),
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
                        "run": arm.runs[seed, fold].folder.name,
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
    from qsense.study.tangents import agreements

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {
        "run": audited.slopes_of.folder.name,
        "batches": audited.slopes[0].differences.shape[-1],
        "agreement": [
            {"step": float(step), **{key: plain(value) for key, value in vars(each).items()}}
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
    return {fold: float(whole - np.mean(found)) if found else 0.0 for fold, found in here.items()}


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
