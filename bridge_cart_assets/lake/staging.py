"""Rows written to files beside a table, so that one commit can add all of them.

A write of delta-rs is a commit, and the memory of a write that streams its rows grows with them.
So the rows are written a frame at a time as a small Delta table in a folder of its own below the
table's, and `Snapshot.append_staged` or `Snapshot.compact` commits the files. Until then no version
of the table refers to them: what a killed writer leaves goes with `vacuum`.

Belongs here: writing these files and naming them. Does not belong here: the commit (`commits`), or
where the rows come from.
"""

import json
from contextlib import suppress

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.transaction import AddAction

from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.parquet import writing
from bridge_cart_assets.lake.table_files import TableFiles, read_entry
from bridge_cart_assets.object_store import StoreError
from bridge_cart_assets.tables.table import Table

# How the names of the folders begin: large files on their way, and what a compaction has written.
STAGED = "staged-"
COMPACTED = "compacted-"
FOLDERS = (STAGED, COMPACTED)


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
        versions = range(self._scratch.version() + 1)
        entries = (read_entry(self._files, version) for version in versions)
        lines = (line for entry in entries for line in entry.splitlines())
        added = (action["add"] for line in lines if "add" in (action := json.loads(line)))
        return [
            AddAction(
                path=f"{self._folder}/{add['path']}",
                size=add["size"],
                partition_values=add["partitionValues"],
                modification_time=add["modificationTime"],
                data_change=data_change,
                stats=add["stats"],
            )
            for add in added
        ]

    def tidy_up(self) -> None:
        """Remove the small table's log, and the files too unless a version may refer to them.

        What cannot be removed is left to `vacuum`.
        """
        with suppress(StoreError):
            self._files.remove_folder(LOG if self.is_committed else "")
