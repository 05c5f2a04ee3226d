"""How a figure of the segments went, week by week.

Belongs here: which figures can be asked for, the chart and its headline. Does not belong here:
SQL (see `queries`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from bridge_cart_assets.reports.charts import Chart, Series, Unit, lines, segment_colour
from bridge_cart_assets.reports.filters import Option, Parameter
from bridge_cart_assets.reports.formatting import (
    Cell,
    Number,
    compact_money,
    count,
    day,
    money,
    percent,
)
from bridge_cart_assets.reports.segments.queries import Week
from bridge_cart_assets.reports.tables import Heading, Row, Sheet
from bridge_cart_assets.tables.gold import SEGMENT_METRICS


@dataclass(frozen=True)
class HistoryMetric:
    """A figure with a history.

    Attributes:
        column: its name in gold.segment_metrics.
        of: the figure of a week.
        show, show_short: as it stands in the table, and in the headline.
    """

    column: str
    label: str
    unit: Unit
    of: Callable[[Week], Number | None]
    show: Callable[[Number | None, str], Cell]
    show_short: Callable[[Number | None, str], Cell]


METRICS = {
    metric.column: metric
    for metric in (
        HistoryMetric("customers", "Customers", "count", lambda w: w.customers, count, count),
        HistoryMetric(
            "churn_rate", "Churn rate", "percent", lambda w: w.churn_rate, percent, percent
        ),
        HistoryMetric(
            "segment_contribution",
            "Revenue share",
            "percent",
            lambda w: w.segment_contribution,
            percent,
            percent,
        ),
        HistoryMetric(
            "avg_clv",
            "Average CLV so far",
            "money",
            lambda w: w.avg_clv,
            money,
            compact_money,
        ),
        HistoryMetric("aov", "Average order", "money", lambda w: w.aov, money, compact_money),
    )
}
METRIC = Parameter(
    name="metric",
    label="Figure",
    options=tuple(Option(metric.column, metric.label) for metric in METRICS.values()),
    in_form=False,
)


def history_chart(weeks: Sequence[Week], metric: HistoryMetric, last: date, step: int = 7) -> Chart:
    """One line per segment, the highest of `last` first."""
    days = sorted({week.day for week in weeks})
    names = {week.segment_id: week.segment_name for week in weeks}
    values = {(week.day, week.segment_id): metric.of(week) for week in weeks}
    ids = sorted(names, key=lambda i: (-_float(values.get((last, i)), -1.0), i))
    series = [
        Series(
            names[i],
            [None if (v := values.get((d, i))) is None else float(v) for d in days],
            segment_colour(i),
        )
        for i in ids
    ]
    title = _headline(weeks, metric, last)
    return Chart(
        title=title,
        subtitle=f"{SEGMENT_METRICS.meaning(metric.column)}, "
        f"{'week by week' if step == 7 else f'every {step} days'}",
        figures=lines(days, series, metric.unit) if len(days) > 1 else None,
        too_little="A line needs two weeks of segment history."
        if days
        else "No history yet: it begins with the first segment model.",
        sheet=Sheet(
            name="history",
            title=title,
            columns=(
                Heading("day", "Day", "day"),
                *(Heading(f"segment_{i}_{metric.column}", names[i]) for i in ids),
            ),
            rows=tuple(
                Row(
                    (
                        day(d),
                        *(
                            metric.show(values.get((d, i)), "no such segment or no order then")
                            for i in ids
                        ),
                    )
                )
                for d in reversed(days)
            ),
        ),
    )


def _headline(weeks: Sequence[Week], metric: HistoryMetric, last: date) -> str:
    """The segment that moved furthest from its first to its latest figure in the period.

    Shares move by points, everything else in relation to what it was. A segment that is no more,
    or has one figure only, does not count.
    """
    first: dict[int, Week] = {}
    moved: list[tuple[float, Week, Week]] = []
    for week in weeks:
        if metric.of(week) is None:
            continue
        start = first.setdefault(week.segment_id, week)
        if week.day != last or start is week:
            continue
        before, now = _float(metric.of(start)), _float(metric.of(week))
        if metric.unit == "percent":
            moved.append((abs(now - before), start, week))
        elif before:
            moved.append((abs(now / before - 1), start, week))
    if not moved:
        return f"{metric.label} by segment"
    _, start, end = max(moved, key=lambda move: (move[0], -move[1].segment_id))
    before_text = metric.show_short(metric.of(start), "").text
    now_text = metric.show_short(metric.of(end), "").text
    if before_text == now_text:
        return f"{metric.label} by segment"
    most = " moved most," if len(moved) > 1 else ""
    return f"{metric.label}: {end.segment_name}{most} from {before_text} to {now_text}"


def _float(value: Number | None, otherwise: float = 0.0) -> float:
    return otherwise if value is None else float(value)
