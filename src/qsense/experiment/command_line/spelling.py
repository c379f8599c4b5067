"""A value as Hydra's command line spells it, so that it arrives as the value it is.

Open it when a text, a list or a mapping is read differently by Hydra than it was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.grammar.utils import escape_special_characters
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

# Texts that Hydra reads as they are; all others stand in quotes.
WORD = re.compile(r"(?!(null|true|false|inf|nan)$)([A-Za-z_]|\.{0,2}/)[\w./+%*@?|-]*", re.ASCII | re.IGNORECASE)
PARSER = OverridesParser.create()


def spell(value: Any) -> str:
    """A plain value, as it stands after `key=`.

    Raises:
        ValueError: Hydra has no spelling for it; with the value, or the part of it, that is meant.

    >>> [spell(value) for value in (None, True, 1e-3, "gamma", "1e-3", "a=b", "", [1, "x, y"], {"a": None})]
    ['null', 'true', '0.001', 'gamma', '"1e-3"', '"a=b"', '""', '[1,"x, y"]', '{a:null}']
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        quote = Quote.single if '"' in value else Quote.double  # a shell's own are single ones
        return value if WORD.fullmatch(value) else QuotedString(value, quote).with_quotes()
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return f"[{','.join(map(spell, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_spell_key(key)}:{spell(each)}" for key, each in value.items()) + "}"
    raise ValueError(f"{value!r} is neither null, true, false, a number, a text, a list nor a mapping")


def _spell_key(key: Any) -> str:
    """A mapping's key, which Hydra takes without quotes alone."""
    text = escape_special_characters(key) if isinstance(key, str) else spell(key)
    try:
        parsed = PARSER.parse_rule("{" + text + ":0}", "dictContainer")
    except HydraException:
        parsed = None
    if parsed is None or [(type(each), each) for each in parsed] != [(type(key), key)]:
        raise ValueError(f"Hydra cannot write {key!r} as a mapping's key")
    return text


def parse(setting: str) -> Override | None:
    """What Hydra reads in `key=value`; None where it cannot read it."""
    try:
        return PARSER.parse_override(setting)
    except HydraException:
        return None


def flatten(key: str, value: Any) -> list[tuple[str, Any]]:
    """A nested mapping as dotted keys.

    >>> flatten("quant", {"sensor": {"gamma": 0.3, "lr": None}})
    [('quant.sensor.gamma', 0.3), ('quant.sensor.lr', None)]
    """
    if isinstance(value, Mapping) and value:
        return [entry for name, each in value.items() for entry in flatten(f"{key}.{name}", each)]
    return [(key, value)]
