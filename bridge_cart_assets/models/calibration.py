"""What a shop's own past says about the forecasts of a model of orders, and correcting them by it.

Belongs here: the signals, the fit of the correction, and applying it. Does not belong here: the
histories that it is fitted to (`models.past_days`), or whether it is used (`models.holdout`,
`models.value_judgement`).

The chance of an order is a logistic regression, the number of orders a Poisson regression, both
over the same signals and both beginning at the model's own forecast: with coefficients of zero the
forecast stays what it was. Each coefficient has a normal prior about zero, and a customer counts
once however many past days there are, because the windows behind them overlap. So little past
corrects little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import Orders
from bridge_cart_assets.models.forecast import Forecast, forecast
from bridge_cart_assets.models.likelihood import Floats
from bridge_cart_assets.transforms.windows import WINDOW

# Variance of the prior of a coefficient, whose signal has the variance 1.
_PRIOR = 0.03
# A forecast of orders is multiplied by at most exp(3) = 20, or divided by it.
_MOST = 3.0
_STEPS, _CLOSE = 50, 1e-8
_RAREST = 1e-6
# The parts of gold/value_model that hold a correction.
SIGNAL_MEAN, SIGNAL_SCALE = "signal_mean", "signal_scale"
CHANCE, NUMBER = "calibrated_chance", "calibrated_orders"
PARTS = (SIGNAL_MEAN, SIGNAL_SCALE, CHANCE, NUMBER)
_INTERCEPT = "intercept"

_SIGNALS: Mapping[str, pl.Expr] = {
    "order_odds": (pl.col("chance") / (1 - pl.col("chance"))).log(),
    "expected_orders": pl.col("expected").log(),
    "recency": pl.col("recency_days").log1p(),
    "order_days": (pl.col("frequency") + 1).log(),
    "ordered_in_30_days": pl.col("recency_days") < 30,
    "ordered_in_60_days": pl.col("recency_days") < 60,
    "ordered_in_90_days": pl.col("recency_days") < WINDOW,
    "orders_in_90_days": pl.col("orders_90d").log1p(),
    "silence": (
        pl.col("recency_days") * pl.col("orders") / pl.col("tenure_days").clip(lower_bound=1)
    ).log1p(),
    "order_value": pl.col("order_value").log1p(),
    "lines_per_order": (pl.col("lines") / pl.col("orders")).log1p(),
    "one_order": pl.col("orders") == 1,
}


def signals(customers: pl.DataFrame, own: Forecast) -> Floats:
    """What a correction looks at: one row per customer, one column per signal.

    Args:
        customers: frequency, tenure_days, recency_days, orders, lines, orders_90d, order_value.
        own: the model's own forecast.

    Somebody who has always ordered every ten days and has not for twenty is two orders silent:

    >>> columns = {"frequency": [2], "tenure_days": 20, "recency_days": 20, "orders": 2}
    >>> customers = pl.DataFrame({**columns, "lines": 2, "orders_90d": 2, "order_value": 9.0})
    >>> own = Forecast(np.array([0.5]), np.array([1.0]))
    >>> found = dict(zip(_SIGNALS, signals(customers, own)[0].tolist(), strict=True))
    >>> found["order_odds"], found["ordered_in_30_days"], round(float(np.exp(found["silence"])), 6)
    (0.0, 1.0, 3.0)
    """
    frame = customers.with_columns(
        chance=pl.Series(np.clip(1 - own.no_order, _RAREST, 1 - _RAREST)),
        expected=pl.Series(np.maximum(own.orders, _RAREST)),
    )
    named = [signal.cast(pl.Float64).alias(name) for name, signal in _SIGNALS.items()]
    return np.column_stack([column.to_numpy() for column in frame.select(named)])


@dataclass(frozen=True)
class Calibration:
    """A correction of forecasts.

    Attributes:
        mean, scale: of each signal, where it was fitted.
        chance: intercept and coefficients of the chance of an order; None to leave it.
        number: those of the number of orders; None to leave it.

    A correction that doubles every number of orders, and leaves the chance of one:

    >>> columns = {"frequency": [2], "tenure_days": 20, "recency_days": 20, "orders": 2}
    >>> customers = pl.DataFrame({**columns, "lines": 2, "orders_90d": 2, "order_value": 9.0})
    >>> coefficients = np.array([np.log(2)] + [0.0] * 12)
    >>> twice = Calibration(np.zeros(12), np.ones(12), chance=None, number=coefficients)
    >>> twice.applied(customers, Forecast(np.array([0.5]), np.array([1.0]))).orders.tolist()
    [2.0]
    >>> rows = twice.rows()
    >>> sorted(rows), Calibration.of_rows(rows).number.tolist() == coefficients.tolist()
    (['calibrated_orders', 'signal_mean', 'signal_scale'], True)
    """

    mean: Floats
    scale: Floats
    chance: Floats | None
    number: Floats | None

    def applied(self, customers: pl.DataFrame, own: Forecast) -> Forecast:
        """A model's own forecast, corrected.

        The expected number of orders is at least the chance of one.

        Args:
            customers: as `signals` takes them.
            own: the forecast.
        """
        values = _with_intercept((signals(customers, own) - self.mean) / self.scale)
        no_order, orders = own.no_order, own.orders
        if self.chance is not None:
            odds = _log_odds(own) + values @ self.chance
            no_order = 1 / (1 + np.exp(np.clip(odds, -600, 600)))
        if self.number is not None:
            orders = orders * np.exp(np.clip(values @ self.number, -_MOST, _MOST))
        return Forecast(no_order, np.maximum(orders, 1 - no_order))

    def rows(self) -> dict[str, dict[str, float]]:
        """The parameters by part of gold/value_model."""
        named = {
            SIGNAL_MEAN: _named(self.mean),
            SIGNAL_SCALE: _named(self.scale),
            CHANCE: _named(self.chance),
            NUMBER: _named(self.number),
        }
        return {part: values for part, values in named.items() if values}

    @classmethod
    def of_rows(cls, parts: Mapping[str, Mapping[str, float]]) -> Self | None:
        """The correction that `rows` has written down; None when there is none."""
        if SIGNAL_MEAN not in parts:
            return None
        mean, scale = (
            np.array([parts[part][name] for name in _SIGNALS])
            for part in (SIGNAL_MEAN, SIGNAL_SCALE)
        )
        chance, number = (
            np.array([parts[part][name] for name in (_INTERCEPT, *_SIGNALS)])
            if part in parts
            else None
            for part in (CHANCE, NUMBER)
        )
        return cls(mean, scale, chance, number)


def fit_calibration(
    past: Sequence[pl.DataFrame], model: Orders, orders_per_day: float
) -> Calibration:
    """Fit a correction to what customers ordered after some past days.

    Args:
        past: `past_days.seen_until` of each of them; at least one, and at least one customer.
        model: whose forecasts are corrected.
        orders_per_day: as `forecast` takes it.

    Ten customers of whom one order each was expected, and none came, are not expected to order as
    often again. A prior holds against that:

    >>> from bridge_cart_assets.models.buy_till_you_die import NaiveRate
    >>> columns = {"frequency": [1] * 10, "t_x": 80, "tenure_days": 90, "recency_days": 10}
    >>> more = {"orders": 2, "lines": 2, "orders_90d": 1, "order_value": 9.0, "later_orders": 0}
    >>> past = pl.DataFrame({**columns, **more})
    >>> found = fit_calibration([past], NaiveRate(), 1.0)
    >>> corrected = found.applied(past, forecast(NaiveRate(), past)).orders[0]
    >>> bool(0.5 < corrected < 0.9)
    True
    """
    forecasts = [forecast(model, customers, orders_per_day) for customers in past]
    own = Forecast(
        np.concatenate([one.no_order for one in forecasts]),
        np.concatenate([one.orders for one in forecasts]),
    )
    customers = pl.concat(past)
    values = signals(customers, own)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    # A signal that says the same of everybody says nothing.
    scale = np.where(scale > _RAREST, scale, 1.0)
    standardised = _with_intercept((values - mean) / scale)
    later = customers["later_orders"].to_numpy().astype(np.float64)
    odds, logs = _log_odds(own), np.log(np.maximum(own.orders, _RAREST))

    def of_chance(correction: Floats) -> tuple[Floats, Floats]:
        chance = 1 / (1 + np.exp(-np.clip(odds + correction, -600, 600)))
        return (later > 0) - chance, chance * (1 - chance)

    def of_number(correction: Floats) -> tuple[Floats, Floats]:
        orders = np.exp(logs + np.clip(correction, -_MOST, _MOST))
        return later - orders, orders

    weight = 1 / len(past)
    chance, number = (_climb(standardised, one, weight) for one in (of_chance, of_number))
    return Calibration(mean, scale, chance, number)


def _climb(
    values: Floats, differences: Callable[[Floats], tuple[Floats, Floats]], weight: float
) -> Floats:
    """The coefficients of the highest posterior, by Newton's method.

    Args:
        values: the signals, with a column for the intercept.
        differences: for a correction, what came minus what is expected, and its variance.
        weight: how much a row counts.
    """
    found = np.zeros(values.shape[1])
    for _ in range(_STEPS):
        missing, variance = differences(values @ found)
        gradient = weight * (values.T @ missing) - found / _PRIOR
        curvature = weight * (values.T * variance) @ values + np.eye(found.size) / _PRIOR
        # A step of 1 moves a forecast by the factor e; larger ones overshoot.
        step = np.clip(np.linalg.solve(curvature, gradient), -1.0, 1.0)
        found = found + step
        if np.abs(step).max() < _CLOSE:
            break
    return found


def _log_odds(own: Forecast) -> Floats:
    chance = np.clip(1 - own.no_order, _RAREST, 1 - _RAREST)
    odds: Floats = np.log(chance / (1 - chance))
    return odds


def _with_intercept(values: Floats) -> Floats:
    return np.column_stack([np.ones(values.shape[0]), values])


def _named(values: Floats | None) -> dict[str, float]:
    if values is None:
        return {}
    names = tuple(_SIGNALS) if values.size == len(_SIGNALS) else (_INTERCEPT, *_SIGNALS)
    return dict(zip(names, values.tolist(), strict=True))
