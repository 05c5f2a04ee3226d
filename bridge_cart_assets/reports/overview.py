"""The overview page: asks the catalogue and puts the answers into the form of the template.

Belongs here: which figures the page has, and what each missing one means. Does not belong here:
SQL (see `queries`) and number formats (see `formatting`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from bridge_cart_assets.reports import queries
from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.formatting import (
    Number,
    Shown,
    compact_count,
    compact_money,
    count,
    exact,
    grouped,
    money,
    nothing,
    percent,
)
from bridge_cart_assets.reports.sentences import CHURN_BY_SEGMENT, churn_headline, what_changed
from bridge_cart_assets.reports.sparklines import Sparkline, sparkline
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, KPIS_DAILY, SEGMENT_METRICS

COMPARED_WITH = 28
SPARKLINE_DAYS = 91
COLOURS = 10
POINTS = " points"
NEEDED = {KPIS_DAILY, SEGMENT_METRICS, CUSTOMER_VALUE}


@dataclass(frozen=True)
class Change:
    """A KPI against its value 28 days before.

    Attributes:
        arrow: up, down or level.
        text: how much.
        verdict: better, worse or unchanged; never left to the colour alone.
        before: the value it is compared with.
    """

    arrow: str
    text: str
    verdict: str
    before: Shown


@dataclass(frozen=True)
class Kpi:
    """One of the figures at the top."""

    name: str
    label: str
    meaning: str
    now: Shown
    change: Change | Shown
    sparkline: Sparkline | None
    low_high: tuple[Shown, Shown] | None


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
class Chart:
    """A chart and its twin, a table of the same figures.

    Attributes:
        title, subtitle: what it says and what it shows.
        figures: what the script draws; None when there is too little to draw.
        too_little: why there is no chart.
        columns, rows: the table; the first column is the day.
    """

    title: str
    subtitle: str
    figures: dict[str, object] | None
    too_little: str
    columns: tuple[str, ...]
    rows: tuple[tuple[date, tuple[Shown, ...]], ...]


@dataclass(frozen=True)
class Overview:
    """All that the overview page shows."""

    last: date
    kpis: tuple[Kpi, ...]
    sentences: tuple[str, ...]
    segments: tuple[SegmentRow, ...]
    churn: Chart
    revenue: Chart
    tables: tuple[queries.Stored, ...]


def overview(catalogue: Catalogue) -> Overview | None:
    """Everything on the page; None while gold has no KPIs."""
    if NEEDED - set(catalogue.gold_tables()):
        return None
    last = queries.last_day(catalogue)
    if last is None:
        return None
    days = queries.kpi_days(catalogue, last, SPARKLINE_DAYS)
    weeks = queries.revenue_weeks(catalogue, last)
    growth = queries.segment_growth(catalogue, last)
    return Overview(
        last=last,
        kpis=_kpis(catalogue, days, last),
        sentences=tuple(what_changed(days, weeks, growth)),
        segments=tuple(_segment_row(segment) for segment in queries.segments_now(catalogue)),
        churn=_churn_chart(queries.churn_weeks(catalogue, last), last),
        revenue=_revenue_chart(weeks),
        tables=tuple(queries.stored_tables(catalogue)),
    )


def _kpis(catalogue: Catalogue, days: Sequence[queries.KpiDay], last: date) -> tuple[Kpi, ...]:
    clv = {day.day: day.average for day in queries.clv_days(catalogue, last, SPARKLINE_DAYS)}
    return (
        _kpi(
            "customers_total",
            "Customers",
            [day.customers_total for day in days],
            show=compact_count,
            missing="no sale yet",
        ),
        _kpi(
            "revenue_90d",
            "Revenue, 90 days",
            [day.revenue_90d for day in days],
            show=compact_money,
            missing="no sale yet",
        ),
        _kpi(
            "aov_90d",
            "Average order, 90 days",
            [day.aov_90d for day in days],
            show=compact_money,
            missing="no order in the 90 days up to the day",
        ),
        _kpi(
            "historic_clv",
            "Average CLV so far",
            [*(clv.get(day.day) for day in days[:-1]), queries.average_clv(catalogue)],
            show=compact_money,
            missing="no customer values or segments for that day",
            meaning=f"Average over all customers. {CUSTOMER_VALUE.meaning('historic_clv')}",
        ),
        _kpi(
            "churn_rate_90d",
            "Churn rate, 90 days",
            [day.churn_rate_90d for day in days],
            show=percent,
            missing="nobody bought from 180 to 90 days before: there is nobody who could have left",
            unit=POINTS,
            rise_is_good=False,
        ),
        _kpi(
            "repeat_purchase_rate",
            "Repeat purchase rate",
            [day.repeat_purchase_rate for day in days],
            show=percent,
            missing="no customers yet",
            unit=POINTS,
        ),
    )


def _kpi(
    name: str,
    label: str,
    values: Sequence[Number | None],
    *,
    show: Callable[[Number | None, str], Shown],
    missing: str,
    unit: str = "%",
    rise_is_good: bool = True,
    meaning: str | None = None,
) -> Kpi:
    """One KPI from its daily values, oldest first, the last one being the current value."""
    known = [value for value in values if value is not None]
    before = values[-1 - COMPARED_WITH] if len(values) > COMPARED_WITH else None
    return Kpi(
        name=name,
        label=label,
        meaning=meaning or KPIS_DAILY.meaning(name),
        now=show(values[-1], missing),
        change=_change(values[-1], before, show(before, ""), unit, rise_is_good),
        sparkline=sparkline([None if value is None else float(value) for value in values]),
        low_high=(show(min(known), missing), show(max(known), missing)) if known else None,
    )


def _change(
    now: Number | None, before: Number | None, shown: Shown, unit: str, rise_is_good: bool
) -> Change | Shown:
    """Shares change by points, everything else in percent of what it was."""
    new, old = exact(now), exact(before)
    if new is None or old is None:
        return nothing(f"no figure for {COMPARED_WITH} days before to compare with")
    if unit == POINTS:
        difference = 100 * (new - old)
    elif old > 0:
        difference = 100 * (new - old) / old
    else:
        return nothing(f"was not above zero {COMPARED_WITH} days before")
    rounded = round(difference, 1)
    if not rounded:
        return Change("level", f"{grouped(0, 1)}{unit}", "unchanged", shown)
    verdict = "better" if (rounded > 0) == rise_is_good else "worse"
    arrow = "up" if rounded > 0 else "down"
    return Change(arrow, f"{grouped(abs(rounded), 1)}{unit}", verdict, shown)


def _segment_row(segment: queries.SegmentNow) -> SegmentRow:
    share = exact(segment.segment_contribution) or Decimal(0)
    return SegmentRow(
        colour=_colour(segment.segment_id),
        name=segment.segment_name,
        customers=count(segment.customers),
        share=percent(segment.segment_contribution, "the shop has no revenue yet"),
        bar=f"{min(max(100 * share, Decimal(0)), Decimal(100)):.1f}%",
        avg_clv=compact_money(segment.avg_clv, "the segment has no customers"),
        aov=compact_money(segment.aov, "the segment has no orders"),
        churn=percent(segment.churn_rate, "the segment has no customers"),
    )


def _colour(segment_id: int) -> str:
    """The segment's colour by its id, which stays; the eleventh id takes the first again."""
    return f"seg-{(segment_id - 1) % COLOURS + 1}"


