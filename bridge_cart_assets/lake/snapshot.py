"""One version of a Delta table: read it, and write the next one through it.

Belongs here: opening and scanning declared tables, and whole commits through what was opened. Does
not belong here: what the rows mean, or anything that knows Dagster.
"""

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from bridge_cart_assets.lake import compaction, history, past_versions, staging, vacuum
from bridge_cart_assets.lake.changes import Change
from bridge_cart_assets.lake.commits import (
    AS_OF,
    Commit,
    CommitConflictError,
    add_and_remove_files,
    commit_transactions,
    conflicts_of,
    merge_rows,
    write_rows,
)
from bridge_cart_assets.lake.delta_schema import (
    absent_columns,
    add_columns,
    create_table,
    has_added_columns,
)
from bridge_cart_assets.lake.fsync import fsync_commit
from bridge_cart_assets.lake.open_tables import OpenTable, OpenTables
from bridge_cart_assets.lake.past_versions import FileEntry
from bridge_cart_assets.lake.row_files import RowFiles
from bridge_cart_assets.lake.staging import StagedFiles
from bridge_cart_assets.lake.table_files import read_entry, table_files
from bridge_cart_assets.lake.transactions import TAKEN_BACK, all_transactions, recorded
from bridge_cart_assets.lake.vacuum import TOMBSTONE_RETENTION
from bridge_cart_assets.object_store import StoreError, is_uri, store_problem
from bridge_cart_assets.tables.table import Table

_FEW_NAMES = 10
_NO_FILES = {"path": pl.String, "size_bytes": pl.Int64, "num_records": pl.Int64}


class DamagedTableError(RuntimeError):
    """A table whose log cannot be read."""


class FeedGoneError(RuntimeError):
    """The change feed of a table does not reach back far enough."""


