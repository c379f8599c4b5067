"""A run's firmware as a folder: its C99 project, and what it costs and is worth, as JSON, page and picture.

Open it to see what `qsense export RUN format=firmware` writes and says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qsense.chip.conformance import Check
from qsense.chip.converter import Converter
from qsense.chip.firmware import conformance, project
from qsense.chip.firmware.build import EXPLAINED, Built, arithmetic_of, build, native_of
from qsense.chip.firmware.counting import Counts, count
from qsense.chip.firmware.datasheet import firmware_page, in_percent, on_the_node, revision_of
from qsense.chip.firmware.energy import Measured, design_picture, energy_of
from qsense.chip.firmware.tested import Tested, on_test_windows
from qsense.chip.memory.codec import Codec
from qsense.chip.names import CODINGS
from qsense.chip.origin import Origin
from qsense.experiment.converters import sensing_model
from qsense.experiment.load import TrainedRun
from qsense.metrics.compute import SENT
from qsense.metrics.sensing import SensingModel
from qsense.plots.style import save
from qsense.runs import folder as run_folder
from qsense.runs.words import power

ROUNDING = 1e-6  # of a score
FOLDER, RECORD, PAGE, PICTURE = "firmware", "firmware.json", "firmware.html", "design.png"


@dataclass(eq=False)
class Firmware:
    """What an export of a firmware has at hand.

    Args:
        folder: the project's.
        origin: its run.
        built: plan, and the same network in torch.
        counts: what it costs.
        tested: what it is worth; None where the run's data is not at hand.
        model: constants of what sensing, sending and computing cost; None: the run has none.
        record: what `firmware.json` says.
        files: written, in order.
        notes: what was assumed.
    """

    folder: Path
    origin: Origin
    built: Built
    counts: Counts
    tested: Tested | None
    model: SensingModel | None
    record: dict[str, Any]
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self) -> list[Check]:
        """Compare torch, reference and C; the outcome goes to `firmware.json`, too."""
        if self.tested is None:
            return [Check("firmware", None, "the run's data is not at hand")]
        checks = conformance.check(self.folder, self.built, self.tested)
        self.record["conformance"] = [asdict(each) for each in checks]
        self.save()
        return checks

    def price(self, measured: Measured | None = None) -> None:
        """Say what the node takes, beside one that sends samples.

        Args:
            measured: the compiled program, where it was built and run.
        """
        self.record["measured"] = None if measured is None else asdict(measured)
        self.record["energy"] = energy_of(self.built.plan, self.counts, self.model, measured)
        self.save()

    def save(self) -> list[Path]:
        """Write `firmware.json`, and what shows it: a page and, where power is told, a picture."""
        plan, files = self.built.plan, [self.folder / RECORD, self.folder / PAGE]
        text = json.dumps(self.record, indent=2, allow_nan=False) + "\n"
        run_folder.write_atomically(files[0], text)
        page = firmware_page(plan, self.counts, self.record, self.origin)
        run_folder.write_bytes_atomically(files[1], page.encode(errors="backslashreplace"))
        if energy := self.record["energy"]:
            files.append(self.folder / PICTURE)
            save(design_picture(energy, f"{self.origin.dataset}: {plan.name}"), files[-1])
        return files

    def summary(self) -> list[str]:
        """What it costs and what it is worth, in lines of at most 80 columns."""
        plan, counts = self.built.plan, self.counts
        alone = f"each window alone {counts.macs_alone:,}: {counts.saved:.0%} are saved"
        lines = [
            f"Firmware {plan.name}: windows of {plan.window} samples, one every {plan.stride}",
            f"  MACs per prediction {counts.macs:>11,}  {alone}",
            f"  flash, tables       {counts.flash:>11,} B  {counts.weights:,} weights",
            f"  RAM, state          {counts.ram:>11,} B",
        ]
        if energy := self.record["energy"]:
            designs, computing = energy["designs"], on_the_node(energy)
            sent, what = (designs[SENT], "codes") if SENT in designs else (designs["native_sent"], "samples")
            lines.append(f"  power, by model     {power(computing['uw']):>11}    with the network on the node")
            lines.append(f"{'':<22}{power(sent['uw']):>11}    where it sends {what}")
            lines.append(f"{'':<22}{in_percent(computing['cpu_share']):>11}    of a processor's time")
        if (tested := self.tested) is None:
            return lines
        monitor = self.record["test"]["monitor"]
        lines.append(f"  {monitor:<19} {tested.recorded[monitor]:>11.4f}  as recorded")
        here = tested.scores["task"][monitor]
        if abs(here - tested.recorded[monitor]) > ROUNDING:  # a run that tested some of its windows
            lines.append(f"{'':<22}{here:>11.4f}  as trained, on all test windows")
        for name, label in (("integers", "in integers"), ("firmware", f"from {plan.native.bits}-bit counts")):
            other = f"{tested.differing[name]:,} of {tested.windows:,} windows of another class"
            lines.append(f"    {label:<18}{tested.scores[name][monitor]:>11.4f}  {other}")
        if "majority" in tested.scores:
            label = f"majority of {self.record['majority']}"
            lines.append(f"    {label:<18}{tested.scores['majority'][monitor]:>11.4f}")
        return lines


def export(
    run: TrainedRun,
    origin: Origin,
    converter: Converter | Codec | None,
    out: Path,
    name: str,
    native_bits: int | None = None,
    full_scale: Sequence[float] | None = None,
    twos_complement: bool = False,
    majority: int = 1,
    missing: str = "",
) -> Firmware:
    """Write a run's firmware into `out`/firmware.

    Args:
        run: suitable (`build.check_suitable`).
        origin: where it comes from.
        converter: the run's, by `convert` or `codec`; None: the sensor is not quantized.
        out: folder of the export.
        name: an identifier.
        native_bits: of a sensor without a quantizer, as in `convert`; as are `full_scale` and `twos_complement`.
        full_scale: see there.
        twos_complement: see there.
        majority: windows whose most frequent class is reported, odd; 1: each window's own.
        missing: why the run's data is not at hand; empty where it is set up.

    Raises:
        ValueError: a run that was not trained in integers and has no data to place ranges by, or as in `build` and
            `project.write`.
    """
    arithmetic = arithmetic_of(run)
    if missing and arithmetic != "integer":
        first = missing.partition("\n")[0]  # what follows it are settings of training
        raise ValueError(f"format=firmware: {origin.run} was not trained in integers, and ranges of activations are "
                         f"placed by its training windows: {first} Give --root FOLDER")  # fmt: skip
    native = native_of(run, converter, native_bits, full_scale, twos_complement)
    built = build(run, converter, native, name)
    files = project.write(built.plan, origin, majority)
    counts = count(built.plan, majority)
    tested = None if missing else on_test_windows(run, built, majority)
    model = sensing_model(run.config) if run.config.get("sensing") is not None else None
    folder = out / FOLDER
    plan = built.plan
    record: dict[str, Any] = {
        "name": name,
        "revision": revision_of(plan),
        "origin": origin.lines(),
        "simulated": origin.simulated,
        "arithmetic": arithmetic,
        "window": plan.window,
        "stride": plan.stride,
        "rate_hz": plan.rate_hz,
        "channels": list(plan.channels),
        "classes": list(plan.class_names),
        "majority": majority,
        "options": {
            "name": name,
            "native_bits": native_bits,
            "full_scale": full_scale,
            "coding": CODINGS[twos_complement],
            "majority": majority,
        },
        "converter": None if converter is None else converter.record,
        "native": {key: value for key, value in vars(native).items() if key != "assumed"},
        "counts": counts.record(),
        "test": None if tested is None else tested.record(origin.result["monitor"]),
        "conformance": None,
        "measured": None,
        "energy": energy_of(plan, counts, model),
    }
    firmware = Firmware(folder, origin, built, counts, tested, model, record)
    firmware.notes.append(f"firmware: {EXPLAINED[arithmetic]}")
    firmware.notes += [native.assumed] * bool(native.assumed and converter is None)
    firmware.notes += [f"firmware: nothing is said of its score: {missing}"] * bool(missing)
    for path, text in files.items():
        run_folder.write_bytes_atomically(folder / path, text.encode(errors="backslashreplace"))
        firmware.files.append(folder / path)
    firmware.files += firmware.save()
    return firmware
