"""Commands run by processes that are forked from one that has imported what they need, in place of importing it again.

`ForkServer` is the tests' side. As a program, `forking.py serve MODULES` is the server: it imports the modules, starts
no thread, and forks a process for each command, which runs it as `python -m` would. `forking.py run MODULE ARGUMENTS`
does without a server. Either way the last line printed names the heavy packages that the process had imported.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

HEAVY = ("torch", "lightning", "wandb", "matplotlib")
NUMBER = struct.Struct("i")  # how a process id and an exit code are sent


class Forked:
    """A command under way, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, reply: int) -> None:
        self.reply = reply
        self.pid = self.receive()
        self.returncode: int | None = None

    def receive(self) -> int:
        """The next number that the server tells."""
        if not (sent := os.read(self.reply, NUMBER.size)):
            raise RuntimeError("the server of commands has ended")
        return int(NUMBER.unpack(sent)[0])

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative if a signal ended it.

        Raises:
            subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
        """
        if self.returncode is None:
            if not select.select([self.reply], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = self.receive()
            os.close(self.reply)
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the command's own process."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and all processes that it started."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


class ForkServer:
    """A process that has imported `modules` and forks one for each command."""

    def __init__(self, *modules: str) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen([sys.executable, __file__, "serve", *modules], stdin=theirs.fileno())
        theirs.close()

    def start(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], out: IO[bytes], err: IO[bytes]
    ) -> Forked:
        """Start `python -m command`; it prints to the files `out` and `err`."""
        reply, theirs = os.pipe()
        request = json.dumps([list(command), str(cwd), dict(environment)]).encode()
        socket.send_fds(self.channel, [request], [out.fileno(), err.fileno(), theirs])
        os.close(theirs)
        return Forked(reply)

    def close(self) -> None:
        """The server ends where nobody can ask it for anything."""
        self.channel.close()
        self.process.wait(60)


def serve(channel: socket.socket) -> list[str]:
    """Fork a process for each request; returns in that process alone, with the command that it is to run."""
    gc.freeze()  # or the first collection in each process would copy all that was imported
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # keepers that have ended
                pass
        if not request:
            sys.exit()
        if not os.fork():
            break
        for descriptor in descriptors:
            os.close(descriptor)
    channel.close()
    out, err, reply = descriptors
    # A keeper beside each command waits for it, so that the server goes on with other requests.
    if pid := os.fork():
        os.write(reply, NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        os.write(reply, NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    os.close(reply)
    os.setsid()
    for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(source, target)
        os.close(source)
    command, folder, environment = json.loads(request)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return list(command)


def run(command: list[str]) -> None:
    """What `python -m` does with a module and its arguments."""
    atexit.register(lambda: print("HEAVY:" + ",".join(name for name in HEAVY if name in sys.modules), flush=True))
    sys.path[:1] = [str(Path.cwd()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def main(task: str, *arguments: str) -> None:
    """Run a command, or serve."""
    if task == "run":
        return run(list(arguments))
    for module in arguments:
        importlib.import_module(module)
    if (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
        sys.exit(
            f"importing {', '.join(arguments)} has started {threads - 1} threads, which no forked process would have"
        )
    return run(serve(socket.socket(fileno=os.dup(0))))


if __name__ == "__main__":
    main(*sys.argv[1:])
