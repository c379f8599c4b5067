"""Write a finished run's learned ADC as tables, C, Verilog, ONNX and a datasheet.

qsense export RUN                                 everything, into RUN/export
qsense export RUN format=c,verilog out=adc full_scale_volts=3.3
qsense export RUN --check                         and compare what was written

The check goes over every native count, beyond 16 native bits over those around every threshold and 4 096 at random, in
C, Verilog, ONNX and PyTorch; over a million floats per row in all but Verilog, which knows none.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qsense.runs import folder as run_folder
from qsense.runs.next_steps import say_next

if TYPE_CHECKING:
    from qsense.chip.conformance import Check
    from qsense.chip.converter import Converter
    from qsense.chip.origin import Origin
    from qsense.experiment.load import TrainedRun

FORMATS = ("json", "csv", "c", "verilog", "registers", "vectors", "onnx", "datasheet")
CHECKED = ("c", "verilog", "vectors", "onnx")  # what --check needs
REPORT = "conformance.txt"
# IEEE 1364-2001, annex B, a few of SystemVerilog, and C99, 6.4.1
KEYWORDS = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam
design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable
endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout
input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor
noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup
pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1
scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0
tranif1 tri tri0 tri1 triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor
bit byte class enum final interface int logic longint package program property shortint string struct type union
auto break char const continue do double extern float goto inline long register restrict return short sizeof static
switch typedef void volatile
"""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Args:
        files: in the order of writing.
        notes: what was assumed, and what was not written and why.
        converter: the converter; None where the sensor is not quantized.
    """

    files: list[Path]
    notes: list[str]
    converter: Converter | None


def export(again: TrainedRun, origin: Origin, out: Path, options: argparse.Namespace) -> Exported:
    """Write a run's converter in every format asked for.

    Args:
        again: the run.
        origin: where it comes from.
        out: folder for the files.
        options: of the command line.

    Raises:
        ValueError: options that contradict the sensor, or nothing to export.
    """
    from qsense.chip.converter import convert
    from qsense.chip.origin import identifier
    from qsense.quant.sensor.base import SensorQuantizer

    task, result = again.task, origin.result
    notes: list[str] = []
    files: dict[str, str | bytes] = {}
    converter = None
    if isinstance(task.sensor, SensorQuantizer):
        converter = convert(
            task.sensor,
            options.name or identifier(f"{result['data']} {result['quant']} {task.sensor.bits}bit"),
            result["statistics"],
            options.full_scale,
            options.native_bits,
            getattr(again.data.dataset, "range", None),
        )
        notes += [converter.native.assumed] * bool(converter.native.assumed)
        files |= forms(converter, origin, options, notes)
        if "datasheet" in options.format:
            from qsense.chip.datasheet import datasheet

            files["datasheet.html"] = datasheet(converter, task.sensor, origin, options.full_scale_volts)
    elif task.network_quantizer is None or "onnx" not in options.format:
        raise ValueError(f"the sensor of {origin.run} is not quantized: there is no converter to export")
    else:
        notes.append("the sensor is not quantized: only the network is exported")
    if "onnx" in options.format:
        files |= models(again, converter, notes)
    for name, content in files.items():
        run_folder.write_bytes_atomically(out / name, content.encode() if isinstance(content, str) else content)
    return Exported([out / name for name in files], notes, converter)


def forms(converter: Converter, origin: Origin, options: argparse.Namespace, notes: list[str]) -> dict[str, str]:
    """The text forms, by file name; what cannot be written is added to the notes."""
    from qsense.chip import c_header, registers, tables, vectors, verilog

    name, volts, found = converter.name, options.full_scale_volts, {}
    if "json" in options.format:
        found["adc.json"] = tables.as_json(converter, origin, volts)
    if "csv" in options.format:
        found["thresholds.csv"] = tables.thresholds_csv(converter, volts)
        found["levels.csv"] = tables.levels_csv(converter)
        if converter.listed:
            found["lut.csv"] = tables.lut_csv(converter)
        else:
            notes.append(f"no table of 2^{converter.native.bits} native counts is written, only thresholds")
    if "c" in options.format:
        found[f"{name}.h"] = c_header.header(converter, origin)
        found[f"{name}_test.c"] = c_header.program(converter)
    if "verilog" in options.format:
        try:
            found[f"{name}.v"] = verilog.module(converter, origin)
            found[f"{name}_tb.v"] = verilog.bench(converter)
            if converter.listed:
                found[f"{name}_lut.hex"] = verilog.lut_file(converter, origin)
        except ValueError as error:
            notes.append(str(error))
    if "registers" in options.format:
        found["registers.txt"] = registers.as_text(converter, origin)
    if "vectors" in options.format:
        found[f"{name}_vectors.hex"] = vectors.as_text(converter, origin)
    return found


def models(again: TrainedRun, converter: Converter | None, notes: list[str]) -> dict[str, bytes]:
    """The ONNX forms, by file name: the quantizer alone, and with its network where there is data to trace it with."""
    from importlib.util import find_spec

    missing = [package for package in ("onnx", "onnxscript") if find_spec(package) is None]
    if missing:
        notes.append(f"no ONNX is written: {' and '.join(missing)} not installed (pip install 'qsense[export]')")
        return {}
    from qsense.chip import onnx_model

    found = {}
    if converter is not None:
        found["sensor_counts.onnx"] = onnx_model.sensor_by_counts(converter)
        found["sensor_values.onnx"] = onnx_model.sensor_by_values(converter)
    try:
        again.data.prepare_data()
        again.data.setup("test")
    except (FileNotFoundError, ValueError) as error:
        notes.append(f"no ONNX of the network is written, which needs an example of its input: {error}")
        return found
    if again.task.network_quantizer is not None:
        from qsense.quant.network.freeze import freeze

        freeze(again.task.network)
        notes.append("the network is exported frozen: weights on their levels, α as numbers")
    found["network.onnx"] = onnx_model.network(again.task, converter, again.data.example())
    return found


def checks(again: TrainedRun, exported: Exported, out: Path) -> list[Check]:
    """Compare all forms that were written; the outcome also goes to `conformance.txt`."""
    from qsense.chip.conformance import check, check_network
    from qsense.quant.sensor.base import SensorQuantizer

    sensor, found = again.task.sensor, []
    if exported.converter is not None and isinstance(sensor, SensorQuantizer):
        found += check(out, exported.converter, sensor)
    if out / "network.onnx" in exported.files:
        found += check_network(out / "network.onnx", again.task, again.data)
    run_folder.write_atomically(out / REPORT, "".join(f"{each}\n" for each in found))
    return found


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        prog="qsense export",
        description="Write a finished run's learned ADC as tables, C, Verilog, registers, ONNX and a datasheet. "
        "Settings may also be written as name=value.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument(
        "--format", type=chosen, default=FORMATS, metavar="FORMAT[,FORMAT]", help=f"of {', '.join(FORMATS)} (all)"
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
    parser.add_argument("--root", help="where the data lies now, if not where the run found it (ONNX needs an example)")
    parser.add_argument(
        "--check", action="store_true",
        help="compare C, Verilog, ONNX and PyTorch on every native count (beyond 16 native bits: those around every "
        "threshold and 4096 at random), all but Verilog also on 10^6 floats per row; exit with 1 if they differ",
    )  # fmt: skip
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
    formats = tuple(part.strip() for part in text.split(","))
    wrong = [each for each in formats if each not in FORMATS]
    if wrong:
        raise argparse.ArgumentTypeError(f"'{wrong[0]}' is no format: there are {', '.join(FORMATS)}")
    return formats


def symbol(text: str) -> str:
    """A name that C and Verilog take."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no name: use a–z, 0–9 and _, beginning with a letter")
    if text in KEYWORDS.split():
        raise argparse.ArgumentTypeError(f"'{text}' is a keyword of C or Verilog: choose another name")
    return text


def pair(text: str) -> tuple[float, float]:
    """Two numbers, the lower one first."""
    try:
        low, high = (float(part) for part in text.strip("[]").split(","))
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


def main(arguments: Sequence[str]) -> int:
    """Export, and say what was written; with --check, returns 1 where two forms differ."""
    options = parser().parse_args(as_options(arguments))
    if options.check:
        options.format = tuple(dict.fromkeys((*options.format, *CHECKED)))
    out = options.out or options.run / "export"

    from qsense.chip.origin import origin
    from qsense.experiment.load import load

    again = load(options.run, options.root)
    exported = export(again, origin(options.run), out, options)
    for note in exported.notes:
        print(f"note: {note}")
    for file in exported.files:
        print(f"{file.stat().st_size:>12,} B  {file}")
    if options.check:
        found = checks(again, exported, out)
        print("\n".join(str(each) for each in found))
        if any(each.passed is False for each in found):
            print("the forms do not agree", file=sys.stderr)
            return 1
    unchecked = [(("export", options.run, "--check"), "compare C, Verilog, ONNX and PyTorch")]
    say_next(
        *unchecked * (not options.check),
        (("evaluate", options.run), "test the run again"),
        (("report", options.run.parent), "beside other runs"),
    )
    return 0
