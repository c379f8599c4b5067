"""A run's converter in every form: which files an export writes, and their comparison.

Open it to see what `qsense export` does once its arguments are read, or to add a form.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.callbacks.stream import stream
from qsense.chip import c_header, registers, tables, vectors, verilog
from qsense.chip.conformance import Check, check
from qsense.chip.converter import Converter, convert
from qsense.chip.datasheet import datasheet
from qsense.chip.firmware import export as firmware_export
from qsense.chip.firmware.build import check_suitable
from qsense.chip.memory import c_header as memory_c
from qsense.chip.memory import conformance as memory_conformance
from qsense.chip.memory import datasheet as memory_datasheet
from qsense.chip.memory import tables as memory_tables
from qsense.chip.memory import vectors as memory_vectors
from qsense.chip.memory import verilog as memory_verilog
from qsense.chip.memory import verilog_bench as memory_bench
from qsense.chip.memory.codec import Codec, Recordings, codec, snr
from qsense.chip.names import CODINGS, FIRMWARE, FORMATS, identifier
from qsense.chip.network_conformance import check_network
from qsense.chip.origin import Origin
from qsense.data.series.module import HARDataModule
from qsense.experiment.load import TrainedRun
from qsense.quant.network.freeze import freeze
from qsense.quant.network.integer.forward import Integer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.runs import folder as run_folder

REPORT = "conformance.txt"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Args:
        files: in the order of writing.
        notes: what was assumed, and what was not written and why.
        converter: the converter; None where the sensor is not quantized.
        recordings: what a converter with memory was fitted to, where the data is at hand.
        firmware: where it was asked for.
    """

    files: list[Path]
    notes: list[str]
    converter: Converter | Codec | None
    recordings: Recordings | None = None
    firmware: firmware_export.Firmware | None = None


def export(
    run: TrainedRun,
    origin: Origin,
    out: Path,
    formats: Collection[str] = FORMATS,
    name: str | None = None,
    native_bits: int | None = None,
    full_scale: Sequence[float] | None = None,
    full_scale_volts: float | None = None,
    coding: str = CODINGS[0],
    majority: int = 1,
) -> Exported:
    """Write a run's converter in every format asked for, and its firmware.

    Args:
        run: its quantized network is frozen for ONNX.
        origin: where it comes from.
        out: folder for the files.
        formats: of `FORMATS`, and `FIRMWARE`.
        name: of modules, symbols and files; None: data, quantizer and bits.
        native_bits: resolution of the sensor's own ADC, 1 … 32, where the data states none; None: 12. Of a converter
            with memory, training has decided both.
        full_scale: [low, high] of that ADC, in the sensor's unit; None: what the data states or reaches.
        full_scale_volts: voltage of its highest count, above 0; None leaves volts out.
        coding: of `CODINGS`, how native counts are written.
        majority: of the firmware: windows whose most frequent class is reported, odd; 1: each window's own.

    Raises:
        ValueError: options that contradict the sensor, nothing to export, or a run that cannot become a firmware.
    """
    task, result, twos = run.task, origin.result, coding == CODINGS[1]
    if isinstance(task.sensor, WholeConverter) and task.sensor.digital:
        raise ValueError(
            f"the sensor of {origin.run} is {type(task.sensor).__name__}, the published format of a camera: there is "
            "no converter to export"
        )
    if FIRMWARE in formats:
        check_suitable(run)
    notes: list[str] = []
    files: dict[str, str | bytes] = {}
    converter: Converter | Codec | None = None
    recordings = None
    bits = f" {task.sensor.bits}bit" * bool(task.sensor.bits)
    name = name or identifier(f"{result['data']} {result['quant']}{bits}")
    if isinstance(task.sensor, SensorQuantizer):
        stated = getattr(run.data.dataset, "range", None)
        converter = convert(task.sensor, name, result["statistics"], full_scale, native_bits, stated, twos)
        notes += [converter.native.assumed] * bool(converter.native.assumed)
        files |= texts(converter, origin, formats, full_scale_volts, notes)
        if "datasheet" in formats:
            files["datasheet.html"] = datasheet(converter, task.sensor, origin, full_scale_volts)
    elif isinstance(task.sensor, MemoryConverter):
        _refuse(task.sensor, native_bits, full_scale)
        converter = codec(task.sensor, name, result["statistics"], twos)
        notes += converter.notes
        recordings = training_recordings(run, notes) if set(formats) - {FIRMWARE} else None
        files |= texts_with_memory(converter, run, origin, formats, full_scale_volts, recordings)
    elif FIRMWARE in formats:
        pass
    elif task.network_quantizer is None or "onnx" not in formats:
        raise ValueError(f"the sensor of {origin.run} is not quantized: there is no converter to export")
    else:
        notes.append("the sensor is not quantized: only the network is exported")
    firmware = None
    if FIRMWARE in formats:  # before ONNX, for which the network is frozen
        firmware = firmware_export.export(
            run, origin, converter, out, name, native_bits, full_scale, twos, majority, data_at_hand(run)
        )
        notes += firmware.notes
    if "onnx" in formats:
        files |= models(run, converter, notes)
    for file, content in files.items():
        if isinstance(content, str):  # half characters, of a folder's name, as JSON writes them
            content = content.encode(errors="backslashreplace")
        run_folder.write_bytes_atomically(out / file, content)
    written = [out / file for file in files] + (firmware.files if firmware else [])
    return Exported(written, notes, converter, recordings, firmware)


