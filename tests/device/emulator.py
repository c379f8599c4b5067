"""Build a program for a board that QEMU emulates, run it there, and read what it measured.

Open it to measure an exported firmware (`run_on`), to add a board, or to see what a count, a size or a depth means.
`boards/` is no part of an export: who has a real board has its maker's own start.

**Instructions.** With `-icount shift=S` each instruction takes 2^S ns of the emulated time, in which the board's timer
ticks. Instructions are no cycles: a Cortex-M4 takes one for most of them, and more for loads, divisions and taken
branches.
**Stack.** The program paints it before each chunk of samples, and looks afterwards how far the paint is gone
(`stack`); the compiler's word on the deepest path is `stack_bound`, which leaves out what its own library takes.
**Sizes.** They are those of the linked sections, so what is never called does not count.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qsense.chip.firmware.reference import Classes

BOARD_FILES = Path(__file__).parent / "boards"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-pedantic")
BARE = ("-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fcallgraph-info=su")
LINKED = ("-nostdlib", "-Wl,--gc-sections", f"-L{BOARD_FILES}")
FAILURES = {90: "a file that it reads is missing", 91: "a file was not written", 92: "its processor met a fault"}
LONGEST_S = 200  # before an emulator is stopped
KINDS = {"text": "code", "rodata": "constants", "srodata": "constants"}
KINDS |= dict.fromkeys(("data", "sdata", "bss", "sbss"), "variables")
STATE = (".bss.state", ".sbss.state")  # what a program of boards/ keeps for a project

WORDS = {"recording": "<i4", "start": "<i4", "winner": "<i4", "margin": "<i4", "majority": "<i4"}
ROW = np.dtype(list((WORDS | {"ticks": "<u4", "longest": "<u4"}).items()))  # `struct row` of row.h
Rows = npt.NDArray[np.void]
Counts = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Board:
    """A board, its emulator and its compiler.

    Args:
        name: as it is asked for; its linker script is boards/NAME.ld.
        core: its processor.
        emulator: the command that starts it.
        tools: how the names of its compiler and linker begin.
        flags: the compiler's for this processor.
        start: the file of `boards/` that starts the processor and reads its timer.
        shift: an instruction takes 2^shift ns.
        tick_ns: a tick of its timer, in ns.
    """

    name: str
    core: str
    emulator: tuple[str, ...]
    tools: str
    flags: tuple[str, ...]
    start: str
    shift: int
    tick_ns: int

    def instructions(self, ticks: Counts) -> npt.NDArray[np.int64]:
        """How many instructions so many ticks are, to ±1 where a tick is not one instruction's time."""
        half = (1 << self.shift) // 2
        return (ticks.astype(np.int64) * self.tick_ns + half) >> self.shift

    @property
    def missing(self) -> list[str]:
        """Programs that it takes and that this machine lacks."""
        return [program for program in (self.emulator[0], f"{self.tools}gcc", "make") if shutil.which(program) is None]


