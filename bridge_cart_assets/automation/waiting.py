"""Waiting for others: never without a word, never for ever.

Belongs here: what this process can have to wait for (another run, a lock on Dagster's SQLite
files), when it says so, and when it gives up. Delta tables are not among it: there the second
writer does not wait, it plans again.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from bridge_cart_assets.automation.liveness import (
    DeadRun,
    clock,
    describe,
    end_dead_runs,
    identity_of,
    under_way,
)

Say = Callable[[str], None]

SILENT_SECONDS = 5
_AGAIN_SECONDS = 60
_POLL_SECONDS = 0.5
# Seconds between two looks at the locks.
PROBE_SECONDS = 1
# How many seconds another process may lock Dagster's SQLite files, and which ones.
LOCK_SECONDS = 60
_FILES = ("runs.db", "index.db")
# The byte of a -shm file that a writer locks (sqlite.org/walformat.html, 2.3.1).
_WAL_WRITE_LOCK = 120


class WaitedTooLongError(RuntimeError):
    """Another run has been under way for longer than was to be waited."""


@dataclass(frozen=True)
class Obstacles:
    """What stood in the way of a turn.

    Attributes:
        dead: runs that were ended because their process is gone.
        has_waited: whether a living run was waited for.
    """

    dead: tuple[DeadRun, ...] = ()
    has_waited: bool = False


def wait_for_turn(
    instance: dg.DagsterInstance, job: str, bound_seconds: float, say: Say
) -> Obstacles:
    """Wait until no living run of a job is under way; end the dead ones.

    Of two that begin in the same moment none waits here: the second one waits for the lock
    (`pipeline.refresh_lock`), without a word about whose it is.

    Args:
        instance: where the runs are kept.
        job: the job whose runs are waited for.
        bound_seconds: how long at most.
        say: gets a line after five seconds, and each minute.

    Raises:
        WaitedTooLongError: the bound is reached.
    """
    began = time.monotonic()
    next_word = began + SILENT_SECONDS
    has_waited = False
    dead = end_dead_runs(instance)
    while (record := under_way(instance, job)) is not None:
        now = time.monotonic()
        if now - began >= bound_seconds:
            raise WaitedTooLongError(
                f"{describe(record)} is still under way after {bound_seconds:,.0f} s of waiting\n"
                f"{_remedy(record)}, or wait longer: --wait SECONDS"
            )
        if now >= next_word:
            say(f"waiting for {describe(record)}; gives up after {bound_seconds:,.0f} s")
            next_word = now + _AGAIN_SECONDS
        has_waited = True
        time.sleep(_POLL_SECONDS)
        dead += end_dead_runs(instance)
    return Obstacles(tuple(dead), has_waited)


def _remedy(record: dg.RunRecord) -> str:
    identity = identity_of(record.dagster_run)
    if record.dagster_run.status == dg.DagsterRunStatus.QUEUED:
        return "start Dagster's daemon (make dev), or cancel the run in its UI"
    if identity is not None and identity.is_visible:
        return f"end it with: kill {identity.pid}"
    return "cancel it in Dagster's UI"


@contextmanager
def watching_locks(home: Path, say: Say) -> Iterator[None]:
    """Say who writes Dagster's SQLite files for more than five seconds; after a minute give up.

    Dagster itself would lose events and go on: each of its writes waits and fails by itself. To
    give up ends this process with 1; its commits stay, as after any crash.
    """
    over = threading.Event()

    def watch() -> None:
        since: dict[Path, float] = {}
        named: set[Path] = set()
        while not over.wait(PROBE_SECONDS):
            locked = {file for name in _FILES if is_locked(file := home.resolve() / name)}
            since = {file: since.get(file, time.time()) for file in locked}
            named &= locked
            for file, first in since.items():
                waited = time.time() - first
                if waited >= LOCK_SECONDS:
                    say(
                        f"error: {lock_holder(file)} has been writing Dagster's history "
                        f"({file}) for {waited:.0f} s\n"
                        "see what it does, or end it; then run again"
                    )
                    os._exit(1)
                if waited >= SILENT_SECONDS - PROBE_SECONDS and file not in named:
                    named.add(file)
                    began = datetime.fromtimestamp(first, tz=UTC)
                    say(
                        f"waiting for {lock_holder(file)} to finish writing Dagster's history "
                        f"({file.name}), since {clock(began)}; gives up after {LOCK_SECONDS} s"
                    )

    thread = threading.Thread(target=watch, name="locks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PROBE_SECONDS)


def is_locked(file: Path) -> bool:
    """Whether somebody else is writing a SQLite file in the write-ahead mode right now."""
    # Without this file no process has it open; and a database that is being made is left in peace.
    if not file.with_name(f"{file.name}-wal").exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", timeout=0, uri=True)) as probe:
            probe.execute("BEGIN IMMEDIATE")
            probe.rollback()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False
    return False


def lock_holder(file: Path) -> str:
    """The process that is writing a SQLite file in the write-ahead mode, as far as it is known."""
    with suppress(OSError, ValueError):
        inode = file.with_name(f"{file.name}-shm").stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.replace("-> ", "").split()
            kind, pid, place, first, last = fields[3], *fields[4:8]
            covers = int(first) <= _WAL_WRITE_LOCK <= (2**63 if last == "EOF" else int(last))
            if kind == "WRITE" and int(place.rpartition(":")[2]) == inode and covers:
                return f"process {pid}"
    return "another process"
