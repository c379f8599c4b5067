"""The command `qsense`: its help, what it knows of its subcommands, completion, errors, what comes next."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.refusal import assert_names

from qsense import __version__
from qsense.__main__ import command as module
from qsense.__main__ import commands, entry_point, main
from qsense.commands._parser import Parser
from qsense.experiment import errors
from qsense.experiment.grids.sweep_files import packaged
from qsense.runs.next_steps import PART, say_next

if TYPE_CHECKING:
    from tests.conftest import Command

NAMES = list(commands())
KNOWN = {
    "train",
    "sweep",
    "folds",
    "evaluate",
    "freeze",
    "export",
    "report",
    "audit",
    "design",
    "scenes",
    "visibility",
    "sync",
    "stream",
}
HEAVY = "{'hydra', 'omegaconf', 'torch', 'lightning', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)"

UNTIMED = "run.preflight=false"  # a dry run counts, and takes no second


def python(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def shells(tmp_path: Path) -> dict[str, str]:
    """An environment where `qsense` is a command and runs/ a folder."""
    script = tmp_path / "bin" / "qsense"
    script.parent.mkdir()
    program = "import sys\nfrom qsense.__main__ import main\nsys.exit(main())\n"
    script.write_text(f"#!{sys.executable}\n{program}")
    script.chmod(0o755)
    (tmp_path / "runs").mkdir()
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def test_help_lists_every_command_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(NAMES) >= KNOWN
    assert main([]) == main(["--help"]) == main(["-h"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for name, line in commands().items():
        assert re.search(rf"^  {name} +{re.escape(line.split()[0])}", said, re.MULTILINE)
        assert f" {name} {line} " in " ".join(said.split())
        assert 0 < len(line) <= 90
    assert 'eval "$(qsense completion bash)"' in said


def test_help_imports_nothing_heavy() -> None:
    assert python(f"import sys; from qsense.__main__ import main; main(['--help']); print({HEAVY})").endswith("set()\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "qsense", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_version(command: Command) -> None:
    assert command("qsense", "--version").out == f"qsense {__version__}\n"


def test_an_unknown_command_names_the_nearest_and_all(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["exprot"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert_names(said, "did you mean export")
    assert set(re.split(r"\W+", said)) >= KNOWN
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["exprot"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 80, "on a terminal"
    assert " ".join(map(str.strip, lines)) == said
    assert main(["xyz"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_parser_knows_its_name_and_needs_nothing_heavy(name: str) -> None:
    program = "import sys; from qsense.__main__ import command\n"
    program += f"print(command({name!r}).parser().prog, {{'torch', 'lightning', 'pandas'}} & set(sys.modules))"
    assert python(program) == f"qsense {name} set()\n"


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"train"}))
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: qsense {name}")


def test_an_interrupted_command_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr("qsense.__main__.main", interrupted)
    assert entry_point() == 130
    assert capsys.readouterr().err == "interrupted\n"
    with pytest.raises(SystemExit) as ended:
        errors.run(interrupted)
    assert ended.value.code == 130
    assert_names(capsys.readouterr().err, "interrupted", "the same command")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(KeyboardInterrupt):
        entry_point()
    with pytest.raises(KeyboardInterrupt):
        errors.run(interrupted)


def test_errors_are_a_line_and_a_traceback_only_if_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert main(["evaluate", "nowhere"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert_names(said, "nowhere", "metrics.json")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):
        main(["evaluate", "nowhere"])


def test_a_mistake_in_the_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise KeyError("mistake")

    monkeypatch.setattr(module("sync"), "main", broken)
    with pytest.raises(KeyError):
        main(["sync"])


def test_train_is_the_same_program(light_command: Command) -> None:
    for arguments in (["--cfg", "job"], ["bits=99"], ["run.dry_run=true", "trainer=smoke"], ["--hlp"]):
        one, other = (light_command(*program, *arguments) for program in (["qsense", "train"], ["qsense.train"]))
        assert one.code == other.code
        assert one.err == other.err
        without_times = [re.sub(r"^\d\d:\d\d:\d\d ", "", done.out, flags=re.MULTILINE) for done in (one, other)]
        assert without_times[0] == without_times[1]


def test_sweeps_are_listed_and_named(light_command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep"]) == main(["sweep", "--list"]) == 0
    said = capsys.readouterr().out
    for name, title in packaged().items():
        assert f"{name} " in said
        assert title in said
    assert main(["sweep", "gamma_quant_tabel2"]) == 1
    assert "did you mean gamma_quant_table2?" in capsys.readouterr().err
    done = light_command("qsense", "sweep", "gamma_quant_table2", "data=synthetic_imu", "dry_run", UNTIMED, "bits=2")
    assert done.code == 0, done.err
    assert "gamma_quant_har" in done.err
    assert "72 runs: 0 finished, 72 to do" in done.out  # 6 folds × 3 seeds × 4 quantizers
    assert not done.heavy


ASKED = {
    "qsense ev": ["evaluate"],
    "qsense export --full-scale-": ["--full-scale-volts"],
    "qsense completion z": ["zsh"],
    "qsense train quant=gamma_f": ["quant=gamma_fat"],
    "qsense train -m quant=gamma quant.sensor.sur": ["quant.sensor.surrogate="],
    "qsense audit gam": ["gammas="],
    "qsense audit gammas=0.1 quant=lin": ["quant=linear"],
    "qsense sweep gamma_quant_s": ["gamma_quant_srgb"],
    "qsense sweep gamma_quant_table2 data=sb": ["data=sbhar"],
    "qsense folds bits=2 task=h": ["task=har"],
    "qsense report ru": ["runs/"],
}
# What a shell makes of a line: dashes, dots, an equals sign, files. What qsense answers has been asked in Bash.
OF_SHELLS = ["qsense export --full-scale-", "qsense train quant=gamma_f", "qsense report ru"]
OF_SHELLS += ["qsense train -m quant=gamma quant.sensor.sur", "qsense audit gammas=0.1 quant=lin"]
BASH = """
eval "$(qsense completion bash)"
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
while read -r COMP_LINE; do
  COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMPREPLY=()
  _python_argcomplete qsense
  echo "${COMPREPLY[@]}"
