"""A summary of silver/accounting: the outcomes of each source's records, in all and lately.

Belongs here: sums of counts that silver has. Does not belong here: counting (see `accounting`).
"""

from collections.abc import Iterable

import polars as pl

FATES = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")
LATEST_DAYS = 30


def accounting_totals(accounting: pl.LazyFrame, order_sources: Iterable[str]) -> pl.DataFrame:
    """One row per source, with the columns of meta/accounting.

    Args:
        accounting: rows of silver/accounting.
        order_sources: the sources that bring orders.

    >>> from datetime import date
    >>> from bridge_cart_assets.tables.silver import ACCOUNTING
    >>> counts = [
    ...     {"source": "purchases", "batch_day": date(2024, 1, 1), "records": 3, "accepted": 2},
    ...     {"source": "purchases", "batch_day": date(2024, 1, 5), "records": 1, "accepted": 1},
    ... ]
    >>> totals = accounting_totals(pl.LazyFrame(counts, schema=ACCOUNTING.dtypes), ["purchases"])
    >>> totals.select("records", "accepted", "days", "brings_orders").rows()
    [(4, 3, 2, True)]
    """
    return (
        accounting.group_by("source")
        .agg(
            pl.sum(*FATES),
            days=pl.len().cast(pl.Int64),
            first_day=pl.min("batch_day"),
            last_day=pl.max("batch_day"),
        )
        .with_columns(brings_orders=pl.col("source").is_in(list(order_sources)))
        .sort("source")
        .collect()
    )


def latest_days(accounting: pl.LazyFrame, days: int = LATEST_DAYS) -> pl.DataFrame:
    """The rows of the latest batch days of all sources, with the columns of meta/accounting_days.

    A day counts when any source has it.

    >>> from datetime import date
    >>> from bridge_cart_assets.tables.silver import ACCOUNTING
    >>> counts = [
    ...     {"source": "customers", "batch_day": date(2024, 1, 1), "records": 3},
    ...     {"source": "purchases", "batch_day": date(2024, 1, 2), "records": 1},
    ... ]
    >>> days = latest_days(pl.LazyFrame(counts, schema=ACCOUNTING.dtypes), days=1)
    >>> days["source"].to_list()
    ['purchases']
    """
    latest = accounting.select(pl.col("batch_day").unique()).sort("batch_day").tail(days)
    return (
        accounting.join(latest, on="batch_day", how="semi")
        .select("source", "batch_day", *FATES)
        .sort("batch_day", "source")
        .collect()
    )
