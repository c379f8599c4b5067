"""A result that is whole means finished; anything else in its place does not, and is not lost."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from tests.refusal import assert_names, refused
from tests.results import whole_result

from qsense.runs import folder as run_folder
from qsense.runs.result import ResultError, flaw, plain
from qsense.runs.status import FAILED, FINISHED, status_of

WHOLE = json.dumps(whole_result())
# By name: what lies in place of a result, and what is said of it.
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "only a line's end": (b"\n", "JSON"),
    "truncated": (WHOLE[: len(WHOLE) // 2].encode(), "JSON"),
    "one byte less": (WHOLE[:-1].encode(), "JSON"),
    "zeros, as after a power cut": (bytes(len(WHOLE)), "JSON"),
    "not UTF-8": (b'{"monitor": "\xff"}', "JSON"),
    "text": (b"hello world\n", "JSON"),
    "a page of a proxy": (b"<html><body>502 Bad Gateway</body></html>", "JSON"),
    "twice": ((WHOLE + WHOLE).encode(), "JSON"),
    "a list": (b"[]", "list"),
    "null": (b"null", "NoneType"),
    "a number": (b"1", "int"),
    "an empty mapping": (b"{}", "monitor"),
    "too deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
    "an endless integer": (b'{"seed": ' + b"9" * 5000 + b"}", "JSON"),
    "another program's": (b'{"loss": [1.0, 0.5], "epoch": 2}', "monitor"),
}
# By what is named of it: a result with one thing wrong.
WRONG: dict[str, dict[str, Any]] = {
    "metrics": {"metrics": None},
    "'metrics'": {"metrics": [0.5]},
    "headline 'f1'": {"metrics": {}},
    "headline 'f2'": {"monitor": "f2"},
    "'f1' has no value": {"metrics": {"f1": None, "f2": 1.0}},
    "metrics.f1": {"metrics": {"f1": "0.5"}},
    "metrics.f2": {"metrics": {"f1": 0.5, "f2": [1]}},
    "'metrics.f1' is True": {"metrics": {"f1": True}},
    "inf": {"metrics": {"f1": math.inf}},
    "monitor": {"monitor": 1},
    "seed": {"seed": "0"},
    "fold": {"fold": 0.5},
    "num_folds": {"num_folds": True},
    "dataset": {"dataset": None},
    "quant": {"quant": 4},
    "per_class.f1": {"per_class": {"f1": {"walk": "good"}}},
    "'per_class.f1'": {"per_class": {"f1": [0.5]}},
    "'groups.size'": {"groups": {"size": [0.5]}},
    "groups.size.map": {"groups": {"size": {"map": {"small": "good"}}}},
    "quantizer.gamma": {"quantizer": {"gamma": 0.4}},
    "standardised.mean": {"standardised": {"mean": "none"}},
    "cost": {"cost": 7},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_not_finished_and_not_lost(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    content, said = DAMAGED[name]
    file = tmp_path / "metrics.json"
    file.write_bytes(content)
    assert not run_folder.finished(tmp_path)
    assert said in run_folder.damaged_result(tmp_path)
    status = status_of(tmp_path)
    assert status.state == FAILED
    assert_names(status.reason, "metrics.json", said)
    with refused(ResultError, file, said):
        run_folder.result(tmp_path)
    with caplog.at_level(logging.WARNING):
        run_folder.set_damaged_result_aside(tmp_path)
    assert_names(caplog.text, file, "metrics.json.damaged")
    assert (tmp_path / "metrics.json.damaged").read_bytes() == content
    assert run_folder.damaged_result(tmp_path) == ""
    run_folder.finish(tmp_path, whole_result())
    assert status_of(tmp_path).state == FINISHED


@pytest.mark.parametrize("named", WRONG)
def test_a_result_lacking_something_is_neither_written_nor_read(tmp_path: Path, named: str) -> None:
    content = whole_result(**WRONG[named])
    assert named in flaw(content)
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    assert not run_folder.finished(tmp_path)
    if "inf" not in named:  # written as what it is: no value
        assert named in run_folder.damaged_result(tmp_path)
    (tmp_path / "metrics.json").unlink()
    with refused(ResultError, "no result"):
        run_folder.finish(tmp_path, content)
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("key", ["monitor", "metrics", "dataset", "seed", "fold", "num_folds", "task", "data", "quant"])
def test_what_every_result_has(key: str) -> None:
    content = whole_result()
    del content[key]
    assert repr(key) in flaw(content)


def test_a_metric_without_a_value_is_none(tmp_path: Path) -> None:
    run_folder.finish(tmp_path, whole_result(metrics={"f1": 0.5, "ap": math.nan}, cost={"macs": math.inf}))
    assert "NaN" not in (tmp_path / "metrics.json").read_text()
    assert run_folder.result(tmp_path)["metrics"] == {"f1": 0.5, "ap": None}
    old = json.dumps(whole_result(metrics={"f1": 0.5, "ap": math.nan}))  # as it was written before
    (tmp_path / "metrics.json").write_text(old)
    assert run_folder.result(tmp_path)["metrics"] == {"f1": 0.5, "ap": None}
    assert plain({"a": (1, math.nan)}) == {"a": [1, None]}


def test_every_damaged_result_is_kept(tmp_path: Path) -> None:
    for content in ("a", "b", "c"):
        (tmp_path / "metrics.json").write_text(content)
        run_folder.set_damaged_result_aside(tmp_path)
    aside = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert aside == {"metrics.json.damaged": "a", "metrics.json.damaged-2": "b", "metrics.json.damaged-3": "c"}


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself"])
def test_what_is_no_file_is_no_result(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "metrics.json"
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file if kind == "link to itself" else tmp_path / "nowhere")
    assert not run_folder.finished(tmp_path)
    assert run_folder.damaged_result(tmp_path)
    run_folder.set_damaged_result_aside(tmp_path)
    run_folder.finish(tmp_path, whole_result())
    assert run_folder.finished(tmp_path)


def test_a_result_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    run_folder.finish(tmp_path, whole_result())
    assert run_folder.finished(tmp_path)
    (tmp_path / "metrics.json").write_text(WHOLE[:30])
    assert not run_folder.finished(tmp_path)
    assert run_folder.damaged_result(tmp_path)
