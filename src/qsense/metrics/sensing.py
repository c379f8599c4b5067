"""What digitising a signal and sending it costs per second: a model made of stated constants, and no measurement.

Formulas are functions of plain numbers; their constants, each with its source, are in `conf/sensing/ble.yaml`.
"""

from __future__ import annotations

import math
from typing import Any


def data_rate(values_per_s: float, bits: float) -> float:
    """What the sensor delivers, in kbit/s: values per second × bits, without any coding of the codes.

    WEAR's twelve axes at 50 Hz, as a 12-bit sensor delivers them and with four levels:

    >>> data_rate(12 * 50, 12), data_rate(12 * 50, 2)
    (7.2, 1.2)
    """
    return values_per_s * bits / 1e3


def conversion_energy(bits: float, walden_fj: float, floor_pj: float) -> float:
    """One conversion, in pJ: max(floor, FoM · 2^ENOB), with as many effective bits as the converter has.

    Walden's figure of merit (IEEE JSAC 1999) is an empirical fit at low and medium resolutions. At few bits fixed parts
    of a converter are what costs, and the energy levels out (Jonsson, "ADC energy efficiency: an empirical overview",
    2013); above some 12 bits noise makes it grow fourfold per bit, which is not modelled.

    Args:
        bits: ENOB, the effective number of bits. An ideal converter's are its own, which is the least that it needs.
        walden_fj: FoM in fJ per conversion step.
        floor_pj: the least energy of a conversion in pJ.

    >>> conversion_energy(12, walden_fj=57, floor_pj=1.3), conversion_energy(2, walden_fj=57, floor_pj=1.3)
    (233.472, 1.3)
    """
    return max(floor_pj, walden_fj * 2**bits / 1e3)


def flash_energy(bits: int, comparator_fj: float) -> float:
    """One conversion of a flash converter, in pJ: (2^N − 1) · E_cmp, all comparators at once, each at its own level.

    Its levels may lie anywhere, as those of a learned curve do. The reference ladder and the encoder are not counted.

    >>> flash_energy(2, comparator_fj=50)
    0.15
    """
    return ((1 << bits) - 1) * comparator_fj / 1e3


class SensingModel:
    """Prices a sensor: data rate, converter and radio.

    The radio sends full packets one after the other, each answered by an empty one (Bluetooth Core 5, vol. 6, part B),
    and is off in between. What a connection costs without data, lost packets and the processor are not counted: they
    are the same at any number of bits, or unknown.

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
        for name, value in self.constants().items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"sensing.{name}={value}: a constant of the sensing model must be positive")
        if native_bits > 32:
            raise ValueError(f"sensing.native_bits={native_bits}: a sensor's codes have 1 to 32 bits")

    def constants(self) -> dict[str, float | None]:
        """All of them by name."""
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
        """What a sensor of `bits` bits costs.

        Args:
            values_per_s: conversions per second.
            bits: of its converter.

        Returns:
            "bits"; "kbit_s": data rate; "radio_uj_s": radio in µJ/s, in proportion to the data rate; "adc_uj_s": a
            converter of constant figure of merit in µJ/s; "flash_uj_s": a flash converter instead; "uj_s": radio and
            the former together; "link_share": of what one radio link carries. Above 1 no such link would do, and the
            radio's energy is that of several.
        """
        kbit_s = data_rate(values_per_s, bits)
        radio = kbit_s * self.radio_nj_per_bit  # kbit/s · nJ/bit = µJ/s
        adc = values_per_s * conversion_energy(bits, self.walden_fj, self.floor_pj) / 1e6
        return {
            "bits": bits,
            "kbit_s": kbit_s,
            "radio_uj_s": radio,
            "adc_uj_s": adc,
            "flash_uj_s": values_per_s * flash_energy(bits, self.comparator_fj) / 1e6,
            "uj_s": radio + adc,
            "link_share": kbit_s / self.capacity_kbit_s,
        }

    def compare(self, values_per_s: float, bits: int, native_bits: int | None) -> dict[str, Any]:
        """The same beside the sensor at its native bits, ready for JSON, with all constants.

        Args:
            values_per_s: conversions per second.
            bits: of its converter; 0 for a sensor that is not quantized and delivers its native bits.
            native_bits: of the sensor, or None where nobody has stated them.
        """
        native = native_bits or self.native_bits
        return {
            "basis": "model, not measured",
            "values_per_s": values_per_s,
            **self.price(values_per_s, bits or native),
            "native": self.price(values_per_s, native),
            "constants": self.constants(),
        }
