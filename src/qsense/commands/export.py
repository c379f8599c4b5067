"""Write a finished run's learned ADC as tables, C, Verilog, ONNX and a datasheet.

qsense export RUN                                 everything, into RUN/export
qsense export RUN format=c,verilog out=adc full_scale_volts=3.3
qsense export RUN --check                         and compare what was written
qsense export RUN format=firmware majority=3      converter and network as a C99 project for a microcontroller

The check goes over every native count, beyond 16 native bits over those around every threshold and 4 096 at random, in
C, Verilog, ONNX and PyTorch; over a million floats per row in all but Verilog, which knows none.

A firmware is written only where it is asked for. Its check compiles it, and lets PyTorch, NumPy and C classify all
windows of the run's test recordings; RUN/export/firmware/firmware.json says what it costs and what it is worth.

A converter with memory is checked on sequences: those of its vector file, and the run's own recordings (without its
data, random walks), up to 1 200 000 samples in C and NumPy, of which Verilog simulates up to 200 000.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qsense.chip.names import CODINGS, COMPARED, FIRMWARE, FORMATS, check_symbol
from qsense.commands._allow import add_allow, again
from qsense.commands._parser import Parser
from qsense.runs.escapes import one_line
from qsense.runs.layout import in_lines
from qsense.runs.next_steps import MAKE, say_next
from qsense.runs.words import did_you_mean, entries

if TYPE_CHECKING:
    from qsense.chip.firmware.export import Firmware

MOST_WINDOWS = 99  # of a majority


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense export",
        description="Write a finished run's learned ADC as tables, C, Verilog, registers, ONNX and a datasheet, or, "
        "with its network, as a microcontroller's firmware. "
        "Settings may also be written as name=value.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument(
        "--format",
        type=chosen,
        default=FORMATS,
        metavar="FORMAT[,FORMAT]",
        help=f"of {', '.join(FORMATS)} (all of these), "
        f"or {FIRMWARE}: converter and network as a C99 project in integers, into RUN/export/{FIRMWARE}",
    )
    parser.add_argument("--out", type=Path, help="folder for the files (default: RUN/export)")
    parser.add_argument("--name", type=symbol, help="of modules, symbols and files (default: data_quant_bits)")
    parser.add_argument(
        "--native-bits", type=int, metavar="BITS",
        help="resolution of the sensor's own ADC, where the data states none (default: 12)",
    )  # fmt: skip
    parser.add_argument(
        "--full-scale", type=pair, metavar="LOW,HIGH",
        help="what its lowest and highest count mean, in the sensor's unit (default: the data set's stated range, else "
        "what the data reaches, or the quantizer's own range where data is not normalised)",
    )  # fmt: skip
    parser.add_argument(
        "--full-scale-volts", type=voltage, metavar="VOLTS",
        help="voltage that its highest count stands for: gives thresholds in volts, too",
    )  # fmt: skip
    parser.add_argument(
        "--coding", choices=CODINGS, default=CODINGS[0],
        help="how native counts are written, in all forms: offset binary (default), or two's complement",
    )  # fmt: skip
    parser.add_argument(
        "--majority", type=odd, metavar="WINDOWS",
        help="of a firmware: report the most frequent class of so many windows, an odd number (default: 1)",
    )  # fmt: skip
    parser.add_argument("--root", help="where the data lies now, if not where the run found it (ONNX needs an example)")
    parser.add_argument(
        "--check", action="store_true",
        help="compare C, Verilog, ONNX and PyTorch on every native count (beyond 16 native bits: those around every "
        "threshold and 4096 at random), all but Verilog also on 10^6 floats per row; a converter with memory on the "
        f"run's recordings; a {FIRMWARE}, compiled, on all windows of its test; exit with 1 if they differ",
    )  # fmt: skip
    add_allow(parser)
    return parser


def as_options(given: Sequence[str]) -> list[str]:
    """Settings as `qsense.train` takes them, as the options that they are; other words stay.

    A full scale is joined to its option: argparse would take a negative end for an option of its own.

    >>> as_options(["native_bits=10", "runs/a=b", "--check", "--full-scale", "-8,8"])
    ['--native-bits=10', 'runs/a=b', '--check', '--full-scale=-8,8']
    """
    words: list[str] = []
    for word in given:
        name, equals, value = word.partition("=")
        if words and words[-1] == "--full-scale":
            words[-1] += f"={word}"
        elif equals and re.fullmatch(r"[a-z_]+", name):
            words.append(f"--{name.replace('_', '-')}={value}")
        else:
            words.append(word)
    return words


def chosen(text: str) -> tuple[str, ...]:
    """Formats, separated by commas."""
    formats = tuple(entries(text)) or (text,)
    every = (*FORMATS, FIRMWARE)
    wrong = [each for each in formats if each not in every]
    if wrong:
        hint = did_you_mean(wrong[0], every)
        raise argparse.ArgumentTypeError(f"'{wrong[0]}' is no format{hint}: there are {', '.join(every)}")
    return formats


def symbol(text: str) -> str:
    """A name that C and Verilog take."""
    try:
        return check_symbol(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def pair(text: str) -> tuple[float, float]:
    """Two numbers, the lower one first."""
    try:
        low, high = map(float, entries(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' must be LOW,HIGH: two numbers") from None
    if not low < high:
        raise argparse.ArgumentTypeError(f"'{text}' must be LOW,HIGH, the lower one first")
    return low, high


def voltage(text: str) -> float:
    """A positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' must be a voltage above 0")
    return value


