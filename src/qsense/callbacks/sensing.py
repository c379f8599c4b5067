"""What a run's sensor would cost: the model of `metrics/sensing.py` for the run's signal and bits."""

from __future__ import annotations

from typing import Any

from qsense.data.module import ExperimentData
from qsense.metrics.conversion import floor_bits
from qsense.metrics.sensing import SensingModel
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.runs.words import power, short
from qsense.tasks.base import Task


def sensing_of(
    task: Task, data: ExperimentData, model: SensingModel, rates: dict[str, Any] | None = None
) -> dict[str, Any]:
    """See `SensingModel.compare`. An image sensor converts what the network's input holds, once per frame:
    after resizing, and with a detector's padding.

    Args:
        task: its sensor says how many bits there are; without a quantizer it delivers native ones.
        data: set up.
        model: the constants.
        rates: what its codes and the lossless rival need, as `rates_of` counts; None: not counted.
    """
    sensor, rates = task.sensor, rates or {}
    signal = data.signal
    in_input = 0 if signal.rate_hz is not None else data.example().numel()
    values_per_s = model.values_per_s(signal.channels, signal.rate_hz, in_input)
    memory = sensor if isinstance(sensor, MemoryConverter) else None
    return model.compare(
        values_per_s,
        sensor.bits,
        memory.native_bits if memory else signal.native_bits,
        memory=memory is not None,
        refresh=memory.refresh if memory else 0,
        digital=isinstance(sensor, WholeConverter) and sensor.digital,
        entropy=rates.get("entropy"),
        lossless=rates.get("lossless", {}).get("bits"),
    )


def as_lines(sensing: dict[str, Any]) -> list[str]:
    """For the screen: what the sensor delivers and uses, and what it would at its native bits.

    >>> native = {"bits": 12, "kbit_s": 7.2, "radio_uj_s": 130.2, "adc_uj_s": 0.14008, "link_share": 0.0091}
    >>> price = {"bits": 2, "kbit_s": 1.2, "radio_uj_s": 21.7, "adc_uj_s": 0.00078, "link_share": 0.0015}
    >>> constants = {"walden_fj": 57, "floor_pj": 1.3}
    >>> print(*as_lines({**price, "native": native, "constants": constants}), sep="\\n")
    sensor, by model: 1.2 kbit/s · radio 21.7 µW · ADC 780 pW (2 bits, floor reached)
    at native bits: 7.2 kbit/s · radio 130 µW · ADC 140 nW (12 bits)
    >>> print(as_lines({**price, "behind": {"adc_uj_s": 0.14014}, "native": native, "constants": constants})[1])
    after a native ADC: the same radio · ADC and codec 140 nW
    >>> print(as_lines({**price, "native": {**native, "link_share": 43.5}, "constants": constants})[-1])
    at native bits: 7.2 kbit/s · 43.5 × the link's rate · ADC 140 nW (12 bits)
    """
    constants = sensing["constants"]
    floor = floor_bits(constants["walden_fj"], constants["floor_pj"])

    def words(price: dict[str, Any]) -> str:
        share = price["link_share"]
        radio = f"{short(share)} × the link's rate" if share > 1 else f"radio {power(price['radio_uj_s'])}"
        bits = f"{price['bits']} bit{'s' * (price['bits'] != 1)}{', floor reached' * (price['bits'] <= floor)}"
        return f"{short(price['kbit_s'])} kbit/s · {radio} · ADC {power(price['adc_uj_s'])} ({bits})"

    lines = [f"sensor, by model: {words(sensing)}", f"at native bits: {words(sensing['native'])}"]
    if "behind" in sensing and sensing["kbit_s"] < sensing["native"]["kbit_s"]:
        adc = power(sensing["behind"]["adc_uj_s"])
        lines.insert(1, f"after a native ADC: the same radio · ADC and codec {adc}")
    return lines
