"""Small catalogues for the tests of the report page, in the form that a run leaves behind."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import sin
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from bridge_cart_assets.reports.catalogue import Catalogue, CatalogueFile
from bridge_cart_assets.tables.gold import TABLES
from bridge_cart_assets.tables.table import Table

AS_OF = date(2024, 7, 28)
FINISHED = datetime(2024, 7, 29, 10, 48, 12)
NAMES = {1: "High-Value", 2: "Growth", 3: "Regular", 4: "Occasional"}

Row = Mapping[str, Any]

_SQL_TYPES = {
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Decimal: "DECIMAL(18,2)",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMPTZ",
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
}
_BLANK = {
    "BIGINT": 0,
    "DOUBLE": 0.0,
    "DECIMAL(18,2)": 0,
    "DATE": AS_OF,
    "VARCHAR": "",
    "BOOLEAN": False,
}


@contextmanager
def open_catalogue(path: Path) -> Iterator[Catalogue]:
    """The catalogue at a path, for one purpose; the file is let go at once."""
    file = CatalogueFile(path)
    try:
        with file.opened() as catalogue:
            yield catalogue
    finally:
        file.close()


def write_catalogue(
    path: Path,
    gold: Mapping[str, Iterable[Row]],
    *,
    run: tuple[str, datetime, date | None] | None = ("run-0001", FINISHED, AS_OF),
    tables: Iterable[Table] = TABLES,
) -> Path:
    """Write all tables, those not named without rows, and put the file into place at once.

    Columns that a row leaves out are null, or zero, blank or as_of where null is not allowed.
    """
    unfinished = path.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        quoted = str(unfinished).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS c (STORAGE_VERSION 'v1.0.0')")
        connection.execute("USE c")
        connection.execute("CREATE SCHEMA gold")
        connection.execute("CREATE SCHEMA meta")
        connection.execute(
            "CREATE TABLE meta.tables (layer VARCHAR, name VARCHAR, version BIGINT, as_of DATE, "
            "rows BIGINT, description VARCHAR)"
        )
        connection.execute(
            "CREATE TABLE meta.run (run_id VARCHAR, finished_at TIMESTAMP, as_of DATE, "
            "timezone VARCHAR)"
        )
        if run:
            connection.execute("INSERT INTO meta.run VALUES (?, ?, ?, ?)", [*run, "UTC"])
        for table in tables:
            rows = list(gold.get(table.name, ()))
            _create(connection, table, rows)
            connection.execute(
                "INSERT INTO meta.tables VALUES ('gold', ?, 7, ?, ?, ?)",
                (table.name, run[2] if run else None, len(rows), table.description),
            )
    os.replace(unfinished, path)
    return path


def _create(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[Row]) -> None:
    types = {name: _sql_type(dtype) for name, dtype in table.dtypes.items()}
    columns = ", ".join(f'"{name}" {sql_type}' for name, sql_type in types.items())
    connection.execute(f"CREATE TABLE gold.{table.name} ({columns})")
    if rows:  # column by column: one statement, where executemany takes a second
        connection.execute(
            f"INSERT INTO gold.{table.name} SELECT {', '.join(['unnest(?)'] * len(types))}",
            [[_value(table, types, row, name) for row in rows] for name in types],
        )


def _value(table: Table, types: Mapping[str, str], row: Row, name: str) -> object:
    if name in row or name not in table.not_null:
        return row.get(name)
    return [] if types[name].endswith("[]") else _BLANK[types[name]]


def _sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"{_SQL_TYPES[type(dtype.inner)]}[]"  # type: ignore[index]
    return _SQL_TYPES[type(dtype)]


def shop(days: int = 211, segments: Iterable[int] = (1, 2, 3, 4)) -> dict[str, list[Row]]:
    """A shop with a history of so many days up to AS_OF, every figure different from the next."""
    history = [AS_OF - timedelta(days=back) for back in range(days - 1, -1, -1)]
    return {
        "kpis_daily": [kpi_day(day, number) for number, day in enumerate(history)],
        "segment_metrics": [
            version for segment in segments for version in segment_versions(segment, history)
        ],
        "customer_value": [
            {"customer_id": f"C{n:04}", "as_of": AS_OF, "historic_clv": Decimal(f"{44 * n}.37")}
            for n in range(60)
        ],
    }


def kpi_day(day: date, number: int) -> Row:
    """The KPIs of the n-th day of a shop; its rates are null while their base is empty."""
    wave = sin(number / 9) + 0.4 * sin(number / 2.3)
    revenue_new = Decimal(round(90_000 + 30_000 * wave + 75 * number)) / 100
    revenue_returning = Decimal(round(160_000 + 52_000 * wave + 1100 * number)) / 100
    return {
        "day": day,
        "new_customers": 7 + number % 5,
        "revenue": revenue_new + revenue_returning,
        "revenue_new": revenue_new,
        "revenue_returning": revenue_returning,
        "customers_total": 1200 + 61 * number,
        "revenue_90d": Decimal(24_000_000 + 61_537 * number + round(900_000 * wave)) / 100,
        "orders_90d": 2000 + 3 * number,
        "aov_90d": 117.0 + number / 41 + 3 * wave,
        "churn_base_90d": 0 if number < 90 else 800,
        "churn_rate_90d": None if number < 90 else 0.43 + number / 7_000 + 0.01 * wave,
        "repeat_purchase_rate": 0.61 + number / 2_000 + 0.004 * wave,
    }


def segment_versions(segment: int, history: list[date]) -> list[Row]:
    """A segment's figures, with a new version every seventh day."""
    starts = history[::7]
    ends = [*starts[1:], None]
    drift = (-0.0011, -0.0032, -0.0019, 0.0024)[(segment - 1) % 4]
    share = (0.471, 0.296, 0.19, 0.043)[(segment - 1) % 4]
    return [
        {
            "segment_id": segment,
            "segment_name": NAMES.get(segment, f"Segment {segment}"),
            "customers": 590 * segment + (9 - 2 * segment) * week,
            "avg_clv": Decimal(455_000 // segment**2 + 811 * week) / 100,
            "churn_rate": 0.11 + 0.14 * (segment - 1) + drift * week + 0.006 * sin(week + segment),
            "aov": Decimal(16_837 // segment + 5 * week) / 100,
            "segment_contribution": share + 0.0001 * week,
            "valid_from": start,
            "valid_to": end,
            "is_current": end is None,
        }
        for week, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
