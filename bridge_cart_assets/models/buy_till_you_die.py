"""How often customers will order, whether they still are customers, and the value of an order.

Belongs here: BG/NBD, NBD and Gamma-Gamma, each as a likelihood, a fit and the forecasts from the
parameters. Does not belong here: which of them is trusted (`models.holdout`,
`models.customer_value`), or reading and writing.

The history of a customer is three numbers (Fader, Hardie and Lee 2005): frequency x, the days with
a sale after the first one; t_x, days from the first to the latest sale; and T, days from the first
sale to as_of. Time is in days throughout. Customers with the same three numbers are one row with a
weight: a million customers at day grain are far fewer rows.

Sources: Fader, Hardie and Lee, "Counting Your Customers the Easy Way", Marketing Science 24 (2005),
275-284, for BG/NBD; Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (2013), for order
values; Ehrenberg (1959) for NBD.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from bridge_cart_assets.models.likelihood import Fitted, Floats, maximise

Places = npt.NDArray[np.intp]
HISTORY = ("frequency", "t_x", "tenure_days")


@dataclass(frozen=True)
class Histories:
    """Histories of customers, equal ones in one row; one entry per row in every array."""

    x: Floats
    t_x: Floats
    T: Floats
    weight: Floats

    @classmethod
    def of(cls, customers: pl.DataFrame) -> Self:
        """Group customers by the columns of `HISTORY`.

        >>> columns = {"frequency": [0, 2, 0], "t_x": [0, 20, 0], "tenure_days": [30, 60, 30]}
        >>> histories = Histories.of(pl.DataFrame(columns))
        >>> histories.T.tolist(), histories.weight.tolist()
        ([30.0, 60.0], [2.0, 1.0])
        """
        rows = customers.group_by(HISTORY).len().sort(HISTORY).cast(pl.Float64)
        return cls._in(rows, rows["len"].to_numpy())

    @classmethod
    def each(cls, customers: pl.DataFrame) -> Self:
        """Every customer by itself, in the order of the rows.

        >>> columns = {"frequency": [0, 2, 0], "t_x": [0, 20, 0], "tenure_days": [30, 60, 30]}
        >>> Histories.each(pl.DataFrame(columns)).T.tolist()
        [30.0, 60.0, 30.0]
        """
        return cls._in(
            customers.select(pl.col(HISTORY).cast(pl.Float64)), np.ones(customers.height)
        )

    @cached_property
    def pairs(self) -> tuple[Floats, Floats, Places]:
        """The different pairs of x and T, and which of them each row has.

        What is dear and depends on these two only is computed once for each pair.

        >>> columns = {"frequency": [0, 2, 0], "t_x": [0, 20, 0], "tenure_days": [30, 60, 30]}
        >>> [part.tolist() for part in Histories.each(pl.DataFrame(columns)).pairs]
        [[0.0, 2.0], [30.0, 60.0], [0, 1, 0]]
        """
        # Complex numbers have an order: by x, then by T.
        pairs, place = np.unique(self.x + 1j * self.T, return_inverse=True)
        return pairs.real, pairs.imag, place

    @classmethod
    def _in(cls, rows: pl.DataFrame, weight: Floats) -> Self:
        x, t_x, tenure = (rows[name].to_numpy() for name in HISTORY)
        return cls(x, t_x, tenure, weight)


class Orders(Protocol):
    """A model of when customers order."""

    def p_alive(self, seen: Histories) -> Floats:
        """Probability that each is still a customer."""

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        """Order days that are expected of each in the next days."""

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        """Probability that each does not order within the next days."""


@dataclass(frozen=True)
class BgNbd:
    """BG/NBD: a Poisson process until a drop-out, which can follow every repeat order.

    Attributes:
        r, alpha: the rates (orders a day) are gamma distributed, mean r / alpha.
        a, b: the chances of dropping out are beta distributed, mean a / (a + b).

    Two customers, 30 days after their first order. The second ordered again on day 10:

    >>> columns = {"frequency": [0, 1], "t_x": [0, 10], "tenure_days": [30, 30]}
    >>> histories = Histories.each(pl.DataFrame(columns))
    >>> model = BgNbd(r=1.0, alpha=10.0, a=2.0, b=2.0)
    >>> model.drop_out
    0.5
    >>> model.p_alive(histories).round(3).tolist()
    [1.0, 0.2]
    >>> model.prob_no_order(histories, days=40).round(3).tolist()
    [0.5, 0.85]
    >>> model.expected_orders(histories, days=40).round(3).tolist()
    [0.682, 0.254]
    """

    r: float
    alpha: float
    a: float
    b: float

    @property
    def drop_out(self) -> float:
        """Mean chance of dropping out after a repeat order."""
        return self.a / (self.a + self.b)

    def p_alive(self, seen: Histories) -> Floats:
        """By equation 12; 1 for customers with one order, who cannot have dropped out."""
        gone = np.zeros_like(seen.x)
        back = seen.x > 0
        x, until = seen.x[back], np.log(self.alpha + seen.t_x[back])
        waited = (self.r + x) * (np.log(self.alpha + seen.T[back]) - until)
        # Who ordered daily and has been away for long: beyond every number, and certainly gone.
        gone[back] = np.exp(np.minimum(waited, 600.0)) * self.a / (self.b + x - 1)
        alive: Floats = 1 / (1 + gone)
        return alive

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        """By equation 10."""
        x, tenure, place = seen.pairs
        orders: Floats = self._orders_while_alive(x, tenure, days)[place]
        return orders * self.p_alive(seen)

    def _orders_while_alive(self, x: Floats, tenure: Floats, days: float) -> Floats:
        """Order days that are expected of customers who have not dropped out."""
        from scipy.special import hyp2f1

        # The formula has gaps at a = 1 and at a + b + x = 1, and is smooth about them.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        rate, kept = self.r + x, self.b + x
        passed = days / (self.alpha + tenure + days)
        rest = a + kept - 1
        rest = np.where(np.abs(rest) > 1e-6, rest, 1e-6)
        stays = hyp2f1(rate, kept, rest, passed) * (1 - passed) ** rate
        orders = rest / (a - 1) * (1 - stays)
        # The series gives up on rates that do not differ between customers (r in the thousands):
        # there the mean chance of dropping out stands for all chances.
        mean = self.a / (self.a + kept)
        rough = -np.expm1(-rate * np.log1p(mean * days / (self.alpha + tenure))) / mean
        most = rate / (self.alpha + tenure) * days
        while_alive: Floats = np.clip(np.where(np.isfinite(orders), orders, rough), 0.0, most)
        return while_alive

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        """1 - p_alive (1 - ((alpha + T) / (alpha + T + days))^(r + x)).

        A customer who has not dropped out cannot do so before the next order. So the rate alone
        decides whether that order comes in time.
        """
        silent = _silent(self.r, self.alpha, seen, days)
        none: Floats = 1 - self.p_alive(seen) * (1 - silent)
        return none


@dataclass(frozen=True)
class Nbd:
    """NBD: a Poisson process that never ends; BG/NBD without drop-out.

    Attributes:
        r, alpha: the rates (orders a day) are gamma distributed, mean r / alpha.

    The same customers and rates as in `BgNbd`:

    >>> columns = {"frequency": [0, 1], "t_x": [0, 10], "tenure_days": [30, 30]}
    >>> histories = Histories.each(pl.DataFrame(columns))
    >>> model = Nbd(r=1.0, alpha=10.0)
    >>> model.p_alive(histories).tolist()
    [1.0, 1.0]
    >>> model.expected_orders(histories, days=40).tolist()
    [1.0, 2.0]
    >>> model.prob_no_order(histories, days=40).round(3).tolist()
    [0.5, 0.25]
    """

    r: float
    alpha: float

    def p_alive(self, seen: Histories) -> Floats:
        """1: no customer drops out."""
        return np.ones_like(seen.x)

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        """The mean of the rate, given the history, times the days."""
        orders: Floats = (self.r + seen.x) / (self.alpha + seen.T) * days
        return orders

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        """((alpha + T) / (alpha + T + days))^(r + x)."""
        return _silent(self.r, self.alpha, seen, days)


@dataclass(frozen=True)
class NaiveRate:
    """The naive rate: each customer goes on as until now, with x orders in T days.

    >>> columns = {"frequency": [0, 3], "t_x": [0, 20], "tenure_days": [30, 30]}
    >>> histories = Histories.each(pl.DataFrame(columns))
    >>> NaiveRate().p_alive(histories).tolist()
    [1.0, 1.0]
    >>> NaiveRate().expected_orders(histories, days=10).tolist()
    [0.0, 1.0]
    >>> NaiveRate().prob_no_order(histories, days=10).round(3).tolist()
    [1.0, 0.368]
    """

    def p_alive(self, seen: Histories) -> Floats:
        """1: no customer drops out."""
        return np.ones_like(seen.x)

    def expected_orders(self, seen: Histories, days: float) -> Floats:
        """x / T times the days; 0 for customers with one order."""
        orders: Floats = seen.x / np.maximum(seen.T, 1.0) * days
        return orders

    def prob_no_order(self, seen: Histories, days: float) -> Floats:
        """As of a Poisson process with that rate."""
        none: Floats = np.exp(-self.expected_orders(seen, days))
        return none


@dataclass(frozen=True)
class GammaGamma:
    """Gamma-Gamma: order values are gamma distributed about a level that differs by customer.

    Attributes:
        p: shape of the values about the level.
        q, v: the levels are inverse gamma distributed; v is in money.

    The levels have the mean 2 x 10 / (3 - 1) = 10. One order of 30 counts as much as this mean:

    >>> model = GammaGamma(p=2.0, q=3.0, v=10.0)
    >>> model.agreement(np.array([8.0, 12.0]))
    1.0
    >>> model.expected_value(np.array([1.0, 9.0]), np.array([30.0, 30.0])).tolist()
    [20.0, 28.0]
    """

    p: float
    q: float
    v: float

    def agreement(self, mean: Floats) -> float:
        """The observed mean as a share of the mean that the model expects: about 1.

        The model's mean over customers is p v / (q - 1). With q at 1 or below, the levels are so
        uneven that they have no mean. The share is then 0 or less, and `expected_value` may be
        negative or above every order so far.

        Args:
            mean: mean value of the orders of each customer that the model was fitted to.
        """
        return float(mean.mean()) * (self.q - 1) / (self.p * self.v)

    def expected_value(self, orders: Floats, mean: Floats) -> Floats:
        """Expected value of an order, by equation 5: the own mean, drawn to that of all customers.

        It holds only where `agreement` is well above 0.

        Args:
            orders: number of orders that the mean is over.
            mean: mean value of an order, 0 or more.
        """
        value: Floats = self.p * (self.v + orders * mean) / (self.p * orders + self.q - 1)
        return value


def fit_bg_nbd(seen: Histories) -> Fitted[BgNbd]:
    """Fit BG/NBD by maximum likelihood (equation 6 in the form with logarithms).

    Args:
        seen: at least one customer.

    Four repeat orders within 50 days, and none for 950, are one drop-out in four chances:

    >>> columns = {"frequency": [4], "t_x": [50], "tenure_days": [1000]}
    >>> round(fit_bg_nbd(Histories.of(pl.DataFrame(columns))).model.drop_out, 3)
    0.25
    """
    from scipy.special import digamma, gammaln

    # Gamma functions are dear, and depend on x only, of which there are few values.
    values, place = np.unique(seen.x, return_inverse=True)
    per_value = np.bincount(place, seen.weight)
    back = seen.x > 0
    total = seen.weight.sum()

    def likelihood(logs: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(logs)
        x = seen.x
        until_now, until_then = np.log(alpha + seen.T), np.log(alpha + seen.t_x)
        # Where x is 0 there is no drop-out to weigh.
        odds = np.where(
            back,
            np.log(a) - np.log(np.where(back, b + x - 1, 1.0)) + (r + x) * (until_now - until_then),
            -np.inf,
        )
        both = np.logaddexp(0.0, odds)
        gone = np.exp(odds - both)
        by_value = (
            gammaln(r + values)
            - gammaln(r)
            + r * logs[1]
            + gammaln(a + b)
            + gammaln(b + values)
            - gammaln(b)
            - gammaln(a + b + values)
        )
        height = per_value @ by_value + seen.weight @ (both - (r + x) * until_now)
        rate = digamma(r + values) - digamma(r) + logs[1]
        shared = digamma(a + b) - digamma(a + b + values)
        of_b = shared + digamma(b + values) - digamma(b)
        leaves = gone / np.where(back, b + x - 1, 1.0)
        gradient = np.array(
            [
                per_value @ rate - seen.weight @ ((1 - gone) * until_now + gone * until_then),
                total * r / alpha
                - seen.weight
                @ ((r + x) * ((1 - gone) / (alpha + seen.T) + gone / (alpha + seen.t_x))),
                per_value @ shared + seen.weight @ gone / a,
                per_value @ of_b - seen.weight @ leaves,
            ]
        )
        return float(height), gradient * np.exp(logs)

    rate = _mean_rate(seen)
    starts = [
        {"r": r, "alpha": r / rate, "a": a, "b": b}
        for r, a, b in ((0.5, 0.5, 2.0), (1.0, 1.0, 1.0), (0.3, 0.1, 5.0))
    ]
    return maximise(BgNbd, likelihood, starts, total)


def fit_nbd(seen: Histories) -> Fitted[Nbd]:
    """Fit NBD by maximum likelihood: the limit of BG/NBD when a goes to 0.

    Args:
        seen: at least one customer.

    Where all customers are seen for the same time, the mean rate is the observed one, here 4
    repeat orders in 4 x 10 days:

    >>> columns = {"frequency": [0, 0, 0, 4], "t_x": [0, 0, 0, 9], "tenure_days": 10}
    >>> model = fit_nbd(Histories.of(pl.DataFrame(columns))).model
    >>> round(model.r / model.alpha, 4)
    0.1
    """
    from scipy.special import digamma, gammaln

    values, place = np.unique(seen.x, return_inverse=True)
    per_value = np.bincount(place, seen.weight)
    total = seen.weight.sum()

    def likelihood(logs: Floats) -> tuple[float, Floats]:
        r, alpha = np.exp(logs)
        until_now = np.log(alpha + seen.T)
        by_value = gammaln(r + values) - gammaln(r) + r * logs[1]
        height = per_value @ by_value - seen.weight @ ((r + seen.x) * until_now)
        gradient = np.array(
            [
                per_value @ (digamma(r + values) - digamma(r) + logs[1]) - seen.weight @ until_now,
                total * r / alpha - seen.weight @ ((r + seen.x) / (alpha + seen.T)),
            ]
        )
        return float(height), gradient * np.exp(logs)

    rate = _mean_rate(seen)
    starts = [{"r": r, "alpha": r / rate} for r in (0.5, 1.0, 3.0)]
    return maximise(Nbd, likelihood, starts, total)


def fit_gamma_gamma(orders: Floats, mean: Floats) -> Fitted[GammaGamma]:
    """Fit Gamma-Gamma by maximum likelihood (equation 1a).

    Args:
        orders: number of orders per customer, at least 1; at least one customer.
        mean: mean value of these orders; above zero.

    In cents instead of euros only v differs, by the factor 100:

    >>> orders, mean = np.array([1.0, 2.0, 3.0, 4.0]), np.array([8.0, 12.0, 9.0, 11.0])
    >>> euros, cents = (fit_gamma_gamma(orders, mean * unit).model for unit in (1, 100))
    >>> [round(ratio, 3) for ratio in (cents.p / euros.p, cents.q / euros.q, cents.v / euros.v)]
    [1.0, 1.0, 100.0]
    """
    from scipy.special import digamma, gammaln

    # In units of the mean over customers, so that the bounds fit every currency.
    unit = float(mean.mean())
    n, values = orders.astype(np.float64), mean / unit
    sums, logs_of = n * values, np.log(values)
    kinds, place = np.unique(n, return_inverse=True)
    per_kind = np.bincount(place).astype(np.float64)

    def likelihood(logs: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(logs)
        together = np.log(v + sums)
        by_kind = (
            gammaln(p * kinds + q)
            - gammaln(p * kinds)
            - gammaln(q)
            + q * logs[2]
            + p * kinds * np.log(kinds)
        )
        powers = p * n + q
        height = per_kind @ by_kind + ((p * n - 1) * logs_of - powers * together).sum()
        of_q = digamma(p * kinds + q)
        gradient = np.array(
            [
                per_kind @ (kinds * (of_q - digamma(p * kinds) + np.log(kinds)))
                + (n * (logs_of - together)).sum(),
                per_kind @ (of_q - digamma(q) + logs[2]) - together.sum(),
                n.size * q / v - (powers / (v + sums)).sum(),
            ]
        )
        return float(height), gradient * np.exp(logs)

    starts = [{"p": p, "q": q, "v": (q - 1) / p} for p, q in ((6.0, 4.0), (1.5, 2.0), (20.0, 10.0))]
    fitted = maximise(GammaGamma, likelihood, starts, float(n.size))
    scaled = GammaGamma(fitted.model.p, fitted.model.q, fitted.model.v * unit)
    return Fitted(
        scaled,
        fitted.covariance,
        # Density of the value itself, not of its multiple of the unit.
        (fitted.log_likelihood or 0.0) - n.size * float(np.log(unit)),
        fitted.customers,
    )


def _silent(r: float, alpha: float, seen: Histories, days: float) -> Floats:
    """Chance of no order in the next days, given x orders in T days and no drop-out."""
    silent: Floats = np.exp(-(r + seen.x) * np.log1p(days / (alpha + seen.T)))
    return silent


def _mean_rate(seen: Histories) -> float:
    """Orders a day over all customers: the search for the parameters begins here."""
    orders, days = seen.weight @ seen.x, seen.weight @ seen.T
    return float((orders + 0.5) / (days + 1.0))
