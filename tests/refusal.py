"""What an error names – keys with values, files, classes, bounds – is its promise; its English may be polished.

Each token stands in a message as a whole, in any order: 1 is not in 16, 1.5 or -1, nor `bits=0` in `native_bits=0`.
A token given twice stands there twice: a name that is meant, say, and that is also among those that are allowed.
Where a token has a blank, a line may end, of a command after a backslash: on a screen lines have 80 columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

Errors = type[BaseException] | tuple[type[BaseException], ...]


def missing(text: str, *tokens: object) -> list[str]:
    """Those tokens that do not stand in the text as often as they are given."""
    assert tokens, "name at least one token"
    counts = Counter(map(str, tokens))
    patterns = {each: re.escape(each).replace(r"\ ", r"(?: \\)?\s+") for each in counts}
    return [each for each, n in counts.items() if len(re.findall(rf"(?<![\w.-]){patterns[each]}(?!\w|\.\w)", text)) < n]


def unwrapped(text: str) -> str:
    """Lines as they would stand on a screen without an edge: what goes on below, set in, is one line again."""
    return re.sub(r"(?: \\)?\n +", " ", text)


def assert_names(text: str, *tokens: object) -> None:
    __tracebackhide__ = True
    if absent := missing(text, *tokens):
        pytest.fail(f"{', '.join(absent)} not named in:\n{text}")


@contextmanager
def refused(error: Errors, *tokens: object) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """The block raises this error, and its message names all the tokens."""
    __tracebackhide__ = True
    with pytest.raises(error) as caught:
        yield caught
    assert_names(str(caught.value), *tokens)


@contextmanager
def warned(category: type[Warning], *tokens: object) -> Iterator[None]:
    """The block gives a warning of this category that names all the tokens."""
    __tracebackhide__ = True
    with pytest.warns(category) as caught:
        yield
    texts = [str(warning.message) for warning in caught if issubclass(warning.category, category)]
    if all(missing(text, *tokens) for text in texts):
        pytest.fail(f"no warning names {', '.join(map(str, tokens))}:\n" + "\n".join(texts))
