"""Records as sources conform them: the contract's columns as strings, and where they came from."""

from collections.abc import Iterable
from datetime import date

import polars as pl

from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PURCHASE_COLUMNS

DAY = date(2024, 3, 10)
_PURCHASE: dict[str, str | None] = {
    "order_id": "O1",
    "customer_id": "C1",
    "purchase_date": "2024-03-09",
    "purchase_amount": "10.00",
}


def order_lines(*fields: dict[str, str | None], day: date = DAY) -> pl.LazyFrame:
    """Order lines with all required values, but for what is said of each."""
    return _records("purchases", PURCHASE_COLUMNS, [_PURCHASE | f for f in fields], day)


def profiles(*fields: dict[str, str | None], day: date = DAY) -> pl.LazyFrame:
    """Profile records of customer C1, but for what is said of each."""
    profile: dict[str, str | None] = {"customer_id": "C1"}
    rows = [profile | f for f in fields]
    return _records("customers", CUSTOMER_COLUMNS, rows, day)


def _records(
    source: str, columns: Iterable[str], rows: list[dict[str, str | None]], day: date
) -> pl.LazyFrame:
    own = dict.fromkeys(columns, pl.String)
    assert all(row.keys() <= own.keys() for row in rows)
    return (
        pl.LazyFrame(rows, schema=own)
        .with_row_index("_pos", offset=1)
        .with_columns(
            _source=pl.lit(source),
            _object=pl.lit("day.csv"),
            _pos=pl.col("_pos").cast(pl.Int64),
            _fingerprint=pl.lit("f" * 64),
            _batch_day=pl.lit(day),
            _item=pl.lit(1, dtype=pl.Int64),
        )
    )
