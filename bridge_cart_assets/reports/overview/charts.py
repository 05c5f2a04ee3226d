"""The two charts of the overview, each with the table that says the same."""

from collections.abc import Sequence
from datetime import date

from bridge_cart_assets.reports.charts import Chart, Series, bars, lines, segment_colour
from bridge_cart_assets.reports.formatting import day, money, percent
from bridge_cart_assets.reports.overview.queries import RevenueWeek, SegmentWeek
from bridge_cart_assets.reports.overview.sentences import churn_headline
from bridge_cart_assets.reports.tables import Heading, Row, Sheet


def churn_chart(points: Sequence[SegmentWeek], last: date, step: int = 7) -> Chart:
    """One line per segment, named by its latest name, the highest churn first."""
    days = sorted({point.day for point in points})
    names = {point.segment_id: point.segment_name for point in points}
    rates = {(point.day, point.segment_id): point.churn_rate for point in points}
    ids = sorted(names, key=lambda i: (-(rates.get((last, i)) or -1.0), i))
    series = [Series(names[i], [rates.get((d, i)) for d in days], segment_colour(i)) for i in ids]
    rows = tuple(
        Row((day(d), *(percent(rates.get((d, i)), "no such segment then") for i in ids)))
        for d in reversed(days)
    )
    title = churn_headline(points, last)
    return Chart(
        title=title,
        subtitle="Share of each segment’s customers without a sale in the 90 days up to the day, "
        f"{_every(step)}",
        figures=lines(days, series, "percent") if len(days) > 1 else None,
        too_little="A line needs two weeks of segment history."
        if days
        else "No segments yet: they begin with the first segment model.",
        sheet=Sheet(
            name="churn",
            title=title,
            columns=(
                Heading("day", "Day", "day"),
                *(Heading(f"segment_{i}_churn_rate", names[i]) for i in ids),
            ),
            rows=rows,
        ),
    )


def revenue_chart(weeks: Sequence[RevenueWeek], step: int = 7) -> Chart:
    """One bar per full week, returning customers below, new ones above."""
    series = [
        Series("Returning", [float(week.revenue_returning) for week in weeks], "accent"),
        Series("New", [float(week.revenue_new) for week in weeks], "quiet"),
    ]
    length = "seven days" if step == 7 else f"{step} days"
    title = "Revenue by week" if step == 7 else f"Revenue by {step // 7} weeks"
    is_sold = any(week.revenue for week in weeks)
    return Chart(
        title=title,
        subtitle="First orders of new customers and all orders since; "
        f"each bar is the {length} up to its date",
        figures=bars([week.week_to for week in weeks], series, "money", step) if is_sold else None,
        too_little="Nothing was sold in this period: choose a longer one."
        if weeks
        else f"The first bar needs {length} of history.",
        sheet=Sheet(
            name="revenue",
            title=title,
            columns=(
                Heading("week_to", "Week to" if step == 7 else f"{step // 7} weeks to", "day"),
                Heading("revenue_returning", "Returning"),
                Heading("revenue_new", "New"),
                Heading("revenue", "Together"),
            ),
            rows=tuple(
                Row(
                    (
                        day(week.week_to),
                        money(week.revenue_returning),
                        money(week.revenue_new),
                        money(week.revenue),
                    )
                )
                for week in reversed(weeks)
            ),
        ),
    )


def _every(step: int) -> str:
    return "week by week" if step == 7 else f"every {step} days"
