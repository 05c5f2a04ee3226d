"""A gold table as CSV, safe to open in a spreadsheet.

Belongs here: how a cell is written. Does not belong here: which tables may be exported (that is
`tables.gold.TABLES`, see `endpoints`), or the tables of pages (see `tables`).
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime

import polars as pl

from bridge_cart_assets.lake.csv_cells import guarded
from bridge_cart_assets.reports.catalogue import CatalogueFile
from bridge_cart_assets.tables.table import Table

# Rows that are fetched from DuckDB, and written as CSV, at a time.
FETCH_ROWS = 5_000


def csv_lines(catalogue: CatalogueFile, table: Table) -> Iterator[str]:
    """The table as pieces of CSV: a header, then rows in the order of their key.

    Raises:
        NoCatalogueError, UnreadableCatalogueError: at the first piece.
    """
    columns = ", ".join(_selected(name, dtype) for name, dtype in table.dtypes.items())
    order = ", ".join(_quoted(name) for name in table.key)
    sql = f"SELECT {columns} FROM gold.{_quoted(table.name)} ORDER BY {order}"  # noqa: S608
    with catalogue.opened() as opened:
        result = opened.connection.execute(sql)
        yield csv_text([tuple(table.dtypes)])
        while rows := result.fetchmany(FETCH_ROWS):
            yield csv_text([tuple(cell(value) for value in row) for row in rows])


def cell(value: object) -> str:
    """One value as CSV text; text that a spreadsheet would run gets a leading apostrophe.

    >>> [cell(v) for v in (None, True, -1.5, date(2024, 5, 1), "-1.5", "=1+1", [0.5, 1.0])]
    ['', 'true', '-1.5', '2024-05-01', '-1.5', "'=1+1", '[0.5, 1.0]']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return json.dumps(value)
    return guarded(value) if isinstance(value, str) else str(value)


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows of finished cells as CSV text."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _selected(name: str, dtype: pl.DataType) -> str:
    # DuckDB hands out a timestamp with a zone only where pytz is installed, and casts it to the
    # time of the machine.
    if isinstance(dtype, pl.Datetime):
        return f"make_timestamp(epoch_us({_quoted(name)})) AS {_quoted(name)}"
    return _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
