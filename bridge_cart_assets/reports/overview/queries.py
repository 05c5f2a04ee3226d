"""What the overview asks the catalogue: one query per figure, and the shape of its answer.

Belongs here: SQL with bound parameters. Does not belong here: wording, rounding or layout.
Days are counted back from `last`, the latest day of gold.kpis_daily, which is as_of.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue, D
from bridge_cart_assets.tables.gold import SPEND_FORECAST


@dataclass(frozen=True)
class KpiDay:
    """The headline KPIs at the end of one day."""

    day: date
    customers_total: int
    revenue_90d: Decimal
    aov_90d: float | None
    churn_rate_90d: float | None
    repeat_purchase_rate: float | None


def kpi_days(catalogue: Catalogue, make: type[D], last: date, days: int) -> list[D]:
    """The last days of gold.kpis_daily, oldest first, with the KPIs that `make` has as fields."""
    source = """
        gold.kpis_daily
        WHERE day > CAST($last AS DATE) - CAST($days AS INTEGER) AND day <= $last
        ORDER BY day
    """
    return catalogue.read(make, source, {"last": last, "days": days})


def average_clv(catalogue: Catalogue) -> float | None:
    """Average historic value of the customers now, from gold.customer_value."""
    average: float | None = catalogue.value(
        "SELECT CAST(avg(historic_clv) AS DOUBLE) FROM gold.customer_value"
    )
    return average


@dataclass(frozen=True)
class ClvDay:
    """Average historic value of the customers at the end of one day."""

    day: date
    average: float | None


def clv_days(catalogue: Catalogue, last: date, days: int) -> list[ClvDay]:
    """Average historic value per day, put together from the segments' history.

    Right to the cent: gold.segment_metrics has each segment's average rounded to cents.
    """
    sql = """
        SELECT k.day, sum(m.customers * CAST(m.avg_clv AS DOUBLE)) / sum(m.customers)
        FROM gold.kpis_daily k
        JOIN gold.segment_metrics m
          ON m.valid_from <= k.day AND (m.valid_to IS NULL OR k.day < m.valid_to)
        WHERE k.day > CAST($last AS DATE) - CAST($days AS INTEGER) AND k.day <= $last
          AND m.avg_clv IS NOT NULL
        GROUP BY k.day HAVING sum(m.customers) > 0 ORDER BY k.day
    """
    return catalogue.ask(ClvDay, sql, {"last": last, "days": days})


@dataclass(frozen=True)
class SegmentNow:
    """The current figures of one segment."""

    segment_id: int
    segment_name: str
    customers: int
    segment_contribution: float | None
    avg_clv: Decimal | None
    aov: Decimal | None
    churn_rate: float | None


def segments_now(catalogue: Catalogue) -> list[SegmentNow]:
    """The living segments, the one that brings most revenue first."""
    source = """
        gold.segment_metrics WHERE is_current
        ORDER BY segment_contribution DESC NULLS LAST, segment_id
    """
    return catalogue.read(SegmentNow, source)


@dataclass(frozen=True)
class Sold:
    """Sales and refunds so far, of customers and of anonymous orders.

    `refunds_without_sale` is what of the refunds went to people without a sale, and `clv` what the
    customers have brought so far.
    """

    revenue: Decimal
    refunds: Decimal
    refunds_without_sale: Decimal
    anonymous_revenue: Decimal
    anonymous_refunds: Decimal
    orders: int
    anonymous_orders: int
    clv: Decimal


def sold_so_far(catalogue: Catalogue) -> Sold | None:
    """Sums over all days; None when an older version built the catalogue."""
    has_column = """
        SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'gold'
        AND table_name = 'kpis_daily' AND column_name = 'refunds_without_sale'
    """
    if not catalogue.value(has_column):
        return None
    sql = """
        SELECT sum(revenue), sum(refunds), sum(refunds_without_sale), sum(anonymous_revenue),
               sum(anonymous_refunds), CAST(sum(orders) AS BIGINT),
               CAST(sum(anonymous_orders) AS BIGINT),
               (SELECT coalesce(sum(historic_clv), 0) FROM gold.customer_value)
        FROM gold.kpis_daily
    """
    return catalogue.ask(Sold, sql)[0]


@dataclass(frozen=True)
class ShopForecast:
    """A forecast of what the customers spend in 90 days; None is what is not known (yet)."""

    forecast_from: date
    until: date
    expected: Decimal
    low: Decimal | None
    high: Decimal | None
    spent: Decimal | None
    is_within: bool | None
    interval: str


def spend_forecasts(catalogue: Catalogue) -> list[ShopForecast]:
    """The current forecast and those of past windows; none when an older version was here last."""
    if SPEND_FORECAST not in catalogue.gold_tables():
        return []
    source = "gold.spend_forecast WHERE horizon_days = 90 ORDER BY forecast_from DESC"
    return catalogue.read(ShopForecast, source)


@dataclass(frozen=True)
class RevenueWeek:
    """Revenue of the days that end with `week_to`: seven of them, or some sevens."""

    week_to: date
    revenue_new: Decimal
    revenue_returning: Decimal
    new_customers: int

    @property
    def revenue(self) -> Decimal:
        """Revenue of these days."""
        return self.revenue_new + self.revenue_returning


def revenue_weeks(catalogue: Catalogue, last: date, points: int, step: int) -> list[RevenueWeek]:
    """Revenue per `step` days, counted back from `last`, oldest first; full ones only."""
    sql = """
        SELECT CAST($last AS DATE)
                 - CAST($step * (date_diff('day', day, $last) // $step) AS INTEGER) AS w,
               sum(revenue_new), sum(revenue_returning), CAST(sum(new_customers) AS BIGINT)
        FROM gold.kpis_daily
        WHERE day > CAST($last AS DATE) - CAST($step * $points AS INTEGER) AND day <= $last
        GROUP BY w HAVING count(*) = $step ORDER BY w
    """
    return catalogue.ask(RevenueWeek, sql, {"last": last, "points": points, "step": step})


@dataclass(frozen=True)
class SegmentGrowth:
    """Customers of a living segment now and seven days before (None: it was not there)."""

    segment_id: int
    segment_name: str
    customers: int
    customers_before: int | None


def segment_growth(catalogue: Catalogue, last: date) -> list[SegmentGrowth]:
    """How many customers each living segment has, and had seven days before `last`."""
    sql = """
        SELECT now.segment_id, now.segment_name, now.customers, b.customers
        FROM gold.segment_metrics now
        LEFT JOIN gold.segment_metrics b
          ON b.segment_id = now.segment_id AND b.valid_from <= CAST($last AS DATE) - 7
         AND (b.valid_to IS NULL OR CAST($last AS DATE) - 7 < b.valid_to)
        WHERE now.is_current ORDER BY now.segment_id
    """
    return catalogue.ask(SegmentGrowth, sql, {"last": last})


@dataclass(frozen=True)
class CatalogueTable:
    """What the catalogue says about one of its gold tables."""

    name: str
    version: int | None
    rows: int | None
    description: str


def stored_tables(catalogue: Catalogue) -> list[CatalogueTable]:
    """The gold tables that can be exported, in the order of their declaration."""
    stored = catalogue.read(CatalogueTable, "meta.tables WHERE layer = 'gold'")
    by_name = {table.name: table for table in stored}
    return [
        by_name.get(table.name, CatalogueTable(table.name, None, None, table.description))
        for table in catalogue.gold_tables()
    ]
