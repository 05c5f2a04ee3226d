"""The key figures on the asset page of a gold table.

Belongs here: which figures a table has, declared once per table. Does not belong here: computing
gold (`transforms`, `models`). Dagster plots each figure over the materializations, so that a
table's page shows how it moves from run to run. The figures are aggregates, never of one customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.tables.gold import (
    CATEGORY_PAIRS,
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_RFM,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    FIRST_CATEGORY,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    RFM_MIGRATION,
    RFM_MODEL,
    SALES_DAILY,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    SPEND_FORECAST,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.rfm_groups import NO_SALE


@dataclass(frozen=True)
class TableMetadata:
    """The key figures of a table.

    Attributes:
        figures: by name; each expression is aggregated to one number over `rows`.
        rows: which rows count; all without.
    """

    figures: Mapping[str, pl.Expr]
    rows: pl.Expr | None = None


def _latest(column: str) -> pl.Expr:
    return pl.col(column) == pl.col(column).max()


def _moved(start: str, end: str, nowhere: int | str) -> pl.Expr:
    is_move = pl.col(start) != pl.col(end)
    return pl.col("customers").filter(is_move & (pl.col(start) != nowhere)).sum()


def _share_in(*groups: str) -> pl.Expr:
    return pl.col("rfm_group").is_in(groups).mean()


def _retained(month: int) -> pl.Expr:
    """Share of the customers of all cohorts that came back in their n-th month."""
    mine = (pl.col("month_index") == month) & pl.col("is_complete")
    active, size = (pl.col(c).filter(mine).sum() for c in ("active_customers", "cohort_size"))
    return pl.when(size > 0).then(active / size)


# Of the segment model each version counts; the parts of the value model have one in common.
_IN_EFFECT = pl.col("model_version") == pl.col("model_version").max().over(
    pl.col("model") == "segments"
)

_COUNT = "_rows"
TABLE_METADATA: Mapping[str, TableMetadata] = {
    CUSTOMER_FEATURES.path: TableMetadata(
        {
            "revenue": pl.sum("revenue"),
            "orders_per_customer": pl.mean("orders"),
            "median_recency_days": pl.median("recency_days"),
        },
    ),
    CUSTOMER_VALUE.path: TableMetadata(
        {
            "historic_clv_mean": pl.mean("historic_clv"),
            "predicted_clv_365d": pl.sum("predicted_clv_365d"),
            "churn_probability_90d_mean": pl.mean("churn_probability_90d"),
        },
    ),
    CUSTOMER_SEGMENTS.path: TableMetadata(
        {
            "segments": pl.n_unique("segment_id"),
            "largest_share": pl.col("segment_id")
            .value_counts(normalize=True, name="share")
            .struct.field("share")
            .max(),
            "margin_mean": pl.mean("margin"),
        },
    ),
    CUSTOMER_HISTORY.path: TableMetadata(
        {
            # Each has one current state.
            "customers": pl.sum("is_current"),
            "segment_changes": (pl.col("change_reason") == "segment_changed").sum(),
            "lapsed_share": (pl.col("lifecycle") == "lapsed").filter("is_current").mean(),
        },
    ),
    SEGMENT_METRICS.path: TableMetadata(
        {
            "segments": pl.len(),
            "highest_churn_rate": pl.max("churn_rate"),
            "highest_contribution": pl.max("segment_contribution"),
        },
        rows=pl.col("is_current"),
    ),
    SEGMENT_MIGRATION.path: TableMetadata(
        {
            "moved": _moved("from_segment_id", "to_segment_id", 0),
            "lost": pl.sum("lost"),
            "won_back": pl.sum("won_back"),
        },
        rows=_latest("period_end"),
    ),
    CUSTOMER_RFM.path: TableMetadata(
        {
            "groups": pl.n_unique("rfm_group"),
            "share_champions_and_loyal": _share_in("CHAMPIONS", "LOYAL"),
            "share_at_risk": _share_in("AT_RISK", "PREVIOUSLY_LOYAL"),
        },
    ),
    RFM_MIGRATION.path: TableMetadata(
        {
            "customers": pl.sum("customers"),
            "moved": _moved("from_group", "to_group", NO_SALE),
            "new": pl.col("customers").filter(pl.col("from_group") == NO_SALE).sum(),
        },
        rows=_latest("period_end"),
    ),
    RFM_MODEL.path: TableMetadata(
        {
            "trained_on": pl.max("trained_on"),
            # Of fifteen; many equal values leave some without customers.
            "scores_with_customers": (pl.col("customers") > 0).sum(),
            "largest_share": (pl.col("customers") / pl.col("trained_on")).max(),
        },
        rows=_latest("model_version"),
    ),
    KPIS_DAILY.path: TableMetadata(
        {
            "revenue_90d": pl.first("revenue_90d"),
            "churn_rate_90d": pl.first("churn_rate_90d"),
            "aov_90d": pl.first("aov_90d"),
        },
        rows=_latest("day"),
    ),
    COHORT_RETENTION.path: TableMetadata(
        {
            "retention_month_1": _retained(1),
            "retention_month_3": _retained(3),
            "retention_month_6": _retained(6),
        },
    ),
    SALES_DAILY.path: TableMetadata(
        {
            "revenue_latest_day": pl.sum("revenue"),
            "quantity_latest_day": pl.sum("quantity"),
            "refunds_latest_day": pl.sum("refunds"),
        },
        rows=_latest("day"),
    ),
    FIRST_CATEGORY.path: TableMetadata(
        {
            "categories": pl.len(),
            "highest_repeat_rate_90d": pl.max("repeat_rate_90d"),
            "highest_net_revenue_per_customer": pl.max("net_revenue_per_customer"),
        },
    ),
    CATEGORY_PAIRS.path: TableMetadata(
        {
            "pairs": pl.len(),
            "highest_support": pl.max("support"),
            "highest_lift": pl.max("lift"),
        },
    ),
    SEGMENT_MODEL.path: TableMetadata(
        {
            "trained_on": pl.max("trained_on"),
            "stability": pl.max("stability"),
            "silhouette": pl.max("silhouette"),
        },
        rows=_latest("model_version"),
    ),
    MODEL_DRIFT.path: TableMetadata(
        {
            "distributions": pl.len(),
            "moved": pl.sum("has_drifted"),
            "highest_psi": pl.max("psi"),
        },
    ),
    VALUE_MODEL.path: TableMetadata(
        {
            "trained_on": pl.max("trained_on"),
            "parameters": pl.len(),
            "at_a_bound": pl.col("standard_error").is_null().sum(),
        },
        rows=_latest("model_version"),
    ),
    SPEND_FORECAST.path: TableMetadata(
        {
            "expected": pl.first("expected"),
            "high": pl.first("high"),
            "past_windows": pl.first("past_windows"),
        },
        rows=_latest("forecast_from") & (pl.col("horizon_days") == pl.min("horizon_days")),
    ),
    MODEL_METRICS.path: TableMetadata(
        {
            "gates_passed": pl.sum("passed"),
            "gates_missed": (~pl.col("passed")).sum(),
            "metrics": pl.len(),
        },
        rows=_IN_EFFECT,
    ),
}


def asset_metadata(table: Table, rows: pl.LazyFrame) -> dict[str, float]:
    """The key figures of a table that has these rows; none of a table without rows.

    Only the columns that they are made from are read. A figure that does not exist, such as a rate
    over no customer, is left out.
    """
    declared = TABLE_METADATA.get(table.path)
    if declared is None:
        return {}
    counted = rows if declared.rows is None else rows.filter(declared.rows)
    figures = counted.select(
        pl.len().alias(_COUNT),
        *(value.cast(pl.Float64).alias(name) for name, value in declared.figures.items()),
    ).collect()
    if not figures.height:
        return {}
    values = figures.row(0, named=True)
    if not values.pop(_COUNT):
        return {}
    return {name: value for name, value in values.items() if value is not None}
