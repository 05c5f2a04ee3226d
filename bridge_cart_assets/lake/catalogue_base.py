"""What a new catalogue takes over from the file before it.

A large table of which few rows have changed since is brought up to date in a copy of that file:
most of the time of a copy goes into sorting and compressing rows that were there already. All other
tables are copied whole (`catalogue`).

The file is believed only as this program has left it, and a table only as a version of this lake:

- its time of change is the `finished_at` in it, which another program that writes to it would move;
- `meta.tables` has the digest of the log entry of each table's version, which no other lake has;
- what the log has since is changes of rows, few of them, and their change feed is there;
- afterwards it has as many rows as the Delta table.

Belongs here: which tables are taken over, and how. Does not belong here: the other tables.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from bridge_cart_assets.lake.changes import net_rows
from bridge_cart_assets.lake.duckdb_types import escaped, sql_type
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.snapshot import FeedGoneError, Snapshot
from bridge_cart_assets.tables.table import Table

# Fewer rows are copied as quickly as a file is looked into.
WORTH_ROWS = 300_000
# With a larger share of its rows changed a table is copied whole. The rows that came stand at its
# end, out of order, so those of earlier catalogues count too.
MOST_CHANGED = 0.1
_MOST_COMMITS = 50
# Bytes that are read whatever the table's size.
_SMALL_FEED = 1 << 20
_MICROSECONDS = 1_000


@dataclass(frozen=True)
class Kept:
    """A table that is taken over.

    Attributes:
        table: the table.
        rows: how many it must have then.
        gone: keys of the rows that go.
        came: rows that come.
        changed: how many rows have come since the table was copied whole.
    """

    table: Table
    rows: int
    gone: pl.DataFrame
    came: pl.DataFrame
    changed: int


@dataclass(frozen=True)
class _Recorded:
    """What a catalogue says of a table: its version in Delta, and its columns with their types."""

    version: int
    commit_digest: str
    changed: int
    columns: Mapping[str, str]
    is_checked: bool


def commit_digest(snapshot: Snapshot, version: int | None = None) -> str | None:
    """A digest that only this version of this table has; None where it is not known.

    The log entry names files by random names, and the moment of its commit. In an object store, and
    when the entry has been cleaned away, nothing is known.
    """
    entry = _log_entry(snapshot, snapshot.version if version is None else version)
    return None if entry is None else hashlib.sha256(entry).hexdigest()


def write_ahead_of(path: Path) -> Path:
    """Where DuckDB keeps what it has not yet written into a file."""
    return path.with_name(f"{path.name}.wal")


def mark_as_built(path: Path, finished_at: datetime) -> None:
    """Make the moment that is written in a file its time of change."""
    moment = _in_microseconds(finished_at) * _MICROSECONDS
    os.utime(path, ns=(moment, moment))


def changed_since_checked(
    path: Path, snapshot: Snapshot
) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The rows of a table that came and went since the version that a catalogue has of it.

    None when it is unknown, because the catalogue is not believed or much has changed, and when
    that version has not passed all its blocking checks: a run that was killed may have left it, and
    a run of the catalogue alone may have published it.
    """
    copied = _recorded_tables(path).get(snapshot.table.path) if path.exists() else None
    if copied is None or not copied.is_checked:
        return None
    return _changes(snapshot, copied)


def kept_tables(path: Path, snapshots: Sequence[Snapshot]) -> dict[str, Kept]:
    """The tables that are worth being taken over from a catalogue, by their path.

    Args:
        path: the catalogue as it is; it may be missing, damaged, or of another lake.
        snapshots: the tables that a new one copies.
    """
    if sum(snapshot.rows for snapshot in snapshots) < WORTH_ROWS or not path.exists():
        return {}
    copied = _recorded_tables(path)
    found = (
        _kept(snapshot, copied[snapshot.table.path])
        for snapshot in snapshots
        if snapshot.table.path in copied
    )
    kept = {one.table.path: one for one in found if one is not None}
    return kept if sum(one.rows for one in kept.values()) >= WORTH_ROWS else {}


def take_over(old: Path, new: Path, kept: Mapping[str, Kept]) -> bool:
    """Make a copy of a catalogue that has some of its tables, as they are now, and nothing else.

    Returns:
        Whether that was possible; otherwise there is no new file.
    """
    shutil.copyfile(old, new)
    try:
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{escaped(str(new))}' AS c (STORAGE_VERSION 'v1.0.0')")
            connection.execute("BEGIN")
            _drop_others(connection, kept)
            is_right = all(_bring_up_to_date(connection, one, new.parent) for one in kept.values())
            connection.execute("COMMIT")
            # Their blocks are free now for the tables that are copied: the file does not grow.
            connection.execute("CHECKPOINT c")
            connection.execute("DETACH c")
    except duckdb.Error:
        is_right = False
    if not is_right:
        new.unlink()
    return is_right


