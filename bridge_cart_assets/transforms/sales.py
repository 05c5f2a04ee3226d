"""Sales of each day by country, category, payment method and coupon use.

Belongs here: gold/sales_daily, figures that may be added up over any of its dimensions. Does not
belong here: orders or customers, which would count twice when added up (see `kpis`, `features`).
"""

from datetime import date

import polars as pl

from bridge_cart_assets.tables.columns import QUANTITY
from bridge_cart_assets.tables.gold import SALES_DAILY
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.changes import Changes, is_among
from bridge_cart_assets.transforms.features import exact_sum, up_to

UNKNOWN = "unknown"
_SUMS = tuple(name for name in SALES_DAILY.dtypes if name not in SALES_DAILY.key)


def sales_daily(purchases: pl.LazyFrame, customers: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per day, country, category, payment method and coupon use with a sale or refund.

    Refunds count on the day on which the shop gave the money back, so a row may hold refunds only.

    Args:
        purchases: rows of silver/purchases.
        customers: rows of silver/customers; the current ones give the country.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/sales_daily, ordered by their grain.

    >>> from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
    >>> line = {"customer_id": "C1", "order_id": "O1"}
    >>> lines = [
    ...     {**line, "purchase_day": date(2024, 1, 1), "kind": "sale", "net_amount": 30},
    ...     {**line, "purchase_day": date(2024, 1, 5), "kind": "refund", "net_amount": -10},
    ... ]
    >>> purchases = pl.LazyFrame(lines, schema=PURCHASES.dtypes)
    >>> days = sales_daily(purchases, CUSTOMERS.empty().lazy(), as_of=date(2024, 1, 31))
    >>> days.select("lines", "revenue", "refunds").rows()
    [(1, Decimal('30.00'), Decimal('0.00')), (0, Decimal('0.00'), Decimal('10.00'))]
    """
    return _sums(up_to(purchases, as_of), customers)


def updated_sales(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/sales_daily once the changed lines and countries are as they are now.

    Args:
        earlier: rows of gold/sales_daily.
        changes: what has changed since.
    """
    moved, lines = changes.of_relocated, changes.counted
    came, gone = (
        pl.concat([of_moved, other.join(changes.relocated, on="customer_id", how="anti")])
        for of_moved, other in (
            (moved.now, lines.came.select(moved.now.columns)),
            (moved.before, lines.gone.select(moved.now.columns)),
        )
    )
    buyers = pl.concat([came["customer_id"], gone["customer_id"]])
    now = changes.customers.filter(is_among(buyers)).filter("is_current").collect()
    before = changes.profiles.before(now, CUSTOMERS.key)
    so_far, more, less = (
        earlier.collect(),
        _sums(came.lazy(), now.lazy()),
        _sums(gone.lazy(), before.lazy()).with_columns(-pl.col(_SUMS)),
    )
    return SALES_DAILY.conform(
        pl.concat([so_far, more.select(so_far.columns), less.select(so_far.columns)])
        .group_by(SALES_DAILY.key)
        .agg(pl.sum(name).cast(SALES_DAILY.dtypes[name]) for name in _SUMS)
        .filter((pl.col("lines") > 0) | (pl.col("refunds") > 0))
        .sort(SALES_DAILY.key)
    )


def _sums(seen: pl.LazyFrame, customers: pl.LazyFrame) -> pl.DataFrame:
    countries = customers.filter("is_current").select("customer_id", "country")
    is_sale, is_refund = (pl.col("kind") == kind for kind in ("sale", "refund"))
    of_sales = ("quantity", "purchase_amount", "discount_amount", "net_amount")
    return (
        seen.filter(is_sale | is_refund)
        # Not within the groups, where a filter is computed for each of them.
        .with_columns(
            *(pl.when(is_sale).then(name).alias(name) for name in of_sales),
            _is_sale=is_sale,
            _refund=pl.when(is_refund).then(pl.col("net_amount")),
        )
        .join(countries, on="customer_id", how="left")
        .group_by(
            "product_category",
            "payment_method",
            "coupon_used",
            day="purchase_day",
            country=pl.col("country").fill_null(UNKNOWN),
        )
        .agg(
            lines=pl.sum("_is_sale").cast(pl.Int64),
            quantity=pl.sum("quantity").cast(QUANTITY),
            purchase_amount=exact_sum(pl.sum("purchase_amount")),
            discounts=exact_sum(pl.sum("discount_amount")),
            revenue=exact_sum(pl.sum("net_amount")),
            refunds=exact_sum(-pl.sum("_refund")),
        )
        .sort(SALES_DAILY.key)
        .collect()
    )
