"""What customers bought first, and what became of them.

Belongs here: gold/first_category and the sums that it is made from. Does not belong here: what is
bought together (`category_pairs`), or how a customer's forecast is made (`models`).
"""

from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.gold import FIRST_CATEGORY, FIRST_CATEGORY_DAYS
from bridge_cart_assets.transforms.changes import Changes, added_up
from bridge_cart_assets.transforms.features import ORDER, in_cents, refunds, sales, up_to

# So long everybody who counts has had to order again.
REPEAT_WITHIN = timedelta(days=90)
_ORDERED = ("customer_id", "at", *ORDER)


def first_category(days: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per category that the first order of a customer was of.

    Args:
        days: rows of gold/first_category_days.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/first_category. The rate within 90 days is of those customers whose
        first order is 90 days old: the others have not had the time.

    >>> row = {"first_category": "Toys", "first_day": date(2024, 1, 1), "customers": 2}
    >>> row |= {"repeat_customers": 1, "repeat_customers_90d": 1, "orders": 3, "revenue": 6000}
    >>> late = row | {"first_day": date(2024, 5, 1)}
    >>> days = pl.LazyFrame([row, late], schema=FIRST_CATEGORY_DAYS.dtypes).fill_null(0)
    >>> found = first_category(days, as_of=date(2024, 5, 31))
    >>> found.select("customers", "repeat_rate", "customers_90d", "repeat_rate_90d").rows()
    [(4, 0.5, 2, 0.5)]
    """
    had_time = pl.col("first_day") <= as_of - REPEAT_WITHIN
    customers = pl.col("customers")
    rows = (
        days.group_by("first_category")
        .agg(
            *(pl.sum(name) for name in ("customers", "repeat_customers", "orders", "revenue")),
            pl.sum("refunds"),
            customers_90d=customers.filter(had_time).sum(),
            repeat_customers_90d=pl.col("repeat_customers_90d").filter(had_time).sum(),
        )
        .with_columns(net=pl.col("revenue") - pl.col("refunds"))
        .select(
            "first_category",
            "customers",
            "repeat_customers",
            "customers_90d",
            "repeat_customers_90d",
            "orders",
            repeat_rate=pl.col("repeat_customers") / customers,
            repeat_rate_90d=pl.when(pl.col("customers_90d") > 0).then(
                pl.col("repeat_customers_90d") / pl.col("customers_90d")
            ),
            revenue=_money(pl.col("revenue")),
            net_revenue=_money(pl.col("net")),
            orders_per_customer=pl.col("orders") / customers,
            revenue_per_customer=pl.col("revenue") / 100 / customers,
            net_revenue_per_customer=pl.col("net") / 100 / customers,
        )
        .sort("first_category")
        .collect()
    )
    return FIRST_CATEGORY.conform(rows)


def first_category_days(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Sums over the customers by the category and the day of their first order.

    An order's category is the one with the highest net amount, then the first by name; a category
    that is not known is one like the others. A customer's first order is the earliest by its time,
    then by source and id.

    Args:
        purchases: rows of silver/purchases, all of some customers.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/first_category_days; amounts in cents.

    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"source": "purchases", "customer_id": "C1", "kind": "sale", "line_number": 1}
    >>> first = {**line, "order_id": "O1", "purchase_day": date(2024, 1, 1)}
    >>> lines = [
    ...     {**first, "product_category": "Toys", "net_amount": 9},
    ...     {**first, "product_category": "Books", "net_amount": 8, "line_number": 2},
    ...     {**line, "order_id": "O2", "purchase_day": date(2024, 3, 31), "net_amount": 1},
    ... ]
    >>> purchases = pl.LazyFrame(lines, schema=PURCHASES.dtypes)
    >>> days = first_category_days(purchases, as_of=date(2024, 6, 30))
    >>> days.select("first_category", "repeat_customers_90d", "orders", "revenue").rows()
    [('Toys', 1, 2, 1800)]
    """
    seen = up_to(purchases, as_of)
    sold = sales(seen).with_columns(cents=in_cents("net_amount"))
    orders = (
        sold.group_by("customer_id", *ORDER)
        .agg(
            at=pl.min("purchase_date"),
            day=pl.min("purchase_day"),
            cents=pl.sum("cents"),
        )
        .sort(_ORDERED, nulls_last=False)
        .group_by("customer_id", maintain_order=True)
        .agg(
            *(pl.first(name) for name in ORDER),
            first_day=pl.first("day"),
            second_day=pl.col("day").slice(1, 1).first(),
            orders=pl.len().cast(pl.Int64),
            revenue=pl.sum("cents"),
        )
    )
    categories = (
        sold.join(orders.select("customer_id", *ORDER), on=["customer_id", *ORDER], how="semi")
        .group_by("customer_id", first_category="product_category")
        .agg(pl.sum("cents"))
        .sort("customer_id", "cents", "first_category", descending=[False, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", "first_category")
    )
    given_back = refunds(seen).group_by("customer_id").agg(refunds=-in_cents("net_amount").sum())
    is_again = pl.col("second_day").is_not_null()
    in_time = (pl.col("second_day") - pl.col("first_day") <= REPEAT_WITHIN).fill_null(value=False)
    customers = (
        orders.join(categories, on="customer_id")
        .join(given_back, on="customer_id", how="left")
        .group_by("first_category", "first_day")
        .agg(
            customers=pl.len().cast(pl.Int64),
            repeat_customers=is_again.sum().cast(pl.Int64),
            repeat_customers_90d=in_time.sum().cast(pl.Int64),
            orders=pl.sum("orders"),
            revenue=pl.sum("revenue"),
            refunds=pl.col("refunds").fill_null(0).sum(),
        )
        .collect()
    )
    return added_up(FIRST_CATEGORY_DAYS, customers)


def updated_first_category_days(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/first_category_days once the changed customers are as they are now.

    Args:
        earlier: rows of gold/first_category_days.
        changes: what has changed since.
    """
    lines = changes.of_buyers
    now = first_category_days(lines.now.lazy(), changes.as_of)
    before = first_category_days(lines.before.lazy(), changes.seen_as_of)
    gone = before.with_columns(-pl.exclude(FIRST_CATEGORY_DAYS.key))
    return added_up(FIRST_CATEGORY_DAYS, earlier.collect(), now, gone)


def _money(cents: pl.Expr) -> pl.Expr:
    return (cents.cast(pl.Decimal(20, 0)) * pl.lit(Decimal("0.01"))).cast(MONEY)
