"""What each day adds to the sums behind the KPIs, and takes away from those over windows of days.

Belongs here: sums over customers and over orders. They follow a change of silver: the customers and
orders that have changed are taken out as they were and put in as they are. Does not belong here:
what is made from the sums (`kpis`), or how sliding windows are summed (`windows`).

Throughout, W(day) = (day-90, day] and V(day) = (day-180, day-90].
"""

from datetime import date

import polars as pl

from bridge_cart_assets.tables.gold import KPI_MOVES
from bridge_cart_assets.transforms import windows
from bridge_cart_assets.transforms.changes import Changes, added_up
from bridge_cart_assets.transforms.features import (
    ORDER,
    anonymous_lines,
    in_cents,
    of_customers,
    refunds,
    sales,
    up_to,
)
from bridge_cart_assets.transforms.windows import (
    WINDOW,
    activity_intervals,
    moves,
    shift_intervals,
)


def kpi_moves(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """What each day adds to the KPIs, and takes away from those over windows of days.

    Args:
        purchases: rows of silver/purchases, those without a customer too.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/kpi_moves.

    A sale enters the 90 days on its day and leaves them after 90:

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"order_id": "O1", "customer_id": "C1", "kind": "sale", "net_amount": 10}
    >>> rows = [{**line, "purchase_day": date(2024, 1, 1), "coupon_used": False}]
    >>> purchases = pl.LazyFrame(rows, schema=PURCHASES.dtypes)
    >>> summed = kpi_moves(purchases, as_of=date(2024, 1, 31))
    >>> summed.select(pl.col("day").dt.to_string(), "revenue", "revenue_90d").rows()[:2]
    [('2024-01-01', 1000, 1000), ('2024-03-31', 0, -1000)]
    """
    seen = up_to(purchases, as_of)
    people, anonymous = of_customers(seen), anonymous_lines(seen)
    parts = (
        *moves_of_customers(people),
        *moves_of_orders(people),
        *moves_of_anonymous(anonymous),
    )
    return added_up(KPI_MOVES, *parts)


def updated_kpi_moves(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/kpi_moves once the changed customers and orders are as they are now.

    Args:
        earlier: rows of gold/kpi_moves.
        changes: what has changed since.
    """
    lines = [(moves_of_customers, changes.of_buyers), (moves_of_orders, changes.of_orders)]
    if changes.anonymous is not None:
        lines.append((moves_of_anonymous, changes.anonymous.of_orders))
    now = [part for sums, versions in lines for part in sums(versions.now.lazy())]
    before = [part for sums, versions in lines for part in sums(versions.before.lazy())]
    negative = (part.with_columns(-pl.exclude("day")) for part in before)
    return added_up(KPI_MOVES, earlier.collect(), *now, *negative)


def moves_of_customers(seen: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """What is a sum over customers, from all lines of some."""
    lines, back = _lines(sales(seen)).collect().lazy(), refunds(seen)
    active = _intervals(lines, "customer_id").collect().lazy()
    return (
        _on_the_day(lines, back),
        _without_sale(lines, back),
        _customers_so_far(lines),
        *_churn(active),
        *_revenue_retention(lines, active),
        *_trailing(lines, back, active),
    )


def moves_of_orders(seen: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """What is a sum over orders, from all lines of some; an order may name several customers."""
    lines = sales(seen).select(*ORDER, "coupon_used", day="purchase_day").collect().lazy()
    of_day = lines.group_by("day").agg(orders=pl.struct(ORDER).n_unique().cast(pl.Int64)).collect()
    counts = {"orders_90d": lines, "coupon_orders_90d": lines.filter("coupon_used")}
    windowed = (_moves_of(_intervals(some, *ORDER), name) for name, some in counts.items())
    return (of_day, *windowed)


def moves_of_anonymous(seen: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """What is a sum over orders without a customer, from all such lines of some."""
    sold = sales(seen).group_by(day="purchase_day")
    back = refunds(seen).group_by(day="purchase_day")
    return (
        sold.agg(
            anonymous_orders=pl.struct(ORDER).n_unique().cast(pl.Int64),
            anonymous_revenue=in_cents("net_amount").sum(),
        ).collect(),
        back.agg(anonymous_refunds=-in_cents("net_amount").sum()).collect(),
    )


def _moves_of(intervals: pl.LazyFrame, name: str) -> pl.DataFrame:
    return moves(intervals.select("start", "end", pl.col("one").alias(name)), name)


def _lines(sold: pl.LazyFrame) -> pl.LazyFrame:
    """Sale lines with amounts in whole cents and whether they belong to a first order."""
    orders = sold.group_by("customer_id", *ORDER).agg(placed=pl.min("purchase_date"))
    first = (
        orders.sort("placed", *ORDER)
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", *ORDER, is_first=True)
    )
    return sold.join(first, on=["customer_id", *ORDER], how="left").select(
        "customer_id",
        *ORDER,
        "coupon_used",
        day="purchase_day",
        cents=in_cents("net_amount"),
        amount_cents=in_cents("purchase_amount"),
        discount_cents=in_cents("discount_amount"),
        is_first=pl.col("is_first").fill_null(False),
    )


def _on_the_day(lines: pl.LazyFrame, given_back: pl.LazyFrame) -> pl.DataFrame:
    sold = lines.group_by("day").agg(
        lines=pl.len().cast(pl.Int64),
        active_customers=pl.n_unique("customer_id").cast(pl.Int64),
        revenue=pl.sum("cents"),
        discounts=pl.sum("discount_cents"),
        revenue_new=pl.col("cents").filter("is_first").sum(),
        revenue_returning=pl.col("cents").filter(~pl.col("is_first")).sum(),
    )
    back = given_back.group_by(day="purchase_day").agg(refunds=-in_cents("net_amount").sum())
    return sold.join(back, on="day", how="full", coalesce=True).collect()


def _without_sale(lines: pl.LazyFrame, given_back: pl.LazyFrame) -> pl.DataFrame:
    """Refunds to people without any sale: they are in no row of customer_features."""
    others = given_back.join(lines.select("customer_id").unique(), on="customer_id", how="anti")
    sums = others.group_by(day="purchase_day")
    return sums.agg(refunds_without_sale=-in_cents("net_amount").sum()).collect()


def _customers_so_far(lines: pl.LazyFrame) -> pl.DataFrame:
    """Customers whose first and whose second order falls on a day."""
    orders = lines.group_by("customer_id", *ORDER).agg(day=pl.min("day"))
    firsts = orders.group_by("customer_id").agg(
        first=pl.min("day"), second=pl.col("day").sort().get(1, null_on_oob=True)
    )
    new = firsts.group_by(day="first").agg(new_customers=pl.len().cast(pl.Int64))
    repeat = (
        firsts.drop_nulls("second")
        .group_by(day="second")
        .agg(repeat_customers=pl.len().cast(pl.Int64))
    )
    return (
        new.join(repeat, on="day", how="full", coalesce=True)
        .with_columns(customers_total="new_customers")
        .collect()
    )


def _intervals(lines: pl.LazyFrame, *key: str) -> pl.LazyFrame:
    """Intervals in which a key has a line in W."""
    return activity_intervals(lines.select(*key, "day").unique(), key)


def _churn(active: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Customers active in V, and those of them who are not, or are, active in W.

    After a purchase on day p with the next one on day q, the customer is in V and not in W on
    the days from p+90 to before both q and p+180: in no other case.
    """
    base = shift_intervals(active, WINDOW)
    gone = (
        active.with_columns(
            start=pl.col("day").dt.offset_by(f"{WINDOW}d"),
            end=pl.min_horizontal("next", pl.col("day").dt.offset_by(f"{2 * WINDOW}d")),
        )
        .filter(pl.col("start") < pl.col("end"))
        .select("start", "end", churned_90d="one")
    )
    stayed = _overlaps(
        windows.merge_adjacent(base, "customer_id"), windows.merge_adjacent(active, "customer_id")
    )
    return (
        _moves_of(base, "churn_base_90d"),
        moves(gone, "churned_90d"),
        moves(stayed, "retained_90d"),
    )


def _overlaps(base: pl.LazyFrame, active: pl.LazyFrame) -> pl.LazyFrame:
    """Intervals in which a customer is both in V and in W, from the two kinds of intervals."""
    pairs = base.join(active, on="customer_id", suffix="_active")
    return (
        pairs.select(
            start=pl.max_horizontal("start", "start_active"),
            end=pl.min_horizontal("end", "end_active"),
            retained_90d=pl.lit(1, pl.Int64),
        )
    ).filter(pl.col("start") < pl.col("end"))


def _revenue_retention(lines: pl.LazyFrame, active: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Revenue in V, and revenue in W of the customers who are active in V.

    A purchase on day q counts in W on the days [q, q+90). Intervals of being active in V last at
    least 90 days, so at most two of them meet these days: the last that began by q and the
    first that began after q.
    """
    bought = lines.group_by("customer_id", "day").agg(pl.sum("cents")).sort("day")
    base = windows.merge_adjacent(shift_intervals(active, WINDOW), "customer_id").sort("start")
    counted = bought.with_columns(
        reach=pl.col("day").dt.offset_by(f"{WINDOW}d"), next_day=pl.col("day").dt.offset_by("1d")
    )
    begun = counted.join_asof(
        base, left_on="day", right_on="start", by="customer_id", check_sortedness=False
    ).drop_nulls("end")
    coming = counted.join_asof(
        base.with_columns(begins="start"),
        left_on="next_day",
        right_on="begins",
        by="customer_id",
        strategy="forward",
        check_sortedness=False,
    ).drop_nulls("end")
    retained = pl.concat(
        [
            begun.select(
                start="day", end=pl.min_horizontal("reach", "end"), retained_revenue_90d="cents"
            ),
            coming.select(start="begins", end="reach", retained_revenue_90d="cents"),
        ]
    ).filter(pl.col("start") < pl.col("end"))
    earlier = counted.select(
        start="reach",
        end=pl.col("reach").dt.offset_by(f"{WINDOW}d"),
        base_revenue_90d="cents",
    )
    return moves(retained, "retained_revenue_90d"), moves(earlier, "base_revenue_90d")


def _trailing(
    lines: pl.LazyFrame, given_back: pl.LazyFrame, active: pl.LazyFrame
) -> tuple[pl.DataFrame, ...]:
    """Sums over W, and the customers who are active in it."""
    amounts = {
        "revenue_90d": "cents",
        "discounts_90d": "discount_cents",
        "purchase_amount_90d": "amount_cents",
    }
    reach = pl.col("day").dt.offset_by(f"{WINDOW}d")
    sums = lines.group_by("day").agg(**{name: pl.sum(c) for name, c in amounts.items()})
    back = given_back.group_by(day="purchase_day").agg(refunds_90d=-in_cents("net_amount").sum())
    return (
        moves(sums.with_columns(start="day", end=reach), *amounts),
        moves(back.with_columns(start="day", end=reach), "refunds_90d"),
        _moves_of(active, "active_90d"),
    )
