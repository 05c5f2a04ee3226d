"""All bounds that a check compares with, in one place."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Thresholds:
    """When a figure is worth a warning.

    Attributes:
        trailing_days: days that a figure is compared with the mean of.
        churn_rate_rise: churn_rate_90d may be above that mean by this share of it.
        aov_change: aov_90d may differ from that mean by this share of it.
        as_of_age: as_of may be this far behind the clock.
        contribution_tolerance: the segments' shares add up to one within this (invariant 4).
    """

    trailing_days: int = 28
    churn_rate_rise: float = 0.20
    aov_change: float = 0.25
    as_of_age: timedelta = timedelta(days=3)
    contribution_tolerance: float = 1e-5


THRESHOLDS = Thresholds()
