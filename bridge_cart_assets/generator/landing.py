"""The files that the shop drops into the landing zone, a day at a time.

Belongs here: the columns of the files, tidy records as text, and putting a finished file in its
place. Does not belong here: what the records say.
"""

import os
from pathlib import Path

import polars as pl

CUSTOMERS, PURCHASES = "customers", "purchases"
COLUMNS = {
    CUSTOMERS: (
        *("customer_id", "name", "email", "mobile", "gender", "age", "income", "city", "country"),
        *("signup_date", "updated_at"),
    ),
    PURCHASES: (
        *("order_id", "line_number", "customer_id", "purchase_date", "purchase_amount"),
        *("discount_amount", "coupon_used", "payment_method", "product_category", "quantity"),
        *("status", "updated_at"),
    ),
}


def as_text(records: pl.DataFrame, source: str) -> pl.DataFrame:
    """The columns that land, as text; `_day` (of the file) and `_stands` beside them.

    Moments are `2024-01-05T14:03:22`, days `2024-01-05`, money `1234.50`, flags true and false.
    """
    return records.select(
        *(_text(name, records.schema[name]) for name in COLUMNS[source]),
        _day="batch_day",
        _stands="stands",
    )


def land(folder: Path, name: str, records: pl.DataFrame) -> None:
    """Write a CSV file under a name that readers pass over, then give it its own."""
    unfinished = folder / f"{name}.tmp"
    records.write_csv(unfinished)
    os.replace(unfinished, folder / name)


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S")
    return pl.col(name).cast(pl.String)
