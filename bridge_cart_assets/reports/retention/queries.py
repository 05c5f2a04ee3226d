"""What the retention page asks the catalogue: one query per figure, and the shape of its answer.

Belongs here: SQL with bound parameters. Does not belong here: wording, rounding or layout.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge_cart_assets.reports.catalogue import Catalogue


@dataclass(frozen=True)
class KpiDay:
    """The KPIs of coming back at the end of one day."""

    day: date
    retention_rate_90d: float | None
    nrr_90d: float | None
    repeat_purchase_rate: float | None


@dataclass(frozen=True)
class CohortMonth:
    """A cohort in one of its months."""

    cohort_month: str
    month_index: int
    cohort_size: int
    active_customers: int
    retention: float
    revenue: Decimal
    is_complete: bool


def cohort_months(catalogue: Catalogue, first_month: str) -> list[CohortMonth]:
    """Cohorts of a month (YYYY-MM) and later with all their months, the oldest first."""
    source = """
        gold.cohort_retention WHERE cohort_month >= $first_month
        ORDER BY cohort_month, month_index
    """
    return catalogue.read(CohortMonth, source, {"first_month": first_month})


@dataclass(frozen=True)
class MonthSince:
    """All cohorts in the same month since their first purchase, as far as it has ended."""

    month_index: int
    cohorts: int
    customers: int
    active_customers: int
    revenue: Decimal


def months_since(catalogue: Catalogue, first_month: str) -> list[MonthSince]:
    """Cohorts of a month and later added up by month since, over months that have ended.

    Month 0, in which everybody bought, is left out.
    """
    sql = """
        SELECT month_index, count(*), CAST(sum(cohort_size) AS BIGINT),
               CAST(sum(active_customers) AS BIGINT), sum(revenue)
        FROM gold.cohort_retention
        WHERE is_complete AND month_index > 0 AND cohort_month >= $first_month
        GROUP BY month_index ORDER BY month_index
    """
    return catalogue.ask(MonthSince, sql, {"first_month": first_month})