done"""
# zsh offers words only to a terminal: what it would describe is printed instead.
ZSH = r"""
autoload -Uz compinit is-at-least && compinit -u -D
eval "$(qsense completion zsh)"
_describe() { print -r -- "${(@)${(P)2}%%:*}" }
while read -r BUFFER; do
  CURSOR=${#BUFFER} words=(${(z)BUFFER})
  ${_comps[qsense]}
done"""
FISH = """
qsense completion fish | source
while read line
  echo (complete -C $line | string split -f1 \\t)
end"""


@pytest.mark.parametrize(("shell", "program"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_shells_complete_commands_options_and_settings(
    shells: dict[str, str], tmp_path: Path, shell: str, program: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    plain = {"zsh": ["-f"], "bash": ["--norc"], "fish": ["--no-config"]}[shell]
    asked = ASKED if shell == "bash" else {line: ASKED[line] for line in OF_SHELLS}
    done = subprocess.run(
        [shell, *plain, "-c", program], env=shells, cwd=tmp_path, capture_output=True, text=True, timeout=300,
        input="".join(f"{line}\n" for line in asked),
    )  # fmt: skip
    assert done.stdout.splitlines() == [" ".join(words) for words in asked.values()], done.stderr


def pasted(text: str) -> list[list[str]]:
    """The commands that a text says come next, as a shell takes them apart."""
    (block,) = re.findall(r"^next: .*(?:\n      .*)*", text.replace("\\\n", ""), re.MULTILINE)
    lines = [shlex.split(line[6:], comments=True) for line in block.splitlines()]
    commands = [words for words in lines if words]  # else it is a comment below one
    assert 1 <= len(commands) <= 3
    return commands


def parse(words: list[str]) -> None:
    """Fail unless a command line is one of qsense's."""
    assert words[0] == "qsense"
    module(words[1]).parser().parse_args(words[2:])


def test_what_comes_next_can_be_pasted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PART, raising=False)
    odd = tmp_path / "a folder"
    say_next(*[(("report", odd, "--html", "it's"), "look")] * 4)
    said = capsys.readouterr()
    assert said.out == ""  # which a program may read
    assert pasted(said.err) == [["qsense", "report", str(odd), "--html", "it's"]] * 3
    say_next((("report", "$(touch x)`id`"), "pictures are in a\ntouch x\r\x1b[2K"))
    said = capsys.readouterr()
    assert pasted(said.err) == [["qsense", "report", "$(touch x)`id`"]]
    assert len(said.err.splitlines()) == 1, "what a folder is called is no second command"
    monkeypatch.setenv(PART, "folds")
    say_next((("report",), "look"))
    assert capsys.readouterr().err == ""


