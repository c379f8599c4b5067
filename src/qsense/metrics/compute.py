"""What a node costs that sends samples, or computes and sends predictions: a model of stated constants, no measurement.

Four designs are compared: native samples or codes are sent, and a hub computes; or the node computes, behind a native
ADC or behind the converter. Constants and their sources are in `conf/sensing/ble.yaml`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qsense.metrics.code_rate import mixed
from qsense.metrics.sensing import SensingModel, data_rate

PARTS = ("sensing", "radio", "compute", "sleep")  # of a design's power, each the key "…_uw"
SENT, COMPUTED = "codes_sent", "codes_computed"  # the two that a converter is made for
SENDING = ("native_sent", SENT)  # whose network is the hub's
DESIGNS = {
    "native_sent": "send native samples",
    SENT: "send codes",
    "native_computed": "network on the node, native ADC",
    COMPUTED: "network on the node, codes",
}


@dataclass(frozen=True)
class Stream:
    """What a sensor delivers, and how often a window of it ends.

    Args:
        channels: of the sensor.
        rate_hz: samples per second of each channel.
        native_bits: n, of the sensor's own ADC.
        bits: N, of its converter; 0 where it has none but the native ADC.
        memory: whether its converter predicts.
        refresh: of a converter with memory.
        stride: samples from one prediction to the next.

    Raises:
        ValueError: a count or a rate that is not positive.
    """

    channels: int
    rate_hz: float
    native_bits: int
    bits: int
    stride: int
    memory: bool = False
    refresh: int = 0

    def __post_init__(self) -> None:
        for name in ("channels", "rate_hz", "native_bits", "stride"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name}={value}: a stream has a positive one")

    @property
    def predictions_per_s(self) -> float:
        """One for each stride."""
        return self.rate_hz / self.stride


@dataclass(frozen=True)
class Work:
    """What a node computes for one prediction.

    Args:
        macs: multiply-accumulates.
        requantizations: accumulators that become codes, and values of sigmoid and tanh.
        instructions: of its processor, where they were counted; None: cycles are told by the other two.
    """

    macs: float
    requantizations: float = 0
    instructions: float | None = None


def cycle_energy(supply_v: float, ua_per_mhz: float) -> float:
    """A processor's cycle, in nJ: supply · current per MHz.

    >>> cycle_energy(3, 52)
    0.156
    """
    return supply_v * ua_per_mhz / 1e3


def reading_cycles(bits: float, channels: int, wake_cycles: float, bus_kbit_s: float, mhz: float) -> float:
    """Cycles in which a processor takes one sample over: wake up, address the sensor by a byte, read whole bytes.

    Native samples of three axes take two bytes each; codes of 2 bits share one:

    >>> reading_cycles(12, 3, wake_cycles=500, bus_kbit_s=8000, mhz=64)
    948.0
    >>> reading_cycles(2, 3, wake_cycles=500, bus_kbit_s=8000, mhz=64)
    628.0
    """
    size = channels * math.ceil(bits / 8) if bits > 8 else math.ceil(channels * bits / 8)
    return wake_cycles + 8 * (1 + size) / bus_kbit_s * 1e3 * mhz


def compare_designs(model: SensingModel, stream: Stream, work: Work) -> dict[str, Any]:
    """Power of the four designs of a node, ready for JSON, with all constants; two of a sensor without a converter.

    All four deliver a class once per stride: a hub that computes gets what it needs as soon as that, in a message with
    a header of its own. Samples without one, that wait until a packet is full, as `SensingModel.price` counts them,
    cost less; that stands beside it, with how long they wait.

    What is the same in all, or unknown, is not counted: the sensor's mechanical part and amplifier, what a connection
    costs without data, lost packets, encryption, the radio's start and the processor's work for it, and the hub.

    Args:
        model: the constants.
        stream: what the sensor delivers.
        work: of the network, and of what stands before it.

    Returns:
        "cycles" per prediction and "cycle_nj"; "break_even_cycles": a network of fewer takes less than the radio spares
        where predictions are sent instead of codes (without a converter, of native samples); "designs": by name, each
        with "title"; "sensing_uw" (the converter, and the processor while it reads), "radio_uw", "compute_uw",
        "sleep_uw" and their sum "uw"; "bytes" of a message; "packed_radio_uw" and "packed_uw" with full packets,
        "wait_s" until one is full; "cpu_share": of the processor's time. Above 1 it does not keep up, "real_time" is
        false, and the energy is that of several.
    """
    needed = _cycles(model, work)
    names = [name for name in DESIGNS if stream.bits or name not in (SENT, COMPUTED)]
    designs = {name: {"title": DESIGNS[name], **_design(model, stream, name, needed)} for name in names}
    nj = cycle_energy(model.supply_v, model.cpu_ua_per_mhz)
    sends, computes = (SENT, COMPUTED) if stream.bits else names
    spared = max(0.0, designs[sends]["radio_uw"] - designs[computes]["radio_uw"])
    return {
        "basis": "model, not measured",
        "predictions_per_s": stream.predictions_per_s,
        "macs": work.macs,
        "requantizations": work.requantizations,
        "instructions": work.instructions,
        "cycles": needed,
        "cycle_nj": nj,
        "break_even_cycles": 1e3 * spared / (stream.predictions_per_s * nj),
        "designs": designs,
        "constants": model.constants_of_node(),
    }


def _cycles(model: SensingModel, work: Work) -> float:
    if work.instructions is not None:
        return work.instructions * model.cycles_per_instruction
    return work.macs * model.cycles_per_mac + work.requantizations * model.cycles_per_requantization


def _design(model: SensingModel, stream: Stream, name: str, cycles: float) -> dict[str, Any]:
    """One of `DESIGNS`; `cycles` are those of the network."""
    values_per_s, predictions = stream.rate_hz * stream.channels, stream.predictions_per_s
    quantized, computes = name in (SENT, COMPUTED), name not in SENDING
    bits: float = stream.bits if quantized else stream.native_bits
    if quantized and stream.memory:
        converter = model.price_with_memory(values_per_s, stream.bits, stream.native_bits, stream.refresh)
        bits = mixed(stream.bits, stream.native_bits, stream.refresh)
    else:
        converter = model.price(values_per_s, int(bits))
    if computes:
        size = model.prediction_bytes
        kbit_s = 8 * size * predictions / 1e3
    else:
        size = model.header_bytes + math.ceil(stream.stride * stream.channels * bits / 8)
        kbit_s = data_rate(values_per_s, bits)
    nj = cycle_energy(model.supply_v, model.cpu_ua_per_mhz)
    of_sample = reading_cycles(bits, stream.channels, model.wake_cycles, model.bus_kbit_s, model.cpu_mhz)
    reading = stream.rate_hz * of_sample  # cycles per second
    computing = predictions * cycles if computes else 0.0
    share = (reading + computing) / (1e6 * model.cpu_mhz)
    parts = {
        "sensing": converter["adc_uj_s"] + reading * nj / 1e3,
        "radio": predictions * model.message_uj(size),
        "compute": computing * nj / 1e3,
        "sleep": model.supply_v * model.sleep_ua * max(0.0, 1 - share),
    }
    packed = kbit_s * model.radio_nj_per_bit
    return {
        **{f"{name}_uw": parts[name] for name in PARTS},
        "uw": sum(parts.values()),
        "bytes": size,
        "packed_radio_uw": packed,
        "packed_uw": sum(parts.values()) - parts["radio"] + packed,
        "wait_s": 8e-3 * model.payload_bytes / kbit_s,
        "cpu_share": share,
        "real_time": share <= 1,
    }