def _refuse(sensor: MemoryConverter, native_bits: int | None, full_scale: Sequence[float] | None) -> None:
    """Options that training has decided, where its tables were placed."""
    if native_bits not in (None, sensor.native_bits):
        raise ValueError(
            f"native_bits={native_bits}: this converter's tables were placed for {sensor.native_bits} native bits: "
            f"train with quant.sensor.native_bits={native_bits}, and leave native_bits out here"
        )
    if full_scale is not None:
        raise ValueError(
            f"full_scale={','.join(f'{end:g}' for end in full_scale)}: this converter's full scale is what normalised "
            "the data in training: set data.normalise there (range: the sensor's own), and leave full_scale out here"
        )


def texts(
    converter: Converter, origin: Origin, formats: Collection[str], volts: float | None, notes: list[str]
) -> dict[str, str]:
    """The text forms, by file name; what cannot be written is added to the notes."""
    name, files = converter.name, {}
    if "json" in formats:
        files["adc.json"] = tables.as_json(converter, origin, volts)
    if "csv" in formats:
        files["thresholds.csv"] = tables.thresholds_csv(converter, volts)
        files["levels.csv"] = tables.levels_csv(converter)
        if converter.listed:
            files["lut.csv"] = tables.lut_csv(converter)
        else:
            notes.append(f"no table of 2^{converter.native.bits} native counts is written, only thresholds")
    if "c" in formats:
        files[f"{name}.h"] = c_header.header(converter, origin)
        files[f"{name}_test.c"] = c_header.program(converter)
    if "verilog" in formats:
        try:
            files[f"{name}.v"] = verilog.module(converter, origin)
            files[f"{name}_tb.v"] = verilog.bench(converter)
            if converter.listed:
                files[f"{name}_lut.hex"] = verilog.lut_file(converter, origin)
        except ValueError as error:
            notes.append(str(error))
    if "registers" in formats:
        files["registers.txt"] = registers.as_text(converter, origin)
    if "vectors" in formats:
        files[f"{name}_vectors.hex"] = vectors.as_text(converter, origin)
    return files


