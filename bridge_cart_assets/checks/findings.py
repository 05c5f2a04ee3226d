"""What is wrong with a table's rows, as pure functions of frames.

Belongs here: keys, intervals, sums and ranges. Does not belong here: Dagster, or where the rows
come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from bridge_cart_assets.thresholds import Thresholds
from bridge_cart_assets.partitions import DayRange
from bridge_cart_assets.tables.table import Table

Shown = int | float | str | bool


@dataclass(frozen=True)
class Finding:
    """The verdict of one check.

    Attributes:
        passed: whether all is well.
        says: one sentence with the figures.
        figures: the figures by name.
    """

    passed: bool
    says: str
    figures: Mapping[str, Shown] = field(default_factory=dict)


def keys(table: Table, rows: pl.LazyFrame) -> Finding:
    """Keys are unique and not null."""
    key = list(table.key)
    nulls = rows.select(pl.any_horizontal(pl.col(key).is_null()).sum()).collect().item()
    repeated = rows.group_by(key).len().filter(pl.col("len") > 1).collect()
    says = f"{nulls:,} rows with a null in the key, {repeated.height:,} keys more than once"
    if repeated.height:
        says += f", for instance {repeated.select(key).row(0, named=True)}"
    return Finding(
        not nulls and not repeated.height,
        says,
        {"null_keys": nulls, "repeated_keys": repeated.height},
    )


def columns_as_before(drift: pl.DataFrame, since: date, days: DayRange) -> Finding:
    """Files of these days have the columns that were expected.

    Args:
        drift: of one source: column, kind (unknown or missing), first_day on which a file was so.
        since: batch day of the source's first file; what it never had is not missed.
        days: the days that are looked at.
    """
    new = drift.filter(
        pl.col("first_day").is_between(days.first, days.last)
        & ((pl.col("kind") == "unknown") | (pl.col("first_day") > since))
    )
    names = {
        kind: new.filter(pl.col("kind") == kind)["column"].to_list()
        for kind in ("unknown", "missing")
    }
    says = [
        f"unknown, kept in _rescued: {', '.join(names['unknown'])}" if names["unknown"] else "",
        f"missing, null from now on: {', '.join(names['missing'])}" if names["missing"] else "",
    ]
    return Finding(
        not new.height,
        "; ".join(filter(None, says)) or "as before",
        {"unknown": len(names["unknown"]), "missing": len(names["missing"])},
    )


def intervals(table: Table, rows: pl.LazyFrame) -> Finding:
    """SCD2 intervals touch, do not overlap, and one row per living key is current.

    Only a segment may have no current row: one that was retired.
    """
    owner = list(table.interval_of)
    ordered = rows.sort(*owner, "valid_from").with_columns(
        _next=pl.col("valid_from").shift(-1).over(owner)
    )
    torn = pl.col("_next").is_not_null() & pl.col("valid_to").ne_missing(pl.col("_next"))
    empty = pl.col("valid_to") <= pl.col("valid_from")
    marked = pl.col("is_current") != pl.col("valid_to").is_null()
    currents = rows.group_by(owner).agg(n=pl.col("is_current").sum())
    allowed = [0, 1] if table.path == "gold/segment_metrics" else [1]
    counted = (
        ordered.select(torn=torn.sum(), empty=empty.sum(), mismarked=marked.sum())
        .collect()
        .row(0, named=True)
    )
    wrong = currents.filter(~pl.col("n").is_in(allowed)).select(pl.len()).collect().item()
    figures: dict[str, Shown] = {**counted, "keys_without_one_current_row": wrong}
    says = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in figures.items())
    return Finding(not any(figures.values()), says, figures)


def balance(accounting: pl.DataFrame) -> Finding:
    """records = blank + quarantined + accepted + duplicate + superseded, in every row."""
    parts = ("blank", "quarantined", "accepted", "duplicate", "superseded")
    off = accounting.filter(pl.col("records") != pl.sum_horizontal(parts))
    says = f"{accounting.height:,} source days, {off.height:,} of them out of balance"
    if off.height:
        says += f", for instance {off.row(0, named=True)}"
    return Finding(not off.height, says, {"days": accounting.height, "out_of_balance": off.height})


def counts_agree(what: str, accepted: int, rows: int) -> Finding:
    """The accepted records are the rows of the silver table."""
    return Finding(
        accepted == rows,
        f"{accepted:,} records accepted, {rows:,} rows in {what}",
        {"accepted": accepted, "rows": rows},
    )


def sums_agree(sums: Mapping[str, Decimal]) -> Finding:
    """The same sum of money from every place, to the cent."""
    says = ", ".join(f"{place}: {amount}" for place, amount in sums.items())
    figures = {place: str(amount) for place, amount in sums.items()}
    return Finding(len(set(sums.values())) <= 1, says, figures)


def within(rows: pl.DataFrame, columns: Sequence[str], low: float, high: float | None) -> Finding:
    """All values of some columns lie in a range; nulls are no values."""
    below = pl.col(columns).cast(pl.Float64) < low
    above = pl.col(columns).cast(pl.Float64) > (high if high is not None else float("inf"))
    counts = rows.select((below | above).sum()).row(0) if columns else ()
    off = {name: count for name, count in zip(columns, counts, strict=True) if count}
    limit = f"[{low}, {high}]" if high is not None else f"[{low}, …)"
    says = f"{', '.join(columns)} in {limit}; outside: {off or 'none'}"
    return Finding(not off, says, {"outside": sum(off.values())})


def parts_add_up(kpis: pl.DataFrame) -> Finding:
    """revenue_new + revenue_returning = revenue on every day."""
    off = kpis.filter(pl.col("revenue_new") + pl.col("revenue_returning") != pl.col("revenue"))
    return Finding(not off.height, f"{off.height} days off", {"days_off": off.height})


def shares_add_up(metrics: pl.DataFrame, thresholds: Thresholds) -> Finding:
    """The current segments' shares of revenue add up to one."""
    current = metrics.filter("is_current")["segment_contribution"].drop_nulls()
    total = float(current.sum())
    ok = current.is_empty() or abs(total - 1) <= thresholds.contribution_tolerance
    return Finding(ok, f"contributions add up to {total:.6f}", {"total": total})


