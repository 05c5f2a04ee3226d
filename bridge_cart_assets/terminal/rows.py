"""AnswerRows of an answer as a table, as CSV or as JSON."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge_cart_assets.lake.csv_cells import guarded
from bridge_cart_assets.lake.query import Answer, AnswerRows, QueryRefusedError
from bridge_cart_assets.terminal.escaping import printable

# A table is laid out by all its rows; more than these are not read.
MOST_ROWS = 100_000
# What JSON may have as it is and a terminal may obey.
_OBEYED = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def print_rows(rows: AnswerRows, form: str, console: Console) -> None:
    """Print an answer; `form` is table, csv or json.

    Raises:
        QueryRefusedError: a table would have more than MOST_ROWS rows.
    """
    if form == "csv":
        _print_csv(rows)
    elif form == "json":
        _print_json(rows)
    else:
        found: list[tuple[Any, ...]] = []
        for batch in rows.batches:
            found += batch
            if len(found) > MOST_ROWS:
                raise QueryRefusedError(
                    f"more than {MOST_ROWS:,} rows: ask with LIMIT, or with --format csv"
                )
        console.print(table_of(Answer(rows.columns, found)))


def table_of(answer: Answer) -> Table:
    """An answer as a table; numbers to the right."""
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(answer.columns):
        numeric = any(isinstance(row[index], (int, float, Decimal)) for row in answer.rows)
        justify = "right" if numeric else "left"
        table.add_column(Text(printable(name)), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in answer.rows:
        # As text of its own: what stands in brackets is no mark-up.
        table.add_row(*(Text(printable(str(_plain(value, "–")))) for value in row))
    return table


def _print_csv(rows: AnswerRows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    # A file has the values as they are; a terminal shows them.
    show = printable if sys.stdout.isatty() else str

    def cells(values: Sequence[Any]) -> Iterable[Any]:
        return (show(guarded(v)) if isinstance(v, str) else v for v in values)

    writer.writerow(cells(rows.columns))
    for batch in rows.batches:
        writer.writerows(cells([_plain(v, "") for v in row]) for row in batch)


def _print_json(rows: AnswerRows) -> None:
    between = "["
    for batch in rows.batches:
        for row in batch:
            record = dict(zip(rows.columns, row, strict=True))
            text = json.dumps(record, default=_jsonable, ensure_ascii=False)
            sys.stdout.write(between + _OBEYED.sub(lambda c: f"\\u{ord(c[0]):04x}", text))
            between = ", "
    print("[]" if between == "[" else "]")


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
