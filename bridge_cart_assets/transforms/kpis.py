"""The shop's KPIs for every calendar day.

Belongs here: the formulas of gold/kpis_daily, each as one expression beside its parts. Does not
belong here: how sliding windows are summed (`windows`) or when a KPI is alarming (`checks`).

Throughout, W(day) = (day-90, day] and V(day) = (day-180, day-90].

The figures come from two tables that follow a change of silver. `kpi_moves` is a sum over customers
and orders, so the customers and orders that have changed are taken out as they were and put in as
they are. `concentration_daily` ranks all customers, so it is computed from the first changed day
on.
"""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from bridge_cart_assets.tables.gold import CONCENTRATION_DAILY, KPI_MOVES, KPIS_DAILY
from bridge_cart_assets.transforms import windows
from bridge_cart_assets.transforms.changes import Changes, added_up
from bridge_cart_assets.transforms.features import (
    ORDER,
    exact_sum,
    of_customers,
    of_nobody,
    ratio,
    refunds,
    sales,
    up_to,
)
from bridge_cart_assets.transforms.windows import (
    WINDOW,
    activity_intervals,
    moves,
    shift_intervals,
    standing,
)

_CENTS = 100
_AMOUNTS = (
    *("revenue", "discounts", "refunds", "net_revenue", "revenue_new", "revenue_returning"),
    *("base_revenue_90d", "retained_revenue_90d", "revenue_90d", "discounts_90d"),
    *("purchase_amount_90d", "refunds_90d", "revenue_total", "top_decile_revenue"),
    *("anonymous_revenue", "anonymous_refunds", "revenue_all"),
)
# Counts of customers who have come so far, and the sums over W and V: the others are of one day.
_RUNNING = tuple(
    name
    for name in KPI_MOVES.dtypes
    if name.endswith("_90d") or name in {"customers_total", "repeat_customers"}
)
Sorted = np.ndarray[tuple[int], np.dtype[np.int64]]


def kpis_daily(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per calendar day from the first sale to `as_of`.

    Args:
        purchases: rows of silver/purchases, those without a customer too.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/kpis_daily; no row when there is no sale.

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"customer_id": "C1", "order_id": "O1", "purchase_day": date(2024, 1, 1)}
    >>> lines = [{**line, "kind": "sale", "net_amount": 10}]
    >>> days = kpis_daily(pl.LazyFrame(lines, schema=PURCHASES.dtypes), as_of=date(2024, 3, 31))
    >>> last_days = days.select(pl.col("day").dt.to_string(), "active_90d", "churned_90d").tail(2)
    >>> last_days.rows()
    [('2024-03-30', 1, 0), ('2024-03-31', 0, 1)]
    """
    summed = kpi_moves(purchases, as_of)
    ranked = concentration_daily(of_customers(purchases), as_of)
    return kpis_from(summed.lazy(), ranked.lazy(), as_of)


def kpis_from(summed: pl.LazyFrame, ranked: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The KPIs from the two tables that they are made from.

    Args:
        summed: rows of gold/kpi_moves.
        ranked: rows of gold/concentration_daily.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/kpis_daily.

    >>> day = date(2024, 1, 1)
    >>> summed = pl.LazyFrame([dict.fromkeys(KPI_MOVES.dtypes, 1) | {"day": day}])
    >>> total = {"revenue_total": 100, "top_decile_revenue": 100, "gini": 0.0}
    >>> ranked = pl.LazyFrame([{"day": day, **total}])
    >>> kpis_from(summed, ranked, day).select("orders", "revenue", "revenue_total", "aov").rows()
    [(1, Decimal('0.01'), Decimal('1.00'), 0.01)]
    """
    is_sale = (pl.col("lines") > 0) | (pl.col("anonymous_orders") > 0)
    first = summed.filter(is_sale).select(pl.min("day")).collect().item()
    if first is None:
        return KPIS_DAILY.empty()
    calendar = windows.calendar(first, as_of)
    moved = summed.collect()
    on_the_day = moved.drop(_RUNNING)
    days = calendar
    for part in (on_the_day, standing(calendar, moved, *_RUNNING), ranked.collect()):
        days = days.join(part, on="day", how="left", maintain_order="left")
    return _rates(_in_money(days.with_columns(pl.col(pl.Int64).fill_null(0))))


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
    people = of_customers(seen)
    parts = (_of_customers(people), _of_orders(people), _of_nobody(of_nobody(seen)))
    return added_up(KPI_MOVES, *parts)