def test_what_comes_next_fits_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PART, raising=False)
    steps = ((("export", "runs/a"), "tables"), (("report", "runs"), "beside other runs"))
    monkeypatch.setenv("COLUMNS", "80")
    say_next(*steps)
    assert capsys.readouterr().err == (
        "next: qsense export runs/a  # tables\n      qsense report runs    # beside other runs\n"
    )
    monkeypatch.setenv("COLUMNS", "40")
    say_next(*steps)
    said = capsys.readouterr().err
    assert said == (
        "next: qsense export runs/a\n        # tables\n      qsense report runs\n        # beside other runs\n"
    )
    assert pasted(said) == [["qsense", "export", "runs/a"], ["qsense", "report", "runs"]]


def test_a_command_wider_than_the_terminal_goes_on_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PART, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    words = ["export", "runs/a b", "format=firmware", "--majority=3", "--check"]
    say_next((words, "a C99 program"))
    said = capsys.readouterr().err
    assert max(map(len, said.splitlines())) <= 40
    assert pasted(said) == [["qsense", *words]]


def test_every_command_says_what_comes_next(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["task=classification", "quant=gamma_fat", "bits=2", "network_bits=4", "trainer=smoke", "logger=none"]
    small += ["callback=[]"]
    done = command("qsense", "train", *small)
    (run,) = (tmp_path / "runs").iterdir()
    assert {words[1] for words in pasted(done.err)} == {"export", "freeze", "report"}
    texts = [done.err]
    asked = command("qsense.train", *small, "seed=7", "run.dry_run=true")  # its last line says where the run stands
    assert "next:" not in asked.err
    for arguments in ([*small, "seed=0", "-m"], ["run.dry_run=true", UNTIMED, "-m"]):
        done = command("qsense.train", *arguments)
        assert done.code == 0, done.err
        texts.append(done.err)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PART, raising=False)
    for arguments in (
        ["folds", *small, "seed=0"],
        ["sweep"],
        ["evaluate", str(run)],
        ["freeze", str(run)],
        ["export", str(run), "format=json,c"],
        ["report", "runs"],
        ["report", "runs", "--figure", "list"],
        ["scenes", "--data", "synthetic_raw", "--bits", "2", "--gammas", "0.5"],
        ["visibility", "--regimes", "high_key", "--frames", "2"],
        ["sync", "runs"],
        ["audit", "data=synthetic_imu", "bits=2", "gammas=0.4", "mus=0", "fold=0", "seed=0", "dry_run=true"],
    ):
        assert main(arguments) == 0
        texts.append(capsys.readouterr().err)
    for text in texts:
        for words in pasted(text):
            parse(words)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["export", "RUN", "--cheek"], ["did you mean --check"]),
        (["export", "RUN", "formt=c"], ["did you mean --format"]),
        (["export", "RUN", "--coding", "ofset"], ["ofset", "did you mean offset", "twos_complement"]),
        (["data", "chek", "files"], ["chek", "did you mean check", "import"]),
    ],
)
def test_a_mistyped_option_is_answered_by_its_name(
    typed: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(typed)
    assert_names(capsys.readouterr().err, *named)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_knows_what_was_meant(name: str) -> None:
    assert isinstance(module(name).parser(), Parser)
