"""silver/accounting in short: what became of each source's records, in all and lately.

Belongs here: sums of counts that silver has. Does not belong here: counting (see `accounting`).
"""

import polars as pl

FATES = ("records", "blank", "quarantined", "accepted", "duplicate", "superseded")
LATEST_DAYS = 30


def accounting_totals(accounting: pl.LazyFrame) -> pl.DataFrame:
    """One row per source, with the columns of meta/accounting."""
    return (
        accounting.group_by("source")
        .agg(
            pl.sum(*FATES),
            days=pl.len().cast(pl.Int64),
            first_day=pl.min("batch_day"),
            last_day=pl.max("batch_day"),
        )
        .sort("source")
        .collect()
    )


def latest_days(accounting: pl.LazyFrame, days: int = LATEST_DAYS) -> pl.DataFrame:
    """The rows of the latest batch days that any source has, with those of meta/accounting_days."""
    latest = accounting.select(pl.col("batch_day").unique()).sort("batch_day").tail(days)
    return (
        accounting.join(latest, on="batch_day", how="semi")
        .select("source", "batch_day", *FATES)
        .sort("batch_day", "source")
        .collect()
    )
