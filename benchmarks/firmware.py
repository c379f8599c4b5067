"""What the firmware of finished runs costs on an emulated microcontroller, and whether its classes are the reference's.

    python -m benchmarks.firmware RUN [RUN …] [--board mps2-an386] [--samples 2000] [--optimize=-O2] [--out FOLDER]

Each run is exported, compiled, and given its test recordings on the board (`tests/device/emulator.py` says what is
counted, and what `make test-device` installs for it). Each run gives a JSON file; A window
*differs* where its start, class, margin or majority is not the integer reference's.

Instructions hardly depend on the samples, so a few hundred windows tell what a prediction takes; a large network takes
minutes for a whole recording. Flash leaves out the board's own start and its files; so does RAM, which is `qs_state`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.device.emulator import BOARDS, Board, Measured, run_on

from qsense.chip.export import export
from qsense.chip.firmware.reference import classify
from qsense.chip.names import FIRMWARE
from qsense.chip.origin import origin
from qsense.experiment.load import load
from qsense.runs.layout import Column, table

LONGEST_S = 3600  # of one run's emulation


def measure(
    folder: Path, board: Board, scratch: Path, most: int | None = None, optimize: str = "-Os"
) -> dict[str, Any]:
    """A run's firmware on a board, ready for JSON.

    Args:
        folder: of a finished run, whose data is at hand.
        board: one of `BOARDS`.
        scratch: an empty folder.
        most: samples of each test recording; None: all.
        optimize: the compiler's option.

    Raises:
        ValueError: a run that cannot become a firmware, or whose data is not at hand.
        RuntimeError: the compiler or the board failed.
    """
    run = load(folder)
    firmware = export(run, origin(folder), scratch, (FIRMWARE,)).firmware
    if firmware is None or firmware.tested is None:
        raise ValueError(f"{folder}: its data is not at hand, so there is nothing to push through its firmware")
    bounds = firmware.tested.bounds
    recordings = [firmware.tested.counts[start:end][:most] for start, end in itertools.pairwise(bounds)]
    expected = [classify(firmware.built.plan, counts) for counts in recordings]
    began = time.monotonic()
    measured = run_on(board, firmware.folder, recordings, scratch / board.name, optimize, LONGEST_S)
    seconds, flash = time.monotonic() - began, measured.program.flash
    return {
        "run": folder.resolve().name,
        "board": board.name,
        "core": board.core,
        "compiler": f"{first_line(f'{board.tools}gcc')}, {optimize}",
        "emulator": first_line(board.emulator[0]),
        "flash": {"total": sum(sum(part.values()) for part in flash.values()), **flash},
        "ram": {"state": measured.program.ram, "stack": measured.stack, "stack_bound": measured.stack_bound},
        "instructions": instructions(measured, firmware.built.plan.stride),
        "macs_per_prediction": firmware.counts.macs,
        "recordings": len(recordings),
        "samples": sum(map(len, recordings)),
        "windows": len(measured.rows),
        "windows_differing": measured.differing(expected),
        "seconds": round(seconds, 1),
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


def shown(measured: Sequence[dict[str, Any]], width: int = 80) -> str:
    """A row for each run."""

    def column(heading: str, cells: Sequence[str]) -> list[Column]:
        return [Column(heading, [[cell] for cell in cells])]

    groups = [
        column("flash B", [f"{each['flash']['total']:,}" for each in measured]),
        column("RAM B", [f"{each['ram']['state']:,}" for each in measured]),
        column("stack B", [f"{each['ram']['stack']:,}" for each in measured]),
        column("instructions / prediction", [f"{each['instructions']['prediction']['mean']:,}" for each in measured]),
        column("longest push", [f"{each['instructions']['push']['worst']:,}" for each in measured]),
        column("windows", [f"{each['windows']:,}" for each in measured]),
        column("differ", [f"{each['windows_differing']:,}" for each in measured]),
    ]
    return table("run", [each["run"] for each in measured], groups, width).plain


def main(line: Sequence[str] | None = None) -> int:
    """Measure; 1 where a window differs from the reference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--board", choices=BOARDS, default="mps2-an386")
    parser.add_argument("--samples", type=int, help="of each test recording, at most (default: all)")
    parser.add_argument("--optimize", default="-Os", help="the compiler's option: --optimize=-O2")
    parser.add_argument("--out", type=Path, default=Path("build/firmware"), help="folder for the JSON files")
    options = parser.parse_args(line)
    board, measured = BOARDS[options.board], []
    if board.missing:
        parser.error(f"there is no {', no '.join(board.missing)}: make test-device installs them")
    options.out.mkdir(parents=True, exist_ok=True)
    for folder in options.runs:
        with tempfile.TemporaryDirectory() as scratch:
            measured.append(measure(folder, board, Path(scratch), options.samples, options.optimize))
        file = options.out / f"{measured[-1]['run']}.{board.name}.json"
        file.write_text(json.dumps(measured[-1], indent=2) + "\n")
        print(f"{file}: {measured[-1]['seconds']} s", flush=True)
    print(f"\n{board.name} ({board.core}), {measured[0]['compiler']}\n{shown(measured)}")
    return int(any(each["windows_differing"] for each in measured))


if __name__ == "__main__":
    raise SystemExit(main())
