"""Rows written to files beside a table, so that one commit can add all of them.

A write of delta-rs is a commit, and the memory of a write that streams its rows grows with them.
So the rows are written a frame at a time as a small Delta table in a folder of its own below the
table's, and `Snapshot.append_staged` or `Snapshot.compact` commits the files. Until then no version
of the table refers to them: what a killed writer leaves goes with `vacuum`.

Belongs here: writing these files and naming them. Does not belong here: the commit (`commits`), or
where the rows come from.
"""

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.transaction import AddAction

from bridge_cart_assets.lake.delta_schema import create_table
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.parquet import writing
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

    def __init__(self, table: Table, scratch: DeltaTable, uri: str, options: dict[str, str] | None):
        self._table = table
        self._scratch = scratch
        self._uri = uri
        self._options = options
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
        folder = self._uri.rpartition("/")[2]
        versions = range(self._scratch.version() + 1)
        entries = [f"{self._uri}/{LOG}/{version:020}.json" for version in versions]
        lines = pl.read_lines(entries, glob=False, storage_options=self._options)["line"]
        added = (action["add"] for line in lines if "add" in (action := json.loads(line)))
        return [json.dumps({**add, "path": f"{folder}/{add['path']}"}) for add in added]

    def tidy_up(self) -> None:
        """Remove the small table's log, and the files too unless a version may refer to them.

        In a folder of this machine only: `vacuum` removes what lies elsewhere.
        """
        if "://" not in self._uri:
            shutil.rmtree(
                Path(self._uri, LOG) if self.is_committed else self._uri, ignore_errors=True
            )


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
    table: Table, uri: str, options: dict[str, str] | None, frames: Iterable[pl.DataFrame]
) -> Iterator[str]:
    """Write rows as files below a table, in any process that sees where it lies.

    Each call has a folder of its own, so one that is repeated disturbs none. Files that no commit
    adds go with `vacuum`.

    Args:
        table: the declaration.
        uri: where the table lies.
        options: of the object store.
        frames: the rows.

    Returns:
        The files as actions of Delta's log.
    """
    folder = f"{uri}/{STAGED}{uuid.uuid4().hex}"
    staged = StagedFiles(table, create_table(table, folder, options), folder, options)
    for frame in frames:
        staged.add(frame)
    # Whoever gets the names may commit them.
    staged.is_committed = True
    actions = staged.actions()
    staged.tidy_up()
    yield from actions
