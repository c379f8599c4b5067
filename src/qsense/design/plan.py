"""What a design will try: the unquantized runs that all is measured against, and every converter with its power.

Open it to change which converters are candidates, or what is refused before any work.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from qsense.design.request import Request
from qsense.experiment import signatures
from qsense.experiment.checks import signal_of_data
from qsense.experiment.command_line.overrides import Job, experiment_of, key_of
from qsense.experiment.converters import Converter, converters, sensing_model
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.grid import plan
from qsense.experiment.trusted import named
from qsense.metrics.sensing import SensingModel
from qsense.runs.words import did_you_mean, lower_is_better, many, percent, rounded, some
from qsense.signal import Signal
from qsense.study.audit.plan import restored
from qsense.study.budget import affords, amount, points_of

Repeat = tuple[int, int]  # (seed, fold)
GAMMAS = (0.3, 0.4, 0.5, 0.7)  # exponents at which a power law is held fixed
POWER_LAW = "Gamma"
SEARCH = "search"  # the folder of the search's own files, in that of the answer


@dataclass(frozen=True)
class Candidate:
    """A converter that may be the answer.

    Args:
        option: of quant/sensor.
        overrides: that take it, for `qsense.train`.
        settings: its arguments with `_target_`.
        bits: per sample.
        learns: whether training moves its levels; the screening sees where they start.
        radio: the radio's power in µW.
        power: radio and converter, in µW.
        detail: what tells it from others of its option: "γ 0.3", "per axis".
    """

    option: str
    overrides: tuple[str, ...]
    settings: Mapping[str, Any]
    bits: int
    learns: bool
    radio: float
    power: float
    detail: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others, whatever they are called."""
        return digest([self.overrides, dict(self.settings)])

    @property
    def name(self) -> str:
        """As tables have it: "2 bits lloyd_max per axis"."""
        return " ".join(filter(None, [f"{self.bits} bit{'s' * (self.bits > 1)}", self.option, self.detail]))


