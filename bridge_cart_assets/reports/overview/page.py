"""The overview page: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has. Does not belong here: SQL (see `queries`), the parts
themselves (see `kpis`, `charts`, `sentences`), or HTML.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart, segment_colour
from bridge_cart_assets.reports.filters import PageQuery, points_and_step
from bridge_cart_assets.reports.formatting import compact_money, count, percent, words
from bridge_cart_assets.reports.freshness import (
    days_by_source,
    days_of_figures,
    orders_stopped_sentence,
)
from bridge_cart_assets.reports.overview import queries
from bridge_cart_assets.reports.overview.charts import churn_chart, revenue_chart
from bridge_cart_assets.reports.overview.kpis import COMPARED_WITH, Kpi, kpis
from bridge_cart_assets.reports.overview.sentences import what_changed
from bridge_cart_assets.reports.overview.sold import anonymous_sentence, sold_sheet
from bridge_cart_assets.reports.overview.spend import spend_sentence, spend_sheet
from bridge_cart_assets.reports.page import Page
from bridge_cart_assets.reports.segments.profiles import NO_REVENUE, NO_SEGMENTS
from bridge_cart_assets.reports.segments.queries import weeks
from bridge_cart_assets.reports.tables import Sheet, column
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, KPIS_DAILY, SEGMENT_METRICS

NEEDED = frozenset({KPIS_DAILY, SEGMENT_METRICS, CUSTOMER_VALUE})
# the comparisons need 28 days before the latest, and a week more for the sentences
_LEAST_DAYS = COMPARED_WITH + 7
_WEEKS_IN_SENTENCES = 2


@dataclass(frozen=True)
class Overview:
    """All that the overview page shows.

    Attributes:
        last: the latest day.
        compared_day, compared_with: the day of the comparisons, and how many days before it is.
        days: how many days the sparklines span.
        notices: what a reader has to know before any figure.
        remark: how much of the revenue has no customer.
        about_spend: what is expected of the next 90 days, in words.
        meanings: what each kind of figure is, as the tables declare it.
    """

    last: date
    compared_day: date
    compared_with: int
    days: int
    notices: tuple[str, ...]
    remark: str
    kpis: tuple[Kpi, ...]
    sentences: tuple[str, ...]
    segments: Sheet
    spend: Sheet
    about_spend: str
    sold: Sheet
    churn: Chart
    revenue: Chart
    tables: tuple[queries.CatalogueTable, ...]
    meanings: tuple[tuple[str, str], ...]

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        return (self.segments, self.spend, self.sold, self.churn.sheet, self.revenue.sheet)


def overview(catalogue: Catalogue, asked: PageQuery) -> Overview | None:
    """Everything on the page; None while gold has no KPIs."""
    there = days_of_figures(catalogue)
    if there is None:
        return None
    last = there.last
    length = (last - asked.filters.first_day(there.first, last)).days
    points, step = points_and_step(length)
    days = queries.kpi_days(catalogue, queries.KpiDay, last, max(length, _LEAST_DAYS) + 1)
    clv = {day.day: day.average for day in queries.clv_days(catalogue, last, len(days))}
    figures = kpis(days, clv, queries.average_clv(catalogue), length + 1, there.first)
    recent = queries.revenue_weeks(catalogue, last, _WEEKS_IN_SENTENCES, 7)
    sold = queries.sold_so_far(catalogue)
    forecasts = queries.spend_forecasts(catalogue)
    stopped = orders_stopped_sentence(days_by_source(catalogue))
    sentences = what_changed(days, recent, queries.segment_growth(catalogue, last), there.first)
    return Overview(
        last=last,
        compared_day=last - timedelta(days=COMPARED_WITH),
        compared_with=COMPARED_WITH,
        days=length + 1,
        notices=(stopped,) if stopped else (),
        remark=anonymous_sentence(sold),
        kpis=figures,
        sentences=tuple(sentences),
        spend=spend_sheet(forecasts),
        about_spend=spend_sentence(forecasts),
        sold=sold_sheet(sold),
        segments=_segments_now(queries.segments_now(catalogue)),
        churn=churn_chart(weeks(catalogue, None, last, points, step), there.first, last, step),
        revenue=revenue_chart(queries.revenue_weeks(catalogue, last, points, step), step),
        tables=tuple(queries.stored_tables(catalogue)),
        meanings=(*((kpi.label, kpi.meaning) for kpi in figures), *_segment_meanings()),
    )


def _segments_now(segments: list[queries.SegmentNow]) -> Sheet:
    no_customers = "the segment has no customers"
    share = "segment_contribution"
    return Sheet(
        "segments",
        "Segments now",
        (
            column("segment_name", "Segment", words),
            column("customers", "Customers", count),
            column(share, "Revenue share", percent, missing=NO_REVENUE, bar=True),
            column("avg_clv", "Avg CLV", compact_money, missing=no_customers),
            column("aov", "AOV", compact_money, missing="the segment has no orders"),
            column("churn_rate", "Churn", percent, missing=no_customers),
        ),
        segments,
        colour=lambda segment: segment_colour(segment.segment_id),
        empty=NO_SEGMENTS,
    )


def _segment_meanings() -> tuple[tuple[str, str], ...]:
    columns = {
        "Revenue share of a segment": "segment_contribution",
        "Avg CLV of a segment": "avg_clv",
        "AOV of a segment": "aov",
        "Churn of a segment": "churn_rate",
    }
    return tuple((label, SEGMENT_METRICS.meaning(name)) for label, name in columns.items())


OVERVIEW = Page(
    name="overview",
    path="/",
    title="Overview",
    template="overview.html",
    read=overview,
    needs=NEEDED,
    supported_filters=frozenset({"period"}),
    filters_note="the daily figures are those of the whole shop",
)
