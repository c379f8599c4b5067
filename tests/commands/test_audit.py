"""The audit's command: which runs it has, what it refuses, what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.core.global_hydra import GlobalHydra
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused
from tests.study_folders import make_run

from qsense.commands.audit import audit, options
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids import sweeping
from qsense.experiment.grids.grid import plan
from qsense.study.audit.audited import compare, lines
from qsense.study.audit.files import write_audit
from qsense.study.audit.plan import Group, collect, describe, plan_audit
from qsense.study.writing import UNWRITTEN

if TYPE_CHECKING:
    from tests.conftest import Command

FEW = ["fold=0,1", "seed=0,1", "bits=2"]
ASKED = [*FEW, "quant=gamma", "quant.sensor.lr=0.01", "gammas=0.2,0.6", "mus=0", "baselines=linear"]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    GlobalHydra.instance().clear()


def names(groups: Sequence[Group], kind: str) -> set[str]:
    return {folder.name for group in groups if group.kind == kind for folder in group.folders.values()}


def sweep(*overrides: str) -> set[str]:
    return {folder.name for folder in plan(overrides)[0].values()}


def finish(groups: Sequence[Group], skip: str = "") -> None:
    """Every run's result, as if it had been trained: learned 0.5, fixed by its γ, baselines 0.3."""
    for group in groups:
        for job, folder in group.folders.items():
            said = {key_of(entry): entry.partition("=")[2] for entry in job}
            gamma = float(said.get("quant.sensor.gamma", 0))
            score = {"learned": 0.5, "fixed": 0.4 + gamma / 10, "baseline": 0.3}[group.kind]
            seed, fold = int(said["seed"]), int(said["fold"])
            if group.kind != skip:
                make_run(
                    folder.parent, score + 0.01 * (seed == fold), said["quant"], seed=seed, fold=fold, name=folder.name
                )


def finished(root: Path, skip: str = "") -> list[Group]:
    """The groups of such an audit, made by hand, which takes no configuration; their runs are finished."""
    quantizers = {
        "learned": ["quant=gamma"], "baseline": ["quant=linear"],
        "fixed": ["quant=gamma quant.sensor.gamma=0.2", "quant=gamma quant.sensor.gamma=0.6"],
    }  # fmt: skip
    groups = []
    for kind, several in quantizers.items():
        jobs = [(*one.split(), f"seed={seed}", f"fold={fold}") for one in several for seed in (0, 1) for fold in (0, 1)]
        folders = {job: root / "runs" / f"{kind}{number}" for number, job in enumerate(jobs)}
        groups.append(Group(kind, tuple(several), folders))  # type: ignore[arg-type]
    finish(groups, skip)
    return groups


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


# ---------------------------------------------------------------------------------------------------------- which runs


def test_runs_are_those_of_ordinary_sweeps_so_that_studies_share_them() -> None:
    groups = plan_audit(options(ASKED))
    assert names(groups, "learned") == sweep(*FEW, "quant=gamma", "quant.sensor.lr=0.01")
    assert names(groups, "fixed") == sweep(*FEW, "experiment=fixed_gamma", "quant.sensor.gamma=0.2,0.6")
    assert names(groups, "baseline") == sweep(*FEW, "quant=linear")


def test_the_grid_has_centres_for_signed_signals_only() -> None:
    assert len(names(plan_audit(options([*FEW, "gammas=0.2", "mus=-0.1,0,0.1"])), "fixed")) == 3 * 4
    raw = ["task=detection", "seed=0", "gammas=0.2,0.6"]
    assert len(names(plan_audit(options(raw)), "fixed")) == 2
    with refused(ConfigError, "mus", "unsigned"):
        plan_audit(options([*raw, "mus=0.1"]))


def test_what_an_experiment_says_of_the_learned_curve_is_not_of_the_others() -> None:
    few = ["data.dataset.regime=hdr_low", "seed=0", "bits=4", "rounding=floor"]
    groups = plan_audit(options(["experiment=raw_gamma", *few, "gammas=0.35", "baselines=linear"]))
    assert names(groups, "learned") == sweep("experiment=raw_gamma", *few)
    plain = ["task=detection", *few]
    assert names(groups, "fixed") == sweep(*plain, "quant=gamma", "quant.sensor.gamma=0.35", "quant.sensor.lr=0")
    assert names(groups, "baseline") == sweep(*plain, "quant=linear")


