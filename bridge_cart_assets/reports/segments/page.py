"""The segments page: asks the catalogue and puts the answers into the form of the template.

Belongs here: which parts the page has. Does not belong here: SQL (see `queries`), the parts
themselves (see `profiles`, `migration`, `history`, `rfm`, `model`), or HTML.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart
from bridge_cart_assets.reports.filters import Option, PageQuery, points_and_step
from bridge_cart_assets.reports.formatting import listed
from bridge_cart_assets.reports.freshness import days_of_figures
from bridge_cart_assets.reports.page import NotThereError, Page
from bridge_cart_assets.reports.segments import queries
from bridge_cart_assets.reports.segments.history import METRIC, METRICS, history_chart
from bridge_cart_assets.reports.segments.migration import (
    MONTH,
    asked_month,
    flicker_sentence,
    iso_month,
    migration_chart,
    month_options,
    sentences,
)
from bridge_cart_assets.reports.segments.model import (
    drift_sheet,
    model_sentence,
    time_travel_sql,
    versions_sheet,
)
from bridge_cart_assets.reports.segments.profiles import (
    Card,
    cards,
    segments_now,
    typical_customers,
    typical_note,
)
from bridge_cart_assets.reports.segments.rfm import GROUP, RfmPart, rfm_part
from bridge_cart_assets.reports.tables import Sheet
from bridge_cart_assets.tables import gold

NEEDED = frozenset(
    {
        *(gold.CUSTOMER_FEATURES, gold.CUSTOMER_SEGMENTS, gold.CUSTOMER_VALUE, gold.KPIS_DAILY),
        *(gold.SEGMENT_METRICS, gold.SEGMENT_MIGRATION, gold.SEGMENT_MODEL),
        *(gold.MODEL_DRIFT, gold.MODEL_METRICS),
        *(gold.CUSTOMER_RFM, gold.RFM_MIGRATION),
    }
)
MOST_VERSIONS = 12
_TRAVEL_BACK = 28


@dataclass(frozen=True)
class Segments:
    """All that the segments page shows.

    Attributes:
        about_now: what the filters do to the figures of whole segments.
        month, months: the month of the moves, and those there are to choose from.
        month_note: what is to be said on the month that was asked for.
        flicker: how many customers left a segment and were back soon; '' where it is not known.
        metric: the figure of the history.
        rfm: the RFM groups.
        sql: the question in which segment a customer was on a day.
    """

    last: date
    cards: tuple[Card, ...]
    now: Sheet
    about_now: str
    typical: Sheet
    about_typical: str
    migration: Chart
    moves: tuple[str, ...]
    flicker: str
    month: str
    months: tuple[Option, ...]
    month_note: str
    history: Chart
    metric: str
    rfm: RfmPart
    model: Sheet
    about_model: str
    drift: Sheet
    sql: str

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables of the page."""
        charts = (self.migration.sheet, self.history.sheet)
        rfm = (self.rfm.groups, self.rfm.listed, self.rfm.moves)
        return (self.now, self.typical, *charts, *rfm, self.model, self.drift)


def segments(catalogue: Catalogue, asked: PageQuery) -> Segments | None:
    """Everything on the page; None while gold has no KPIs."""
    there = days_of_figures(catalogue)
    if there is None:
        return None
    last, segment = there.last, asked.filters.segment
    profiles = queries.profiles(catalogue, segment)
    typical = queries.typical(catalogue, asked.filters)
    months = queries.months(catalogue)
    month, month_note = asked_month(asked, months)
    if month_note and asked.in_full:  # a CSV of another month would pass for the one asked for
        raise NotThereError(month_note)
    flows = queries.flows(catalogue, segment, month) if month else []
    versions = queries.model_versions(catalogue, MOST_VERSIONS)
    customer = queries.a_customer(catalogue)
    return Segments(
        last=last,
        cards=cards(profiles),
        now=segments_now(profiles),
        about_now=_about_now(asked),
        typical=typical_customers(profiles, typical, asked.filters),
        about_typical=typical_note(asked.filters, typical),
        migration=migration_chart(flows, month, segment),
        moves=sentences(flows),
        flicker=flicker_sentence(queries.flicker(catalogue)),
        month=iso_month(month) if month else "",
        months=month_options(months),
        month_note=month_note,
        history=_history(catalogue, asked, there.first, last),
        metric=asked.own[METRIC.name],
        rfm=rfm_part(catalogue, asked, month, SEGMENTS.path),
        model=versions_sheet(versions),
        about_model=model_sentence(versions),
        drift=drift_sheet(queries.drift(catalogue)),
        sql=""
        if customer is None
        else time_travel_sql(customer, max(there.first, last - timedelta(days=_TRAVEL_BACK))),
    )


def _history(catalogue: Catalogue, asked: PageQuery, first: date, last: date) -> Chart:
    """Weeks counted back from the latest day, as on the overview."""
    length = (last - asked.filters.first_day(first, last)).days
    points, step = points_and_step(length)
    weeks = queries.weeks(catalogue, asked.filters.segment, last, points, step)
    return history_chart(weeks, METRICS[asked.own[METRIC.name]], first, last, step)


def _about_now(asked: PageQuery) -> str:
    set_here = [name for name in ("country", "category") if asked.filters.is_set(name)]
    if not set_here:
        return "Whole segments, by what is known of all their customers."
    return f"Whole segments: {listed(set_here)} change only the typical customers further down."


SEGMENTS = Page(
    name="segments",
    path="/segments",
    title="Segments",
    template="segments.html",
    read=segments,
    needs=NEEDED,
    parameters=(MONTH, METRIC, GROUP),
)
