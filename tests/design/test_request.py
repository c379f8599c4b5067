"""What the command line says, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.refusal import assert_names, refused

from qsense.design.request import BITS, KEEP, read
from qsense.experiment.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import Command


def test_defaults() -> None:
    asked = read([])
    assert (asked.max_loss, asked.max_microwatts, asked.hours) == (1.0, None, None)
    assert (asked.bits, asked.keep, asked.workers) == (BITS, KEEP, None)
    assert (asked.only, asked.overrides, asked.dry_run) == ((), (), False)
    assert asked.out == Path("design")


def test_all_keys_are_read(tmp_path: Path) -> None:
    asked = read(["max_loss=0", "max_uW=20", "bits=4,1,2,1", "hours=.5", "keep=2", "workers=3", "dry_run=True",
                  "quant=dpcm,log", f"out={tmp_path}", "data=sbhar", "seed=0,1", "trainer.max_epochs=3"])  # fmt: skip
    assert (asked.max_loss, asked.max_microwatts, asked.hours) == (0.0, 20.0, 0.5)
    assert (asked.bits, asked.keep, asked.workers, asked.dry_run) == ((1, 2, 4), 2, 3, True)
    assert asked.only == ("dpcm", "log")
    assert asked.out == tmp_path
    assert asked.overrides == ("data=sbhar", "seed=0,1", "trainer.max_epochs=3")


def test_power_alone_asks_for_the_least_loss() -> None:
    assert read(["max_uW=5"]).max_loss is None
    assert read(["max_uW=5", "max_loss=2"]).max_loss == 2.0


KEYS = ("max_loss", "max_uW", "bits", "hours", "keep", "workers", "out", "dry_run")


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("sbhar", ("sbhar", "key=value", *KEYS)),
        ("maxloss=1", ("maxloss", "max_loss", *KEYS)),
        ("max_uw=1", ("max_uw", "max_uW", *KEYS)),
        ("budget=1", ("budget", *KEYS)),
        ("max_loss=-1", ("max_loss=-1", 0)),
        ("max_loss=nan", ("max_loss=nan", 0)),
        ("max_loss=little", ("max_loss=little", 0)),
        ("max_uW=0", ("max_uW=0", 0)),
        ("max_uW=", ("max_uW=",)),
        ("bits=0", ("bits=0", 1, 16, "bits=1,2,3,4")),
        ("bits=17", ("bits=17", 1, 16)),
        ("bits=", ("bits=", 1, 16)),
        ("bits=2.5", ("bits=2.5", 1, 16)),
        ("hours=0", ("hours=0", 0)),
        ("hours=inf", ("hours=inf", 0)),
        ("keep=0", ("keep=0", 1)),
        ("workers=0", ("workers=0", 1)),
        ("workers=all", ("workers=all", 1)),
        ("dry_run=maybe", ("dry_run=maybe", "true", "false")),
        ("run.dry_run=maybe", ("dry_run=maybe", "true", "false")),
        ("out=/dev/null", ("out=/dev/null",)),
        ("quant.sensor.lr=0.1", ("quant.sensor.lr=0.1", "quant=lloyd_max,dpcm")),
        ("quant/network=fat", ("quant/network=fat", "quant=lloyd_max,dpcm")),
        ("network_bits=4", ("network_bits=4", "quant=lloyd_max,dpcm")),
        ("hydra/launcher=slurm", ("hydra/launcher=slurm", "workers=N", "runs", "out")),
    ],
)
def test_mistakes_are_named(argument: str, named: tuple[object, ...]) -> None:
    with refused(ConfigError, *named) as caught:
        read([argument])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["max_uW=1"], ("max_uW=1", 1, "2.71")),
        (["task=classification", "data=digits"], ("fold", "data=digits")),
        (["fold=2"], ("fold", 2)),
        (["data=nowhere"], ("data=nowhere", "synthetic_imu")),
        (["nonsense=1"], ("nonsense", *KEYS)),
        (["quant=lloyd"], ("quant=lloyd", "lloyd_max")),
        (["quant=none"], ("quant=none", "lloyd_max")),
        (["data.window=50,25"], ("data.window",)),
        (["quant=adpcm", "bits=9"], ("bits", "ADPCM")),
        (["~sensing"], ("~sensing", "sensing=ble")),
    ],
)
def test_what_cannot_be_is_said_before_anything_heavy(
    light_command: Command, arguments: list[str], named: tuple[object, ...], tmp_path: Path
) -> None:
    done = light_command("qsense", "design", *arguments)
    assert done.code == 1, done.out
    assert_names(done.err, *named)
    assert not done.heavy
    assert not list(tmp_path.iterdir())


def test_help_names_every_key(light_command: Command) -> None:
    done = light_command("qsense", "design", "--help")
    assert done.code == 0
    assert_names(done.out, *KEYS)
    assert max(map(len, done.out.splitlines())) <= 120
    assert not done.heavy