class Snapshot:
    """One version of a table, and the only way to write the next one; a write moves it on to
    that."""

    def __init__(
        self, table: Table, root: str, options: dict[str, str] | None, opened: OpenTables
    ) -> None:
        self.table = table
        self.uri = f"{root}/{table.path}"
        self._root = root
        self._options = options
        # Where the table lies; None in an object store.
        self._folder = None if is_uri(root) else Path(self.uri)
        self._files = table_files(root, table.path, options)
        # Declared since the table was last written.
        self._lacking: tuple[str, ...] = ()
        self._handle: DeltaTable | None = None
        # Whether others read through the same handle; then nothing is written through it.
        self._is_shared = False
        self._opened = opened
        is_open = opened.current(self._files, table)
        if is_open is None:
            self._open()
        else:
            self._handle, self._lacking = is_open.handle, is_open.absent_columns
            self._is_shared = True

    def _open(self) -> None:
        if not self._files.has_log():
            return
        try:
            self._handle = self._load()
        except TableNotFoundError:
            return
        self._lacking = absent_columns(self.table, self._handle, self.uri)
        self._share(self._handle)

    def _load(self, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.uri, version=version, storage_options=self._options)
        except TableNotFoundError:
            raise
        except DeltaError as error:
            if problem := store_problem(error):
                raise StoreError(problem) from error
            raise DamagedTableError(
                f"{self.table.path} at {self.uri} cannot be opened: {str(error).splitlines()[0]}\n"
                "a power cut can leave that: bridge-cart doctor looks, and mends it"
            ) from error

    def _share(self, handle: DeltaTable) -> None:
        """Let others read through the handle; nothing is written through it any more."""
        self._opened.keep(self._files, OpenTable(self.table, handle, self._lacking))
        self._is_shared = True

    @property
    def version(self) -> int | None:
        """Version of the table, None when there is none yet."""
        return None if self._handle is None else self._handle.version()

    @property
    def reader_version(self) -> int:
        """The version of Delta's protocol that a reader must know; 0 when there is no table."""
        return 0 if self._handle is None else int(self._handle.protocol().min_reader_version)

    @property
    def absent_columns(self) -> tuple[str, ...]:
        """The declared columns that the stored table does not have yet; they are read as null."""
        return self._lacking

    @property
    def has_added_columns(self) -> bool:
        """Whether there may be files that lack some of the declared columns."""
        added = self._handle is not None and has_added_columns(self._handle)
        return added or bool(self._lacking)

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
        ordinal = self.transaction(AS_OF)
        return None if ordinal is None else date.fromordinal(ordinal)

    @cached_property
    def files(self) -> pl.DataFrame:
        """The table's live files: path, size_bytes, num_records, `partition.*`, statistics."""
        if self._handle is None:
            return pl.DataFrame(schema=_NO_FILES)
        return pl.DataFrame(self._handle.get_add_actions(flatten=True))

    @property
    def file_uris(self) -> list[str]:
        """The table's live Parquet files; of a local lake as paths of the file system."""
        uris = [] if self._handle is None else self._handle.file_uris()
        return [unquote(u.removeprefix("file://")) for u in uris] if self._folder else uris

    def transaction(self, name: str) -> int | None:
        """Version stored for an application transaction; None when it was never written."""
        if self._handle is None:
            return None
        if self._folder is None:
            # In a store delta-rs reads the log for each name.
            return self._all_transactions.get(name)
        version = self._handle.transaction_version(name)
        return None if version == TAKEN_BACK else version

    def transactions(self, names: Collection[str]) -> dict[str, int]:
        """Versions stored for many application transactions; those never written are left out."""
        if self._handle is None:
            return {}
        if len(names) > _FEW_NAMES or self._folder is None:
            known = self._all_transactions
            return {name: known[name] for name in names if name in known}
        asked = ((name, self.transaction(name)) for name in names)
        return {name: version for name, version in asked if version is not None}

    @cached_property
    def _all_transactions(self) -> Mapping[str, int]:
        """Those of this version, read once."""
        version = self.version or 0
        known = self._opened.transactions(self.table, self.table_id, version)
        if known is None:
            known = all_transactions(self._files, self.uri, version, self._options)
            if self._folder is None:
                self._opened.remember(self.table, self.table_id, version, known)
        return known

    def scan(self) -> pl.LazyFrame:
        """The rows of this version, with the declared columns in the declared order."""
        if self._handle is None:
            return self.table.empty().lazy()
        columns = self.table.dtypes.keys()
        if self.file_uris == self._handle.file_uris():
            return pl.scan_delta(self._handle).with_columns(self._nulls()).select(columns)
        # Polars takes the handle's percent-encoded paths literally: a folder with a blank.
        return self.row_files().scan()

    def row_files(self, days: Collection[date] | None = None) -> RowFiles:
        """The live files, for another process to read.

        Args:
            days: of a table that is partitioned by batch day, only these days.
        """
        files = self.files
        if days is not None and files.height:
            is_of_day = pl.col("partition._batch_day").cast(pl.Date).is_in(list(days))
            files = files.filter(is_of_day)
        at = self._folder or self.uri
        uris = tuple(
            f"{at}/{unquote(path) if self._folder else path}" for path in files["path"].to_list()
        )
        counts = tuple(files["num_records"].to_list())
        return RowFiles(self.table, uris, counts, self._options or {})

    def _nulls(self) -> list[pl.Expr]:
        return [pl.lit(None, self.table.dtypes[name]).alias(name) for name in self._lacking]

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
        """Create the table without rows, if there is none yet; add the columns that it lacks."""
        if self._handle is None or self._lacking:
            self._existing_or_new()

    def append(self, frame: pl.DataFrame, commit: Commit) -> int:
        """Add rows in one commit, an empty frame too (it records the transactions).

        Raises:
            SchemaMismatchError: the frame does not fit; nothing is written.
            CommitConflictError: the table has moved on; nothing is written.
        """
        rows = self.table.conform(frame)
        if staging.is_too_much(self.table, rows):
            with self.stage() as staged:
                for some in staging.portions(self.table, rows):
                    staged.add(some)
                return self.append_staged(staged, commit)
        return self._commit(
            lambda handle, commit: write_rows(handle, self.table, rows, commit, "append"), commit
        )

    def replace(self, frame: pl.DataFrame, commit: Commit) -> int:
        """Make the table hold exactly these rows; no commit when it already does.

        Raises:
            SchemaMismatchError: the frame does not fit; nothing is written.
            CommitConflictError: the table has moved on; nothing is written.
        """
        rows = self.table.conform(frame)
        if self._has_recorded(commit) and self.rows == rows.height:
            order = list(self.table.key)
            if self.read().sort(order).equals(rows.sort(order)):
                return self.version or 0
        # Columns that came since are added in this commit: none of its rows is without them.
        takes_up = bool(self._lacking)
        return self._commit(
            lambda handle, commit: write_rows(
                handle, self.table, rows, commit, "overwrite", takes_up
            ),
            commit,
            adds_columns=takes_up,
        )

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
        return self._commit(
            lambda handle, commit: merge_rows(handle, self.table, change, commit), commit
        )

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

    def rewrite(
        self,
        change: Callable[[pl.DataFrame], pl.DataFrame | None],
        days: Collection[date],
        commit: Commit,
    ) -> int:
        """Put other rows in the place of those of some files, in one commit.

        Of a table that is partitioned by days. Nothing of it is in the change feed. Where all rows
        stay as they are, there is a commit only if it has something else to record.

        Args:
            change: gets the rows of a file; returns those that take their place, or None when they
                stay as they are.
            days: the partitions that are looked at.
            commit: what is written down.

        Returns:
            How many files were rewritten.

        Raises:
            CommitConflictError: the table has moved on; nothing is written.
        """
        if self._handle is None:
            return 0
        column = f"partition.{self.table.partition_by[0]}"
        files = self.files.filter(pl.col(column).cast(pl.Date).is_in(list(days)))
        rewritten = []
        with self.stage(staging.COMPACTED) as staged:
            for file in files.iter_slices(1):
                rows = change(compaction.rows_of(file, self.table, self.uri, self._options))
                if rows is not None:
                    staged.add(rows)
                    rewritten.append(file)
            gone: list[RemoveAction] = []
            if rewritten:
                gone = compaction.removals(pl.concat(rewritten), self.table, data_change=True)
            if rewritten or not self._has_recorded(commit):
                self._commit_staged(staged, [*staged.additions(data_change=True), *gone], commit)
        return len(rewritten)

    def forget_history(self) -> int:
        """Keep nothing but this version, which has to be the latest; see `lake.history`.

        Returns:
            How many files were removed.
        """
        if self._handle is None:
            return 0
        removed = history.forget_history(self._load(), self._files)
        self._handle = self._load()
        self._share(self._handle)
        return removed

    @contextmanager
    def stage(self, prefix: str = staging.STAGED) -> Iterator[StagedFiles]:
        """A folder for rows that are more than one write should have in memory.

        What was not committed is removed at the end. Like the death of the process, what is no
        `Exception` leaves it to `vacuum`.
        """
        folder = f"{prefix}{uuid.uuid4().hex}"
        scratch = create_table(self.table, f"{self.uri}/{folder}", self._options)
        files = table_files(self._root, f"{self.table.path}/{folder}", self._options)
        staged = StagedFiles(self.table, scratch, folder, files)
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

    def append_files(self, actions: Iterable[str], commit: Commit) -> int:
        """Add files that other processes have written (`staging.stage_apart`), in one commit.

        Raises:
            CommitConflictError: the table has moved on; the files belong to no version.
        """
        self.create_if_missing()
        added = [staging.addition(action, data_change=True) for action in actions]
        return self._commit(
            lambda handle, commit: add_and_remove_files(handle, self.table, added, commit), commit
        )

    def exchange_files(
        self,
        added: Iterable[FileEntry],
        removed: Iterable[FileEntry],
        commit: Commit,
    ) -> int:
        """Put files of earlier versions in the place of others, in one commit.

        Its change feed has the rows that come and those that go. A commit without files records
        transactions.

        Args:
            added: the log's entries of the files that come.
            removed: of those that go.
            commit: what is written down.

        Raises:
            CommitConflictError: the table has moved on; nothing is written.
        """
        actions: list[AddAction | RemoveAction] = [
            staging.addition(json.dumps(entry), data_change=True) for entry in added
        ]
        actions += [past_versions.removal(entry) for entry in removed]
        return self._commit(
            lambda handle, commit: add_and_remove_files(handle, self.table, actions, commit), commit
        )

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
        if self._handle is None:
            return []
        return vacuum.remove_files(self._handle, self._files, keep, self._spared(spare))

    def unreferenced_files(
        self, keep: timedelta = TOMBSTONE_RETENTION, spare: int | None = None
    ) -> list[str]:
        """What `vacuum` would remove, as paths below the table."""
        if self._handle is None:
            return []
        return vacuum.files_to_remove(self._handle, self._files, keep, self._spared(spare))

    def _spared(self, version: int | None) -> list[int] | None:
        """The version, as delta-rs takes it, if its log entry is still there."""
        if version is None:
            return None
        try:
            DeltaTable(self.uri, version=version, storage_options=self._options)
        except DeltaError:
            return None
        return [version]

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
        self.create_if_missing()
        # Set first: only a commit that was refused is certain not to be there.
        staged.is_committed = True
        try:
            return self._commit(
                lambda handle, commit: add_and_remove_files(handle, self.table, actions, commit),
                commit,
            )
        except CommitConflictError:
            staged.is_committed = False
            raise

    def _has_recorded(self, commit: Commit) -> bool:
        known = all(self.transaction(n) == v for n, v in commit.transactions.items())
        return known and self.version is not None and self.as_of == (commit.as_of or self.as_of)

    def _commit(
        self,
        write: Callable[[DeltaTable, Commit], None],
        commit: Commit,
        *,
        adds_columns: bool = False,
    ) -> int:
        """Write through the handle that was opened; the version that was committed.

        Args:
            write: makes the commit.
            commit: what it records.
            adds_columns: whether it adds the columns that the table lacks; else they are before.
        """
        handle = self._existing_or_new(adds_columns=not adds_columns)
        planned_on = handle.version()
        known = self._opened.transactions(self.table, self.table_id, planned_on)
        attempt = replace(commit, attempt=uuid.uuid4().hex)
        try:
            write(handle, attempt)
        except CommitConflictError:
            if not self._has_written(planned_on + 1, attempt):
                raise
            handle = self._handle = self._load(planned_on + 1)
        self._lacking = ()
        version = self._fsync_commit(handle)
        if known is not None and version == planned_on + 1 and self._folder is None:
            added = commit_transactions(planned_on, commit)
            holding = recorded({**known, **added})
            self._opened.remember(self.table, self.table_id, version, holding)
        self._share(handle)
        return version

    def _has_written(self, version: int, attempt: Commit) -> bool:
        """Whether a refused attempt is there all the same: a store wrote it and its answer was
        lost, so the request was repeated and met its own entry."""
        if self._folder is not None:
            return False
        try:
            entry = read_entry(self._files, version)
        except FileNotFoundError:
            return False
        return attempt.attempt in entry

    def _fsync_commit(self, handle: DeltaTable) -> int:
        """The version that was committed, once it would survive a power cut."""
        version = handle.version()
        if self._folder is not None:
            fsync_commit(self._folder, version, Path(self._root).parent)
        return version

    def _existing_or_new(self, *, adds_columns: bool = True) -> DeltaTable:
        for name in ("files", "_all_transactions"):
            self.__dict__.pop(name, None)
        if self._handle is not None and self._is_shared:
            # At the same version: what was planned on it is refused if another run was faster.
            planned_on = self.table_id
            self._handle = self._load(self._handle.version())
            self._is_shared = False
            if self.table_id != planned_on:
                raise CommitConflictError(f"{self.table.path} was removed and made again")
        if self._handle is None:
            self._handle = create_table(self.table, self.uri, self._options)
            if self._handle.version() > 0:
                raise CommitConflictError(f"{self.table.path} was created by another run")
            self._fsync_commit(self._handle)
        if self._lacking and adds_columns:
            with conflicts_of(self.table):
                add_columns(self.table, self._handle, self._lacking)
            self._lacking = ()
            self._fsync_commit(self._handle)
        return self._handle
