"""Features of each customer: their purchases so far, with the current profile.

Belongs here: customer_features, and the few facts about sales that other transforms start from.
Does not belong here: predictions (`models`) or the shop's KPIs (`kpis`).
"""

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from bridge_cart_assets.tables.columns import MONEY

if TYPE_CHECKING:
    from bridge_cart_assets.transforms.changes import Changes

ORDER = ("source", "order_id")
_IMPUTED = ("age_imputed", "income_imputed")
_PROFILE = ("country", "gender", "age", "income")


def up_to(purchases: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Order lines up to and including a day; a line may be dated one day ahead of its batch.

    >>> lines = pl.LazyFrame({"purchase_day": [date(2024, 1, 1), date(2024, 1, 2)]})
    >>> up_to(lines, date(2024, 1, 1)).collect().height
    1
    """
    return purchases.filter(pl.col("purchase_day") <= as_of)


def of_customers(purchases: pl.LazyFrame) -> pl.LazyFrame:
    """The lines that have a customer.

    >>> lines = pl.LazyFrame({"order_id": ["O1", "O2"], "customer_id": ["C1", None]})
    >>> of_customers(lines).collect()["order_id"].to_list()
    ['O1']
    """
    return purchases.filter(pl.col("customer_id").is_not_null())


def anonymous_lines(purchases: pl.LazyFrame) -> pl.LazyFrame:
    """The anonymous order lines.

    >>> lines = pl.LazyFrame({"order_id": ["O1", "O2"], "customer_id": ["C1", None]})
    >>> anonymous_lines(lines).collect()["order_id"].to_list()
    ['O2']
    """
    return purchases.filter(pl.col("customer_id").is_null())


def sales(purchases: pl.LazyFrame) -> pl.LazyFrame:
    """The lines that count as revenue.

    >>> lines = pl.LazyFrame({"order_id": ["O1", "O2"], "kind": ["sale", "refund"]})
    >>> sales(lines).collect()["order_id"].to_list()
    ['O1']
    """
    return purchases.filter(pl.col("kind") == "sale")


def refunds(purchases: pl.LazyFrame) -> pl.LazyFrame:
    """The lines that give money back.

    >>> lines = pl.LazyFrame({"order_id": ["O1", "O2"], "kind": ["refund", "cancelled"]})
    >>> refunds(lines).collect()["order_id"].to_list()
    ['O1']
    """
    return purchases.filter(pl.col("kind") == "refund")


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """A rate; null, not zero or infinite, when the denominator is zero.

    >>> sums = pl.DataFrame({"revenue": [30.0, 0.0], "orders": [2, 0]})
    >>> sums.select(ratio(pl.col("revenue"), pl.col("orders"))).to_series().to_list()
    [15.0, None]
    """
    top, bottom = numerator.cast(pl.Float64), denominator.cast(pl.Float64)
    return pl.when(bottom != 0).then(top / bottom)


def exact_sum(expression: pl.Expr) -> pl.Expr:
    """A sum of money in the lakehouse's type.

    >>> amounts = pl.DataFrame({"amount": ["0.10", "0.20"]}).cast(MONEY)
    >>> amounts.select(exact_sum(pl.sum("amount"))).item()
    Decimal('0.30')
    """
    return expression.cast(MONEY)


def in_cents(column: str) -> pl.Expr:
    """Amounts of money as whole numbers of cents, which sum up exactly.

    >>> amounts = pl.DataFrame({"amount": ["0.10", "2"]}).cast(MONEY)
    >>> amounts.select(in_cents("amount")).to_series().to_list()
    [10, 200]
    """
    return (pl.col(column) * 100).cast(pl.Int64)


def customer_features(
    purchases: pl.LazyFrame, customers: pl.LazyFrame, as_of: date
) -> pl.DataFrame:
    """One row per customer with a sale up to `as_of`.

    Args:
        purchases: rows of silver/purchases.
        customers: rows of silver/customers; the current ones give the profile.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/customer_features, ordered by customer.

    >>> from bridge_cart_assets.tables.silver import CUSTOMERS, PURCHASES
    >>> line = {"customer_id": "C1", "order_id": "O1", "kind": "sale"}
    >>> lines = [
    ...     {**line, "purchase_day": date(2024, 1, 1), "net_amount": 30},
    ...     {**line, "purchase_day": date(2024, 1, 11), "net_amount": 10, "order_id": "O2"},
    ...     {**line, "purchase_day": date(2024, 1, 12), "net_amount": -10, "kind": "refund"},
    ... ]
    >>> purchases = pl.LazyFrame(lines, schema=PURCHASES.dtypes)
    >>> features = customer_features(purchases, CUSTOMERS.empty().lazy(), date(2024, 1, 31))
    >>> features.select("orders", "frequency", "recency_days", "revenue", "net_revenue").rows()
    [(2, 1, 20, Decimal('40.00'), Decimal('30.00'))]
    """
    return imputed(customer_facts(up_to(purchases, as_of), customers, as_of))


def updated_features(earlier: pl.LazyFrame, changes: "Changes") -> pl.DataFrame:
    """The rows of gold/customer_features once the changed customers are as they are now.

    Of all others only what depends on as_of and on the shop's medians is computed.

    Args:
        earlier: rows of gold/customer_features.
        changes: what has changed since.
    """
    touched, as_of = changes.buyers, pl.lit(changes.as_of)
    kept = earlier.join(touched.lazy(), on="customer_id", how="anti").with_columns(
        as_of=as_of,
        recency_days=_days(as_of - pl.col("last_purchase_day")),
        tenure_days=_days(as_of - pl.col("first_purchase_day")),
        age=pl.when(~pl.col("age_imputed")).then("age"),
        income=pl.when(~pl.col("income_imputed")).then("income"),
    )
    # Another profile needs no lines.
    people = changes.profiles.both.select("customer_id").unique().lazy()
    same = kept.join(people, on="customer_id", how="anti").drop(_IMPUTED)
    another = kept.join(people, on="customer_id", how="semi").drop(_PROFILE)
    concerned = pl.concat([touched.lazy(), people])
    profiles = changes.customers.join(concerned, on="customer_id", how="semi")
    facts = customer_facts(changes.of_buyers.now.lazy(), profiles, changes.as_of)
    parts = (_with_profile(another, profiles), facts)
    return imputed(pl.concat([same, *(part.select(_names(same)) for part in parts)]))


def _names(frame: pl.LazyFrame) -> list[str]:
    return frame.collect_schema().names()


def customer_facts(seen: pl.LazyFrame, customers: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The features of each customer by itself; age and income are null where they are unknown.

    Args:
        seen: rows of silver/purchases up to `as_of`, all of some customers.
        customers: rows of silver/customers, of these customers at least.
        as_of: latest batch day in silver.
    """
    sold = sales(seen)
    base = _base(sold, as_of)
    given_back = refunds(seen).group_by("customer_id").agg(refunds=exact_sum(-pl.sum("net_amount")))
    features = (
        base.join(_gaps(sold), on="customer_id", how="left")
        .join(
            _favourite(sold, "product_category", exact_sum(pl.sum("net_amount"))), on="customer_id"
        )
        .join(_favourite(sold, "payment_method", pl.struct(ORDER).n_unique()), on="customer_id")
        .join(given_back, on="customer_id", how="left")
        .with_columns(refunds=exact_sum(pl.col("refunds").fill_null(0)))
        .with_columns(
            net_revenue=exact_sum(pl.col("revenue") - pl.col("refunds")),
            refund_rate=ratio(pl.col("refunds"), pl.col("revenue")),
        )
        .rename({"product_category": "top_category", "payment_method": "top_payment_method"})
    )
    return _with_profile(features, customers)


def _with_profile(features: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
    profile = customers.filter("is_current").select("customer_id", *_PROFILE)
    return features.join(profile, on="customer_id", how="left").with_columns(
        gender=pl.col("gender").fill_null("unknown"), age=pl.col("age").cast(pl.Float64)
    )


def imputed(facts: pl.LazyFrame) -> pl.DataFrame:
    """The features of all customers, an unknown age or income as the median of the others.

    >>> ages = pl.LazyFrame({"customer_id": ["C1", "C2"], "age": [40.0, None]})
    >>> facts = ages.with_columns(income=pl.lit(None, MONEY))
    >>> imputed(facts).select("age", "age_imputed", "income_imputed").rows()
    [(40.0, False, False), (40.0, True, False)]
    """
    return (
        facts.with_columns(
            age_imputed=pl.col("age").is_null() & pl.col("age").is_not_null().any(),
            income_imputed=pl.col("income").is_null() & pl.col("income").is_not_null().any(),
        )
        .with_columns(
            age=pl.col("age").fill_null(pl.median("age")),
            income=pl.col("income").fill_null(_median_money("income")),
        )
        .sort("customer_id")
        .collect()
    )


def _base(sold: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    order = pl.struct(ORDER)
    first, last = pl.min("purchase_day"), pl.max("purchase_day")
    orders = order.n_unique().cast(pl.Int64)
    revenue = pl.sum("net_amount")
    return sold.group_by("customer_id").agg(
        as_of=pl.lit(as_of),
        first_purchase_day=first,
        last_purchase_day=last,
        orders=orders,
        lines=pl.len().cast(pl.Int64),
        recency_days=_days(pl.lit(as_of) - last),
        tenure_days=_days(pl.lit(as_of) - first),
        frequency=pl.n_unique("purchase_day").cast(pl.Int64) - 1,
        t_x=_days(last - first),
        revenue=exact_sum(revenue),
        aov=ratio(revenue, orders),
        coupon_rate=ratio(order.filter("coupon_used").n_unique(), orders),
        discount_rate=ratio(pl.sum("discount_amount"), pl.sum("purchase_amount")),
        active_months=pl.n_unique("purchase_month").cast(pl.Int64),
    )


def _gaps(sold: pl.LazyFrame) -> pl.LazyFrame:
    """Median days between consecutive distinct purchase days; null with one day only."""
    # In sorted rows the neighbour is enough: a difference within each group costs twice as much.
    is_same = pl.col("customer_id") == pl.col("customer_id").shift(1)
    gap = (pl.col("purchase_day") - pl.col("purchase_day").shift(1)).dt.total_days()
    return (
        sold.select("customer_id", "purchase_day")
        .unique()
        .sort("customer_id", "purchase_day")
        .with_columns(_gap=pl.when(is_same).then(gap))
        .group_by("customer_id")
        .agg(median_gap_days=pl.median("_gap"))
    )


def _favourite(sold: pl.LazyFrame, column: str, weight: pl.Expr) -> pl.LazyFrame:
    """Per customer the value of a column with the highest weight, then by name."""
    return (
        sold.group_by("customer_id", column)
        .agg(_weight=weight)
        .sort("_weight", column, descending=[True, False])
        .group_by("customer_id")
        .agg(pl.first(column))
    )


def _days(difference: pl.Expr) -> pl.Expr:
    return difference.dt.total_days().cast(pl.Int64)


def _median_money(column: str) -> pl.Expr:
    middle = pl.median(column).cast(pl.Decimal(38, 6))
    return exact_sum(middle.round(2, mode="half_away_from_zero"))
