"""What one conversion costs, by kind of converter: formulas of plain numbers, models and no measurements.

Open it to add a kind of converter; `sensing.py` prices a sensor by them.
"""

from __future__ import annotations

import math


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


def floor_bits(walden_fj: float, floor_pj: float) -> int:
    """The most bits at which `conversion_energy` is its floor, where fewer bits save nothing in the converter; 0: none.

    >>> floor_bits(walden_fj=57, floor_pj=1.3)
    4
    >>> conversion_energy(4, 57, 1.3), conversion_energy(5, 57, 1.3)
    (1.3, 1.824)
    """
    return max(0, math.floor(math.log2(1e3 * floor_pj / walden_fj)))


def flash_energy(bits: int, comparator_fj: float) -> float:
    """One conversion of a flash converter, in pJ: (2^N − 1) · E_cmp, all comparators at once, each at its own level.

    Its levels may lie anywhere, as those of a learned curve do. The reference ladder and the encoder are not counted.

    >>> flash_energy(2, comparator_fj=50)
    0.15
    """
    return ((1 << bits) - 1) * comparator_fj / 1e3


def tracking_energy(converter_pj: float, native_bits: int, dac_fj: float, digital_fj: float) -> float:
    """One conversion of a tracking converter, in pJ: E_N + 2^n · E_unit + E_update.

    A DAC of the sensor's full n bits settles to the prediction, N bits around it are resolved, and the predictor takes
    the code over. That those N bits are as fine as the native step, and so ask for comparators of its low noise, is not
    modelled: it is the least such a converter needs, where `conversion_energy` is that of any with N bits.

    Args:
        converter_pj: E_N, of the N bits around the prediction, in pJ.
        native_bits: n, of the DAC.
        dac_fj: E_unit, of each of its 2^n units, in fJ.
        digital_fj: E_update, of predictor and tables, in fJ.

    >>> tracking_energy(1.3, native_bits=12, dac_fj=1, digital_fj=1000)
    6.396
    """
    return converter_pj + ((1 << native_bits) * dac_fj + digital_fj) / 1e3
