"""`make dev` with everything that belongs to it: killed, started again, stopped, beside a command.

python -m pytest -s -m '' bridge_cart_tests/faults/test_killed_dev.py
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.e2e.test_dev import answer, free_port
from bridge_cart_tests.faults.command_rounds import run_state, start

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"
PATIENCE_SECONDS = 150
STARTED, STARTING = "STARTED", "STARTING"


@dataclass
class Dev:
    """`make dev` over a folder, on free ports."""

    data: Path
    dagster: int = field(default_factory=free_port)
    report: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and wait for the UI."""
        env = environment_of(
            self.data,
            BRIDGE_CART_DAGSTER_PORT=str(self.dagster),
            BRIDGE_CART_REPORT_PORT=str(self.report),
        )
        self.process = subprocess.Popen([sys.executable, "-m", "bridge_cart_assets.dev"], env=env)
        wait_for("the UI", lambda: answer(f"http://127.0.0.1:{self.dagster}/server_info"))

    def kill(self) -> None:
        """SIGKILL for it and all that it has started, the worker of a run too."""
        assert self.process is not None
        for pid in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """End it as Ctrl-C does; how long that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(30) == 0
        return time.monotonic() - began

    def land(self, day: str, lines: int = 2) -> None:
        """A file of some order lines."""
        folder = self.data / "landing" / "purchases"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{day}.csv.tmp"
        rows = (f"{day}-{n},C{n % 50},{day},{10 + n % 7}\n" for n in range(lines))
        file.write_text(HEADER + "".join(rows))
        file.rename(file.with_suffix(""))

    def served(self) -> str | None:
        """as_of of the catalogue that the report page reads."""
        said = answer(f"http://127.0.0.1:{self.report}/healthz")
        return json.loads(said)["as_of"] if said else None

    def reached(self, state: str, after: int = 0) -> Callable[[], bool]:
        """Whether the latest of more than so many runs is in this state."""

        def look() -> bool:
            runs = run_state(self.data)
            return len(runs) > after and runs[-1][1] == state

        return look


def wait_for(what: str, ready: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until something is so; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ready():
            return time.monotonic() - began
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen within {seconds} s")


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    children: dict[int, list[int]] = {}
    for line in listed.stdout.splitlines()[1:]:
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def alive(pids: list[int]) -> list[int]:
    """Those of some processes that there still are."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    dev = Dev(tmp_path)
    yield dev
    if dev.process is not None and dev.process.poll() is None:
        dev.kill()


@pytest.mark.long
def test_all_of_it_killed_and_started_again_takes_what_landed_within_a_minute(dev: Dev) -> None:
    """In the midst of a run, and while a run is being launched."""
    dev.start()
    dev.land("2024-01-01")
    wait_for("the first file in gold", lambda: dev.served() == "2024-01-01")
    for number, (state, lines, pause) in enumerate(
        [(STARTED, 300_000, 1.5), (STARTING, 50, 0.0), (STARTING, 50, 1.0)]
    ):
        before = len(run_state(dev.data))
        dev.land(f"2024-02-{10 + number}", lines)
        wait_for(f"a run that is {state}", dev.reached(state, before))
        time.sleep(pause)
        dev.kill()
        killed = run_state(dev.data)[before][0]
        landed = f"2024-03-{10 + number}"
        dev.land(landed)

        began = time.monotonic()
        dev.start()
        wait_for(landed, lambda day=landed: dev.served() == day)  # type: ignore[misc]
        seconds = time.monotonic() - began

        states = dict(run_state(dev.data))
        print(f"killed while {state}: in gold {seconds:.0f} s after the start, {states[killed]}")
        assert states[killed] == "FAILURE"
        assert seconds < 60
    before = len(run_state(dev.data))
    time.sleep(70)
    assert len(run_state(dev.data)) == before, "runs without news"
    dev.stop()


@pytest.mark.long
def test_ctrl_c_cancels_the_run_that_is_under_way_and_it_is_asked_for_again(dev: Dev) -> None:
    dev.start()
    dev.land("2024-01-01", 1_200_000)
    wait_for("a run", dev.reached(STARTED))
    time.sleep(3)
    family_of_it = family(dev.process.pid if dev.process else 0)
    seconds = dev.stop()
    print(f"ended after {seconds:.1f} s")
    assert dev.reached("CANCELED")()
    # The last ones may be on their way out still.
    wait_for("the end of all of it", lambda: not alive(family_of_it), 20)

    dev.start()
    wait_for("the file in gold", lambda: dev.served() == "2024-01-01")
    dev.stop()


@pytest.mark.long
def test_a_command_beside_it_ends_well(dev: Dev) -> None:
    """Both see the file; one does the work, or the second waits for the first."""
    dev.start()
    for day in range(1, 5):
        dev.land(f"2024-01-{day:02}", 20_000)
        command = start(dev.data)
        output = command.communicate(timeout=120)[0]
        assert command.returncode == 0, output
    wait_for("all of them in gold", lambda: dev.served() == "2024-01-04")
    wait_for("the end of all runs", dev.reached("SUCCESS"), 60)
    assert {state for _, state in run_state(dev.data)} == {"SUCCESS"}
    dev.stop()
