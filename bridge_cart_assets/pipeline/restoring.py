"""Going back: all tables become what they were at one moment, application transactions included.

Delta's own restore leaves the transactions as they are: the ledger would say that a file was taken
whose rows are gone. There were two ways. To cut the logs would use numbers of versions again. All
that remembers a table by its version would be wrong then: open tables, what gold has seen of
silver, the catalogue, and the run keys of Dagster, which starts no second run under one key. So a
table goes back by one more commit, like any other. It removes the files that came since, adds those
that went, writes the transactions of then, and marks those that came since as taken back
(`TAKEN_BACK`). It is refused when another writer was faster, it is forced to disk, `doctor` can
take it back, a store puts it whole, and its change feed says what has changed, so whatever follows
the table follows this too. What was undone stays in the log for as long as maintenance keeps it:
one can go back to it.

Versions that tables have recorded of each other (what gold has seen of silver) are written as those
that have the same rows now.

Each table's commit depends only on its present version and on the one that it goes back to. So a
restore that was cut off is done again from the beginning; what is done already has no difference.
The tables go back in an order in which any beginning of it is a state that a run would heal, should
somebody remove the file that says what is to be done: accounting first, so days count as pending;
then who is one person, or rows of then would count as following the persons of now; raw last,
behind the ledger, so a file without a row there is found among raw's transactions.

Belongs here: which versions a moment means, whether they can be restored, and the commits. Does not
belong here: keeping others out (`open_operations`), or the runs of Dagster (`terminal.restoring`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

import polars as pl

from bridge_cart_assets.lake.commit_notes import RESTORED_TO
from bridge_cart_assets.lake.commits import AS_OF, WRITER, Commit, CommitConflictError
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.past_versions import FileEntry, PastVersion, TableLog
from bridge_cart_assets.lake.transactions import TAKEN_BACK
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.gold_inputs import seen_name
from bridge_cart_assets.pipeline.lake_states import (
    RestoreRefusedError,
    earliest_state,
    table_logs,
)
from bridge_cart_assets.pipeline.open_restore import Restore
from bridge_cart_assets.pipeline.persons import FOLLOWED
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.stored_tables import RAW_TABLES, STORED_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.ops import TABLES as OPS_TABLES
from bridge_cart_assets.tables.silver import ACCOUNTING, CUSTOMERS, IDENTITIES, PURCHASES, SETTINGS
from bridge_cart_assets.tables.silver import INTERNAL as SILVER_INTERNAL
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES
from bridge_cart_assets.tables.table import Table

RUN = "restore"
_ATTEMPTS = 3
_ORDER: tuple[Table, ...] = tuple(
    dict.fromkeys(
        (
            *(ACCOUNTING, IDENTITIES, SETTINGS, *SILVER_TABLES, *SILVER_INTERNAL),
            *(*GOLD_INTERNAL, *GOLD_TABLES, *OPS_TABLES, *RAW_TABLES),
        )
    )
)
_SEEN = {seen_name(table): table.path for table in STORED_TABLES}


@dataclass(frozen=True)
class TableChange:
    """How one table goes back.

    Attributes:
        table: the table.
        now: its present version.
        then: the version that it goes back to.
        transactions: those that it has afterwards, without the writer's.
    """

    table: Table
    now: PastVersion
    then: PastVersion
    transactions: Mapping[str, int]

    @cached_property
    def removed(self) -> list[FileEntry]:
        """The files that go."""
        return [entry for path, entry in self.now.files.items() if path not in self.then.files]

    @cached_property
    def added(self) -> list[FileEntry]:
        """The files that come back."""
        return [entry for path, entry in self.then.files.items() if path not in self.now.files]

    @property
    def is_due(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.removed or self.added) or self.transactions != _without_writer(self.now)

    @property
    def days(self) -> set[str]:
        """The batch days, or months, whose files come or go."""
        entries = (*self.removed, *self.added)
        return {v for entry in entries for v in entry["partitionValues"].values() if v}

    @property
    def files_gone(self) -> list[str]:
        """Fingerprints of the landed files that count as not taken afterwards."""
        gone = _without_writer(self.now).keys() - self.transactions.keys()
        return [name.removeprefix("file:") for name in gone if name.startswith("file:")]


def targets_of(lake: Lake, moment: datetime) -> dict[str, int | None]:
    """The version that each table goes back to; None for one that was not there yet.

    Everything that could stand in the way is looked at here, before anything is changed.

    Raises:
        RestoreRefusedError: some of it cannot be restored any more.
    """
    logs = table_logs(lake)
    earliest = earliest_state(lake, logs)
    if earliest is None:
        raise RestoreRefusedError("there is no lake yet: nothing to go back to")
    if moment < earliest.at:
        raise RestoreRefusedError(
            f"the lake of {_written(moment)} cannot be restored: {earliest.why}\n"
            f"the earliest moment is {_written(earliest.at.astimezone(moment.tzinfo))}: see "
            "bridge-cart restore --list"
        )
    targets = {path: log.version_at(moment) for path, log in logs.items()}
    for table in STORED_TABLES:
        if table.path in targets:
            _refuse_unreadable(table, logs[table.path], targets[table.path])
    _refuse_unfitting(lake, logs, targets)
    return targets


def changes_to(lake: Lake, targets: Mapping[str, int | None]) -> list[TableChange]:
    """How each table goes back, in the order in which they do."""
    logs = table_logs(
        lake, [table for table in _ORDER if table.path in targets], with_commits=False
    )
    then = {path: _version(logs[path], target) for path, target in targets.items()}
    changes = {
        table.path: TableChange(
            table,
            logs[table.path].at(logs[table.path].latest),
            then[table.path],
            # Until it is known under which numbers it has to record other tables.
            {},
        )
        for table in _ORDER
        if table.path in logs
    }
    due: set[str] = set()
    while True:
        # A table that gets another number makes those due that have recorded it.
        numbers = {p: (c.now.version or 0) + (p in due) for p, c in changes.items()}
        for path, change in changes.items():
            recorded = {
                name: _translated(_recorded_of(name), version, targets, numbers)
                for name, version in _recorded(then[path]).items()
            }
            changes[path] = replace(change, transactions={**_own(then[path]), **recorded})
        more = {path for path, change in changes.items() if change.is_due}
        if more <= due:
            break
        due |= more
    return list(changes.values())


def restore_tables(lake: Lake, restore: Restore, progress: ProgressCallback = silent) -> int:
    """Bring all tables back; done again it changes nothing.

    Args:
        lake: the tables.
        restore: to what they go back; its targets are known.
        progress: gets a line for each table.

    Returns:
        How many tables were written.

    Raises:
        CommitConflictError: somebody keeps writing to the lake.
    """
    assert restore.targets is not None  # noqa: S101 - written down before this is called
    written = 0
    for _ in range(_ATTEMPTS):
        due = [change for change in changes_to(lake, restore.targets) if change.is_due]
        if not due:
            return written
        try:
            for change in due:
                progress(f"{change.table.path}: going back")
                _write(lake, change, restore)
                written += 1
        except CommitConflictError:
            continue
    raise CommitConflictError(
        "other runs keep writing to the lake; when they are over: bridge-cart run finishes the "
        "restore"
    )


def _write(lake: Lake, change: TableChange, restore: Restore) -> None:
    snapshot = lake.snapshot(change.table)
    if snapshot.version != change.now.version:
        raise CommitConflictError(f"{change.table.path} was changed by another run")
    before = _without_writer(change.now)
    transactions = {n: v for n, v in change.transactions.items() if before.get(n) != v}
    transactions |= {n: TAKEN_BACK for n in before if n not in change.transactions}
    ordinal = change.transactions.get(AS_OF)
    commit = Commit(
        RUN,
        None if ordinal is None else date.fromordinal(ordinal),
        transactions,
        {RUN: restore.number, RESTORED_TO: restore.moment.isoformat()},
    )
    snapshot.exchange_files(change.added, change.removed, commit)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _version(log: TableLog, target: int | None) -> PastVersion:
    return PastVersion() if target is None else log.at(target)


def _refuse_unreadable(table: Table, log: TableLog, target: int | None) -> None:
    """Refuse a version whose files are gone, or that has other columns than now."""
    then = _version(log, target)
    if missing := log.missing_files(then):
        raise RestoreRefusedError(
            f"{table.path} cannot go back to version {target}: {len(missing):,} of its files are "
            f"gone or cut off, {missing[0].rpartition('/')[2]} first of all\n"
            "name a later moment: see bridge-cart restore --list"
        )
    now = log.at(log.latest).columns
    differing = {n for n in then.columns.keys() | now.keys() if then.columns.get(n) != now.get(n)}
    # Raw and ops get further columns without being written again.
    may_lack = table.layer in ("raw", "ops")
    if target is not None and {n for n in differing if n in then.columns or not may_lack}:
        raise RestoreRefusedError(
            f"{table.path} had other columns then ({', '.join(sorted(differing))}): an earlier "
            "release of this program had written it\n"
            "name a later moment: see bridge-cart restore --list"
        )


def _refuse_unfitting(
    lake: Lake, logs: Mapping[str, TableLog], targets: Mapping[str, int | None]
) -> None:
    """Refuse a moment at which tables do not fit each other as no kill of a run leaves them.

    Before a table was removed and made again what it was is gone. Within a retraction raw has given
    records back that silver still has.
    """
    target = targets.get(ACCOUNTING.path)
    if target is None:
        return
    counted = _rows_of(lake, ACCOUNTING, logs[ACCOUNTING.path].at(target))
    records = dict(counted.group_by("source").agg(pl.sum("raw_records")).iter_rows())
    accepted = dict(counted.group_by("source").agg(pl.sum("accepted")).iter_rows())
    expected = {source.raw: records.get(source.name, 0) for source in SOURCES}
    for table in (PURCHASES, CUSTOMERS):
        feeding = (accepted.get(source.name, 0) for source in SOURCES if source.feeds is table)
        expected[table] = sum(feeding)
    for table, rows in expected.items():
        if rows and targets.get(table.path) is None:
            raise RestoreRefusedError(
                f"{table.path} had rows then and was removed and made again since: what it was is "
                "gone\nname a later moment: see bridge-cart restore --list"
            )
    for source in SOURCES:
        path = source.raw.path
        rows = _version(logs[path], targets[path]).rows if path in targets else 0
        if rows < records.get(source.name, 0):
            # What would heal that after a kill is the file of the operation, which stays away.
            raise RestoreRefusedError(
                f"{path} had fewer records then than silver had counted: a file was being taken "
                "back\nname an earlier or a later moment: see bridge-cart restore --list"
            )


def _rows_of(lake: Lake, table: Table, version: PastVersion) -> pl.DataFrame:
    """The rows of a version of a table without partitions."""
    if not version.files:
        return table.empty()
    paths = [f"{lake.uri(table)}/{path}" for path in version.files]
    options = lake.storage_options
    return pl.scan_parquet(paths, glob=False, storage_options=options).collect()


def _without_writer(version: PastVersion) -> dict[str, int]:
    return {name: number for name, number in version.transactions.items() if name != WRITER}


def _recorded_of(name: str) -> str:
    """The path of the table whose version a transaction records."""
    return IDENTITIES.path if name == FOLLOWED else _SEEN[name]


def _recorded(version: PastVersion) -> dict[str, int]:
    """The versions of tables that a version has recorded."""
    return {n: v for n, v in version.transactions.items() if n == FOLLOWED or n in _SEEN}


def _own(version: PastVersion) -> dict[str, int]:
    """All other transactions."""
    recorded = _recorded(version)
    return {n: v for n, v in _without_writer(version).items() if n not in recorded}


def _translated(
    path: str, recorded: int, targets: Mapping[str, int | None], numbers: Mapping[str, int]
) -> int:
    """The number under which a version of a table has its rows now.

    Any other one stays: the change feed from there on says what has changed since.
    """
    return numbers[path] if path in numbers and targets.get(path) == recorded else recorded