def updated_kpi_moves(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/kpi_moves once the changed customers and orders are as they are now.

    Args:
        earlier: rows of gold/kpi_moves.
        changes: what has changed since.
    """
    lines = [(_of_customers, changes.of_buyers), (_of_orders, changes.of_orders)]
    if changes.anonymous is not None:
        lines.append((_of_nobody, changes.anonymous.of_orders))
    now = [sums(versions.now.lazy()) for sums, versions in lines]
    before = [sums(versions.before.lazy()) for sums, versions in lines]
    negative = (part.with_columns(-pl.exclude("day")) for part in before)
    return added_up(KPI_MOVES, earlier.collect(), *now, *negative)


def _of_customers(seen: pl.LazyFrame) -> pl.DataFrame:
    """What is a sum over customers, from all lines of some."""
    lines, back = _lines(sales(seen)).collect().lazy(), refunds(seen)
    parts = (
        _on_the_day(lines, back),
        _customers_so_far(lines),
        *_churn(lines),
        *_revenue_retention(lines),
        *_trailing(lines, back),
    )
    return _together(parts)


def _of_orders(seen: pl.LazyFrame) -> pl.DataFrame:
    """What is a sum over orders, from all lines of some; an order may name several customers."""
    lines = sales(seen).select(*ORDER, "coupon_used", day="purchase_day").collect().lazy()
    of_day = lines.group_by("day").agg(orders=pl.struct(ORDER).n_unique().cast(pl.Int64)).collect()
    counts = {"orders_90d": lines, "coupon_orders_90d": lines.filter("coupon_used")}
    windowed = (
        _moves_of(activity_intervals(_active_days(some, *ORDER), ORDER), name)
        for name, some in counts.items()
    )
    return _together((of_day, *windowed))


def _of_nobody(seen: pl.LazyFrame) -> pl.DataFrame:
    """What is a sum over orders without a customer, from all such lines of some."""
    sold = (
        sales(seen)
        .group_by(day="purchase_day")
        .agg(
            anonymous_orders=pl.struct(ORDER).n_unique().cast(pl.Int64),
            anonymous_revenue=_cents("net_amount").sum(),
        )
        .collect()
    )
    back = refunds(seen).group_by(day="purchase_day")
    return _together((sold, back.agg(anonymous_refunds=-_cents("net_amount").sum()).collect()))


def _together(parts: tuple[pl.DataFrame, ...]) -> pl.DataFrame:
    return pl.concat(parts, how="diagonal").group_by("day").agg(pl.all().sum())


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
        cents=_cents("net_amount"),
        amount_cents=_cents("purchase_amount"),
        discount_cents=_cents("discount_amount"),
        is_first=pl.col("is_first").fill_null(False),
    )


def _cents(column: str) -> pl.Expr:
    return (pl.col(column) * _CENTS).cast(pl.Int64)


def _on_the_day(lines: pl.LazyFrame, given_back: pl.LazyFrame) -> pl.DataFrame:
    sold = lines.group_by("day").agg(
        lines=pl.len().cast(pl.Int64),
        active_customers=pl.n_unique("customer_id").cast(pl.Int64),
        revenue=pl.sum("cents"),
        discounts=pl.sum("discount_cents"),
        revenue_new=pl.col("cents").filter("is_first").sum(),
        revenue_returning=pl.col("cents").filter(~pl.col("is_first")).sum(),
    )
    back = given_back.group_by(day="purchase_day").agg(refunds=-_cents("net_amount").sum())
    return sold.join(back, on="day", how="full", coalesce=True).collect()


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


def _active_days(lines: pl.LazyFrame, *key: str) -> pl.LazyFrame:
    return lines.select(*key, "day").unique()


def _churn(lines: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Customers active in V, and those of them who are not, or are, active in W.

    After a purchase on day p with the next one on day q, the customer is in V and not in W on
    the days from p+90 to before both q and p+180: in no other case.
    """
    active = activity_intervals(_active_days(lines, "customer_id"), ("customer_id",))
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


def _revenue_retention(lines: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Revenue in V, and revenue in W of the customers who are active in V.

    A purchase on day q counts in W on the days [q, q+90). Intervals of being active in V last at
    least 90 days, so at most two of them meet these days: the last that began by q and the
    first that began after q.
    """
    bought = lines.group_by("customer_id", "day").agg(pl.sum("cents")).sort("day")
    active = activity_intervals(_active_days(lines, "customer_id"), ("customer_id",))
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


def _trailing(lines: pl.LazyFrame, given_back: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Sums over W, and the customers who are active in it."""
    amounts = {
        "revenue_90d": "cents",
        "discounts_90d": "discount_cents",
        "purchase_amount_90d": "amount_cents",
    }
    reach = pl.col("day").dt.offset_by(f"{WINDOW}d")
    sums = lines.group_by("day").agg(**{name: pl.sum(c) for name, c in amounts.items()})
    back = given_back.group_by(day="purchase_day").agg(refunds_90d=-_cents("net_amount").sum())
    active = activity_intervals(_active_days(lines, "customer_id"), ("customer_id",))
    return (
        moves(sums.with_columns(start="day", end=reach), *amounts),
        moves(back.with_columns(start="day", end=reach), "refunds_90d"),
        _moves_of(active, "active_90d"),
    )


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
    lines = sold.select("customer_id", day="purchase_day", cents=_cents("net_amount"))
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


def _in_money(days: pl.DataFrame) -> pl.DataFrame:
    with_net = days.with_columns(
        net_revenue=pl.col("revenue") - pl.col("refunds"),
        revenue_all=pl.col("revenue") + pl.col("anonymous_revenue"),
    )
    exact = pl.col(_AMOUNTS).cast(pl.Decimal(20, 0)) * pl.lit(Decimal("0.01"))
    return with_net.with_columns(exact_sum(exact))


def _rates(days: pl.DataFrame) -> pl.DataFrame:
    column = pl.col
    return days.with_columns(
        aov=ratio(column("revenue"), column("orders")),
        repeat_purchase_rate=ratio(column("repeat_customers"), column("customers_total")),
        churn_rate_90d=ratio(column("churned_90d"), column("churn_base_90d")),
        retention_rate_90d=ratio(column("retained_90d"), column("churn_base_90d")),
        nrr_90d=ratio(column("retained_revenue_90d"), column("base_revenue_90d")),
        aov_90d=ratio(column("revenue_90d"), column("orders_90d")),
        purchase_frequency_90d=ratio(column("orders_90d"), column("active_90d")),
        coupon_rate_90d=ratio(column("coupon_orders_90d"), column("orders_90d")),
        discount_rate_90d=ratio(column("discounts_90d"), column("purchase_amount_90d")),
        refund_rate_90d=ratio(column("refunds_90d"), column("revenue_90d")),
        top_decile_share=ratio(column("top_decile_revenue"), column("revenue_total")),
    ).with_columns(arpc_90d=column("aov_90d") * column("purchase_frequency_90d"))
