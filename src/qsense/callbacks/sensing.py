"""What a run's sensor would cost: the model of `metrics/sensing.py` for the run's signal and bits."""

from __future__ import annotations

from typing import Any

from qsense.data.module import ExperimentData
from qsense.metrics.sensing import SensingModel
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.runs.words import short
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
        entropy=rates.get("entropy"),
        lossless=rates.get("lossless", {}).get("bits"),
    )


def as_lines(sensing: dict[str, Any]) -> list[str]:
    """For the screen: what the sensor delivers and costs, and what it would at its native bits.

    >>> native = {"bits": 12, "kbit_s": 7.2, "radio_uj_s": 130.2, "adc_uj_s": 0.14008, "link_share": 0.0091}
    >>> price = {"bits": 2, "kbit_s": 1.2, "radio_uj_s": 21.7, "adc_uj_s": 0.00078, "link_share": 0.0015}
    >>> print(*as_lines({**price, "native": native}), sep="\\n")
    sensor, by model: 1.2 kbit/s · radio 21.7 µJ/s · ADC 0.00078 µJ/s (2 bits)
    at native bits: 7.2 kbit/s · radio 130 µJ/s · ADC 0.14 µJ/s (12 bits)
    >>> print(as_lines({**price, "behind": {"adc_uj_s": 0.14014}, "native": native})[1])
    behind a native ADC: the same radio · ADC and codec 0.14 µJ/s
    """

    def words(price: dict[str, Any]) -> str:
        links = f" of {short(price['link_share'])} links" if price["link_share"] > 1 else ""
        return (
            f"{short(price['kbit_s'])} kbit/s · radio{links} {short(price['radio_uj_s'])} µJ/s · "
            f"ADC {short(price['adc_uj_s'])} µJ/s ({price['bits']} bit{'s' * (price['bits'] != 1)})"
        )

    lines = [f"sensor, by model: {words(sensing)}", f"at native bits: {words(sensing['native'])}"]
    if "behind" in sensing and sensing["kbit_s"] < sensing["native"]["kbit_s"]:
        adc = short(sensing["behind"]["adc_uj_s"])
        lines.insert(1, f"behind a native ADC: the same radio · ADC and codec {adc} µJ/s")
    return lines
