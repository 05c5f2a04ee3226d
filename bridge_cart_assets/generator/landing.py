"""The files that the shop drops into the landing zone, a day at a time.

Belongs here: tidy records as text, and putting a finished file in its
place. Does not belong here: what the records say.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PURCHASE_COLUMNS

CUSTOMERS, PURCHASES = "customers", "purchases"
COLUMNS = {CUSTOMERS: tuple(CUSTOMER_COLUMNS), PURCHASES: tuple(PURCHASE_COLUMNS)}


def as_text(records: pl.DataFrame, source: str) -> pl.DataFrame:
    """The columns that land, as text, with `_day` (of the file, ascending) and `_stands`.

    A record stands when it is the last one of its key: a copy of it is a duplicate, where a copy
    of another one is merely outdated.
    Where the records have a column `x_written`, it is how x is written down in the file.
    Moments are `2024-01-05T14:03:22`, days `2024-01-05`, money `1234.50`, flags true and false.
    """
    stands = pl.col("stands") if "stands" in records.columns else pl.lit(True)
    return records.select(
        *(_text(name, records.schema) for name in COLUMNS[source]),
        _day="batch_day",
        _stands=stands,
    )


def plain_line(columns: Sequence[str]) -> pl.Expr:
    """The line of a record none of whose texts needs quotes: tidy ones do not."""
    return pl.concat_str(columns, separator=",")


def quoted_line(columns: Sequence[str]) -> pl.Expr:
    """The line of any record, with quotes where CSV asks for them (RFC 4180)."""
    return pl.concat_str([_quoted(column) for column in columns], separator=",")


def by_day(records: pl.DataFrame) -> dict[date, str]:
    """The lines of each `_day`, one under the other."""
    lines = pl.col("line").str.join("\n") + "\n"
    return dict(records.group_by("_day", maintain_order=True).agg(lines).iter_rows())


def land(file: Path, source: str, lines: str) -> None:
    """Write a file under a name that readers pass over, then give it its own."""
    unfinished = file.with_name(f"{file.name}.tmp")
    header = ",".join(COLUMNS[source]) + "\n"
    unfinished.write_bytes((header + lines).encode())
    os.replace(unfinished, file)


def _text(name: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    if isinstance(schema[name], pl.Datetime):
        return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S")
    if f"{name}_written" in schema:
        return pl.col(f"{name}_written").alias(name)
    return pl.col(name).cast(pl.String)


def _quoted(column: str) -> pl.Expr:
    text = pl.col(column).fill_null("")
    quoted = pl.lit('"') + text.str.replace_all('"', '""', literal=True) + '"'
    return pl.when(text.str.contains(r'[,"\r\n]')).then(quoted).otherwise(text)
