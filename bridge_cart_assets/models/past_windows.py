"""What would have been forecast at past days of a shop, beside what came.

Belongs here: forecasting as today, from what was known at a past day. Does not belong here: the
errors of it (`models.holdout`), or what they say of today's forecast (`models.spend_intervals`).

The windows do not overlap, so that each is one observation. There are few of them: a shop of two
years has six. The models are fitted anew for each, to at most 20,000 customers: more would not
make the error of a forecast smaller, which is the same for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import (
    Histories,
    NaiveRate,
    Orders,
    fit_bg_nbd,
    fit_nbd,
)
from bridge_cart_assets.models.calibration import fit_calibration
from bridge_cart_assets.models.forecast import Forecast, forecast, orders_per_day, orders_within
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.models.order_values import fit_order_values
from bridge_cart_assets.models.past_days import seen_until, to_learn_from
from bridge_cart_assets.models.value_judgement import NAIVE
from bridge_cart_assets.models.value_requirements import needs_of
from bridge_cart_assets.transforms.windows import WINDOW

YEAR = 365
# Most windows by how many days they have: each costs a fit.
MOST: Mapping[int, int] = {WINDOW: 6, YEAR: 2}
MOST_CUSTOMERS = 20_000
# Errors are logarithms, and a shop that sold nothing has one without end.
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class ForecastChoice:
    """How orders are forecast today.

    Attributes:
        part: bg_nbd, nbd or own_rate.
        chance: whether the chance of an order is corrected by the shop's past.
        number: whether the number of orders is.

    >>> choice = ForecastChoice("own_rate", chance=False, number=False)
    >>> choice.fitted(pl.DataFrame())
    NaiveRate()
    """

    part: str
    chance: bool
    number: bool

    def fitted(self, customers: pl.DataFrame) -> Orders:
        """The model of orders, fitted to these customers."""
        if self.part == NAIVE:
            return NaiveRate()
        fit = fit_bg_nbd if self.part == "bg_nbd" else fit_nbd
        model: Orders = fit(Histories.of(customers)).model
        return model


@dataclass(frozen=True)
class PastWindow:
    """A forecast that would have been made at a past day.

    Attributes:
        cut: the last day that is known.
        customers: `past_days.seen_until` of it, with what came.
        own: the forecast of 90 days of the model as it is.
        corrected: the corrected one; None where there was too little past to learn from by then.
        used: the one that is used today.
        spend: what each customer was expected to spend in the window.
        actual: what all customers of the shop spent in it, also those who are not among these.

    Half of the shop spent 20 where 10 were expected, so 20 were expected of a shop that spent 40:

    >>> customers, nothing = pl.DataFrame({"later_revenue": [20.0]}), Forecast(*np.zeros((2, 1)))
    >>> day, spend = date(2024, 1, 31), np.array([10.0])
    >>> window = PastWindow(day, customers, nothing, None, nothing, spend, actual=40.0)
    >>> window.came.tolist(), window.expected, round(window.log_error, 3)
    ([20.0], 20.0, 0.693)
    """

    cut: date
    customers: pl.DataFrame
    own: Forecast
    corrected: Forecast | None
    used: Forecast
    spend: Floats
    actual: float

    @property
    def came(self) -> Floats:
        """What each customer spent in the window, net of refunds."""
        return self.customers["later_revenue"].to_numpy()

    @property
    def log_error(self) -> float:
        """ln(spent / expected) over all customers."""
        return log_error(float(self.spend.sum()), float(self.came.sum()))

    @property
    def expected(self) -> float:
        """What all customers of the shop were expected to spend."""
        came = float(self.came.sum())
        return self.actual * float(self.spend.sum()) / came if came > 0 else float(self.spend.sum())


def log_error(expected: float, spent: float) -> float:
    """ln(spent / expected); as if a twentieth was spent where less was.

    >>> log_error(100.0, 100.0), log_error(100.0, -7.0) == log_error(100.0, 5.0)
    (0.0, True)
    """
    return float(np.log(max(spent, _LEAST_SHARE * expected) / expected))


def past_windows(
    days: pl.DataFrame, as_of: date, choice: ForecastChoice, horizon: int = WINDOW
) -> list[PastWindow]:
    """The windows that the history has, the latest first.

    Each ends where the next one begins, and has a history before it that a fit needs.

    Args:
        days: as `per_day` gives them.
        as_of: the latest day that is known.
        choice: how orders are forecast.
        horizon: days of a window.

    One customer is too few to forecast anything:

    >>> from bridge_cart_assets.models.past_days import per_day
    >>> line = {"customer_id": ["C1"], "purchase_day": date(2024, 1, 1), "kind": "sale"}
    >>> ids = {"source": "purchases", "order_id": "O1", "net_amount": 5.0}
    >>> days = per_day(pl.LazyFrame({**line, **ids}), date(2024, 12, 31))
    >>> past_windows(days, date(2024, 12, 31), ForecastChoice("nbd", chance=False, number=False))
    []
    """
    known = days["customer_id"].unique().sort()
    sample = known.gather_every(max(1, -(-known.len() // MOST_CUSTOMERS)))
    is_whole = sample.len() == known.len()
    own = days if is_whole else days.join(sample.to_frame(), on="customer_id", how="semi")
    of_all = None if is_whole else _spent_by_first_day(days)
    found: list[PastWindow] = []
    for back in range(1, MOST[horizon] + 1):
        cut = as_of - timedelta(days=horizon * back)
        customers = seen_until(own, cut, horizon)
        if not all(need.is_met for need in needs_of(customers)):
            break
        window = _forecast(own, customers, cut, choice, horizon)
        if window.spend.sum() <= 0:
            break
        actual = window.came.sum() if of_all is None else _spent(of_all, cut, horizon)
        found.append(replace(window, actual=float(actual)))
    return found


def _forecast(
    days: pl.DataFrame, customers: pl.DataFrame, cut: date, choice: ForecastChoice, horizon: int
) -> PastWindow:
    model, per_day = choice.fitted(customers), orders_per_day(customers)
    own = used = forecast(model, customers, per_day)
    corrected = None
    past = to_learn_from(days, cut)
    if past.are_enough and choice.part != NAIVE:
        found = fit_calibration(past.learnt(days), model, per_day)
        corrected = found.applied(customers, own)
        used = replace(
            found,
            chance=found.chance if choice.chance else None,
            number=found.number if choice.number else None,
        ).applied(customers, own)
    values = fit_order_values(customers).used.expected(
        customers["orders"].to_numpy().astype(np.float64), customers["order_value"].to_numpy()
    )
    seen = Histories.each(customers)
    spend = values * orders_within(model, seen, own, used, per_day, horizon)
    return PastWindow(cut, customers, own, corrected, used, spend, 0.0)


def _spent_by_first_day(days: pl.DataFrame) -> pl.DataFrame:
    """What customers spent on each day, by the day of their first sale: first, purchase_day, money.

    Once for all windows: the lines of a large shop are read once.
    """
    firsts = days.lazy().filter("is_sale").group_by("customer_id")
    first = firsts.agg(first=pl.min("purchase_day"))
    by_day = days.lazy().join(first, on="customer_id").group_by("first", "purchase_day")
    return by_day.agg(pl.sum("money")).collect()


def _spent(by_day: pl.DataFrame, cut: date, horizon: int) -> float:
    """What customers with a sale up to a day spent in the days after it."""
    on = pl.col("purchase_day")
    after = by_day.filter(pl.col("first") <= cut, on > cut, on <= cut + timedelta(days=horizon))
    return float(after["money"].sum())
