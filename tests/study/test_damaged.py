"""Run folders as crashes, other programs and strangers leave them: a line of the report each, and never its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names
from tests.study_folders import REAL, make_run, read_config

from qsense.runs.announcements import not_begun
from qsense.runs.escapes import one_line
from qsense.runs.lock import alive
from qsense.runs.status import FAILED, FINISHED, STATES
from qsense.study.index import INDEX, SCHEMA, gather
from qsense.study.page import study_page
from qsense.study.run import Run, read_run
from qsense.study.screen import print_report, sections
from qsense.study.summary import Summary, summarise
from qsense.study.tables import cells_csv, latex_table, markdown_report, runs_csv

DEEP = "[" * 100_000
BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(f"a{i + 1}: &a{i + 1} [{f'*a{i},' * 9}]\n" for i in range(9))


def say(summary: Summary) -> dict[str, str]:
    """Everything that a report says in words, by form."""
    console = Console(width=120, color_system=None, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    print_report(summary, console)
    forms = {"screen": console.export_text(), "markdown": markdown_report([summary]), "runs": runs_csv(summary)}
    if summary.rows:
        forms |= {"cells": cells_csv([summary]), "latex": latex_table(summary)}
    return forms | {"page": study_page([summary])}


def data_of(page: str) -> Any:
    """What a page's script reads, as a browser reads it: JSON has no NaN."""
    (text,) = re.findall(r'<script type="application/json" id="study">(.*?)</script>', page, re.DOTALL)
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in the page"))


