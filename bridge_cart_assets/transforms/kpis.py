"""The shop's KPIs for every calendar day.

Belongs here: the formulas of gold/kpis_daily, each as one expression. Does not belong here: the
sums (`kpi_moves`) and the rankings (`concentration`) that they are made from, or when a KPI is
alarming (`checks`).
"""

from datetime import date
from decimal import Decimal

import polars as pl

from bridge_cart_assets.tables.gold import KPI_MOVES, KPIS_DAILY
from bridge_cart_assets.transforms import windows
from bridge_cart_assets.transforms.features import exact_sum, ratio
from bridge_cart_assets.transforms.windows import standing

_AMOUNTS = (
    *("revenue", "discounts", "refunds", "net_revenue", "revenue_new", "revenue_returning"),
    *("base_revenue_90d", "retained_revenue_90d", "revenue_90d", "discounts_90d"),
    *("purchase_amount_90d", "refunds_90d", "revenue_total", "top_decile_revenue"),
    *("anonymous_revenue", "anonymous_refunds", "revenue_all"),
    "refunds_without_sale",
)
# Counts of customers who have come so far, and the sums over W and V: the others are of one day.
_RUNNING = tuple(
    name
    for name in KPI_MOVES.dtypes
    if name.endswith("_90d") or name in {"customers_total", "repeat_customers"}
)


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
