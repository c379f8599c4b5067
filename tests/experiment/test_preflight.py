"""One batch before a sweep: it leaves nothing behind, and stops everything where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.quick import NO_PICTURES
from tests.refusal import assert_names

from qsense.experiment.schema import config_folder

if TYPE_CHECKING:
    from tests.conftest import Command

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
SMALL += ["model.hidden=8", "trainer.max_epochs=1", "fold=0", "seed=0", *NO_PICTURES]


def test_a_failed_preflight_starts_nothing(command: Command, tmp_path: Path) -> None:
    options = [*SMALL, "task=detection", "data=synthetic_raw", "data.train_sizes=[1]", "data.test_size=1"]
    options = [option for option in options if not option.startswith(("data.dataset", "model"))]
    done = command("qsense.train", "-m", *options, "run.preflight=true", "bits=2,3")
    assert done.code == 1
    assert_names(done.err.partition("error: ")[2], "preflight", "train_sizes=[1]", 32)
    assert len(done.err.splitlines()) < 40
    assert not list((tmp_path / "runs").glob("*/"))


def test_one_that_passes_leaves_nothing_and_finds_the_users_own_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "own" / "quant").mkdir(parents=True)
    text = (config_folder() / "quant" / "linear.yaml").read_text()
    (tmp_path / "own" / "quant" / "mine.yaml").write_text(text)
    options = [*SMALL, "quant=mine", "run.preflight=true", "trainer=smoke", "logger=[csv]", "bits=2,3"]
    done = command("qsense.train", "--config-dir", "own", "-m", *options)
    assert done.code == 0, done.err
    assert_names(done.out, "preflight", "passed")
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 2
    assert {file.name for file in tmp_path.iterdir()} <= {"own", "runs", "cache"}


def test_a_single_run_has_one_too(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", *SMALL, "run.preflight=true", "trainer=smoke", "logger=none")
    assert done.code == 0, done.err
    assert done.out.index("preflight: passed") < done.out.index("runs/synthetic_imu")


def test_a_dry_run_tells_and_trains_nothing(command: Command, light_command: Command, tmp_path: Path) -> None:
    options = [*SMALL, "trainer=smoke", "logger=none"]
    done = light_command("qsense.train", *options, "run.dry_run=true")
    assert done.code == 0, done.err
    assert "to do: " in done.out
    assert not done.heavy
    assert not list((tmp_path / "runs").iterdir())
    assert command("qsense.train", *options, "bits=2").code == 0
    done = light_command("qsense.train", "-m", *options, "bits=2,3", "run.dry_run=all")
    assert "2 runs: 1 finished, 1 to do" in done.out
    assert_names(done.out, "about", "of one worker's time, by the finished run")
    assert [line.split() for line in done.out.splitlines()[1:3]] == [
        ["gamma", "2", "bit", "1", "·"],
        ["gamma", "3", "bit", "·", "1"],
    ]
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines if "synthetic_imu-gamma" in line] == ["finished", "to"]


def test_where_nothing_is_finished_a_dry_run_times_a_few_batches(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense.train", "-m", *SMALL, "bits=2,3", "trainer.max_epochs=3", "dry_run")
    assert done.code == 0, done.err
    assert_names(done.out, "2 runs: 0 finished, 2 to do", "about", "a few batches, timed here")
    assert not list((tmp_path / "runs").glob("*/"))


def test_what_a_dry_run_may_be_is_named(light_command: Command) -> None:
    done = light_command("qsense.train", "run.dry_run=some")
    assert done.code == 1
    assert_names(done.err, "run.dry_run=some", "true", "all", "false")
    assert done.err.startswith("error: ")  # and no line of Hydra's before it
