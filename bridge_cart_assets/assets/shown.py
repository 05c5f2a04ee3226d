"""What the page of a gold table shows of its rows: three figures and a small chart.

Belongs here: which figures and which chart a table has, declared once per table. Does not belong
here: computing gold (`transforms`, `models`), or drawing (`drawing`). Dagster plots each figure
over the materializations, so that a table's page says how it has moved from run to run; the
figures are aggregates, never of one customer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import polars as pl

from bridge_cart_assets.assets.drawing import Point, columns, markdown, rows
from bridge_cart_assets.tables.gold import (
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_HISTORY,
    CUSTOMER_SEGMENTS,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    SALES_DAILY,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
    SEGMENT_MODEL,
    VALUE_MODEL,
)
from bridge_cart_assets.tables.table import Table

_MOST_COLUMNS = 60
_MOST_ROWS = 8


@dataclass(frozen=True)
class Chart:
    """A chart of a table.

    Attributes:
        title: what it shows.
        points: from the table's rows to two columns, a label and a value.
        draw: `columns` for what follows each other, `rows` for what stands side by side.
    """

    title: str
    points: Callable[[pl.DataFrame], pl.DataFrame]
    draw: Callable[[Sequence[Point]], str] = columns


@dataclass(frozen=True)
class Shown:
    """What is shown of a table.

    Attributes:
        figures: three figures by name; each expression comes to one number over `of`.
        of: the rows that they are about; all without.
        chart: the chart, over all rows.
    """

    figures: Mapping[str, pl.Expr]
    chart: Chart
    of: pl.Expr | None = None


def _latest(column: str) -> pl.Expr:
    return pl.col(column) == pl.col(column).max()


def _by(
    label: str, value: pl.Expr, *, of: pl.Expr | None = None, most: bool = False
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A value per label, in the order of the labels, or the highest first."""

    def points(frame: pl.DataFrame) -> pl.DataFrame:
        mine = frame if of is None else frame.filter(of)
        found = mine.group_by(label).agg(_value=value)
        return found.sort("_value", label, descending=[True, False]) if most else found.sort(label)

    return points


def _moved() -> pl.Expr:
    is_move = pl.col("from_segment_id") != pl.col("to_segment_id")
    return pl.col("customers").filter(is_move & (pl.col("from_segment_id") != 0)).sum()


def _retained(month: int) -> pl.Expr:
    """Share of the customers of all cohorts that came back in their n-th month."""
    mine = (pl.col("month_index") == month) & pl.col("is_complete")
    active, size = (pl.col(c).filter(mine).sum() for c in ("active_customers", "cohort_size"))
    return pl.when(size > 0).then(active / size)


