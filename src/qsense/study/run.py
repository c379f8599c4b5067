"""One run's folder → what a study needs to know of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qsense.runs import folder as run_folder
from qsense.runs.escapes import one_line
from qsense.runs.reading import read_json, read_text
from qsense.runs.settings import ONE_BATCH
from qsense.runs.status import FAILED, FINISHED, RUNNING, TO_DO, Status, status_of
from qsense.study.bounds import LONGEST_REASON, checked
from qsense.study.record import NOBODY, of_config, of_firmware, of_record, of_result

MOST_RESULT = 1 << 28  # bytes; the confusion of 1000 classes has a few millions


class ReportError(ValueError):
    """Nothing to report on; the message says what was looked for and where."""


@dataclass(frozen=True)
class Run:
    """One run's folder, as far as a study needs it; what it holds is checked (`bounds.py`), and texts are of one line.

    Args:
        folder: where it lies.
        status: one of `runs.status.STATES`.
        reason: why it failed or was lost, in a few words; empty where `unreadable` says it, and for others.
        task, data, quant, model: which option of each group was taken.
        dataset: the data set's name in tables (the group's option where the run is not finished).
        bits: of the sensor's ADC; None where it is not quantized.
        network_bits: of the network; None where it is not quantized.
        seed, fold: what the run's randomness depends on.
        num_folds: folds of its data set; 0 where the run is not finished.
        monitor: the metric that its task reports.
        metrics: what the last test measured, finite numbers alone.
        per_class: the same by class, {metric: {class: score}}.
        groups: the same by what its test can be divided by, {"condition": {metric: {group: score}}, …}, with how many
            "frames" and "boxes" stand behind each.
        learned: the quantizer's learned values, one per axis.
        cost: what its network costs per prediction ("macs", "bops", "size_mb") and what its sensor would per second
            (`SENSING`, "native_bits", "native_kbit_s", "native_uj_s", and "saved", the share of the latter; `LATER`,
            such as "behind_uj_s" and "entropy_bits"; "nominal_bits" per sample), and its firmware if it was exported
            (`of_firmware`); without what nobody counted.
        constants: what the sensor's figures are made from; empty without any.
        tallies: of each class 2·TP and 2·TP + FP + FN over the test's samples, two equally long rows; empty without.
        seconds: from its start to its end; None where it was resumed, or is not finished.
        settings: the dotted keys of its configuration that decide its numbers, but for bits, seed and fold.
        written: when its result was written, in seconds since 1970; 0 without one.
        fingerprint: SHA-256 over its data; None where it is not known.
        not_finite: what it measured or learned that is no finite number, with what it is: {"f1_sample": "nan"}.
        unreadable: its files that cannot be read, each with the reason, in a line.
    """

    folder: Path
    status: str
    reason: str
    task: str
    data: str
    quant: str
    model: str
    dataset: str
    bits: int | None
    network_bits: int | None
    seed: int
    fold: int
    num_folds: int = 0
    monitor: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    learned: Mapping[str, Sequence[float]] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    constants: Mapping[str, float | None] = field(default_factory=dict)
    tallies: Sequence[Sequence[int]] = ()
    seconds: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    written: float = 0.0
    fingerprint: str | None = None
    not_finite: Mapping[str, str] = field(default_factory=dict)
    unreadable: Sequence[str] = ()

    @property
    def path(self) -> str:
        """Where it lies, to be shown."""
        return one_line(str(self.folder))

    @property
    def quantizer(self) -> str:
        """The quantizer with its bits, as tables name it."""
        return quantizer_name(self.quant, self.bits, self.network_bits)

    @property
    def is_trial(self) -> bool:
        """Whether its score comes from a few batches of the test, which no whole test can be compared with."""
        batches = self.settings.get("trainer.limit_test_batches", "1")  # 1 is all of them
        return batches == ONE_BATCH or (batches.isdigit() and int(batches) > 1)

    @property
    def log(self) -> str:
        """The file that tells most about why it did not finish: the damaged result, or what `Status.log` finds."""
        try:
            result = self.folder / run_folder.RESULT
            return one_line(str(result if result.is_file() else Status(self.folder, self.status).log))
        except OSError:
            return self.path

    def key(self, name: str) -> str | None:
        """The value of a setting, or of one of `OWN_KEYS`, as text; None without it."""
        if name in OWN_KEYS:
            value = getattr(self, name)
            return None if value is None else str(value)
        return self.settings.get(name)


def quantizer_name(quant: str, bits: int | None, network_bits: int | None) -> str:
    """A quantizer with the bits of the sensor and of the network by their own names.

    >>> quantizer_name("gamma", 2, None), quantizer_name("fat", None, 4), quantizer_name("gamma_fat", 2, 4)
    ('gamma 2 bit', 'fat network 4 bit', 'gamma_fat 2 bit + network 4 bit')
    """
    sensor = "" if bits is None else f"{bits} bit"
    network = "" if network_bits is None else f"network {network_bits} bit"
    return " ".join(text for text in (quant, " + ".join(text for text in (sensor, network) if text)) if text)


OWN_KEYS = ("quant", "bits", "network_bits", "model", "task", "data")


def folders(path: Path) -> Iterator[Path]:
    """Folders that hold a run's configuration or result, in `path` and everything below it; and those that cannot be
    looked into.

    Raises:
        ReportError: it does not exist, is no folder, or cannot be looked into.
    """
    try:
        with os.scandir(path):
            pass
    except OSError as error:
        what = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        what = "is not a folder" if isinstance(error, NotADirectoryError) else what
        raise ReportError(f"{one_line(str(path))} {what}: give run folders, or folders of them") from error
    closed: list[Path] = []
    for folder, below, files in os.walk(path, onerror=lambda error: closed.append(Path(error.filename))):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if run_folder.CONFIG in files or run_folder.RESULT in files:
            below.clear()  # a run's own folders hold no runs
            yield Path(folder)
    yield from closed


def read_run(folder: Path) -> Run:
    """Read a run's folder, in whatever state it was left; never raises for what is inside.

    A file that cannot be read, or says what no run says, is named in `unreadable`; the rest counts.
    """
    unreadable: dict[str, str] = {}  # by file
    fields: dict[str, Any] = {**dict.fromkeys(("task", "data", "quant", "model", "dataset"), NOBODY)}
    fields |= {"bits": None, "network_bits": None, "seed": -1, "fold": -1}
    settings: dict[str, str] = {}
    with _damage(folder, run_folder.CONFIG, unreadable):
        read, known = of_config(read_text(folder / run_folder.CONFIG))
        fields, settings = {**fields, **checked({"status": TO_DO, **read})}, known
    record: dict[str, Any] = {}
    with _damage(folder, run_folder.RECORD, unreadable):
        record = of_record(read_json(folder / run_folder.RECORD))
    firmware: dict[str, float] = {}
    with _damage(folder, run_folder.FIRMWARE, unreadable):
        firmware = of_firmware(read_json(folder / run_folder.FIRMWARE))
    done: dict[str, Any] = {}
    with _damage(folder, run_folder.RESULT, unreadable):
        result = of_result(read_json(folder / run_folder.RESULT, MOST_RESULT))
        if settings:  # up to schema 2, `bits` was the network's where only that was quantized: the configuration knows
            result |= {key: fields[key] for key in ("bits", "network_bits")}
        result["cost"] |= firmware
        written = (folder / run_folder.RESULT).stat().st_mtime
        done = checked({**result, **record, "status": FINISHED, "written": written})
    if not done:
        done = fields | _unfinished(folder, unreadable)
    if len(unreadable) > 1 and len(set(unreadable.values())) == 1:
        unreadable = {"": next(iter(unreadable.values()))}  # the folder's own fault
    lines = tuple(f"{one_line(str(folder / file))}: {reason}" for file, reason in unreadable.items())
    return Run(folder=folder, **{**done, "settings": settings, "unreadable": lines})


def restored(folder: Path, fields: Mapping[str, Any], settings: Mapping[str, str]) -> Run:
    """A run that was read before, from what was kept of it.

    Args:
        folder: where it lies.
        fields: the others of a `Run`; from a file, so they are checked.
        settings: checked ones.

    Raises:
        ValueError: no such fields were ever kept.
    """
    return Run(folder=folder, settings=settings, **checked(fields))


@contextmanager
def _damage(folder: Path, file: str, unreadable: dict[str, str]) -> Iterator[None]:
    """Note why a file of a run cannot be read; one that is not there is none."""
    try:
        yield
    except FileNotFoundError:
        if (folder / file).is_symlink():
            unreadable[file] = "a link that leads nowhere"
    except (OSError, ValueError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        unreadable[file] = one_line(reason or type(error).__name__)[:LONGEST_REASON]


def _unfinished(folder: Path, unreadable: dict[str, str]) -> dict[str, str]:
    """Where a run without a readable result stands."""
    try:
        status = status_of(folder)
    except OSError as error:
        status = Status(folder, FAILED, error.strerror or str(error))
    if status.state == TO_DO and not unreadable:
        gone = not os.path.exists(folder)  # noqa: PTH110 – answers where a path would raise
        unreadable[""] = "it has vanished while it was read" if gone else "no file of a run can be seen in it"
    damage = unreadable.get(run_folder.RESULT, "")
    if (damage and status.state != RUNNING) or status.state in (TO_DO, FINISHED):  # or its files come and go
        status = Status(folder, FAILED, "" if unreadable else "its files changed while they were read")
    return {"status": status.state, "reason": one_line(status.reason)[:LONGEST_REASON]}


def varying(group: Iterable[Run]) -> set[str]:
    """Keys that do not have one and the same value in all runs whose configuration is known."""
    values: dict[str, set[str]] = {}
    several = {id(run.settings): run.settings for run in group if run.settings}.values()  # runs share them
    for one in several:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    everywhere = set.intersection(*(set(one) for one in several)) if several else set()
    return {key for key, texts in values.items() if len(texts) > 1 or key not in everywhere}
