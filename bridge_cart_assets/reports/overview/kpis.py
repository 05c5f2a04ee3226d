"""The six figures at the top: value, change against 28 days before, and a small line.

Belongs here: which KPIs they are, whether a rise is good, and what a missing value means. Does
not belong here: SQL (see `queries`) and number formats (see `formatting`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

from bridge_cart_assets.reports.formatting import (
    Cell,
    Number,
    compact_count,
    compact_money,
    exact,
    grouped,
    nothing,
    percent,
    rounded,
)
from bridge_cart_assets.reports.overview.queries import KpiDay
from bridge_cart_assets.reports.sparklines import Sparkline, sparkline
from bridge_cart_assets.tables.gold import CUSTOMER_VALUE, KPIS_DAILY

COMPARED_WITH = 28
SPARKLINE_POINTS = 91
POINTS = " points"


@dataclass(frozen=True)
class KpiChange:
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
    before: Cell


@dataclass(frozen=True)
class Kpi:
    """One of the figures at the top."""

    name: str
    label: str
    meaning: str
    now: Cell
    change: KpiChange | Cell
    sparkline: Sparkline | None
    low_high: tuple[Cell, Cell] | None


def kpis(
    days: Sequence[KpiDay],
    clv_by_day: dict[date, float | None],
    average_clv: float | None,
    line_days: int,
) -> tuple[Kpi, ...]:
    """The KPIs of the latest day.

    Args:
        days: the latest days, oldest first.
        clv_by_day: average value per customer on these days, as far as it is known.
        average_clv: the same for the latest day, to the cent.
        line_days: how many of the days the small lines span.
    """
    return (
        kpi(
            "customers_total",
            "Customers",
            [day.customers_total for day in days],
            line_days,
            show=compact_count,
            missing="no sale yet",
        ),
        kpi(
            "revenue_90d",
            "Revenue, 90 days",
            [day.revenue_90d for day in days],
            line_days,
            show=compact_money,
            missing="no sale yet",
        ),
        kpi(
            "aov_90d",
            "Average order, 90 days",
            [day.aov_90d for day in days],
            line_days,
            show=compact_money,
            missing="no order in the 90 days up to the day",
        ),
        kpi(
            "historic_clv",
            "Average CLV so far",
            [*(clv_by_day.get(day.day) for day in days[:-1]), average_clv],
            line_days,
            show=compact_money,
            missing="no customer values for that day",
            meaning=f"Average over all customers. {CUSTOMER_VALUE.meaning('historic_clv')}",
        ),
        kpi(
            "churn_rate_90d",
            "Churn rate, 90 days",
            [day.churn_rate_90d for day in days],
            line_days,
            show=percent,
            missing="no customer bought from 180 to 90 days before: none could have left",
            unit=POINTS,
            rise_is_good=False,
        ),
        kpi(
            "repeat_purchase_rate",
            "Repeat purchase rate",
            [day.repeat_purchase_rate for day in days],
            line_days,
            show=percent,
            missing="no customers yet",
            unit=POINTS,
        ),
    )


def kpi(
    name: str,
    label: str,
    values: Sequence[Number | None],
    line_days: int,
    *,
    show: Callable[[Number | None, str], Cell],
    missing: str,
    unit: str = "%",
    rise_is_good: bool = True,
    meaning: str | None = None,
) -> Kpi:
    """One KPI from its daily values, oldest first, the last one being the current value.

    Args:
        name: as in gold.kpis_daily.
        label: as on the page.
        values: by day, the latest last; 28 days before it is what it is compared with.
        line_days: how many of the days the small line spans.
        show: how a value is written.
        missing: why there may be none.
        unit: of the change: percent of what it was, or points.
        rise_is_good: whether more is better.
        meaning: when it is not that of gold.kpis_daily.
    """
    line = values[-line_days:]
    known = [value for value in line if value is not None]
    before = values[-1 - COMPARED_WITH] if len(values) > COMPARED_WITH else None
    return Kpi(
        name=name,
        label=label,
        meaning=meaning or KPIS_DAILY.meaning(name),
        now=show(values[-1], missing),
        change=_change(values[-1], before, show(before, missing), unit, rise_is_good),
        sparkline=sparkline(_thinned(line)),
        low_high=(show(min(known), missing), show(max(known), missing)) if known else None,
    )


def _thinned(values: Sequence[Number | None]) -> list[float | None]:
    """Every nth value, counted back from the latest: a small line shows no more than 91."""
    every = ceil(len(values) / SPARKLINE_POINTS)
    return [None if value is None else float(value) for value in values[::-every][::-1]]


def _change(
    now: Number | None, before: Number | None, shown: Cell, unit: str, rise_is_good: bool
) -> KpiChange | Cell:
    """Shares change by points, everything else in percent of what it was."""
    new, old = exact(now), exact(before)
    if new is None or old is None:
        return nothing(f"no figure for {COMPARED_WITH} days before to compare with")
    if unit == POINTS:
        difference = rounded(100 * (new - old), 1)
    elif old > 0:
        difference = rounded(100 * (new - old) / old, 1)
    else:
        return nothing(f"was not above zero {COMPARED_WITH} days before")
    text = f"{grouped(abs(difference), 1)}{unit}"
    if not difference:
        return KpiChange("level", text, "unchanged", shown)
    verdict = "better" if (difference > 0) == rise_is_good else "worse"
    return KpiChange("up" if difference > 0 else "down", text, verdict, shown)
