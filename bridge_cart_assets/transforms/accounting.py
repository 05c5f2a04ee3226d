"""The outcomes of all records, counted; no count is derived by subtraction.

Belongs here: counts per batch day. Does not belong here: the verdicts that are counted
(`cleaning`, `folding`).
"""

import polars as pl


def account(
    source: str,
    raw: pl.LazyFrame,
    quarantine: pl.LazyFrame,
    current: pl.LazyFrame,
    superseded: pl.LazyFrame,
) -> pl.DataFrame:
    """Count a source's records on some batch days by outcome.

    Args:
        source: the source.
        raw: its raw records of these days.
        quarantine: its rows of silver/quarantine of these days.
        current: its rows of the silver table that it feeds, of these days.
        superseded: its accepted records of these days that do not stand.

    Returns:
        The columns of silver/accounting, one row per batch day that has raw records.

    >>> from datetime import date
    >>> day = pl.LazyFrame({"batch_day": [date(2024, 1, 1)]})
    >>> raw = pl.LazyFrame({"_status": ["ok", "ok", "ok", "blank"], "_batch_day": date(2024, 1, 1)})
    >>> duplicates = day.with_columns(fate=pl.lit("duplicate"))
    >>> counts = account("purchases", raw, quarantine=day, current=day, superseded=duplicates)
    >>> counts.select("records", "blank", "quarantined", "accepted", "duplicate").rows()
    [(4, 1, 1, 1, 1)]
    """
    records = raw.group_by(batch_day="_batch_day").agg(
        records=pl.len().cast(pl.Int64), blank=_count(pl.col("_status") == "blank")
    )
    counts = (
        _per_day(quarantine, quarantined=pl.len().cast(pl.Int64)),
        _per_day(current, accepted=pl.len().cast(pl.Int64)),
        _per_day(
            superseded,
            duplicate=_count(pl.col("fate") == "duplicate"),
            superseded=_count(pl.col("fate") == "superseded"),
        ),
    )
    for count in counts:
        records = records.join(count, on="batch_day", how="left")
    return (
        records.with_columns(source=pl.lit(source))
        .with_columns(pl.col(pl.Int64).fill_null(0))
        .sort("batch_day")
        .collect()
    )


def _per_day(frame: pl.LazyFrame, **counts: pl.Expr) -> pl.LazyFrame:
    return frame.group_by("batch_day").agg(**counts)


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)
