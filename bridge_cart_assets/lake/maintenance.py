"""Keeping tables fast and small: small files put together, files that are no longer needed removed.

It may run beside anything that reads or writes. A write that was planned before a table was
compacted is refused and planned again, and so is a compaction that a write was faster than; a
reader's files stay for as long as `keep` says.

Belongs here: what is done to a table and in which order, and what came of it. Does not belong
here: how (`compaction`, `vacuum`), and when (`automation`).
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from bridge_cart_assets.lake.commits import Commit, CommitConflictError, retry_on_conflict
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.vacuum import TOMBSTONE_RETENTION
from bridge_cart_assets.tables.table import Table


@dataclass(frozen=True)
class Done:
    """What was done to a table.

    Attributes:
        table: its path.
        files_before, files_after: live files.
        bytes_before, bytes_after: their sizes.
        removed: files that were removed from the disk or the store.
        postponed: whether others wrote so often that the files were not put together.
        seconds: how long it took.
    """

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    removed: int
    postponed: bool
    seconds: float


def maintain(
    lake: Lake,
    tables: Iterable[Table],
    run_id: str,
    keep: timedelta = TOMBSTONE_RETENTION,
    served: Mapping[str, int] | None = None,
) -> list[Done]:
    """Put small files together and remove superfluous ones, one table after the other.

    Args:
        lake: where the tables lie.
        tables: the tables to look at; one that is not there yet is passed over.
        run_id: Dagster run that does it.
        keep: for how long earlier versions can still be read; up to seven days.
        served: by path, versions whose files stay for longer: see `versions_served`.

    Returns:
        What was done, by table.

    Raises:
        DamagedTableError: a table's last commit is torn; nothing is done then, or the files by
            which `doctor` mends it might be among those that go.
        ValueError: `keep` is too long.
    """
    stored = [table for table in tables if lake.snapshot(table).version is not None]
    refuse_torn(lake, stored)
    return [
        _maintain(lake, table, run_id, keep, (served or {}).get(table.path)) for table in stored
    ]


def needs_maintenance(
    lake: Lake, table: Table, keep: timedelta = TOMBSTONE_RETENTION, served: int | None = None
) -> bool:
    """Whether `maintain` would change anything about a table.

    Args:
        lake: where the table lies.
        table: the table.
        keep: for how long earlier versions can still be read.
        served: a version whose files stay for longer.
    """
    snapshot = lake.snapshot(table)
    return snapshot.is_scattered() or bool(snapshot.unreferenced_files(keep, served))


def versions_served(catalogue: Path) -> dict[str, int]:
    """The versions that the catalogue was built from, by path: its views name their files.

    It is behind for as long as a blocking check holds up what is downstream, and until then it
    must stay readable.
    """
    if not catalogue.exists():
        return {}
    try:
        with duckdb.connect(str(catalogue), read_only=True) as connection:
            rows = connection.execute(
                "SELECT layer || '/' || name, version FROM meta.tables WHERE version IS NOT NULL"
            ).fetchall()
    except duckdb.Error:
        return {}
    return dict(rows)


def _maintain(lake: Lake, table: Table, run_id: str, keep: timedelta, spare: int | None) -> Done:
    began = time.perf_counter()
    before = lake.snapshot(table)
    postponed = False
    try:
        retry_on_conflict(lambda: lake.snapshot(table).compact(Commit(run_id)))
    except CommitConflictError:
        postponed = True
    after = lake.snapshot(table)
    return Done(
        table=table.path,
        files_before=before.files.height,
        files_after=after.files.height,
        bytes_before=_bytes(before),
        bytes_after=_bytes(after),
        removed=len(after.vacuum(keep, spare)),
        postponed=postponed,
        seconds=time.perf_counter() - began,
    )


def _bytes(snapshot: Snapshot) -> int:
    return int(snapshot.files["size_bytes"].sum())
