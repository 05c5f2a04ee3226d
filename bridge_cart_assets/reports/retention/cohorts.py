"""Cohorts month by month: heatmap, shaded table, curve.

Belongs here: what is drawn of the cohorts, and its headlines. Does not belong here: SQL (see
`queries`).
Month 0 is the month of the first purchase, in which every customer of the cohort bought: it is
in the table, but neither drawn nor shaded, because beside it nothing else could be distinguished.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bridge_cart_assets.reports.charts import FULL, SHORT, Chart, Series, Unit, curve, heatmap
from bridge_cart_assets.reports.filters import Option, Parameter
from bridge_cart_assets.reports.formatting import (
    Cell,
    Number,
    count,
    grouped,
    money,
    nothing,
    percent,
    rounded,
    words,
)
from bridge_cart_assets.reports.retention.queries import CohortMonth, MonthSince
from bridge_cart_assets.reports.tables import Column, Sheet, column
from bridge_cart_assets.tables.gold import COHORT_RETENTION

SHADES = 6
_NOT_YET = nothing("that month has not begun")
_LATER = (12, 6, 3)


@dataclass(frozen=True)
class Measure:
    """What is followed.

    Attributes:
        of: of one cohort in one month, as a figure per customer of the cohort.
        of_all: the same of cohorts added up.
        says: the subtitle.
    """

    name: str
    label: str
    unit: Unit
    of: Callable[[CohortMonth], Number]
    of_all: Callable[[MonthSince], Number]
    says: str

    def show(self, figure: Number) -> Cell:
        """As it stands in the table."""
        return FULL[self.unit](figure)

    def say(self, figure: Number) -> str:
        """As it stands in a sentence."""
        return SHORT[self.unit](figure).text


def _cents(amount: Decimal, customers: int) -> Decimal:
    return rounded(amount / customers, 2)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "customers",
            "Customers who buy",
            "percent",
            lambda month: month.retention,
            lambda month: month.active_customers / month.customers,
            "Share of each month’s new customers who buy again so many months later",
        ),
        Measure(
            "revenue",
            "Revenue per customer",
            "money",
            lambda month: _cents(month.revenue, month.cohort_size),
            lambda month: _cents(month.revenue, month.customers),
            "Revenue so many months later, per customer who was new in the month",
        ),
    )
}
OF = Parameter(
    name="of",
    label="Cohorts by",
    options=tuple(Option(measure.name, measure.label) for measure in MEASURES.values()),
)


@dataclass(frozen=True)
class TriangleCell:
    """A field of the shaded table.

    Attributes:
        shade: 0 to SHADES - 1, None without one.
        unfinished: whether its month is still going on.
    """

    figure: Cell
    shade: int | None
    unfinished: bool


@dataclass(frozen=True)
class Cohort:
    """A row of the shaded table; months that have not begun are left out."""

    month: str
    size: Cell
    cells: tuple[TriangleCell, ...]


def cohort_rows(months: Sequence[CohortMonth], measure: Measure) -> tuple[Cohort, ...]:
    """The shaded table, the oldest cohort first."""
    most = max((float(measure.of(m)) for m in months if m.month_index), default=0.0)
    return tuple(
        Cohort(
            month=name,
            size=count(cohort[0].cohort_size),
            cells=tuple(
                TriangleCell(
                    figure=measure.show(measure.of(month)),
                    shade=_shade(float(measure.of(month)), most) if month.month_index else None,
                    unfinished=not month.is_complete,
                )
                for month in cohort
            ),
        )
        for name, cohort in _by_cohort(months).items()
    )


def _shade(value: float, most: float) -> int:
    """Equal steps from 0 to the highest figure shown."""
    return min(SHADES - 1, max(0, int(SHADES * value / most))) if most > 0 else 0


def _by_cohort(months: Sequence[CohortMonth]) -> dict[str, list[CohortMonth]]:
    by_cohort: dict[str, list[CohortMonth]] = {}
    for month in months:
        by_cohort.setdefault(month.cohort_month, []).append(month)
    return by_cohort


def cohort_chart(months: Sequence[CohortMonth], measure: Measure) -> Chart:
    """The heatmap from month 1 on; its sheet has month 0 too."""
    cohorts = _by_cohort(months)
    longest = max((m.month_index for m in months), default=0)
    drawn = {name: [m for m in cohort if m.month_index] for name, cohort in cohorts.items()}
    drawn = {name: cohort for name, cohort in drawn.items() if cohort}
    figures = heatmap(
        rows=list(drawn),
        columns=[str(index) for index in range(1, longest + 1)],
        values=[
            [*(float(measure.of(m)) for m in cohort), *[None] * (longest - len(cohort))]
            for cohort in drawn.values()
        ],
        unit=measure.unit,
        unfinished=[
            (row, month.month_index - 1)
            for row, cohort in enumerate(drawn.values())
            for month in cohort
            if not month.is_complete
        ],
    )
    return Chart(
        title=_best_and_weakest(months, measure),
        subtitle=measure.says,
        figures=figures if drawn else None,
        too_little="There are no cohorts in this period."
        if not months
        else "Who comes back can be counted from the month after the first purchase on.",
        sheet=_cohort_sheet(list(cohorts.values()), longest, measure),
    )


def _cohort_sheet(cohorts: Sequence[list[CohortMonth]], longest: int, measure: Measure) -> Sheet:
    def month_column(index: int) -> Column[list[CohortMonth]]:
        return Column(
            f"month_{index}",
            str(index),
            lambda months: (
                measure.show(measure.of(months[index])) if index < len(months) else _NOT_YET
            ),
        )

    return Sheet(
        "cohorts",
        f"{measure.label}, by month of the first purchase and months since",
        (
            column(
                "cohort_month",
                "First purchase",
                words,
                COHORT_RETENTION,
                of=lambda months: months[0].cohort_month,
            ),
            column(
                "cohort_size",
                "Customers",
                count,
                COHORT_RETENTION,
                of=lambda months: months[0].cohort_size,
            ),
            column(
                "complete_months",
                "Ended months",
                count,
                "Months of the cohort that had ended",
                of=lambda months: sum(month.is_complete for month in months),
            ),
            *map(month_column, range(longest + 1)),
        ),
        cohorts,
        empty="There are no cohorts in this period.",
    )


def _best_and_weakest(months: Sequence[CohortMonth], measure: Measure) -> str:
    """The cohorts that differ most in the first month after, of those for which it has ended."""
    firsts = [m for m in months if m.month_index == 1 and m.is_complete]
    if len(firsts) < 2:
        return f"{measure.label} by cohort"
    best = max(firsts, key=lambda m: (measure.of(m), m.cohort_month))
    weakest = min(firsts, key=lambda m: (measure.of(m), m.cohort_month))
    high, low = (measure.say(measure.of(m)) for m in (best, weakest))
    if high == low:
        return f"{measure.label} by cohort"
    return (
        f"One month later: best cohort {best.cohort_month} ({high}), "
        f"weakest {weakest.cohort_month} ({low})"
    )


def curve_chart(since: Sequence[MonthSince], measure: Measure) -> Chart:
    """The mean of all cohorts, each weighing as much as it has customers, by month since."""
    title = _curve_headline(since, measure)
    per_customer = measure.unit == "money"
    return Chart(
        title=title,
        subtitle="Mean of the cohorts of the period, each with the weight of its customers; "
        "months that have ended only",
        figures=curve(
            [month.month_index for month in since],
            "Months since the first purchase",
            Series(measure.label, [float(measure.of_all(month)) for month in since]),
            measure.unit,
        )
        if len(since) > 1
        else None,
        too_little="A curve needs a cohort with two months after its own that have ended.",
        sheet=Sheet(
            "curve",
            title,
            (
                column("month_index", "Months since", count),
                column(
                    "revenue_per_customer" if per_customer else "retention",
                    measure.label,
                    FULL[measure.unit],
                    of=measure.of_all,
                ),
                column("revenue", "Revenue", money)
                if per_customer
                else column("active_customers", "Customers who bought", count),
                column("customers", "Customers of the cohorts", count),
                column("cohorts", "Cohorts", count),
            ),
            since,
        ),
    )


def _curve_headline(since: Sequence[MonthSince], measure: Measure) -> str:
    by_index = {month.month_index: measure.of_all(month) for month in since}
    if 1 not in by_index:
        return f"{measure.label}, by months since the first purchase"
    later = next((index for index in _LATER if index in by_index), None)
    now, then = measure.say(by_index[1]), measure.say(by_index[later]) if later else ""
    if measure.unit == "money":
        more = f", and {then} in month {later}" if later else ""
        return f"A new customer brings {now} in the month after the first purchase{more}"
    more = f", {then} in month {later}" if later else ""
    return f"{now} of new customers buy in the month after their first purchase{more}"


def latest_cohort(months: Sequence[CohortMonth], since: Sequence[MonthSince]) -> str:
    """How many of the latest cohort came back in the month after, against all; '' if unclear."""
    firsts = [m for m in months if m.month_index == 1 and m.is_complete]
    mean = next((m.active_customers / m.customers for m in since if m.month_index == 1), None)
    if len(firsts) < 2 or mean is None:
        return ""
    latest = max(firsts, key=lambda m: m.cohort_month)
    difference = rounded(100 * Decimal(str(latest.retention - mean)), 1)
    share = percent(latest.retention).text
    who = f"Of those new in {latest.cohort_month}, {share} bought in the month after"
    if not difference:
        return f"{who}, as many as of all cohorts together."
    side = "above" if difference > 0 else "below"
    return f"{who}: {grouped(abs(difference), 1)} points {side} all cohorts together."
