"""The DuckDB file that analysts and the report page read.

Belongs here: building it from the Delta tables, beside the old one, and putting it in its place
in one step; a reader keeps the file it has opened. Does not belong here: what it takes over from
the old one (`catalogue_base`), or what is asked of it.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from bridge_cart_assets.lake.catalogue_base import (
    Kept,
    commit_digest,
    kept_tables,
    mark_as_built,
    take_over,
    write_ahead_of,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.duckdb_types import escaped, sql_type
from bridge_cart_assets.lake.fence import UNMASKED
from bridge_cart_assets.lake.fsync import fsync_path
from bridge_cart_assets.lake.local_copies import copy_files, remove_unused
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.leftovers import leftover
from bridge_cart_assets.tables.table import Table

# Folder beside the catalogue: copies of what its views read, when the lake lies in a store.
COPIES = "copies"
# What a personal column says where it has a value.
_MASK = "…"
# Fewer rows are sorted as quickly as one finds out that they need not be.
_WORTH_LOOKING = 50_000


def build_catalogue(
    path: Path,
    lake: Lake,
    copied: Sequence[Table],
    viewed: Sequence[Table],
    others: Sequence[Table],
    run_id: str,
    finished_at: datetime,
    run_metadata: Iterable[tuple[Table, pl.DataFrame]] = (),
    zone: str = "UTC",
    *,
    takes_over: bool = True,
) -> int:
    """Build the catalogue and replace the old one.

    Args:
        path: the DuckDB file; written in the format of DuckDB 1.0, so that 1.1 opens it too.
        lake: where the tables lie.
        copied: tables that are copied in; their layer is the schema.
        viewed: tables that are seen through views on their files, likewise; on copies of them when
            the lake lies in a store.
        others: tables that `meta.tables` only lists.
        run_id: Dagster run that builds it.
        finished_at: when that was (UTC).
        run_metadata: small tables of the schema `meta` with their rows.
        zone: the time zone whose days these are.
        takes_over: whether tables may be brought up to date in a copy of the old file. In its
            free pages rows live on that are gone, so not while a person is erased.

    Returns:
        The number of rows copied.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    copies: list[Path] = []
    snapshots = lake.snapshots((*copied, *viewed, *others))
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".catalogue-") as folder,
        leftover(Path(folder)),
    ):
        new = Path(folder) / path.name
        kept = kept_tables(path, snapshots[: len(copied)]) if takes_over else {}
        if kept and not take_over(path, new, kept):
            kept = {}
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{escaped(str(new))}' AS c (STORAGE_VERSION 'v1.0.0')")
            # One transaction: each statement by itself would be written down by itself.
            connection.execute("BEGIN")
            layers = {table.layer for table in (*copied, *viewed)}
            for schema in sorted({*layers, "gold", "silver", "meta"}):
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS c.{schema}")
            rows = 0
            for snapshot in snapshots[: len(copied)]:
                if snapshot.table.path not in kept:
                    files, _ = _files_of(lake, snapshot, Path(folder))
                    rows += _copy(connection, snapshot, files)
                _comment(connection, "TABLE", snapshot.table)
            for snapshot in snapshots[len(copied) : len(copied) + len(viewed)]:
                files, fetched = _files_of(lake, snapshot, path.parent / COPIES)
                copies += fetched
                _view(connection, snapshot, files)
            # Raw tables say up to when they go themselves, which may be later than orders do.
            of_silver = [s.as_of for s in snapshots if s.as_of and s.table.layer == "silver"]
            as_of = max(of_silver, default=None)
            _describe(connection, snapshots, kept, (run_id, finished_at, as_of, zone))
            for table, frame in run_metadata:
                _note(connection, table, table.conform(frame))
            connection.execute("COMMIT")
            connection.execute("DETACH c")
        mark_as_built(new, finished_at)
        # What another program wrote to the old file and did not end would be done to the new one.
        write_ahead_of(path).unlink(missing_ok=True)
        # Forced like a commit: a run that says it is done is seen after a power cut too.
        fsync_path(new)
        os.replace(new, path)
        fsync_path(path.parent)
    remove_unused(path.parent / COPIES, copies)
    return rows + sum(one.came.height for one in kept.values())


def _files_of(lake: Lake, snapshot: Snapshot, folder: Path) -> tuple[list[str], list[Path]]:
    """The files of a table as DuckDB reads them; those of a store are copied into a folder."""
    if lake.is_local:
        return snapshot.file_uris, []
    copies = copy_files(lake, snapshot, folder)
    return [str(copy.absolute()) for copy in copies], copies


def _copy(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, files: Sequence[str]) -> int:
    table = snapshot.table
    name = f"c.{table.layer}.{table.name}"
    columns = ", ".join(f'"{n}" {sql_type(t)}' for n, t in table.dtypes.items())
    connection.execute(f"CREATE TABLE {name} ({columns})")
    if files:
        order = "" if _is_in_order(snapshot) else ", ".join(f'"{n}"' for n in table.key)
        by_key = f" ORDER BY {order}" if order else ""
        connection.execute(f"INSERT INTO {name} {_select(snapshot, files)}{by_key}")
    return snapshot.rows