def against_trailing(
    kpis: pl.DataFrame, column: str, low: float | None, high: float, thresholds: Thresholds
) -> Finding:
    """The latest value of a KPI against the mean of its trailing days.

    Args:
        kpis: rows of gold/kpis_daily.
        column: the KPI.
        low, high: how far below or above that mean it may be, as shares of the mean.
        thresholds: gives the number of trailing days.
    """
    recent = kpis.sort("day").select("day", column).tail(thresholds.trailing_days + 1)
    value = recent[column][-1] if recent.height else None
    trailing = recent[column][:-1].drop_nulls()
    if value is None or trailing.is_empty():
        return Finding(True, f"no {column} to compare yet", {"days": trailing.len()})
    mean = float(trailing.mean())  # type: ignore[arg-type]
    floor = mean * (1 - low) if low is not None else float("-inf")
    ceiling = mean * (1 + high)
    ok = floor <= float(value) <= ceiling
    says = f"{column} is {value:.4f}; {trailing.len()} days before: {mean:.4f}"
    return Finding(
        ok, says, {"value": float(value), "mean": mean, "ceiling": ceiling, "days": trailing.len()}
    )


def fresh(as_of: date | None, today: date, allowed: timedelta) -> Finding:
    """as_of is not far behind the clock."""
    if as_of is None:
        return Finding(False, "silver has no batch day yet: land files and run")
    age = today - as_of
    return Finding(
        age <= allowed,
        f"as_of is {as_of}, {age.days} days behind {today}; allowed: {allowed.days}",
        {"as_of": as_of.isoformat(), "days_behind": age.days, "days_allowed": allowed.days},
    )
