"""The audit's command: which runs it has, what it refuses, what it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.core.global_hydra import GlobalHydra
from tests.study_folders import make_run

from qsense.commands import folds
from qsense.commands.audit import Group, audit, collect, describe, options, plan
from qsense.experiment.errors import ConfigError
from qsense.experiment.overrides import key_of

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
    return {folder.name for folder in folds.plan(overrides)[0].values()}


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


# ---------------------------------------------------------------------------------------------------------- which runs


def test_runs_are_those_of_ordinary_sweeps_so_that_studies_share_them() -> None:
    groups = plan(options(ASKED))
    assert names(groups, "learned") == sweep(*FEW, "quant=gamma", "quant.sensor.lr=0.01")
    assert names(groups, "fixed") == sweep(*FEW, "experiment=fixed_gamma", "quant.sensor.gamma=0.2,0.6")
    assert names(groups, "baseline") == sweep(*FEW, "quant=linear")


def test_the_grid_has_centres_for_signed_signals_only() -> None:
    assert len(names(plan(options([*FEW, "gammas=0.2,0.6", "mus=-0.1,0,0.1"])), "fixed")) == 2 * 3 * 4
    raw = ["task=detection", "seed=0", "gammas=0.2,0.6"]
    assert len(names(plan(options(raw)), "fixed")) == 2
    with pytest.raises(ConfigError, match="this signal is unsigned, so its curves have no centre; leave mus out"):
        plan(options([*raw, "mus=0.1"]))


def test_what_an_experiment_says_about_the_learned_curve_is_not_about_the_others() -> None:
    few = ["data.dataset.regime=hdr_low", "seed=0", "bits=4", "rounding=floor"]
    groups = plan(options(["experiment=raw_gamma", *few, "gammas=0.35", "baselines=linear"]))
    assert names(groups, "learned") == sweep("experiment=raw_gamma", *few)
    plain = ["task=detection", *few]
    assert names(groups, "fixed") == sweep(*plain, "quant=gamma", "quant.sensor.gamma=0.35", "quant.sensor.lr=0")
    assert names(groups, "baseline") == sweep(*plain, "quant=linear")


def test_beside_a_quantized_network_the_grid_has_the_same() -> None:
    groups = plan(options([*FEW, "quant=gamma_fat", "network_bits=4", "gammas=0.2", "mus=0"]))
    assert names(groups, "fixed") == sweep(
        *FEW, "quant=gamma_fat", "network_bits=4", "quant.sensor.lr=0", "quant.sensor.gamma=0.2"
    )


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["gamma"],
            "gamma: an audit takes key=value; its own keys are gammas, mus, baselines, gradients, out, dry_run",
        ),
        (["gammas=abc"], "gammas=abc: exponents of fixed curves, positive numbers as in gammas=0.2,0.4,0.7"),
        (["gammas=0.2,0"], "gammas=0.2,0: exponents of fixed curves, positive"),
        (["gammas="], "gammas=: exponents of fixed curves, positive"),
        (["mus=2"], "mus=2: centres of fixed curves, numbers from -1 to 1"),
        (["gradients=many"], "gradients=many: a number of examples, 0 for no comparison of gradients"),
        (["dry_run=maybe"], "dry_run=maybe: dry_run must be true or false"),
        (["gamas=0.1"], "unknown key gamas (did you mean gammas?); an audit's own keys are gammas, mus"),
    ],
)
def test_arguments_of_its_own_are_checked(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        options(arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quant=linear"], r"Linear learns nothing at the sensor, .* that learn: gamma, gamma_fat, .*thresholds"),
        (["quant=fat"], "Identity learns nothing at the sensor"),
        (["quant.sensor.lr=0"], "quant.sensor.lr=0: this curve stays where it starts; the fixed ones come from gammas"),
        (
            ["bits=2,4"],
            "bits has several values: an audit compares quantizers on one data set, task and number of bits",
        ),
        (["data=synthetic_imu", "data.window=50,25"], "data.window has several values"),
        (["bits=77"], "bits=77: bits must be a whole number from 1 to 16"),
    ],
)
def test_what_cannot_be_audited_is_refused_before_anything_starts(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(options(["seed=0", "fold=0", *arguments]))
    assert not list(tmp_path.iterdir())


def test_the_command_line_answers_mistakes_quickly_and_in_few_lines(light_command: Command) -> None:
    for arguments, said in (
        (["data=nowhere"], "there is no data=nowhere"),
        (["baselines=nothing", "seed=0", "fold=0", "gammas=0.4", "mus=0"], "there is no quant=nothing"),
    ):
        done = light_command("qsense", "audit", *arguments)
        assert done.code == 1
        assert said in done.err
        assert len(done.err.splitlines()) < 12
        assert not done.heavy
    done = light_command("qsense", "audit", "--help")
    assert done.code == 0
    assert "gammas=" in done.out
    assert not done.heavy


# -------------------------------------------------------------------------------------------------------------- results


def test_a_dry_run_counts_and_estimates_and_starts_nothing(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense", "audit", *ASKED, "dry_run=true")
    assert done.code == 0, done.err
    assert "learned   4 runs: 0 finished, 4 to do" in done.out
    assert "fixed     8 runs: 0 finished, 8 to do" in done.out
    assert "16 runs to do; how long they take is known once one is finished" in done.out
    assert not done.heavy
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "audit").exists()


def test_what_is_finished_tells_how_long_the_rest_takes() -> None:
    groups = plan(options(ASKED))
    finish(groups, skip="fixed")
    for group in groups:
        for folder in group.folders.values():
            if folder.exists():
                (folder / "run.json").write_text(json.dumps({"started": [100.0], "ended": 130.0}))
    assert "8 runs to do, about 4 min of one worker's time" in describe(groups)


def test_finished_runs_are_audited_without_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    finish(plan(options(ASKED)))
    assert audit([*ASKED, "gradients=0", "out=found"]) == 0
    out = capsys.readouterr().out
    assert "| γ 0.6 | **46.50 ± 0.00** |" in out
    assert "better than the grid's best" in out
    assert "Written to found: audit.md, audit.csv, audit.json, audit.png" in out
    content = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert [(each["kind"], each["name"]) for each in content["quantizers"]] == [
        ("learned", "gamma"), ("fixed", "γ 0.2"), ("fixed", "γ 0.6"), ("baseline", "linear"),
    ]  # fmt: skip
    assert content["gradients"] is None


def test_a_failed_run_costs_the_exit_code_and_not_the_audit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(plan(options(ASKED)), skip="baseline")
    asked = []

    def fail(overrides: Sequence[str], *_: object) -> int:
        asked.append(overrides)
        return 1

    monkeypatch.setattr(folds, "complete", fail)
    assert audit([*ASKED, "gradients=0"]) == 1
    (overrides,) = asked  # of the group that is not finished
    assert "quant=linear" in overrides
    said = capsys.readouterr()
    assert "better than the grid's best" in said.out
    assert "error: not every run is finished; the same command runs only those again" in said.err


def test_without_a_learned_run_there_is_nothing_to_compare() -> None:
    groups = plan(options(ASKED))
    finish(groups, skip="learned")
    with pytest.raises(ConfigError, match=r"no learned run is finished, .*: failed.txt in .*gamma-2bit-fold00"):
        collect(groups)


@pytest.mark.slow
def test_a_whole_audit_of_tiny_networks(command: Command, tmp_path: Path) -> None:
    small = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
    small += ["model.hidden=8", "logger=none", "callback.progress=null", "callback.figures=null"]
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
