"""Rows of an answer as a table, as CSV or as JSON."""

import csv
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge_cart_assets.lake.query import Answer


def print_rows(answer: Answer, form: str, console: Console) -> None:
    """Print an answer; `form` is table, csv or json."""
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([_plain(v, "") for v in row] for row in answer.rows)
    elif form == "json":
        records = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        print(json.dumps(records, default=_jsonable, ensure_ascii=False))
    else:
        console.print(table_of(answer))


def table_of(answer: Answer) -> Table:
    """An answer as a table; numbers to the right."""
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(answer.columns):
        numeric = any(isinstance(row[index], (int, float, Decimal)) for row in answer.rows)
        table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
    for row in answer.rows:
        # As text of its own: what stands in brackets is no mark-up.
        table.add_row(*(Text(str(_plain(value, "–"))) for value in row))
    return table


def _plain(value: Any, null: str) -> Any:
    if value is None:
        return null
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, float):
        return f"{value:.10g}"
    return value


def _jsonable(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)
