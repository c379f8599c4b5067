"""What the firmware of finished runs costs on an emulated microcontroller, and whether its classes are the reference's.

    python -m benchmarks.firmware RUN [RUN …] [--board mps2-an386] [--samples 2000] [--out FOLDER] [--record]

Each run is exported, compiled, and given its test recordings on the board (`tests/device/emulator.py` says what is
counted, and what `make test-device` installs for it). Each run gives a JSON file; with `--record` its own folder gets
the firmware with what was measured, too, in RUN/export/firmware, for its page and for `qsense report`. A window
*differs* where its start, class, margin or majority is not the integer reference's.

Instructions hardly depend on the samples, so a few hundred windows tell what a prediction takes; a large network takes
minutes for a whole recording. Flash leaves out the board's own start and its files; so does RAM, which is `qs_state`.
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

from tests.device.emulator import BOARDS, Board, Measured, run_on

from qsense.chip.conformance import Check
from qsense.chip.export import export
from qsense.chip.firmware.energy import Measured as Priced
from qsense.chip.firmware.reference import classify
from qsense.chip.names import FIRMWARE
from qsense.chip.origin import origin
from qsense.experiment.load import load
from qsense.runs.layout import Column, table

LONGEST_S = 3600  # of one run's emulation


def measure(
    folder: Path, board: Board, scratch: Path, recordings: int | None = None, samples: int | None = None,
    optimize: str = "-Os", record: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A run's firmware on a board, ready for JSON.

    Args:
        folder: of a finished run, whose data is at hand.
        board: one of `BOARDS`.
        scratch: an empty folder.
        recordings: of the test, at most; None: all.
        samples: of each recording, at most; None: all.
        optimize: the compiler's option.
        record: whether the run's own export gets the firmware, with what was measured.

    Raises:
        ValueError: a run that cannot become a firmware, or whose data is not at hand.
        RuntimeError: the compiler or the board failed.
    """
    run = load(folder)
    firmware = export(run, origin(folder), folder / "export" if record else scratch, (FIRMWARE,)).firmware
    if firmware is None or firmware.tested is None:
        raise ValueError(f"{folder}: its data is not at hand, so there is nothing to push through its firmware")
    bounds = firmware.tested.bounds
    every = [firmware.tested.counts[start:end][:samples] for start, end in itertools.pairwise(bounds)][:recordings]
    expected = [classify(firmware.built.plan, counts) for counts in every]
    began = time.monotonic()
    measured = run_on(board, firmware.folder, every, scratch / board.name, optimize, LONGEST_S)
    seconds, flash = time.monotonic() - began, measured.program.flash
    found = {
        "run": folder.resolve().name,
        "board": board.name,
        "core": board.core,
        "compiler": f"{first_line(f'{board.tools}gcc')}, {optimize}",
        "emulator": first_line(board.emulator[0]),
        "flash": {"total": sum(sum(part.values()) for part in flash.values()), "parts": flash},
        "ram": {"state": measured.program.ram, "stack": measured.stack, "stack_bound": measured.stack_bound},
        "instructions": instructions(measured, firmware.built.plan.stride),
        "macs_per_prediction": firmware.counts.macs,
        "recordings": len(every),
        "samples": sum(map(len, every)),
        "windows": len(measured.rows),
        "classes": len(set(measured.rows["winner"].tolist())),
        "windows_differing": measured.differing(expected),
        "seconds": round(seconds, 1),
    }
    if record:
        firmware.record["conformance"] = [vars(_check(found))]
        firmware.price(_as_priced(found))
    return found


def _check(found: dict[str, Any]) -> Check:
    wrong, windows = found["windows_differing"], found["windows"]
    what = f"firmware, {found['core']} ({found['board']}, emulated)"
    return Check(what, wrong == 0, f"{windows:,} windows (start, class, margin, majority), {wrong:,} differences")


def _as_priced(found: dict[str, Any]) -> Priced:
    """What power is told by."""
    return Priced(
        processor=f"{found['core']}, emulated; {re.sub(r' [(].*[)]| [0-9]{8}', '', found['compiler'])}",
        flash=found["flash"]["total"],
        ram=found["ram"]["state"],
        stack=found["ram"]["stack"],
        instructions=found["instructions"]["prediction"]["mean"],
        longest=found["instructions"]["push"]["worst"],
    )


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


def shown(measured: Sequence[dict[str, Any]], width: int = 80) -> str:
    """A row for each run, by its number."""

    def column(heading: str, number: Callable[[dict[str, Any]], int]) -> list[Column]:
        return [Column(heading, [[f"{number(each):,}"] for each in measured])]

    columns = [
        column("code B", lambda run: of_kind(run, "code")),
        column("tables B", lambda run: of_kind(run, "constants")),
        column("RAM B", lambda run: run["ram"]["state"]),
        column("stack B", lambda run: run["ram"]["stack"]),
        column("instructions / prediction", lambda run: run["instructions"]["prediction"]["mean"]),
        column("longest push", lambda run: run["instructions"]["push"]["worst"]),
        column("windows", lambda run: run["windows"]),
        column("differ", lambda run: run["windows_differing"]),
    ]
    return table("run", [str(number) for number, _ in enumerate(measured, 1)], columns, width).plain


def of_kind(run: dict[str, Any], kind: str) -> int:
    """Bytes of code or of constants, of all files."""
    return sum(part[kind] for part in run["flash"]["parts"].values())


def main(line: Sequence[str] | None = None) -> int:
    """Measure; 1 where a window differs from the reference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--board", choices=BOARDS, default="mps2-an386")
    parser.add_argument("--recordings", type=int, help="test recordings at most (default: all)")
    parser.add_argument("--samples", type=int, help="of each recording, at most (default: all)")
    parser.add_argument("--optimize", default="-Os", help="the compiler's option: --optimize=-O2")
    parser.add_argument("--record", action="store_true", help="into each RUN/export/firmware as well")
    parser.add_argument("--out", type=Path, default=Path("build/firmware"), help="folder for the JSON files")
    options = parser.parse_args(line)
    board, measured = BOARDS[options.board], []
    if board.missing:
        parser.error(f"there is no {', no '.join(board.missing)}: make test-device installs them")
    options.out.mkdir(parents=True, exist_ok=True)
    for number, folder in enumerate(options.runs, 1):
        most = options.recordings, options.samples
        with tempfile.TemporaryDirectory() as scratch:
            measured.append(measure(folder, board, Path(scratch), *most, options.optimize, options.record))
        run = measured[-1]["run"]
        (options.out / f"{run}.{board.name}.json").write_text(json.dumps(measured[-1], indent=2) + "\n")
        print(f"{number:3}  {run}", flush=True)
    print(f"\n{board.name} ({board.core}), {options.optimize}; more in {options.out}/*.{board.name}.json\n")
    print(shown(measured))
    return int(any(each["windows_differing"] for each in measured))


if __name__ == "__main__":
    raise SystemExit(main())
