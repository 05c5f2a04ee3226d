"""Rows written to files beside a table, so that one commit can add all of them.

A write of delta-rs is a commit, and the memory of a write that streams its rows grows with them.
So the rows are written a frame at a time as a small Delta table in a folder of its own below the
table's, and `Snapshot.append_staged` or `Snapshot.compact` commits the files. Until then no version
of the table refers to them: what a killed writer leaves goes with `vacuum`.

Belongs here: writing these files and naming them. Does not belong here: the commit (`commits`), or
where the rows come from.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.transaction import AddAction

from bridge_cart_assets.lake.delta_schema import create_table
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.parquet import writing
from bridge_cart_assets.lake.table_files import TableFiles, read_entry, table_files
from bridge_cart_assets.object_store import StoreError
from bridge_cart_assets.tables.table import Table

# How the names of the folders begin: large files on their way, and what a compaction has written.
STAGED = "staged-"
COMPACTED = "compacted-"
FOLDERS = (STAGED, COMPACTED)
# What delta-rs has in memory during a write is half a kilobyte per row, and for each file that is
# open as much again as some hundred rows; all files of a write are open until its end.
_ROWS_OF_A_WRITE = 200_000
_FILES_OF_A_WRITE = 100


def is_too_much(table: Table, rows: pl.DataFrame) -> bool:
    """Whether one write of the rows would need much memory, so that they are to be staged."""
    return rows.height > _ROWS_OF_A_WRITE or len(_partitions(table, rows)) > 1


def portions(table: Table, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows, as much at a time as a write should have.

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> months = [f"{year}-{month:02}" for year in range(2000, 2010) for month in range(1, 13)]
    >>> rows = pl.DataFrame({"purchase_month": months})
    >>> [portion.height for portion in portions(PURCHASES, rows)]
    [100, 20]
    """
    several = _partitions(table, rows)
    for values in several:
        part = rows
        if len(several) > 1:
            part = rows.filter(pl.col(values.name).is_in(values.implode()))
        yield from part.iter_slices(_ROWS_OF_A_WRITE)


def _partitions(table: Table, rows: pl.DataFrame) -> list[pl.Series]:
    """The values of the partition column, as many together as a write should have files."""
    values = rows[(table.partition_by or table.key)[0]]
    if not table.partition_by:
        return [values.clear()]
    distinct = values.unique().sort()
    return [
        distinct.slice(start, _FILES_OF_A_WRITE)
        for start in range(0, max(1, distinct.len()), _FILES_OF_A_WRITE)
    ]


class StagedFiles:
    """Rows that are no part of their table yet.

    Attributes:
        height: how many.
        is_committed: whether a version may refer to the files, so that they have to stay.
    """

    def __init__(self, table: Table, scratch: DeltaTable, folder: str, files: TableFiles) -> None:
        self._table = table
        self._scratch = scratch
        self._folder = folder
        self._files = files
        self.height = 0
        self.is_committed = False

    def add(self, frame: pl.DataFrame) -> None:
        """Write some rows, a file for each partition.

        Raises:
            SchemaMismatchError: the frame does not fit; nothing of it is written.
        """
        rows = self._table.conform(frame)
        if not rows.height:
            return
        write_deltalake(
            self._scratch,
            rows,
            mode="append",
            writer_properties=writing(self._table, rows),
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=False, cleanup_expired_logs=False
            ),
        )
        self.height += rows.height

    def additions(self, *, data_change: bool) -> list[AddAction]:
        """The files as actions of a commit to the table below which they lie.

        Args:
            data_change: whether their rows are new to the table.
        """
        return [addition(action, data_change=data_change) for action in self.actions()]

    def actions(self) -> list[str]:
        """The files as actions of Delta's log, with paths below the table."""
        versions = range(self._scratch.version() + 1)
        entries = (read_entry(self._files, version) for version in versions)
        lines = (line for entry in entries for line in entry.splitlines())
        added = (action["add"] for line in lines if "add" in (action := json.loads(line)))
        # A store whose answer was lost has the entry, and one more that says the same.
        once = {add["path"]: add for add in added}
        return [json.dumps({**add, "path": f"{self._folder}/{path}"}) for path, add in once.items()]

    def tidy_up(self) -> None:
        """Remove the small table's log, and the files too unless a version may refer to them.

        What cannot be removed is left to `vacuum`.
        """
        with suppress(StoreError):
            self._files.remove_folder(LOG if self.is_committed else "")


def addition(action: str, *, data_change: bool) -> AddAction:
    """An action of Delta's log as delta-rs takes it.

    Args:
        action: one of `StagedFiles.actions`.
        data_change: whether its rows are new to the table.
    """
    add = json.loads(action)
    return AddAction(
        path=add["path"],
        size=add["size"],
        partition_values=add["partitionValues"],
        modification_time=add["modificationTime"],
        data_change=data_change,
        stats=add["stats"],
    )


def stage_apart(
    table: Table, root: str, options: Mapping[str, str], frames: Iterable[pl.DataFrame]
) -> Iterator[str]:
    """Write rows as files below a table, in any process that sees where it lies.

    Each call has a folder of its own, so one that is repeated disturbs none. Files that no commit
    adds go with `vacuum`.

    Args:
        table: the declaration.
        root: where all tables lie.
        options: of the object store.
        frames: the rows.

    Returns:
        The files as actions of Delta's log.
    """
    folder = f"{STAGED}{uuid.uuid4().hex}"
    scratch = create_table(table, f"{root}/{table.path}/{folder}", dict(options) or None)
    files = table_files(root, f"{table.path}/{folder}", options or None)
    staged = StagedFiles(table, scratch, folder, files)
    for frame in frames:
        staged.add(frame)
    # Whoever gets the names may commit them.
    staged.is_committed = True
    actions = staged.actions()
    staged.tidy_up()
    yield from actions
