"""The six figures at the top: value, change against 28 days before, and a small line.

Belongs here: which KPIs they are, whether a rise is good, and what a missing value means. Does
not belong here: SQL (see `queries`) and number formats (see `formatting`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from math import ceil
from typing import Protocol

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
from bridge_cart_assets.transforms.comparisons import is_full, window_days

COMPARED_WITH = 28
SPARKLINE_POINTS = 91


class DayOfKpis(Protocol):
    """The KPIs at the end of one day, an attribute each."""

    @property
    def day(self) -> date:
        """The day."""


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
    first: date,
) -> tuple[Kpi, ...]:
    """The KPIs of the latest day.

    Args:
        days: the latest days, oldest first.
        clv_by_day: average value per customer on these days, as far as it is known.
        average_clv: the same for the latest day, to the cent.
        line_days: how many of the days the small lines span.
        first: the first day of the shop.
    """
    shown = partial(kpi, days, line_days, first)
    no_sale = "no sale yet"
    return (
        shown("customers_total", "Customers", compact_count, no_sale),
        shown("revenue_90d", "Revenue, 90 days", compact_money, no_sale),
        shown(
            "aov_90d",
            "Average order, 90 days",
            compact_money,
            "no order in the 90 days up to the day",
        ),
        shown(
            "historic_clv",
            "Average CLV so far",
            compact_money,
            "no customer values for that day",
            values=[*(clv_by_day.get(day.day) for day in days[:-1]), average_clv],
            meaning=f"Average over all customers. {CUSTOMER_VALUE.meaning('historic_clv')}",
        ),
        shown(
            "churn_rate_90d",
            "Churn rate, 90 days",
            percent,
            "no customer bought from 180 to 90 days before: none could have left",
            rise_is_good=False,
        ),
        shown("repeat_purchase_rate", "Repeat purchase rate", percent, "no customers yet"),
    )


def kpi(
    days: Sequence[DayOfKpis],
    line_days: int,
    first: date,
    name: str,
    label: str,
    show: Callable[[Number | None, str], Cell],
    missing: str,
    *,
    values: Sequence[Number | None] = (),
    rise_is_good: bool = True,
    meaning: str = "",
) -> Kpi:
    """One KPI from its daily values, the last one being the current value.

    Args:
        days: the latest days, oldest first; 28 days before the last is what it is compared with.
        line_days: how many of the days the small line spans.
        first: the first day of the shop. What is summed over days is compared only where the shop
            has all of these days.
        name: as in gold.kpis_daily, and the attribute of a day.
        label: as on the page.
        show: how a value is written; the change of a share is in points, of all else in percent.
        missing: why there may be none.
        values: by day, when the days do not have them.
        rise_is_good: whether more is better.
        meaning: when it is not that of gold.kpis_daily.
    """
    values = values or [getattr(day, name) for day in days]
    line = values[-line_days:]
    known = [value for value in line if value is not None]
    before = values[-1 - COMPARED_WITH] if len(values) > COMPARED_WITH else None
    change: KpiChange | Cell
    if before is not None and not is_full(name, days[-1].day - timedelta(COMPARED_WITH), first):
        change = nothing(f"{COMPARED_WITH} days before, {window_days(name)} days were not full yet")
    else:
        shown = show(before, missing)
        change = _change(values[-1], before, shown, show is percent, rise_is_good)
    return Kpi(
        name=name,
        label=label,
        meaning=meaning or KPIS_DAILY.meaning(name),
        now=show(values[-1], missing),
        change=change,
        sparkline=sparkline(_thinned(line)),
        low_high=(show(min(known), missing), show(max(known), missing)) if known else None,
    )


def _thinned(values: Sequence[Number | None]) -> list[float | None]:
    """Every nth value, counted back from the latest: a small line shows no more than 91."""
    every = ceil(len(values) / SPARKLINE_POINTS)
    return [None if value is None else float(value) for value in values[::-every][::-1]]


def _change(
    now: Number | None, before: Number | None, shown: Cell, is_share: bool, rise_is_good: bool
) -> KpiChange | Cell:
    """Shares change by points, everything else in percent of what it was."""
    new, old = exact(now), exact(before)
    if new is None or old is None:
        return nothing(f"no figure for {COMPARED_WITH} days before to compare with")
    if is_share:
        difference = rounded(100 * (new - old), 1)
    elif old > 0:
        difference = rounded(100 * (new - old) / old, 1)
    else:
        return nothing(f"was not above zero {COMPARED_WITH} days before")
    text = f"{grouped(abs(difference), 1)}{' points' if is_share else '%'}"
    if not difference:
        return KpiChange("level", text, "unchanged", shown)
    verdict = "better" if (difference > 0) == rise_is_good else "worse"
    return KpiChange("up" if difference > 0 else "down", text, verdict, shown)
