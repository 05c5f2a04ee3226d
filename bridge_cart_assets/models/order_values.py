"""What an order is worth: Gamma-Gamma over order values that a few odd ones cannot rule.

Belongs here: the limit above which an order value is out of scale, the fit under it, and the value
of an order that follows. Does not belong here: Gamma-Gamma itself (`models.buy_till_you_die`), or
how good it was (`models.holdout`).

One buyer of a million in a shop of thirties would be most of its forecast, and draw everybody's
value up with it. So a customer's mean order value counts up to a limit: so many robust standard
deviations of the logarithms above their median. Of a lognormal shop with a million customers none
is above it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from bridge_cart_assets.models.buy_till_you_die import GammaGamma, fit_gamma_gamma
from bridge_cart_assets.models.likelihood import Fitted, Floats
from bridge_cart_assets.models.value_judgement import VALUE, gamma_gamma_rejection

# The part of gold/value_model that holds the limit.
LIMIT = "order_value_limit"
_MOST, _WITHIN = "limit", "share_within"
# Standard deviations above the median. A shop of one price has none, so there is a least one: the
# limit is at least exp(6 x 0.5) = 20 times the median.
_DEVIATIONS, _LEAST_DEVIATION = 6.0, 0.5
# The median of |z| of a normal variable, by which a median deviation becomes a standard one.
_NORMAL = 0.6745


@dataclass(frozen=True)
class OrderValues:
    """How the value of an order follows from what a customer has paid so far.

    Attributes:
        gamma_gamma: draws a customer's mean to everybody's; None to take the mean itself.
        limit: what of a customer's mean counts; None without one.

    >>> own_mean = OrderValues.of_rows({"gamma_gamma": {"none": 0.0}, LIMIT: {"limit": 100.0}})
    >>> own_mean.expected(np.array([1.0, 1.0]), np.array([30.0, 1e6])).tolist()
    [30.0, 100.0]
    """

    gamma_gamma: GammaGamma | None
    limit: float | None = None

    def expected(self, orders: Floats, mean: Floats) -> Floats:
        """The expected value of an order.

        Args:
            orders: number of orders of each customer.
            mean: mean value of these orders, 0 or more.
        """
        counted = mean if self.limit is None else np.minimum(mean, self.limit)
        if self.gamma_gamma is None:
            return counted
        return self.gamma_gamma.expected_value(orders, counted)

    @classmethod
    def of_rows(cls, parts: Mapping[str, Mapping[str, float]]) -> Self:
        """As gold/value_model has it, by part and parameter."""
        value = parts[VALUE]
        limit = parts.get(LIMIT, {}).get(_MOST)
        return cls(None if "none" in value else GammaGamma(**value), limit)


@dataclass(frozen=True)
class FittedOrderValues:
    """A fit to the order values of customers.

    Attributes:
        fitted: Gamma-Gamma as it was fitted under the limit; None without a payment.
        agreement: what customers pay as a share of what it expects of them; None without a fit.
        limit: above it a value counts as it; None where none is above.
        above, customers: how many customers are above it, of how many who have paid.
        why: what speaks against Gamma-Gamma; None when nothing does.

    >>> found = FittedOrderValues(None, 0.1, 600.0, above=1, customers=100, why="too uneven")
    >>> found.used.limit, found.rows
    (600.0, {'order_value_limit': {'limit': 600.0, 'share_within': 0.99}})
    >>> found.remark.startswith("too uneven; order values of 1 of 100 customers")
    True
    """

    fitted: Fitted[GammaGamma] | None
    agreement: float | None
    limit: float | None
    above: int
    customers: int
    why: str | None

    @property
    def used(self) -> OrderValues:
        """What is applied: without Gamma-Gamma where something speaks against it."""
        is_used = self.fitted is not None and self.why is None
        return OrderValues(self.fitted.model if is_used and self.fitted else None, self.limit)

    @property
    def remark(self) -> str | None:
        """What a row of gold/customer_value has to say of the order values, if anything."""
        said = [] if self.why is None else [self.why]
        if self.limit is not None:
            said.append(
                f"order values of {self.above:,} of {self.customers:,} customers are out of scale: "
                f"above {self.limit:,.2f} they count as that"
            )
        return "; ".join(said) or None

    @property
    def rows(self) -> dict[str, dict[str, float]]:
        """The limit by part of gold/value_model: the share of the customers within it, too."""
        if self.limit is None:
            return {}
        return {LIMIT: {_MOST: self.limit, _WITHIN: 1 - self.above / self.customers}}


def fit_order_values(customers: pl.DataFrame) -> FittedOrderValues:
    """Fit the value of an order to what customers have paid so far.

    Args:
        customers: orders and order_value.

    A buyer of a million among a hundred who pay thirty:

    >>> shop = pl.DataFrame({"orders": 2, "order_value": [30.0, 29.0] * 50 + [1e6]})
    >>> found = fit_order_values(shop)
    >>> found.remark
    'order values of 1 of 101 customers are out of scale: above 602.57 they count as that'
    >>> 25 < found.used.expected(np.array([2.0]), np.array([1e6])).item() < 603
    True
    """
    paid = customers.filter(pl.col("order_value") > 0)
    if not paid.height:
        why = "no customer has paid anything: an order is worth nothing"
        return FittedOrderValues(None, None, None, 0, 0, why)
    own = paid["order_value"].to_numpy()
    limit = _limit_of(own)
    above = int((own > limit).sum())
    counted = np.minimum(own, limit)
    fitted = fit_gamma_gamma(paid["orders"].to_numpy().astype(np.float64), counted)
    return FittedOrderValues(
        fitted=fitted,
        agreement=fitted.model.agreement(counted),
        limit=limit if above else None,
        above=above,
        customers=paid.height,
        why=gamma_gamma_rejection(fitted.model, counted),
    )


def _limit_of(own: Floats) -> float:
    logs = np.log(own)
    middle = float(np.median(logs))
    deviation = float(np.median(np.abs(logs - middle))) / _NORMAL
    return float(np.exp(middle + _DEVIATIONS * max(deviation, _LEAST_DEVIATION)))