BOARDS = {
    board.name: board
    for board in (
        Board(
            "mps2-an386", "Cortex-M4", ("qemu-system-arm", "-M", "mps2-an386"), "arm-none-eabi-",
            ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-DTIMER=0x40000000"), "cortex_m.c", 6, 40,
        ),
        Board(
            "mps2-an505", "Cortex-M33", ("qemu-system-arm", "-M", "mps2-an505"), "arm-none-eabi-",
            ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft", "-DTIMER=0x50000000"), "cortex_m.c", 6, 50,
        ),
        Board(
            "riscv-virt", "RV32IMC", ("qemu-system-riscv32", "-M", "virt", "-bios", "none"), "riscv64-unknown-elf-",
            ("-march=rv32imc", "-mabi=ilp32"), "riscv.c", 0, 1,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A linked section: of which file, as `.text.NAME` or the like, and its bytes."""

    file: str
    name: str
    size: int

    @property
    def kind(self) -> str:
        """What lies in it, "" where nothing is loaded."""
        return KINDS.get(self.name.split(".")[1], "")


@dataclass(frozen=True)
class Program:
    """A program that a board can run, and beside it all that the compiler left.

    Args:
        board: for which it was compiled.
        elf: the program.
        project: names of the files that are measured, without `.c`; the others are the board's.
    """

    board: Board
    elf: Path
    project: tuple[str, ...] = ()

    @property
    def sections(self) -> list[Section]:
        """What was linked, by the linker's map."""
        text = self.elf.with_suffix(".map").read_text().partition("Linker script and memory map")[2]
        lines = re.findall(r"^ (\.\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$", text, re.MULTILINE)
        found = (Section(_file(path), name, int(size, 16)) for name, size, path in lines)
        return [section for section in found if section.size and section.kind]

    @property
    def flash(self) -> dict[str, dict[str, int]]:
        """Bytes of code and constants, by file; what comes of libraries is `library`."""
        sizes: dict[str, dict[str, int]] = {}
        for section in self.sections:
            library = section.file == "memory" or section.file.endswith(".a")
            if section.kind != "variables" and (library or section.file in self.project):
                of_file = sizes.setdefault("library" if library else section.file, {"code": 0, "constants": 0})
                of_file[section.kind] += section.size
        return sizes

    @property
    def ram(self) -> int:
        """Bytes of variables: what a user sets aside (`qs_state`), and what the project keeps beside it."""
        variables = [section for section in self.sections if section.kind == "variables"]
        return sum(v.size for v in variables if v.file in self.project or v.name in STATE)

    def stack_bound(self, function: str) -> int:
        """Bytes of stack that a function takes with all it calls, on its deepest path.

        Raises:
            ValueError: something calls itself, or takes an amount that the compiler does not know.
        """
        own: dict[str, int] = {}
        calls: dict[str, set[str]] = defaultdict(set)
        for graph in self.elf.parent.glob("*.ci"):
            text = graph.read_text()
            for name, size, kind in re.findall(r'node: { title: "([^"]+)" label: "[^"]*?(\d+) bytes \((\w+)', text):
                own[name] = int(size)
                if kind == "dynamic":
                    raise ValueError(f"{name} takes a stack that depends on its arguments")
            for caller, callee in re.findall(r'edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', text):
                calls[caller].add(callee)

        def deepest(name: str, above: tuple[str, ...]) -> int:
            if name in above:
                raise ValueError(f"{name} calls itself: {' → '.join((*above, name))}")
            return own.get(name, 0) + max((deepest(each, (*above, name)) for each in calls[name]), default=0)

        if function not in own:
            raise ValueError(f"no function {function} was compiled")
        return deepest(function, ())


def _file(path: str) -> str:
    """The name of a linked file, of a library's without its member."""
    return Path(path.partition("(")[0]).name.removesuffix(".o")


def build(
    board: Board, main: str, folder: Path, project: Path | None = None, *, optimize: str = "-Os", fast: str = ""
) -> Program:
    """Compile and link a program of `boards/`, and a project by its own Makefile, without any C library.

    Args:
        board: one of `BOARDS`.
        main: the file with `main`.
        folder: for what is compiled; made where there is none.
        project: an exported one.
        optimize: the compiler's option for everything.
        fast: the compiler's option for what a project's Makefile calls FAST.

    Raises:
        RuntimeError: with the compiler's words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    compiler, headers, options = f"{board.tools}gcc", [f"-I{BOARD_FILES}"], [*board.flags, optimize, *BARE]
    parts: list[str] = []
    if project is not None:
        headers += [f"-I{project / 'include'}", f"-I{project / 'src'}"]
        parts = [source.stem for source in sorted((project / "src").glob("*.c"))]
        # A memcpy may become a load, as it does where there is a C library.
        flags = shlex.join([*options, "-fbuiltin", headers[0]])
        _call("make", "-C", project, f"BUILD={folder.resolve()}", f"CC={compiler}", f"CFLAGS={flags}", f"FAST={fast}")
    objects = [folder / f"{part}.o" for part in parts]
    for source in (board.start, "start.c", "semihosting.c", "memory.c", main):
        objects.append(folder / f"{Path(source).stem}.o")
        _call(compiler, *options, *STRICT, *headers, "-c", BOARD_FILES / source, "-o", objects[-1])
    elf = folder / f"{Path(main).stem}.elf"
    linked = [*LINKED, f"-Wl,-Map={elf.with_suffix('.map')}", f"-T{BOARD_FILES / board.name}.ld"]
    _call(compiler, *board.flags, *linked, *objects, "-lgcc", "-o", elf)
    return Program(board, elf, tuple(parts))


def _call(*command: str | Path) -> None:
    """Run a compiler or `make`, to which nothing is handed on of a `make` around this process."""
    surroundings = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, env=surroundings)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def run(program: Program, folder: Path, longest_s: float = LONGEST_S) -> None:
    """Let a board run a program that reads and writes files of this folder, until it ends.

    Raises:
        RuntimeError: it did not end well, or not in time.
    """
    board = program.board
    command = [
        *board.emulator, "-display", "none", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-icount", f"shift={board.shift},sleep=off",
        "-kernel", str(program.elf.resolve()),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=longest_s)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{program.elf.name} on {board.name} was stopped after {longest_s:g} s") from None
    if done.returncode:
        why = FAILURES.get(done.returncode, f"exit status {done.returncode}")
        raise RuntimeError(f"{program.elf.name} on {board.name}: {why}\n{done.stdout}{done.stderr}")


@dataclass(frozen=True, eq=False)
class Measured:
    """What a board made of recordings.

    Args:
        program: that ran.
        rows: one for each class, in order: recording, the window's start, winner, margin, majority; ticks of all pushes
            since the class before, and of the longest.
        stack: bytes that `qs_push` took at most.
    """

    program: Program
    rows: Rows
    stack: int

    @property
    def stack_bound(self) -> int:
        """Bytes that `qs_push` can take, by the compiler."""
        return self.program.stack_bound("qs_push")

    def differing(self, expected: Sequence[Classes]) -> int:
        """Windows whose start, class, margin or majority is another than expected of their recording, or that lack."""
        return sum(_differing(self.rows[self.rows["recording"] == n], each) for n, each in enumerate(expected))

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """Instructions from one class to the next, the pushes of a stride; first classes of recordings are left out."""
        later = np.flatnonzero(np.diff(self.rows["recording"], prepend=-1) == 0)
        return self.program.board.instructions(self.rows["ticks"][later])

    @property
    def longest_push(self) -> int:
        """Instructions of the longest push: that which ends a window."""
        return int(self.program.board.instructions(self.rows["longest"]).max(initial=0))


def _differing(rows: Rows, expected: Classes) -> int:
    """The same of one recording."""
    both = min(len(rows), len(expected.start))
    fields = ("start", "winner", "margin", "majority")
    equal = np.all([rows[field][:both] == getattr(expected, field)[:both] for field in fields], axis=0)
    return max(len(rows), len(expected.start)) - int(equal.sum())


def run_on(
    board: Board, project: Path, recordings: Sequence[Counts], folder: Path, *, optimize: str = "-Os", fast: str = "",
    longest_s: float = LONGEST_S,
) -> Measured:  # fmt: skip
    """Build an exported project for a board and push recordings through it.

    Args:
        board: one of `BOARDS`.
        project: the exported folder.
        recordings: native counts [time, channels] of each, from 0 on.
        folder: for the program and what it reads and writes; made where there is none.
        optimize: as in `build`.
        fast: as in `build`.
        longest_s: before the emulator is stopped.

    Raises:
        RuntimeError: the compiler, the linker or the emulated program failed.
    """
    program = build(board, "measure.c", folder, project, optimize=optimize, fast=fast)
    write_samples(folder, recordings)
    run(program, folder, longest_s)
    stack = int(np.fromfile(folder / "stack.bin", "<u4")[0])
    return Measured(program, np.fromfile(folder / "classes.bin", ROW), stack)


@dataclass(frozen=True, eq=False)
class Sent:
    """What the sensor's side of a split pair made of recordings.

    Args:
        program: that ran.
        packets: the file of its packets.
        samples: how many.
        ticks: of all of them.
        longest: of the longest `qs_encode`.
        stack: bytes that `qs_encode` took at most.
    """

    program: Program
    packets: Path
    samples: int
    ticks: int
    longest: int
    stack: int

    @property
    def instructions(self) -> tuple[float, int]:
        """Of a sample: their mean, and the most."""
        both = self.program.board.instructions(np.array([self.ticks, self.longest]))
        return int(both[0]) / self.samples, int(both[1])


def send_on(
    board: Board, project: Path, recordings: Sequence[Counts], folder: Path, longest_s: float = LONGEST_S
) -> Sent:
    """Build the sensor's side alone, and let it write its packets; see `run_on`."""
    program = build(board, "send.c", folder, project)
    write_samples(folder, recordings)
    run(program, folder, longest_s)
    return Sent(program, folder / "packets.bin", *map(int, np.fromfile(folder / "sent.bin", "<u4")))


def receive_on(board: Board, project: Path, sent: Sent, folder: Path, longest_s: float = LONGEST_S) -> Measured:
    """Build the receiver's side alone, and let it read packets; its stack is not measured. See `run_on`."""
    program = build(board, "receive.c", folder, project)
    shutil.copy(sent.packets, folder / "packets.bin")
    run(program, folder, longest_s)
    return Measured(program, np.fromfile(folder / "classes.bin", ROW), 0)


def write_samples(folder: Path, recordings: Sequence[Counts]) -> None:
    """What the programs of `boards/` read."""
    with (folder / "samples.bin").open("wb") as file:
        for counts in recordings:
            file.write(np.uint32(len(counts)).tobytes())
            file.write(counts.astype("<i4").tobytes())