def test_beside_a_quantized_network_the_grid_has_the_same() -> None:
    groups = plan_audit(options([*FEW, "quant=gamma_fat", "network_bits=4", "gammas=0.2", "mus=0"]))
    assert names(groups, "fixed") == sweep(
        *FEW, "quant=gamma_fat", "network_bits=4", "quant.sensor.lr=0", "quant.sensor.gamma=0.2"
    )


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            ["gamma"],
            ("gamma", "key=value", "gammas, mus, baselines, gradients, out, dry_run"),
        ),
        (["gammas=abc"], ("gammas=abc", "gammas=0.2,0.4,0.7")),
        (["gammas=0.2,0"], ("gammas=0.2,0", "gammas=0.2,0.4,0.7")),
        (["gammas="], ("gammas=", "gammas=0.2,0.4,0.7")),
        (["mus=2"], ("mus=2", -1, 1)),
        (["gradients=many"], ("gradients=many", 0)),
        (["dry_run=maybe"], ("dry_run=maybe", "true", "false")),
        (["gamas=0.1"], ("gamas", "gammas", "gammas, mus, baselines, gradients, out, dry_run")),
    ],
)
def test_arguments_of_its_own_are_checked(arguments: list[str], named: tuple[object, ...]) -> None:
    with refused(ConfigError, *named):
        options(arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["quant=linear"], ("Linear", "baselines=…", "gamma, gamma_fat", "thresholds")),
        (["quant=fat"], ("Identity", "baselines=…", "gamma, gamma_fat")),
        (["quant.sensor.lr=0"], ("quant.sensor.lr=0", "gammas=…")),
        (
            ["bits=2,4"],
            ("bits",),
        ),
        (["data=synthetic_imu", "data.window=50,25"], ("data.window",)),
        (["bits=77"], ("bits=77", 1, 16)),
    ],
)
def test_what_cannot_be_audited_is_refused_before_anything_starts(
    arguments: list[str], named: tuple[object, ...], tmp_path: Path
) -> None:
    with refused(ConfigError, *named):
        plan_audit(options(["seed=0", "fold=0", *arguments]))
    assert not list(tmp_path.iterdir())


def test_the_command_line_answers_mistakes_quickly_and_in_few_lines(light_command: Command) -> None:
    for arguments, named in (
        (["data=nowhere"], ("data=nowhere", "synthetic_imu")),
        (["baselines=nothing", "seed=0", "fold=0", "gammas=0.4", "mus=0"], ("quant=nothing", "gamma")),
    ):
        done = light_command("qsense", "audit", *arguments)
        assert done.code == 1
        assert_names(done.err, *named)
        assert len(done.err.splitlines()) < 12
        assert not done.heavy
    done = light_command("qsense", "audit", "--help")
    assert done.code == 0
    assert "gammas=" in done.out
    assert not done.heavy


# -------------------------------------------------------------------------------------------------------------- results


@pytest.mark.parametrize("asked", ["dry_run=true", "run.dry_run=true"])
def test_a_dry_run_counts_and_estimates_and_starts_nothing(light_command: Command, tmp_path: Path, asked: str) -> None:
    done = light_command("qsense", "audit", *ASKED, asked)
    assert done.code == 0, done.err
    assert "learned   4 runs: 0 finished, 4 to do" in done.out
    assert "fixed     8 runs: 0 finished, 8 to do" in done.out
    assert "16 runs to do; how long they take is known once one is finished" in done.out
    assert "dry_run" not in done.err  # what comes next trains
    assert not done.heavy
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "audit").exists()


def test_what_is_finished_tells_how_long_the_rest_takes(tmp_path: Path) -> None:
    groups = finished(tmp_path, skip="fixed")
    for group in groups:
        for folder in group.folders.values():
            if folder.exists():
                (folder / "run.json").write_text(json.dumps({"started": [100.0], "ended": 130.0}))
    assert "8 runs to do, about 4 min of one worker's time" in describe(groups)


def test_finished_runs_are_audited_without_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    finish(plan_audit(options(ASKED)))
    assert audit([*ASKED, "gradients=0", "out=found"]) == 0
    out = capsys.readouterr().out
    assert "| γ 0.6 | **46.50 ± 0.00** |" in out
    assert "- gamma: better" in out
    assert "Written to found: audit.md, audit.csv, audit.json, audit.png" in out
    content = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert [(each["kind"], each["name"]) for each in content["quantizers"]] == [
        ("learned", "gamma"), ("fixed", "γ 0.2"), ("fixed", "γ 0.6"), ("baseline", "linear"),
    ]  # fmt: skip
    assert content["gradients"] is None


