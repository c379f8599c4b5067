"""What digitising a signal and sending it costs per second: a model made of stated constants, and no measurement.

Its constants, each with its source, are in `conf/sensing/ble.yaml`; what one conversion costs is in `conversion.py`.
"""

from __future__ import annotations

import math
from typing import Any

from qsense.metrics.code_rate import mixed
from qsense.metrics.conversion import conversion_energy, flash_energy, tracking_energy

# Constants of a node that computes (`compute.py`): no figure that a run records depends on them.
NODE = ("cpu_mhz", "cpu_ua_per_mhz", "cycles_per_instruction", "cycles_per_mac", "cycles_per_requantization",
        "wake_cycles", "bus_kbit_s", "sleep_ua", "header_bytes", "prediction_bytes")  # fmt: skip


def data_rate(values_per_s: float, bits: float) -> float:
    """What the sensor delivers, in kbit/s: values per second × bits, without any coding of the codes.

    WEAR's twelve axes at 50 Hz, as a 12-bit sensor delivers them and with four levels:

    >>> data_rate(12 * 50, 12), data_rate(12 * 50, 2)
    (7.2, 1.2)
    """
    return values_per_s * bits / 1e3


class SensingModel:
    """Prices a sensor: data rate, converter and radio.

    A quantizer stands **in the converter**, which then has its few bits alone: a converter of N bits, or a tracking one
    where it has memory; or **behind a native ADC**, whose full conversion is paid as before, with the quantizer's
    digital operations: the radio alone gains.

    The radio sends full packets one after the other, each answered by an empty one (Bluetooth Core 5, vol. 6, part B),
    and is off in between. What a connection costs without data, lost packets and the processor (`compute.py`) are not
    counted: they are the same at any number of bits, or unknown.

    Args:
        native_bits: of a sensor whose data set states none; what it delivers where it is not quantized.
        frames_per_second: of an image sensor.
        values_per_frame: conversions per frame, or None for as many as the network's input has values.
        walden_fj: the converter's figure of merit, in fJ per step.
        floor_pj: the least energy of a conversion, in pJ.
        comparator_fj: one decision of a flash converter's comparator, in fJ.
        supply_v: of the radio, in V.
        tx_ma: the radio's current while it sends, in mA.
        rx_ma: its current while it listens, and between packets, in mA.
        link_kbit_s: bits on air per second, in kbit/s.
        payload_bytes: data per packet.
        overhead_bytes: what else a packet has.
        answer_bytes: the length of an empty packet.
        gap_us: time between packets, in µs.
        dac_fj: a unit of a tracking converter's DAC, in fJ.
        operation_fj: a digital operation (add, compare, shift, look up), in fJ.
        codec_operations: digital operations per sample of a converter with memory, and of the lossless rival's coder.
        cpu_mhz: clock of a node's processor; this and the following are what `compute.py` prices a node with.
        cpu_ua_per_mhz: its current while it runs, in µA/MHz.
        cycles_per_instruction: on average, where instructions were counted.
        cycles_per_mac: cycles of a network per multiply-accumulate, where they were not.
        cycles_per_requantization: likewise, for each code that a layer gives, and each value of sigmoid and tanh.
        wake_cycles: of the processor, for each sample that it takes over from the sensor.
        bus_kbit_s: of the bus between sensor and processor, in kbit/s.
        sleep_ua: the processor's current while it sleeps, in µA.
        header_bytes: of a message of samples or codes, what is not samples.
        prediction_bytes: the length of a prediction that is sent.

    Raises:
        ValueError: a constant that is not positive or not finite, or native bits that are not 1 … 32.
    """

    def __init__(
        self,
        native_bits: int,
        frames_per_second: float,
        values_per_frame: float | None,
        walden_fj: float,
        floor_pj: float,
        comparator_fj: float,
        supply_v: float,
        tx_ma: float,
        rx_ma: float,
        link_kbit_s: float,
        payload_bytes: int,
        overhead_bytes: int,
        answer_bytes: int,
        gap_us: float,
        dac_fj: float = 1,  # the last three came when runs had been recorded without them
        operation_fj: float = 50,
        codec_operations: float = 20,
        cpu_mhz: float = 64,  # and these later still
        cpu_ua_per_mhz: float = 52,
        cycles_per_instruction: float = 1.5,
        cycles_per_mac: float = 3,
        cycles_per_requantization: float = 150,
        wake_cycles: float = 500,
        bus_kbit_s: float = 8000,
        sleep_ua: float = 3.16,
        header_bytes: int = 12,
        prediction_bytes: int = 6,
    ) -> None:
        self.native_bits = native_bits
        self.frames_per_second = frames_per_second
        self.values_per_frame = values_per_frame
        self.walden_fj = walden_fj
        self.floor_pj = floor_pj
        self.comparator_fj = comparator_fj
        self.supply_v = supply_v
        self.tx_ma = tx_ma
        self.rx_ma = rx_ma
        self.link_kbit_s = link_kbit_s
        self.payload_bytes = payload_bytes
        self.overhead_bytes = overhead_bytes
        self.answer_bytes = answer_bytes
        self.gap_us = gap_us
        self.dac_fj = dac_fj
        self.operation_fj = operation_fj
        self.codec_operations = codec_operations
        self.cpu_mhz = cpu_mhz
        self.cpu_ua_per_mhz = cpu_ua_per_mhz
        self.cycles_per_instruction = cycles_per_instruction
        self.cycles_per_mac = cycles_per_mac
        self.cycles_per_requantization = cycles_per_requantization
        self.wake_cycles = wake_cycles
        self.bus_kbit_s = bus_kbit_s
        self.sleep_ua = sleep_ua
        self.header_bytes = header_bytes
        self.prediction_bytes = prediction_bytes
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"sensing.{name}={value}: a constant of the sensing model must be positive")
        if native_bits > 32:
            raise ValueError(f"sensing.native_bits={native_bits}: a sensor's codes have 1 to 32 bits")

    def constants(self) -> dict[str, float | None]:
        """Those that `compare` is made of, by name: a run records them with its figures."""
        return {name: value for name, value in vars(self).items() if name not in NODE}

    def constants_of_node(self) -> dict[str, float | None]:
        """All of them by name: a node that computes has a converter and a radio, too."""
        return dict(vars(self))

    def values_per_s(self, channels: int, rate_hz: float | None, values_in_input: int) -> float:
        """Conversions per second.

        Args:
            channels: of the signal.
            rate_hz: samples per second of each channel; None for an image sensor.
            values_in_input: of one image, as the network takes it.
        """
        if rate_hz is not None:
            return rate_hz * channels
        return self.frames_per_second * (values_in_input if self.values_per_frame is None else self.values_per_frame)

    @property
    def packet_us(self) -> float:
        """Time of one full packet with its answer and the two gaps, in µs."""
        return self._on_air_us(self.payload_bytes + self.overhead_bytes) + self._listening_us

    @property
    def radio_nj_per_bit(self) -> float:
        """Energy to send one bit of data, in nJ: that of a packet, sent and answered, over the bits of data in it."""
        sending_us = self._on_air_us(self.payload_bytes + self.overhead_bytes)
        nj = self.supply_v * (self.tx_ma * sending_us + self.rx_ma * self._listening_us)
        return nj / (8 * self.payload_bytes)

    def message_uj(self, size: int) -> float:
        """Energy to send a message of its own at once, in µJ: as many packets as it fills, each answered.

        Of a small one most is the answer and the gaps: 6 bytes take 184 µs at 4.8 mA and 380 µs at 4.6 mA, at 3 V.
        """
        packets = max(1, math.ceil(size / self.payload_bytes))
        sending_us = self._on_air_us(size + packets * self.overhead_bytes)
        return self.supply_v * (self.tx_ma * sending_us + self.rx_ma * packets * self._listening_us) / 1e3

    @property
    def capacity_kbit_s(self) -> float:
        """Most data that one link carries, in kbit/s."""
        return 8e3 * self.payload_bytes / self.packet_us

    @property
    def _listening_us(self) -> float:
        return self._on_air_us(self.answer_bytes) + 2 * self.gap_us

    def _on_air_us(self, size: int) -> float:
        return 8e3 * size / self.link_kbit_s

    def price(self, values_per_s: float, bits: int) -> dict[str, float]:
        """What a sensor with a converter of `bits` bits and no memory costs.

        Args:
            values_per_s: conversions per second.
            bits: of its converter.

        Returns:
            "bits"; "kbit_s": data rate; "radio_uj_s": radio in µJ/s, in proportion to the data rate; "adc_uj_s": a
            converter of constant figure of merit in µJ/s; "flash_uj_s": a flash converter instead; "uj_s": radio and
            the former together; "link_share": of what one radio link carries. Above 1 no such link would do, and the
            radio's energy is that of several.
        """
        return self._price(values_per_s, bits, bits, self._conversion(bits), self._flash(bits))

    def price_with_memory(self, values_per_s: float, bits: int, native_bits: int, refresh: int) -> dict[str, float]:
        """The same of a converter with memory, in the converter: `tracking_energy`, and at a refresh the native one's.

        Args:
            values_per_s: conversions per second.
            bits: N, of a code.
            native_bits: n, of the sensor's samples.
            refresh: each of so many samples is converted and sent with n bits; 0: none.
        """
        share = 1 / refresh if refresh else 0.0
        digital_fj = self.codec_operations * self.operation_fj
        pj = [
            (1 - share) * tracking_energy(energy(bits), native_bits, self.dac_fj, digital_fj)
            + share * energy(native_bits)
            for energy in (self._conversion, self._flash)
        ]
        return self._price(values_per_s, bits, mixed(bits, native_bits, refresh), *pj)

    def price_behind(self, values_per_s: float, bits: int, native_bits: int) -> dict[str, float]:
        """The same of a codec behind a native ADC, whose conversion is paid in full.

        Args:
            values_per_s: conversions per second.
            bits: of a code.
            native_bits: of the sensor's samples.
        """
        codec_pj = self.codec_operations * self.operation_fj / 1e3
        pj = [energy(native_bits) + codec_pj for energy in (self._conversion, self._flash)]
        return self._price(values_per_s, bits, bits, *pj)

    def _conversion(self, bits: int) -> float:
        return conversion_energy(bits, self.walden_fj, self.floor_pj)

    def _flash(self, bits: int) -> float:
        return flash_energy(bits, self.comparator_fj)

    def _price(
        self, values_per_s: float, bits: int, rate: float, converter_pj: float, flash_pj: float
    ) -> dict[str, float]:
        """See `price`; `rate` is in bits per sample."""
        sent = self._sent(values_per_s, rate)
        adc = values_per_s * converter_pj / 1e6
        return {
            "bits": bits,
            **sent,
            "adc_uj_s": adc,
            "flash_uj_s": values_per_s * flash_pj / 1e6,
            "uj_s": sent["radio_uj_s"] + adc,
            "link_share": sent["kbit_s"] / self.capacity_kbit_s,
        }

    def _sent(self, values_per_s: float, rate: float) -> dict[str, float]:
        kbit_s = data_rate(values_per_s, rate)
        return {"kbit_s": kbit_s, "radio_uj_s": kbit_s * self.radio_nj_per_bit}  # kbit/s · nJ/bit = µJ/s

    def _behind(self, values_per_s: float, native_bits: int, operations: float) -> float:
        """A native ADC and digital operations on each of its samples, in µJ/s."""
        return values_per_s * (self._conversion(native_bits) + operations * self.operation_fj / 1e3) / 1e6

    def compare(
        self,
        values_per_s: float,
        bits: int,
        native_bits: int | None,
        memory: bool = False,
        refresh: int = 0,
        digital: bool = False,
        entropy: float | None = None,
        lossless: float | None = None,
    ) -> dict[str, Any]:
        """The same beside the sensor at its native bits, ready for JSON, with all constants.

        Args:
            values_per_s: conversions per second.
            bits: of its converter; 0 for a sensor that is not quantized and delivers its native bits.
            native_bits: of the sensor, or None where nobody has stated them.
            memory: whether its converter predicts.
            refresh: of a converter with memory.
            digital: whether it can only stand behind a native ADC: what it costs there is its price.
            entropy: bits per sample that an ideal entropy coder would send of its codes; None: not known.
            lossless: the same of first differences of its native samples.

        Returns:
            `price`'s, of the quantizer in the converter; "behind": "adc_uj_s" and "uj_s" of the quantizer behind a
            native ADC; "entropy", "lossless": "bits" per sample, "kbit_s", "radio_uj_s", where they are known, the
            latter with a native ADC, "adc_uj_s" and "uj_s"; "native": `price`'s of the sensor without a quantizer.
        """
        native = native_bits or self.native_bits
        if digital:
            price = self.price_behind(values_per_s, bits, native)
        elif memory:
            price = self.price_with_memory(values_per_s, bits, native, refresh)
        else:
            price = self.price(values_per_s, bits or native)
        # a quantizer without memory finds its code by bisection, a comparison for each bit
        operations = self.codec_operations if memory or digital else bits
        adc = self._behind(values_per_s, native, operations)
        others: dict[str, dict[str, float]] = {"behind": {"adc_uj_s": adc, "uj_s": price["radio_uj_s"] + adc}}
        if entropy is not None:
            others["entropy"] = {"bits": entropy, **self._sent(values_per_s, entropy)}
        if lossless is not None:
            sent = self._sent(values_per_s, lossless)
            adc = self._behind(values_per_s, native, self.codec_operations)
            others["lossless"] = {"bits": lossless, **sent, "adc_uj_s": adc, "uj_s": sent["radio_uj_s"] + adc}
        return {
            "basis": "model, not measured",
            "values_per_s": values_per_s,
            **price,
            **others,
            "native": self.price(values_per_s, native),
            "constants": self.constants(),
        }
