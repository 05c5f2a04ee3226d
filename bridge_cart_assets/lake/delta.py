"""Delta tables: take a snapshot of a version, write through that snapshot, whole commits only.

Belongs here: opening, scanning and committing declared tables. Does not belong here: what the
rows mean, or anything that knows Dagster.

How two writers stay apart: every commit carries the application transaction `bridge-cart/writer`
with the version it was planned on. Delta stores transactions and does not enforce them
(delta-io/delta-rs#2580), but it refuses a commit whose transaction was also written since the
handle was opened. So a plan made on an old version is never written: the caller takes a new
snapshot (`retry_on_conflict`) and plans again.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import ArrayType, Field, PrimitiveType, Schema
from deltalake.transaction import AddAction, RemoveAction

from bridge_cart_assets.lake import compaction, staging
from bridge_cart_assets.lake.fsync import added, entry_of, fsync_commit
from bridge_cart_assets.lake.parquet import writing
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.lake.transactions import all_transactions
from bridge_cart_assets.tables.table import SchemaMismatchError, Table

# The transaction of every commit, by which Delta refuses a plan made on an old version.
WRITER = "bridge-cart/writer"
_AS_OF = "bridge-cart/as_of"
# In a commit's metadata: how many transactions its log entry ends with, so that one that was cut
# off between two lines can be recognised.
TRANSACTIONS = "bridge_cart.transactions"
_ATTEMPTS = 8
# Seconds before the second attempt at most; before each later one twice as many.
RETRY_SECONDS = 0.02
_CHECKPOINT_EVERY = 20
_FEW_NAMES = 10
# How long Delta remembers that a file was removed. What was removed earlier looks like what was
# never committed.
TOMBSTONE_RETENTION = timedelta(days=7)
# A file younger than that may belong to a commit that is still being written.
_LONGEST_WRITE = timedelta(days=1)
_PRIMITIVES: Mapping[type[pl.DataType], str] = {
    pl.String: "string",
    pl.Int64: "long",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
}

T = TypeVar("T")


class DamagedTableError(RuntimeError):
    """A table whose log cannot be read."""


class CommitConflictError(RuntimeError):
    """Somebody else committed to the table since it was looked at; nothing was written."""


class FeedGoneError(RuntimeError):
    """The change feed of a table does not reach back far enough."""


@dataclass(frozen=True)
class Commit:
    """What is written down with the rows, in the same commit.

    Attributes:
        run_id: Dagster run that commits.
        as_of: latest batch day that the rows have seen.
        transactions: what has been taken in, by name and version, for instance the version of
            an upstream table or a file's fingerprint.
        notes: what people may want to know of the commit, by name (`lake.commits` reads it).
    """

    run_id: str
    as_of: date | None = None
    transactions: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """Rows to add, rows to replace by key, and keys to remove.

    Attributes:
        inserts: full rows whose keys are not in the table.
        updates: full rows whose keys are.
        deletes: key columns of rows that go.
        partitions: values of the partition column in which the touched rows lie now, or None when
            the table is not partitioned. Only these are looked at.
    """

    inserts: pl.DataFrame
    updates: pl.DataFrame
    deletes: pl.DataFrame
    partitions: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.inserts.height or self.updates.height or self.deletes.height)


class Snapshot:
    """One version of a table, and the only way to write the next one; a write moves it on to
    that."""

    def __init__(self, table: Table, root: str, options: dict[str, str]) -> None:
        self.table = table
        self.root = root
        self.uri = f"{root}/{table.path}"
        self._options = options
        try:
            self._handle: DeltaTable | None = DeltaTable(self.uri, storage_options=options or None)
        except TableNotFoundError:
            self._handle = None
        except DeltaError as error:
            raise DamagedTableError(
                f"{table.path} at {self.uri} cannot be opened: {str(error).splitlines()[0]}\n"
                "a power cut can leave that: bridge-cart doctor looks, and mends it"
            ) from error
        if self._handle is not None:
            _refuse_other_schema(table, self._handle, self.uri)

    @property
    def version(self) -> int | None:
        """Version of the table, None when there is none yet."""
        return None if self._handle is None else self._handle.version()

    @property
    def table_id(self) -> str:
        """The table's own id, which is another one when it has been removed and made again."""
        return "" if self._handle is None else str(self._handle.metadata().id)

    @property
    def rows(self) -> int:
        """Number of rows, from the log."""
        return 0 if self._handle is None else self._handle.count()

    @property
    def as_of(self) -> date | None:
        """Latest batch day that this version has seen."""
        ordinal = self.transaction(_AS_OF)
        return None if ordinal is None else date.fromordinal(ordinal)

    @cached_property
    def files(self) -> pl.DataFrame:
        """The table's live files: path, size_bytes, num_records, `partition.*`, statistics."""
        if self._handle is None:
            return pl.DataFrame(schema={"path": pl.String, "num_records": pl.Int64})
        return pl.DataFrame(self._handle.get_add_actions(flatten=True))

    @property
    def file_uris(self) -> list[str]:
        """The table's live Parquet files; of a local lake as paths of the file system."""
        uris = [] if self._handle is None else self._handle.file_uris()
        return uris if "://" in self.uri else [unquote(u.removeprefix("file://")) for u in uris]

    def transaction(self, name: str) -> int | None:
        """Version stored for an application transaction; None when it was never written."""
        return None if self._handle is None else self._handle.transaction_version(name)

    def transactions(self, names: Collection[str]) -> dict[str, int]:
        """Versions stored for many application transactions; those never written are left out."""
        if self._handle is None:
            return {}
        if len(names) > _FEW_NAMES and "://" not in self.root:
            known = all_transactions(Path(self.uri), self._handle.version())
            return {name: known[name] for name in names if name in known}
        asked = ((name, self.transaction(name)) for name in names)
        return {name: version for name, version in asked if version is not None}

    def scan(self) -> pl.LazyFrame:
        """The rows of this version, with the declared columns in the declared order."""
        if self._handle is None:
            return self.table.empty().lazy()
        columns = self.table.dtypes.keys()
        if self.file_uris == self._handle.file_uris():
            return pl.scan_delta(self._handle).select(columns)
        # Polars takes the handle's percent-encoded paths literally: a folder with a blank.
        partitions = {name: self.table.dtypes[name] for name in self.table.partition_by}
        return pl.scan_parquet(
            self.file_uris, hive_partitioning=bool(partitions), hive_schema=partitions or None
        ).select(columns)

    def read(self) -> pl.DataFrame:
        """All rows of this version."""
        return self.scan().collect()

    def change_feed(self, since: int) -> pl.DataFrame:
        """The change data after a version, up to this one: the columns and `_change_type`.

        Raises:
            FeedGoneError: files of that time have been removed.
        """
        columns = [*self.table.dtypes, "_change_type"]
        if self._handle is None or since >= self._handle.version():
            schema = {**self.table.dtypes, "_change_type": pl.String()}
            return pl.DataFrame(schema=schema)
        try:
            feed = self._handle.load_cdf(
                starting_version=since + 1, ending_version=self._handle.version()
            )
            return pl.DataFrame(feed.read_all()).select(columns)
        except Exception as error:  # delta-rs raises no narrower one for a file that is gone
            raise FeedGoneError(
                f"the change feed of {self.table.path} does not reach back to version {since}"
            ) from error

    def create_if_missing(self) -> None:
        """Create the table without rows, if there is none yet."""
        self._existing_or_new()

    def append(self, frame: pl.DataFrame, commit: Commit) -> int:
        """Add rows in one commit, an empty frame too (it records the transactions).

        Raises:
            SchemaMismatchError: the frame does not fit; nothing is written.
            CommitConflictError: the table has moved on; nothing is written.
        """
        return self._write(self.table.conform(frame), commit, mode="append")

    def replace(self, frame: pl.DataFrame, commit: Commit) -> int:
        """Make the table hold exactly these rows; no commit when it already does.

        Raises:
            SchemaMismatchError: the frame does not fit; nothing is written.
            CommitConflictError: the table has moved on; nothing is written.
        """
        typed = self.table.conform(frame)
        if self._has_recorded(commit) and self.rows == typed.height:
            order = list(self.table.key)
            if self.read().sort(order).equals(typed.sort(order)):
                return self.version or 0
        return self._write(typed, commit, mode="overwrite")

    def apply(self, change: Change, commit: Commit, *, even_if_empty: bool = False) -> int:
        """Insert, update and delete by key in one commit.

        Without changes a commit is made only if it has something else to record, or if
        `even_if_empty` asks for one, which makes writers with an older snapshot conflict.

        Raises:
            SchemaMismatchError: a frame does not fit; nothing is written.
            CommitConflictError: the table has moved on; nothing is written.
        """
        if change.is_empty and not even_if_empty and self._has_recorded(commit):
            return self.version or 0
        if not change.updates.height and not change.deletes.height:
            return self.append(change.inserts, commit)
        return self._merge(change, commit)

    def is_scattered(self, target: int = compaction.TARGET_BYTES) -> bool:
        """Whether there are small files that `compact` would put together."""
        return self.rows > 0 and bool(compaction.small_files(self.files, self.table, target))

    def compact(self, commit: Commit, target: int = compaction.TARGET_BYTES) -> int | None:
        """Put larger files in the place of small ones, in one commit that changes no row.

        Readers of change data see nothing of it. `as_of` and the recorded transactions stay.

        Args:
            commit: what is written down.
            target: bytes that a file should have at most; files of half of it stay.

        Returns:
            The new version, or None when there is nothing to put together.

        Raises:
            CommitConflictError: the table has moved on; nothing is written.
        """
        if not self.is_scattered(target):
            return None
        groups = compaction.small_files(self.files, self.table, target)
        with self.stage(staging.COMPACTED) as staged:
            self._rewrite(groups, staged, target)
            small = compaction.removals(pl.concat(groups), self.table)
            larger = staged.additions(data_change=False)
            return self._commit_staged(staged, [*larger, *small], commit)

    @contextmanager
    def stage(self, prefix: str = staging.STAGED) -> Iterator[StagedFiles]:
        """A folder for rows that are more than one write should have in memory.

        What was not committed is removed at the end. Like the death of the process, what is no
        `Exception` leaves it to `vacuum`.
        """
        uri = f"{self.uri}/{prefix}{uuid.uuid4().hex}"
        staged = StagedFiles(self.table, self._created(uri), uri, self._options)
        try:
            yield staged
        except Exception:
            staged.tidy_up()
            raise
        staged.tidy_up()

    def append_staged(self, staged: StagedFiles, commit: Commit) -> int:
        """Add the rows of staged files in one commit, also when there are none.

        Raises:
            CommitConflictError: the table has moved on; the files are still there, for the next
                snapshot.
        """
        return self._commit_staged(staged, [*staged.additions(data_change=True)], commit)

    def vacuum(self, keep: timedelta = TOMBSTONE_RETENTION, spare: int | None = None) -> list[str]:
        """Remove files that no version younger than `keep` needs, and those that no version has.

        Files that are not in the log stay for a day at least: they may be about to be committed.
        The files of the last two commits stay whatever their age, change data too: `doctor` tells
        by them whether a commit is torn.

        Args:
            keep: for how long the versions before can still be read; up to seven days.
            spare: a version whose files stay whatever its age, because somebody reads them by
                name; without meaning when its log entry is gone.

        Returns:
            The files that were removed, as paths below the table.

        Raises:
            ValueError: `keep` is longer than Delta remembers what it removed.
        """
        gone = self.unreferenced_files(keep, spare)
        if "://" in self.root and self._handle is not None:
            for age, full, spared in self._removals(keep, spare):
                _unreferenced(self._handle, age, spared, full=full, dry_run=False)
            return gone
        for path in gone:
            file = Path(self.uri, path)
            file.unlink(missing_ok=True)
            _remove_empty(file.parent, Path(self.uri))
        return gone

    def unreferenced_files(
        self, keep: timedelta = TOMBSTONE_RETENTION, spare: int | None = None
    ) -> list[str]:
        """What `vacuum` would remove, as paths below the table."""
        if keep > TOMBSTONE_RETENTION:
            raise ValueError(
                f"keep is {keep}: what was removed {TOMBSTONE_RETENTION.days} days ago is "
                f"forgotten, and then goes; name {TOMBSTONE_RETENTION.days} days at most"
            )
        handle = self._handle
        if handle is None:
            return []
        found = {
            path
            for age, full, spared in self._removals(keep, spare)
            for path in _unreferenced(handle, age, spared, full=full, dry_run=True)
        }
        if "://" not in self.root:
            version = handle.version()
            entries = [entry_of(Path(self.uri), v) for v in (version - 1, version)]
            found -= {path for entry in entries if entry.exists() for path in added(entry)}
        return sorted(found)

    def _removals(
        self, keep: timedelta, spare: int | None
    ) -> Iterator[tuple[timedelta, bool, list[int] | None]]:
        """What is looked for: what the log has as removed, and what it does not know at all."""
        spared = [spare] if spare is not None and self._can_be_read(spare) else None
        yield keep, False, spared
        yield max(keep, _LONGEST_WRITE), True, spared

    def _can_be_read(self, version: int) -> bool:
        try:
            DeltaTable(self.uri, version=version, storage_options=self._options or None)
        except DeltaError:
            return False
        return True

    def _rewrite(self, groups: list[pl.DataFrame], staged: StagedFiles, target: int) -> None:
        """Stage the rows of small files as larger ones."""
        for batch in compaction.merge_batches(groups, target):
            rows = compaction.rows_of(batch, self.table, self.uri, self._options)
            if rows.height != batch["num_records"].sum():
                raise DamagedTableError(
                    f"{self.table.path}: its files have {rows.height} rows, its log says "
                    f"{batch['num_records'].sum()}; bridge-cart doctor looks"
                )
            staged.add(rows)

    def _commit_staged(
        self, staged: StagedFiles, actions: list[AddAction | RemoveAction], commit: Commit
    ) -> int:
        handle = self._existing_or_new()
        before = handle.version()
        # Set first: only a commit that was refused is certain not to be there.
        staged.is_committed = True
        try:
            handle.create_write_transaction(
                actions,
                "append",
                handle.schema(),
                list(self.table.partition_by),
                commit_properties=self._properties(handle, commit),
            )
        except CommitFailedError as error:
            staged.is_committed = False
            raise CommitConflictError(f"{self.table.path} was changed by another run") from error
        # Unlike other writes this one leaves the handle where it was.
        handle.load_as_version(before + 1)
        return self._fsync_commit(handle)

    def _has_recorded(self, commit: Commit) -> bool:
        known = all(self.transaction(n) == v for n, v in commit.transactions.items())
        return known and self.version is not None and self.as_of == (commit.as_of or self.as_of)

    def _merge(self, change: Change, commit: Commit) -> int:
        handle = self._existing_or_new()
        columns = list(self.table.dtypes)
        upserts = self.table.conform(pl.concat([change.inserts, change.updates]))
        deletes = change.deletes.select(self.table.key).with_columns(_gone=True)
        source = pl.concat([upserts.with_columns(_gone=False), deletes], how="diagonal")
        predicate = " AND ".join(f"t.{name} = s.{name}" for name in self.table.key)
        if change.partitions is not None:
            values = ", ".join(f"'{value}'" for value in sorted(set(change.partitions)))
            predicate += f" AND t.{self.table.partition_by[0]} IN ({values})"
        assignments = {name: f"s.{name}" for name in columns}
        merger = handle.merge(
            source,
            predicate=predicate,
            source_alias="s",
            target_alias="t",
            writer_properties=writing(self.table),
            commit_properties=self._properties(handle, commit),
        )
        try:
            (
                merger.when_matched_delete("s._gone")
                .when_matched_update(assignments)
                .when_not_matched_insert(assignments, predicate="NOT s._gone")
                .execute()
            )
        except CommitFailedError as error:
            raise CommitConflictError(f"{self.table.path} was changed by another run") from error
        return self._fsync_commit(handle)

    def _write(
        self, frame: pl.DataFrame, commit: Commit, mode: Literal["append", "overwrite"]
    ) -> int:
        handle = self._existing_or_new()
        try:
            write_deltalake(
                handle,
                frame,
                mode=mode,
                writer_properties=writing(self.table),
                commit_properties=self._properties(handle, commit),
            )
        except CommitFailedError as error:
            raise CommitConflictError(f"{self.table.path} was changed by another run") from error
        return self._fsync_commit(handle)

    def _fsync_commit(self, handle: DeltaTable) -> int:
        """The version that was committed, once it would survive a power cut."""
        version = handle.version()
        if "://" not in self.root:
            fsync_commit(Path(self.uri), version, Path(self.root).parent)
        return version

    def _existing_or_new(self) -> DeltaTable:
        self.__dict__.pop("files", None)
        if self._handle is None:
            self._handle = self._created(self.uri)
            if self._handle.version() > 0:
                raise CommitConflictError(f"{self.table.path} was created by another run")
            self._fsync_commit(self._handle)
        return self._handle

    def _created(self, uri: str) -> DeltaTable:
        return DeltaTable.create(
            uri,
            schema=delta_schema(self.table),
            mode="ignore",
            partition_by=list(self.table.partition_by) or None,
            name=self.table.path,
            description=self.table.description,
            configuration=_properties(self.table),
            storage_options=self._options or None,
            raise_if_key_not_exists=False,
        )

    def _properties(self, handle: DeltaTable, commit: Commit) -> CommitProperties:
        transactions = {WRITER: handle.version(), **commit.transactions}
        metadata = {f"bridge_cart.{name}": text for name, text in commit.notes.items()}
        metadata["bridge_cart.run_id"] = commit.run_id
        if commit.as_of is not None:
            transactions[_AS_OF] = commit.as_of.toordinal()
            metadata["bridge_cart.as_of"] = commit.as_of.isoformat()
        metadata[TRANSACTIONS] = str(len(transactions))
        return CommitProperties(
            custom_metadata=metadata,
            app_transactions=[Transaction(name, v) for name, v in transactions.items()],
        )