def texts_with_memory(
    converter: Codec,
    run: TrainedRun,
    origin: Origin,
    formats: Collection[str],
    volts: float | None,
    recordings: Recordings | None,
) -> dict[str, str]:
    """The text forms of a converter with memory, by file name."""
    name, files, measured, picture = converter.name, {}, None, None
    if recordings is not None:
        assert isinstance(run.task.sensor, MemoryConverter)
        measured = snr(run.task.sensor, recordings)
        if isinstance(run.data, HARDataModule):
            picture = stream(run.task, run.data, most=1)
    if "json" in formats:
        files["adc.json"] = memory_tables.as_json(converter, origin, volts, measured)
    if "csv" in formats:
        files["constants.csv"] = memory_tables.as_table(converter)
    if "c" in formats:
        files[f"{name}.h"] = memory_c.header(converter, origin)
        files[f"{name}_test.c"] = memory_c.program(converter)
    if "verilog" in formats:
        files[f"{name}.v"] = memory_verilog.module(converter, origin)
        files[f"{name}_tb.v"] = memory_bench.bench(converter)
    if "registers" in formats:
        files["registers.txt"] = memory_tables.as_registers(converter, origin)
    if "vectors" in formats:
        files[f"{name}_vectors.hex"] = memory_vectors.as_text(converter, origin)
    if "datasheet" in formats:
        files["datasheet.html"] = memory_datasheet.datasheet(converter, origin, volts, measured, picture)
    return files


def data_at_hand(run: TrainedRun) -> str:
    """Set the run's data up, as its task gets it; why there is none, in words, else nothing."""
    try:
        run.data.prepare_data()
        run.data.setup("test")
    except (OSError, ValueError) as error:
        return str(error)
    if isinstance(run.task.sensor, MemoryConverter):
        run.data.convert(run.task.sensor)
    return ""


def training_recordings(run: TrainedRun, notes: list[str]) -> Recordings | None:
    """What the run's converter with memory was fitted to; where the data is not at hand, the notes say so."""
    if missing := data_at_hand(run):
        notes.append(f"no signal-to-noise ratio is stated, and a check takes random walks: {missing}")
        return None
    return run.data.training_recordings()


def models(run: TrainedRun, converter: Converter | Codec | None, notes: list[str]) -> dict[str, bytes]:
    """The ONNX forms, by file name: the quantizer alone, and with its network where there is data to trace it with."""
    missing = [package for package in ("onnx", "onnxscript") if importlib.util.find_spec(package) is None]
    if missing:
        notes.append(f"no ONNX is written: pip install 'qsense[export]' adds {' and '.join(missing)}")
        return {}
    from qsense.chip import onnx_model

    files = {}
    if isinstance(converter, Converter):
        files["sensor_counts.onnx"] = onnx_model.sensor_by_counts(converter)
        files["sensor_values.onnx"] = onnx_model.sensor_by_values(converter)
    if reason := data_at_hand(run):
        notes.append(f"no ONNX of the network is written, which needs an example of its input: {reason}")
        return files
    try:
        onnx_model.exported_part(run.task)
    except ValueError as error:
        notes.append(f"no ONNX of the network is written: {error}")
        return files
    if isinstance(run.task.network, Integer):
        notes.append("no ONNX of the network is written: it computes in integers, which format=firmware exports")
        return files
    if run.task.network_quantizer is not None:
        freeze(run.task.network)
        notes.append("the network is exported frozen: weights on their levels, α as numbers")
    quantizer = converter if isinstance(converter, Converter) else None
    if isinstance(converter, Codec):
        what = "windows of what" if converter.rate_hz else "native counts that"
        notes.append(f"network.onnx takes {what} the decoder delivers: codes are decoded outside of it")
    files["network.onnx"] = onnx_model.network(run.task, quantizer, run.data.example())
    return files


def compare(run: TrainedRun, exported: Exported, out: Path) -> list[Check]:
    """Compare all forms that were written; the outcome also goes to `conformance.txt`."""
    sensor, checks = run.task.sensor, []
    forms = {file.parent for file in exported.files} & {out}  # of the converter or its network
    if not forms:
        pass
    elif isinstance(exported.converter, Converter) and isinstance(sensor, SensorQuantizer):
        checks += check(out, exported.converter, sensor)
    elif isinstance(exported.converter, Codec) and isinstance(sensor, MemoryConverter):
        checks += memory_conformance.check(out, exported.converter, sensor, exported.recordings)
    if out / "network.onnx" in exported.files:
        checks += check_network(out / "network.onnx", run.task, run.data)
    if exported.firmware is not None:
        checks += exported.firmware.check()
    run_folder.write_atomically(out / REPORT, "".join(f"{each}\n" for each in checks))
    return checks
