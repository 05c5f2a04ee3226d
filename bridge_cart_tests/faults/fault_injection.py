"""A run that is disturbed on its way, all in one process: a crash, or another run in between.

A crash is an exception that is never caught: it leaves on disk the same as a killed process.
The places are put around the functions from outside, as in `kill_target`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bridge_cart_assets.ingestion import ingest_files
from bridge_cart_assets.lake import commits, fsync, snapshot
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline import silver
from bridge_cart_assets.tables.silver import INTERNAL
from bridge_cart_assets.tables.table import Table
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.faults.kill_target import Function, after, before

Around = Callable[[Function, Any], Function]
Place = tuple[Any, str, Around]


class Crash(BaseException):
    """As if the process had died here."""


@dataclass
class Once:
    """Does something when a place is reached for the nth time, or as soon as it may after that."""

    left: int
    act: Callable[[], None]
    may: Callable[[], bool] = lambda: True
    done: bool = False

    @property
    def is_due(self) -> bool:
        return self.left <= 0 and not self.done and self.may()

    def reached(self) -> None:
        self.left -= 1
        if self.is_due:
            self.done = True
            self.act()


def _uncommitted(force: Function, once: Once) -> Function:
    """Before the commit is forced, and as if its log entry had not been written yet."""

    def call(table: Path, version: int, top: Path) -> None:
        once.left -= 1
        checkpoint = table / fsync.LOG / f"{version:020}.checkpoint.parquet"
        # A checkpoint is written after the entry: with one there is no such moment.
        if once.is_due and not checkpoint.exists():
            fsync.entry_of(table, version).unlink()
        once.left += 1
        once.reached()
        force(table, version, top)

    return call


def of(tables: Sequence[Table], around: Around) -> Around:
    """At a method of snapshots, those of some tables only."""

    def put(method: Function, once: Once) -> Function:
        disturbed = around(method, once)

        def call(snapshot: Snapshot, *args: Any, **kwargs: Any) -> Any:
            return (disturbed if snapshot.table in tables else method)(snapshot, *args, **kwargs)

        return call

    return put


# Where a run can die: those of `kill_target` that an ingest passes, and between the steps of
# silver.
CRASHES: dict[str, Place] = {
    **{
        name: kill_target.POINTS[name]
        for name in ("listed", "read", "parsed", "before commit", "after commit", "before fsync")
    },
    **{name: kill_target.POINTS[name] for name in ("remembered", "silver merged", "silver folded")},
    "uncommitted": (snapshot, "fsync_commit", _uncommitted),
    "before remembering": (ingest_files, "upsert_files", before),
    "a table written": (Snapshot, "apply", after),
    "a table about to be written": (Snapshot, "apply", before),
    "losers written": (Snapshot, "apply", of(INTERNAL, after)),
    # Reached where a file is large.
    "a part staged": kill_target.WITH_LARGE_FILES["a part staged"],
    "all parts staged": kill_target.WITH_LARGE_FILES["all parts staged"],
    "quarantined": (silver, "update_quarantine", after),
    "counted": (silver, "update_accounting", after),
}
# Where another run can come in between.
GAPS: dict[str, Place] = {
    "looked": (Lake, "snapshot", after),
    "before commit": (commits, "write_deltalake", before),
    "before a large commit": (Snapshot, "append_staged", before),
    "before merge": (Snapshot, "apply", kill_target.of_merges(before)),
    "read": (ingest_files, "read_file", after),
    "before remembering": (ingest_files, "upsert_files", before),
    "losers written": (Snapshot, "apply", of(INTERNAL, after)),
    "before quarantine": (silver, "update_quarantine", before),
    "before counting": (silver, "update_accounting", before),
}


@contextmanager
def at(place: Place, once: Once) -> Iterator[Once]:
    """While this holds, something happens once at a place."""
    owner, name, around = place
    with patch.object(owner, name, around(getattr(owner, name), once)):
        yield once


def die() -> None:
    """What a crash does."""
    raise Crash
