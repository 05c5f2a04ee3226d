"""Whether a figure is what other days let one expect, as pure functions of frames.

Belongs here: comparisons with the days before, with the same weekday, and with the clock. Does not
belong here: what must hold on every day (`integrity`), or the bounds (`thresholds`).
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from math import sqrt
from statistics import fmean, median

import polars as pl

from bridge_cart_assets.checks.check import CheckResult, MetadataValue, day_span
from bridge_cart_assets.thresholds import Thresholds
from bridge_cart_assets.transforms.source_days import (
    SourceDay,
    days_without_orders,
    last_days_in_words,
    orders_stopped,
)

# A standard deviation of normal values is so many times their median, or mean, absolute deviation.
_OF_MEDIAN_DEVIATION = 1 / 0.6745
_OF_MEAN_DEVIATION = 1.2533


def against_trailing(
    kpis: pl.DataFrame, column: str, low: float | None, high: float, thresholds: Thresholds
) -> CheckResult:
    """The latest value of a KPI against the mean of its trailing days.

    Args:
        kpis: rows of gold/kpis_daily.
        column: the KPI.
        low, high: how far below or above that mean it may be, as shares of the mean.
        thresholds: gives the number of trailing days.
    """
    recent = kpis.sort("day").select("day", column).tail(thresholds.trailing_days + 1)
    value = recent[column][-1] if recent.height else None
    trailing = recent.head(-1).drop_nulls(column)
    if value is None or trailing.is_empty():
        return CheckResult(True, f"no {column} to compare yet", {"days": trailing.height})
    mean = float(trailing[column].mean())  # type: ignore[arg-type]
    floor = mean * (1 - low) if low is not None else float("-inf")
    ceiling = mean * (1 + high)
    day = recent["day"][-1]
    message = (
        f"{column} is {value:.4f} on {day}; mean of the {trailing.height} days before: {mean:.4f}"
    )
    metadata = {"value": float(value), "mean": mean, "upper_bound": ceiling}
    if low is not None:
        metadata["lower_bound"] = floor
    days = day_span(trailing["day"][0], day)
    return CheckResult(
        floor <= float(value) <= ceiling, message, {**metadata, **days, "days": trailing.height}
    )


def against_weekday(
    kpis: pl.DataFrame, column: str, counts: str, until: date, thresholds: Thresholds
) -> CheckResult:
    """A day's figure against the same weekday of the weeks before.

    A shop's week has its own shape, so a Monday is compared with Mondays; by medians, so that one
    odd Monday among them does no harm. The measure is the modified z-score of Iglewicz and Hoaglin
    (How to Detect and Handle Outliers, 1993): 0.6745 (x - median) / MAD, MAD being the median
    absolute deviation. Where more than half of the Mondays are alike MAD is 0 and says nothing, and
    the mean absolute deviation takes its place: (x - median) / (1.2533 mean deviation).

    Eight Mondays are few: they may lie close together by luck, and a usual ninth then looks odd. So
    a day is not unusual either when chance alone explains it. Orders that come independently of
    each other are Poisson distributed, and the square root of such a number scatters by one half
    whatever its size (Bartlett 1936): of 2 (sqrt(x) - sqrt(median)) and the score above the smaller
    counts. In a shop that sells nothing on Mondays one order is no alarm, four are. Without this,
    one in seven days of a generated shop with three orders a day was unusual in revenue; with it,
    one in 150.

    Args:
        kpis: rows of gold/kpis_daily: every day, those without an order too, which count as zero.
        column: a figure of the day, not negative.
        counts: the column of what comes independently: the orders of revenue, or the figure itself.
        until: the last day that may be looked at: one that is over, for a day in progress is low.
        thresholds: how many weeks, how many of them at least, and the bound.
    """
    days = kpis.filter(pl.col("day") <= until).select("day", x=column, n=counts).sort("day")
    if days.is_empty():
        return CheckResult(True, f"no day is over: no {column} to compare yet", {"days": 0})
    day: date = days["day"][-1]
    weeks = [day - timedelta(weeks=n) for n in range(1, thresholds.weekdays + 1)]
    same = days.filter(pl.col("day").is_in(weeks)).cast({"x": pl.Float64, "n": pl.Float64})
    what = f"{day:%A}s"
    if same.height < thresholds.weekdays_needed:
        message = f"{same.height} {what} before {day}: {thresholds.weekdays_needed} are needed"
        return CheckResult(True, message, {"days": same.height})
    value, before = float(days["x"][-1]), same["x"].to_list()
    window = days.filter(pl.col("day").is_between(weeks[-1], day, closed="left"))
    score = _modified_z(value, before, _unit(window))
    ok = abs(score) <= thresholds.anomaly
    message = (
        f"{column} is {value:,.2f} on {day}; median of the {same.height} {what} before: "
        f"{median(before):,.2f}; z is {score:.1f}, unusual beyond {thresholds.anomaly}"
    )
    return CheckResult(
        ok,
        message,
        {
            "value": value,
            "median": median(before),
            "z": score,
            "lower_bound": -thresholds.anomaly,
            "upper_bound": thresholds.anomaly,
            **day_span(same["day"][0], day),
            "days": same.height,
        },
    )


def _unit(days: pl.DataFrame) -> float:
    """How much of a figure comes or stays away at once, by chance: its variance over its mean.

    It is 1 for what is counted. Revenue comes in orders of a mean m and a variance v, which shows
    in how revenue scatters about m times the orders of a day; a sum of Poisson many of them has
    the variance (m^2 + v) / m times its mean.

    Args:
        days: x (the figure) and n (how many made it).
    """
    sold = days.filter(pl.col("n") > 0).cast({"x": pl.Float64, "n": pl.Float64})
    mean = pl.sum("x") / pl.sum("n")
    variance = ((pl.col("x") - mean * pl.col("n")) ** 2 / pl.col("n")).mean()
    unit = sold.select(mean + variance / mean).item() if sold["x"].sum() else None
    return 1.0 if unit is None else float(unit)


def _modified_z(value: float, before: Sequence[float], unit: float) -> float:
    """How far a value is from the median of others, in standard deviations.

    Args:
        value: what is judged.
        before: what it is compared with.
        unit: how much of it comes at once.
    """
    middle = median(before)
    deviations = [abs(x - middle) for x in before]
    spread = _OF_MEDIAN_DEVIATION * median(deviations) or _OF_MEAN_DEVIATION * fmean(deviations)
    by_chance = 2 * (sqrt(max(value, 0.0) / unit) - sqrt(max(middle, 0.0) / unit))
    return min(by_chance, (value - middle) / spread, key=abs) if spread else by_chance


def sources_fresh(days: Collection[SourceDay], today: date, allowed: timedelta) -> CheckResult:
    """No source is far behind the clock."""
    behind = {day.source: (today - day.last_day).days for day in days}
    old = [day for day in days if behind[day.source] > allowed.days]
    figures: dict[str, MetadataValue] = {
        "value": max(behind.values(), default=0),
        "bound": allowed.days,
        **behind,
    }
    if old:
        ages = ", ".join(f"{day.source} {behind[day.source]:,}" for day in old)
        message = (
            f"{last_days_in_words(days)}; days behind {today}: {ages}; allowed: {allowed.days}"
        )
        return CheckResult(False, message, figures)
    return CheckResult(True, last_days_in_words(days) or "no records yet", figures)


def orders_keep_up(days: Collection[SourceDay], allowed: timedelta) -> CheckResult:
    """The latest orders are not far behind the records of other sources."""
    behind = days_without_orders(days)
    figures: dict[str, MetadataValue] = {"value": behind, "bound": allowed.days}
    stopped = orders_stopped(days, allowed)
    return CheckResult(
        not stopped, stopped or last_days_in_words(days) or "no records yet", figures
    )


def fresh(as_of: date | None, today: date, allowed: timedelta) -> CheckResult:
    """as_of is not far behind the clock."""
    bound: dict[str, MetadataValue] = {"bound": allowed.days}
    if as_of is None:
        return CheckResult(False, "silver has no batch day yet: land files and run", bound)
    age = today - as_of
    return CheckResult(
        age <= allowed,
        f"as_of is {as_of}, {age.days} days behind {today}; allowed: {allowed.days}",
        {"value": age.days, **bound, **day_span(as_of, today)},
    )