@dataclass(frozen=True)
class Lake:
    """The folder or bucket below which all tables lie.

    Attributes:
        root: a folder or an object-store URI.
        options: options of the object store, in the spelling of its usual variables.
    """

    root: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether the tables lie in a folder of this machine."""
        return "://" not in self.root

    def uri(self, table: Table) -> str:
        """Where a table lies."""
        return f"{self.root}/{table.path}"

    def snapshot(self, table: Table) -> Snapshot:
        """The table as it is now.

        Raises:
            SchemaMismatchError: the stored table has other columns than were declared.
        """
        return Snapshot(table, self.root, dict(self.options))


def retry_on_conflict(plan: Callable[[], T]) -> T:
    """Run a plan that looks and writes; look and plan again when another run was faster.

    Between the attempts it waits a little, each time longer and never equally long, or several runs
    would keep being in each other's way.

    Raises:
        CommitConflictError: others were faster eight times in a row.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return plan()
        except CommitConflictError:
            time.sleep(random.uniform(0, RETRY_SECONDS * 2**attempt))  # noqa: S311 (no secret)
    return plan()


def delta_schema(table: Table) -> Schema:
    """The Delta schema of a declared table; meanings become column comments."""
    return Schema(
        [
            Field(
                name,
                _delta_type(table.dtypes[name]),
                nullable=column.nullable,
                metadata={"comment": table.meaning(name)},
            )
            for name, column in table.columns.items()
        ]
    )


