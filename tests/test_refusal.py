"""A check of messages that could not fail would be no check."""

from __future__ import annotations

import warnings

import pytest
from tests.refusal import assert_names, missing, refused, warned

MESSAGE = "quant.sensor.gamma='much': Gamma needs -0.5 to 16, see /data/fold_1.csv."


@pytest.mark.parametrize("token", ["quant.sensor.gamma='much'", "Gamma", -0.5, 16, "fold_1.csv", "/data/fold_1.csv"])
def test_a_token_is_found_whole_wherever_it_stands(token: object) -> None:
    assert_names(MESSAGE, token)


@pytest.mark.parametrize("token", ["gamma='much'", "gamma", "sensor", "amma", 0.5, 5, 1, 6, "fold_1", "Gamma needs 16"])
def test_a_part_of_a_key_a_word_or_a_number_is_not_the_token(token: object) -> None:
    assert missing(MESSAGE, "Gamma", token, 16) == [str(token)]


def test_a_token_given_twice_stands_there_twice() -> None:
    assert not missing("no gama: gamma? linear, gamma", "gamma", "gamma")
    assert missing("no gama: linear, gamma", "gamma", "gamma") == ["gamma"]


def test_a_refusal_that_names_too_little_fails_and_shows_the_message() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^bits=0, 16 not named in:\nGamma needs 1 to 15$"):  # noqa: SIM117
        with refused(ValueError, "bits=0", 1, 16, "Gamma"):
            raise ValueError("Gamma needs 1 to 15")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"), refused(ValueError, "bits=0"):
        pass
    with pytest.raises(TypeError, match="another"), refused(ValueError, "another"):
        raise TypeError("another")
    with pytest.raises(AssertionError, match="at least one token"), refused(ValueError):
        raise ValueError("bits=0")


def test_one_warning_names_all_the_tokens() -> None:
    with warned(UserWarning, "gamma=1", 2):
        warnings.warn("gamma=1: 2", stacklevel=1)
    with pytest.raises(pytest.fail.Exception, match="no warning names gamma=1, 2"):  # noqa: PT012, SIM117
        with warned(UserWarning, "gamma=1", 2):
            warnings.warn("gamma=1", stacklevel=1)
            warnings.warn("2", stacklevel=1)