def change(folder: Path, **changes: Any) -> None:
    """Change a run's result, keys within keys by `__`."""
    content = json.loads((folder / "metrics.json").read_text())
    for path, value in changes.items():
        node, *keys = content, *path.split("__")
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
    (folder / "metrics.json").write_text(json.dumps(content))


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A run to damage, beside a sound one."""
    for name in ("bad", "good"):
        shutil.copytree(REAL / "schema3", tmp_path / "runs" / name)
    return tmp_path / "runs" / "bad"


def damage_of(bad: Path) -> str:
    """What the report says of a damaged folder, in one line; the sound one counts."""
    summary = summarise([bad.parent])
    assert summary.rows_of_runs[bad.parent / "good"].name == "gamma 2 bit"
    (line,) = sections(summary)["Could not be read"]
    assert len(line) < 500
    return line


# ----------------------------------------------------------------------------------------------------------- the result


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bits": "four"}, "bits='four'"),
        ({"bits": 2.5}, "bits=2.5"),
        ({"bits": True}, "bits=True"),
        ({"network_bits": -1}, "network_bits=-1"),
        ({"bits": 10**6}, "bits=1000000"),
        ({"dataset": ["a"]}, "dataset"),
        ({"dataset": None}, "dataset=None"),
        ({"dataset": "x" * 10**6}, "dataset"),
        ({"quant": {}}, "quant"),
        ({"model": 7}, "model=7"),
        ({"seed": float("inf")}, "seed=inf"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**64}, f"seed={2**64}"),
        ({"seed": "0"}, "seed='0'"),
        ({"fold": -1}, "fold=-1"),
        ({"fold": 6}, "fold=6"),
        ({"fold": 0.0}, "fold=0.0"),
        ({"num_folds": 10**12}, "num_folds=1000000000000"),
        ({"num_folds": 0}, "num_folds=0"),
        ({"num_folds": None}, "num_folds=None"),
        ({"monitor": "absent"}, "monitor='absent'"),
        ({"monitor": []}, "monitor"),
        ({"metrics": None}, "metrics"),
        ({"metrics": [0.5]}, "metrics"),
        ({"metrics__f1_sample": "0.5"}, "metrics.f1_sample='0.5'"),
        ({"metrics__f1_sample": [0.5]}, "metrics.f1_sample"),
        ({"metrics": {f"m{i}": 0.5 for i in range(10**5)}}, "100000"),
        ({"per_class": {"f1_sample": 0.5}}, "per_class.f1_sample"),
        ({"per_class": {"f1_sample": {"walk": "high"}}}, "per_class.f1_sample.walk='high'"),
        ({"per_class": {"f1_sample": dict.fromkeys(map(str, range(20_000)), 0.5)}}, "20000"),
        ({"quantizer": {"gamma": 0.4}}, "quantizer.gamma"),
        ({"quantizer": {"gamma": ["0.4"]}}, "quantizer.gamma='0.4'"),
        ({"quantizer": {"gamma": [0.4] * 10**5}}, "100000"),
        ({"quantizer": [1]}, "quantizer"),
        ({"cost": {"macs": 1}}, "cost.bops"),
        ({"cost": 3}, "cost"),
        ({"cost__bops": "many"}, "cost.bops='many'"),
        ({"confusion_sample": 3}, "confusion_sample"),
        ({"confusion_sample": [[1, 2]]}, "confusion_sample"),
        ({"confusion_sample": [[1, 2.5], [0, 1]]}, "confusion_sample"),
        ({"confusion_sample": [[-1, 2], [0, 1]]}, "confusion_sample=-2"),
        ({"confusion_sample": [[2**60, 2], [0, 1]]}, "confusion_sample"),
        ({"sensing__native": None}, "sensing.native"),
        ({"sensing__native__uj_s": 0}, "sensing.native.uj_s=0"),
        ({"sensing__native__bits": "12"}, "cost.native_bits='12'"),
        ({"sensing__behind": 1}, "sensing.behind"),
        ({"sensing__behind": {"adc_uj_s": 0.1}}, "sensing.behind.uj_s"),
        ({"sensing__entropy__bits": "1"}, "cost.entropy_bits='1'"),
        ({"sensing__lossless__kbit_s": []}, "cost.lossless_kbit_s"),
        ({"rates": [1]}, "rates"),
        ({"rates__nominal": "2"}, "cost.nominal_bits='2'"),
        ({"sensing__constants": [1]}, "sensing.constants"),
        ({"sensing__constants__walden_fj": {"a": 1}}, "sensing.constants.walden_fj"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_of_another_kind_is_named_with_its_file(bad: Path, changes: dict[str, Any], named: str) -> None:
    change(bad, **changes)
    assert_names(damage_of(bad), bad / "metrics.json", named)


@pytest.mark.parametrize("key", ["task", "dataset", "bits", "seed", "fold", "num_folds", "monitor", "metrics"])
def test_what_a_result_lacks_is_named(bad: Path, key: str) -> None:
    content = json.loads((bad / "metrics.json").read_text())
    del content[key]
    (bad / "metrics.json").write_text(json.dumps(content))
    assert_names(damage_of(bad), bad / "metrics.json", key)


def test_a_class_without_a_score_and_a_task_without_a_name_are_none(bad: Path) -> None:
    """A detector's class of which no frame had an object; a part of one's own without an option's name."""
    change(bad, per_class={"f1_sample": {"walk": None, "run": 0.25}}, task=None)
    run = read_run(bad)
    assert (run.status, run.per_class, run.task) == (FINISHED, {"f1_sample": {"run": 0.25}}, "None")
    assert (run.unreadable, run.not_finite) == ((), {})


# -------------------------------------------------------------------------------------------------------- whole files


def as_folder(file: Path) -> None:
    file.mkdir()


def as_nowhere(file: Path) -> None:
    file.symlink_to(file.parent / "absent")