def _delta_type(dtype: pl.DataType) -> PrimitiveType | ArrayType:
    if isinstance(dtype, pl.Decimal):
        return PrimitiveType(f"decimal({dtype.precision},{dtype.scale})")
    if isinstance(dtype, pl.List):
        return ArrayType(_delta_type(dtype.inner), contains_null=False)  # type: ignore[arg-type]
    return PrimitiveType(_PRIMITIVES[type(dtype)])


def _properties(table: Table) -> dict[str, str | None]:
    # Statistics stay in the log after a row is gone: none on what tells a person.
    measured = [
        name
        for name, dtype in table.dtypes.items()
        if name not in table.pii and name not in table.partition_by and not dtype.is_nested()
    ]
    properties: dict[str, str | None] = {
        "delta.checkpointInterval": str(_CHECKPOINT_EVERY),
        "delta.dataSkippingStatsColumns": ",".join(measured),
    }
    if table.layer in ("silver", "gold"):
        properties["delta.enableChangeDataFeed"] = "true"
    return properties


def _unreferenced(
    handle: DeltaTable, keep: timedelta, spared: list[int] | None, full: bool, dry_run: bool
) -> list[str]:
    """What delta-rs finds superfluous: what the log has as removed, or (`full`) unknown files too.

    In a folder of this machine it only names them: its own removal makes two commits more, by
    which the catalogue would be behind.
    """
    paths = handle.vacuum(
        retention_hours=math.ceil(keep / timedelta(hours=1)),
        dry_run=dry_run,
        enforce_retention_duration=False,
        full=full,
        keep_versions=spared,
    )
    return [unquote(path) for path in paths]


def _remove_empty(folder: Path, table: Path) -> None:
    """Remove the folder of staged files when all are gone; other writes use folders that stay."""
    while folder != table and folder.relative_to(table).parts[0].startswith(staging.FOLDERS):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _refuse_other_schema(table: Table, handle: DeltaTable, uri: str) -> None:
    stored = {f.name: str(f.type) for f in handle.schema().fields}
    declared = {f.name: str(f.type) for f in delta_schema(table).fields}
    if stored == declared:
        return
    names = sorted(stored.keys() | declared.keys())
    differences = [
        f"{n} is {stored.get(n, 'missing')}, declared {declared.get(n, 'nowhere')}"
        for n in names
        if stored.get(n) != declared.get(n)
    ]
    remedies = {"raw": "move it away", "ops": "move it away: it is written again"}
    remedy = remedies.get(table.layer, "move it away, then bridge-cart rebuild")
    raise SchemaMismatchError(f"{table.path} at {uri} differs: {'; '.join(differences)}. {remedy}")