def _is_in_order(snapshot: Snapshot) -> bool:
    """Whether the files have the rows in the order of the key already.

    Gold writes a row per customer in that order. To sort wide rows takes more than to look, and has
    them all in memory.
    """
    key = snapshot.table.key
    if len(key) > 1 or snapshot.rows < _WORTH_LOOKING:
        return False
    return bool(snapshot.scan().select(key).collect().to_series().is_sorted())


def _view(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, files: Sequence[str]) -> None:
    table = snapshot.table
    if files:
        select = _select(snapshot, files)
    else:
        nulls = ", ".join(f'NULL::{sql_type(t)} AS "{n}"' for n, t in table.dtypes.items())
        select = f"SELECT {nulls} WHERE false"
    connection.execute(f"CREATE VIEW c.{table.layer}.{table.name} AS {_masked(table, select)}")
    _comment(connection, "VIEW", table)


def _masked(table: Table, select: str) -> str:
    """A question whose personal columns say only whether there is a value, unless asked for."""
    if not table.masked:
        return select
    asked = f"coalesce(try_cast(getvariable('{UNMASKED}') AS BOOLEAN), false)"
    shown = ", ".join(
        f"""CASE WHEN {asked} OR "{n}" IS NULL THEN "{n}" ELSE '{_MASK}' END AS "{n}\""""
        if n in table.masked
        else f'"{n}"'
        for n in table.dtypes
    )
    return f"SELECT {shown} FROM ({select})"  # noqa: S608 (own names)


def _select(snapshot: Snapshot, files: Iterable[str]) -> str:
    table = snapshot.table
    names = ", ".join(f'"{name}"' for name in table.dtypes)
    listed = ", ".join(f"'{escaped(uri)}'" for uri in files)
    options = "hive_partitioning = false"
    if table.partition_by:
        types = ", ".join(f"{n}: {sql_type(table.dtypes[n])}" for n in table.partition_by)
        options = f"hive_partitioning = true, hive_types = {{{types}}}"
    if not snapshot.has_added_columns:
        return f"SELECT {names} FROM read_parquet([{listed}], {options})"  # noqa: S608 (own names)
    # Some files, or all, lack columns that the table got later.
    nulls = ", ".join(f'NULL::{sql_type(t)} AS "{n}"' for n, t in table.dtypes.items())
    return (
        f"SELECT {names} FROM (SELECT {nulls} WHERE false UNION ALL BY NAME "  # noqa: S608
        f"SELECT * FROM read_parquet([{listed}], {options}, union_by_name = true))"
    )


def _describe(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Sequence[Snapshot],
    kept: Mapping[str, Kept],
    run: tuple[str, datetime, date | None, str],
) -> None:
    connection.execute(
        "CREATE TABLE c.meta.tables (layer VARCHAR, name VARCHAR, version BIGINT, as_of DATE,"
        " rows BIGINT, description VARCHAR, commit_digest VARCHAR, rows_changed BIGINT)"
    )
    rows = [
        (
            *(s.table.layer, s.table.name, s.version, s.as_of, s.rows, s.table.description),
            None if s.table.layer == "raw" else commit_digest(s),
            kept[s.table.path].changed if s.table.path in kept else 0,
        )
        for s in snapshots
    ]
    connection.executemany("INSERT INTO c.meta.tables VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    run_id, finished_at, as_of, zone = run
    connection.execute(
        "CREATE TABLE c.meta.run (run_id VARCHAR, finished_at TIMESTAMP, as_of DATE,"
        " timezone VARCHAR)"
    )
    connection.execute(
        "INSERT INTO c.meta.run VALUES (?, ?, ?, ?)",
        [run_id, finished_at.replace(tzinfo=None), as_of, zone],
    )


def _note(connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame) -> None:
    name = f"c.{table.layer}.{table.name}"
    columns = ", ".join(f'"{n}" {sql_type(t)}' for n, t in table.dtypes.items())
    connection.execute(f"CREATE TABLE {name} ({columns})")
    if rows.height:  # column by column: one statement, where executemany has one per row
        values = ", ".join(["unnest(?)"] * rows.width)
        connection.execute(
            f"INSERT INTO {name} SELECT {values}",
            [column.to_list() for column in rows],
        )
    _comment(connection, "TABLE", table)


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, table: Table) -> None:
    name = f"c.{table.layer}.{table.name}"
    statements = [f"COMMENT ON {kind} {name} IS '{escaped(table.description)}'"]
    for column in table.columns:
        meaning = escaped(table.meaning(column))
        statements.append(f"COMMENT ON COLUMN {name}.\"{column}\" IS '{meaning}'")
    connection.execute(";".join(statements))
