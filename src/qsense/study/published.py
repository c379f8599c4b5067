"""The papers' own figures, and whether a run may be held against them: the same protocol, or what differs.

The protocol is what `conf/experiment/` pins for each paper, with the quantizer's own defaults.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from qsense.runs.settings import GROUPS, NEUTRAL
from qsense.runs.words import rounded, some
from qsense.study.cell import Cell
from qsense.study.record import settings
from qsense.study.rows import Place
from qsense.study.run import Run

HAR_SEEDS = 3
# The papers' values of keys that do not stand in a run's settings where they have these.
UNSET = {f"task.{key}": json.dumps(value) for key, value in NEUTRAL["task"].items()}
UNSET["model.lstm_bias"] = NEUTRAL["model"]["lstm_bias"]
MODELS = {
    "ResNet-18": "resnet18",
    "ResNet-34": "resnet34",
    "MobileNetV2": "mobilenet_v2",
    "VGG-Small": "vgg_small",
    "ResNet-20": "resnet20",
    "ResNet-56": "resnet56",
}


@dataclass(frozen=True)
class Published:
    """One figure of a paper.

    Args:
        source: which paper and table.
        metric, dataset, quant, bits, network_bits: which of our cells it belongs to.
        mean, std: in the paper's unit, percent; std None where the paper gives none.
        experiment: whose YAML is the paper's protocol.
        model: which network; None where the experiment says it.
        quantizer: settings of the quantizer, beside its defaults.
        folds, seeds: that it averages; 0 where the paper does not say.
    """

    source: str
    metric: str
    dataset: str
    quant: str
    bits: int | None
    mean: float
    std: float | None
    experiment: str
    model: str | None = None
    network_bits: int | None = None
    quantizer: Mapping[str, str] = field(default_factory=dict)
    folds: int = 0
    seeds: int = 0


@dataclass(frozen=True)
class Beside:
    """A paper's figure beside one of ours.

    Args:
        published: the figure.
        differs: in what ours was made differently, "trainer.max_epochs 5 (paper: 30)"; none: the same protocol.
        difference: ours − the paper's, in percent; None on another protocol.
        in_std: the difference ÷ √(our std² + the paper's²); None without any of the two, or on another protocol.
    """

    published: Published
    differs: tuple[str, ...]
    difference: float | None = None
    in_std: float | None = None


def _table(name: str) -> list[dict[str, str]]:
    text = (files("qsense") / "paper" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def figures() -> tuple[Published, ...]:
    """Every published score that our runs can reproduce."""
    return (*_har(), *_fat())


def _har() -> Iterator[Published]:
    folds = {row["dataset"]: int(row["participants"]) for row in _table("gamma_quant_table1_datasets")}
    for table, name in ((2, "gamma_quant_table2_har_macro_f1"), (3, "gamma_quant_table3_gamma_init")):
        for row in _table(name):
            yield Published(
                source=f"γ-Quant, Table {table}",
                metric="f1_sample",
                dataset=row["dataset"],
                quant="none" if row["quant"] == "raw" else row["quant"],
                bits=int(row["bits"]) if row["bits"] else None,
                mean=float(row["macro_f1_mean"]),
                std=float(row["macro_f1_std"]),
                experiment="gamma_quant_har",
                quantizer={"quant.sensor.gamma": row["gamma_init"]} if row["gamma_init"] else {},
                folds=folds[row["dataset"]],
                seeds=HAR_SEEDS,
            )


def _fat() -> Iterator[Published]:
    tables = (
        (1, "fat_table1_imagenet", "ImageNet", "imagenet", {"top1": "top1", "top5": "top5"}),
        (2, "fat_table2_cifar10", "CIFAR-10", "cifar10", {"top1": "accuracy"}),
    )
    for table, name, dataset, recipe, columns in tables:
        for row in _table(name):
            if row["method"] not in ("FAT", "Full-precision"):
                continue
            fat, model = row["method"] == "FAT", MODELS[row["architecture"]]
            experiment = f"fat_{recipe}" + ("" if model == "vgg_small" else f"_{model}") if fat else recipe
            for metric, column in columns.items():
                yield Published(
                    source=f"FAT, Table {table}",
                    metric=metric,
                    dataset=dataset,
                    quant="fat" if fat else "none",
                    bits=None,
                    network_bits=int(row["w_bits"]) if fat else None,
                    mean=float(row[column]),
                    std=None,
                    experiment=experiment,
                    model=model,
                    quantizer={"quant.network.levels": row.get("quantizer") or "uniform"} if fat else {},
                )


# ---------------------------------------------------------------------------------------------------------- protocol


@cache
def protocol(experiment: str, quant: str) -> Mapping[str, str]:
    """The settings that a paper's experiment pins, of a quantizer with its defaults, and of a trainer that trains in
    full."""
    from qsense.experiment.compose import compose, plain, stated  # here: it brings Hydra

    def keys(overrides: list[str], *groups: str) -> list[str]:
        stated_there = settings(plain(stated(overrides, groups), resolve=False))
        return [key for key, value in stated_there.items() if value != "???"]

    overrides = [f"experiment={experiment}", f"quant={quant}"]
    composed = compose(overrides)
    values = settings({group: plain(composed[group]) for group in GROUPS})
    # An experiment says much about FAT's quantizer that no other has.
    own = keys([f"quant={quant}"], "quant")
    pinned = keys(overrides, "experiment", "trainer")
    pinned = [key for key in pinned if not key.startswith("quant.")]
    return UNSET | {key: values[key] for key in [*own, *pinned] if key in values}  # a neutral one is no setting


def _same(key: str, one: str, other: str) -> bool:
    if key == "model.weights":  # the same file, wherever it lies
        return one.rpartition("/")[2] == other.rpartition("/")[2]
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


def _value(run: Run, key: str) -> str:
    """A run's setting; γ-Quant's start value where it is left to the signal: 0.4 for signed ones, 1.0 for images."""
    value = run.settings.get(key, UNSET.get(key, "not set"))
    if key == "quant.sensor.gamma" and value == "null":
        return "0.4" if run.task == "har" else "1.0"
    return value


def differences(run: Run, figure: Published) -> list[str]:
    """In which settings a run was made differently from the paper's."""
    if not run.settings:
        return [f"the run's configuration is lost: {run.folder}"]
    expected = {**protocol(figure.experiment, figure.quant), **figure.quantizer}
    if expected.get("quant.sensor.gamma") == "null":
        expected["quant.sensor.gamma"] = "0.4" if run.task == "har" else "1.0"
    expected |= {key: "not set" for key in run.settings if key.startswith("quant.network.") and key not in expected}
    return [
        f"{key} {_value(run, key)} (paper: {value})"
        for key, value in expected.items()
        if not _same(key, _value(run, key), value)
    ]


# ------------------------------------------------------------------------------------------------------------ beside


def against_paper(metric: str, cells: Mapping[Place, Cell], runs: Mapping[Place, Sequence[Run]]) -> dict[Place, Beside]:
    """The published figure beside every cell that has one: the one whose protocol is nearest.

    Args:
        metric: which metric the cells are of.
        cells: our scores, in [0, 1].
        runs: behind each cell.
    """
    beside = {}
    for place, cell in cells.items():
        row, dataset = place
        candidates = [
            _beside(cell, runs[place], figure)
            for figure in figures()
            if (figure.metric, figure.dataset, figure.quant, figure.bits, figure.network_bits)
            == (metric, dataset, row.quant, row.bits, row.network_bits)
            and figure.model in (None, row.model)
        ]
        if candidates:
            beside[place] = min(candidates, key=lambda candidate: len(candidate.differs))
    return beside


def _beside(cell: Cell, runs: Sequence[Run], figure: Published) -> Beside:
    differs = []
    if figure.folds and (cell.num_folds != figure.folds or not cell.complete):
        differs.append(f"{cell.count} folds × seeds (paper: {figure.folds}×{figure.seeds})")
    elif figure.seeds and len(cell.seed_means) != figure.seeds:
        differs.append(f"{len(cell.seed_means)} seeds (paper: {figure.seeds})")
    differs += dict.fromkeys(text for run in runs for text in differences(run, figure))
    if differs:
        return Beside(figure, tuple(differs))
    difference = 100 * cell.mean - figure.mean
    spread = math.hypot(100 * (cell.std or 0.0), figure.std or 0.0)
    return Beside(figure, (), difference, difference / spread if spread else None)


def words(beside: Beside) -> str:
    """ "paper 40.18 ± 0.32, +1.20 (+2.9 std)"; without the difference on another protocol."""
    figure = beside.published
    text = f"paper {figure.mean:.2f}" + ("" if figure.std is None else f" ± {figure.std:.2f}")
    if beside.difference is None:
        return f"{text} ‡"
    text += f", {beside.difference:+.2f}"
    return text if beside.in_std is None else f"{text} ({beside.in_std:+.1f} std)"


def costs_and_gammas(runs: Mapping[Place, Sequence[Run]]) -> list[str]:
    """What else the papers state of such runs: FAT's sizes and bit operations (Table 3), γ-Quant's learned γ."""
    lines: dict[str, None] = {}
    sizes = {
        (MODELS[row["architecture"]], "fat" if row["method"] == "FAT" else "none", row["w_bits"]): row
        for row in _table("fat_table3_hardware")
        if row["method"] in ("FAT", "Full-precision")
    }
    gammas = {int(row["bits"]): row["gamma"] for row in _table("gamma_quant_learned_gamma_pascalraw_fasterrcnn")}
    for (row, dataset), several in runs.items():
        run = several[0]
        size = sizes.get((run.model, run.quant, str(run.network_bits or 32)))
        if dataset == "ImageNet" and size is not None and {"size_mb", "bops"} <= set(run.cost):
            lines[
                f"{run.model}, {row.name}: {rounded(run.cost['size_mb'])} MB (paper {size['size_mb']}), "
                f"{rounded(run.cost['bops'] / 1e9)} GBOPs (paper {size['bops_g']})"
            ] = None
        if (dataset, run.model, run.quant) == ("PASCAL RAW", "faster_rcnn", "gamma") and run.bits in gammas:
            learned = [float(one.learned["gamma"][0]) for one in several if one.learned.get("gamma")]
            if learned:
                text = f"{row.name}, {dataset}: learned γ {sum(learned) / len(learned):.3f} (paper {gammas[run.bits]})"
                figure = Published("", "", dataset, run.quant, run.bits, 0.0, None, "pascal_raw_faster_rcnn")
                differs = list(dict.fromkeys(text for one in several for text in differences(one, figure)))
                lines[text + (f"; differs in {some(differs, '; ')}" if differs else "")] = None
    return list(lines)