def _recorded_tables(path: Path) -> dict[str, _Recorded]:
    """What a catalogue says of its tables; nothing when it is not as this program has left it."""
    if write_ahead_of(path).exists():
        return {}
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            [(finished,)] = connection.execute("SELECT finished_at FROM meta.run").fetchall()
            if path.stat().st_mtime_ns != _in_microseconds(finished) * _MICROSECONDS:
                return {}
            versions = connection.execute(
                "SELECT layer || '/' || name, version, commit_digest, rows_changed"
                " FROM meta.tables WHERE commit_digest IS NOT NULL"
            ).fetchall()
            checked = _checked_versions(connection)
            columns = connection.execute(
                "SELECT schema_name || '/' || table_name, column_name, data_type"
                " FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
            ).fetchall()
    except (duckdb.Error, OSError, ValueError):
        return {}
    of_table: dict[str, dict[str, str]] = {}
    for table, name, data_type in columns:
        of_table.setdefault(table, {})[name] = data_type
    return {
        table: _Recorded(
            version, digest, changed, of_table.get(table, {}), checked.get(table) == version
        )
        for table, version, digest, changed in versions
    }


def _checked_versions(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The version of each table that has passed all its blocking checks."""
    try:
        rows = connection.execute(
            "SELECT layer || '/' || name, any_value(version) FROM meta.checks"
            " WHERE severity = 'blocking' GROUP BY ALL"
            " HAVING bool_and(coalesce(passed, false)) AND count(version) = count(*)"
            " AND count(DISTINCT version) = 1"
        ).fetchall()
    except duckdb.CatalogException:  # built by something else than a run
        return {}
    return dict(rows)


def _kept(snapshot: Snapshot, copied: _Recorded) -> Kept | None:
    """A table that can be taken over; None when it has to be copied whole."""
    table = snapshot.table
    declared = {name: sql_type(dtype) for name, dtype in table.dtypes.items()}
    if list(copied.columns.items()) != list(declared.items()):
        return None
    changes = _changes(snapshot, copied)
    if changes is None:
        return None
    came, gone = changes
    changed = copied.changed + came.height
    if changed > MOST_CHANGED * snapshot.rows:
        return None
    keys = pl.concat([came, gone]).select(table.key).unique()
    return Kept(table, snapshot.rows, keys, came, changed)


def _changes(snapshot: Snapshot, then: _Recorded) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The rows that came and went since; None when they are many, or unknown."""
    if commit_digest(snapshot, then.version) != then.commit_digest:
        return None
    if not _has_few_changes(snapshot, then.version):
        return None
    try:
        return net_rows(snapshot.table, snapshot.change_feed(then.version))
    except FeedGoneError:
        return None


def _has_few_changes(snapshot: Snapshot, since: int) -> bool:
    """Whether the commits since a version have a change feed, and a small one.

    The feed of a table that was replaced has all of its rows twice.
    """
    if snapshot.version is None or not 0 <= snapshot.version - since <= _MOST_COMMITS:
        return False
    changed = 0
    for version in range(since + 1, snapshot.version + 1):
        entry = _log_entry(snapshot, version)
        if entry is None:
            return False
        actions = list(_actions(entry))
        operation = next((a["commitInfo"]["operation"] for a in actions if "commitInfo" in a), "")
        removes = any(a["remove"].get("dataChange", True) for a in actions if "remove" in a)
        if operation != "MERGE" and (operation != "WRITE" or removes):
            return False
        feed = [a["cdc"]["size"] for a in actions if "cdc" in a]
        added = [a["add"]["size"] for a in actions if "add" in a and a["add"].get("dataChange")]
        changed += sum(feed or added)
    return changed <= max(_SMALL_FEED, MOST_CHANGED * int(snapshot.files["size_bytes"].sum()))


def _log_entry(snapshot: Snapshot, version: int | None) -> bytes | None:
    if version is None or "://" in snapshot.uri:
        return None
    try:
        return Path(snapshot.uri, LOG, f"{version:020}.json").read_bytes()
    except OSError:
        return None


def _actions(entry: bytes) -> Iterator[dict[str, Any]]:
    yield from (json.loads(line) for line in entry.splitlines() if line.strip())


def _drop_others(connection: duckdb.DuckDBPyConnection, kept: Mapping[str, Kept]) -> None:
    for kind in ("view", "table"):
        names = connection.execute(
            f"SELECT schema_name, {kind}_name FROM duckdb_{kind}s()"  # noqa: S608 (own words)
            " WHERE database_name = 'c' AND NOT internal"
        ).fetchall()
        for schema, name in names:
            if f"{schema}/{name}" not in kept:
                connection.execute(f'DROP {kind} c."{schema}"."{name}"')


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, kept: Kept, folder: Path) -> bool:
    """Whether the table has the rows then that it must have, by their number."""
    name = f"c.{kept.table.layer}.{kept.table.name}"
    if kept.gone.height:
        gone, came = folder / "gone.parquet", folder / "came.parquet"
        kept.gone.write_parquet(gone)
        kept.came.select(kept.table.dtypes.keys()).write_parquet(came)
        is_same = " AND ".join(f'old."{column}" = gone."{column}"' for column in kept.table.key)
        connection.execute(
            f"DELETE FROM {name} AS old"  # noqa: S608 (own names)
            f" USING read_parquet('{escaped(str(gone))}') AS gone WHERE {is_same}"
        )
        connection.execute(
            f"INSERT INTO {name} SELECT * FROM read_parquet('{escaped(str(came))}')"  # noqa: S608
        )
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608
    return bool(rows == kept.rows)


def _in_microseconds(moment: datetime) -> int:
    # Naive moments of a catalogue are UTC.
    elapsed = moment.replace(tzinfo=None) - datetime(1970, 1, 1)
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
