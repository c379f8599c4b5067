"""Every value arrives through Hydra's command line as what it is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tests.hostile_names import HOSTILE
from tests.refusal import refused

from qsense.experiment.command_line.habits import understood
from qsense.experiment.command_line.spelling import parse, spell
from qsense.experiment.compose import compose
from qsense.experiment.grids.sweep_files import read_sweep

SPECIAL = "\\'\"=,()[]{}:$~ \n\t#@γé"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\x85") | st.sampled_from(SPECIAL), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts.filter(lambda t: "${" not in t)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=4
)


def arrived(setting: str) -> Any:
    found = parse(setting)
    assert found is not None, setting
    return found.value()


@settings(max_examples=60)
@given(values)
def test_a_value_comes_back_through_every_step_of_a_sweep(value: Any) -> None:
    assert arrived(f"key={spell(value)}") == value
    axis = parse(f"key={spell(value)},{spell(value)}")
    assert axis is not None
    for text in axis.sweep_string_iterator():  # what Hydra's sweeper makes of it
        assert arrived(f"key={text}") == value
    assert understood([f"+data.key={spell(value)}"]) == [f"+data.key={spell(value)}"]


@settings(max_examples=3)
@given(st.lists(values, min_size=10, max_size=20))
def test_a_sweep_files_values_arrive_in_the_configuration(
    tmp_path_factory: pytest.TempPathFactory, several: list[Any]
) -> None:
    file = tmp_path_factory.mktemp("sweep") / "sweep.yaml"
    parameters = {f"+data.key{number}": {"value": value} for number, value in enumerate(several)}
    file.write_text(yaml.safe_dump({"method": "grid", "parameters": parameters}, allow_unicode=True), encoding="utf-8")
    (point,) = read_sweep(file).points()
    found = OmegaConf.to_container(compose(point).data)
    assert isinstance(found, dict)
    for number, value in enumerate(several):
        assert (type(found[f"key{number}"]), found[f"key{number}"]) == (type(value), value)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "${" not in name])
def test_hostile_names_are_texts(name: str) -> None:
    assert arrived(f"key={spell(name)}") == name


def test_not_a_number_arrives() -> None:
    assert math.isnan(arrived(f"key={spell(math.nan)}"))


@pytest.mark.parametrize("key", ["a b", "a:b", "a=b", "x/y", 3, 0.5, True, None])
def test_a_mappings_key_arrives(key: Any) -> None:
    assert arrived(f"key={spell({key: 1})}") == {key: 1}


@pytest.mark.parametrize(
    ("value", "named"),
    [({"é": 1}, "'é'"), ({"1": 1}, "'1'"), ({"null": 1}, "'null'"), (b"a", "b'a'"), ({1, 2}, "{1, 2}")],
)
def test_what_has_no_spelling_is_refused(value: Any, named: str) -> None:
    with refused(ValueError, named):
        spell(value)