@dataclass(frozen=True)
class Design:
    """What will be tried, all of it checked; nothing has begun.

    Args:
        request: what was asked.
        reference: the unquantized runs, {(seed, fold): (overrides, folder)}.
        candidates: within the limit of power, the cheaper first.
        excluded: {name: why}, of the others.
        dataset: its name.
        monitor: the score.
        signal: what the sensor delivers.
        native_bits: what it delivers unquantized.
        radio: the radio's power then, in µW.
        power: radio and converter then, in µW.
        workers: processes that train side by side on this machine.
        allowed: parts of the user's own that its runs may be built from.
    """

    request: Request
    reference: Mapping[Repeat, tuple[Job, Path]]
    candidates: Sequence[Candidate]
    excluded: Mapping[str, str]
    dataset: str
    monitor: str
    signal: Signal
    native_bits: int
    radio: float
    power: float
    workers: int = 1
    allowed: tuple[str, ...] = ()
    _runs: dict[str, Mapping[Repeat, tuple[Job, Path]]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def folds(self) -> list[int]:
        """Held-out parts, in the order in which they are trained."""
        return sorted({fold for _, fold in self.reference})

    @property
    def seeds(self) -> list[int]:
        """The first searches, the others confirm."""
        return sorted({seed for seed, _ in self.reference})

    @property
    def search_seed(self) -> int:
        return self.seeds[0]

    @property
    def fresh_seeds(self) -> list[int]:
        """Of the trainings that confirm; empty where a single seed was asked for."""
        return self.seeds[1:]

    @cached_property
    def key(self) -> str:
        """What tells the search's files from those of another one in the same folder."""
        runs = [folder.name for _, folder in self.reference.values()]
        asked = [self.request.max_loss, self.request.max_microwatts, self.request.keep]
        return digest([runs, [one.key for one in self.candidates], asked])

    @property
    def state(self) -> Path:
        """The folder of the search's own files, shared by all processes and machines."""
        return self.request.out / SEARCH / self.key

    def runs_of(self, candidate: Candidate) -> Mapping[Repeat, tuple[Job, Path]]:
        """A candidate's runs, by seed and fold."""
        if candidate.name not in self._runs:
            self._runs[candidate.name] = by_repeat(plan(self.arguments(candidate))[0])
        return self._runs[candidate.name]

    def arguments(self, candidate: Candidate) -> list[str]:
        """Of `qsense.train … -m`."""
        own = {key_of(entry) for entry in candidate.overrides}
        back = restored(experiment(self.request), [entry for entry in candidate.overrides if key_of(entry) in QUANT])
        kept = [entry for entry in back if key_of(entry) not in own]
        return [*self.request.overrides, *candidate.overrides, *kept]

    def points(self, difference: float) -> float:
        """A difference of scores, the unquantized one − another, in points that are lost."""
        sign, scale = -1 if lower_is_better(self.monitor) else 1, 100 if percent(self.monitor) else 1
        return sign * scale * difference

    @property
    def limit(self) -> str:
        """What may be lost, in words: "1 point"."""
        return amount(self.request.max_loss or 0.0, self.unit)

    @property
    def unit(self) -> str:
        """Of what is lost."""
        return points_of(self.monitor)

    @property
    def less(self) -> bool:
        """Whether a lower score is better."""
        return lower_is_better(self.monitor)

    @property
    def brackets(self) -> list[list[Candidate]]:
        """Candidates that are compared with each other, in the order in which brackets are worked on.

        Where a loss is allowed, those of the same bits, the fewest first: the first bracket that holds is the answer.
        Else all at once: then the least loss is looked for.
        """
        if self.request.max_loss is None:
            return [list(self.candidates)]
        return [[one for one in self.candidates if one.bits == bits] for bits in self.bits]

    @property
    def bits(self) -> list[int]:
        """Numbers of bits that have candidates."""
        return sorted({one.bits for one in self.candidates})


QUANT = ("quant", "quant/sensor", "quant/network")


def plan_design(request: Request) -> Design:
    """All that a design will try; starts nothing.

    Raises:
        ConfigError: a run that cannot be, several experiments at a time, data of a single fold, or no converter within
            the limit of power.
    """
    unquantized = ["quant=none", *restored(experiment(request), ["quant=none"])]
    planned, config = plan([*request.overrides, *unquantized])
    _refuse_several(planned)
    reference = by_repeat(planned)
    dataset, folds = config.data.dataset, {fold for _, fold in reference}
    if len(folds) < 2:
        raise ConfigError(
            f"{many('fold', sorted(folds))}: a design compares converters over held-out folds, and needs two at least "
            f"(data={config.hydra.runtime.choices.data}). With a single test part: qsense train quant=… bits=… -m, "
            "then qsense report"
        )
    model, signal = sensing_model(config), signal_of_data(config)
    values_per_s = model.values_per_s(signal.channels, signal.rate_hz, 0)
    native_bits = signal.native_bits or model.native_bits
    price = model.price(values_per_s, native_bits)
    found = [one for bits in request.bits for one in converters(config, bits, signal)]
    _refuse_unknown(request, found)
    fitting = [one for one in found if not one.misfit and (not request.only or one.option in request.only)]
    if not fitting:
        raise ConfigError(next(one.misfit for one in found if not request.only or one.option in request.only))
    every = [each for one in fitting for each in variants(one, model, values_per_s, signal)]
    excluded = _reasons(found, request, str(signatures.constant(config.data._target_, "gives")))
    most = f"max_uW={request.max_microwatts}".removesuffix(".0")
    able = [each for each in every if affords(request.budget, {"uj_s": each.power})]
    if not able:
        least = min(every, key=lambda each: each.power)
        raise ConfigError(
            f"{most}: no converter takes so little; the nearest is {least.name}, {rounded(least.power)} µW "
            f"(radio {rounded(least.radio)}) by the model of conf/sensing. Fewer bits (bits=1), or a higher limit"
        )
    dear = sorted({each.bits for each in every} - {each.bits for each in able})
    if dear:
        above = min(each.power for each in every if each.bits == dear[0])
        excluded[f"{', '.join(map(str, dear))} bits"] = f"from {rounded(above)} µW on, above {most}"
    return Design(
        request,
        reference,
        sorted(able, key=lambda each: (each.bits, each.learns)),
        excluded,
        str(signatures.constant(dataset._target_, "name") or config.hydra.runtime.choices.data),
        str(signatures.constant(config.task._target_, "monitor") or "score"),
        signal,
        native_bits,
        price["radio_uj_s"],
        price["uj_s"],
        request.workers or (cores() if config.trainer.get("accelerator") == "cpu" else 1),
        tuple(named(config)),
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def experiment(request: Request) -> str | None:
    """The option of `experiment` that was taken."""
    taken = [entry.partition("=")[2] for entry in request.overrides if key_of(entry) == "experiment"]
    return taken[-1] if taken else None


def by_repeat(planned: Mapping[Job, Path]) -> dict[Repeat, tuple[Job, Path]]:
    """Planned runs of one experiment by seed and fold."""
    runs = {}
    for job, folder in planned.items():
        values = {key_of(entry): entry.partition("=")[2] for entry in job}
        runs[int(values["seed"]), int(values["fold"])] = job, folder
    return dict(sorted(runs.items()))


def digest(content: Any) -> str:
    """Ten hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:10]


def variants(one: Converter, model: SensingModel, values_per_s: float, signal: Signal) -> list[Candidate]:
    """A converter as its YAML has it; a power law also held fixed at several exponents."""
    settings, bits = one.settings, int(one.settings["bits"])
    digital = bool(signatures.constant(settings["_target_"], "digital"))
    memory = bool(signatures.constant(settings["_target_"], "wants_recordings")) and not digital
    native = settings.get("native_bits") if memory else None
    refresh = int(settings.get("refresh") or 0)
    price = model.compare(
        values_per_s, bits, native or signal.native_bits, memory=memory, refresh=refresh, digital=digital
    )
    learns = "lr" in settings and bool(settings.get("learn", True))
    # null stands for a curve per channel where levels are fitted to series
    per_axis = "per_channel" in settings and settings["per_channel"] is not False and signal.channels > 1
    choice = (*one.choice, f"bits={bits}")

    def candidate(own: Sequence[str], changes: Mapping[str, Any], learning: bool, detail: str) -> Candidate:
        return Candidate(
            one.option, (*choice, *own), {**settings, **changes}, bits, learning, price["radio_uj_s"], price["uj_s"],
            detail,
        )  # fmt: skip

    every = [candidate((), {}, learns, "per axis" * per_axis)]
    if settings["_target_"].rpartition(".")[2] == POWER_LAW and not settings.get("per_channel"):
        every += [
            candidate(
                [f"quant.sensor.gamma={gamma:g}", "quant.sensor.lr=0"], {"gamma": gamma, "lr": 0}, False,
                f"fixed at γ {gamma:g}",
            )
            for gamma in GAMMAS
        ]  # fmt: skip
    return every


def _refuse_several(planned: Mapping[Job, Path]) -> None:
    if len({experiment_of(job) for job in planned}) == 1:
        return
    values: dict[str, set[str]] = {}
    for job in planned:
        for entry in experiment_of(job):
            values.setdefault(key_of(entry), set()).add(entry)
    varied = next(key for key, entries in values.items() if len(entries) > 1)
    raise ConfigError(
        f"{varied} has several values: a design chooses a converter for one data set, network and task. Give one "
        "value, and design for the others one by one"
    )


def _refuse_unknown(request: Request, found: Sequence[Converter]) -> None:
    known = list(dict.fromkeys(one.option for one in found))
    for name in request.only:
        if name not in known:
            raise ConfigError(f"quant={name}: no converter of that name{did_you_mean(name, known)}; {', '.join(known)}")


def _reasons(found: Sequence[Converter], request: Request, gives: str) -> dict[str, str]:
    """Why options do not fit, those with a common reason together; of those for another kind of data, only if asked."""
    reasons: dict[str, dict[str, None]] = {}
    for one in found:
        takes = signatures.constant(one.settings["_target_"], "takes")
        if one.misfit and (one.option in request.only if request.only else takes in (None, gives)):
            reasons.setdefault(one.misfit, {})[one.option] = None
    return {some(list(names)): reason for reason, names in reasons.items()}
