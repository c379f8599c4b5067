"""An audit in words and tables: which curve is best, and did learning find it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from qsense.runs.escapes import markdown, one_line
from qsense.runs.words import metric_name, percent
from qsense.study.audit.arms import Arm, moved
from qsense.study.audit.verdict import CRITERION, Verdict, against, seed_means
from qsense.study.run import ReportError, Run, quantizer_name

if TYPE_CHECKING:
    from qsense.study.audit.tangents import Tangents

WORDS = {
    "reached": "as good, within noise",
    "above": "better",
    "short": "worse",
    "open": "a single seed cannot tell",
}
WIDTH = 79  # columns of a screen


@dataclass(frozen=True)
class Audited:
    """An audit's findings.

    Args:
        arms: learned quantizers, then the grid's points, then baselines, each with a run at least.
        verdicts: of learned quantizers and baselines against the grid, by the arm's name.
        slopes: estimators and finite differences on one run, see `tangents.py`; empty if not asked for.
        slopes_of: that run.
        silent: why there are no slopes although they were asked for.
        unreadable: files of runs that cannot be read, or say nothing, each with the reason, in a line.
    """

    arms: Sequence[Arm]
    verdicts: dict[str, Verdict]
    slopes: Sequence[Tangents] = field(default_factory=list)
    slopes_of: Run | None = None
    silent: str = ""
    unreadable: Sequence[str] = ()

    @property
    def any_run(self) -> Run:
        """One of its runs: they are all of one data set, task and model."""
        return next(run for arm in self.arms for run in arm.runs.values())

    @property
    def learned_run(self) -> Run:
        """A run of a learned quantizer."""
        return next(run for arm in self.arms if arm.kind == "learned" for run in arm.runs.values())

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
        run = self.learned_run
        return f"{run.dataset}, {quantizer_name('', run.bits, run.network_bits)}, {run.model}"


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
    return Audited(there, verdicts, unreadable=[line for arm in arms for line in arm.unreadable])


def with_slopes(audited: Audited, examples: int, allow: Sequence[str] = ()) -> Audited:
    """The same with gradients compared on the first run of the first learned quantizer.

    Args:
        audited: the findings.
        examples: training examples for it.
        allow: parts of the user's own that the run may be built from, as in `load`.
    """
    from qsense.experiment.errors import EXPECTED
    from qsense.study.audit.tangents import of_run

    learned = next(arm for arm in audited.arms if arm.kind == "learned")
    run = learned.runs[min(learned.runs)]
    try:
        return replace(audited, slopes=of_run(run.folder, examples, allow), slopes_of=run)
    except EXPECTED as error:
        return replace(audited, silent=one_line(f"{run.folder.name}: {error}"))


def lines(audited: Audited) -> list[str]:
    """The audit in Markdown, which reads well on a screen, too."""
    run = audited.any_run
    unit = " (%)" if audited.scale == 100 else ""
    incomplete = [
        f"{arm.name} ({len(arm.runs)} of {arm.planned})" for arm in audited.arms if len(arm.runs) < arm.planned
    ]
    judged = [arm for arm in audited.arms if arm.kind != "fixed"]
    seeds, folds = ({pair[i] for arm in audited.arms for pair in arm.runs} for i in (0, 1))
    text = [
        f"# Audit: {markdown(audited.title)}",
        "",
        f"{markdown(metric_name(run.monitor))}{unit}: mean over {len(folds)} folds and {len(seeds)} seeds ± std of "
        f"seeds' means. {CRITERION}",
        "",
        *_table(
            ["quantizer", "score", "− chosen", "− best in hindsight", "noise"],
            [_row(audited, arm) for arm in judged],
        ),
        "",
        "Beside the grid's best:",
        "",
        *(f"- {markdown(_label(audited, arm))}: {WORDS[audited.verdicts[arm.name].words]}" for arm in judged),
        "",
        *_grid(audited),
        "",
    ]
    learned = [(arm, moved(arm)) for arm in audited.arms if arm.kind == "learned"]
    rows = [
        [arm.name, markdown(name), f"{start:.4f}", f"{end:.4f} ± {std:.4f}", f"{end - start:+.4f}"]
        for arm, values in learned
        for name, (start, end, std) in values.items()
    ]
    if rows:
        text += ["How far learning moved (± over runs):", ""]
        text += [*_table(["quantizer", "value", "start", "end", "moved"], rows), ""]
    if incomplete:
        text += [f"Runs are missing: {', '.join(incomplete)}. Comparisons use the (seed, fold) that all have.", ""]
    if audited.unreadable:
        text += ["Could not be read:", "", *(f"- {markdown(line)}" for line in audited.unreadable), ""]
    return text + _slopes(audited)


def _row(audited: Audited, arm: Arm) -> list[str]:
    verdict, scale = audited.verdicts[arm.name], audited.scale
    honest = "–" if verdict.honest is None else f"{scale * verdict.honest:+.2f}"
    noise = "–" if verdict.noise is None else f"{scale * verdict.noise:.2f}"
    return [
        _label(audited, arm),
        _score(arm, scale), honest, f"{scale * verdict.hindsight:+.2f}", noise,
    ]  # fmt: skip


def _label(audited: Audited, arm: Arm) -> str:
    """A quantizer's name; of a baseline at other bits than the title says, with them."""
    if arm.kind == "learned":
        return arm.name
    run, learned = next(iter(arm.runs.values())), audited.learned_run
    same = (run.bits, run.network_bits) == (learned.bits, learned.network_bits)
    return f"{arm.name if same else quantizer_name(arm.name, run.bits, run.network_bits)} (baseline)"


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
    left_out = f" Chosen with each seed left out: {'; '.join(chosen)}." if chosen else ""
    return [
        f"The grid of fixed curves, the best in bold.{left_out}", "",
        *_table(["fixed", *(f"μ {mu:g}" for mu in mus)], rows),
    ]  # fmt: skip


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns line up, cut into several below one another where it is wider than a screen, each
    with the rows' names."""
    rows = [[markdown(name), *values] for name, *values in rows]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str], columns: Sequence[int]) -> str:
        padded = [cells[0].ljust(widths[0]), *(cells[column].rjust(widths[column]) for column in columns)]
        return f"| {' | '.join(padded)} |"

    blocks: list[list[int]] = []
    for column in range(1, len(headings)):
        if not blocks or len(line(headings, [*blocks[-1], column])) > WIDTH:
            blocks.append([])
        blocks[-1].append(column)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    tables = [[line(cells, columns) for cells in (headings, rule, *rows)] for columns in blocks]
    return [text for table in tables for text in ("", *table)][1:]


def _slopes(audited: Audited) -> list[str]:
    if audited.silent:
        return [f"Gradients were not compared: {markdown(audited.silent)}", ""]
    if not audited.slopes:
        return []
    from qsense.study.audit.tangents import agreements

    run, first = audited.slopes_of, audited.slopes[0]
    assert run is not None
    text = (
        f"Gradient estimators against finite differences of the true loss, on {run.quant} seed {run.seed} fold "
        f"{run.fold} ({first.differences.shape[-1]} training batches, {len(audited.slopes)} learned entries, each at "
        f"{', '.join(f'{d:+g}' if d else '0' for d in first.at)} from what was learned). Right sign: at places whose "
        "finite difference exceeds twice its standard error. Ratio: estimator ÷ difference, median over those."
    )
    lines = ["## Gradients", "", text, ""]
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
        lines += [*_table(headings, rows), ""]
    return lines
