"""The command waits for another run with words and within bounds, and never for a dead one."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.automation import liveness, waiting
from bridge_cart_assets.automation.processes import ProcessIdentity
from bridge_cart_assets.automation.waiting import (
    Obstacles,
    WaitedTooLongError,
    is_locked,
    lock_holder,
    wait_for_turn,
    watching_locks,
)
from bridge_cart_tests.automation.dead_runs import elsewhere, gone, started, state


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def said() -> list[str]:
    return []


def test_without_a_run_under_way_there_is_no_wait(
    instance: dg.DagsterInstance, said: list[str]
) -> None:
    assert wait_for_turn(instance, "refresh", 0, said.append) == Obstacles()
    assert said == []


def test_a_dead_run_is_not_waited_for(instance: dg.DagsterInstance, said: list[str]) -> None:
    run_id = started(instance, gone())
    obstacles = wait_for_turn(instance, "refresh", 0, said.append)
    (dead,) = obstacles.dead
    assert not obstacles.has_waited
    assert (dead.run_id, state(instance, run_id)) == (run_id, "FAILURE")


def test_without_the_clearing_the_next_run_waits_in_vain(
    instance: dg.DagsterInstance, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard removed: what happened to the first version."""
    monkeypatch.setattr(liveness, "cause_of_death", lambda run: None)
    started(instance, gone())
    with pytest.raises(WaitedTooLongError):
        wait_for_turn(instance, "refresh", 0.1, said.append)


def test_a_living_run_is_waited_for_with_words_until_it_ends(
    instance: dg.DagsterInstance, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SILENT_SECONDS", 0)
    run_id = started(instance, ProcessIdentity.current())

    def sleep(_: float) -> None:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        if said and not run.is_finished:
            instance.report_run_canceled(run)

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    assert wait_for_turn(instance, "refresh", 60, said.append) == Obstacles(has_waited=True)
    (line,) = said
    assert f"waiting for run {run_id[:8]} (process " in line
    assert "since 20" in line
    assert "gives up after 60 s" in line


@pytest.mark.parametrize("process", [ProcessIdentity.current(), elsewhere()])
def test_after_the_bound_it_says_what_to_do(
    instance: dg.DagsterInstance, said: list[str], process: ProcessIdentity
) -> None:
    run_id = started(instance, process)
    with pytest.raises(WaitedTooLongError) as given_up:
        wait_for_turn(instance, "refresh", 0.2, said.append)
    cause, remedy = str(given_up.value).splitlines()
    assert run_id[:8] in cause
    assert ("kill " in remedy) != ("in Dagster's UI" in remedy)
    assert "--wait SECONDS" in remedy


@pytest.fixture
def locked(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that writes runs.db and does not end."""
    with closing(sqlite3.connect(tmp_path / "runs.db")) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE t (a)")
    program = (
        "import sqlite3, sys\n"
        f"held = sqlite3.connect({str(tmp_path / 'runs.db')!r})\n"
        "held.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_lock_is_seen_with_its_holder(tmp_path: Path, locked: "subprocess.Popen[str]") -> None:
    file = tmp_path / "runs.db"
    assert is_locked(file)
    assert lock_holder(file) in (f"process {locked.pid}", "another process")
    locked.communicate("\n")
    assert not is_locked(file)
    assert not is_locked(tmp_path / "index.db")
    (tmp_path / "index.db").write_text("no database")
    (tmp_path / "index.db-wal").touch()
    assert not is_locked(tmp_path / "index.db")


def test_a_locked_history_is_said_once(
    tmp_path: Path,
    locked: "subprocess.Popen[str]",
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(waiting, "PROBE_SECONDS", 0.02)
    with watching_locks(tmp_path, said.append):
        time.sleep(0.5)
    (line,) = said
    assert "waiting for " in line
    assert "runs.db" in line
    assert "gives up after 60 s" in line


def test_a_history_that_stays_locked_ends_the_command(
    tmp_path: Path, locked: "subprocess.Popen[str]"
) -> None:
    program = (
        "import time\n"
        "from pathlib import Path\n"
        "from bridge_cart_assets.automation import waiting\n"
        "waiting.LOCK_SECONDS = waiting.PROBE_SECONDS = 0.1\n"
        f"home = Path({str(tmp_path)!r})\n"
        "with waiting.watching_locks(home, lambda line: print(line, flush=True)):\n"
        "    time.sleep(20)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "error: " in done.stdout
    assert "then run again" in done.stdout