def test_a_failed_run_costs_the_exit_code_and_not_the_audit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("qsense.commands.audit.plan_audit", lambda _: finished(tmp_path, skip="baseline"))
    asked = []

    def fail(overrides: Sequence[str], *_: object) -> int:
        asked.append(overrides)
        return 1

    monkeypatch.setattr(sweeping, "complete", fail)
    assert audit([*ASKED, "gradients=0"]) == 1
    (overrides,) = asked  # of the group that is not finished
    assert "quant=linear" in overrides
    said = capsys.readouterr()
    assert "- gamma: better" in said.out
    assert_names(said.err, "error")


@pytest.mark.parametrize("name", ["file", "file/deeper", "nowhere", "nowhere/deeper"])
def test_an_unusable_folder_is_said_before_anything_is_planned(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("qsense.commands.audit.plan_audit", lambda *_: pytest.fail("runs were planned"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    with refused(ConfigError, f"out={name}", name.split("/")[0]):
        audit([*ASKED, f"out={name}"])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("broken", "lost"),
    [("_picture", {"audit.png"}), ("_csv", {"audit.csv"}), ("_json", {"audit.json"}), ("lines", {"audit.md"})],
)
def test_a_file_that_fails_costs_no_other(
    broken: str, lost: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("qsense.commands.audit.plan_audit", lambda _: finished(tmp_path))
    monkeypatch.setattr(f"qsense.study.audit.files.{broken}", full_disk)
    assert audit([*ASKED, "gradients=0"]) == UNWRITTEN
    said = capsys.readouterr()
    assert "- gamma: better" in said.out
    files = {"audit.md", "audit.csv", "audit.json", "audit.png"} - lost
    assert {file.name for file in (tmp_path / "audit").iterdir()} == files
    assert_names(said.err, "warning", *lost, "No space left on device", "out=FOLDER")


def test_a_failed_run_is_said_where_no_file_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("qsense.commands.audit.plan_audit", lambda _: finished(tmp_path, skip="baseline"))
    monkeypatch.setattr(sweeping, "complete", lambda *_: 1)
    for name in ("_picture", "_csv", "_json", "lines"):
        monkeypatch.setattr(f"qsense.study.audit.files.{name}", full_disk)
    assert audit([*ASKED, "gradients=0"]) == UNWRITTEN
    said = capsys.readouterr()
    assert "Written to" not in said.out
    assert_names(said.err, "error", "not every run is finished", "warning", "audit.md", "audit.png")


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("metrics.json", "{", "no JSON"),
        ("metrics.json", "", "empty"),
        ("run.json", "[]", "mapping"),
        ("config.yaml", "a: [", "no YAML"),
        ("learned.csv", "epoch,gamma_0\n0,0.4\n1,nan\n", "line 3, gamma_0=nan"),
        ("learned.csv", "epoch,gamma_0\n0,0.4,7\n", "line 2"),
        ("learned.csv", "epoch,<b>\n0,x\n", "&lt;b&gt;=x"),
    ],
)
def test_files_that_cannot_be_read_are_listed(
    file: str, content: str, named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    groups = finished(tmp_path)
    folder = next(iter(groups[0].folders.values()))
    (folder / file).write_text(content)
    audited = compare(collect(groups))
    (line,) = audited.unreadable
    assert_names(line, folder.name, file)
    text = "\n".join(lines(audited))
    assert_names(text[text.index("Could not be read:") :], named)
    write_audit(audited, tmp_path / "out")
    assert named in (tmp_path / "out" / "audit.md").read_text()
    assert ("Runs are missing: gamma (3 of 4)" in text) == (file == "metrics.json")


def test_without_a_learned_run_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with refused(ConfigError, "failed.txt", "learned0"):
        collect(finished(tmp_path, skip="learned"))


@pytest.mark.slow
def test_a_whole_audit_of_tiny_networks(command: Command, tmp_path: Path) -> None:
    small = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
    small += ["model.hidden=8", "logger=none", "callback.progress=null", *NO_PICTURES]
    own = [entry for entry in ASKED if entry != "fold=0,1"]
    asked = [*small, "trainer.max_epochs=1", *own, "fold=0", "gradients=60"]
    done = command("qsense", "audit", *asked)
    assert done.code == 0, done.err
    text = (tmp_path / "audit" / "audit.md").read_text()
    for said in ("| gamma ", "| linear (baseline) ", "gamma_0", "| ste ", "| noise "):
        assert said in text
    assert "nan" not in text  # a single batch has no sure sign, so no ratio
    assert (tmp_path / "audit" / "gradients.png").read_bytes().startswith(b"\x89PNG")
    again = command("qsense", "audit", *asked)
    assert again.code == 0
    assert "learned   2 runs: 2 finished" in again.out
    assert "to do" not in again.out
    assert (tmp_path / "audit" / "audit.md").read_text() == text
