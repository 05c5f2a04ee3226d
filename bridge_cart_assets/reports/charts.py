"""The charts: what the script draws, and the table that says the same.

Belongs here: titles, series and colours. Does not belong here: drawing (see static/report.js).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bridge_cart_assets.reports.formatting import Shown, money, percent
from bridge_cart_assets.reports.queries import RevenueWeek, SegmentWeek
from bridge_cart_assets.reports.sentences import churn_headline

COLOURS = 10


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
    figures: Mapping[str, object] | None
    too_little: str
    columns: tuple[str, ...]
    rows: tuple[tuple[date, tuple[Shown, ...]], ...]


def segment_colour(segment_id: int) -> str:
    """The segment's colour by its id, which stays; the eleventh id takes the first again."""
    return f"seg-{(segment_id - 1) % COLOURS + 1}"


def churn_chart(points: Sequence[SegmentWeek], last: date) -> Chart:
    """One line per segment, named by its latest name, the highest churn first."""
    days = sorted({point.day for point in points})
    names = {point.segment_id: point.segment_name for point in points}
    rates = {(point.day, point.segment_id): point.churn_rate for point in points}
    ids = sorted(names, key=lambda i: (-(rates.get((last, i)) or -1.0), i))
    series = [
        {
            "name": names[i],
            "colour": segment_colour(i),
            "values": [rates.get((day, i)) for day in days],
        }
        for i in ids
    ]
    figures = {
        "kind": "lines",
        "unit": "percent",
        "days": [day.isoformat() for day in days],
        "series": series,
    }
    return Chart(
        title=churn_headline(points, last),
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


def revenue_chart(weeks: Sequence[RevenueWeek]) -> Chart:
    """One bar per full week, returning customers below, new ones above."""
    series = [
        {
            "name": "Returning",
            "colour": "accent",
            "values": [float(week.revenue_returning) for week in weeks],
        },
        {"name": "New", "colour": "quiet", "values": [float(week.revenue_new) for week in weeks]},
    ]
    figures = {
        "kind": "bars",
        "unit": "money",
        "days": [week.week_to.isoformat() for week in weeks],
        "series": series,
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
