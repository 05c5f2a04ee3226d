"""How many customers of each first-purchase month came back, month by month.

Belongs here: gold/cohort_retention. Does not belong here: segments or days.
"""

from datetime import date

import polars as pl

from bridge_cart_assets.transforms.changes import Changes
from bridge_cart_assets.transforms.features import exact_sum, sales, up_to


def cohort_retention(purchases: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """One row per cohort and month since, up to the month of `as_of`, months without sale too.

    Args:
        purchases: rows of silver/purchases.
        as_of: latest batch day in silver.

    Returns:
        The columns of gold/cohort_retention.

    >>> lines = pl.LazyFrame(
    ...     {
    ...         "customer_id": ["C1", "C2", "C1"],
    ...         "purchase_day": [date(2024, 1, 5), date(2024, 1, 9), date(2024, 2, 1)],
    ...         "net_amount": [10, 20, 5],
    ...         "kind": "sale",
    ...     }
    ... )
    >>> months = cohort_retention(lines, as_of=date(2024, 3, 30))
    >>> months.select("month_index", "active_customers", "retention", "is_complete").rows()
    [(0, 2, 1.0, True), (1, 1, 0.5, True), (2, 0, 0.0, False)]
    """
    return cohorts_from(cohort_sums(up_to(purchases, as_of)), as_of)


def updated_cohorts(earlier: pl.LazyFrame, changes: Changes) -> pl.DataFrame:
    """The rows of gold/cohort_retention once the changed customers are as they are now.

    Args:
        earlier: rows of gold/cohort_retention.
        changes: what has changed since.
    """
    cohort = pl.col("cohort_month").str.to_date("%Y-%m")
    so_far = earlier.select(
        cohort=cohort,
        month=cohort.dt.offset_by(pl.format("{}mo", "month_index")),
        active_customers="active_customers",
        revenue="revenue",
    )
    lines = changes.of_buyers
    before = cohort_sums(lines.before.lazy()).with_columns(-pl.col("active_customers", "revenue"))
    sums = (
        pl.concat([so_far, cohort_sums(lines.now.lazy()), before], how="vertical_relaxed")
        .group_by("cohort", "month")
        .agg(pl.all().sum())
        .filter(pl.col("active_customers") > 0)
    )
    return cohorts_from(sums, changes.as_of)


def cohort_sums(seen: pl.LazyFrame) -> pl.LazyFrame:
    """Per cohort and month the customers with a sale, and their revenue: cohort, month.

    Args:
        seen: rows of silver/purchases, all of some customers.
    """
    return (
        sales(seen)
        .group_by("customer_id", month=pl.col("purchase_day").dt.truncate("1mo"))
        .agg(revenue=pl.sum("net_amount"))
        .with_columns(cohort=pl.col("month").min().over("customer_id"))
        .group_by("cohort", "month")
        .agg(active_customers=pl.len().cast(pl.Int64), revenue=pl.sum("revenue"))
    )


def cohorts_from(sums: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """The rows of gold/cohort_retention, from the sums over all customers.

    Args:
        sums: rows of `cohort_sums`.
        as_of: latest batch day in silver.
    """
    # Each customer is active in the month of the first sale.
    sizes = sums.filter(pl.col("cohort") == pl.col("month"))
    months = sizes.select(
        "cohort",
        cohort_size="active_customers",
        month=pl.date_ranges("cohort", pl.lit(as_of).dt.truncate("1mo"), "1mo"),
    ).explode("month")
    return (
        months.join(sums, on=["cohort", "month"], how="left")
        .with_columns(
            active_customers=pl.col("active_customers").fill_null(0),
            revenue=exact_sum(pl.col("revenue").fill_null(0)),
        )
        .select(
            cohort_month=pl.col("cohort").dt.strftime("%Y-%m"),
            month_index=_months_between(pl.col("cohort"), pl.col("month")),
            cohort_size="cohort_size",
            active_customers="active_customers",
            retention=pl.col("active_customers") / pl.col("cohort_size"),
            revenue="revenue",
            is_complete=pl.col("month").dt.month_end() <= as_of,
        )
        .sort("cohort_month", "month_index")
        .collect()
    )


def _months_between(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    years = last.dt.year().cast(pl.Int64) - first.dt.year().cast(pl.Int64)
    return years * 12 + last.dt.month().cast(pl.Int64) - first.dt.month().cast(pl.Int64)
