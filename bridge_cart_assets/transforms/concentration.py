"""How revenue is spread over the customers: the best tenth's share of it, and the Gini coefficient.

Belongs here: what ranks all customers, and so is computed from the first changed day on. Does not
belong here: what is a sum over customers (`kpi_moves`).
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.tables.gold import CONCENTRATION_DAILY
from bridge_cart_assets.transforms import windows
from bridge_cart_assets.transforms.changes import Changes
from bridge_cart_assets.transforms.features import in_cents, sales, up_to

Sorted = np.ndarray[tuple[int], np.dtype[np.int64]]


def concentration_daily(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Revenue of all customers and of the best tenth, and the Gini coefficient, up to each day.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/concentration_daily: a row per day from the first sale to `as_of`.

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"order_id": "O1", "customer_id": "C1", "kind": "sale", "net_amount": 10}
    >>> rows = [{**line, "purchase_day": date(2024, 1, 1), "coupon_used": False}]
    >>> purchases = pl.LazyFrame(rows, schema=PURCHASES.dtypes)
    >>> concentration_daily(purchases, date(2024, 1, 2)).select("revenue_total", "gini").rows()
    [(1000, 0.0), (1000, 0.0)]
    """
    sold = sales(up_to(purchases, as_of)).select("purchase_day")
    first = sold.select(pl.min("purchase_day")).collect().item()
    if first is None:
        return CONCENTRATION_DAILY.empty()
    return _concentration(purchases, first, as_of)


def updated_concentration(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/concentration_daily, computed from the first changed day on.

    Args:
        earlier: rows of gold/concentration_daily.
        changes: what has changed since.
    """
    first_changed = sales(changes.counted.both.lazy()).select(pl.min("purchase_day")).collect()
    days = [changes.seen_as_of + timedelta(days=1), first_changed.item()]
    start = min(day for day in days if day is not None)
    kept = earlier.filter(pl.col("day") < start).collect()
    if not kept.height:
        return concentration_daily(changes.purchases, changes.as_of)
    return pl.concat([kept, _concentration(changes.purchases, start, changes.as_of)])


def _concentration(purchases: pl.LazyFrame, start: date, as_of: date) -> pl.DataFrame:
    """The days from `start` on.

    The customers' revenues are kept sorted; a day takes out the old values of the customers who
    bought and puts in the new ones, so a day costs one pass and no sort. Gini by the sorted
    form: sum((2i - n - 1) x_i) / (n sum(x)).
    """
    sold = sales(up_to(purchases, as_of))
    lines = sold.select("customer_id", day="purchase_day", cents=in_cents("net_amount"))
    earlier = lines.filter(pl.col("day") < start).group_by("customer_id").agg(pl.sum("cents"))
    so_far = earlier.collect().rename({"cents": "earlier"})
    bought = (
        lines.filter(pl.col("day") >= start)
        .group_by("customer_id", "day")
        .agg(pl.sum("cents"))
        .sort("day")
        .with_columns(after=pl.col("cents").cum_sum().over("customer_id"))
        .collect()
        .join(so_far, on="customer_id", how="left", maintain_order="left")
        .with_columns(
            is_new=pl.struct("customer_id").is_first_distinct() & pl.col("earlier").is_null(),
            after=pl.col("after") + pl.col("earlier").fill_null(0),
        )
        .with_columns(before=pl.col("after") - pl.col("cents"))
    )
    by_day = {day: rows for (day,), rows in bought.partition_by("day", as_dict=True).items()}
    ranked: Sorted = np.sort(so_far["earlier"].to_numpy())
    rows: list[tuple[date, int, int, float | None]] = []
    for day in windows.calendar(start, as_of)["day"]:
        if day in by_day:
            ranked = _with_day(ranked, by_day[day])
        total = int(ranked.sum())
        best = int(ranked[ranked.size - -(-ranked.size // 10) :].sum())
        rows.append((day, total, best, _gini(ranked, total)))
    return pl.DataFrame(rows, schema=CONCENTRATION_DAILY.dtypes, orient="row")


def _with_day(ranked: Sorted, rows: pl.DataFrame) -> Sorted:
    old = np.sort(rows.filter(~pl.col("is_new"))["before"].to_numpy())
    # Equal values: the i-th of a run of equals is taken out at the i-th place.
    runs = np.arange(old.size) - np.searchsorted(old, old)
    kept = np.delete(ranked, np.searchsorted(ranked, old) + runs)
    new = np.sort(rows["after"].to_numpy())
    return np.insert(kept, np.searchsorted(kept, new), new)


def _gini(ranked: Sorted, total: int) -> float | None:
    if not total:
        return None
    n = ranked.size
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ ranked / (n * float(total)))