def _months_since(frame: pl.DataFrame) -> pl.DataFrame:
    """Customers by whole months since their latest sale; a year and more is one."""
    months = (pl.col("recency_days") // 30).clip(upper_bound=12)
    return (
        frame.group_by(months.alias("months"))
        .agg(customers=pl.len())
        .sort("months")
        .with_columns(pl.format("{} months", "months"))
    )


# Of the segment model each version counts; the parts of the value model have one in common.
_IN_EFFECT = pl.col("model_version") == pl.col("model_version").max().over(
    pl.col("model") == "segments"
)

SHOWN: Mapping[str, Shown] = {
    CUSTOMER_FEATURES.path: Shown(
        {
            "revenue": pl.sum("revenue"),
            "orders_per_customer": pl.mean("orders"),
            "median_recency_days": pl.median("recency_days"),
        },
        Chart("Customers by months since their latest sale", _months_since),
    ),
    CUSTOMER_VALUE.path: Shown(
        {
            "historic_clv_mean": pl.mean("historic_clv"),
            "predicted_clv_365d": pl.sum("predicted_clv_365d"),
            "churn_probability_90d_mean": pl.mean("churn_probability_90d"),
        },
        Chart(
            "Customers by how likely they leave",
            _by("churn_band", pl.len(), of=pl.col("churn_band").is_not_null(), most=True),
            rows,
        ),
    ),
    CUSTOMER_SEGMENTS.path: Shown(
        {
            "segments": pl.n_unique("segment_id"),
            "largest_share": pl.col("segment_id")
            .value_counts(normalize=True, name="share")
            .struct.field("share")
            .max(),
            "margin_mean": pl.mean("margin"),
        },
        Chart("Customers by segment", _by("segment_name", pl.len(), most=True), rows),
    ),
    CUSTOMER_HISTORY.path: Shown(
        {
            "customers": pl.n_unique("customer_id"),
            "segment_changes": (pl.col("change_reason") == "segment_changed").sum(),
            "lapsed_share": (pl.col("lifecycle") == "lapsed").filter("is_current").mean(),
        },
        Chart(
            "Changes of state by day",
            _by("valid_from", pl.len(), of=pl.col("change_reason") != "first_seen"),
        ),
    ),
    SEGMENT_METRICS.path: Shown(
        {
            "segments": pl.len(),
            "highest_churn_rate": pl.max("churn_rate"),
            "highest_contribution": pl.max("segment_contribution"),
        },
        Chart(
            "Share of all revenue by segment",
            _by("segment_name", pl.sum("segment_contribution"), of=pl.col("is_current"), most=True),
            rows,
        ),
        of=pl.col("is_current"),
    ),
    SEGMENT_MIGRATION.path: Shown(
        {"moved": _moved(), "lost": pl.sum("lost"), "won_back": pl.sum("won_back")},
        Chart("Customers who changed the segment, by month", _by("period_end", _moved())),
        of=_latest("period_end"),
    ),
    KPIS_DAILY.path: Shown(
        {
            "revenue_90d": pl.first("revenue_90d"),
            "churn_rate_90d": pl.first("churn_rate_90d"),
            "aov_90d": pl.first("aov_90d"),
        },
        Chart("Revenue in the 90 days up to the day", _by("day", pl.first("revenue_90d"))),
        of=_latest("day"),
    ),
    COHORT_RETENTION.path: Shown(
        {
            "retention_month_1": _retained(1),
            "retention_month_3": _retained(3),
            "retention_month_6": _retained(6),
        },
        Chart(
            "Share of the customers who came back, by months since their first sale",
            _by(
                "month_index",
                pl.sum("active_customers") / pl.sum("cohort_size"),
                of=pl.col("is_complete") & (pl.col("month_index") > 0),
            ),
        ),
    ),
    SALES_DAILY.path: Shown(
        {
            "revenue_latest_day": pl.sum("revenue"),
            "quantity_latest_day": pl.sum("quantity"),
            "refunds_latest_day": pl.sum("refunds"),
        },
        Chart("Revenue by category", _by("product_category", pl.sum("revenue"), most=True), rows),
        of=_latest("day"),
    ),
    SEGMENT_MODEL.path: Shown(
        {
            "trained_on": pl.max("trained_on"),
            "stability": pl.max("stability"),
            "silhouette": pl.max("silhouette"),
        },
        Chart("Stability by version", _by("model_version", pl.max("stability")), rows),
        of=_latest("model_version"),
    ),
    MODEL_DRIFT.path: Shown(
        {
            "distributions": pl.len(),
            "moved": pl.sum("has_drifted"),
            "highest_psi": pl.max("psi"),
        },
        Chart("Population stability index", _by("subject", pl.max("psi"), most=True), rows),
    ),
    VALUE_MODEL.path: Shown(
        {
            "trained_on": pl.max("trained_on"),
            "parameters": pl.len(),
            "at_a_bound": pl.col("standard_error").is_null().sum(),
        },
        Chart(
            "Customers that each version was fitted to", _by("trained_as_of", pl.max("trained_on"))
        ),
        of=_latest("model_version"),
    ),
    MODEL_METRICS.path: Shown(
        {
            "gates_passed": pl.sum("passed"),
            "gates_missed": (~pl.col("passed")).sum(),
            "metrics": pl.len(),
        },
        Chart(
            "Gates passed by model, in effect",
            _by("model", pl.sum("passed"), of=_IN_EFFECT, most=True),
            rows,
        ),
        of=_IN_EFFECT,
    ),
}


def shown(table: Table, frame: pl.DataFrame) -> dict[str, float | dg.MetadataValue]:
    """Metadata of a table that has these rows now; nothing of a table without rows.

    A figure that does not exist, such as a rate over nobody, is left out.
    """
    declared = SHOWN.get(table.path)
    if declared is None or not frame.height:
        return {}
    mine = frame if declared.of is None else frame.filter(declared.of)
    figures = mine.select(
        value.cast(pl.Float64).alias(name) for name, value in declared.figures.items()
    )
    found: dict[str, float | dg.MetadataValue] = {
        name: value for name, value in figures.row(0, named=True).items() if value is not None
    }
    drawn = _chart(declared.chart, frame)
    return found | ({"chart": dg.MetadataValue.md(drawn)} if drawn else {})


def _chart(chart: Chart, frame: pl.DataFrame) -> str:
    found = chart.points(frame)
    label, value = found.columns
    points = [
        (str(name), float(figure))
        for name, figure in found.drop_nulls(value).select(label, value).iter_rows()
    ]
    if not points:
        return ""
    kept = points[-_MOST_COLUMNS:] if chart.draw is columns else points[:_MOST_ROWS]
    return markdown(chart.title, chart.draw(kept))
