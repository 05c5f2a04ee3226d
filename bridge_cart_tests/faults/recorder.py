"""Makes a history: ingesters, maintenance, rebuilds and readers over one lake, with faults.

Belongs here: who does what, when, and how it is disturbed. Does not belong here: the form of a
history (`history`), or what it must not show (`history_checker`).
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.forked_commands import CHAIN, CommandServer
from bridge_cart_tests.faults.forked_commands import MAINTAIN as MAINTAIN_VERB
from bridge_cart_tests.faults.history import (
    LAND,
    MAINTAIN,
    REBUILD,
    RUN,
    Call,
    Recorder,
    now,
    read_history,
)
from bridge_cart_tests.faults.numbered_files import FIRST_DAY, content_of, name_of

LONGEST_SECONDS = 900
KILOBYTE = 1024
# How a call is disturbed, and how often out of a hundred.
FAULTS = {"SIGKILL": 25, "SIGTERM": 12, "no room": 8, "": 55}


@dataclass
class Session:
    """A lake over which processes work until a number of files has landed.

    Attributes:
        folder: where the lake and the history lie.
        server: what forks the commands.
        files: how many files land.
        pause: seconds from one to the next.
        ingesters: what each process calls that runs beside the others.
        readers: how many read.
        keepers: the pause of maintenance and of rebuilds, in seconds; none without.
        seed: of the moments and the faults.
        span: within how many seconds a call is ended.
        ended: how often each fault was felt.
    """

    folder: Path
    server: CommandServer
    files: int
    pause: float
    ingesters: Sequence[str] = ("run", "run", CHAIN)
    readers: int = 2
    keepers: tuple[float, float] | None = (8.0, 40.0)
    seed: int = 1
    span: float = 6.0
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def play(self) -> list[Call]:
        """Do all of it; the history."""
        (self.data / "landing").mkdir(parents=True)
        self._recorder = Recorder(self.folder / "history")
        self._over = threading.Event()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        page = self.server.start(["report"], self._environment(BRIDGE_CART_REPORT_PORT=str(port)))
        self._land(0)
        self._call("first", RUN, ["run"], "", 0)
        readers = [self._reader(f"reader-{k}", port) for k in range(self.readers)]
        threads = [
            threading.Thread(target=self._keep_calling, args=(f"ingester-{k}", RUN, [verb], 0.0))
            for k, verb in enumerate(self.ingesters)
        ]
        if self.keepers:
            for (operation, verb), pause in zip(
                ((MAINTAIN, MAINTAIN_VERB), (REBUILD, "rebuild")), self.keepers, strict=True
            ):
                arguments = (operation, operation, [verb], pause)
                threads.append(threading.Thread(target=self._keep_calling, args=arguments))
        for thread in threads:
            thread.start()
        for n in range(1, self.files):
            self._land(n)
            self._over.wait(self.pause)
        self._over.set()
        for thread in threads:
            thread.join()
        self._call("last", RUN, ["run"], "", 0)
        for reader in readers:
            self._end(reader)
        page.send(signal.SIGTERM)
        page.wait(LONGEST_SECONDS)
        return read_history(sorted(self.folder.glob("history*")))

    def _environment(self, **more: str) -> dict[str, str]:
        return environment_of(self.data, BRIDGE_CART_START_DATE=str(FIRST_DAY), **more)

    def _land(self, n: int) -> None:
        """A file lands: written under another name, and renamed."""
        file = self.data / "landing" / "purchases" / name_of(n)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.tmp")
        invoked = now()
        beside.write_text(content_of(n))
        os.replace(beside, file)
        self._recorder.write(Call("lander", LAND, {"file": n}, invoked, now(), {"code": 0}))

    def _keep_calling(
        self, process: str, operation: str, verb: Sequence[str], pause: float
    ) -> None:
        """One call after the other, each with a fault or none, until all files have landed."""
        chance = random.Random(f"{self.seed} {process}")  # noqa: S311 (moments, not secrets)
        while not self._over.wait(pause * chance.uniform(0.5, 1.5)):
            [fault] = chance.choices(list(FAULTS), list(FAULTS.values()))
            # Spread over a call's way, the beginning too.
            self._call(process, operation, verb, fault, chance.uniform(0, self.span))

    def _call(
        self, process: str, operation: str, verb: Sequence[str], fault: str, moment: float
    ) -> None:
        """One call of the command."""
        invoked = now()
        limit = int(moment * 3) * KILOBYTE if fault == "no room" else None
        command = self.server.start(verb, self._environment(), limit)
        if fault.startswith("SIG"):
            end = now() + moment
            while command.poll() is None and now() < end:
                time.sleep(0.01)
            # It may have been faster: then it was left in peace.
            fault = "" if command.poll() is not None else fault
            if fault:
                command.send(signal.Signals[fault])
        code = command.wait(LONGEST_SECONDS)
        at = now()
        self.ended[fault] += code != 0
        arguments = {"pid": command.pid, "disturbed": fault, "moment": round(moment, 3)}
        outcome: dict[str, object] = {"code": code, "at": at}
        if code:
            outcome["error"] = command.output.read_text(errors="replace")[-400:]
        completed = None if code == -signal.SIGKILL else at
        self._recorder.write(Call(process, operation, arguments, invoked, completed, outcome))

    def _reader(self, name: str, port: int) -> "subprocess.Popen[bytes]":
        history = self.folder / f"history-{name}"
        history.touch()
        arguments = [name, str(self.data), str(history), str(port)]
        return subprocess.Popen(
            [sys.executable, "-m", "bridge_cart_tests.faults.history_reader", *arguments],
            stdin=subprocess.PIPE,
        )

    def _end(self, reader: "subprocess.Popen[bytes]") -> None:
        """Let a reader see the end, and end it."""
        time.sleep(3)
        reader.communicate(b"\n", timeout=60)
