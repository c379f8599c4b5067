"""Firmware plans around converters of all kinds: none, without memory, with memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from tests.chip.converters import converters
from tests.chip.firmware.plans import balanced, depthwise
from tests.chip.memory.codecs import a_codec

from qsense.chip.converter import Converter, Native
from qsense.chip.firmware.plan import InputCodes, Plan
from qsense.chip.memory.codec import Codec

WITHOUT_MEMORY = [
    name for name, (_, c) in converters().items() if len(c.rows) in (1, len(c.channels)) and len(c.channels) > 1
]
WITH_MEMORY = [
    "adpcm 1", "adpcm 2", "adpcm 3", "adpcm 4", "adpcm 5", "dpcm 1", "dpcm 2", "dpcm 3", "dpcm 4", "dpcm 5",
    "dpcm 8, refresh 1", "adpcm 1, all", "adpcm 1, step leak", "adpcm 3, step leak", "adpcm 2, refresh", "adpcm 4, IMA",
    "adpcm 5, slope", "dpcm 1, slope", "dpcm 2, all", "dpcm 3, neither",
]  # fmt: skip


def without_memory(name: str, network: Callable[..., Plan] = depthwise, **settings: int) -> Plan:
    """Around a converter of `converters`, with a table of input codes."""
    converter = converters()[name][1]
    return around(network, converter, converter.native, converter.channels, **settings)


def with_memory(
    kind: str, network: Callable[..., Plan] = depthwise, twos_complement: bool = False, **settings: int
) -> Plan:
    """Around a converter of `codecs`, with thresholds of decoded values."""
    codec = a_codec(kind, twos_complement=twos_complement)[1]
    native = Native(codec.native_bits, -2.0, 2.0, codec.black, codec.white, "", twos_complement)
    return around(network, codec, native, codec.channels, **settings)


def around(
    network: Callable[..., Plan],
    converter: Converter | Codec,
    native: Native,
    channels: tuple[str, ...],
    **settings: int,
) -> Plan:
    """A network's plan with another converter, and input codes that fit it."""
    random = np.random.default_rng(7)
    plan = network(axes=len(channels), **settings)
    if isinstance(converter, Converter):
        table = np.sort(random.integers(-127, 128, (len(channels), 1 << converter.bits)), axis=1).astype(np.int16)
        given = InputCodes(table, None, -127)
    else:
        edges = np.sort(random.integers(-33000, 34000, (len(channels), 254)), axis=1).astype(np.int32)
        given = InputCodes(None, np.where(edges > 32767, 1 << 17, edges).astype(np.int32), -127)
    return balanced(replace(plan, converter=converter, native=native, input=given, channels=channels))
