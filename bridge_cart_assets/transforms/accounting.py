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
    lines: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Count a source's records on some batch days by outcome.

    Args:
        source: the source.
        raw: its raw records of these days.
        quarantine: its rows of silver/quarantine of these days.
        current: its rows of the silver table that it feeds, of these days.
        superseded: its accepted records of these days that do not stand.
        lines: where one record holds several lines, or none: `_batch_day`, `_fingerprint` and
            `_pos` of each line. Then lines are counted, and a record without one is blank.

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
        records=pl.len().cast(pl.Int64),
        blank=_count(pl.col("_status") == "blank"),
        raw_records=pl.len().cast(pl.Int64),
    )
    if lines is not None:
        records = _with_lines(records, raw, lines.lazy())
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


def _with_lines(records: pl.LazyFrame, raw: pl.LazyFrame, lines: pl.LazyFrame) -> pl.LazyFrame:
    """The counts of records with each readable record counted by its lines."""
    is_ok = pl.col("_status") == "ok"
    unread = raw.group_by(batch_day="_batch_day").agg(unread=_count(~is_ok))
    without = raw.filter(is_ok).join(lines, on=["_fingerprint", "_pos"], how="anti")
    counts = (
        unread,
        lines.group_by(batch_day="_batch_day").agg(lines=pl.len().cast(pl.Int64)),
        without.group_by(batch_day="_batch_day").agg(without=pl.len().cast(pl.Int64)),
    )
    for count in counts:
        records = records.join(count, on="batch_day", how="left")
    found = records.with_columns(pl.col("unread", "lines", "without").fill_null(0))
    return found.with_columns(
        records=pl.col("unread") + pl.col("lines") + pl.col("without"),
        blank=pl.col("blank") + pl.col("without"),
    ).drop("unread", "lines", "without")


def _per_day(frame: pl.LazyFrame, **counts: pl.Expr) -> pl.LazyFrame:
    return frame.group_by("batch_day").agg(**counts)


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)
