"""Whether two figures may be compared: a sum over 90 days is not one over 60.

Belongs here: how many days each KPI looks back on, and whether a shop has them. Does not belong
here: how a change is written (`terminal.style`, `reports`).
"""

from datetime import date

from bridge_cart_assets.transforms.windows import WINDOW

# Of customers active in the 90 days before the last 90.
_OF_TWO_WINDOWS = (
    *("churn_base_90d", "churned_90d", "churn_rate_90d", "retained_90d", "retention_rate_90d"),
    *("base_revenue_90d", "retained_revenue_90d", "nrr_90d"),
)


def window_days(kpi: str) -> int:
    """How many days a KPI of a day looks at; 1 when it is of the day, or of all days so far.

    A segment's churn_rate looks at 90.

    >>> [window_days(kpi) for kpi in ("nrr_90d", "revenue_90d", "revenue", "customers_total")]
    [180, 90, 1, 1]
    """
    if kpi in _OF_TWO_WINDOWS:
        return 2 * WINDOW
    return WINDOW if kpi == "churn_rate" or kpi.endswith(f"_{WINDOW}d") else 1


def is_full(kpi: str, day: date, first: date) -> bool:
    """Whether the days that a KPI looks at are days of the shop.

    Args:
        kpi: a column of gold/kpis_daily.
        day: its day.
        first: the first day of gold/kpis_daily.

    >>> first, sixtieth = date(2024, 1, 1), date(2024, 2, 29)
    >>> [is_full(kpi, sixtieth, first) for kpi in ("revenue_90d", "customers_total")]
    [False, True]
    >>> is_full("revenue_90d", date(2024, 3, 30), first)
    True
    """
    return (day - first).days + 1 >= window_days(kpi)
