"""The state of each customer on every day, and the figures of each segment that follow from it.

Belongs here: customer_history and segment_metrics, both SCD2 by calendar day. Does not belong
here: which segment is nearest (`models.segments`).
"""

from datetime import date, timedelta

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import SEGMENT_EVENTS
from bridge_cart_assets.transforms.changes import Changes, Rows, added_up, is_among
from bridge_cart_assets.transforms.features import ORDER, in_cents, ratio, refunds, sales, up_to
from bridge_cart_assets.transforms.windows import WINDOW, calendar

NEW_DAYS = 30
# What gold/customer_features says of the state since the latest purchase, beside the customer.
OF_STATE = (
    *("first_purchase_day", "last_purchase_day"),
    *("frequency", "revenue", "orders", "coupon_rate"),
)
_STATE = ("segment_id", "segment_name", "lifecycle")
_EVENT_SUMS = ("customers", "lapsed", "orders", "revenue", "net")
_METRICS = ("customers", "avg_clv", "churn_rate", "aov", "segment_contribution")


def purchase_states(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The state of each customer between two purchase days.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    Returns:
        One row per customer and purchase day: customer_id, first, last (= start), start, end
        (the next purchase day, or the day after as_of), and up to then frequency, revenue, orders
        and coupon_rate, as in gold/customer_features.

    >>> order = {"source": "purchases", "customer_id": "C1", "kind": "sale"}
    >>> lines = [
    ...     {**order, "order_id": "O1", "purchase_day": date(2024, 1, 1), "net_amount": 10},
    ...     {**order, "order_id": "O2", "purchase_day": date(2024, 1, 11), "net_amount": 30},
    ... ]
    >>> purchases = pl.LazyFrame(lines).with_columns(coupon_used=pl.col("order_id") == "O2")
    >>> states = purchase_states(purchases, as_of=date(2024, 1, 31))
    >>> states.select(pl.col("start", "end").dt.to_string(), "frequency", "revenue").rows()
    [('2024-01-01', '2024-01-11', 0, 10), ('2024-01-11', '2024-02-01', 1, 40)]
    >>> states["coupon_rate"].to_list()
    [0.0, 0.5]
    """
    sold = sales(up_to(purchases, as_of))
    amounts = sold.group_by("customer_id", start="purchase_day").agg(revenue=pl.sum("net_amount"))
    # An order counts from its first line on, as one with a coupon from its first such line on.
    with_coupon = pl.when("coupon_used").then(pl.col("purchase_day"))
    orders = (
        sold.select("customer_id", *ORDER, orders="purchase_day", coupons=with_coupon)
        .group_by("customer_id", *ORDER)
        .agg(pl.min("orders", "coupons"))
    )
    so_far = ("revenue", "orders", "coupons")
    return (
        pl.concat([amounts, *(_counted(orders, name) for name in so_far[1:])], how="diagonal")
        .group_by("customer_id", "start")
        .agg(pl.sum(*so_far))
        .sort("customer_id", "start")
        .with_columns(_begins=(pl.col("customer_id") != pl.col("customer_id").shift(1)))
        .with_columns(pl.col("_begins").fill_null(True), _row=pl.int_range(pl.len()))
        .with_columns(
            first=_at_begin(pl.col("start")),
            last=pl.col("start"),
            end=_next_of_customer("start").fill_null(as_of + timedelta(days=1)),
            frequency=pl.col("_row") - _at_begin(pl.col("_row")),
            **{name: _so_far(name) for name in so_far},
        )
        .with_columns(coupon_rate=ratio(pl.col("coupons"), pl.col("orders")))
        .drop("coupons", "_begins", "_row")
        .collect()
    )


def last_states(customers: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The last of the `purchase_states` of each customer, without their lines.

    Args:
        customers: customer_id and the columns of `OF_STATE` of gold/customer_features.
        as_of: latest batch day in silver.

    >>> first, last = date(2024, 1, 1), date(2024, 1, 11)
    >>> days = {"first_purchase_day": first, "last_purchase_day": last}
    >>> known = {"customer_id": "C1", "frequency": 1, "revenue": 40, "orders": 2}
    >>> customers = pl.DataFrame({**known, "coupon_rate": 0.5, **days})
    >>> states = last_states(customers, as_of=date(2024, 1, 31))
    >>> states.select(pl.col("start", "end").dt.to_string(), "frequency", "revenue").rows()
    [('2024-01-11', '2024-02-01', 1, 40)]
    """
    return customers.select(
        "customer_id",
        *("frequency", "revenue", "orders", "coupon_rate"),
        first="first_purchase_day",
        last="last_purchase_day",
        start="last_purchase_day",
        end=pl.lit(as_of + timedelta(days=1)),
    )


def _at_begin(value: pl.Expr) -> pl.Expr:
    """The value in the first row of each customer, in rows sorted by customer.

    Windows over the customers would group them by name, which takes several times as long.
    """
    return pl.when("_begins").then(value).forward_fill()


def _so_far(name: str) -> pl.Expr:
    """The running sum within each customer, of whole numbers or money, which add up exactly."""
    total = pl.col(name).cum_sum()
    return total - _at_begin(total - pl.col(name))


def _next_of_customer(name: str) -> pl.Expr:
    """The value in the customer's next row, in rows sorted by customer; null in the last one."""
    is_same = pl.col("customer_id") == pl.col("customer_id").shift(-1)
    return pl.when(is_same).then(pl.col(name).shift(-1))


def _last_of_customer(name: str) -> pl.Expr:
    """The value in the customer's row before, in rows sorted by customer; null in the first one."""
    is_same = pl.col("customer_id") == pl.col("customer_id").shift(1)
    return pl.when(is_same).then(pl.col(name).shift(1))


def _counted(orders: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """customer_id, start and, in a column of this name, how many orders have it on that day."""
    days = orders.select("customer_id", start=name).drop_nulls("start")
    return days.group_by("customer_id", "start").agg(pl.len().cast(pl.Int64).alias(name))


def clip_to(states: pl.DataFrame, first: date | None, end: date | None) -> pl.DataFrame:
    """The part of the states within [first, end); None means without bound.

    >>> states = pl.DataFrame({"start": [date(2024, 1, 1)], "end": [date(2024, 2, 1)]})
    >>> clip_to(states, date(2024, 1, 10), None).rows()
    [(datetime.date(2024, 1, 10), datetime.date(2024, 2, 1))]
    >>> clip_to(states, None, date(2024, 1, 1)).rows()
    []
    """
    start = pl.col("start") if first is None else pl.max_horizontal("start", pl.lit(first))
    stop = pl.col("end") if end is None else pl.min_horizontal("end", pl.lit(end))
    return states.with_columns(start=start, end=stop).filter(pl.col("start") < pl.col("end"))


def lifecycles(states: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The days on which a customer's lifecycle changes: customer_id, day, lifecycle.

    new: first sale within the last 30 days; lapsed: no sale within the last 90; else active.

    >>> first, end = date(2024, 1, 1), date(2024, 5, 1)
    >>> states = pl.DataFrame({"customer_id": "C1", "first": [first], "last": first, "end": end})
    >>> changes = lifecycles(states, as_of=date(2024, 4, 30)).sort("day")
    >>> changes.select(pl.col("day").dt.to_string(), "lifecycle").rows()
    [('2024-01-01', 'new'), ('2024-01-31', 'active'), ('2024-03-31', 'lapsed')]
    """
    customer = pl.col("customer_id")
    firsts = states.group_by("customer_id").agg(pl.first("first"))
    lapsing = states.filter(pl.col("end") > pl.col("last").dt.offset_by(f"{WINDOW}d"))
    changes = (
        firsts.select(customer, day="first", lifecycle=pl.lit("new")),
        firsts.select(
            customer, day=pl.col("first").dt.offset_by(f"{NEW_DAYS}d"), lifecycle=pl.lit("active")
        ),
        lapsing.select(
            customer, day=pl.col("last").dt.offset_by(f"{WINDOW}d"), lifecycle=pl.lit("lapsed")
        ),
        lapsing.select(customer, day="end", lifecycle=pl.lit("active")),
    )
    return pl.concat(changes).filter(pl.col("day") <= as_of)


def lifecycle_after(since_first: pl.Expr, since_last: pl.Expr) -> pl.Expr:
    """The lifecycle of a customer so many days after the first and the latest sale.

    >>> days = pl.DataFrame({"first": [29, 30, 400], "last": [0, 5, 90]})
    >>> days.select(lifecycle_after(pl.col("first"), pl.col("last"))).to_series().to_list()
    ['new', 'active', 'lapsed']
    """
    return (
        pl.when(since_last >= WINDOW)
        .then(pl.lit("lapsed"))
        .when(since_first < NEW_DAYS)
        .then(pl.lit("new"))
        .otherwise(pl.lit("active"))
    )


def merge_states(
    segments: pl.DataFrame, lifecycle: pl.DataFrame, retrained: pl.DataFrame
) -> pl.DataFrame:
    """Segment and lifecycle of each customer at the end of every day.

    Args:
        segments: customer_id, start, segment_id, segment_name: from `start` on.
        lifecycle: customer_id, day, lifecycle: from `day` on.
        retrained: customer_id, day, kept: on a day on which a new model takes over, the segment
            that the old one would have given.

    Returns:
        The columns of gold/customer_history, ordered by customer and day.

    >>> first, retraining = date(2024, 1, 1), date(2024, 1, 8)
    >>> names = {"segment_id": [1, 2], "segment_name": ["Champions", "Dormant"]}
    >>> segments = pl.DataFrame({"customer_id": "C1", "start": [first, retraining], **names})
    >>> lifecycle = pl.DataFrame({"customer_id": "C1", "day": [first], "lifecycle": "new"})
    >>> kept = pl.DataFrame({"customer_id": "C1", "day": [retraining], "kept": 1})
    >>> merge_states(segments, lifecycle, kept).select("segment_id", "change_reason").rows()
    [(1, 'first_seen'), (2, 'model_retrained')]
    >>> merge_states(segments, lifecycle, kept.clear())["change_reason"].to_list()
    ['first_seen', 'segment_changed']
    """
    moves = segments.select("customer_id", "segment_id", "segment_name", day="start")
    key = ["customer_id", "day"]
    states = (
        moves.join(lifecycle, on=key, how="full", coalesce=True)
        .sort(key)
        .with_columns(pl.col(_STATE).forward_fill().over("customer_id"))
    )
    before = {f"_{name}": _last_of_customer(name) for name in _STATE}
    compared = states.with_columns(**before).join(retrained, on=key, how="left")
    changed = pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"_{n}")) for n in _STATE)
    moved = pl.col("segment_id").ne_missing(pl.col("_segment_id"))
    renamed = pl.col("segment_name").ne_missing(pl.col("_segment_name"))
    reason = (
        pl.when(pl.col("_segment_id").is_null())
        .then(pl.lit("first_seen"))
        .when(moved & (pl.col("kept") == pl.col("_segment_id")))
        .then(pl.lit("model_retrained"))
        .when(moved)
        .then(pl.lit("segment_changed"))
        .when(renamed)
        .then(pl.lit("model_retrained"))
        .otherwise(pl.lit("lifecycle_changed"))
    )
    return (
        compared.with_columns(change_reason=reason)
        .filter(changed)
        .sort(key)
        .with_columns(valid_to=_next_of_customer("day"))
        .select(
            "customer_id",
            *_STATE,
            pl.col("day").alias("valid_from"),
            "valid_to",
            pl.col("valid_to").is_null().alias("is_current"),
            "change_reason",
        )
    )


def segment_versions(
    history: pl.DataFrame, events: pl.DataFrame, active_segments: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """Size, value, churn and contribution of each segment, a version whenever one changes.

    Args:
        history: rows of gold/customer_history.
        events: rows of gold/segment_events.
        active_segments: segment_id, segment_name, start, end: the days on which a model has the
            segment.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/segment_metrics. A segment without customers keeps a version with
        customers 0 as long as the model in effect has it.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> first, second, after = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
    >>> states = [
    ...     {"customer_id": "C1", "segment_id": 1, "valid_from": first, "valid_to": second},
    ...     {"customer_id": "C1", "segment_id": 2, "valid_from": second},
    ... ]
    >>> history = pl.DataFrame(states, schema=CUSTOMER_HISTORY.dtypes)
    >>> line = {"customer_id": "C1", "kind": "sale", "purchase_day": first, "net_amount": 10}
    >>> purchases = pl.LazyFrame([line], schema=PURCHASES.dtypes)
    >>> names = {"segment_id": [1, 2], "segment_name": ["Champions", "Dormant"]}
    >>> segments = pl.DataFrame({**names, "start": [first] * 2, "end": after})
    >>> events = segment_events(history.lazy(), purchases, as_of=second)
    >>> versions = segment_versions(history, events, segments, as_of=second)
    >>> versions.select("segment_id", "customers", "avg_clv", "segment_contribution").rows()
    [(1, 1, Decimal('10.00'), 1.0), (1, 0, None, 0.0), (2, 1, Decimal('10.00'), 1.0)]
    """
    days = calendar(history["valid_from"].min(), as_of)  # type: ignore[arg-type]
    names = pl.concat([history, active_segments], how="diagonal").unique(
        "segment_id", keep="last", maintain_order=True
    )
    grid = names.select("segment_id", "segment_name").join(days, how="cross")
    daily = (
        grid.join(events, on=["segment_id", "day"], how="left")
        .sort("segment_id", "day")
        .with_columns(pl.col(_EVENT_SUMS).fill_null(0).cum_sum().over("segment_id"))
        .with_columns(
            total=pl.sum("revenue").over("day"),
            began=(pl.col("customers") > 0).cum_max().over("segment_id"),
        )
    )
    alive = active_segments.select("segment_id", "start", "end")
    kept = daily.join(alive, on="segment_id", how="left").filter(
        pl.col("began")
        & ((pl.col("customers") > 0) | pl.col("day").is_between("start", "end", closed="left"))
    )
    return _versions(_figures(kept.unique(["segment_id", "day"])), as_of)


def segment_events(history: pl.LazyFrame, purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The changes of each segment on each day.

    Customers come and go with all their purchases so far. Their purchases while they are in the
    segment count on their day.

    Args:
        history: rows of gold/customer_history, all of some customers.
        purchases: rows of silver/purchases, all of these customers.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/segment_events.

    >>> from bridge_cart_assets.tables.gold import CUSTOMER_HISTORY
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> first, second = date(2024, 1, 1), date(2024, 1, 2)
    >>> states = [
    ...     {"customer_id": "C1", "segment_id": 1, "valid_from": first, "valid_to": second},
    ...     {"customer_id": "C1", "segment_id": 2, "valid_from": second},
    ... ]
    >>> line = {"customer_id": "C1", "kind": "sale", "purchase_day": first, "net_amount": 10}
    >>> purchases = pl.LazyFrame([line], schema=PURCHASES.dtypes)
    >>> history = pl.LazyFrame(states, schema=CUSTOMER_HISTORY.dtypes)
    >>> events = segment_events(history, purchases, as_of=second)
    >>> events.select("segment_id", "customers", "revenue").rows()
    [(1, 1, 1000), (1, -1, -1000), (2, 1, 1000)]
    """
    sums = ["orders", "revenue", "net"]
    money = _money_days(up_to(purchases, as_of)).sort("day")
    so_far = money.with_columns(pl.col(sums).cum_sum().over("customer_id"))
    intervals = history.collect().with_columns(
        lapsed=(pl.col("lifecycle") == "lapsed").cast(pl.Int64),
        last_day=pl.col("valid_to").dt.offset_by("-1d"),
    )
    come = (
        intervals.sort("valid_from")
        .join_asof(
            so_far,
            left_on="valid_from",
            right_on="day",
            by="customer_id",
            check_sortedness=False,
        )
        .select(
            "segment_id", pl.lit(1, pl.Int64).alias("customers"), "lapsed", *sums, day="valid_from"
        )
    )
    go = (
        intervals.drop_nulls("valid_to")
        .sort("last_day")
        .join_asof(
            so_far, left_on="last_day", right_on="day", by="customer_id", check_sortedness=False
        )
        .select(
            "segment_id",
            pl.lit(-1, pl.Int64).alias("customers"),
            -pl.col("lapsed"),
            *(-pl.col(name) for name in sums),
            day="valid_to",
        )
    )
    meanwhile = (
        money.join_asof(
            intervals.select("customer_id", "segment_id", "valid_from").sort("valid_from"),
            left_on="day",
            right_on="valid_from",
            by="customer_id",
            check_sortedness=False,
        )
        .filter(pl.col("day") > pl.col("valid_from"))
        .select("segment_id", *sums, day="day")
    )
    return added_up(SEGMENT_EVENTS, come, go, meanwhile)


def updated_events(
    earlier: pl.LazyFrame,
    changes: Changes,
    states: pl.LazyFrame,
    customers: pl.LazyFrame,
    moved: Rows,
) -> pl.DataFrame:
    """The rows of gold/segment_events once the changed customers are as they are now.

    Customers who have moved as time passed have no line since: what they take along is what
    gold/customer_features says.

    Args:
        earlier: rows of gold/segment_events.
        changes: what has changed in silver since.
        states: rows of gold/customer_history as they are now.
        customers: rows of gold/customer_features.
        moved: rows of gold/customer_history that came and went since.
    """
    steps = _steps(moved)
    of_past = steps.filter(pl.col("day") <= changes.seen_as_of).select("customer_id")
    touched = pl.concat([changes.buyers, of_past]).unique()
    passed = steps.join(touched, on="customer_id", how="anti")
    lines = changes.lines_of(touched)
    states_now = states.filter(is_among(touched["customer_id"])).collect()
    of_touched = moved.filtered(
        lambda rows: rows.join(touched.lazy(), on="customer_id", how="semi")
    )
    states_before = of_touched.before(states_now, ("customer_id", "valid_from"))
    now = segment_events(states_now.lazy(), lines.now.lazy(), changes.as_of)
    before = segment_events(states_before.lazy(), lines.before.lazy(), changes.seen_as_of)
    return added_up(
        SEGMENT_EVENTS,
        earlier.collect(),
        _taken_along(passed, customers),
        now,
        before.with_columns(-pl.col(_EVENT_SUMS)),
    )


def _steps(moved: Rows) -> pl.DataFrame:
    """Who comes (1) to a segment on a day and who goes (-1), by the rows of the history."""
    days = pl.concat(
        moved_rows.select(
            *("customer_id", "segment_id"),
            day=day,
            customers=pl.lit(sign, pl.Int64),
            lapsed=sign * (pl.col("lifecycle") == "lapsed").cast(pl.Int64),
        )
        for rows, came in ((moved.came, 1), (moved.gone, -1))
        for day, sign in (("valid_from", came), ("valid_to", -came))
        for moved_rows in (rows.drop_nulls(day),)
    )
    sums = days.group_by("customer_id", "segment_id", "day").agg(pl.sum("customers", "lapsed"))
    return sums.filter((pl.col("customers") != 0) | (pl.col("lapsed") != 0))


def _taken_along(steps: pl.DataFrame, customers: pl.LazyFrame) -> pl.DataFrame:
    """Events of customers who come and go with all they have bought by now."""
    bought = customers.filter(is_among(steps["customer_id"])).select(
        *("customer_id", "orders"), revenue=in_cents("revenue"), net=in_cents("net_revenue")
    )
    sums = ("orders", "revenue", "net")
    return steps.join(bought.collect(), on="customer_id").select(
        *("segment_id", "day", "customers", "lapsed"),
        *((pl.col("customers") * pl.col(name)).alias(name) for name in sums),
    )


def _money_days(seen: pl.LazyFrame) -> pl.DataFrame:
    """Per customer and day: new orders, revenue and net revenue, in cents."""
    cents = in_cents("net_amount").sum()
    sold = sales(seen).group_by("customer_id", day="purchase_day").agg(revenue=cents)
    orders = (
        sales(seen)
        .group_by("customer_id", *ORDER)
        .agg(day=pl.min("purchase_day"))
        .group_by("customer_id", "day")
        .agg(orders=pl.len().cast(pl.Int64))
    )
    back = refunds(seen).group_by("customer_id", day="purchase_day").agg(refunds=cents)
    key = ["customer_id", "day"]
    return (
        sold.join(orders, on=key, how="left")
        .join(back, on=key, how="full", coalesce=True)
        .with_columns(pl.col("orders", "revenue", "refunds").fill_null(0))
        .select(*key, "orders", "revenue", net=pl.col("revenue") + pl.col("refunds"))
        .collect()
    )


def _figures(daily: pl.DataFrame) -> pl.DataFrame:
    customers, total = pl.col("customers"), pl.col("total")
    return daily.select(
        "segment_id",
        "segment_name",
        "day",
        "customers",
        avg_clv=_per(pl.col("net"), customers),
        churn_rate=pl.when(customers > 0).then(pl.col("lapsed") / customers).round(6),
        aov=_per(pl.col("revenue"), pl.col("orders")),
        segment_contribution=pl.when(total > 0).then(pl.col("revenue") / total).round(6),
    )


def _per(cents: pl.Expr, count: pl.Expr) -> pl.Expr:
    """Cents / count, rounded half up to cents in whole numbers; null when there are none."""
    rounded = (2 * cents.abs() + count) // (2 * count) * cents.sign()
    exact = rounded.cast(pl.Decimal(20, 0)) * pl.lit("0.01").cast(MONEY)
    return pl.when(count > 0).then(exact.cast(MONEY))


def _versions(daily: pl.DataFrame, as_of: date) -> pl.DataFrame:
    ordered = daily.sort("segment_id", "day")
    same = pl.all_horizontal(
        pl.col(n).eq_missing(pl.col(n).shift(1)) for n in ("segment_id", "segment_name", *_METRICS)
    )
    follows = pl.col("day") == pl.col("day").shift(1).dt.offset_by("1d")
    return (
        ordered.with_columns(_begins=~(same & follows).fill_null(False))
        .with_columns(_run=pl.col("_begins").cum_sum())
        .group_by("_run", maintain_order=True)
        .agg(
            pl.first("segment_id", "segment_name", *_METRICS),
            valid_from=pl.first("day"),
            valid_to=pl.last("day").dt.offset_by("1d"),
        )
        .with_columns(is_current=pl.col("valid_to") > as_of)
        .with_columns(valid_to=pl.when(~pl.col("is_current")).then("valid_to"))
        .drop("_run")
    )
