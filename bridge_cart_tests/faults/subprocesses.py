"""Processes that take in what has landed, to be killed.

To start Python and import the libraries takes longer than the work. So a server that has imported
everything and opened nothing forks for each: the child is a process of its own with its own files,
threads and memory, and dies alone.

    python -m bridge_cart_tests.faults.subprocesses

is that server: it reads a line `DATA<tab>POINT<tab>TIME`, and says the child's number and, when the
child has ended, its exit code.
"""

import atexit
import importlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from bridge_cart_tests.faults import kill_target


class Server:
    """A process that forks, for one child at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.process.kill)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def hear(self, seconds: float) -> int | None:
        """The next number that it says; None when it says nothing for so long."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        # Unbuffered, or what is already read would not be seen by select.
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                raise AssertionError("the server of victims has died")
            line += byte
        return int(line)


_idle: list[Server] = []


class Victim:
    """A child on its way, in the manner of `subprocess.Popen`."""

    def __init__(self, data: Path, point: str, times: int) -> None:
        self._server = _idle.pop() if _idle else Server()
        self._server.say(f"{data}\t{point}\t{times}")
        pid = self._server.hear(60)
        assert pid is not None, "the server of victims does not answer"
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, seconds: float = 120) -> int:
        code = self._ended(seconds)
        assert code is not None, f"not at its end after {seconds} s"
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.hear(seconds)
            if self.returncode is not None:
                _idle.append(self._server)
        return self.returncode


def start(data: Path, point: str, times: int = 1) -> Victim:
    """Start a victim; see `kill_target` for the points."""
    return Victim(data, point, times)


def serve() -> None:
    # What the product imports only where it needs it: once here, or once in every child.
    for name in ("duckdb", "scipy.optimize", "scipy.special", "sklearn.cluster", "sklearn.metrics"):
        importlib.import_module(name)
    for line in sys.stdin:
        data, point, times = line.rstrip("\n").split("\t")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                kill_target.play(Path(data), point, int(times))
                code = 0
            finally:
                # Without the server's own goodbyes.
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
