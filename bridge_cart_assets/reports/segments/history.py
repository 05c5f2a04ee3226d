"""How a figure of the segments went, week by week.

Belongs here: which figures can be asked for, the chart and its headline. Does not belong here:
SQL (see `queries`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bridge_cart_assets.reports.charts import (
    FULL,
    SHORT,
    Chart,
    Series,
    Unit,
    lines,
    segment_colour,
)
from bridge_cart_assets.reports.filters import Option, Parameter
from bridge_cart_assets.reports.formatting import Number, day
from bridge_cart_assets.reports.segments.queries import Week
from bridge_cart_assets.reports.tables import Column, Sheet
from bridge_cart_assets.tables.gold import SEGMENT_METRICS
from bridge_cart_assets.transforms.comparisons import is_full


@dataclass(frozen=True)
class HistoryMetric:
    """A figure with a history; `column` is its name in gold.segment_metrics."""

    column: str
    label: str
    unit: Unit

    def of(self, week: Week) -> Number | None:
        """The figure of a week."""
        figure: Number | None = getattr(week, self.column)
        return figure


METRICS = {
    metric.column: metric
    for metric in (
        HistoryMetric("customers", "Customers", "count"),
        HistoryMetric("churn_rate", "Churn rate", "percent"),
        HistoryMetric("segment_contribution", "Revenue share", "percent"),
        HistoryMetric("avg_clv", "Average CLV so far", "money"),
        HistoryMetric("aov", "Average order", "money"),
    )
}
METRIC = Parameter(
    name="metric",
    label="Figure",
    options=tuple(Option(metric.column, metric.label) for metric in METRICS.values()),
    in_form=False,
)


def history_chart(
    weeks: Sequence[Week], metric: HistoryMetric, first: date, last: date, step: int = 7
) -> Chart:
    """One line per segment, the highest of `last` first.

    The headline compares no figure of days on which the shop was younger than the figure's window.
    """
    now = {week.segment_id: metric.of(week) for week in weeks if week.day == last}
    return segment_chart(
        "history",
        _headline([w for w in weeks if is_full(metric.column, w.day, first)], metric, last),
        SEGMENT_METRICS.meaning(metric.column),
        weeks,
        metric,
        sorted({week.segment_id for week in weeks}, key=lambda i: (-_float(now.get(i), -1.0), i)),
        step,
        absent="no such segment or no order then",
        no_days="No history yet: it begins with the first segment model.",
    )


def segment_chart(
    name: str,
    title: str,
    subtitle: str,
    weeks: Sequence[Week],
    metric: HistoryMetric,
    ids: Sequence[int],
    step: int,
    *,
    absent: str,
    no_days: str,
) -> Chart:
    """One line per segment, and a table with a column for each.

    Args:
        name, title, subtitle: of the chart.
        weeks: the figures, the oldest day first.
        metric: which of them is drawn.
        ids: the segments in order.
        step: days from one figure to the next.
        absent: why a segment may have no figure on a day.
        no_days: the sentence when there are no figures at all.
    """
    names = {week.segment_id: week.segment_name for week in weeks}
    figures = {(week.day, week.segment_id): metric.of(week) for week in weeks}
    days = sorted({week.day for week in weeks})
    series = [
        Series(
            names[i],
            [None if (v := figures.get((d, i))) is None else float(v) for d in days],
            segment_colour(i),
        )
        for i in ids
    ]

    def segment_column(i: int) -> Column[date]:
        return Column(
            f"segment_{i}_{metric.column}",
            names[i],
            lambda d: FULL[metric.unit](figures.get((d, i)), absent),
        )

    return Chart(
        title=title,
        subtitle=f"{subtitle}, {'week by week' if step == 7 else f'every {step} days'}",
        figures=lines(days, series, metric.unit) if len(days) > 1 else None,
        too_little="A line needs two weeks of segment history." if days else no_days,
        sheet=Sheet(
            name, title, (Column("day", "Day", day, "day"), *map(segment_column, ids)), days[::-1]
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
    before_text, now_text = (SHORT[metric.unit](metric.of(week)).text for week in (start, end))
    if before_text == now_text:
        return f"{metric.label} by segment"
    most = " moved most," if len(moved) > 1 else ""
    return f"{metric.label}: {end.segment_name}{most} from {before_text} to {now_text}"


def _float(value: Number | None, otherwise: float = 0.0) -> float:
    return otherwise if value is None else float(value)