def as_itself(file: Path) -> None:
    file.symlink_to(file)


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def as_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def as_large(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(1 << 33)


def holding(content: str | bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


BROKEN = [as_folder, as_nowhere, as_itself, as_pipe, as_device, as_large, holding(b"\xff\xfe{"), holding(DEEP)]
JSON = [holding("{"), holding("[]"), holding("null"), holding('{"a": ' * 5000), holding("9" * 5000), holding(b"\x00")]
YAML = [
    holding(text)
    for text in (
        "choices: [1]\n", "quant: &q {sensor: *q}\n", BOMB, "{{ nothing }}", "- a\n", "bits: 2001-99-99\n", "7",
        "quant: 5\n", "data: [1]\n", "data: {batch_size: 4}\ntrainer: {num_nodes: many}\n", "seed: .inf\n",
        "fold: -7\n", "quant: {sensor: {bits: few}}\n",
        "a: !!python/name:os.system x\n", "a: !!bool x\n", "? [a]\n: b\n",
        "choices: {data: [a]}\n", f"data: {{{', '.join(f'k{i}: {i}' for i in range(5000))}}}\n", "a: \x07\n",
        f"data: {{a: {'x' * 20_000}}}\n",
    )
]  # fmt: skip


@pytest.mark.parametrize("damage", [*BROKEN, *JSON])
@pytest.mark.parametrize("name", ["metrics.json", "run.json"])
def test_a_file_that_is_none_is_named(bad: Path, name: str, damage: Callable[[Path], None]) -> None:
    (bad / name).unlink()
    damage(bad / name)
    assert_names(damage_of(bad), bad / name)
    state = FAILED if name == "metrics.json" else FINISHED
    assert read_run(bad).status == state


@pytest.mark.parametrize("damage", [*BROKEN, *YAML])
def test_a_run_whose_configuration_is_none_counts_without(bad: Path, damage: Callable[[Path], None]) -> None:
    (bad / "config.yaml").unlink()
    damage(bad / "config.yaml")
    assert_names(damage_of(bad), bad / "config.yaml")
    run = read_run(bad)
    assert (run.status, run.bits, run.settings) == (FINISHED, 2, {})
    (bad / "metrics.json").unlink()
    assert read_run(bad).status in STATES


@pytest.mark.parametrize("damage", [*BROKEN, *JSON])
@pytest.mark.parametrize("name", [".heartbeat", "failed.txt"])
def test_what_else_lies_in_a_run_ends_no_report(bad: Path, name: str, damage: Callable[[Path], None]) -> None:
    (bad / "metrics.json").unlink()
    (bad / "run.json").write_text('{"status": "failed"}')
    damage(bad / name)
    assert read_run(bad).status in STATES


def test_damage_is_told_in_every_form(bad: Path) -> None:
    change(bad, num_folds=10**12)
    (bad.parent / "good" / "run.json").write_text("{")
    forms = say(summarise([bad.parent]))
    lines = [f"{bad}/metrics.json: num_folds=1000000000000: ", f"{bad.parent}/good/run.json: no JSON: "]
    assert all(line in forms["screen"] for line in lines)
    assert all(line in forms["markdown"] for line in lines)
    page = data_of(forms["page"])
    assert [text.startswith(line) for text, line in zip(page["lists"]["Could not be read"], lines, strict=True)]
    assert page["unfinished"][0]["reason"].startswith(lines[0])


def test_one_cause_is_one_line(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("qsense.study.run.read_text", closed)  # root may read everything
    monkeypatch.setattr("qsense.study.run.read_json", closed)
    monkeypatch.setattr("qsense.study.run.status_of", closed)
    run = read_run(bad)
    assert (run.status, run.unreadable) == (FAILED, (f"{bad}: Permission denied",))


def test_a_folder_that_vanishes_is_a_line(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanishing(folder: Path) -> Run:
        shutil.rmtree(folder, ignore_errors=folder == bad) if folder == bad else None
        return read_run(folder)

    monkeypatch.setattr("qsense.study.index.read_run", vanishing)
    summary = summarise([bad.parent])
    assert [run.unreadable for run in summary.runs if run.folder == bad] == [
        (f"{bad}: it has vanished while it was read",)
    ]
    say(summary)


def test_a_folder_that_may_not_be_looked_into_is_a_line(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def closed(path: Path, onerror: Callable[[OSError], None]) -> Any:
        onerror(PermissionError(13, "Permission denied", str(bad.parent / "closed")))
        return walk(path)

    (bad.parent / "closed").mkdir()
    monkeypatch.setattr(os, "walk", closed)
    lines = [line for run in summarise([bad.parent]).runs for line in run.unreadable]
    assert lines == [f"{bad.parent / 'closed'}: no file of a run can be seen in it"]


# ----------------------------------------------------------------------------------------------------------- the index


def with_fields(changes: dict[str, Any]) -> Callable[[Any], Any]:
    """An index whose runs have other fields."""

    def damage(known: Any) -> Any:
        runs = {name: {**entry, "run": {**entry["run"], **changes}} for name, entry in known["runs"].items()}
        return {**known, "runs": runs}

    return damage


FIELDS: list[dict[str, Any]] = [
    {"bits": "four"}, {"metrics": {"f1_sample": "high"}}, {"metrics": []}, {"num_folds": 10**12}, {"settings": 99},
    {"settings": None}, {"settings": [0]}, {"learned": {"gamma": 1}}, {"status": "?"}, {"unreadable": "none"},
    {"reason": None}, {"cost": {"bops": []}}, {"dataset": None}, {"more": 1}, {"monitor": "absent"},
    {"seconds": "long"}, {"fingerprint": 1}, {"not_finite": [1]},
]  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        lambda known: [],
        lambda known: known | {"runs": []},
        lambda known: known | {"settings": {}},
        lambda known: known | {"settings": []},
        lambda known: known | {"settings": [{"quant": 1}] * 9},
        lambda known: known | {"settings": ["a"] * 9},
        lambda known: known | {"schema": str(SCHEMA)},
        *map(with_fields, FIELDS),
        lambda known: known | {"runs": dict.fromkeys(known["runs"])},
        lambda known: known | {"runs": {name: {**entry, "run": []} for name, entry in known["runs"].items()}},
        lambda known: known | {"runs": {name: {"run": entry["run"]} for name, entry in known["runs"].items()}},
    ],
)
def test_an_index_of_another_shape_is_made_anew(bad: Path, damage: Callable[[Any], Any]) -> None:
    first = gather([bad.parent])
    index = bad.parent / INDEX
    sound = index.read_text()
    index.write_text(json.dumps(damage(json.loads(sound))))
    assert gather([bad.parent]) == first
    assert json.loads(index.read_text()) == json.loads(sound)


@pytest.mark.parametrize("damage", BROKEN)
def test_an_index_that_is_no_file_is_done_without(bad: Path, damage: Callable[[Path], None]) -> None:
    damage(bad.parent / INDEX)
    assert len(gather([bad.parent])) == 2


@pytest.mark.parametrize("plan", ['{"a": 1}', "[1, null]", '["../../etc", "a\\nb", "", "."]', "7", DEEP])
def test_what_a_sweep_announces_is_names_of_folders(tmp_path: Path, plan: str) -> None:
    folder = tmp_path / ".sweeps" / "one"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(plan)
    (folder / ".heartbeat").write_text('{"owner": "1", "machine": "another:1"}')
    assert alive(folder)
    assert not_begun(tmp_path) == []


# -------------------------------------------------------------------------------------------- numbers that are none


NOT_FINITE = [
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (-float("inf"), "-inf"),
    (None, "no value"),
    (1e39, "1e+39"),
]


@pytest.mark.parametrize(("value", "word"), NOT_FINITE)
def test_a_score_that_is_no_number_is_left_out_and_said(tmp_path: Path, value: float | None, word: str) -> None:
    for fold, score in enumerate((0.25, 0.75)):
        make_run(tmp_path, score, fold=fold)
    diverged = make_run(tmp_path, 0.5, fold=2, name="diverged")
    change(diverged, metrics__f1_sample=value)
    summary = summarise([tmp_path])
    (cell,) = summary.cells.values()
    assert (cell.mean, cell.count, cell.complete) == (0.5, "2×1 of 4×1", False)
    assert not summary.complete
    forms = say(summary)
    for form in ("screen", "markdown"):
        assert "50.00" in forms[form]
        assert f"f1_sample = {word}: {diverged}" in forms[form]
    assert ",50.0,," in forms["cells"]
    assert "50.00" in forms["latex"]
    runs = [run for run in data_of(forms["page"])["runs"] if run["folder"] == str(diverged)]
    assert [run["scores"][0] for run in runs] == [None]
    assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", forms["cells"] + forms["runs"] + forms["latex"])


def test_where_all_scores_are_none_the_cell_is_a_dash(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5, quant="linear")
    change(make_run(tmp_path, 0.5, name="diverged"), metrics__f1_sample=float("nan"))
    summary = summarise([tmp_path])
    assert [row.name for row in summary.rows] == ["linear 2 bit", "gamma 2 bit"]
    forms = say(summary)
    assert re.search(r"gamma 2 bit +–", forms["screen"])
    assert "| gamma 2 bit | – |" in forms["markdown"]
    assert "gamma & 2 & -- \\\\" in forms["latex"]
    assert "SBHAR,f1_sample,,,%,0,0,4,False" in forms["cells"]
    assert "no finite number" in forms["screen"]
    (run,) = (run for run in data_of(forms["page"])["runs"] if run["row"] == 1)
    assert run["scores"][0] is None


def test_a_study_without_any_number_is_a_table_of_dashes(tmp_path: Path) -> None:
    change(make_run(tmp_path, 0.5), metrics__f1_sample=float("nan"))
    forms = say(summarise([tmp_path]))
    assert re.search(r"gamma 2 bit +–", forms["screen"])
    data_of(forms["page"])


def test_other_figures_that_are_none_are_left_out_and_said(bad: Path) -> None:
    change(bad, cost__bops=float("nan"), quantizer__gamma=[None], sensing__uj_s=float("inf"), metrics__f1_window=-1e300)
    forms = say(summarise([bad.parent]))
    assert_names(forms["screen"], "bops = nan", "learned gamma = no value", "uj_s = inf", "f1_window = -1e+300")
    (run,) = (run for run in gather([bad.parent]) if run.folder == bad)
    assert not {"bops", "uj_s", "saved"} & set(run.cost)
    assert list(run.learned) == ["mu"]


# ------------------------------------------------------------------------------------------------------ anything at all


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.sampled_from([10**12, 10**400, 2**63, 1e39, -1e300]),
    st.sampled_from(HOSTILE), st.text(max_size=5), st.just([]), st.just({}), st.just([[]]),
    st.dictionaries(st.sampled_from(HOSTILE), st.floats(), max_size=3), st.lists(st.floats(), max_size=3),
    st.just("x" * 20_000), st.just({"a": {"b": [1]}}),
)  # fmt: skip
CHANGES = st.tuples(
    st.sampled_from(["metrics.json", "metrics.json", "config.yaml", "run.json"]),
    st.sampled_from(["node", "node", "node", "key", "bytes", "cut", "drop", "odd"]),
    st.floats(0, 1, exclude_max=True),
    VALUES,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every value within nested mappings and lists, by what holds it and where."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *places(node[key]))]


def mutate(folder: Path, name: str, kind: str, share: float, value: Any) -> None:
    """Damage one file of a run."""
    file = folder / name
    if not file.is_file() or file.stat().st_size > 1 << 20:  # made odd before
        return
    content = file.read_bytes()
    at = int(share * len(content))
    if kind in ("node", "key"):
        try:
            tree = read_config(folder) if name == "config.yaml" else json.loads(content)
        except (ValueError, yaml.YAMLError):
            return
        if every := places(tree):
            holder, key = every[int(share * len(every))]
            if kind == "key" and isinstance(holder, dict):
                holder[str(value)] = holder.pop(key)
            else:
                holder[key] = value
        text = yaml.dump(tree) if name == "config.yaml" else json.dumps(tree)
        file.write_bytes(text.encode(errors="surrogatepass"))
    elif kind == "bytes":
        file.write_bytes(content[:at] + str(value).encode(errors="surrogatepass")[:4] + content[at + 1 :])
    elif kind == "cut":
        file.write_bytes(content[:at])
    else:
        file.unlink()
        if kind == "odd":
            BROKEN[int(share * 6)](file)


def check_run(folder: Path) -> None:
    run = read_run(folder)
    assert run.status in STATES
    names = (run.dataset, run.quant, run.path, run.reason, *run.unreadable, *run.metrics, *run.settings.values())
    assert [name for name in names if one_line(name) != name] == []
    first = gather([folder.parent])
    assert gather([folder.parent]) == first, "from the index, too"
    forms = say(summarise([folder.parent]))
    data_of(forms["page"])
    for form in ("screen", "markdown", "cells", "runs", "latex"):
        assert [line for line in forms.get(form, "").split("\n") if one_line(line) != line] == [], form


@settings(max_examples=20)
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_whatever_a_run_holds_it_is_read_and_reported(changes: list[tuple[str, str, float, Any]]) -> None:
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(REAL / "schema3", Path(root) / "bad")
        shutil.copytree(REAL / "schema3", Path(root) / "good")
        for each in changes:
            mutate(Path(root) / "bad", *each)
        check_run(Path(root) / "bad")
