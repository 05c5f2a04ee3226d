"""The command many times over, without importing its libraries each time.

    python -m bridge_cart_tests.faults.forked_commands

is a server that has imported what the command imports, and opened nothing. For each call it forks:
the child is a process of its own, from the command's entry point to its end, and dies alone.

Belongs here: starting, killing and waiting for such processes. Does not belong here: what they are
started for.
"""

import importlib
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

# What is no verb: the nightly maintenance; the whole chain without Dagster, which takes no turns.
MAINTAIN, CHAIN = "maintain", "chain"
_POLL_SECONDS = 0.02
_IMPORTED = (
    *("bridge_cart_assets.definitions", "bridge_cart_assets.automation.run_in_process"),
    *("bridge_cart_assets.automation.instance", "bridge_cart_assets.automation.waiting"),
    *("bridge_cart_assets.automation.retention", "bridge_cart_assets.terminal.summary"),
    *("bridge_cart_assets.cli.process", "bridge_cart_assets.pipeline.plan"),
    *("duckdb", "scipy.optimize", "scipy.special", "sklearn.cluster", "sklearn.metrics"),
)


class ForkedCommand:
    """A process on its way.

    Attributes:
        pid: its number.
        output: the file that gets what it says.
    """

    def __init__(self, answers: "queue.Queue[int]", output: Path) -> None:
        self._answers = answers
        self._code: int | None = None
        self.pid = answers.get(timeout=900)
        self.output = output

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        if self._code is None:
            try:
                self._code = self._answers.get_nowait()
            except queue.Empty:
                return None
        return self._code

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has one."""
        if self._code is None:
            self._code = self._answers.get(timeout=seconds)
        return self._code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class CommandServer:
    """The server, for as long as the block lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._answers: dict[int, queue.Queue[int]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "CommandServer":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=900)
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        largest_file: int | None = None,
    ) -> ForkedCommand:
        """Start `bridge-cart` with these arguments, or what is no verb: `CHAIN` or `MAINTAIN`.

        Args:
            arguments: what stands after `bridge-cart`.
            environment: all of its environment.
            largest_file: bytes beyond which its files cannot grow, as on a full disk.
        """
        with self._lock:
            number = next(self._numbers)
            answers: queue.Queue[int] = queue.Queue()
            self._answers[number] = answers
            output = self._folder / f"{number}.out"
            call = {
                "number": number,
                "arguments": list(arguments),
                "environment": dict(environment),
                "output": str(output),
                "largest_file": largest_file,
            }
            assert self._process.stdin is not None
            self._process.stdin.write(f"{json.dumps(call)}\n".encode())
            self._process.stdin.flush()
        return ForkedCommand(answers, output)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, value = map(int, line.split())
            self._answers[number].put(value)


def serve() -> None:
    """Fork for each line of stdin; say the child's number, and at its end its exit code."""
    for name in _IMPORTED:
        importlib.import_module(name)
    children: dict[int, int] = {}
    rest = b""
    is_open = True
    while is_open or children:
        if is_open and select.select([0], [], [], _POLL_SECONDS)[0]:
            got = os.read(0, 1 << 16)
            is_open = bool(got)
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                call = json.loads(line)
                pid = os.fork()
                if not pid:
                    _play(call)
                children[pid] = call["number"]
                print(call["number"], pid, flush=True)
        ended, status = os.waitpid(-1, os.WNOHANG) if children else (0, 0)
        if ended:
            print(children.pop(ended), os.waitstatus_to_exitcode(status), flush=True)


def run_chain() -> None:
    """The whole chain over the data folder that the environment names."""
    from bridge_cart_assets import pipeline
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.settings import Settings

    settings = Settings.from_environment()
    pipeline.run(
        *(Lake(settings.lake), settings.data / "landing"),
        catalogue=settings.catalogue,
        settings=settings.silver,
    )


def _play(call: Mapping[str, Any]) -> None:
    """What the child does, up to its end."""
    from bridge_cart_assets.cli.process import program
    from bridge_cart_tests.faults.maintenance import maintain_once

    try:
        output = os.open(call["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(number, target)
        os.environ.clear()
        os.environ.update(call["environment"])
        sys.argv = ["bridge-cart", *call["arguments"]]
        if call["largest_file"] is not None:
            most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (call["largest_file"], most))
        if call["arguments"] == [MAINTAIN]:
            maintain_once(Path(os.environ["BRIDGE_CART_DATA"]))
        elif call["arguments"] == [CHAIN]:
            run_chain()
        else:
            program()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 (the child must not go on as the server)
        print(f"{type(error).__name__}: {error}", flush=True)
    finally:
        os._exit(70)


if __name__ == "__main__":
    serve()