def _churn_chart(points: Sequence[queries.SegmentWeek], last: date) -> Chart:
    days = sorted({point.day for point in points})
    names = {point.segment_id: point.segment_name for point in points}
    rates = {(point.day, point.segment_id): point.churn_rate for point in points}
    ids = sorted(names, key=lambda i: (-(rates.get((last, i)) or -1.0), i))
    series = [
        {"name": names[i], "colour": _colour(i), "values": [rates.get((day, i)) for day in days]}
        for i in ids
    ]
    figures: dict[str, object] = {
        "kind": "lines",
        "unit": "percent",
        "days": [day.isoformat() for day in days],
        "series": series,
    }
    return Chart(
        title=churn_headline(points, last) if points else CHURN_BY_SEGMENT,
        subtitle="Share of each segment’s customers without a sale in the 90 days up to the day, "
        "week by week",
        figures=figures if len(days) > 1 else None,
        too_little="A line needs two weeks of segment history."
        if days
        else "No segments yet: they begin with the first segment model.",
        columns=("Day", *(names[i] for i in ids)),
        rows=tuple(
            (day, tuple(percent(rates.get((day, i)), "no such segment then") for i in ids))
            for day in reversed(days)
        ),
    )


def _revenue_chart(weeks: Sequence[queries.RevenueWeek]) -> Chart:
    figures: dict[str, object] = {
        "kind": "bars",
        "unit": "money",
        "days": [week.week_to.isoformat() for week in weeks],
        "series": [
            {
                "name": "Returning",
                "colour": "accent",
                "values": [float(week.revenue_returning) for week in weeks],
            },
            {
                "name": "New",
                "colour": "quiet",
                "values": [float(week.revenue_new) for week in weeks],
            },
        ],
    }
    return Chart(
        title="Revenue by week",
        subtitle="First orders of new customers and all orders since, in the shop’s currency; "
        "each bar is the seven days up to its date",
        figures=figures if weeks else None,
        too_little="The first bar needs seven days of history.",
        columns=("Week to", "Returning", "New", "Together"),
        rows=tuple(
            (
                week.week_to,
                (money(week.revenue_returning), money(week.revenue_new), money(week.revenue)),
            )
            for week in reversed(weeks)
        ),
    )


def days_before(last: date) -> date:
    """The day that the KPIs are compared with."""
    return last - timedelta(days=COMPARED_WITH)
