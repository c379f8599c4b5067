"""What the firmware of finished runs costs on an emulated microcontroller, and whether its classes are the reference's.

    python -m benchmarks.firmware RUN [RUN …] [--board mps2-an386 …] [--samples 2000] [--out FOLDER] [--record]

Each run is exported, compiled, and given its test recordings on the board (`tests/device/emulator.py` says what is
counted, and what `make test-device` installs for it). Each run gives a JSON file. With `--record` what was measured on
the first board is added to RUN/export/firmware, for its page and for `qsense report`: a firmware that `qsense export`
has written there keeps its options and checks. A window *differs* where its start, class, margin or majority is not
the integer reference's.

Instructions hardly depend on the samples, so a few hundred windows tell what a prediction takes; a large network takes
minutes for a whole recording. Flash leaves out the board's own start and its files; so does RAM, which is `qs_state`.
`sender` in a file is what a sensor pays that sends its codes and computes no network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.device.emulator import BOARDS, Board, Measured, Program, Sent, run_on, send_on

from qsense.chip.conformance import Check
from qsense.chip.export import export
from qsense.chip.firmware.energy import Measured as Priced
from qsense.chip.firmware.reference import classify
from qsense.chip.names import FIRMWARE
from qsense.chip.origin import origin
from qsense.experiment.load import load
from qsense.runs import folder as run_folder
from qsense.runs.layout import Column, table
from qsense.runs.reading import read_json

LONGEST_S = 3600  # of one run's emulation


class Subject:
    """A run's firmware, exported, and the test recordings that boards are given.

    Args:
        folder: of a finished run, whose data is at hand.
        scratch: an empty folder.
        recordings: of the test, at most; None: all.
        samples: of each recording, at most; None: all.
        record: whether the run's own export gets the firmware; one that is there keeps its options and its checks.

    Raises:
        ValueError: a run that cannot become a firmware, or whose data is not at hand.
    """

    def __init__(
        self, folder: Path, scratch: Path, recordings: int | None = None, samples: int | None = None,
        record: bool = False,
    ) -> None:  # fmt: skip
        out, earlier = (folder / "export", exported(folder)) if record else (scratch, {})
        options = earlier.get("options", {})
        firmware = export(load(folder), origin(folder), out, (FIRMWARE,), **options).firmware
        if firmware is None or firmware.tested is None:
            raise ValueError(f"{folder}: its data is not at hand, so there is nothing to push through its firmware")
        self.name, self.scratch, self.firmware = folder.resolve().name, scratch, firmware
        if earlier.get("revision") == firmware.record["revision"]:
            firmware.record["conformance"] = earlier["conformance"]
            firmware.save()
        self.plan, counts = firmware.built.plan, firmware.tested.counts
        spans = itertools.pairwise(firmware.tested.bounds)
        self.recordings = [counts[start:end][:samples] for start, end in spans][:recordings]
        majority = options.get("majority", 1)
        self.expected = [classify(self.plan, recording, majority) for recording in self.recordings]

    def on(self, board: Board, optimize: str = "-Os", fast: str = "") -> dict[str, Any]:
        """What it does on a board, ready for JSON.

        Args:
            board: one of `BOARDS`.
            optimize: the compiler's option.
            fast: what the project's Makefile calls FAST.

        Raises:
            RuntimeError: the compiler or the board failed.
        """
        began = time.monotonic()
        folder = self.scratch / board.name
        measured = run_on(
            board, self.firmware.folder, self.recordings, folder, optimize=optimize, fast=fast, longest_s=LONGEST_S
        )
        sent = send_on(board, self.firmware.folder, self.recordings, folder / "sender")
        return {
            "run": self.name,
            "board": board.name,
            "core": board.core,
            "compiler": first_line(f"{board.tools}gcc"),
            "options": optimize + f" FAST={fast}" * bool(fast),
            "emulator": first_line(board.emulator[0]),
            "flash": flash(measured.program),
            "ram": {"state": measured.program.ram, "stack": measured.stack, "stack_bound": measured.stack_bound},
            "instructions": instructions(measured, self.plan.stride),
            "sender": sender(sent),
            "macs_per_prediction": self.firmware.counts.macs,
            "recordings": len(self.recordings),
            "samples": sum(map(len, self.recordings)),
            "windows": len(measured.rows),
            "classes": len(set(measured.rows["winner"].tolist())),
            "windows_differing": measured.differing(self.expected),
            "seconds": round(time.monotonic() - began, 1),
        }

    def record(self, found: dict[str, Any]) -> None:
        """Let the run's own firmware know what was measured on a board, beside what is known of it."""
        check = vars(_check(found))
        others = [each for each in self.firmware.record["conformance"] or [] if each["what"] != check["what"]]
        self.firmware.record["conformance"] = [*others, check]
        self.firmware.price(_as_priced(found))


def exported(folder: Path) -> dict[str, Any]:
    """What `firmware.json` says of a run's firmware; nothing where there is none."""
    file = folder / run_folder.FIRMWARE
    return dict(read_json(file)) if file.is_file() else {}


