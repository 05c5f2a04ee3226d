"""Run a command as a whole process: wall time, CPU time and peak memory, its children included.

    python measuring.py REPORT COMMAND...

Linux counts the memory of the process that starts a command as the command's own, so this file runs
as a small launcher in between and imports little. Belongs here: the figures of one process. Does
not belong here: which processes there are (`programs`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class CommandError(Exception):
    """A command that did not end well, with the end of what it printed."""


@dataclass(frozen=True)
class Measured:
    """What one process took.

    Attributes:
        wall: seconds.
        cpu: user and system seconds, of its children too.
        memory: peak resident megabytes of the largest process.
        output: what it printed on stdout.
        job: seconds of the work without the start of the process, where the program tells them.
    """

    wall: float
    cpu: float
    memory: float
    output: str = ""
    job: float | None = None


def measure(command: list[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Run a command in a folder.

    Raises:
        CommandError: its exit code is not 0.
    """
    report, printed = folder / "measured.json", folder / "printed.txt"
    complaints = folder / "complaints.txt"
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(report)]
    with printed.open("w") as output, complaints.open("w") as errors:
        subprocess.run(
            [*launcher, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            check=True,
        )
    figures = json.loads(report.read_text())
    text = printed.read_text(errors="replace")
    code = figures.pop("code")
    if code:
        said = text + complaints.read_text(errors="replace")
        last = " | ".join(said.strip().splitlines()[-5:])
        raise CommandError(f"{Path(command[0]).name} ended with {code}: {last}")
    return Measured(**figures, output=text)


def launch(report: Path, command: list[str]) -> None:
    """Start the command, wait for it and write down what the kernel says of it."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    figures = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": time.perf_counter() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
    }
    report.write_text(json.dumps(figures))


if __name__ == "__main__":
    launch(Path(sys.argv[1]), sys.argv[2:])