def odd(text: str) -> int:
    """An odd number of windows."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) % 2 == 0 or int(text) > MOST_WINDOWS:
        raise argparse.ArgumentTypeError(f"'{text}' must be an odd number of windows, 1 to {MOST_WINDOWS}")
    return int(text)


def refuse_contradictions(options: argparse.Namespace) -> None:
    """Options that the formats asked for have no use for.

    Raises:
        ValueError: the option is named.
    """
    if options.majority is not None and FIRMWARE not in options.format:
        raise ValueError(f"majority={options.majority} is a firmware's: add format={FIRMWARE}, or leave it out")
    if options.full_scale_volts is not None and set(options.format) == {FIRMWARE}:
        raise ValueError(
            f"full_scale_volts={options.full_scale_volts:g}: a firmware takes counts and knows no volts: leave it out"
        )


def main(arguments: Sequence[str]) -> int:
    """Export, and say what was written; with --check, returns 1 where two forms differ."""
    options = parser().parse_args(as_options(arguments))
    refuse_contradictions(options)
    if options.check and set(options.format) != {FIRMWARE}:
        options.format = tuple(dict.fromkeys((*options.format, *COMPARED)))
    out = options.out or options.run / "export"
    if options.out is None and out.is_symlink():
        raise ValueError(f"{out} is a link to {out.resolve()}: if the files are to go there, say so by --out")

    from qsense.chip.origin import origin
    from qsense.experiment.load import load

    where, run = origin(options.run), load(options.run, options.root, allow=options.allow)

    from qsense.chip.export import compare, export  # heavy: not before the run is found

    exported = export(
        run, where, out, options.format, options.name, options.native_bits, options.full_scale,
        options.full_scale_volts, options.coding, options.majority or 1,
    )  # fmt: skip
    for note in exported.notes:
        print(in_lines(one_line(f"note: {note}")))
    print(f"Written to {one_line(str(out))}{os.sep}:")
    print("\n".join(written(exported.files, out, exported.firmware)))
    if exported.firmware is not None:
        print("\n".join(one_line(line) for line in exported.firmware.summary()))
    if options.check:
        checks = compare(run, exported, out)
        print("\n".join(in_lines(one_line(str(each))) for each in checks))
        if any(each.passed is False for each in checks):
            print("the forms do not agree", file=sys.stderr)
            return 1
    compared = "PyTorch, NumPy and C" if set(options.format) == {FIRMWARE} else "C, Verilog, ONNX and PyTorch"
    firmware, series = exported.firmware, "window" in run.config.data
    say_next(
        *[(("export", *as_options(arguments), "--check"), f"compare {compared}")] * (not options.check),
        *([] if firmware is None else [((MAKE, "-C", firmware.folder, "test"), "compile it on this computer")]),
        *[(("stream", options.run, *again(options.allow)), "its classes, live")] * series,
        (("evaluate", options.run, *again(options.allow)), "test the run again"),
        (("report", options.run.parent), "beside other runs"),
    )
    return 0


def written(files: Sequence[Path], out: Path, firmware: Firmware | None) -> list[str]:
    """What was written, file by file; a firmware's project in one line."""
    project = [] if firmware is None else firmware.files
    sizes = {os.path.relpath(file, out): file.stat().st_size for file in files if file not in project}
    if firmware is not None:
        folder = os.path.relpath(firmware.folder, out)
        sizes[f"{folder}{os.sep}: {len(project)} files"] = sum(file.stat().st_size for file in project)
    return [f"{size:>12,} B  {one_line(name)}" for name, size in sizes.items()]
