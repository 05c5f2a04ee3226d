"""The two charts of the overview, each with the table that says the same."""

from collections.abc import Sequence
from datetime import date

from bridge_cart_assets.reports.charts import Chart, Series, bars
from bridge_cart_assets.reports.formatting import day, money
from bridge_cart_assets.reports.overview.queries import RevenueWeek
from bridge_cart_assets.reports.overview.sentences import churn_headline
from bridge_cart_assets.reports.segments.history import METRICS, segment_chart
from bridge_cart_assets.reports.segments.profiles import NO_SEGMENTS
from bridge_cart_assets.reports.segments.queries import Week
from bridge_cart_assets.reports.tables import Sheet, column
from bridge_cart_assets.transforms.comparisons import is_full


def churn_chart(weeks: Sequence[Week], first: date, last: date, step: int = 7) -> Chart:
    """One line per segment, named by its latest name, the highest churn first."""
    rates = {week.segment_id: week.churn_rate for week in weeks if week.day == last}
    return segment_chart(
        "churn",
        churn_headline([week for week in weeks if is_full("churn_rate", week.day, first)], last),
        "Share of each segment’s customers without a sale in the 90 days up to the day",
        weeks,
        METRICS["churn_rate"],
        sorted({week.segment_id for week in weeks}, key=lambda i: (-(rates.get(i) or -1.0), i)),
        step,
        absent="no such segment then",
        no_days=NO_SEGMENTS,
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
            "revenue",
            title,
            (
                column("week_to", "Week to" if step == 7 else f"{step // 7} weeks to", day),
                column("revenue_returning", "Returning", money),
                column("revenue_new", "New", money),
                column("revenue", "Together", money),
            ),
            weeks[::-1],
        ),
    )
