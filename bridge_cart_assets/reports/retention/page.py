"""The retention page: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has. Does not belong here: SQL (see `queries`), what is drawn
of the cohorts (see `cohorts`), or HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart
from bridge_cart_assets.reports.filters import PageQuery
from bridge_cart_assets.reports.formatting import percent
from bridge_cart_assets.reports.freshness import days_of_figures
from bridge_cart_assets.reports.overview.kpis import COMPARED_WITH, Kpi, kpi
from bridge_cart_assets.reports.overview.queries import kpi_days
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.retention import queries
from bridge_cart_assets.reports.retention.cohorts import (
    MEASURES,
    OF,
    Cohort,
    cohort_chart,
    cohort_rows,
    curve_chart,
    latest_cohort,
)
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.tables.gold import COHORT_RETENTION, KPIS_DAILY

NEEDED = frozenset({KPIS_DAILY, COHORT_RETENTION})
MOST_COHORTS = 24
_NO_CUSTOMER = "no customer bought from 180 to 90 days before: none could have stayed"


@dataclass(frozen=True)
class Retention:
    """All that the retention page shows.

    Attributes:
        last: the latest day.
        compared_day, compared_with: the day of the comparisons, and how many days before it is.
        days: how many days the sparklines span.
        rows: the cohorts that the heatmap has, as a shaded table.
        months: the headings of that table: months since, from 0.
        open_month: the month that is still going on, if any.
        left_out: how many cohorts of the period are only in the CSV.
        latest: a sentence on the latest cohort.
        meanings: what each KPI is, as the tables declare it.
    """

    last: date
    compared_day: date
    compared_with: int
    days: int
    kpis: tuple[Kpi, ...]
    cohorts: Chart
    rows: tuple[Cohort, ...]
    months: tuple[int, ...]
    open_month: str
    left_out: int
    curve: Chart
    latest: str
    meanings: tuple[tuple[str, str], ...]

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (self.cohorts.sheet, self.curve.sheet)


def retention(catalogue: Catalogue, asked: PageQuery) -> Retention | None:
    """Everything on the page; None while gold has no KPIs."""
    there = days_of_figures(catalogue)
    if there is None:
        return None
    last = there.last
    first = asked.filters.first_day(there.first, last)
    length = (last - first).days
    measure = MEASURES[asked.own[OF.name]]
    first_month = f"{first:%Y-%m}"
    everything = queries.cohort_months(catalogue, first_month)
    names = sorted({month.cohort_month for month in everything})
    shown_names = set(names if asked.in_full else names[-MOST_COHORTS:])
    shown = [month for month in everything if month.cohort_month in shown_names]
    since = queries.months_since(catalogue, first_month)
    days = kpi_days(catalogue, queries.KpiDay, last, max(length, COMPARED_WITH) + 1)
    figures = _kpis(days, length + 1, there.first)
    return Retention(
        last=last,
        compared_day=last - timedelta(days=COMPARED_WITH),
        compared_with=COMPARED_WITH,
        days=length + 1,
        kpis=figures,
        cohorts=cohort_chart(shown, measure),
        rows=cohort_rows(shown, measure),
        months=tuple(range(max((m.month_index for m in shown), default=0) + 1)),
        open_month=f"{last:%Y-%m}" if any(not month.is_complete for month in shown) else "",
        left_out=len(names) - len(shown_names),
        curve=curve_chart(since, measure),
        latest=latest_cohort(everything, since),
        meanings=tuple((figure.label, figure.meaning) for figure in figures),
    )


def _kpis(days: Sequence[queries.KpiDay], line_days: int, first: date) -> tuple[Kpi, ...]:
    shown = partial(kpi, days, line_days, first)
    no_revenue = "no revenue from 180 to 90 days before"
    return (
        shown("retention_rate_90d", "Retention rate, 90 days", percent, _NO_CUSTOMER),
        shown("nrr_90d", "Net revenue retention, 90 days", percent, no_revenue),
        shown("repeat_purchase_rate", "Repeat purchase rate", percent, "no customers yet"),
    )


RETENTION = Page(
    name="retention",
    path="/retention",
    title="Retention",
    template="retention.html",
    read=retention,
    needs=NEEDED,
    supported_filters=frozenset({"period"}),
    filters_note="cohorts and rates are those of the whole shop",
    parameters=(OF,),
)