def _check(found: dict[str, Any]) -> Check:
    wrong, windows = found["windows_differing"], found["windows"]
    what = f"firmware, {found['core']} ({found['board']}, emulated)"
    return Check(what, wrong == 0, f"{windows:,} windows (start, class, margin, majority), {wrong:,} differences")


def _as_priced(found: dict[str, Any]) -> Priced:
    """The measured figures that the model of power is given."""
    compiler = re.sub(r" [(].*[)]| [0-9]{8}", "", found["compiler"])
    return Priced(
        processor=f"{found['core']}, emulated; {compiler}, {found['options']}",
        flash=found["flash"]["total"],
        ram=found["ram"]["state"],
        stack=found["ram"]["stack"],
        instructions=found["instructions"]["prediction"]["mean"],
        longest=found["instructions"]["push"]["worst"],
    )


def flash(program: Program) -> dict[str, Any]:
    """Bytes, in all and by file."""
    parts = program.flash
    return {"total": sum(sum(part.values()) for part in parts.values()), "parts": parts}


def sender(sent: Sent) -> dict[str, Any]:
    """What a sensor pays that sends codes, and leaves the network to its receiver."""
    mean, worst = sent.instructions
    return {
        "flash": flash(sent.program),
        "ram": {"state": sent.program.ram, "stack": sent.stack, "stack_bound": sent.program.stack_bound("qs_encode")},
        "instructions": {"sample": {"mean": round(mean), "worst": worst}},
    }


def instructions(measured: Measured, stride: int) -> dict[str, dict[str, float]]:
    """Of a push, and of all pushes from one class to the next."""
    predictions = measured.predictions
    if not len(predictions):
        raise ValueError("no recording has two windows: there is no prediction to count instructions of")
    mean = float(predictions.mean())
    return {
        "prediction": {"mean": round(mean), "worst": int(predictions.max())},
        "push": {"mean": round(mean / stride), "worst": measured.longest_push},
    }


def first_line(program: str) -> str:
    """What a program says of its version."""
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def shown(names: Sequence[str], measured: Sequence[dict[str, Any]], width: int = 80) -> str:
    """A row for each run and board."""

    def column(heading: str, number: Callable[[dict[str, Any]], float]) -> Column:
        return Column(heading, [[f"{number(each):,.0f}"] for each in measured])

    memory = [
        column("code B", lambda run: of_kind(run, "code")),
        column("tables B", lambda run: of_kind(run, "constants")),
        column("RAM B", lambda run: run["ram"]["state"]),
        column("stack B", lambda run: run["ram"]["stack"]),
    ]
    work = [
        column("instr. / prediction", lambda run: run["instructions"]["prediction"]["mean"]),
        column("longest push", lambda run: run["instructions"]["push"]["worst"]),
        column("windows", lambda run: run["windows"]),
        column("differ", lambda run: run["windows_differing"]),
    ]
    return table("run", names, [memory, work], width).plain


def of_kind(run: dict[str, Any], kind: str) -> int:
    """Bytes of code or of constants, of all files."""
    return sum(part[kind] for part in run["flash"]["parts"].values())


def main(line: Sequence[str] | None = None) -> int:
    """Measure; 1 where a window differs from the reference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--board", choices=BOARDS, nargs="+", default=["mps2-an386"])
    parser.add_argument("--recordings", type=int, help="test recordings at most (default: all)")
    parser.add_argument("--samples", type=int, help="of each recording, at most (default: all)")
    parser.add_argument("--optimize", default="-Os", help="the compiler's option: --optimize=-O2")
    parser.add_argument("--fast", default="", help="what the project's Makefile calls FAST: --fast=-O2")
    parser.add_argument("--record", action="store_true", help="into each RUN/export/firmware as well")
    parser.add_argument("--out", type=Path, default=Path("build/firmware"), help="folder for the JSON files")
    options = parser.parse_args(line)
    boards = [BOARDS[name] for name in options.board]
    if missing := sorted({program for board in boards for program in board.missing}):
        parser.error(f"there is no {', no '.join(missing)}: make test-device installs them")
    options.out.mkdir(parents=True, exist_ok=True)
    names, measured = [], []
    for number, folder in enumerate(options.runs, 1):
        with tempfile.TemporaryDirectory() as scratch:
            subject = Subject(folder, Path(scratch), options.recordings, options.samples, options.record)
            print(f"{number:3}  {subject.name}", flush=True)
            for board in boards:
                measured.append(subject.on(board, options.optimize, options.fast))
                if options.record and board is boards[0]:
                    subject.record(measured[-1])
                names.append(f"{number} {board.core.removeprefix('Cortex-')}")
                file = options.out / f"{subject.name}.{board.name}.json"
                file.write_text(json.dumps(measured[-1], indent=2) + "\n")
    print(f"\n{measured[0]['options']}; more in {options.out}/*.json\n\n{shown(names, measured)}")
    return int(any(each["windows_differing"] for each in measured))


if __name__ == "__main__":
    raise SystemExit(main())
