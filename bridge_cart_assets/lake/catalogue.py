"""The DuckDB file that analysts and the report page read.

Belongs here: building it from the Delta tables, beside the old one, and putting it in its place
in one step; a reader keeps the file it has opened. Does not belong here: what is asked of it.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.leftovers import leftover
from bridge_cart_assets.tables.table import Table

_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}


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
) -> int:
    """Build the catalogue and replace the old one.

    Args:
        path: the DuckDB file; written in the format of DuckDB 1.0, so that 1.1 opens it too.
        lake: where the tables lie.
        copied: tables that are copied in; their layer is the schema.
        viewed: tables that are seen through views on their files, likewise.
        others: tables that `meta.tables` only lists.
        run_id: Dagster run that builds it.
        finished_at: when that was (UTC).
        run_metadata: small tables of the schema `meta` with their rows.
        zone: the time zone whose days these are.

    Returns:
        The number of rows copied.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".catalogue-") as folder,
        leftover(Path(folder)),
    ):
        new = Path(folder) / path.name
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{_quoted(str(new))}' AS c (STORAGE_VERSION 'v1.0.0')")
            # One transaction: each statement by itself would be written down by itself.
            connection.execute("BEGIN")
            layers = {table.layer for table in (*copied, *viewed)}
            for schema in sorted({*layers, "gold", "silver", "meta"}):
                connection.execute(f"CREATE SCHEMA c.{schema}")
            snapshots = [lake.snapshot(table) for table in (*copied, *viewed, *others)]
            rows = 0
            for snapshot in snapshots[: len(copied)]:
                rows += _copy(connection, snapshot, Path(folder), lake.is_local)
            if lake.is_local:
                for snapshot in snapshots[len(copied) : len(copied) + len(viewed)]:
                    _view(connection, snapshot)
            # Raw tables say up to when they go themselves, which may be later than orders do.
            of_silver = [s.as_of for s in snapshots if s.as_of and s.table.layer == "silver"]
            as_of = max(of_silver, default=None)
            _describe(connection, snapshots, (run_id, finished_at, as_of, zone))
            for table, frame in run_metadata:
                _note(connection, table, table.conform(frame))
            connection.execute("COMMIT")
            connection.execute("DETACH c")
        os.replace(new, path)
    return rows


def _copy(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, folder: Path, is_local: bool
) -> int:
    table = snapshot.table
    name = f"c.{table.layer}.{table.name}"
    columns = ", ".join(f'"{n}" {_sql_type(t)}' for n, t in table.dtypes.items())
    connection.execute(f"CREATE TABLE {name} ({columns})")
    files = snapshot.file_uris
    if files and not is_local:
        # DuckDB's own readers of object stores are extensions that may not be at hand.
        copy = folder / f"{table.name}.parquet"
        snapshot.read().write_parquet(copy)
        files = [str(copy)]
    if files:
        order = ", ".join(f'"{n}"' for n in table.key)
        connection.execute(f"INSERT INTO {name} {_select(table, files)} ORDER BY {order}")
    _comment(connection, "TABLE", table)
    return snapshot.rows


def _view(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    table = snapshot.table
    if snapshot.file_uris:
        select = _select(table, snapshot.file_uris)
    else:
        nulls = ", ".join(f'NULL::{_sql_type(t)} AS "{n}"' for n, t in table.dtypes.items())
        select = f"SELECT {nulls} WHERE false"
    connection.execute(f"CREATE VIEW c.{table.layer}.{table.name} AS {select}")
    _comment(connection, "VIEW", table)


def _select(table: Table, files: Iterable[str]) -> str:
    names = ", ".join(f'"{name}"' for name in table.dtypes)
    listed = ", ".join(f"'{_quoted(uri)}'" for uri in files)
    options = "hive_partitioning = false"
    if table.partition_by:
        types = ", ".join(f"{n}: {_sql_type(table.dtypes[n])}" for n in table.partition_by)
        options = f"hive_partitioning = true, hive_types = {{{types}}}"
    return f"SELECT {names} FROM read_parquet([{listed}], {options})"  # noqa: S608 (own names)


def _describe(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Sequence[Snapshot],
    run: tuple[str, datetime, date | None, str],
) -> None:
    connection.execute(
        "CREATE TABLE c.meta.tables (layer VARCHAR, name VARCHAR, version BIGINT, as_of DATE,"
        " rows BIGINT, description VARCHAR)"
    )
    connection.executemany(
        "INSERT INTO c.meta.tables VALUES (?, ?, ?, ?, ?, ?)",
        [
            (s.table.layer, s.table.name, s.version, s.as_of, s.rows, s.table.description)
            for s in snapshots
        ],
    )
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
    columns = ", ".join(f'"{n}" {_sql_type(t)}' for n, t in table.dtypes.items())
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
    statements = [f"COMMENT ON {kind} {name} IS '{_quoted(table.description)}'"]
    for column in table.columns:
        meaning = _quoted(table.meaning(column))
        statements.append(f"COMMENT ON COLUMN {name}.\"{column}\" IS '{meaning}'")
    connection.execute(";".join(statements))


def _sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"  # type: ignore[arg-type]
    return _TYPES[type(dtype)]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
