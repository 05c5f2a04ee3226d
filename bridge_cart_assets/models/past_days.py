"""What was known of customers at the end of past days, and what they ordered in the 90 after.

Belongs here: histories and the signals of a forecast at any day, from order lines. Does not belong
here: forecasting (`models.buy_till_you_die`, `models.calibration`), or judging (`models.holdout`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from bridge_cart_assets.thresholds import THRESHOLDS
from bridge_cart_assets.transforms.features import ORDER, refunds, sales, up_to
from bridge_cart_assets.transforms.windows import WINDOW

# A past day to learn from has so many days of history before it; there is one a fortnight, so many
# at most. A handful of coefficients needs no more customers than these.
_FIRST, _STEP, _MOST, _LEARNERS = 60, 14, 14, 50_000


def per_day(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """What each customer did on each day up to `as_of`.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    Returns:
        Grain (customer_id, purchase_day, is_sale): orders and lines (sold; 0 on days of refunds),
        money (net amount).

    >>> day = date(2024, 1, 1)
    >>> line = {"customer_id": "C1", "purchase_day": day, "kind": "sale", "net_amount": 5.0}
    >>> ids = [{"source": "purchases", "order_id": name} for name in ("O1", "O1", "O2")]
    >>> days = per_day(pl.LazyFrame([{**line, **one} for one in ids]), day)
    >>> days.select("orders", "lines", "money").rows()
    [(2, 3, 15.0)]
    """
    lines = up_to(purchases, as_of)
    key = ("customer_id", "purchase_day")
    sold = sales(lines).group_by(*key, *ORDER).agg(pl.len(), money=pl.sum("net_amount"))
    return pl.concat(
        [
            sold.group_by(key).agg(
                pl.sum("money"), is_sale=pl.lit(True), orders=pl.len(), lines=pl.sum("len")
            ),
            refunds(lines)
            .group_by(key)
            .agg(
                money=pl.sum("net_amount"),
                is_sale=pl.lit(False),
                orders=pl.lit(0, pl.UInt32),
                lines=pl.lit(0, pl.UInt32),
            ),
        ],
        how="diagonal",
    ).collect()


def seen_until(days: pl.DataFrame, day: date, horizon: int = WINDOW) -> pl.DataFrame:
    """The history of each customer at the end of a day, and the orders after it.

    Args:
        days: as `per_day` gives them.
        day: the last day of the history.
        horizon: how many days after it are looked at.

    Returns:
        One row per customer with a sale up to `day`, by customer: frequency, t_x, tenure_days,
        recency_days, orders, lines, orders_90d (in the 90 days up to `day`), order_value (net
        revenue per order, not below 0); later_orders and later_revenue (of the days after it; net
        of refunds).

    >>> on = [date(2024, 1, 1), date(2024, 1, 11), date(2024, 2, 1), date(2024, 2, 5)]
    >>> kinds = ["sale", "sale", "sale", "refund"]
    >>> lines = {"purchase_day": on, "kind": kinds, "net_amount": [30.0, 10, 20, -5]}
    >>> ids = {"source": "purchases", "order_id": ["O1", "O2", "O3", "O3"], "customer_id": "C1"}
    >>> days = per_day(pl.LazyFrame({**ids, **lines}), date(2024, 2, 29))
    >>> seen = seen_until(days, date(2024, 1, 31))
    >>> seen.select("frequency", "t_x", "tenure_days", "orders_90d", "order_value").rows()
    [(1, 10, 30, 2, 20.0)]
    >>> seen.select("later_orders", "later_revenue").rows()
    [(1, 15.0)]
    """
    last = day + timedelta(days=horizon)
    on, first = pl.col("purchase_day"), pl.col("first")
    is_past, is_recent = on <= day, on > day - timedelta(days=WINDOW)
    bought_on = on.filter("is_sale")
    return (
        days.lazy()
        .filter(on <= last)
        .group_by("customer_id", is_past=is_past)
        .agg(
            first=bought_on.min(),
            last=bought_on.max(),
            bought=pl.col("is_sale").sum().cast(pl.Int64),
            orders=pl.sum("orders").cast(pl.Int64),
            lines=pl.sum("lines").cast(pl.Int64),
            orders_90d=pl.col("orders").filter(is_recent).sum().cast(pl.Int64),
            # Summed exactly: of floats the last digits would depend on the order of the rows.
            money=pl.sum("money").cast(pl.Float64),
        )
        .group_by("customer_id")
        .agg(
            pl.col("first", "last", "bought", "orders", "lines", "orders_90d")
            .filter("is_past")
            .first(),
            spent=pl.col("money").filter("is_past").sum(),
            later_orders=pl.col("orders").filter(~pl.col("is_past")).sum(),
            later_revenue=pl.col("money").filter(~pl.col("is_past")).sum(),
        )
        .filter(pl.col("bought") > 0)
        .sort("customer_id")
        .select(
            "customer_id",
            frequency=pl.col("bought") - 1,
            t_x=(pl.col("last") - first).dt.total_days(),
            tenure_days=(pl.lit(day) - first).dt.total_days(),
            recency_days=(pl.lit(day) - pl.col("last")).dt.total_days(),
            orders="orders",
            lines="lines",
            orders_90d="orders_90d",
            order_value=(pl.col("spent") / pl.col("orders")).clip(lower_bound=0),
            later_orders="later_orders",
            later_revenue="later_revenue",
        )
        .collect()
    )


def recent_orders(purchases: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """How many orders each customer placed in the 90 days up to `as_of`: customer_id, orders_90d.

    Reads the order lines of these days only. Customers without one are not there.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    >>> line = {"customer_id": "C1", "kind": "sale", "source": "purchases", "order_id": "O1"}
    >>> days = [date(2024, 1, 1), date(2024, 1, 2), date(2024, 3, 31)]
    >>> lines = pl.LazyFrame([{**line, "purchase_day": day} for day in days])
    >>> recent_orders(lines, date(2024, 3, 31)).collect().rows()
    [('C1', 2)]
    """
    lines = sales(up_to(purchases, as_of))
    lines = lines.filter(pl.col("purchase_day") > as_of - timedelta(days=WINDOW))
    # As `per_day` counts them: an order of two days counts on both.
    orders = lines.select("customer_id", "purchase_day", *ORDER).unique()
    return orders.group_by("customer_id").agg(orders_90d=pl.len().cast(pl.Int64))


@dataclass(frozen=True)
class PastDays:
    """The past days that a correction learns from, and the customers whom it learns from.

    Attributes:
        days: the past days, the latest first.
        learners: their customer_id.
        judges: customer_id of those whom it is judged on; everybody where None.

    >>> day = date(2024, 1, 1)
    >>> line = {"customer_id": ["C1", "C2"], "purchase_day": day, "kind": "sale"}
    >>> ids = {"source": "purchases", "order_id": ["O1", "O2"], "net_amount": 5.0}
    >>> days = per_day(pl.LazyFrame({**line, **ids}), day)
    >>> past = PastDays([day], learners=pl.Series(["C1"]), judges=pl.Series(["C2"]))
    >>> past.are_enough, [seen["customer_id"].to_list() for seen in past.learnt(days)]
    (False, [['C1']])
    >>> past.judged(seen_until(days, day))["customer_id"].to_list()
    ['C2']
    """

    days: Sequence[date]
    learners: pl.Series
    judges: pl.Series | None = None

    @property
    def are_enough(self) -> bool:
        """Whether these are enough days to learn from."""
        return len(self.days) >= THRESHOLDS.calibration_days and self.learners.len() > 0

    def learnt(self, days: pl.DataFrame) -> list[pl.DataFrame]:
        """`seen_until` of each of the days, for those whom it learns from."""
        own = _among(days, self.learners)
        found = [seen_until(own, day) for day in self.days]
        return [customers for customers in found if customers.height]

    def judged(self, customers: pl.DataFrame) -> pl.DataFrame:
        """Those of some customers on whom it is judged."""
        return customers if self.judges is None else _among(customers, self.judges)


def to_learn_from(days: pl.DataFrame, last: date) -> PastDays:
    """Past days whose 90 days after are over at the end of `last`.

    Args:
        days: as `per_day` gives them.
        last: the latest day that is known.

    >>> line = {"customer_id": ["C1"], "purchase_day": date(2024, 1, 1), "kind": "sale"}
    >>> ids = {"source": "purchases", "order_id": "O1", "net_amount": 5.0}
    >>> days = per_day(pl.LazyFrame({**line, **ids}), date(2024, 12, 31))
    >>> past = to_learn_from(days, date(2024, 6, 28))
    >>> [day.isoformat() for day in past.days]
    ['2024-03-30', '2024-03-16', '2024-03-02']
    """
    return PastDays(_evenly(days, last - timedelta(days=WINDOW)), _sample(_customers(days, last)))


def to_judge_on(days: pl.DataFrame, cut: date) -> PastDays:
    """Past days to learn from before a forecast is made at the end of `cut`.

    Their 90 days are over by then. Where the history is too short for that, they reach into the 90
    days after `cut`: then half of the customers are learnt from and the others judged.

    Args:
        days: as `per_day` gives them.
        cut: the last day before those that the forecast is about.

    >>> line = {"customer_id": ["C1", "C2"], "purchase_day": date(2024, 1, 1), "kind": "sale"}
    >>> ids = {"source": "purchases", "order_id": ["O1", "O2"], "net_amount": 5.0}
    >>> days = per_day(pl.LazyFrame({**line, **ids}), date(2024, 12, 31))
    >>> past = to_judge_on(days, date(2024, 6, 28))
    >>> past.days[0].isoformat(), past.learners.to_list(), past.judges.to_list()
    ('2024-06-14', ['C1'], ['C2'])
    """
    before = to_learn_from(days, cut)
    if before.are_enough:
        return before
    customers = _customers(days, cut)
    halves = (customers.gather_every(2, offset) for offset in (0, 1))
    learners, judges = halves
    return PastDays(_evenly(days, cut - timedelta(days=_STEP)), _sample(learners), judges)


def _evenly(days: pl.DataFrame, last: date) -> list[date]:
    """Every fortnight back from a day, as long as there is some history before."""
    first = days.filter("is_sale")["purchase_day"].min()
    if not isinstance(first, date):
        return []
    span = (last - first).days - _FIRST
    count = min(span // _STEP + 1, _MOST) if span >= 0 else 0
    return [last - timedelta(days=_STEP * back) for back in range(count)]


def _customers(days: pl.DataFrame, last: date) -> pl.Series:
    return days.filter(pl.col("purchase_day") <= last)["customer_id"].unique().sort()


def _sample(customers: pl.Series) -> pl.Series:
    return customers.gather_every(max(1, -(-customers.len() // _LEARNERS)))


def _among(rows: pl.DataFrame, customers: pl.Series) -> pl.DataFrame:
    return rows.join(customers.to_frame("customer_id"), on="customer_id", how="semi")
