"""How revenue is spread over the customers: the best tenth's share of it, and the Gini coefficient.

Belongs here: what ranks all customers. Does not belong here: what is a sum over customers
(`kpi_moves`), or how a ranking follows what is replaced in it (`ranking`).
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.tables.gold import CONCENTRATION_DAILY
from bridge_cart_assets.transforms import windows
from bridge_cart_assets.transforms.changes import Changes
from bridge_cart_assets.transforms.features import in_cents, sales, up_to
from bridge_cart_assets.transforms.ranking import Ranking, Values

# Days whose sales are in memory at once.
_DAYS_AT_ONCE = timedelta(days=100)
_DAY = timedelta(days=1)


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
    customers = (
        sales(up_to(purchases, as_of))
        .group_by("customer_id")
        .agg(first=pl.min("purchase_day"), cents=in_cents("net_amount").sum())
        .collect()
    )
    first = customers.select(pl.min("first")).item()
    if first is None:
        return CONCENTRATION_DAILY.empty()
    return _back_to(first, purchases, customers, as_of)


def updated_concentration(
    earlier: pl.LazyFrame, changes: Changes, customers: pl.LazyFrame
) -> pl.DataFrame:
    """The rows of gold/concentration_daily, computed from the first changed day on.

    Args:
        earlier: rows of gold/concentration_daily.
        changes: what has changed since.
        customers: rows of gold/customer_features.
    """
    first_changed = sales(changes.counted.both.lazy()).select(pl.min("purchase_day")).collect()
    days = [changes.seen_as_of + _DAY, first_changed.item()]
    start = min(day for day in days if day is not None)
    kept = earlier.filter(pl.col("day") < start).collect()
    if not kept.height:
        return concentration_daily(changes.purchases, changes.as_of)
    if start > changes.as_of:
        return kept
    so_far = customers.select(
        "customer_id", first="first_purchase_day", cents=in_cents("revenue")
    ).collect()
    return pl.concat([kept, _back_to(start, changes.purchases, so_far, changes.as_of)])


def _back_to(
    start: date, purchases: pl.LazyFrame, customers: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """The days from `start` on, from the last one back.

    Customers are ranked once, by what they have spent by `as_of`. The day before has the same
    ranking without the sales of the day, so a day costs what was sold on it, and no sale before
    `start` is looked at. Gini is the sum of the differences of all pairs as a share of n sum(x).
    All sums are whole numbers, so the way to a day does not matter.

    Args:
        start: the first day.
        purchases: rows of silver/purchases.
        customers: customer_id, first (day of the first sale) and cents by `as_of`, each once.
        as_of: the last day.
    """
    spent = customers["cents"].to_numpy().copy()
    firsts = customers["first"].to_numpy()
    places = customers.lazy().select("customer_id").with_row_index("place")
    ranking = Ranking(spent)
    rows: list[tuple[date, int, int, float | None]] = []
    end = as_of
    while end > start:
        begin = max(start, end - _DAYS_AT_ONCE)
        bought = _bought_between(begin, end, purchases, places)
        for day in reversed(windows.calendar(begin + _DAY, end)["day"]):
            rows.append(_row(day, ranking))
            if day in bought:
                place, cents = bought[day]
                after, before = spent[place], spent[place] - cents
                ranking.replace(after, before[firsts[place] != np.datetime64(day)])
                spent[place] = before
        end = begin
    rows.append(_row(start, ranking))
    return pl.DataFrame(rows[::-1], schema=CONCENTRATION_DAILY.dtypes, orient="row")


def _bought_between(
    begin: date, end: date, purchases: pl.LazyFrame, places: pl.LazyFrame
) -> dict[date, tuple[Values, Values]]:
    """Of the days after `begin` the places of the customers who bought, and what they spent."""
    bought = (
        sales(purchases)
        .filter(pl.col("purchase_day").is_between(begin, end, closed="right"))
        .select("customer_id", day="purchase_day", cents=in_cents("net_amount"))
        .join(places, on="customer_id")
        .group_by("day", "place")
        .agg(pl.sum("cents"))
        .collect()
    )
    by_day = bought.partition_by("day", as_dict=True)
    return {
        day: (rows["place"].to_numpy(), rows["cents"].to_numpy()) for (day,), rows in by_day.items()
    }


def _row(day: date, ranking: Ranking) -> tuple[date, int, int, float | None]:
    best = ranking.sum_of_largest(-(-ranking.size // 10))
    # One division of whole numbers: the nearest number that there is.
    gini = ranking.differences / (ranking.size * ranking.total) if ranking.total else None
    return day, ranking.total, best, gini
