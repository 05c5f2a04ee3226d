"""The overview page: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has. Does not belong here: SQL (see `queries`), the parts
themselves (see `kpis`, `charts`, `sentences`), or HTML.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from bridge_cart_assets.reports import queries
from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart, churn_chart, revenue_chart, segment_colour
from bridge_cart_assets.reports.formatting import Shown, compact_money, count, exact, percent
from bridge_cart_assets.reports.kpis import COMPARED_WITH, Kpi, kpis
from bridge_cart_assets.reports.sentences import what_changed
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, KPIS_DAILY, SEGMENT_METRICS

SPARKLINE_DAYS = 91
NEEDED = {KPIS_DAILY, SEGMENT_METRICS, CUSTOMER_VALUE}


@dataclass(frozen=True)
class SegmentRow:
    """One line of the table of segments; `bar` is the length of its share bar in percent."""

    colour: str
    name: str
    customers: Shown
    share: Shown
    bar: str
    avg_clv: Shown
    aov: Shown
    churn: Shown


@dataclass(frozen=True)
class Overview:
    """All that the overview page shows.

    Attributes:
        last: the latest day.
        compared_day, compared_with: the day of the comparisons, and how many days before it is.
        days: length of the sparklines.
        meanings: what each kind of figure is, as the tables declare it.
    """

    last: date
    compared_day: date
    compared_with: int
    days: int
    kpis: tuple[Kpi, ...]
    sentences: tuple[str, ...]
    segments: tuple[SegmentRow, ...]
    churn: Chart
    revenue: Chart
    tables: tuple[queries.Stored, ...]
    meanings: tuple[tuple[str, str], ...]


def overview(catalogue: Catalogue) -> Overview | None:
    """Everything on the page; None while gold has no KPIs."""
    if NEEDED - set(catalogue.gold_tables()):
        return None
    last = queries.last_day(catalogue)
    if last is None:
        return None
    days = queries.kpi_days(catalogue, last, SPARKLINE_DAYS)
    clv = {day.day: day.average for day in queries.clv_days(catalogue, last, SPARKLINE_DAYS)}
    weeks = queries.revenue_weeks(catalogue, last)
    figures = kpis(days, clv, queries.average_clv(catalogue))
    return Overview(
        last=last,
        compared_day=last - timedelta(days=COMPARED_WITH),
        compared_with=COMPARED_WITH,
        days=len(days),
        kpis=figures,
        sentences=tuple(what_changed(days, weeks, queries.segment_growth(catalogue, last))),
        segments=tuple(_segment_row(segment) for segment in queries.segments_now(catalogue)),
        churn=churn_chart(queries.churn_weeks(catalogue, last), last),
        revenue=revenue_chart(weeks),
        tables=tuple(queries.stored_tables(catalogue)),
        meanings=(*((kpi.label, kpi.meaning) for kpi in figures), *_segment_meanings()),
    )


def _segment_row(segment: queries.SegmentNow) -> SegmentRow:
    share = exact(segment.segment_contribution) or Decimal(0)
    return SegmentRow(
        colour=segment_colour(segment.segment_id),
        name=segment.segment_name,
        customers=count(segment.customers),
        share=percent(segment.segment_contribution, "the shop has no revenue yet"),
        bar=f"{min(max(100 * share, Decimal(0)), Decimal(100)):.1f}%",
        avg_clv=compact_money(segment.avg_clv, "the segment has no customers"),
        aov=compact_money(segment.aov, "the segment has no orders"),
        churn=percent(segment.churn_rate, "the segment has no customers"),
    )


def _segment_meanings() -> tuple[tuple[str, str], ...]:
    columns = {
        "Revenue share of a segment": "segment_contribution",
        "Avg CLV of a segment": "avg_clv",
        "AOV of a segment": "aov",
        "Churn of a segment": "churn_rate",
    }
    return tuple((label, SEGMENT_METRICS.meaning(name)) for label, name in columns.items())
